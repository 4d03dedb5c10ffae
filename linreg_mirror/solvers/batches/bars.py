"""The bars of `error_bars.limits` for a stack: how far weights are from the limits of their flows, proved.

By self-concordance, in the rows as they are: what is too ill-conditioned for that has the bar inf here.
"""

import math
from typing import Any, NamedTuple

from linreg_mirror._tools.double_double import Pair, two_sum
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.factors import factors
from linreg_mirror.solvers.batches.norms import largest, norm
from linreg_mirror.solvers.batches.pairs import exact, transposed_products
from linreg_mirror.solvers.batches.rounding import of_pull, residual, rounded
from linreg_mirror.solvers.batches.stack import Stack
from linreg_mirror.solvers.error_bars.rows import UNIT

_LIBRARY = 24 * UNIT  # relative to x: exp and expm1, right to 4 units in the last place, and the operations after them
_LEAST = 1e-290  # weights below may be wrong altogether
_FITS = 1e-11  # a tenth of what certificates allow
_VAGUE = 1e-3  # relative error of the metric with which bounds hold, of which each has a percent to spare


class Bars(NamedTuple):
    """Weights of dual vectors, how far they are from the limits, and the way there.

    Attributes
    ----------
    x : array, shape (B, d)
        primal(z_0 - X's).
    error : array, shape (B,)
        Upper bounds of |x - x*|_1; inf where nothing is proved.
    entries : array, shape (B, d)
        Upper bounds of |x_i - x*_i|, where there are any.
    step : array, shape (B, n)
        Newton's step of s.
    fits : array of bool, shape (B,)
        Where Xx = y to eleven digits.
    """

    x: Any
    error: Any
    entries: Any
    step: Any
    fits: Any


class Point(NamedTuple):
    """Weights x, the metric there, bounds of |x - primal(z_0 - X's)|, and of the relative error of the metric.

    `height` is |2 (z_0 - X's)|, whose sign x has.
    """

    x: Any
    metric: Any
    rounding: Any
    vague: Any
    height: Any


def bars(stack: Stack, s: Pair) -> Bars:
    """Return the bars of dual vectors of 106 bits.

    Parameters
    ----------
    stack : Stack
        Problems and potentials.
    s : Pair of shape (B, n)
        Dual vectors.
    """
    xp, (n, d) = stack.xp, stack.X.shape[-2:]
    x, metric, rounding, vague, _ = point_of(stack, s)
    r, inexact = rounded(*residual(stack, exact(x)))
    found = factors(stack.hessian(metric), d)
    # |Xv|_{H^-1} <= |v / sqrt D|_2, for what rounding has made of x; weights too small to be seen are below D.
    seen = metric > _LEAST
    root = xp.sqrt(xp.where(seen, metric, _LEAST))
    decrement = found.norm(r, inexact) + 1.01 * norm(xp.where(stack.lengths > 0, rounding / root, 0.0))

    # The metric's logarithm has slope 2 at the most; kappa_i = |X_i|_{H^-1}, and kappa_i^2 D_i <= 1.
    reach = stack.lengths * found.reach[:, None]
    kappa = 1.01 * xp.where(seen, xp.minimum(reach, 1 / root), reach)
    steepest = 2 * xp.max(kappa, axis=-1) * decrement
    sound = found.sound & (steepest < 0.5) & (xp.max(vague, axis=-1) < _VAGUE)
    delta = -xp.log1p(-xp.where(sound, steepest, 0.0))
    stretch = 1 + delta  # at least delta / (1 - exp(-delta))
    moved = kappa * (decrement * stretch)[:, None]
    entries = 1.01 * metric * xp.expm1(2 * moved) / 2 + rounding
    # By Cauchy's inequality, sum D_i |X_i'h| <= |h|_H sqrt(sum D_i).
    together = 1.02 * decrement / (1 - steepest) * xp.sqrt(xp.sum(metric, axis=-1))
    error = 1.01 * xp.minimum(xp.sum(entries, axis=-1), together + xp.sum(rounding, axis=-1))
    error = xp.where(sound & xp.isfinite(error), error, math.inf)
    # The start x = 0 is exact, and the limit where y = 0.
    still = ~xp.any(stack.y != 0, axis=-1) & ~xp.any(rounding > 0, axis=-1)
    # At most the size that certificates take residuals to be relative to.
    size = xp.maximum(largest(stack.y)[:, 0], xp.sum(stack.lengths * xp.abs(x), axis=-1) / n)
    fits = largest(r)[:, 0] <= _FITS * size
    return Bars(x, xp.where(still, 0.0, error), entries, -linear_algebra.solve(found.L, r), fits)


def point_of(stack: Stack, s: Pair) -> Point:
    """Return the weights of dual vectors: exponents have 106 bits, x has 53.

    Parameters
    ----------
    stack : Stack
        Problems and potentials.
    s : Pair of shape (B, n)
        Dual vectors.
    """
    xp, tilt = stack.xp, stack.mirror.tilt
    exponent = exact(tilt) + transposed_products(stack.X, s).times(-2.0)
    sign = xp.copysign(xp.ones_like(tilt), exponent.hi)
    h = Pair(sign * exponent.hi, sign * exponent.lo)
    log_b = Pair(*two_sum(stack.mirror.log_scale, -4 * stack.decay))
    height = h + log_b
    up = 0.5 * xp.exp(height.hi) * (1 + height.lo)
    fall = -xp.expm1(-2 * h.hi)
    x, metric = up * fall, 2 * up * (2 - fall)
    lost = of_pull(stack, s) + 8 * UNIT**2 * (xp.abs(tilt) + xp.abs(log_b.hi) + h.hi)
    rounding = _LIBRARY * x + 1.01 * metric * lost + _LEAST
    still = (exponent.hi == 0) & ~xp.any(s.hi != 0, axis=-1, keepdims=True)
    return Point(sign * x, metric, xp.where(still, 0.0, rounding), 2 * lost, h.hi)
