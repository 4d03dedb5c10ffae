"""Least squares with an intercept that is not penalised, written as least squares without one.

With r the roots of the weights, the best intercept takes from diag(r) X and diag(r) y what is along r.
"""

from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import LinearOperator

from linreg_mirror._types import Array


def centred(X: Any, y: Array, weights: Array | None) -> tuple[Array, Array, Array, float]:
    """Return X and y without their weighted means, rows times the roots of the weights, and the means. X is dense."""
    X = X.toarray() if scipy.sparse.issparse(X) else X
    mean_X, mean_y = np.average(X, axis=0, weights=weights), float(np.average(y, weights=weights))
    constant = np.ptp(X, axis=0) == 0
    mean_X[constant] = X[0, constant]  # to the last bit
    root = np.ones(len(y)) if weights is None else np.sqrt(weights)
    return root[:, None] * (X - mean_X), root * (y - mean_y), mean_X, mean_y


def contracted(X: Any, y: Array, weights: Array | None) -> tuple[Array, Array, Array, float]:
    """Return the same with a row less: weighted rows without their mean are dependent, but for rounding.

    A reflection takes r to an axis. The row of that axis is zero, and left out.
    """
    A, b, mean_X, mean_y = centred(X, y, weights)
    root = np.ones(len(b)) if weights is None else np.sqrt(weights)
    if np.count_nonzero(root) < 2:
        return A, b, mean_X, mean_y
    k, axis = _reflection(root)
    A, b = A - 2 * np.outer(axis, axis @ A), b - 2 * (axis @ b) * axis
    return np.delete(A, k, axis=0), np.delete(b, k), mean_X, mean_y


def reflected(X: Any, y: Array, weights: Array | None) -> tuple[Any, Array, Array, float]:
    """Return the same for a sparse X with two positive weights or more, as an operator that keeps X as it is.

    A reflection takes r to an axis, and the row of that axis is left out; rows of weight 0 are left out, too.
    """
    if weights is not None:
        X, y, weights = X[weights > 0], y[weights > 0], weights[weights > 0]
    X = _without_constants(X)
    n, d = X.shape
    root = np.ones(n) if weights is None else np.sqrt(weights)
    share = root**2 / np.sum(root**2)
    k, axis = _reflection(root)

    def reflect(v: Array) -> Array:
        return v - 2 * (axis @ v) * axis

    def forward(x: Array) -> Array:
        return np.delete(reflect(root * (X @ x.ravel())), k)

    def backward(s: Array) -> Array:
        return X.T @ (root * reflect(np.insert(s.ravel(), k, 0.0)))

    operator = LinearOperator((n - 1, d), matvec=forward, rmatvec=backward, dtype=float)  # pyright: ignore[reportCallIssue]
    return operator, np.delete(reflect(root * y), k), np.asarray(X.T @ share).ravel(), float(share @ y)


def _reflection(root: Array) -> tuple[int, Array]:
    """Return k and the unit normal of the reflection that takes r to the axis k."""
    k = int(np.argmax(root))
    axis = root / np.linalg.norm(root)
    axis[k] += 1.0
    return k, axis / np.linalg.norm(axis)


def _without_constants(X: Any) -> Any:
    """Return X with zeros in place of columns that hold one number throughout: reflecting would leave its rounding."""
    high, low = (np.ravel(extreme(axis=0).toarray()) for extreme in (X.max, X.min))
    constant = (high == low) & (high != 0)
    return X @ scipy.sparse.diags_array(1.0 - constant) if constant.any() else X
