"""The bars of `error_bars.limits` for a stack: how far weights are from the limits of their flows, proved.

By self-concordance, in the rows as they are: what is too ill-conditioned for that has the bar inf here.
"""

from typing import Any, NamedTuple

from linreg_mirror._tools.double_double import Pair, two_sum
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.factors import factors, norm, residual
from linreg_mirror.solvers.batches.pairs import exact, transposed_products
from linreg_mirror.solvers.batches.stack import Stack
from linreg_mirror.solvers.error_bars.rows import UNIT

_LIBRARY = 12 * UNIT  # what exp, expm1 and the operations after them may lose, relative to x
_UNDERFLOW = 1e-290


class Bars(NamedTuple):
    """Weights of dual vectors, how far they are from the limits, and the way there.

    Attributes
    ----------
    x : array, shape (B, d)
        primal(z_0 - X's).
    error : array, shape (B,)
        Upper bounds of |x - x*|_1; inf where nothing is proved.
    entries : array, shape (B, d)
        Upper bounds of |x_i - x*_i|.
    step : array, shape (B, n)
        Newton's step of s.
    """

    x: Any
    error: Any
    entries: Any
    step: Any


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
    x, metric, rounding = _point(stack, s)
    r, inexact = residual(stack, exact(x))
    found = factors(stack.hessian(metric), d)
    # |v|_{H^-1} of the residual, and of what rounding has made of x: |Xv|_{H^-1} <= |v / sqrt D|_2.
    seen = (metric > 0) & (stack.lengths > 0)
    root = xp.sqrt(xp.where(seen, metric, xp.ones_like(metric)))
    of_rounding = norm(xp.where(seen, rounding / root, 0 * root))
    decrement = 1.01 * (found.norm(r, inexact) + of_rounding)

    # The metric's logarithm has slope 2 at the most; kappa_i = |X_i|_{H^-1}, and kappa_i^2 D_i <= 1.
    reach = stack.lengths * (found.size / xp.sqrt(found.kept))[:, None]
    kappa = 1.01 * xp.where(seen, xp.minimum(reach, 1 / root), reach)
    steepest = 2 * xp.max(kappa, axis=-1) * decrement
    sound = found.sound & (steepest < 0.5)
    delta = -xp.log1p(-xp.where(sound, steepest, 0 * steepest))
    stretch = 1 + delta  # at least delta / (1 - exp(-delta))
    moved = kappa * (decrement * stretch)[:, None]
    rounding = rounding + UNIT * xp.abs(x)
    entries = 1.01 * metric * xp.expm1(2 * moved) / 2 + rounding
    # By Cauchy-Schwarz, from sum D_i kappa_i^2 = n; (exp(t) - 1) / t <= 1 + t for t <= log 2.
    together = 1.02 * (1 + delta) * decrement * stretch * xp.sqrt(n * xp.sum(metric, axis=-1))
    error = xp.minimum(xp.sum(entries, axis=-1), together + xp.sum(rounding, axis=-1))
    # A start that interpolates is its own limit, and exact.
    still = ~(xp.any(r != 0, axis=-1) | (inexact > 0) | xp.any(rounding > 0, axis=-1))
    error = xp.where(still, 0 * error, xp.where(sound & xp.isfinite(error), error, 0 * error + float("inf")))
    return Bars(x, error, entries, -linear_algebra.solve(found.L, r))


def _point(stack: Stack, s: Pair) -> tuple[Any, Any, Any]:
    """Return x, the metric there, and upper bounds of |x - primal(z_0 - X's)|: exponents have 106 bits, x has 53."""
    xp, n = stack.xp, stack.X.shape[-2]
    tilt = stack.mirror.tilt
    exponent = exact(tilt) + transposed_products(stack.X, s).times(-2.0)
    sign = xp.where(exponent.hi < 0, -xp.ones_like(tilt), xp.ones_like(tilt))
    h = Pair(sign * exponent.hi, sign * exponent.lo)
    log_b = Pair(*two_sum(stack.mirror.log_scale, -4 * stack.decay))
    height = h + log_b
    up = 0.5 * xp.exp(height.hi) * (1 + height.lo)
    fall = -xp.expm1(-2 * h.hi)
    x, metric = up * fall, 2 * up * (2 - fall)
    lost = 8 * (n + 2) ** 2 * UNIT**2 * stack.lengths * norm(s.hi)[:, None]
    exponents = 8 * UNIT**2 * (xp.abs(tilt) + xp.abs(log_b.hi) + h.hi)
    rounding = _LIBRARY * x + 1.01 * metric * (lost + exponents) + _UNDERFLOW
    still = (exponent.hi == 0) & ~xp.any(s.hi != 0, axis=-1, keepdims=True)
    return sign * x, metric, xp.where(still, 0 * rounding, rounding)
