"""What functions of the linear model x -> Xw take: designs and weights, NumPy arrays or torch tensors."""

import math
from typing import Any

import numpy as np
from array_api_compat import array_namespace, is_torch_array

from sketching._arrays import real

quiet = np.errstate(over="ignore", invalid="ignore")  # for functions whose answers go through `in_range`


def linear_model(X: Any, **vectors: Any) -> tuple[Any, ...]:
    """Return the array namespace, X, and vectors of its kind: `y` with a number for each row, others for each column.

    What is no torch tensor becomes NumPy float64.

    Raises
    ------
    ValueError
        If a shape does not fit, or an entry is not finite.
    TypeError
        If X is a tensor of integers, or anything holds no real numbers.
    """
    X = real("X", X)
    if not is_torch_array(X):
        X = X.astype(float)
    elif not X.is_floating_point():
        raise TypeError(
            f"X must hold floats, which decide the precision of everything, got {X.dtype}: write X.double()"
        )
    if X.ndim != 2 or 0 in X.shape:
        raise ValueError(f"X (n, d) is expected, n samples of d features, got shape {tuple(X.shape)}")
    xp = array_namespace(X)
    checked = [finite("X", X)]
    for name, vector in vectors.items():
        vector = real(name, vector)
        if is_torch_array(X) and not is_torch_array(vector):
            vector = vector.astype(float)  # torch does not know all types of NumPy
        vector = xp.asarray(vector, dtype=X.dtype, device=X.device)
        length = X.shape[0] if name == "y" else X.shape[1]
        if tuple(vector.shape) != (length,):
            raise ValueError(
                f"{name} must have shape ({length},) for X of shape {tuple(X.shape)}, got {tuple(vector.shape)}"
            )
        checked.append(finite(name, vector))
    return xp, *checked


def in_range(answer: Any) -> Any:
    """Return the answer, or raise ValueError if it is beyond the range of its type: what came in is finite."""
    if not _is_finite(answer):
        raise ValueError(
            "with numbers as large as these in X, weights or targets the answer is beyond the range of floats: divide "
            "X by its largest entry, or give float64"
        )
    return answer


def column_norms(xp: Any, X: Any) -> Any:
    """Return |X_i|, shape (d,)."""
    return xp.linalg.vector_norm(X, axis=0)


def squared_norm(xp: Any, vector: Any) -> float:
    """Return |vector|^2."""
    return float(xp.sum(vector * vector))


def finite(name: str, array: Any) -> Any:
    """Return the array, or raise ValueError if an entry is not finite."""
    if not _is_finite(array):
        raise ValueError(f"{name} must be finite in {array.dtype}: remove or impute what is not")
    return array


def _is_finite(array: Any) -> bool:
    if isinstance(array, float):
        return math.isfinite(array)
    return bool((array.isfinite() if is_torch_array(array) else np.isfinite(array)).all())
