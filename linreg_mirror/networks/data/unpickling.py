"""Reading pickles that others made, without running what they ask for."""

import io
import pickle
from typing import Any

import numpy as np

_RECONSTRUCT = np.empty(0).__reduce__()[0]  # what pickles of arrays call; its home has moved once
_ADMITTED = {
    ("numpy.core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy._core.multiarray", "_reconstruct"): _RECONSTRUCT,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
}


def arrays_only(content: bytes) -> Any:
    """Return what a pickle holds, of NumPy arrays and the types that need no import: dict, list, bytes, str, int, ...

    Text that was pickled by Python 2 becomes bytes.

    Parameters
    ----------
    content : bytes
        The pickle.

    Raises
    ------
    ValueError
        If it asks for anything else, which is not imported, let alone called; or if it is damaged.
    """
    try:
        return _Unpickler(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a damaged pickle raises whatever its instructions happen to stumble over
        raise ValueError(f"it is not a pickle of arrays ({type(error).__name__}: {error})") from None


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ADMITTED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, nothing but NumPy arrays is admitted")
        return _ADMITTED[module, name]
