"""Stepping an ODE to where its flow is over, piece by piece of the penalty's schedule."""

import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import scipy

from linreg_mirror._types import Array
from linreg_mirror.schedules import Schedule
from linreg_mirror.solvers.continuous.compiled import CompiledFlow, Job
from linreg_mirror.solvers.continuous.ending import Ending
from linreg_mirror.solvers.results import Status


class Integrator(NamedTuple):
    """Our compiled one, or one of SciPy's by name, loaded when first needed; and what it cites."""

    name: str
    cites: tuple[str, ...] = ()


COMPILED = "Rodas5P"
INTEGRATORS: Mapping[str, Integrator] = {
    COMPILED: Integrator(COMPILED, ("steinebach2023rodas5p",)),
    "LSODA": Integrator("LSODA", ("virtanen2020scipy", "petzold1983automatic")),
    **{name: Integrator(name, ("virtanen2020scipy",)) for name in ("BDF", "Radau", "DOP853", "RK45", "RK23")},
}
Jobs = Generator[Job, tuple[int, int], Any]  # yields work for compiled code, takes its answers, and returns something
_MAX_POINTS = 4096
_STEPS, _STEPS_TO_ASK = 256, 8  # of compiled code at a time: as many, or until the next question whether it is over


@dataclass(frozen=True)
class System:
    """One ODE: its field, its Jacobian and compiled code where there are any, and what to make of its state."""

    start: Array
    field: Callable[[float, Array], Array]
    jacobian: Callable[[float, Array], Array] | None
    violation: Callable[[float, Array], float]
    unpack: Callable[[Array, Array], tuple[Array, Array, Array | None]]
    rtol: float
    atol: float | Array
    exponent_size: float
    compiled: CompiledFlow | None = None


def integrate(
    system: System,
    schedule: Schedule,
    until: float | None,
    ending: Ending,
    max_steps: int,
    history: "History",
    integrators: Sequence[str],
) -> Generator[Job, tuple[int, int], tuple[Status, dict[str, Any]]]:
    """Step through the smooth pieces of the schedule; on each, one integrator after another until one gets through.

    Times that the history must have are the ends of pieces too.
    """
    stats: dict[str, Any] = {
        "method": integrators[0], "steps": 0, "evaluations": 0, "factorizations": 0, "notes": [], "cites": (),
    }  # fmt: skip
    last = np.inf if until is None else until
    asked_for = max(history.wanted, default=0.0)
    jumps = sorted(at for at in {*schedule.breakpoints, *history.wanted} if 0 < at < last)
    t, state = 0.0, system.start
    # Under a penalty that stays a flow may start at its end, and leave it for a while.
    if until is None and not jumps and schedule.limit == 0 and (status := ending.asked(t, state)) is not None:
        return status, stats  # nothing to do: y = 0, for one
    for end in [*jumps, last]:
        until = end if end <= asked_for else None if last == np.inf else last  # no flow is over before
        if until is None and 0 < t == asked_for and (status := ending.asked(t, state)) is not None:
            return status, stats
        for integrator in integrators:
            stats["cites"] = tuple(dict.fromkeys((*stats["cites"], *INTEGRATORS[integrator].cites)))
            if integrator == COMPILED:
                outcome = yield from _run_compiled(system, schedule, end, until, ending, max_steps, history, stats)
                t, state = history.last()
            else:
                outcome, t, state = _run_scipy(
                    integrator, system, schedule, t, state, end, until, ending, max_steps, history, stats
                )
            if not isinstance(outcome, str):
                break
            stats["notes"].append(f"{integrator} gave up at t = {t:.6g}: {outcome}")
            t, state = history.last()
            stats["method"] = ", then ".join(integrators)
        else:
            return Status.not_certified if ending.near else Status.integrator_failed, stats
        if outcome is not None:
            return outcome, stats
    return Status.until_reached, stats


def alone(jobs: Jobs) -> Any:
    """Do all jobs at once as they come, and return what there is to return."""
    try:
        job = next(jobs)
        while True:
            job = jobs.send(job())
    except StopIteration as finished:
        return finished.value


def _run_compiled(
    system: System, schedule: Schedule, end: float, until: float | None, ending: Ending, max_steps: int,
    history: "History", stats: dict[str, Any],
) -> Generator[Job, tuple[int, int], Status | str | None]:  # fmt: skip
    """Step to the end of one piece by compiled code, with an answer as that of `_run`."""
    from linreg_mirror.solvers.continuous import kernel

    flow = system.compiled
    assert flow is not None  # or it would not be among the integrators
    if flow.t != history.last()[0]:
        flow.take_over(*history.last())
    flow.begin_piece()
    # On the way to a limit, compiled code knows by itself when to ask whether the flow is over.
    target = ending.residual if until is None else -1.0
    often = until is None and target < 0
    while stats["steps"] < max_steps:
        count = min(_STEPS_TO_ASK if often else _STEPS, max_steps - stats["steps"])
        room = np.empty(count), np.empty((count, len(flow.state))), np.empty(count)
        before = flow.counts.copy()
        reason, count = yield flow.job(end, target, room)
        stats["steps"] += count
        stats["evaluations"] += int(flow.counts[0] - before[0])
        stats["factorizations"] += int(flow.counts[1] - before[1])
        history.extend(*(of[:count] for of in room))
        t, state = history.last()
        if not np.isfinite(state).all():
            return "the state is not finite"
        if until is None and (often or reason == kernel.NEAR):
            status = ending.asked(t, state)
            if status is not None:
                return status
            target, often = -1.0, True
        if reason == kernel.AT_END:
            return None
        if reason == kernel.AT_REST:
            return Status.not_certified
        if reason == kernel.STUCK:
            return "no step is short enough"
    return Status.horizon_reached


def _run_scipy(
    integrator: str, system: System, schedule: Schedule, t: float, state: Array, end: float, until: float | None,
    ending: Ending, max_steps: int, history: "History", stats: dict[str, Any],
) -> tuple[Status | str | None, float, Array]:  # fmt: skip
    """Step to the end of one piece by one of SciPy's; return also where that is."""
    options: dict[str, Any] = {"rtol": system.rtol, "atol": system.atol}
    if system.jacobian is not None and integrator in ("LSODA", "BDF", "Radau"):
        options["jac"] = system.jacobian
    try:
        field = _left_of(system.field, end)
        solver = getattr(scipy.integrate, integrator)(field, t, state, end, **options)
        outcome = _run(solver, system, until, ending, max_steps, history, stats)
    except (FloatingPointError, np.linalg.LinAlgError, ValueError) as error:
        return f"{type(error).__name__}: {error}", t, state
    stats["evaluations"] += int(solver.nfev)
    stats["factorizations"] += int(solver.njev)
    return outcome, float(solver.t), cast(Array, solver.y)


def _left_of(field: Callable[[float, Array], Array], end: float) -> Callable[[float, Array], Array]:
    """Evaluate the field just before a jump of the schedule, never on its far side."""
    last = np.nextafter(end, 0.0)
    return lambda t, state: field(min(t, last), state)


def _run(
    solver: Any, system: System, until: float | None, ending: Ending, max_steps: int, history: "History",
    stats: dict[str, Any],
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
            if not np.isfinite(solver.t):
                return Status.not_certified  # at rest, in all but rounding
            stats["steps"] += 1
            history.add(float(solver.t), solver.y.copy())
            if until is None and rest == 0:
                status = ending.asked(solver.t, solver.y)
                if status is not None:
                    return status
                # Asking costs about as much as a step; four orders away the answer is known for a few of them.
                rest = 3 if ending.left > 1e4 else 0
            else:
                rest -= 1
    return None


class History:
    """Times, states and bounds on their errors, thinned by doubling the stride once there are too many.

    The last one is never lost, nor are those at times that are wanted. What says nothing of its error has an infinite
    bound.
    """

    def __init__(self, start: Array, wanted: Sequence[float] = ()) -> None:
        self.wanted = frozenset(wanted)
        self._last = np.zeros(1), start[None].copy(), np.zeros(1)
        self._blocks: list[Any] = [(np.zeros(1, dtype=int), *self._last)]  # which step it is, time, state, error
        self._stride, self._count, self._kept = 1, 0, 1

    def add(self, t: float, state: Array, error: float = np.inf) -> None:
        """Record a step, whose state must not change any more."""
        self.extend(np.array([t]), state[None], np.array([error]))

    def extend(self, times: Array, states: Array, errors: Array) -> None:
        """Record steps: shapes (k,), (k, p) and (k,), which must not change any more."""
        if not len(times):
            return
        numbers = np.arange(self._count + 1, self._count + 1 + len(times))
        self._last, self._count = (times[-1:], states[-1:], errors[-1:]), int(numbers[-1])
        block = self._thinned((numbers, times, states, errors))
        if len(block[0]):
            self._blocks.append(block)
            self._kept += len(block[0])
        if self._kept > _MAX_POINTS + len(self.wanted):
            self._stride *= 2
            self._blocks = [self._thinned(tuple(map(np.concatenate, zip(*self._blocks, strict=True))))]
            self._kept = len(self._blocks[0][0])

    def _thinned(self, block: Any) -> Any:
        if self._stride == 1:
            return block
        keep = block[0] % self._stride == 0
        if self.wanted:
            keep |= np.isin(block[1], list(self.wanted))
        return tuple(of[keep] for of in block)

    def last(self) -> tuple[float, Array]:
        """Return the time and state of the last step."""
        return float(self._last[0][0]), self._last[1][0]

    def arrays(self) -> tuple[Array, Array, Array]:
        """Return times, shape (T,), states, shape (T, p), and bounds on their errors, shape (T,)."""
        _, t, states, errors = map(np.concatenate, zip(*self._blocks, strict=True))
        if t[-1] != self._last[0][0]:
            t, states, errors = map(np.concatenate, zip((t, states, errors), self._last, strict=True))
        return t, states, errors
