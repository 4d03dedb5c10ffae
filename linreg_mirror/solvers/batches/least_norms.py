"""Interpolators of least L1 norm of a stack: vertices that pivots lead to, or that are read off mirror limits."""

import math
from typing import Any

import numpy as np

from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.mirrors.protocol import namespace
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
_PIVOTS = 20  # and a quarter of n; of compiled ones, times n


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
    least = stack.pull(linear_algebra.solve(whole.L, stack.y))
    size = largest(least)
    nothing = xp.where(xp.any(stack.y != 0, axis=-1), math.inf, xp.zeros_like(stack.y[:, 0]))
    best = Answers(flat, exact(xp.zeros_like(stack.y)), nothing)
    at, nu, before = xp.nonzero(whole.sound & (nothing > 0))[0], None, 0.0
    if len(at) and type(stack.X) is np.ndarray:  # compiled pivots are cheaper than any limit
        _pivot(stack.part(at), whole.part(at), heaviest(least[at], stack.X.shape[-2]), best, at)
        at = at[best.part(at).wanting(PROVED)]
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


def heaviest(weights: Any, n: int) -> Any:
    """Return where the n largest weights are, shape (B, n)."""
    xp = namespace(weights)
    return xp.argsort(-xp.abs(weights), axis=-1)[:, :n]


def _read_off(stack: Stack, whole: Factors, nu: Any, best: Answers, at: Any) -> None:
    """Improve answers, in the places `at`, by vertices close to the limits with these duals."""
    xp, n = stack.xp, stack.X.shape[-2]
    pull = 2 * stack.pull(nu)
    basis = heaviest(stack.mirror.primal(0.5 * pull, 0.0), n)
    steepest = largest(pull)
    _prove(stack, whole, basis, 2 * nu / xp.where(steepest > 0, steepest, 1.0), best, at)
    left = best.part(at).wanting(PROVED)
    if len(left):
        _pivot(stack.part(left), whole.part(left), basis[left], best, at[left])


def _pivot(stack: Stack, whole: Factors, basis: Any, best: Answers, at: Any) -> None:
    """Improve answers by the vertices that pivots lead to."""
    n = stack.X.shape[-2]
    better = pivoted(stack, basis, _PIVOTS * n if type(stack.X) is np.ndarray else _PIVOTS + n // 4)
    _prove(stack, whole, better, stack.xp.zeros_like(stack.y), best, at)


def _prove(stack: Stack, whole: Factors, basis: Any, guess: Any, best: Answers, at: Any) -> None:
    """Improve answers by the vertices of these bases; where fewer than n columns have weight, dual vectors are many."""
    xp, n = stack.xp, stack.X.shape[-2]
    found = vertices(stack, whole, basis, guess)
    best.improve(at, found)
    left = best.part(at).wanting(PROVED)
    few = left[xp.sum(xp.abs(xp.sign(found.x[left])), axis=-1) < n]
    if len(few):
        some = stack.part(few)
        central = central_duals(some.X, xp.sign(found.x[few]), worthwhile=0.1)
        best.improve(at[few], vertices(some, whole.part(few), basis[few], central))
