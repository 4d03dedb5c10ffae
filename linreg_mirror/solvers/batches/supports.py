"""Supports of a stack of LASSO problems: weights on them, proved as in `error_bars.lasso`."""

import math
from typing import Any

from linreg_mirror._tools.double_double import Pair
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.active_sets import Support, support_of
from linreg_mirror.solvers.batches.answers import Answers
from linreg_mirror.solvers.batches.columns import placed
from linreg_mirror.solvers.batches.factors import Factors, factors
from linreg_mirror.solvers.batches.norms import norm
from linreg_mirror.solvers.batches.pairs import exact, transposed_products
from linreg_mirror.solvers.batches.rounding import of_pull, residual, rounded
from linreg_mirror.solvers.batches.stack import Stack
from linreg_mirror.solvers.error_bars.rows import UNIT

_ROUNDS = 3  # of residuals of 106 bits


def proved(stack: Stack, weight: Any, x: Any) -> Answers:
    """Solve for the weights on supports, with residuals of 106 bits, and bound the errors; s is y - Xx.

    Parameters
    ----------
    stack : Stack
        Problems.
    weight : array, shape (B, 1)
        Positive.
    x : array, shape (B, d)
        Weights with the supports and signs of the solutions, at most n each.
    """
    xp, n = stack.xp, stack.X.shape[-2]
    signs = xp.sign(x)
    on = support_of(stack, signs, n)
    part = stack.with_features(on.columns)
    whole = factors(on.gram, n)
    v = exact(xp.zeros_like(on.signs))
    for _ in range(_ROUNDS):
        v = v + exact(on.kept * linear_algebra.solve(whole.L, _slope(on, weight, residual(part, v)[0]).hi))
    return near(stack, weight, signs, on, whole, v)


def near(stack: Stack, weight: Any, signs: Any, on: Support, whole: Factors, v: Pair) -> Answers:
    """Return weights on supports, as they are, with bounds of their errors; s is y - Xx.

    Parameters
    ----------
    stack : Stack
        Problems.
    weight : array, shape (B, 1)
        Positive.
    signs : array, shape (B, d)
        Of the solutions.
    on : Support
        Their supports.
    whole : Factors
        Of the Gram matrices of these.
    v : Pair of shape (B, n)
        Weights on them.
    """
    xp, part = stack.xp, stack.with_features(on.columns)
    r, inexact = residual(part, v)
    slope = _slope(on, weight, r)
    left = rounded(slope, norm(of_pull(part, r)) + (2 * UNIT) ** 2 * norm(weight * on.signs))
    # |X_S'e|_{H^-1} <= |e|_2 for what rounding has made of the residual.
    eta = whole.norm(*left) + 1.01 * inexact
    entries = on.kept * (1.01 * (whole.reach * eta)[:, None] + UNIT * xp.abs(v.hi))
    right = (on.kept == 0) | (on.signs * v.hi > entries)
    all_there = xp.sum(on.kept, axis=-1) == xp.sum(xp.abs(signs), axis=-1)
    error = 1.01 * xp.sum(entries, axis=-1)
    sound = whole.sound & all_there & xp.all(right, axis=-1) & xp.isfinite(error)
    sound = sound & xp.all((signs != 0) | _below(stack, weight, r, eta + inexact), axis=-1)
    return Answers(placed(stack, on.at, v.hi), r, xp.where(sound, error, math.inf))


def _slope(on: Support, weight: Any, r: Pair) -> Pair:
    """Return the negative gradient on the support, which vanishes at the solution."""
    return transposed_products(on.columns, r) - exact(weight * on.signs)


def _below(stack: Stack, weight: Any, r: Pair, apart: Any) -> Any:
    """Return where |X_j'r*| is below the weight for each r* that is not farther from r than this."""
    xp = stack.xp
    slopes = xp.abs(transposed_products(stack.X, r).hi)
    return slopes + 1.01 * (of_pull(stack, r) + UNIT * slopes + stack.lengths * apart[:, None]) < weight
