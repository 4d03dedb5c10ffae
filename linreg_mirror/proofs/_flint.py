"""python-flint, which proofs need and nothing else does."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Indices: TypeAlias = NDArray[np.intp]


def require_flint() -> Any:
    """Return the module flint, or raise ModuleNotFoundError that says how to get it."""
    try:
        import flint  # pyright: ignore[reportMissingImports]
    except ModuleNotFoundError as error:
        if error.name != "flint":
            raise
        raise ModuleNotFoundError(
            'proofs need python-flint, which is not installed: pip install "linreg-mirror[proof]"', name="flint"
        ) from None
    return flint
