"""What functions of the linear model x -> Xw take: designs and weights, NumPy arrays or torch tensors."""

from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array


def linear_model(X: Any, **vectors: Any) -> tuple[Any, ...]:
    """Return the array namespace, X, and vectors of its kind: `y` with a number for each row, others for each column.

    What is no torch tensor becomes NumPy float64.

    Raises
    ------
    ValueError
        If a shape does not fit, or an entry is not finite.
    TypeError
        If X is a tensor of integers.
    """
    if not is_torch_array(X):
        X = np.asarray(X, float)
    elif not X.is_floating_point():
        raise TypeError(
            f"X must hold floats, which decide the precision of everything, got {X.dtype}: write X.double()"
        )
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X (n, d) is expected, n samples of d features, got shape {tuple(X.shape)}")
    xp = array_namespace(X)
    checked = [_finite(xp, "X", X)]
    for name, vector in vectors.items():
        vector = xp.asarray(vector, dtype=X.dtype, device=X.device)
        length = X.shape[0] if name == "y" else X.shape[1]
        if tuple(vector.shape) != (length,):
            raise ValueError(
                f"{name} must have shape ({length},) for X of shape {tuple(X.shape)}, got {tuple(vector.shape)}"
            )
        checked.append(_finite(xp, name, vector))
    return xp, *checked


def column_norms(xp: Any, X: Any) -> Any:
    """Return |X_i|, shape (d,)."""
    return xp.linalg.vector_norm(X, axis=0)


def squared_norm(xp: Any, vector: Any) -> float:
    """Return |vector|^2."""
    return float(xp.sum(vector * vector))


def _finite(xp: Any, name: str, array: Any) -> Any:
    if not bool(xp.all(xp.isfinite(array))):
        raise ValueError(f"{name} must be finite: remove or impute what is not")
    return array
