"""Penalties that jump: constant by pieces, or switched off."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Self

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.schedules._shared import Checked, as_clock, as_number, set_fields
from linreg_mirror.schedules.constant import as_schedule
from linreg_mirror.schedules.protocol import Clock, Schedule, require_clock


@dataclass(frozen=True)
class Piecewise(Checked):
    """alpha(t) = values[k] for times[k] <= t < times[k+1]; the last value lasts for ever.

    Parameters
    ----------
    times : sequence of float
        Where pieces begin, ascending from 0.
    values : sequence of float
        Penalty on each piece, >= 0.
    clock : {"time", "step", "epoch"}
        What t and the times count.

    Raises
    ------
    ValueError
        If the times do not ascend from 0, there are not as many values, a value is negative or not finite, or there is
        no such clock.

    Examples
    --------
    >>> from linreg_mirror import schedules
    >>> penalty = schedules.Piecewise([0, 5], [0.5, 0])
    >>> float(penalty(4.0)), float(penalty.integral(0, 10))
    (0.5, 2.5)
    """

    times: Sequence[float]
    values: Sequence[float]
    clock: Clock = field(default="time", kw_only=True)

    def __post_init__(self) -> None:
        times = tuple(as_number("times", time) for time in self.times)
        values = tuple(as_number("values", value) for value in self.values)
        if times[:1] != (0.0,) or any(a >= b for a, b in pairwise(times)) or len(times) != len(values):
            raise ValueError(
                f"times must ascend from 0 and come with as many values, got times {times} and values {values}: write "
                "Piecewise((0, 5), (0.1, 0)) for 0.1 until 5 and nothing after"
            )
        set_fields(self, times=times, values=values, clock=as_clock(self.clock))

    @property
    def limit(self) -> float:
        """The last value."""
        return self.values[-1]

    @property
    def integrable(self) -> bool:
        """Only if the last value is 0."""
        return self.values[-1] == 0

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Where a piece begins with another value than the one before."""
        return tuple(at for at, (a, b) in zip(self.times[1:], pairwise(self.values), strict=True) if a != b)

    def on_time(self, unit: float) -> Self:
        """Return the same pieces on clock "time", each `unit` times as long."""
        unit = as_number("unit", unit, positive=True)
        return self if self.clock == "time" else replace(self, times=[unit * t for t in self.times], clock="time")

    def _alpha(self, t: Array) -> Any:
        return np.asarray(self.values)[np.searchsorted(self.times, t, side="right") - 1]

    def _integral(self, t0: Array, t1: Array) -> Any:
        # Piece by piece, not as a difference of totals: a short interval late on would be lost in their rounding.
        total = np.zeros(np.broadcast_shapes(t0.shape, t1.shape))
        for start, end, value in zip(self.times, (*self.times[1:], np.inf), self.values, strict=True):
            if value > 0:
                total = total + value * np.maximum(np.minimum(t1, end) - np.maximum(t0, start), 0.0)
        return total


@dataclass(frozen=True, init=False)
class SwitchedOff(Checked):
    """Another schedule until `at`, and no penalty from then on.

    Parameters
    ----------
    schedule : Schedule or float
        What is switched off; a number stands for a constant.
    at : float
        When, > 0.
    clock : {"time", "step", "epoch"}, optional
        What t and `at` count. Default: what the schedule counts; "time" for a number.

    Raises
    ------
    ValueError
        If `at` is not positive and finite, or the schedule is on another clock.
    TypeError
        If `schedule` is neither a schedule nor a number.

    Examples
    --------
    >>> import numpy as np
    >>> from linreg_mirror import schedules
    >>> penalty = schedules.SwitchedOff(schedules.Constant(0.5), at=2.0)
    >>> float(penalty(3.0)), float(penalty.integral(0, np.inf))
    (0.0, 1.0)
    """

    schedule: Schedule
    at: float

    def __init__(self, schedule: Schedule | float, at: float, *, clock: Clock | None = None) -> None:
        schedule = as_schedule(schedule, clock=clock or "time")
        if clock is not None:
            require_clock(schedule, as_clock(clock))
        set_fields(self, schedule=schedule, at=as_number("at", at, positive=True))

    @property
    def clock(self) -> Clock:
        """That of the schedule that is switched off."""
        return self.schedule.clock

    @property
    def limit(self) -> float:
        """0."""
        return 0.0

    @property
    def integrable(self) -> bool:
        """Always."""
        return True

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Those of the schedule before `at`, and `at` itself unless the penalty was 0 by then."""
        before = tuple(t for t in self.schedule.breakpoints if t < self.at)
        return (*before, self.at) if self.schedule(math.nextafter(self.at, 0)) > 0 else before

    def on_time(self, unit: float) -> "SwitchedOff":
        """Return the same on clock "time", switched off `unit` times as late."""
        unit = as_number("unit", unit, positive=True)
        return self if self.clock == "time" else SwitchedOff(self.schedule.on_time(unit), self.at * unit)

    def _alpha(self, t: Array) -> Any:
        return np.where(t < self.at, self.schedule(t), 0.0)

    def _integral(self, t0: Array, t1: Array) -> Any:
        return self.schedule.integral(np.minimum(t0, self.at), np.minimum(t1, self.at))
