"""Where a mirror flow ends, solved for instead of simulated."""

import time as clock
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from linreg_mirror._tools import matrices
from linreg_mirror._tools.arguments import check_number
from linreg_mirror._tools.blas import one_thread
from linreg_mirror._tools.cites import cited, cites
from linreg_mirror._tools.double_double import Pair
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Mirror, Potential
from linreg_mirror.parametrizations import Parametrization
from linreg_mirror.problems import Problem
from linreg_mirror.problems.calls import takes_problem
from linreg_mirror.problems.losses import Squared
from linreg_mirror.solvers.certificates import certify_limit, outcome, with_error
from linreg_mirror.solvers.error_bars import LimitBar, Rows, bar, hyperbolic, proving_rows, refined
from linreg_mirror.solvers.limit.dual_newton import DualNewton
from linreg_mirror.solvers.limit.graded import graded_limit
from linreg_mirror.solvers.results import Solution, Stats

# Residual, relative to y, that is good enough on the way; and where that has led astray, as in nearly degenerate
# problems at tiny scales.
_COARSE, _FINE = 1e-2, 1e-6
_START = 1e-9  # residual, relative to y, from which Newton's method with residuals of 106 bits takes over
_FREE = 1e-14  # relative error of x that is tried for anyway
_BUDGET = 1000  # Newton steps after which stages are no longer halved; 15 are usual, and 100 rare
_SINGULAR = "no error bar: weights of this limit differ by more than numbers of 106 bits tell apart"
_UNRESOLVED = (
    "conjugate gradients did not resolve the dual of this X: ask for a larger scale, divide rows of X and y by the "
    "norms of the rows, or give X as a dense array"
)


@cites("jacobs2025mask")
@takes_problem("limit(problem, network)", tol="tolerance=", alpha="decay=, the integral of alpha")
@one_thread()
@np.errstate(all="ignore")  # what overflows fails the certificate
def limit(problem: Problem, network: Parametrization, decay: float = 0.0, *, tolerance: float = 1e-12) -> Solution:
    """Return where the flow of a network ends: argmin{R_A(x) - <z_0, x> : Xx = y}, with total penalty A.

    R_A is the potential of the network's mirror, and z_0 its gradient at the start. Of x = m*w it is the hyperbolic
    entropy of scale b exp(-4A): in effect |x|_2^2 at large scales, |x|_1 at small ones. It is minimised by Newton's
    method on the dual, continued from a scale at which it is nearly quadratic down to the one asked for, in log b
    throughout: log b = -1e5 is fine. The scale may differ between entries.

    Parameters
    ----------
    problem : Problem
        X is (n, d). Rank-deficient X is reduced to its range first. If Xx = y has no solution, the limit is taken over
        the minimisers of |Xx - y|, and the status is `inconsistent`; for a loss other than squares that set differs,
        and ValueError is raised.
    network : Parametrization
        With its start, such as ``Hadamard.from_scale(1e-6, d=problem.d)``; it must have a mirror, which
        ``network.mirror()`` returns or says why there is none.
    decay : float
        Accumulated penalty A, the integral of alpha over the whole flow; finite and not negative.
    tolerance : float
        Largest error of x in the L1 norm, relative to |x|_1. Where nothing can be proved (see below), largest |Xx - y|
        relative to |y|.

    Returns
    -------
    Solution
        `dual` + `dual_rest` is s with x = primal(z_0 - X's, A). `error` is a proved bound on |x - x*|_1, x* being the
        limit for the floats X and y; the status is `converged` where it is within the tolerance. Of an operator, a
        large sparse X, dependent rows (but for zeros and multiples by powers of two), and a potential without
        `metric_slope` nothing is proved: there `error` is inf, `stats.notes` says why, and the status is `unproved`
        where the certificate's residuals are within the tolerance.

    Raises
    ------
    NoMirror
        If the network has none.
    TypeError
        If decay is no number, such as those of all times of a run.
    ValueError
        If shapes do not match, decay is negative or infinite, or the potential is one of depth D >= 3 at a scale alpha
        so small that float64 cannot tell duals from their bound: alpha^(D-2) below about 1e-10.

    See Also
    --------
    linreg_mirror.limits : Of many problems of one size at once.
    linreg_mirror.ladder : At many scales.
    linreg_mirror.flow : The way there.

    Notes
    -----
    Of an operator, and of a sparse X with n d > 10^7, the Hessian is known by its products only, which conjugate
    gradients take; where those are slow to converge and n <= 5000, they are preconditioned by the heaviest columns,
    which an operator yields by products with unit vectors. What they do not resolve is `not_certified`, and
    `stats.notes` says what to try.

    Mask in the Mirror (arXiv 2408.09966), Theorem 2.3. `linreg_mirror.minimum_l1` is the limit of scale 0.

    Examples
    --------
    From a large scale to the least L2 norm, from a small one to the least L1 norm:

    >>> import linreg_mirror as lm
    >>> problem = lm.Problem([[1, 2]], [2])
    >>> for log_b in (10, -10_000):
    ...     print(lm.limit(problem, lm.Hadamard.from_scale(log_b=log_b, d=2)).x.round(6).tolist())
    [0.4, 0.8]
    [0.0, 1.0]
    """
    started = clock.perf_counter()
    problem.require_network(network)
    if np.ndim(getattr(decay, "decay", decay)):  # of all times
        raise TypeError(
            f"decay must be a number, the penalty accumulated until the end, got {type(decay).__name__}: write "
            "decay=run.decay[-1]"
        )
    check_number("decay", decay)
    check_number("tolerance", tolerance)
    if not (np.isfinite(decay) and decay >= 0):
        raise ValueError(
            f"decay must be a finite number >= 0, the integral of alpha, got {decay!r}: for infinite decay of x = m*w "
            "ask minimum_l1(problem)"
        )
    if not isinstance(problem.loss, Squared) and problem.inconsistency > 1e-10:
        raise ValueError(
            "Xx = y has no solution, and what the flow then converges to depends on the loss: write "
            "flow(problem, network) instead, or Problem(X, y) for least squares"
        )
    mirror = network.mirror()
    rows = proving_rows(problem)
    if not isinstance(rows, str) and mirror.metric_slope(mirror.initial_dual, decay, 0.0) is None:
        rows = "no error bar: this potential promises nothing about its metric (see Mirror.metric_slope)"
    if isinstance(rows, str):
        return _unproved(problem, mirror, decay, tolerance, started, rows)
    newton = DualNewton.of(rows.computed)
    found = _bar(rows, newton, mirror, decay, tolerance)
    s = rows.unscaled(found.s)
    certificate = certify_limit(problem, mirror, decay, found.x, s.hi, s.lo)
    certificate = with_error(certificate, found.error, found.x, tolerance)
    return Solution(
        x=found.x,
        dual=s.hi,
        log_scale=mirror.log_scale_at(decay),
        status=outcome(certificate, problem, found.x, found.error),
        stats=_stats(newton, started, () if found.error < np.inf else (_SINGULAR,)),
        certificate=certificate,
        unique=True,  # R is strictly convex
        error=found.error,
        entry_errors=found.entries,
        dual_rest=s.lo,
    )


def _bar(rows: Rows, newton: DualNewton, mirror: Mirror, A: float, tolerance: float) -> LimitBar:
    """Return the limit with the best bar that can be had."""
    best = bar(rows, mirror, A, Pair.of(np.zeros(len(rows.y))))
    if best.error == 0:  # y = 0 and nothing else
        return best
    for on_the_way in (_COARSE, _FINE):
        nu = follow(newton, mirror, A, _START, on_the_way)
        # A step more costs little, and more digits than were asked for hurt nobody.
        found = refined(rows, mirror, A, Pair.of(rows.step(-nu)), min(tolerance, _FREE))
        best = found if on_the_way == _COARSE or found.error < best.error else best
        if _reached(best, tolerance):
            return best
        if hyperbolic(mirror) is not None:
            found = graded_limit(rows.sharpened(), mirror, A, min(tolerance, _FREE))
            return found if found.error < best.error else best
    found = refined(rows.sharpened(), mirror, A, best.s, min(tolerance, _FREE), graded=True)
    return found if found.error < best.error else best


def _reached(bar: LimitBar, tolerance: float) -> bool:
    return bar.error <= tolerance * float(np.abs(bar.x).sum())


def _unproved(
    problem: Problem, mirror: Mirror, decay: float, tolerance: float, started: float, reason: str
) -> Solution:
    """Solve without an error bar, up to residuals."""
    reduced, lift = problem.reduced()
    newton = DualNewton.of(reduced)
    for on_the_way in (_COARSE, _FINE):
        nu = follow(newton, mirror, decay, tolerance, on_the_way)
        x = _polished(newton, mirror, decay, nu)
        s = -lift(nu)
        certificate = certify_limit(problem, mirror, decay, x, s)
        if certificate.valid or newton.exhausted:
            break
    notes = (reason,) if certificate.valid or matrices.is_dense(problem.X) else (_UNRESOLVED, reason)
    return Solution(
        x=x,
        dual=s,
        log_scale=mirror.log_scale_at(decay),
        status=outcome(certificate, problem, x),
        stats=_stats(newton, started, notes),
        certificate=certificate,
        unique=True,
    )


def _stats(newton: DualNewton, started: float, notes: tuple[str, ...]) -> Stats:
    return Stats(
        method="Newton on the dual, continued in the scale",
        steps=newton.iterations,
        evaluations=newton.products,
        factorizations=newton.factorizations,
        seconds=clock.perf_counter() - started,
        notes=notes,
        cites=cited(limit),
    )


def follow(newton: DualNewton, mirror: Mirror, A: float, tolerance: float, on_the_way: float = _COARSE) -> Array:
    """Continue Newton's method through the mirror's continuation down to the accumulated penalty A; return nu."""
    *_, last = continuation_path(newton, mirror, A, tolerance, on_the_way)
    return last.nu


class Stage(NamedTuple):
    """A potential on the way, the dual nu that solves it, X'nu, and the residual that was left."""

    potential: Potential
    nu: Array
    pull: Array
    residual: float


def continuation_path(
    newton: DualNewton, mirror: Mirror, A: float, tolerance: float, on_the_way: float = _COARSE
) -> Iterator[Stage]:
    """Yield a `Stage` for each potential of the mirror's continuation, solved one from the other."""
    X, y = newton.X, newton.y
    start = mirror.primal(mirror.initial_dual, A)
    # Not relative to the start, which may be astronomically large, as some are that finite steps leave behind.
    scale = float(np.abs(y).max() or np.abs(X @ start).max() or np.finfo(float).tiny)
    nu, move = newton.minimum_norm(y - X @ start)
    size = max(float(np.abs(move).max()), 1e-8 * scale, np.finfo(float).tiny)
    stage: Stage | None = None
    for potential in mirror.continuation(A, size):
        required = (tolerance if potential.last else on_the_way) * scale
        if stage is None:
            nu = nu / mirror.metric(potential.z0, potential.A).max()
            if not newton.objective(mirror, potential, nu) < newton.objective(mirror, potential, 0 * nu):
                nu = 0 * nu  # a potential that is far from quadratic: the start itself is the better guess
            stage = Stage(potential, *newton.solve(mirror, potential.z0, potential.A, nu, required))
        else:
            stage = _advance(newton, mirror, stage, potential, required, on_the_way * scale)
        yield stage


def _advance(
    newton: DualNewton,
    mirror: Mirror,
    stage: Stage,
    potential: Potential,
    required: float,
    coarse: float,
    halvings: int = 4,
) -> Stage:
    """Solve the next potential from the one before; where that fails, go there in two steps."""
    before = stage.potential
    guess, pull = (potential.growth - 1) * stage.nu, (potential.growth - 1) * stage.pull
    moved = potential.z0 - before.z0, potential.A - before.A
    step = newton.predict(mirror, before.z0 + stage.pull, before.A, *moved, pull)
    z = potential.z0 + stage.pull + pull
    length = newton.length(mirror, z, mirror.primal(z, potential.A), potential.A, step)
    nu = stage.nu + guess + length * step
    reached = Stage(potential, *newton.solve(mirror, potential.z0, potential.A, nu, required))
    if (
        reached.residual <= max(required, 1e-6 * coarse)
        or halvings == 0
        or newton.iterations > _BUDGET
        or newton.exhausted
    ):
        return reached
    middle = Potential(
        0.5 * (before.z0 + potential.z0), 0.5 * (before.A + potential.A), potential.growth**0.5, last=False
    )
    stage = _advance(newton, mirror, stage, middle, coarse, coarse, halvings - 1)
    rest = potential._replace(growth=middle.growth)
    return _advance(newton, mirror, stage, rest, required, coarse, halvings - 1)


def _polished(newton: DualNewton, mirror: Mirror, A: float, nu: Array) -> Array:
    """Take the last Newton step in x: rounding in exponents of size log(1/b) leaves Xx = y less exact than x can be."""
    z = mirror.initial_dual + newton.X.T @ nu
    x, metric = mirror.primal(z, A), mirror.metric(z, A)
    for _ in range(2):
        x = x + metric * (newton.X.T @ newton.inverse(metric)(newton.y - newton.X @ x))
    return x
