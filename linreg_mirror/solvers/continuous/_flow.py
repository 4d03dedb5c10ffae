"""Continuous time: the mirror flow as an ODE in n dimensions, and the gradient flow of the parameters."""

import time as clock
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from linreg_mirror._tools import matrices
from linreg_mirror._tools.arguments import check_positive, check_until, real_array
from linreg_mirror._tools.blas import one_thread
from linreg_mirror._tools.cites import cited, cites
from linreg_mirror._tools.double_double import Pair
from linreg_mirror._types import Array
from linreg_mirror.parametrizations import Parametrization
from linreg_mirror.problems import Problem
from linreg_mirror.problems.calls import takes_problem
from linreg_mirror.problems.problem import require_problem
from linreg_mirror.schedules import Schedule, as_schedule, require_clock
from linreg_mirror.solvers.continuous.destination import destination
from linreg_mirror.solvers.continuous.ending import Ending, penalty_to_come
from linreg_mirror.solvers.continuous.integration import (
    COMPILED,
    INTEGRATORS,
    History,
    Jobs,
    System,
    alone,
    integrate,
)
from linreg_mirror.solvers.continuous.path_error import error_of_point
from linreg_mirror.solvers.continuous.resting import error_at_rest
from linreg_mirror.solvers.continuous.systems import decay_of, dual_system, parameter_system
from linreg_mirror.solvers.error_bars import dual_point
from linreg_mirror.solvers.results import Certificate, Check, Stats, Status, Trajectory

_EPS = float(np.finfo(float).eps)
_SCIPY = ("LSODA", "BDF", "Radau")
_SMALL = 3e7  # n^2 d, up to which a matrix X diag(.) X' costs about as much as what SciPy's do instead
_STATIONARY = 0.1  # relative stationarity for a tolerance of x, where the limit is not known
_ACCURACY = 1e-8


@cites("jacobs2025mask")
@takes_problem("flow(problem, network)", T="until=", t_max="until=", tol="tolerance=", lr="descent(..., step_size=)")
@np.errstate(all="ignore")  # what overflows fails the certificate
def flow(
    problem: Problem,
    network: Parametrization,
    schedule: Schedule | float | None = None,
    *,
    until: float | None = None,
    at: ArrayLike = (),
    method: Literal["dual", "parameters"] = "dual",
    tolerance: float = 1e-8,
    accuracy: float | None = None,
    max_steps: int = 200_000,
    integrators: Sequence[str] | None = None,
) -> Trajectory:
    r"""Follow the gradient flow theta' = -grad[f(x(theta)) + alpha_t h(theta)] until it is over.

    f(x) = l(Xx - y) is the problem's loss, h the network's penalty, |m|^2 + |w|^2 of x = m*w. The default does not
    touch the parameters: with x = primal(z_0 - X's, A) the whole flow is the ODE s' = kappa(A) l'(Xx - y) in R^n, kappa
    being the mirror's `dual_rate`, 1 of x = m*w, with the analytic Jacobian -kappa H_l X diag(metric) X'. Scales are
    handled as logarithms, so that b = exp(-1e5) costs about what b = 1e-8 does.

    Parameters
    ----------
    problem : Problem
        X is (n, d). An operator, and a sparse X with more than 5000 rows, needs method="parameters".
    network : Parametrization
        How x depends on parameters, and where they start; d must match.
    schedule : Schedule or float, optional
        The penalty alpha_t on clock "time". Default: none.
    until : float, optional
        Stop at this time. Default: go on until the flow is over, that is until x is within `tolerance` of its limit
        *and* so is the penalty still to come of zero. A schedule that neither is constant in the end nor has a finite
        integral never is over and needs `until`.
    at : array-like, shape (k,)
        Times that `t` has to have among others, such as those of saddles; a flow without `until` is not over before the
        last of them. Default: none.
    method : {"dual", "parameters"}
        "dual" integrates s; it needs a mirror. "parameters" integrates the parameters themselves, without using
        that there is a mirror: slower, impossible at tiny scales, and the only evidence for claims about mirrors.
    tolerance : float
        Distance of x from its limit at which a flow counts as over, in the L1 norm, relative to |x|_1 (to the start,
        where y = 0). Where no limit can be proved (see Returns) the flow is over where x is stationary, grad f below a
        tenth of the tolerance (of 40 eps log(1/b), if that is more) relative to its largest entry at x = 0.
    accuracy : float, optional
        Local error per step of the exponents of x ("dual"), or relative to the parameters ("parameters"). The error
        of a whole path of exponents was measured to be about as large, at b = 0.1 to 1e-8; LSODA's 1 to 40 times.
        Default: 1e-8; for parameters on the way to a limit no more than a hundredth of the tolerance, for there errors
        of the path stay in its end.
    max_steps : int
        Step budget; when it is spent the status is `horizon_reached`.
    integrators : sequence of str, optional
        Each takes over where the one before gave up. "Rodas5P" is compiled, and controls the defect of the whole path;
        it knows x = m*w with squared loss, a dense X and this package's schedules, and is left out elsewhere. The
        others are SciPy's; explicit ones ("DOP853", "RK45") keep exact symmetries such as |m| = |w|, which implicit
        ones with approximate Jacobians break. Default: "Rodas5P", "LSODA", "BDF", "Radau", or "Rodas5P" last where
        n^2 d > 3e7, for it makes an n x n matrix of X in every step.

    Returns
    -------
    Trajectory
        With `dual` = s_t and `decay` = A_t. `error` bounds the error of the last x as a point of the exact path, where
        Rodas5P has integrated; `to_limit` is a proved bound of its distance to the limit. The status is `converged`
        where that is within the tolerance, and `not_certified` where rounding, or errors of steps before, keep the flow
        from there: `limit_digits` is what it got to. No limit is proved with a penalty that stays (the flow then ends
        at a LASSO), of networks without a mirror, and of problems that `limit` proves nothing of: there `to_limit` is
        inf, `stats.notes` says why, and the status is `unproved` where x is stationary. Long histories are thinned to
        at most 4096 points by doubling the stride; the last point is always kept.

    Raises
    ------
    NoMirror
        If method="dual" and the network has none.
    ValueError
        If shapes do not match, the schedule's clock is not "time", or it needs `until`; for networks of depth D >= 3
        also if alpha^(D-2) is below about 1e-8 (write method="parameters"), or if method="dual" and the penalty stays.

    See Also
    --------
    linreg_mirror.flows : Many flows at once.
    linreg_mirror.limit : Their end, without the way.
    linreg_mirror.descent : Finite steps.

    Notes
    -----
    Mask in the Mirror (arXiv 2408.09966), Theorem 2.1; the reduction to n dimensions is the gradient flow of the
    convex dual of the Bregman projection that `limit` solves.

    The limit is proved by Newton's method from s_t, once Xx is as close to y as a flow's that is over must be; x stays
    the flow's own. Flows of the dual never move apart, so that integrals of a numerical path's defect bound its error.
    These are quadratures, with an estimate of what they miss: no proof, but above the true error in every test. A flow
    that comes to rest forgets errors of its steps, and so does the bound.

    Examples
    --------
    The flow of x = m*w from b = 1/2 ends where theory says that it does:

    >>> import linreg_mirror as lm
    >>> problem = lm.Problem([[1, 2]], [2])
    >>> network = lm.Hadamard.at(x0=0.0, beta=1.0, d=2)
    >>> run = lm.flow(problem, network)
    >>> bool(abs(run.x[-1] - lm.limit(problem, network).x).sum() < 1e-8)
    True
    >>> run.status.name, run.to_limit < 1e-8, run.error < 1e-5
    ('converged', True, True)
    """
    run = begin(problem, network, schedule, until, at, method, tolerance, accuracy, max_steps, integrators)
    with one_thread():
        return run.finish(*alone(run.jobs))


@dataclass(frozen=True)
class Run:
    """A flow that has begun: the work that is left, and what to make of it."""

    problem: Problem
    network: Parametrization
    schedule: Schedule
    system: System
    method: Literal["dual", "parameters"]
    until: float | None
    ending: Ending
    history: History
    jobs: Jobs
    started: float

    def finish(self, status: Status, stats: dict[str, Any]) -> Trajectory:
        """Return the path, of what `jobs` have returned."""
        t, states, errors = self.history.arrays()
        decay = self.schedule.integral(0.0, t)
        x, dual, parameters = self.system.unpack(states, decay)
        error, no_error = self._error(t, x[-1], dual, decay, errors)
        to_limit, no_limit = self._to_limit(x[-1], dual[-1])
        certificate = self._certificate(float(t[-1]), states[-1], x[-1], to_limit)
        if self.until is None and certificate.valid:
            status = Status.converged
            if not to_limit < np.inf:
                status = Status.inconsistent if self.problem.inconsistency > 1e-8 else Status.unproved
        return Trajectory(
            t=t,
            x=x,
            decay=decay,
            dual=dual,
            source=self.method,
            status=status,
            stats=Stats(
                method=f"{self.method}: {stats['method']}",
                steps=stats["steps"],
                evaluations=stats["evaluations"],
                factorizations=stats["factorizations"],
                seconds=clock.perf_counter() - self.started,
                notes=(*stats["notes"], *no_error, *no_limit),
                cites=(*cited(flow), *stats["cites"]),
            ),
            certificate=certificate,
            error=error,
            to_limit=to_limit,
            parameters=parameters,
        )

    def _error(self, t: Array, x: Array, dual: Array, decay: Array, errors: Array) -> tuple[float, tuple[str, ...]]:
        """Return the bound of the path's error at its end, or inf and why."""
        if self.system.compiled is None or not np.isfinite(errors[-1]):
            return np.inf, (f"no bound of error: only {COMPILED} bounds the errors of its steps",)
        X, y, mirror, A = self.problem.X, self.problem.y, self.network.mirror(), float(decay[-1])
        last = decay == A  # from there on no penalty moves what a flow comes to rest at
        point = dual_point(mirror, A, X, matrices.lengths(X), Pair.of(dual[-1]))
        resting = error_at_rest(X, y, mirror, A, t[last], dual[last], errors[last], point)
        bound = error_of_point(X, mirror, A, x, dual[-1], min(float(errors[-1]), resting), point)
        return bound, () if bound < np.inf else ("no bound of error: that of the dual is too large",)

    def _to_limit(self, x: Array, s: Array) -> tuple[float, tuple[str, ...]]:
        """Return the bound of the distance to the limit, or inf and why."""
        known = self.ending.destination
        if isinstance(known, str):
            return np.inf, (known,)
        if not known.error < np.inf:
            known.improve(s, 0.0, search=self.until is None)
        distance = known.distance(x)
        return distance, () if distance < np.inf else ("no bound of to_limit: it is too far away",)

    def _certificate(self, t: float, state: Array, x: Array, to_limit: float) -> Certificate:
        ending = self.ending
        if isinstance(ending.destination, str):
            checks = [Check("relative stationarity", self.system.violation(t, state), ending.stationary)]
        else:
            least = ending.relative(ending.destination.least_distance(x), x)
            checks = [
                Check("distance to the limit", ending.relative(to_limit, x), ending.tolerance),
                Check("residual as an error of x", least, ending.tolerance),
            ]
        return Certificate((*checks, Check("penalty to come", penalty_to_come(self.schedule, t), ending.penalty)))


def begin(
    problem: Problem, network: Parametrization, schedule: Schedule | float | None, until: float | None,
    at: ArrayLike, method: Literal["dual", "parameters"], tolerance: float, accuracy: float | None, max_steps: int,
    integrators: Sequence[str] | None,
) -> Run:  # fmt: skip
    """Check what `flow` is given, and set out."""
    started = clock.perf_counter()
    schedule = as_schedule(schedule)
    require_clock(schedule, "time")
    require_problem(problem, "flow(Problem(X, y), network)")
    problem.require_network(network)
    check_positive("tolerance", tolerance, "write tolerance=1e-8")
    if accuracy is not None:
        check_positive("accuracy", accuracy, "write accuracy=1e-8")
    check_until(until)
    wanted = _times(at, until)
    if until is None and not schedule.integrable and schedule.limit == 0:
        raise ValueError(
            f"{schedule!r} has an infinite integral and no constant tail: its flow is never over; write "
            "flow(..., until=T), or use Quadratic or Geometric"
        )
    goal = destination(problem, network, schedule)
    if method == "dual":
        system = dual_system(problem, network, schedule, accuracy or _ACCURACY, tolerance)
    elif method == "parameters":
        if accuracy is None:
            # Errors on the way are errors of the end: x is no function of a dual vector here.
            to_limit = until is None and not isinstance(goal, str)
            accuracy = min(_ACCURACY, 1e-2 * tolerance) if to_limit else _ACCURACY
        system = parameter_system(problem, network, schedule, accuracy)
    else:
        raise ValueError(f'method must be "dual" or "parameters", got {method!r}')
    names = _integrators(problem, system, integrators)
    history, decay = History(system.start, wanted), decay_of(schedule)

    def point(t: float, state: Array) -> tuple[Array, Array]:
        x, s, _ = system.unpack(state[None], np.array([decay(t)]))
        return x[0], s[0]

    ending = Ending(
        schedule, system.violation, point, tolerance,
        stationary=max(_STATIONARY * tolerance, 4 * _EPS * system.exponent_size),
        destination=goal,
        least=0.0 if problem.y.any() else float(np.abs(point(0.0, system.start)[0]).sum()),
    )  # fmt: skip
    jobs = integrate(system, schedule, until, ending, max_steps, history, names)
    return Run(problem, network, schedule, system, method, until, ending, history, jobs, started)


def _times(at: ArrayLike, until: float | None) -> list[float]:
    """Return the times that are asked for, in order."""
    times = np.unique(real_array("at", at))
    latest = np.inf if until is None else until
    if not ((times >= 0) & (times <= latest) & np.isfinite(times)).all():
        limit = "finite" if until is None else f"at most until={until:g}"
        raise ValueError(f"at must hold times, at least 0 and {limit}, got {at!r}: write at=[0.5, 1.0]")
    return times.tolist()


def _integrators(problem: Problem, system: System, names: Sequence[str] | None) -> Sequence[str]:
    """Return those that can integrate this system, in the order in which they are tried."""
    if names is None:
        small = problem.n**2 * problem.d <= _SMALL
        names = (COMPILED, *_SCIPY) if small else (*_SCIPY, COMPILED)
    elif not names or not set(names) <= set(INTEGRATORS):
        raise ValueError(
            f"integrators must be one or more of {', '.join(INTEGRATORS)}, got {tuple(names)}: leave it out"
        )
    known = tuple(name for name in names if name != COMPILED or system.compiled is not None)
    if not known:
        raise ValueError(
            f"{COMPILED} integrates the dual flow of x = m*w with squared loss, a dense X and a schedule of this "
            "package's alone: leave integrators= out"
        )
    return known
