"""Least squares with an intercept that is not penalised, written as least squares without one."""

from typing import Any

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import LinearOperator

from linreg_mirror.losses import Array

_DENSE = 10**7  # entries up to which a sparse X is made dense


def centred(X: Any, y: Array, weights: Array | None, need_entries: bool) -> tuple[Any, Array, Array, float]:
    """Return X and y without what the intercept takes, rows times the roots of their weights, and the means of both.

    A large sparse X becomes an operator, unless its entries are needed.
    """
    n, d = X.shape
    root = np.ones(n) if weights is None else np.sqrt(weights)
    mean_y = float(np.average(y, weights=weights))
    if scipy.sparse.issparse(X) and not need_entries and n * d > _DENSE and n > 1:
        return *_reflected(X, y, root), np.asarray(X.T @ (root**2 / np.sum(root**2))).ravel(), mean_y
    X = X.toarray() if scipy.sparse.issparse(X) else X
    mean_X = np.average(X, axis=0, weights=weights)  # of equal numbers exactly the same
    return root[:, None] * (X - mean_X), root * (y - mean_y), mean_X, mean_y


def _reflected(X: Any, y: Array, root: Array) -> tuple[Any, Array]:
    """Return diag(root) X as an operator, and root * y, without their parts along root, which the best intercept takes.

    A reflection takes root to the first axis, whose row is left out.
    """
    n, d = X.shape
    axis = root / np.linalg.norm(root) + np.eye(1, n)[0]  # of a root that is not negative: nothing cancels
    axis /= np.linalg.norm(axis)

    def reflect(v: Array) -> Array:
        return v - 2 * (axis @ v) * axis

    def forward(x: Array) -> Array:
        return reflect(root * (X @ x.ravel()))[1:]

    def backward(s: Array) -> Array:
        return X.T @ (root * reflect(np.append(0.0, s)))

    operator = LinearOperator((n - 1, d), matvec=forward, rmatvec=backward, dtype=float)  # pyright: ignore[reportCallIssue]
    return operator, reflect(root * y)[1:]
