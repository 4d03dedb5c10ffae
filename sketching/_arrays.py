"""NumPy arrays and torch tensors alike."""

from collections.abc import Callable
from typing import Any

import numpy as np
from array_api_compat import is_torch_array
from numpy.typing import NDArray


def flattened(array: Any) -> tuple[NDArray[np.floating], Callable[[NDArray], Any]]:
    """Return the entries as NumPy floats in one dimension, and how to make such an array like the one given.

    Answers of floats get the type of the array if that is one of floats, and float64 otherwise.
    """
    if is_torch_array(array):
        import torch

        host = array.detach().cpu()
        host = host.double() if not host.is_floating_point() else host.float() if host.itemsize < 4 else host
        dtype = array.dtype if array.is_floating_point() else torch.float64

        def like_tensor(answer: NDArray) -> Any:
            tensor = torch.from_numpy(answer).reshape(array.shape)
            return tensor.to(device=array.device, dtype=None if answer.dtype == bool else dtype)

        return host.reshape(-1).numpy(), like_tensor

    values = np.asarray(array)
    if values.dtype.kind not in "fiub":
        raise TypeError(f"expected an array of real numbers, got {type(array).__name__} of {values.dtype}")
    native = values.dtype.newbyteorder("=")
    exact = np.float32 if native.kind == "f" and native.itemsize <= 4 else np.float64
    answers = native if native.kind == "f" else np.dtype(float)
    return (
        values.astype(exact, copy=False).reshape(-1),
        lambda answer: answer.reshape(values.shape).astype(bool if answer.dtype == bool else answers, copy=False),
    )
