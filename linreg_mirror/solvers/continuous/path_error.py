"""From an error of the dual s to one of x = b sinh(2z), z = z_0 - X's."""

import numpy as np

from linreg_mirror._tools import matrices
from linreg_mirror._tools.double_double import Pair
from linreg_mirror._tools.matrices import Matrix
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Mirror
from linreg_mirror.solvers.error_bars import DualPoint, dual_point, hyperbolic

_EPS = float(np.finfo(float).eps)


def error_in_x(X: Matrix, x: Array, log_scale: Array, error: Array | float) -> Array:
    """Return bounds on the errors of the entries of x where s is off by `error` in the 2-norm.

    The exponent 2z_i is off by h = 2 |X_i| error at most, with X_i a column, and
    |b sinh(q + h) - b sinh(q)| <= b cosh(q) (e^h - 1). Their sum bounds the error in the 1-norm.

    Parameters
    ----------
    X : array or sparse array, shape (n, d)
        Samples in rows.
    x : array, shape (..., d)
        Effective weights.
    log_scale : array, shape (..., d)
        log b, with all penalty until then.
    error : float or array, shape (...)
        A bound on the error of s.

    Returns
    -------
    array, shape (..., d)
        Infinite where the error is.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        growth = np.expm1(2 * np.sqrt(matrices.column_weights(X)) * np.asarray(error)[..., None])
        return np.where(growth > 0, np.hypot(x, np.exp(log_scale)) * growth, 0.0)


def error_of_point(
    X: Array, mirror: Mirror, A: float, x: Array, s: Array, error: float, point: DualPoint | None = None
) -> float:
    """Return a bound on the error of x in the 1-norm, where s is off by `error`; rounding of x counts.

    Parameters
    ----------
    X : array, shape (n, d)
        Samples in rows.
    mirror : Mirror
        Of other potentials than the hyperbolic entropy nothing is known.
    A : float
        Accumulated penalty.
    x : array, shape (d,)
        Effective weights.
    s : array, shape (n,)
        The dual vector that they come from.
    error : float
        A bound on its error in the 2-norm.
    point : DualPoint, optional
        The weights of s, where they are known.
    """
    entropy = hyperbolic(mirror)
    if entropy is None or not np.isfinite(error):
        return np.inf
    lengths = matrices.lengths(X)
    point = point or dual_point(mirror, A, X, lengths, Pair.of(s))
    apart = float(error_in_x(X, point.x.hi, entropy.log_scale_at(A), error).sum())
    total = min(apart, _together(X, point.metric, 2 * float(lengths.max()) * error, error))
    total += float(np.sum(point.rounding + np.abs(x - point.x.hi)))
    return total * (1 + 1e-12) if np.isfinite(total) else np.inf


def _together(X: Array, metric: Array, farthest: float, error: float) -> float:
    """Bound the sum of metric_i |X_i'e| (e^h - 1)/h for |e| = error and exponents that move by h <= farthest.

    By Cauchy-Schwarz it is at most the root of sum metric_i times e'X diag(metric) X'e: columns do not all point the
    same way.
    """
    hessian = matrices.gram(X, metric)
    if not (np.isfinite(hessian).all() and 0 < farthest < np.inf):
        return np.inf
    largest = float(np.linalg.eigvalsh(hessian)[-1]) + 4 * sum(X.shape) * _EPS * float(np.trace(hessian))
    return error * float(np.expm1(farthest)) / farthest * (1 + 1e-9) * float(np.sqrt(largest) * np.sqrt(metric.sum()))
