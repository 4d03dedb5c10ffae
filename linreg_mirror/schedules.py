"""Penalty schedules alpha with an explicit clock and exact integrals.

Those of Mask in the Mirror's experiment (constants, 1/k, 1/k^2, 0.95^k), and two that theory asks for: one that is
switched off, and one that is constant by pieces.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal, Protocol, Self, get_args, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from linreg_mirror._arguments import check_number, is_number, real_array
from linreg_mirror.losses import Array

Clock = Literal["time", "step", "epoch"]


@runtime_checkable
class Schedule(Protocol):
    """A penalty alpha(t) >= 0 for t >= 0, in units of its own clock.

    0.95^k per step is no decay at all per unit of time if a step lasts 1e-4: the clock is part of the schedule.
    """

    @property
    def clock(self) -> Clock:
        """What t counts: steps, epochs, or the time of the gradient flow (step size times steps)."""
        ...

    @property
    def limit(self) -> float:
        """alpha as t -> inf."""
        ...

    @property
    def integrable(self) -> bool:
        """Whether the integral over all t is finite."""
        ...

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Where alpha jumps, ascending; it is smooth in between."""
        ...

    def __call__(self, t: ArrayLike) -> Any:
        """Return alpha(t): a float for a number, an array for an array. t = inf is allowed.

        Raises
        ------
        ValueError
            If some t is negative or NaN.
        """
        ...

    def integral(self, t0: ArrayLike, t1: ArrayLike) -> Any:
        """Return the integral of alpha from t0 to t1, exactly, with the shape of t0 and t1 broadcast together.

        t1 may be inf, and so may the answer.

        Parameters
        ----------
        t0, t1 : array_like
            The ends; t1 may be inf, and so may the answer.

        Raises
        ------
        ValueError
            Unless 0 <= t0 <= t1 with t0 finite.
        """
        ...

    def on_time(self, unit: float) -> "Schedule":
        """Return the same schedule on clock "time", where one step or epoch lasts `unit` units of time.

        alpha(t) becomes alpha(t/unit), and integrals `unit` times as large. What is on clock "time" stays as it is.

        Parameters
        ----------
        unit : float
            Time of one step or epoch, positive.
        """
        ...


def as_schedule(value: Schedule | float | None, *, clock: Clock = "time") -> Schedule:
    """Return None as no penalty, a number as a constant one on this clock, and a schedule as it is, on its own clock.

    Parameters
    ----------
    value : Schedule, float or None
        The penalty; a number is at least 0.
    clock : {"time", "step", "epoch"}
        That of a constant penalty.

    Returns
    -------
    Schedule
        On the clock given, or on its own.

    Raises
    ------
    TypeError
        If `value` is none of these.
    ValueError
        If the number is negative or not finite.

    Examples
    --------
    >>> from linreg_mirror import schedules
    >>> schedules.as_schedule(0.5).clock, schedules.as_schedule(None).integral(0, 1)
    ('time', 0.0)
    """
    if value is None:
        return Constant(0.0, clock=clock)
    if is_number(value):
        return Constant(value, clock=clock)
    # A class has all the attributes of its instances, so Constant itself would pass for a schedule.
    if isinstance(value, Schedule) and not isinstance(value, type):
        return value
    got = f"the class {value.__name__}" if isinstance(value, type) else type(value).__name__
    raise TypeError(
        f"a schedule, a number or None is expected, got {got}: write schedules.Constant(0.1) or "
        "schedules.Geometric(0.1, ratio=0.95)"
    )


def require_clock(schedule: Schedule, clock: Clock) -> None:
    """Raise ValueError, with what to write instead, unless the schedule is on this clock.

    Parameters
    ----------
    schedule : Schedule
        The penalty.
    clock : {"time", "step", "epoch"}
        The clock that is needed.

    Raises
    ------
    ValueError
        If it is on another clock.
    """
    if schedule.clock == clock:
        return
    remedy = (
        f"schedule.on_time(unit=step_size), with the time that one {schedule.clock} lasts as the unit"
        if clock == "time"
        else f'the schedule with its numbers per {clock} and clock="{clock}"'
    )
    raise ValueError(f'the schedule is on clock "{schedule.clock}", "{clock}" is needed here: write {remedy}')


class _Checked(ABC):
    """What the schedules below share: times are checked, and scalars come back as floats."""

    def __call__(self, t: ArrayLike) -> Any:
        """Return alpha(t), for t >= 0."""
        t = real_array("t", t)
        if not (t >= 0).all():  # NaN fails too
            raise ValueError(f"a schedule begins at t = 0, got t = {t[~(t >= 0)][0]}")
        with np.errstate(over="ignore", under="ignore"):
            return _plain(self._alpha(t))

    def integral(self, t0: ArrayLike, t1: ArrayLike) -> Any:
        """Return the integral of alpha from t0 to t1, exactly; t1 may be inf, and so may the answer."""
        t0, t1 = real_array("t0", t0), real_array("t1", t1)
        try:
            t0, t1 = np.broadcast_arrays(t0, t1)
        except ValueError:
            raise ValueError(
                f"t0 and t1 must be numbers or arrays of one shape, got shapes {t0.shape} and {t1.shape}"
            ) from None
        valid = (t0 >= 0) & (t1 >= t0) & (t0 < np.inf)
        if not valid.all():
            first, last = (float(np.broadcast_to(t, valid.shape)[~valid][0]) for t in (t0, t1))
            raise ValueError(f"0 <= t0 <= t1 with t0 finite is expected, got t0 = {first} and t1 = {last}")
        with np.errstate(over="ignore", under="ignore"):
            return _plain(self._integral(t0, t1))

    @abstractmethod
    def _alpha(self, t: Array) -> Any: ...

    @abstractmethod
    def _integral(self, t0: Array, t1: Array) -> Any: ...


@dataclass(frozen=True)
class Constant(_Checked):
    """alpha(t) = value; 0 is no penalty. With value > 0 the flow ends at the LASSO solution of weight 2 value.

    Parameters
    ----------
    value : float
        Penalty, >= 0.
    clock : {"time", "step", "epoch"}
        What t counts.

    Raises
    ------
    ValueError
        If the value is negative or not finite, or there is no such clock.

    Examples
    --------
    >>> from linreg_mirror import schedules
    >>> penalty = schedules.Constant(0.5)
    >>> penalty(3.0), penalty.integral(0, 4)
    (0.5, 2.0)
    """

    value: float
    clock: Clock = field(default="time", kw_only=True)

    def __post_init__(self) -> None:
        _set(self, value=_number("value", self.value), clock=_clock(self.clock))

    @property
    def limit(self) -> float:
        """The value."""
        return self.value

    @property
    def integrable(self) -> bool:
        """Only if there is no penalty."""
        return self.value == 0

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """None."""
        return ()

    def on_time(self, unit: float) -> Self:
        """Return the same constant on clock "time"; it is the same for any `unit`."""
        _number("unit", unit, positive=True)
        return replace(self, clock="time")

    def _alpha(self, t: Array) -> Any:
        return np.full_like(t, self.value)

    def _integral(self, t0: Array, t1: Array) -> Any:
        # 0 * inf is no penalty.
        return self.value * (t1 - t0) if self.value > 0 else np.zeros(np.broadcast_shapes(t0.shape, t1.shape))


@dataclass(frozen=True)
class _Fading(_Checked):
    """A penalty that falls smoothly from `value` to 0; a `period` of 2 makes it take twice as long."""

    value: float
    period: float = field(default=1.0, kw_only=True)
    clock: Clock = field(default="time", kw_only=True)

    def __post_init__(self) -> None:
        _set(
            self,
            value=_number("value", self.value),
            period=_number("period", self.period, positive=True),
            clock=_clock(self.clock),
        )

    @property
    def limit(self) -> float:
        """0."""
        return 0.0

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """None."""
        return ()

    def on_time(self, unit: float) -> Self:
        """Return the same schedule on clock "time", its period `unit` times as long."""
        unit = _number("unit", unit, positive=True)
        return self if self.clock == "time" else replace(self, period=self.period * unit, clock="time")


@dataclass(frozen=True)
class Harmonic(_Fading):
    """alpha(t) = value / (1 + t/period): falls to 0, but so slowly that its integral is infinite.

    Parameters
    ----------
    value : float
        Penalty at t = 0, >= 0.
    period : float
        t at which half of it is left, > 0.
    clock : {"time", "step", "epoch"}
        What t and the period count.

    Raises
    ------
    ValueError
        If a number is negative or not finite, the period is 0, or there is no such clock.

    Examples
    --------
    >>> import numpy as np
    >>> from linreg_mirror import schedules
    >>> penalty = schedules.Harmonic(0.5)
    >>> float(penalty(1.0)), float(penalty.integral(0, np.inf))
    (0.25, inf)
    """

    @property
    def integrable(self) -> bool:
        """Only if there is no penalty."""
        return self.value == 0

    def _alpha(self, t: Array) -> Any:
        return self.value * (self.period / (self.period + t))

    def _integral(self, t0: Array, t1: Array) -> Any:
        if self.value == 0:
            return np.zeros(np.broadcast_shapes(t0.shape, t1.shape))
        growth = (t1 - t0) / (self.period + t0)
        # Where it is beyond float64 logarithms still are numbers, and 0 times infinity is none.
        log = np.where(growth < np.inf, np.log1p(growth), np.log(self.period + t1) - np.log(self.period + t0))
        with np.errstate(invalid="ignore"):
            return np.where(t1 < np.inf, self.value * self.period * log, np.inf)


@dataclass(frozen=True)
class Quadratic(_Fading):
    """alpha(t) = value / (1 + t/period)^2, with an integral of value * period over all t.

    Parameters
    ----------
    value : float
        Penalty at t = 0, >= 0.
    period : float
        t at which a quarter of it is left, > 0.
    clock : {"time", "step", "epoch"}
        What t and the period count.

    Raises
    ------
    ValueError
        If a number is negative or not finite, the period is 0, or there is no such clock.

    Examples
    --------
    >>> import numpy as np
    >>> from linreg_mirror import schedules
    >>> penalty = schedules.Quadratic(0.5)
    >>> float(penalty(1.0)), float(penalty.integral(0, np.inf))
    (0.125, 0.5)
    """

    @property
    def integrable(self) -> bool:
        """Always."""
        return True

    def _alpha(self, t: Array) -> Any:
        return self.value * (self.period / (self.period + t)) ** 2

    def _integral(self, t0: Array, t1: Array) -> Any:
        last = np.minimum(t1, np.finfo(float).max)  # the limit as t1 -> inf, to rounding, without inf/inf
        share = (last - t0) / (self.period + last)
        return self.value * self.period * (self.period / (self.period + t0)) * share


@dataclass(frozen=True)
class Geometric(_Fading):
    """alpha(t) = value ratio^(t/period), with an integral of value * period / log(1/ratio) over all t.

    Parameters
    ----------
    value : float
        Penalty at t = 0, >= 0.
    ratio : float
        What each period leaves of the penalty, 0 < ratio < 1.
    period : float
        > 0. 0.95^k per step at a step size of 1e-4 is `Geometric(value, 0.95, period=1e-4)` in time.
    clock : {"time", "step", "epoch"}
        What t and the period count.

    Raises
    ------
    ValueError
        If a number is negative or not finite, the period is 0, the ratio is not between 0 and 1, or there is no such
        clock.

    Examples
    --------
    >>> import numpy as np
    >>> from linreg_mirror import schedules
    >>> penalty = schedules.Geometric(0.5, ratio=0.25)
    >>> float(penalty(1.0)), round(float(penalty.integral(0, np.inf)), 6)  # 0.5/log(4)
    (0.125, 0.360674)
    """

    ratio: float

    def __post_init__(self) -> None:
        super().__post_init__()
        ratio = _number("ratio", self.ratio, positive=True)
        if ratio >= 1:
            raise ValueError(f"ratio must lie strictly between 0 and 1, got {ratio!r}: write Constant({self.value!r})")
        # Kept apart from the period: ratio^(1/unit) would be 0 for 0.9 per step of 1e-4, and 1 for a long unit.
        _set(self, ratio=ratio)

    @property
    def integrable(self) -> bool:
        """Always."""
        return True

    @property
    def _lifetime(self) -> float:
        """The time in which the penalty falls to 1/e."""
        return max(self.period / -math.log(self.ratio), math.ulp(0.0))  # it is divided by

    # t/period may overflow where the period is short: ratio^inf = 0 is meant.
    def _alpha(self, t: Array) -> Any:
        with np.errstate(over="ignore"):
            return self.value * np.power(self.ratio, t / self.period)

    def _integral(self, t0: Array, t1: Array) -> Any:
        with np.errstate(over="ignore"):
            return self._alpha(t0) * self._lifetime * -np.expm1((t0 - t1) / self._lifetime)


@dataclass(frozen=True)
class Piecewise(_Checked):
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
        times = tuple(_number("times", time) for time in self.times)
        values = tuple(_number("values", value) for value in self.values)
        if times[:1] != (0.0,) or any(a >= b for a, b in pairwise(times)) or len(times) != len(values):
            raise ValueError(
                f"times must ascend from 0 and come with as many values, got times {times} and values {values}: write "
                "Piecewise((0, 5), (0.1, 0)) for 0.1 until 5 and nothing after"
            )
        _set(self, times=times, values=values, clock=_clock(self.clock))

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
        unit = _number("unit", unit, positive=True)
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
class SwitchedOff(_Checked):
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
            require_clock(schedule, _clock(clock))
        _set(self, schedule=schedule, at=_number("at", at, positive=True))

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
        unit = _number("unit", unit, positive=True)
        return self if self.clock == "time" else SwitchedOff(self.schedule.on_time(unit), self.at * unit)

    def _alpha(self, t: Array) -> Any:
        return np.where(t < self.at, self.schedule(t), 0.0)

    def _integral(self, t0: Array, t1: Array) -> Any:
        return self.schedule.integral(np.minimum(t0, self.at), np.minimum(t1, self.at))


def _set(schedule: Any, /, **fields: Any) -> None:
    """Set fields of a frozen dataclass while it is made."""
    for name, value in fields.items():
        object.__setattr__(schedule, name, value)


_REMEDIES = {
    "value": "write 0 for no penalty",
    "values": "write 0 for no penalty",
    "times": "begin with 0 and leave the end out, the last value lasts for ever",
    "at": "write Constant(0) for no penalty at all, and the schedule alone for one that is never switched off",
    "period": "write 1, or the time in which the schedule is to fall",
    "ratio": "write Constant(0) for no penalty, SwitchedOff for one that ends at once",
    "unit": "write the time that one step or epoch lasts, such as the step size",
}


def _number(name: str, value: Any, *, positive: bool = False) -> float:
    check_number(name, value)
    if not (math.isfinite(value) and (value > 0 if positive else value >= 0)):
        bound = "> 0" if positive else ">= 0"
        raise ValueError(f"{name} must be a finite number {bound}, got {value!r}: {_REMEDIES[name]}")
    return float(value)


def _clock(clock: Any) -> Clock:
    if clock not in get_args(Clock):
        raise ValueError(f"clock must be {', '.join(map(repr, get_args(Clock)))}, got {clock!r}")
    return clock


def _plain(value: Any) -> Any:
    """Return 0-dimensional arrays as floats."""
    return float(value) if np.ndim(value) == 0 else value
