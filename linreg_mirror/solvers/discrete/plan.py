"""What a descent is given, checked: step sizes, penalties, batches, and which steps are kept."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from linreg_mirror._tools import matrices
from linreg_mirror._tools.arguments import check_batch_size, check_momentum, check_number, check_until, is_whole
from linreg_mirror._types import Array
from linreg_mirror.problems import Problem
from linreg_mirror.schedules import Schedule, require_clock
from linreg_mirror.solvers.continuous.ending import penalty_to_come
from linreg_mirror.solvers.discrete.minibatches import Minibatches, Rows

StepSize = float | Schedule | Callable[[int], float]

ROUNDING = 1e-6  # of a step, in sums of step sizes
_KEPT = 128  # evenly spaced points of a history, and as many geometrically spaced ones
_HISTORY = 1 << 25  # numbers in a history, at the most: 256 MiB


class Penalty:
    """The penalty as a function of step number and time, whatever its clock."""

    def __init__(self, schedule: Schedule, steps_per_epoch: int) -> None:
        self.schedule, self.steps_per_epoch = schedule, steps_per_epoch

    def __call__(self, step: Array, t: Array) -> Array:
        """Return alpha_k for step numbers and the sums of step sizes before them."""
        return self.schedule(self._reading(step, t))

    def _reading(self, step: Any, t: Any) -> Any:
        return {"step": step, "epoch": step // self.steps_per_epoch, "time": t}[self.schedule.clock]

    def to_come(self, step: int, t: float, eta: float) -> float:
        """Return about the sum of eta alpha from a step on, of what is not constant for ever; eta is the last one."""
        schedule = self.schedule
        if not schedule.integrable and schedule.limit == 0:
            return np.inf
        reading = float(self._reading(step, t))
        left = penalty_to_come(schedule, reading)
        if schedule.clock == "time" or left in (0.0, np.inf):
            return left
        # A sum of decreasing terms is at most the first one and the integral of the rest; step sizes stay as they are.
        return (left + float(schedule(reading))) * eta * (self.steps_per_epoch if schedule.clock == "epoch" else 1)


def step_sizes(step_size: StepSize) -> Callable[[int, int, float], Array]:
    """Return (first, count, room) -> the next step sizes, no more than it takes for their sum to fill the room."""
    if isinstance(step_size, type):
        raise TypeError(f"step_size must be a number, a schedule or a function, got the class {step_size.__name__}")
    if isinstance(step_size, int | float | np.number):
        if not (np.isfinite(step_size) and step_size > 0) or isinstance(step_size, bool):
            raise ValueError(f"step_size must be a positive number, got {step_size!r}: write step_size=0.01")
        eta = float(step_size)
        return lambda first, count, room: np.full(int(min(count, np.ceil(room / eta - ROUNDING))), eta)
    if isinstance(step_size, Schedule):
        require_clock(step_size, "step")
    elif not callable(step_size):
        raise TypeError(
            f"step_size must be a number, a schedule or a function of the step number, got {type(step_size).__name__}"
        )

    def sizes(first: int, count: int, room: float) -> Array:
        found: list[float] = []
        total = 0.0
        while len(found) < count and (not found or total < room - ROUNDING * found[-1]):
            k = first + len(found)
            eta = step_size(k)
            if not (isinstance(eta, int | float | np.number) and np.isfinite(eta) and eta >= 0):
                raise ValueError(f"step_size must be a finite number >= 0 at every step, got {eta!r} at step {k}")
            found.append(float(eta))
            total += eta
        return np.array(found)

    return sizes


def history(steps: int, size: int) -> Rows:
    """Return the step numbers that are kept: evenly and geometrically spaced ones, as many as memory is meant for."""
    count = max(2, min(_KEPT, _HISTORY // (2 * size)))
    return np.unique(np.concatenate([np.linspace(0, steps, count), np.geomspace(1, steps, count)]).astype(np.int64))


def minibatches(problem: Problem, batch_size: int, replacement: bool, rng: np.random.Generator | None) -> Minibatches:
    """Return what draws batches of this problem, or say what is wrong with the arguments."""
    check_batch_size(batch_size, problem.n)
    matrices.require_entries(problem.X, "descent in batches", "descent(...) without batch_size, or X as a sparse array")
    if not problem.loss.separable:
        raise ValueError(
            f"{type(problem.loss).__name__} is not a sum over samples, so that minibatches do not estimate its "
            "gradient: leave batch_size out, or choose another loss"
        )
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"batch_size needs a NumPy random generator, got rng={rng!r}: write rng=np.random.default_rng(0)"
        )
    return Minibatches(problem.n, int(batch_size), replacement, rng)


def kept_steps(keep: Sequence[int]) -> Rows:
    """Return the step numbers that are to be kept, ascending."""
    steps = np.sort(np.arange(keep.start, keep.stop, keep.step)) if isinstance(keep, range) else np.unique(keep)
    if steps.size and steps.dtype.kind not in "iu":
        raise ValueError(f"keep must hold step numbers, whole numbers, got {keep!r}: write keep=range(0, steps, 10)")
    return steps.astype(np.int64)


def check_run(steps: int, until: float | None, momentum: float, tolerance: float) -> None:
    """Raise if one of these arguments of `descent` is out of range."""
    if not (is_whole(steps) and steps >= 1):
        raise ValueError(f"steps must be a whole number >= 1, got {steps!r}: write steps=100_000")
    check_until(until)
    check_momentum(momentum)
    check_number("tolerance", tolerance)
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(f"tolerance must be a number >= 0, got {tolerance!r}: write tolerance=1e-9")
