"""Continuous time: the mirror flow as an ODE in n dimensions, and the gradient flow of the parameters."""

import time as clock
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import scipy.integrate

from linreg_mirror._blas import one_thread
from linreg_mirror.losses import Array
from linreg_mirror.parametrizations import Hadamard, Parametrization
from linreg_mirror.problem import Problem
from linreg_mirror.schedules import Schedule, as_schedule, require_clock
from linreg_mirror.stationarity import stationarity
from linreg_mirror.trajectory import Certificate, Check, Stats, Status, Trajectory

_EPS = float(np.finfo(float).eps)
_SMALLEST_RTOL = 100 * _EPS  # SciPy's integrators accept no less
_MAX_POINTS = 4096
_INTEGRATORS = ("LSODA", "BDF", "Radau", "DOP853", "RK45", "RK23")


def flow(
    problem: Problem,
    network: Parametrization,
    schedule: Schedule | float | None = None,
    *,
    until: float | None = None,
    method: Literal["dual", "parameters"] = "dual",
    tolerance: float = 1e-9,
    accuracy: float = 1e-10,
    max_steps: int = 200_000,
    integrators: Sequence[str] = ("LSODA", "BDF", "Radau"),
) -> Trajectory:
    r"""Follow theta' = -grad[f(x(theta)) + alpha_t h(theta)] until it is over.

    The default does not touch the parameters: with L_t = X's_t and s' = kappa(A) l'(Xx - y), x = primal(z_0 - X's, A),
    the whole flow is an ODE for s in R^n with the analytic Jacobian -kappa H_l X diag(metric) X'. Scales are handled
    as logarithms, so that b = exp(-1e5) costs about what b = 1e-8 does.

    Parameters
    ----------
    problem : Problem
        X is (n, d).
    network : Parametrization
        How x depends on parameters, and where they start; d must match.
    schedule : Schedule or float, optional
        The penalty alpha_t on clock "time". Default: none.
    until : float, optional
        Stop at this time. Default: go on until the flow is over, that is until x is stationary for the penalty that
        remains at the end *and* the penalty still to come is below `tolerance`. A schedule that neither is constant in
        the end nor has a finite integral never is over and needs `until`.
    method : {"dual", "parameters"}
        "dual" integrates s; it needs a mirror. "parameters" integrates the parameters themselves, without using
        that there is a mirror: slower, impossible at tiny scales, and the only evidence for claims about mirrors.
    tolerance : float
        Relative stationarity at which a flow counts as over; relative to the largest entry of grad f(0). Near
        log b = -1e5 the exponents of x carry no more than about 1e-11; it is then raised to 4 eps log(1/b).
    accuracy : float
        Local error per step of the exponents of x ("dual"), or relative to the parameters ("parameters").
    max_steps : int
        Step budget; when it is spent the status is `horizon_reached`.
    integrators : sequence of str
        Names of SciPy's integrators, each taking over where the one before gave up. Explicit ones ("DOP853", "RK45")
        keep exact symmetries such as |m| = |w|, which implicit ones with approximate Jacobians break.

    Returns
    -------
    Trajectory
        With `dual` = s_t, `decay` = A_t, and the stationarity at the end as certificate. Long histories are thinned to
        at most 4096 points by doubling the stride; the last point is always kept.

    Raises
    ------
    NoMirror
        If method="dual" and the network has none.
    ValueError
        If shapes do not match, the schedule's clock is not "time", or it needs `until`.

    Notes
    -----
    Mask in the Mirror (arXiv 2408.09966), Theorem 2.1; the reduction to n dimensions is the gradient flow of the
    convex dual of the Bregman projection that `limit` solves.
    """
    started = clock.perf_counter()
    schedule = as_schedule(schedule)
    require_clock(schedule, "time")
    if network.d != problem.d:
        raise ValueError(
            f"the network has {network.d} effective weights, the problem {problem.d} features: build the network with "
            "d=problem.d"
        )
    for name, value in (("tolerance", tolerance), ("accuracy", accuracy)):
        if not (np.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be a positive number, got {value!r}: write {name}=1e-9")
    if not integrators or not set(integrators) <= set(_INTEGRATORS):
        raise ValueError(
            f"integrators must be one or more of {', '.join(_INTEGRATORS)}, got {tuple(integrators)}: leave it out"
        )
    if until is not None and not (np.isfinite(until) and until > 0):
        raise ValueError(f"until must be a positive finite time, got {until!r}: leave it out to run until convergence")
    if until is None and not schedule.integrable and schedule.limit == 0:
        raise ValueError(
            f"{schedule!r} has an infinite integral and no constant tail: its flow is never over; write "
            "flow(..., until=T), or use Quadratic or Geometric"
        )
    if method == "dual":
        system = _dual_system(problem, network, schedule, accuracy)
    elif method == "parameters":
        system = _parameter_system(problem, network, schedule, accuracy)
    else:
        raise ValueError(f'method must be "dual" or "parameters", got {method!r}')
    floor = 4 * _EPS * system.exponent_size
    history = _History(system.start)
    with one_thread():
        status, stats = _integrate(system, schedule, until, max(tolerance, floor), max_steps, history, integrators)
    t, states = history.arrays()
    decay = schedule.integral(0.0, t)
    x, dual, parameters = system.unpack(states, decay)
    violation = system.violation(t[-1], states[-1])
    if status is Status.converged and problem.inconsistency > 1e-8:
        status = Status.inconsistent
    return Trajectory(
        t=t,
        x=x,
        decay=decay,
        dual=dual,
        source=method,
        status=status,
        stats=Stats(
            method=f"{method}: {stats['method']}",
            steps=stats["steps"],
            evaluations=stats["evaluations"],
            factorizations=stats["factorizations"],
            seconds=clock.perf_counter() - started,
            notes=tuple(stats["notes"]),
        ),
        certificate=Certificate(
            (
                Check("relative stationarity", violation, max(tolerance, floor)),
                Check("penalty to come", _penalty_to_come(schedule, t[-1]), tolerance),
            )
        ),
        parameters=parameters,
    )


@dataclass(frozen=True)
class _System:
    """One ODE: its field, its Jacobian where there is one, and what to make of its state."""

    start: Array
    field: Callable[[float, Array], Array]
    jacobian: Callable[[float, Array], Array] | None
    violation: Callable[[float, Array], float]
    unpack: Callable[[Array, Array], tuple[Array, Array, Array | None]]
    rtol: float
    atol: float | Array
    exponent_size: float


def _dual_system(problem: Problem, network: Parametrization, schedule: Schedule, accuracy: float) -> _System:
    mirror = network.mirror()
    X, Xt, y, loss, z0 = problem.X, problem.X.T, problem.y, problem.loss, mirror.initial_dual
    basis = problem.range_basis if problem.inconsistency else None
    penalised = not (schedule.integrable and schedule.integral(0.0, np.inf) == 0)

    def decay(t: float) -> float:
        return float(schedule.integral(0.0, t)) if penalised else 0.0

    def in_range(r: Array) -> Array:
        # Outside the range of X, s has no effect on x but would grow for ever and drown the rest in rounding.
        return r if basis is None else basis @ (basis.T @ r)

    def field(t: float, s: Array) -> Array:
        A = decay(t)
        return mirror.dual_rate(A) * in_range(loss.gradient(X @ mirror.primal(z0 - Xt @ s, A) - y))

    def jacobian(t: float, s: Array) -> Array:
        A = decay(t)
        z = z0 - Xt @ s
        r = X @ mirror.primal(z, A) - y
        return -mirror.dual_rate(A) * in_range(loss.hessian_product(r, (X * mirror.metric(z, A)) @ Xt))

    def violation(t: float, s: Array) -> float:
        x = mirror.primal(z0 - Xt @ s, decay(t))
        return stationarity(problem, network, x, schedule.limit)

    def unpack(states: Array, decays: Array) -> tuple[Array, Array, None]:
        return mirror.primal(z0 - states @ X, decays[:, None]), states, None

    log_b = getattr(mirror, "log_scale", np.zeros(1))
    exponent_size = max(1.0, float(np.abs(log_b).max()))
    # The exponents are 2 X's, |s| up to log(1/b): an absolute error of `accuracy` there is a relative one in x.
    column = max(1.0, float(np.sqrt((X**2).sum(axis=0)).max()))
    return _System(
        np.zeros(problem.n), field, jacobian, violation, unpack,
        rtol=max(accuracy / exponent_size, _SMALLEST_RTOL), atol=accuracy / column, exponent_size=exponent_size,
    )  # fmt: skip


def _parameter_system(problem: Problem, network: Parametrization, schedule: Schedule, accuracy: float) -> _System:
    theta0 = network.theta0
    p = theta0.size
    if isinstance(network, Hadamard) and not (theta0[: network.d] > 0).all():
        raise ValueError(
            f"the parameters at log b = {network.log_scale.min():.4g} are zero in float64: write "
            "flow(..., method='dual')"
        )

    def field(t: float, state: Array) -> Array:
        theta = state[:p]
        slope = problem.loss.gradient(problem.residual(network.effective(theta)))
        force = network.pullback(theta, problem.X.T @ slope) + schedule(t) * network.penalty_gradient(theta)
        return np.concatenate([-force, slope])

    def violation(_: float, state: Array) -> float:
        return stationarity(problem, network, network.effective(state[:p]), schedule.limit, theta=state[:p])

    def unpack(states: Array, _: Array) -> tuple[Array, Array, Array]:
        return np.stack([network.effective(state[:p]) for state in states]), states[:, p:], states[:, :p]

    typical = float(np.abs(theta0).max())
    return _System(
        np.concatenate([theta0, np.zeros(problem.n)]), field, None, violation, unpack,
        rtol=max(accuracy, _SMALLEST_RTOL), atol=accuracy * min(typical, 1.0) * 1e-2, exponent_size=1.0,
    )  # fmt: skip


def _penalty_to_come(schedule: Schedule, t: float) -> float:
    """Return the integral of alpha - alpha_inf from t on: what still moves the end point."""
    if schedule.integrable:
        return float(schedule.integral(t, np.inf))
    # A constant tail is part of the objective at the end; it begins after the last jump.
    return 0.0 if t >= max(schedule.breakpoints, default=0.0) else np.inf


def _integrate(
    system: _System,
    schedule: Schedule,
    until: float | None,
    tolerance: float,
    max_steps: int,
    history: "_History",
    integrators: Sequence[str],
) -> tuple[Status, dict[str, Any]]:
    """Step through the smooth pieces of the schedule; on each, one integrator after another until one gets through."""
    stats: dict[str, Any] = {"method": integrators[0], "steps": 0, "evaluations": 0, "factorizations": 0, "notes": []}
    jumps = [at for at in schedule.breakpoints if at > 0 and (until is None or at < until)]
    t, state = 0.0, system.start
    if until is None and not jumps and _over(system, schedule, t, state, tolerance):
        return Status.converged, stats
    for end in [*jumps, np.inf if until is None else until]:
        for integrator in integrators:
            options: dict[str, Any] = {"rtol": system.rtol, "atol": system.atol}
            if system.jacobian is not None and integrator in ("LSODA", "BDF", "Radau"):
                options["jac"] = system.jacobian
            try:
                solver = getattr(scipy.integrate, integrator)(_left_of(system.field, end), t, state, end, **options)
                outcome = _run(solver, system, schedule, until, tolerance, max_steps, history, stats)
            except (FloatingPointError, np.linalg.LinAlgError, ValueError) as error:
                outcome, solver = f"{type(error).__name__}: {error}", None
            if solver is not None:
                t, state = float(solver.t), cast(Array, solver.y)
                stats["evaluations"] += int(solver.nfev)
                stats["factorizations"] += int(solver.njev)
            if not isinstance(outcome, str):
                break
            stats["notes"].append(f"{integrator} gave up at t = {t:.6g}: {outcome}")
            t, state = history.last()
            stats["method"] = ", then ".join(integrators)
        else:
            return Status.integrator_failed, stats
        if outcome is not None:
            return outcome, stats
    return Status.until_reached, stats


def _left_of(field: Callable[[float, Array], Array], end: float) -> Callable[[float, Array], Array]:
    """Evaluate the field just before a jump of the schedule, never on its far side."""
    last = np.nextafter(end, 0.0)
    return lambda t, state: field(min(t, last), state)


def _run(
    solver: Any, system: _System, schedule: Schedule, until: float | None, tolerance: float, max_steps: int,
    history: "_History", stats: dict[str, Any],
) -> Status | str | None:  # fmt: skip
    """Step to the end of one piece: a status ends the flow, a string is the integrator's complaint, None goes on."""
    while solver.status == "running":
        if stats["steps"] >= max_steps:
            return Status.horizon_reached
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # integrators warn about trial steps that they then reject
            complaint = solver.step()
        if solver.status == "failed" or not np.isfinite(solver.y).all():
            return complaint or "the state is not finite"
        stats["steps"] += 1
        history.add(solver.t, solver.y)
        if until is None and _over(system, schedule, solver.t, solver.y, tolerance):
            return Status.converged
    return None


def _over(system: _System, schedule: Schedule, t: float, state: Array, tolerance: float) -> bool:
    return _penalty_to_come(schedule, t) <= tolerance and system.violation(t, state) <= tolerance


class _History:
    """Times and states, thinned by doubling the stride once there are too many; the last one is never lost."""

    def __init__(self, start: Array) -> None:
        self._points: list[tuple[float, Array]] = [(0.0, start.copy())]
        self._last = self._points[0]
        self._stride, self._count = 1, 0

    def add(self, t: float, state: Array) -> None:
        self._last = (float(t), state.copy())
        self._count += 1
        if self._count % self._stride == 0:
            self._points.append(self._last)
        if len(self._points) > _MAX_POINTS:
            self._points, self._stride = self._points[::2], 2 * self._stride

    def last(self) -> tuple[float, Array]:
        return self._last

    def arrays(self) -> tuple[Array, Array]:
        points = self._points if self._points[-1][0] == self._last[0] else [*self._points, self._last]
        return np.array([t for t, _ in points]), np.stack([state for _, state in points])
