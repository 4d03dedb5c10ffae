"""Limits of a stack that have fewer weights than there are samples, all others being below rounding.

There the Hessian of the dual is singular in float64, and Newton's method ends; what is proved is the distance of an
interpolator, as by `error_bars.pythagoras.few_weights_bar` of one problem.
"""

import math
from typing import Any

from linreg_mirror._tools.double_double import Pair
from linreg_mirror.solvers.batches.answers import Answers
from linreg_mirror.solvers.batches.bars import point_of
from linreg_mirror.solvers.batches.columns import placed
from linreg_mirror.solvers.batches.factors import Factors, factors
from linreg_mirror.solvers.batches.least_norms import least_norms
from linreg_mirror.solvers.batches.pairs import exact
from linreg_mirror.solvers.batches.pythagoras import divergence
from linreg_mirror.solvers.batches.stack import Stack
from linreg_mirror.solvers.batches.vertices import Bases, bases_of, duals_on, off_by, shares, weights_on
from linreg_mirror.solvers.error_bars import central_duals
from linreg_mirror.solvers.error_bars.rows import UNIT

_SMALL = 35.0  # log(size/b) below which weights off a support are seen
_ROUNDS = 6  # of dual vectors on the support
_SHARES = (1e-4, 1e-2, 0.1)  # of the tolerance: what weights off the support may come to


def few_weights(stack: Stack, tolerance: float) -> tuple[Any, Answers]:
    """Return the indices of problems that have few weights, and interpolators with these, close to the limits.

    Parameters
    ----------
    stack : Stack
        Problems and potentials.
    tolerance : float
        Largest error that is worth while, relative to |x|_1.
    """
    xp, n = stack.xp, stack.X.shape[-2]
    size = xp.max(xp.abs(stack.y), axis=-1) / xp.max(stack.lengths, axis=-1)
    tiny = xp.max(stack.log_b, axis=-1) < xp.log(xp.where(size > 0, size, 1.0)) - _SMALL
    at = xp.nonzero(tiny & (size > 0))[0]
    least = least_norms(stack.part(at)) if len(at) else Answers(stack.X[:0, 0], exact(stack.y[:0]), size[:0])
    few = xp.isfinite(least.error) & (xp.sum(xp.abs(xp.sign(least.x)), axis=-1) < n)
    some = xp.nonzero(few)[0]
    at, least = at[some], least.part(some)
    return at, _moved(stack.part(at), least, tolerance) if len(at) else least


def _moved(stack: Stack, least: Answers, tolerance: float) -> Answers:
    """Return the same weights with dual vectors of the limits, and bars of their distance from there."""
    bases = bases_of(stack, stack.xp.argsort(-stack.xp.abs(least.x), axis=-1)[:, : stack.X.shape[-2]])
    return near(stack, bases, weights_on(stack, bases), tolerance)


def near(stack: Stack, bases: Bases, p: Pair, tolerance: float) -> Answers:
    """Return weights on bases, as they are, with dual vectors close to the limits', and bars of their distance.

    Parameters
    ----------
    stack : Stack
        Problems and potentials.
    bases : Bases
        Columns.
    p : Pair of shape (B, n)
        Weights on them.
    tolerance : float
        Largest error that is worth while, relative to |x|_1.
    """
    xp = stack.xp
    x = Pair(*(placed(stack, bases.at, part * bases.kept) for part in (p.hi, p.lo)))
    exponent = stack.mirror.tilt - 2 * stack.mirror.dual(x.hi, stack.decay)  # of X's, twice, on the support
    steepest = xp.max(xp.where(x.hi != 0, xp.abs(exponent), 0.0), axis=-1, keepdims=True)
    s = exact(-0.5 * steepest * central_duals(stack.X, xp.sign(x.hi)))
    wanted = exact(bases.kept * 0.5 * xp.take_along_axis(exponent, bases.at, axis=1))
    s = duals_on(stack, bases, wanted, s, _ROUNDS)
    whole = factors(stack.hessian(xp.ones_like(x.hi)), x.hi.shape[-1])
    return Answers(x.hi, s, _errors(stack, whole, bases, p, x, s, max(tolerance, UNIT)))


def _errors(stack: Stack, whole: Factors, bases: Bases, p: Pair, x: Pair, s: Pair, tolerance: float) -> Any:
    """Return upper bounds of the distances of x from the limits."""
    xp, d = stack.xp, x.hi.shape[-1]
    point, weight = point_of(stack, s), xp.sum(xp.abs(x.hi), axis=-1)
    eta = off_by(stack, whole, bases, p)
    G = divergence(stack, x, point, eta[:, None])
    on = placed(stack, bases.at, bases.kept) > 0
    K = xp.max(xp.where(on, 0.0, shares(stack, bases)), axis=-1)
    eta_1 = d**0.5 * eta
    error = xp.full_like(weight, math.inf)
    # Off the support D(x, q) grows at least by `room` for each unit past the threshold tau.
    for share in _SHARES:
        tau = share * tolerance * weight / (d * (1 + K))
        above = xp.log(2 * tau)[:, None] - stack.log_b - point.height
        room = xp.min(xp.where(on, math.inf, above), axis=-1) - 1e-6
        bound = 1.01 * ((1 + K) * (d * tau + 2 * G / room + eta_1) + eta_1) + UNIT * weight
        error = xp.where((room > 1) & (bound < error), bound, error)
    sound = (bases.lost < 0.1) & whole.sound & xp.isfinite(error)
    return xp.where(sound, error, math.inf)
