"""From an error of the dual s to one of x = b sinh(2z), z = z_0 - X's."""

import numpy as np

from linreg_mirror._tools import matrices
from linreg_mirror._tools.matrices import Matrix
from linreg_mirror._types import Array


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
