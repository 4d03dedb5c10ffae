"""The bar of an interpolator close to weights of a dual vector, as in `error_bars.pythagoras`, for a stack.

It needs no inverse of a Hessian, which is below rounding where weights differ widely.
"""

import math
from typing import Any

from linreg_mirror._tools.double_double import Pair
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.bars import Point
from linreg_mirror.solvers.batches.columns import columns_of, placed, times
from linreg_mirror.solvers.batches.norms import norm, size
from linreg_mirror.solvers.batches.pairs import exact
from linreg_mirror.solvers.batches.rounding import residual, rounded
from linreg_mirror.solvers.batches.stack import Stack
from linreg_mirror.solvers.error_bars.rows import UNIT

_ROUNDS = 4  # of residuals of 106 bits


def interpolator(stack: Stack, point: Point, rounds: int = _ROUNDS) -> tuple[Any, Any]:
    """Return weights that interpolate but for rounding, and upper bounds of their distances from the limits.

    The n heaviest weights are moved, and no others: what is left of y is then an error of these alone. Among weights
    far below it, it would count as if they were wrong altogether.

    Parameters
    ----------
    stack : Stack
        Problems and potentials.
    point : Point
        Weights of dual vectors.
    rounds : int
        Of residuals of 106 bits; without any, weights stay where they are.
    """
    xp, n = stack.xp, stack.X.shape[-2]
    at = xp.argsort(-xp.abs(point.x), axis=-1)[:, :n]
    columns = columns_of(stack, at)
    inverse, _ = linear_algebra.general_inverse(columns)
    inverse = xp.where(xp.isfinite(inverse), inverse, 0.0)
    eye = xp.eye(n, dtype=columns.dtype, device=columns.device)
    lost = size(inverse @ columns - eye) + 4 * n * UNIT * size(inverse) * size(columns)
    p = exact(point.x)
    for _ in range(rounds):
        p = p + exact(placed(stack, at, times(inverse, residual(stack, p)[0].hi)))
    r, inexact = rounded(*residual(stack, p))
    # The inverse of the columns is (1 + E)^-1 times this one, |E| <= lost.
    eta = 1.01 * (norm(times(xp.abs(inverse), xp.abs(r))) + size(inverse) * inexact) / (1 - lost)
    G = divergence(stack, p, point, placed(stack, at, xp.broadcast_to(eta[:, None], at.shape)))
    weight, eta_1 = xp.sum(xp.abs(p.hi), axis=-1), n**0.5 * eta
    b = xp.sum(xp.exp(xp.clip(stack.log_b, None, 700.0)), axis=-1)
    bound = eta_1 + 1.01 * (2 * G + 2 * xp.sqrt(G * (G + weight + eta_1 + b))) + UNIT * weight
    return p.hi, xp.where((lost < 0.1) & xp.isfinite(bound), bound, math.inf)


def divergence(stack: Stack, p: Pair, point: Point, eta: Any) -> Any:
    """Return upper bounds of D(p + e, q) for all |e_i| <= eta_i, q being the weights of dual vectors.

    Parameters
    ----------
    stack : Stack
        Problems and potentials.
    p : Pair of shape (B, d)
        Weights.
    point : Point
        q.
    eta : array, shape (B, d) or (B, 1)
        Bounds.
    """
    xp, size, q = stack.xp, stack.xp.abs(p.hi), point.x
    apart = xp.abs((p - exact(q)).hi) + eta + point.rounding
    nearest = xp.where(p.hi * q > 0, xp.clip(xp.minimum(size, xp.abs(q)) - apart, 0.0, None), 0.0)
    # Half of (p-q)^2 over the least metric between, and less than (p-q)(z_p - z_q).
    rise = xp.log(2 * (size + apart) + 1e-320) - stack.log_b
    duals = xp.logaddexp(rise, xp.full_like(rise, 0.7)) + point.height
    b = xp.exp(xp.clip(stack.log_b, None, 700.0))
    terms = xp.minimum(apart**2 / (4 * xp.hypot(nearest, b)), 0.5 * apart * duals)
    return 1.01 * xp.sum(xp.where(apart == 0, 0.0, terms), axis=-1)
