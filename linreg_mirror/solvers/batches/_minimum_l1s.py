"""The interpolators of least L1 norm of many problems, found together."""

import math
from typing import Any

from linreg_mirror._tools.cites import cited, cites
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.problems.calls import takes_arrays
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.answers import Answers
from linreg_mirror.solvers.batches.arguments import alike, features, targets
from linreg_mirror.solvers.batches.factors import Factors, factors
from linreg_mirror.solvers.batches.newton import continued
from linreg_mirror.solvers.batches.norms import largest
from linreg_mirror.solvers.batches.pairs import exact
from linreg_mirror.solvers.batches.parts import in_parts
from linreg_mirror.solvers.batches.pivots import pivoted
from linreg_mirror.solvers.batches.solutions import Solutions, singly, solution_of
from linreg_mirror.solvers.batches.stack import Stack
from linreg_mirror.solvers.batches.vertices import vertices
from linreg_mirror.solvers.certificates import l1_certificate
from linreg_mirror.solvers.error_bars import central_duals
from linreg_mirror.solvers.limit import minimum_l1
from linreg_mirror.solvers.results import Solution, Stats

_LADDER = (20.0, 60.0, 200.0, 1000.0)  # log(size/b); weights off a support of fewer than n vanish at large ones
_ACCURATE = 1e-3  # residual of limits that vertices are read off
_PIVOTS = 20  # and a quarter of n
_PROVED = 1e-9  # relative error of x that counts as the answer, as for `minimum_l1`


@cites("woodworth2020kernel", "jacobs2025mask")
@takes_arrays("minimum_l1s(problem.X, problem.y)")
def minimum_l1s(X: Any, y: Any, *, threads: int | None = None) -> Solutions:
    """Return argmin{|x|_1 : Xx = y} of B problems, as `minimum_l1` does of one, on NumPy arrays or torch tensors.

    Vertices are read off the mirror limits at a few scales, and improved by pivots of the simplex method. What none of
    them proves is left to `minimum_l1`.

    Parameters
    ----------
    X : array, shape (n, d) or (B, n, d)
        One design for all problems, or one for each; decides kind and device of everything.
    y : array, shape (n,) or (B, n)
        Targets.
    threads : int, optional
        How many parts of the batch are solved at once, of NumPy arrays. Default: as many as there are cores.

    Returns
    -------
    Solutions
        `error` is a proved bound for each; where it is finite, x is the only solution.

    Raises
    ------
    TypeError
        If an argument is no array of real numbers.
    ValueError
        If shapes do not fit together, or a number is not finite.

    See Also
    --------
    minimum_l1 : The same of one problem.
    limits : At scales that do not vanish.
    lassos : With a penalty, for targets with noise.

    Notes
    -----
    The scale -> 0 limit of Woodworth et al. (2020) and Mask in the Mirror (arXiv 2408.09966).

    Examples
    --------
    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> lm.minimum_l1s(np.array([[1.0, 2.0]]), np.array([[2.0], [-4.0]])).x.round(6).tolist()
    [[0.0, 1.0], [0.0, -2.0]]
    """
    X = features(X)
    (y,) = alike(X, y=targets(X, y))
    flat = namespace(X).zeros_like(y[:, :1])
    stack = Stack(X, y, Hyperbolic(flat, flat), flat)

    stats = Stats(method="mirror limits of a batch, then vertices", cites=cited(minimum_l1s))

    def solution(k: int, found: tuple[Any, Any, Any, float]) -> Solution:
        x, dual, rest, _ = found
        problem = stack.problem(k)
        return solution_of(problem, l1_certificate(problem, x, dual, rest=rest), found, _PROVED, stats)

    found = in_parts(X, len(y), lambda part: _solved(stack.part(part)), threads)
    return singly(found, _PROVED, lambda k: minimum_l1(stack.problem(k)), solution)


def _solved(stack: Stack) -> Answers:
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
        left = best.part(at).wanting(_PROVED)
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
    left = best.part(at).wanting(_PROVED)
    few = left[xp.sum(xp.abs(xp.sign(found.x[left])), axis=-1) < n]
    if len(few):
        some = stack.part(few)
        central = central_duals(some.X, xp.sign(found.x[few]))
        best.improve(at[few], vertices(some, whole.part(few), basis[few], central))
        left = best.part(at).wanting(_PROVED)
    if len(left):
        some = stack.part(left)
        better = pivoted(some, basis[left], _PIVOTS + n // 4)
        best.improve(at[left], vertices(some, whole.part(left), better, guess[left]))
