"""How far a numerical flow can be from the exact one, once both have come to rest."""

import numpy as np

from linreg_mirror._tools import matrices
from linreg_mirror._tools.double_double import Pair
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Mirror
from linreg_mirror.solvers.error_bars import DualPoint, dual_point, hyperbolic
from linreg_mirror.solvers.error_bars.rows import UNIT

_SEEN = 0.1  # of the smallest eigenvalue may be rounding
_SPARE = 1.1  # for that, and for the rounding of what is computed from it


def error_at_rest(
    X: Array, y: Array, mirror: Mirror, A: float, t: Array, states: Array, errors: Array, point: DualPoint | None = None
) -> float:
    """Return a bound on the error of the last state, from where the path was before and where its flow must end.

    Errors of steps add up, but a flow that comes to rest at s* forgets them. At any time t_k the exact flow is within
    R_k = errors_k + |s_k - s*| of s*, and stays there, for flows never move apart and s* is one. On the way from there
    the Hessian is at least exp(-2 l R_k) times that of s*, with l the length of the longest column of X: at the end T
    the exact flow is within R_k exp(-mu exp(-2 l R_k) (T - t_k)) of s*, where mu is the smallest eigenvalue.

    Parameters
    ----------
    X : array, shape (n, d)
        Samples in rows.
    y : array, shape (n,)
        Targets.
    mirror : Mirror
        Of other potentials than the hyperbolic entropy nothing is known.
    A : float
        Accumulated penalty, the same at all times.
    t : array, shape (T,)
        Times.
    states : array, shape (T, n)
        Dual vectors.
    errors : array, shape (T,)
        Bounds on their errors in the 2-norm.
    point : DualPoint, optional
        The weights of the last state, where they are known.

    Returns
    -------
    float
        In the 2-norm; infinite where the last state is not close to rest.
    """
    if hyperbolic(mirror) is None:
        return np.inf
    (n, d), s, lengths = X.shape, states[-1], matrices.lengths(X)
    point, longest = point or dual_point(mirror, A, X, lengths, Pair.of(s)), float(lengths.max())
    hessian = matrices.gram(X, point.metric)
    if not np.isfinite(hessian).all():
        return np.inf
    values, vectors = np.linalg.eigh(hessian)
    if not 4 * (n + d) * UNIT * float(np.trace(hessian)) < _SEEN * values[0]:
        return np.inf
    least = float(values[0]) / _SPARE
    # s* is as far as Newton's step in the norm of H says, while that moves no exponent by much (self-concordance).
    root, x = vectors / np.sqrt(values), point.x.hi
    rounding = matrices.magnitudes(X, point.rounding + (d + 4) * UNIT * np.abs(x)) + 2 * UNIT * np.abs(y)
    step = _SPARE * (np.linalg.norm((X @ x - y) @ root) + np.linalg.norm(rounding) / least**0.5)
    turned = 2 * _SPARE * step * np.sqrt(((root.T @ X) ** 2).sum(axis=0).max())
    if not turned < 0.5:
        return np.inf
    away = float(step / (1 - turned) / least**0.5)
    apart = errors + 1.01 * np.linalg.norm(states - s, axis=1) + away
    speed = mirror.dual_rate(A) * least * np.exp(-2 * longest * (away + apart))
    return float((apart * np.exp(-speed * (t[-1] - t))).min()) + away
