"""The interpolators of least L1 norm of many problems, found together."""

from typing import Any

from linreg_mirror._tools.cites import cited, cites
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.arguments import broadcast, features, in_parts
from linreg_mirror.solvers.batches.factors import factors
from linreg_mirror.solvers.batches.newton import continued
from linreg_mirror.solvers.batches.pairs import exact
from linreg_mirror.solvers.batches.solutions import Solutions, host, joined, singly
from linreg_mirror.solvers.batches.stack import Stack
from linreg_mirror.solvers.batches.vertices import Vertices, pivoted, vertices
from linreg_mirror.solvers.certificates import l1_certificate, outcome, with_error
from linreg_mirror.solvers.error_bars import central_duals
from linreg_mirror.solvers.limit import minimum_l1
from linreg_mirror.solvers.results import Solution, Stats

_LADDER = (20.0, 60.0, 200.0, 1000.0)  # log(size/b); weights off a support of fewer than n vanish at large ones
_ACCURATE = 1e-3  # residual of limits that vertices are read off
_PROVED = 1e-9  # relative error of x that counts as the answer, as for `minimum_l1`


@cites("woodworth2020kernel", "jacobs2025mask")
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
    (y,) = broadcast(X, y)
    zero = y[:, :1] * 0
    stack = Stack(X, y, Hyperbolic(zero, zero), zero)
    x, s, rest, error = joined(stack.xp, in_parts(X, len(y), lambda part: _solved(stack.part(part)), threads))

    def problem(k: int) -> Problem:
        return Problem(host(X[0 if stack.shared else k]), host(y[k]))

    def solution(k: int, at: Any, dual: Any, low: Any, bar: float) -> Solution:
        certificate = with_error(l1_certificate(problem(k), at, dual, rest=low), bar, at, _PROVED)
        return Solution(
            x=at,
            dual=dual,
            log_scale=None,
            status=outcome(certificate, problem(k), at, bar),
            stats=Stats(method="mirror limits of a batch, then vertices", cites=cited(minimum_l1s)),
            certificate=certificate,
            unique=True,
            error=bar,
            dual_rest=low,
        )

    return singly((x, s, rest, error), _PROVED, lambda k: minimum_l1(problem(k)), solution)


def _solved(stack: Stack) -> tuple[Any, Any, Any, Any]:
    """Return x, the two parts of s, and the error bars."""
    xp, (n, d) = stack.xp, stack.X.shape[-2:]
    wide = xp.zeros_like(stack.X[:1, 0, :] + stack.y[:, :1])
    whole = factors(stack.hessian(1 + wide), d)
    size = xp.max(xp.abs(stack.pull(linear_algebra.solve(whole.L, stack.y))), axis=-1, keepdims=True)
    log_size = xp.log(xp.where(size > 0, size, 1 + 0 * size))
    unknown = xp.where(xp.any(stack.y != 0, axis=-1), float("inf") + wide[:, 0], wide[:, 0])
    best = Vertices(0 * wide, exact(xp.zeros_like(stack.y)), unknown)
    at = xp.nonzero(unknown > 0)[0]
    nu = None
    for i, L in enumerate(_LADDER):
        if not len(at):
            break
        part = Stack(
            stack.X if stack.shared else stack.X[at],
            stack.y[at],
            Hyperbolic(log_size[at] - L + wide[at], wide[at]),
            0 * log_size[at],
        )
        nu, _ = continued(part, _ACCURATE, None if nu is None else (nu, L - _LADDER[i - 1]))
        pull = 2 * part.pull(nu)
        basis = xp.argsort(-xp.abs(part.mirror.primal(0.5 * pull, 0.0)), axis=-1)[:, :n]
        exponents = xp.max(xp.abs(pull), axis=-1, keepdims=True)
        guess = 2 * nu / xp.where(exponents > 0, exponents, 1 + 0 * exponents)
        found = vertices(part, whole.part(at), basis, guess)
        _improve(best, found, at)
        # Where fewer than n columns have weight, dual vectors are many; else pivots find those that are to have it.
        few = xp.nonzero(_wanting(best, at) & (xp.sum(xp.astype(found.x != 0, xp.int64), axis=-1) < n))[0]
        if len(few):
            chosen = part.part(few)
            central = central_duals(chosen.X, xp.sign(found.x[few]))
            _improve(best, vertices(chosen, whole.part(at[few]), basis[few], central), at[few])
        left = xp.nonzero(_wanting(best, at))[0]
        if len(left):
            chosen = part.part(left)
            pivots = pivoted(chosen, basis[left], 20 + n // 4)
            _improve(best, vertices(chosen, whole.part(at[left]), pivots, guess[left]), at[left])
        going = _wanting(best, at)
        going = xp.nonzero(going)[0]
        at, nu = at[going], nu[going]
    return best.x, best.s.hi, best.s.lo, best.error


def _wanting(best: Vertices, at: Any) -> Any:
    """Return where the bar of some problems is still too wide."""
    xp = namespace(best.error)
    return ~(best.error[at] <= _PROVED * xp.sum(xp.abs(best.x[at]), axis=-1))


def _improve(best: Vertices, found: Vertices, at: Any) -> None:
    better = found.error < best.error[at]
    best.x[at[better]], best.error[at[better]] = found.x[better], found.error[better]
    best.s.hi[at[better]], best.s.lo[at[better]] = found.s.hi[better], found.s.lo[better]
