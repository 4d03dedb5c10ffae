r"""The bar of an interpolator: Pythagoras and Pinsker, with no inverse of a Hessian.

Let Xp = y, q = primal(z_0 - X's) for any s, x* the limit, D the Bregman divergence. Then D(p, q) = D(p, x*) + D(x*, q),
for p - x* is in the kernel of X and the difference of duals in the range of X'. The hyperbolic entropy has the Hessian
1 / (2 sqrt(x^2 + b^2)), so that by Cauchy's inequality, as in Pinsker's, with G = D(p, q),

    |p - x*|_1 <= 2 G + 2 sqrt(G (G + |p|_1 + sum b)).

With another metric w that increases with |x|, and w(x)/x^2 that decreases, |p - x*|_1 is at most the largest e with
e^2 <= 2 G sum w(|p_i| + e).
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._tools import matrices
from linreg_mirror._tools.double_double import Pair, product
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Mirror
from linreg_mirror.solvers.error_bars.hessians import factor
from linreg_mirror.solvers.error_bars.points import DualPoint, hyperbolic
from linreg_mirror.solvers.error_bars.rows import UNIT, Rows

_NOTHING = 1e-22  # of |x|_1: weights below count as none


def interpolator_bar(rows: Rows, mirror: Mirror, A: float, point: DualPoint, p: Pair) -> float:
    """Return an upper bound of |p - x*|_1 for weights p that nearly interpolate.

    Parameters
    ----------
    rows : Rows
        The problem.
    mirror : Mirror
        Its potential.
    A : float
        Accumulated penalty.
    point : DualPoint
        q: weights close to p that come from a dual vector.
    p : Pair of shape (d,)
        Weights; what they leave of y is counted.
    """
    G, eta_1 = _divergence(rows, mirror, A, point, p)
    size = np.abs(p.hi)
    if (entropy := hyperbolic(mirror)) is not None:
        b = float(np.exp(np.minimum(entropy.log_scale_at(A), 700.0)).sum())
        return eta_1 + 1.01 * (2 * G + 2 * float(np.sqrt(G * (G + size.sum() + b))))
    e = np.sqrt(2 * G * float(point.metric.sum())) + np.finfo(float).tiny
    for _ in range(100):
        if e**2 > 2.02 * G * float(np.sum(mirror.metric(mirror.dual(size + e, A), A))):
            return eta_1 + 1.01 * e
        e = 1.2 * e
    return np.inf


def few_weights_bar(
    rows: Rows, mirror: Mirror, A: float, point: DualPoint, p: Pair, support: NDArray[np.intp], inverse: Array
) -> float:
    r"""Return the same for weights p that are zero off a support, where those of the limit are below rounding.

    Where D(x*, q) <= D(p, q) = G, weights off the support are small: D grows at least linearly past a threshold tau,
    sum |x*_j| <= d tau + 2 G / min(arcsinh(tau/b) - arcsinh(|q_j|/b)). On the support, then,
    |x*_S - p_S|_1 <= K sum |x*_j|, K = max |X_S^+ X_j|_1.

    Parameters
    ----------
    rows, mirror, A, point, p
        As for `interpolator_bar`; b must be far below the weights.
    support : array of int
        Columns, linearly independent.
    inverse : array, shape (len(support), n)
        X_S^+ in the rows that are computed with, up to rounding.
    """
    n, d = rows.X.shape
    G, eta_1 = _divergence(rows, mirror, A, point, p)
    off = np.ones(d, bool)
    off[support] = False
    if not off.any():
        return eta_1
    norm = float(np.linalg.norm(inverse))
    lost = (
        len(support) ** 0.5
        * norm
        * float(np.linalg.norm(rows.column_error[support]) + 4 * n * d**0.5 * UNIT * np.linalg.norm(rows.M[:, support]))
    )
    entropy = hyperbolic(mirror)
    if entropy is None:
        return np.inf
    tau = _NOTHING * float(np.abs(p.hi).sum())
    room = float((np.log(2 * tau) - entropy.log_scale_at(A)[off] - 2 * np.abs(point.z[off])).min()) - 1e-6
    if not (lost < 0.1 and room > 1):
        return np.inf
    wrong = rows.column_error[off] + n * UNIT * matrices.lengths(rows.M[:, off])
    K = float((np.abs(inverse @ rows.M[:, off]).sum(axis=0) + n**0.5 * norm * wrong).max())
    return 1.01 * ((1 + K / (1 - lost)) * (d * tau + 2 * G / room + eta_1) + eta_1)


def _divergence(rows: Rows, mirror: Mirror, A: float, point: DualPoint, p: Pair) -> tuple[float, float]:
    """Return upper bounds of D(p + eta, q) and of |eta|_1, for some eta that makes p an interpolator."""
    whole = factor(rows)
    if whole is None or not whole.kept or not np.isfinite(p.hi).all():
        return np.inf, np.inf
    eta = whole.norm(*rows.inexact_residual(p))
    q, size = point.x, np.abs(p.hi)
    apart = np.abs((p - q).hi) + eta + point.rounding
    nearest = np.where(p.hi * q.hi > 0, np.maximum(np.minimum(size, np.abs(q.hi)) - apart, 0.0), 0.0)
    if (entropy := hyperbolic(mirror)) is not None:
        log_b = entropy.log_scale_at(A)
        b = np.exp(np.minimum(log_b, 700.0))
        # Half of (p-q)^2 over the least metric between, and less than (p-q)(z_p - z_q).
        duals = np.logaddexp(np.log(2 * (size + apart) + 1e-320) - log_b, 0.7) + 2 * np.abs(point.z)
        terms = np.minimum(apart**2 / (4 * np.hypot(nearest, b)), 0.5 * apart * duals)
    else:
        terms = apart**2 / (2 * mirror.metric(mirror.dual(nearest, A), A))
    return 1.01 * float(np.sum(np.where(apart == 0, 0.0, terms))), len(p.hi) ** 0.5 * eta


def moved_to_fit(rows: Rows, p: Pair, direction: Callable[[Array], Array]) -> Pair:
    """Return p moved by `direction`(y - Xp) until rounding in 106 bits ends it.

    Parameters
    ----------
    rows : Rows
        The problem.
    p : Pair of shape (d,)
        Weights.
    direction : callable
        Close to a right inverse of the rows that are computed with, (n,) -> (d,).
    """
    for _ in range(12):
        r = (Pair.of(rows.y) - product(rows.X, p)).hi
        if not np.linalg.norm(r) > 1e-30 * float(np.linalg.norm(rows.y)):
            break
        p = p + Pair.of(direction(rows.residual(r)[0]))
    return p
