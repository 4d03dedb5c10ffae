"""Where the flows of many problems end, solved together."""

import math
from typing import Any

from linreg_mirror._tools.arguments import check_nonnegative
from linreg_mirror._tools.cites import cited, cites
from linreg_mirror._tools.double_double import Pair
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.parametrizations.many_starts import starts
from linreg_mirror.problems import Problem
from linreg_mirror.problems.calls import takes_arrays
from linreg_mirror.solvers.batches.answers import Answers
from linreg_mirror.solvers.batches.arguments import alike, features, per_entry, per_problem, targets
from linreg_mirror.solvers.batches.bars import Bars, bars
from linreg_mirror.solvers.batches.few_weights import few_weights
from linreg_mirror.solvers.batches.graded import graded
from linreg_mirror.solvers.batches.newton import continued
from linreg_mirror.solvers.batches.pairs import exact
from linreg_mirror.solvers.batches.parts import in_parts
from linreg_mirror.solvers.batches.solutions import Solutions, singly, solution_of
from linreg_mirror.solvers.batches.stack import Stack, host
from linreg_mirror.solvers.certificates import certify_limit
from linreg_mirror.solvers.limit import limit
from linreg_mirror.solvers.results import Solution, Stats

_START = 1e-9  # residual, relative to y, from which Newton's method with residuals of 106 bits takes over
_POLISH = 5  # its steps: two are usual


@cites("jacobs2025mask")
@takes_arrays(
    "limits(problem.X, problem.y, network)", b="log_scale=np.log(b)", scale="log_scale=np.log(b)",
    log_b="log_scale=", tol="tolerance=", alpha="decay=, the integral of alpha",
)  # fmt: skip
def limits(
    X: Any,
    y: Any,
    network: Hadamard | None = None,
    *,
    log_scale: Any = None,
    tilt: Any = None,
    decay: Any = 0.0,
    tolerance: float = 1e-12,
    threads: int | None = None,
) -> Solutions:
    """Return the limits of x = m*w on B problems, as `limit` does for one, on NumPy arrays or torch tensors.

    Each problem goes its own way, by Newton's method on its dual, continued in its scale; products and factors are
    those of the whole batch. What is too hard for that is left to `limit`.

    Parameters
    ----------
    X : array, shape (n, d) or (B, n, d)
        One design for all problems, or one for each; decides kind and device of everything.
    y : array, shape (n,) or (B, n)
        Targets.
    network : Hadamard, optional
        One start for all problems, as `limit` takes it.
    log_scale, tilt : array, broadcast to (B, d), optional
        In place of a network a start for each problem, as log b and log(u0/v0): Hadamard's attributes of these names.
        So ``log_scale=np.log(b)[:, None]`` is a scale for each problem. Tilt is 0, and the start x = 0, where it is
        left out.
    decay : number or array of shape (B,)
        Accumulated penalty A, finite and not negative.
    tolerance : float
        Largest error of x in the L1 norm, relative to |x|_1.
    threads : int, optional
        How many parts of the batch are solved at once, of NumPy arrays. Default: as many as there are cores.

    Returns
    -------
    Solutions
        `error` is a proved bound for each; `found[k]` is what `limit` would return, with a certificate.

    Raises
    ------
    TypeError
        If an argument is no array of real numbers, or there is neither a network nor a log_scale, or both.
    ValueError
        If shapes do not fit together, or a number is not finite or out of range.

    See Also
    --------
    linreg_mirror.limit : The same of one problem, and of other networks.
    linreg_mirror.ladder : One problem at many scales, of any depth.
    linreg_mirror.minimum_l1s : Where limits go as the scale vanishes.

    Notes
    -----
    Mask in the Mirror (arXiv 2408.09966), Theorem 2.3.

    Examples
    --------
    From a large scale to the least L2 norm, from a small one to the least L1 norm:

    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> X, y = np.array([[1.0, 2.0]]), np.array([2.0])
    >>> lm.limits(X, y, log_scale=[[10.0], [-10_000.0]]).x.round(6).tolist()
    [[0.4, 0.8], [0.0, 1.0]]
    >>> lm.limits(X, y, lm.Hadamard.from_scale(1e-20, d=2)).x.round(6).tolist()
    [[0.0, 1.0]]
    """
    check_nonnegative("tolerance", tolerance)
    X = features(X)
    log_scale, tilt = starts(network, log_scale, tilt, "limits")
    given = {"log_scale": per_entry(X, "log_scale", log_scale), "tilt": per_entry(X, "tilt", tilt)}
    y, log_scale, tilt, decays = alike(X, y=targets(X, y), **given, decay=per_problem(X, "decay", decay))
    xp = namespace(X)
    if bool(xp.any(decays < 0)):
        raise ValueError(
            f"decay must not be negative, the integral of alpha, got {float(xp.min(decays)):g}: leave it out for 0"
        )
    stack = Stack(X, y, Hyperbolic(log_scale, tilt), decays)

    stats = Stats(method="Newton on the duals of a batch, continued in the scale", cites=cited(limits))

    def solution(k: int, found: tuple[Any, Any, Any, float]) -> Solution:
        problem, network, A = _one(stack, k)
        mirror = network.mirror()
        certificate = certify_limit(problem, mirror, A, *found[:3])
        return solution_of(problem, certificate, found, tolerance, stats, mirror.log_scale_at(A))

    found = in_parts(X, len(y), lambda part: _solved(stack.part(part), tolerance), threads)
    return singly(found, tolerance, lambda k: limit(*_one(stack, k), tolerance=tolerance), solution)


def _solved(stack: Stack, tolerance: float) -> Answers:
    found = _by_newton(stack, tolerance)
    left = found.wanting(tolerance)
    if len(left):
        few, answers = few_weights(stack.part(left), tolerance)
        found.improve(left[few], answers)
    left = found.wanting(tolerance)
    n, d = stack.X.shape[-2:]
    if len(left) and n <= d:
        found.improve(left, graded(stack.part(left), tolerance))
    return found


def _by_newton(stack: Stack, tolerance: float) -> Answers:
    s = exact(-continued(stack, _START))
    found, answers = _judged(stack, s)
    best, at = answers, stack.xp.arange(len(s.hi), device=s.hi.device)
    for _ in range(_POLISH):
        left = answers.wanting(tolerance)
        if not len(left):
            break
        at, stack = at[left], stack.part(left)
        found, answers = _judged(stack, answers.part(left).s + exact(found.step[left]))
        best.improve(at, answers)
    return best


def _judged(stack: Stack, s: Pair) -> tuple[Bars, Answers]:
    """Return the bars of dual vectors, and the answers that they make: of weights that fit."""
    found = bars(stack, s)
    return found, Answers(found.x, s, stack.xp.where(found.fits, found.error, math.inf))


def _one(stack: Stack, k: int) -> tuple[Problem, Hadamard, float]:
    network = Hadamard.from_tilt(host(stack.mirror.log_scale[k]), host(stack.mirror.tilt[k]))
    return stack.problem(k), network, float(stack.decay[k, 0])
