"""Limits of a stack whose weights differ by more than float64 resolves, as `limit.graded` finds those of one problem.

Where y comes from fewer weights than samples, the limit's other weights are small, down to what rounding has left of y:
the dual's Hessian is graded. Its factor comes from the square root, rows of large weights first, and residuals have 106
bits.
"""

import math
from typing import Any

from linreg_mirror._tools.double_double import Pair
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.answers import Answers
from linreg_mirror.solvers.batches.bars import point_of
from linreg_mirror.solvers.batches.columns import columns_of
from linreg_mirror.solvers.batches.newton import continued
from linreg_mirror.solvers.batches.norms import largest
from linreg_mirror.solvers.batches.pairs import exact
from linreg_mirror.solvers.batches.pythagoras import interpolator
from linreg_mirror.solvers.batches.rounding import residual
from linreg_mirror.solvers.batches.stack import Stack

_EASY = 35.0  # log(size/b) down to which Newton's method gets with residuals in float64
_START = 1e-9  # residual there, relative to y
_ROUNDS = 15  # of Newton's method at a scale on the way
_LAST = 40  # and at the last one
_NEAR = 0.1  # largest relative change of a weight by a step that ends a scale on the way


def graded(stack: Stack, tolerance: float) -> Answers:
    """Return limits with their bars, inf where nothing is proved.

    Parameters
    ----------
    stack : Stack
        Problems and potentials.
    tolerance : float
        Bar, relative to |x|_1, that is good enough.
    """
    xp = stack.xp
    size = largest(stack.y) / xp.max(stack.lengths, axis=-1, keepdims=True)
    way = xp.clip(xp.log(xp.where(size > 0, size, 1.0)) - xp.max(stack.log_b, axis=-1, keepdims=True), 1.0, None)
    reached = xp.clip(way, None, _EASY)
    s = exact(-continued(_above(stack, way - reached), _START))
    while bool(xp.any(reached < way)):
        s = _stepped(_above(stack, way - reached), s)
        further = xp.minimum(2 * reached, way)
        growth = further / reached  # of all exponents
        s, reached = Pair(growth * s.hi, growth * s.lo), further
    return _proved(stack, s, tolerance)


def _above(stack: Stack, shift: Any) -> Stack:
    mirror = stack.mirror
    return Stack(stack.X, stack.y, Hyperbolic(mirror.log_scale + shift, mirror.tilt), stack.decay)


def _stepped(stack: Stack, s: Pair) -> Pair:
    """Return dual vectors after Newton steps, of each problem as many as it takes to get near."""
    xp = stack.xp
    at, own, s = xp.arange(len(s.hi), device=s.hi.device), s, s + exact(xp.zeros_like(s.hi))
    for _ in range(_ROUNDS):
        own, moved = _newton(stack, own, point_of(stack, own))
        s.hi[at], s.lo[at] = own.hi, own.lo
        going = xp.nonzero(moved > _NEAR)[0]
        if not len(going):
            break
        at, own, stack = at[going], Pair(own.hi[going], own.lo[going]), stack.part(going)
    return s


def _proved(stack: Stack, s: Pair, tolerance: float) -> Answers:
    """Return the best interpolators on the way of Newton steps."""
    xp = stack.xp
    at = xp.arange(len(s.hi), device=s.hi.device)
    best = Answers(stack.pull(s.hi), s + exact(xp.zeros_like(s.hi)), xp.full_like(s.hi[:, 0], math.inf))
    for _ in range(_LAST):
        point = point_of(stack, s)
        x, error = interpolator(stack, point)
        best.improve(at, Answers(x, s, error))
        s, moved = _newton(stack, s, point)
        left = best.part(at).wanting(tolerance)
        going = left[moved[left] > 0]  # where the Hessian is not singular
        if not len(going):
            break
        at, s, stack = at[going], Pair(s.hi[going], s.lo[going]), stack.part(going)
    return best


def _newton(stack: Stack, s: Pair, point: Any) -> tuple[Pair, Any]:
    """Return dual vectors after a step, and the largest relative changes of weights by a whole one."""
    xp = stack.xp
    order = xp.argsort(-point.metric, axis=-1)
    root = xp.sqrt(xp.take_along_axis(point.metric, order, axis=-1))
    L = linear_algebra.triangle(columns_of(stack, order) * root[:, None, :])
    step = -linear_algebra.solve(L, residual(stack, exact(point.x))[0].hi)
    moved = 2 * largest(stack.pull(step))
    # The metric's logarithm has slopes up to 2: a step this long lowers the objective (self-concordance).
    length = xp.where(moved > 0.5, xp.log1p(moved) / moved, 1.0)
    known = xp.isfinite(moved)
    return s + exact(xp.where(known, length * step, 0.0)), xp.where(known, moved, 0.0)[:, 0]
