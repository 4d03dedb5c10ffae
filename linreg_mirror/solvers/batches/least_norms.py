"""Interpolators of least L1 norm of a stack: vertices read off mirror limits, and improved by pivots."""

import math
from typing import Any

from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.answers import Answers
from linreg_mirror.solvers.batches.factors import Factors, factors
from linreg_mirror.solvers.batches.newton import continued
from linreg_mirror.solvers.batches.norms import largest
from linreg_mirror.solvers.batches.pairs import exact
from linreg_mirror.solvers.batches.pivots import pivoted
from linreg_mirror.solvers.batches.stack import Stack
from linreg_mirror.solvers.batches.vertices import vertices
from linreg_mirror.solvers.error_bars import central_duals

PROVED = 1e-9  # relative error of x that counts as the answer, as for `minimum_l1`
_LADDER = (20.0, 60.0, 200.0, 1000.0)  # log(size/b); weights off a support of fewer than n vanish at large ones
_ACCURATE = 1e-3  # residual of limits that vertices are read off
_PIVOTS = 20  # and a quarter of n


def least_norms(stack: Stack) -> Answers:
    """Return the interpolators of least L1 norm, with a bar where one was proved.

    Parameters
    ----------
    stack : Stack
        Problems; potentials and penalties count for nothing.
    """
    xp = stack.xp
    flat = xp.zeros_like(stack.X[:1, 0, :] + stack.y[:, :1])
    whole = factors(stack.hessian(xp.ones_like(flat)), flat.shape[1])
    size = largest(stack.pull(linear_algebra.solve(whole.L, stack.y)))
    nothing = xp.where(xp.any(stack.y != 0, axis=-1), math.inf, xp.zeros_like(stack.y[:, 0]))
    best = Answers(flat, exact(xp.zeros_like(stack.y)), nothing)
    at, nu, before = xp.nonzero(whole.sound & (nothing > 0))[0], None, 0.0
    for L in _LADDER:
        if not len(at):
            break
        potentials = Hyperbolic(xp.log(size[at]) - L + flat[at], flat[at])
        part = Stack(stack.X if stack.shared else stack.X[at], stack.y[at], potentials, flat[at, :1])
        nu = continued(part, _ACCURATE, None if nu is None else (nu, L - before))
        _read_off(part, whole.part(at), nu, best, at)
        left = best.part(at).wanting(PROVED)
        at, nu, before = at[left], nu[left], L
    return best


def _read_off(stack: Stack, whole: Factors, nu: Any, best: Answers, at: Any) -> None:
    """Improve answers, in the places `at`, by vertices close to the limits with these duals."""
    xp, n = stack.xp, stack.X.shape[-2]
    pull = 2 * stack.pull(nu)
    basis = xp.argsort(-xp.abs(stack.mirror.primal(0.5 * pull, 0.0)), axis=-1)[:, :n]
    steepest = largest(pull)
    guess = 2 * nu / xp.where(steepest > 0, steepest, 1.0)
    found = vertices(stack, whole, basis, guess)
    best.improve(at, found)
    # Where fewer than n columns have weight, dual vectors are many; else pivots find those that are to have it.
    left = best.part(at).wanting(PROVED)
    few = left[xp.sum(xp.abs(xp.sign(found.x[left])), axis=-1) < n]
    if len(few):
        some = stack.part(few)
        central = central_duals(some.X, xp.sign(found.x[few]), worthwhile=0.1)
        best.improve(at[few], vertices(some, whole.part(few), basis[few], central))
        left = best.part(at).wanting(PROVED)
    if len(left):
        some = stack.part(left)
        better = pivoted(some, basis[left], _PIVOTS + n // 4)
        best.improve(at[left], vertices(some, whole.part(left), better, guess[left]))
