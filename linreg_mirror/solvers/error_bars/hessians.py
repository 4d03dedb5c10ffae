"""Lower bounds of the dual's Hessian H = X diag(metric) X' that hold in spite of rounding."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import scipy.linalg
from scipy.linalg import LinAlgError

from linreg_mirror._tools import matrices
from linreg_mirror._types import Array
from linreg_mirror.solvers.error_bars.rows import UNIT, Rows

_LARGEST_LOSS = 0.9  # of the Hessian to rounding, with which a bound is still worth having


class Factor(NamedTuple):
    """A lower triangle L such that H >= kept L L' for the exact H, in the rows of M.

    Attributes
    ----------
    L, inverse : array, shape (n, n)
        The triangle and its inverse, both lower.
    kept : float
        Positive, or 0 where nothing is proved.
    """

    L: Array
    inverse: Array
    kept: float

    def solve(self, v: Array) -> Array:
        """Return about H^-1 v."""
        # By substitution: products with the inverse lose what is small in an H of widely different scales.
        return scipy.linalg.cho_solve((self.L, True), v, check_finite=False)

    def norm(self, v: Array, error: float = 0.0) -> float:
        """Return an upper bound of sqrt(v'H^-1 v) for a v known up to `error` in the 2-norm."""
        # By substitution (L + dL) w = v, |dL| <= n u |L|: what rounding loses is relative to w, not to |L^-1||v|.
        w = scipy.linalg.solve_triangular(self.L, v, lower=True, check_finite=False)
        rounding = 2 * len(v) * UNIT * float(np.linalg.norm(np.abs(self.inverse) @ (np.abs(self.L) @ np.abs(w))))
        lost = self.size_of_inverse * error
        return 1.01 * (float(np.linalg.norm(w)) + rounding + lost) / self.kept**0.5

    @property
    def size_of_inverse(self) -> float:
        """The Frobenius norm of L^-1."""
        return float(np.linalg.norm(self.inverse))

    @property
    def loss(self) -> float:
        """What rounding has changed of L^-1, relative to its Frobenius norm."""
        return len(self.L) * UNIT * float(np.linalg.norm(self.L)) * self.size_of_inverse


def factor(rows: Rows, metric: Array | None = None) -> Factor | None:
    """Factorise H by Cholesky's method, or by QR of its square root where it is too ill-conditioned for that.

    None if it is singular. Where nothing is proved, `kept` is 0.

    Notes
    -----
    Rounding in H and in Cholesky's method: Higham, Accuracy and Stability of Numerical Algorithms, Theorem 10.3; in
    Householder's: Theorem 19.4. QR sees the heaviest columns only, which can but make H smaller.
    """
    M, (n, d) = rows.M, rows.M.shape
    hessian = rows.computed.gram if metric is None else (M * metric) @ M.T
    metric = np.ones(d) if metric is None else metric
    try:
        L = scipy.linalg.cholesky(hessian, lower=True, check_finite=False)
    except LinAlgError:
        pass
    else:
        gamma = 1.1 * (d + n + 5) * UNIT
        found = _checked(L, metric, rows, lambda spread: gamma * spread**2, np.sqrt(np.diag(hessian)))
        if found is not None and found.kept > 0:
            return found
    if not (np.isfinite(metric).all() and metric.any()):
        return None
    root = _root(M, metric)
    if len(root) < n:
        return None
    L = np.asarray(np.linalg.qr(root, mode="r")).T
    eta = 4.0 * len(root) * n**0.5 * UNIT
    return (
        None
        if not np.abs(np.diag(L)).min() > 0
        else _checked(L, metric, rows, lambda spread: 2 * eta * spread, matrices.lengths(root))
    )


def solver(rows: Rows, metric: Array, found: Factor | None) -> Callable[[Array], Array] | None:
    """Return v -> about H^-1 v by a factor, or truncated where that proves nothing; None if the metric is not finite.

    Parameters
    ----------
    rows : Rows
        The problem.
    metric : array, shape (d,)
        Weights of its columns.
    found : Factor or None
        What `factor` has returned.
    """
    if found is not None and found.kept:
        return found.solve
    return truncated(rows, metric) if np.isfinite(metric).all() and metric.any() else None


def truncated(rows: Rows, metric: Array) -> Callable[[Array], Array]:
    """Return v -> about H^-1 v in the directions in which H is above rounding, for one that is singular.

    Parameters
    ----------
    rows : Rows
        The problem.
    metric : array, shape (d,)
        Weights of its columns.
    """
    root = _root(rows.M, metric)
    _, sizes, right = scipy.linalg.svd(root, full_matrices=False, check_finite=False)
    seen = sizes > 1e-11 * sizes.max(initial=0.0)  # no column may be left
    sizes, right = sizes[seen], right[seen]
    return lambda v: right.T @ ((right @ v) / sizes / sizes)


def _root(M: Array, metric: Array) -> Array:
    """Return sqrt(metric) M' for the heaviest columns, heaviest first, shape (m, n)."""
    weight = metric * matrices.column_weights(M)
    heavy = np.argsort(-weight)[: min(M.shape[1], 4 * len(M))]
    heavy = heavy[weight[heavy] > 1e-40 * weight[heavy[0]]]
    return np.sqrt(metric[heavy])[:, None] * M[:, heavy].T


def _checked(L: Array, metric: Array, rows: Rows, loss: Callable[[float], float], sizes: Array) -> Factor:
    n = len(L)
    inverse = scipy.linalg.solve_triangular(L, np.eye(n), lower=True, check_finite=False)
    size = float(np.linalg.norm(inverse))
    spread = float(np.linalg.norm(np.abs(inverse) @ sizes))
    changed = size * float(np.sqrt(rows.column_error**2 @ metric))
    kept = max(np.sqrt(max(1 - loss(spread), 0.0)) - changed, 0.0) ** 2
    sound = kept > 1 - _LARGEST_LOSS and n * UNIT * size * float(np.linalg.norm(L)) < 1e-3
    return Factor(L, inverse, float(kept) if sound else 0.0)
