"""Stepping an ODE to where its flow is over, piece by piece of the penalty's schedule."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import scipy

from linreg_mirror._types import Array
from linreg_mirror.schedules import Schedule
from linreg_mirror.solvers.results import Status


class Integrator(NamedTuple):
    """One of SciPy's integrators, by name, loaded when first needed; and what it cites besides SciPy."""

    name: str
    cites: tuple[str, ...] = ()


INTEGRATORS: Mapping[str, Integrator] = {
    "LSODA": Integrator("LSODA", ("petzold1983automatic",)),
    **{name: Integrator(name) for name in ("BDF", "Radau", "DOP853", "RK45", "RK23")},
}
_MAX_POINTS = 4096


@dataclass(frozen=True)
class System:
    """One ODE: its field, its Jacobian where there is one, and what to make of its state."""

    start: Array
    field: Callable[[float, Array], Array]
    jacobian: Callable[[float, Array], Array] | None
    violation: Callable[[float, Array], float]
    unpack: Callable[[Array, Array], tuple[Array, Array, Array | None]]
    rtol: float
    atol: float | Array
    exponent_size: float


def penalty_to_come(schedule: Schedule, t: float) -> float:
    """Return the integral of alpha from t on, of what is not constant for ever: it still moves the end point."""
    if schedule.integrable:
        return float(schedule.integral(t, np.inf))
    # A constant tail is part of the objective at the end; it begins after the last jump.
    return 0.0 if t >= max(schedule.breakpoints, default=0.0) else np.inf


def integrate(
    system: System,
    schedule: Schedule,
    until: float | None,
    tolerance: float,
    max_steps: int,
    history: "History",
    integrators: Sequence[str],
) -> tuple[Status, dict[str, Any]]:
    """Step through the smooth pieces of the schedule; on each, one integrator after another until one gets through."""
    stats: dict[str, Any] = {
        "method": integrators[0], "steps": 0, "evaluations": 0, "factorizations": 0, "notes": [], "cites": (),
    }  # fmt: skip
    jumps = [at for at in schedule.breakpoints if at > 0 and (until is None or at < until)]
    t, state = 0.0, system.start
    if until is None and not jumps and system.violation(t, state) <= tolerance >= penalty_to_come(schedule, t):
        return Status.converged, stats  # nothing to do: y = 0, for one
    for end in [*jumps, np.inf if until is None else until]:
        for integrator in integrators:
            stats["cites"] = tuple(dict.fromkeys((*stats["cites"], *INTEGRATORS[integrator].cites)))
            options: dict[str, Any] = {"rtol": system.rtol, "atol": system.atol}
            if system.jacobian is not None and integrator in ("LSODA", "BDF", "Radau"):
                options["jac"] = system.jacobian
            try:
                field = _left_of(system.field, end)
                solver = getattr(scipy.integrate, INTEGRATORS[integrator].name)(field, t, state, end, **options)
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
    solver: Any, system: System, schedule: Schedule, until: float | None, tolerance: float, max_steps: int,
    history: "History", stats: dict[str, Any],
) -> Status | str | None:  # fmt: skip
    """Step to the end of one piece: a status ends the flow, a string is the integrator's complaint, None goes on."""
    rest = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # integrators warn about trial steps that they then reject
        while solver.status == "running":
            if stats["steps"] >= max_steps:
                return Status.horizon_reached
            complaint = solver.step()
            if solver.status == "failed" or not np.isfinite(solver.y).all():
                return complaint or "the state is not finite"
            stats["steps"] += 1
            history.add(solver.t, solver.y)
            if until is None and rest == 0:
                left = system.violation(solver.t, solver.y) / tolerance
                if left <= 1 and penalty_to_come(schedule, solver.t) <= tolerance:
                    return Status.converged
                # Asking costs about as much as a step; four orders away the answer is known for a few of them.
                rest = 3 if left > 1e4 else 0
            else:
                rest -= 1
    return None


class History:
    """Times and states, thinned by doubling the stride once there are too many; the last one is never lost."""

    def __init__(self, start: Array) -> None:
        self._points: list[tuple[float, Array]] = [(0.0, start.copy())]
        self._last = self._points[0]
        self._stride, self._count = 1, 0

    def add(self, t: float, state: Array) -> None:
        """Record a step."""
        self._last = (float(t), state.copy())
        self._count += 1
        if self._count % self._stride == 0:
            self._points.append(self._last)
        if len(self._points) > _MAX_POINTS:
            self._points, self._stride = self._points[::2], 2 * self._stride

    def last(self) -> tuple[float, Array]:
        """Return the time and state of the last step."""
        return self._last

    def arrays(self) -> tuple[Array, Array]:
        """Return times, shape (T,), and states, shape (T, p)."""
        points = self._points if self._points[-1][0] == self._last[0] else [*self._points, self._last]
        return np.array([t for t, _ in points]), np.stack([state for _, state in points])
