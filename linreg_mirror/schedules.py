"""Penalty schedules alpha with an explicit clock and exact integrals."""

import math
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal, Protocol, Self, runtime_checkable

import numpy as np

Clock = Literal["time", "step", "epoch"]
_CLOCKS = ("time", "step", "epoch")


@runtime_checkable
class Schedule(Protocol):
    """A penalty alpha(t) >= 0 for t >= 0, in units of its own clock.

    0.95^k per step at a step size of 1e-4 is next to no decay per unit of time: the clock is part of the schedule.

    Attributes
    ----------
    clock : {"time", "step", "epoch"}
        What t counts. Time is that of the gradient flow, step size times steps.
    limit : float
        alpha as t -> inf.
    integrable : bool
        Whether the integral over all t is finite.
    breakpoints : tuple of float
        Where alpha jumps.
    """

    @property
    def clock(self) -> Clock:
        """What t counts."""
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
        """Where alpha jumps."""
        ...

    def __call__(self, t: Any) -> Any:
        """Return alpha(t), for a number or an array."""
        ...

    def integral(self, t0: Any, t1: Any) -> Any:
        """Return the integral of alpha from t0 to t1, exactly; t1 may be inf, and so may the answer."""
        ...

    def on_time(self, unit: float) -> "Schedule":
        """Return the same schedule on clock "time", where one step or epoch lasts `unit` units of time."""
        ...


def as_schedule(value: "Schedule | float | None") -> Schedule:
    """Return None as no penalty, a number as a constant one, and a schedule as it is."""
    if value is None:
        return Constant(0.0)
    if isinstance(value, (int, float, np.integer, np.floating)) and not isinstance(value, bool):
        return Constant(float(value))
    if isinstance(value, Schedule):
        return value
    raise TypeError(
        f"a schedule, a number or None is expected, got {type(value).__name__}: write schedules.Constant(0.1) or "
        "schedules.Geometric(0.1, ratio=0.95)"
    )


def require_clock(schedule: Schedule, clock: Clock) -> None:
    """Raise ValueError unless the schedule is on this clock."""
    if schedule.clock != clock:
        raise ValueError(
            f'the schedule is on clock "{schedule.clock}", "{clock}" is needed here: write '
            f"schedule.on_time(unit=...) with the time that one {schedule.clock} lasts, such as the step size"
        )


def _number(name: str, value: float, positive: bool = False) -> float:
    if not (math.isfinite(value) and (value > 0 if positive else value >= 0)):
        raise ValueError(
            f"{name} must be a finite number {'> 0' if positive else '>= 0'}, got {value!r}: a negative penalty would "
            "drive the weights to infinity"
        )
    return float(value)


def _check_clock(clock: str) -> None:
    if clock not in _CLOCKS:
        raise ValueError(f"clock must be one of {', '.join(map(repr, _CLOCKS))}, got {clock!r}")


def _times(t0: Any, t1: Any) -> tuple[Any, Any]:
    t0, t1 = np.asarray(t0, float), np.asarray(t1, float)
    if np.isnan(t0).any() or np.isnan(t1).any() or (t0 < 0).any() or (t1 < t0).any() or np.isinf(t0).any():
        raise ValueError(f"0 <= t0 <= t1 with t0 finite is required, got t0 = {t0} and t1 = {t1}")
    return t0, t1


def _time(t: Any) -> Any:
    t = np.asarray(t, float)
    if np.isnan(t).any() or (t < 0).any():
        raise ValueError(f"schedules begin at t = 0, got t = {t}")
    return t


def _plain(value: Any) -> Any:
    """Return 0-dimensional arrays as floats."""
    return float(value) if np.ndim(value) == 0 else value


@dataclass(frozen=True)
class Constant:
    """alpha(t) = value; its flow ends at the LASSO solution with weight 2 value.

    Parameters
    ----------
    value : float
        Penalty, >= 0.
    clock : {"time", "step", "epoch"}
        What t counts.
    """

    value: float
    clock: Clock = field(default="time", kw_only=True)
    breakpoints: tuple[float, ...] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        _check_clock(self.clock)
        object.__setattr__(self, "value", _number("value", self.value))

    @property
    def limit(self) -> float:
        """The value."""
        return self.value

    @property
    def integrable(self) -> bool:
        """Only if there is no penalty."""
        return self.value == 0

    def __call__(self, t: Any) -> Any:
        """Return the value."""
        return _plain(np.full_like(_time(t), self.value))

    def integral(self, t0: Any, t1: Any) -> Any:
        """Return value (t1 - t0)."""
        t0, t1 = _times(t0, t1)
        return _plain(np.zeros(np.broadcast(t0, t1).shape) if self.value == 0 else self.value * (t1 - t0))

    def on_time(self, unit: float) -> "Constant":
        """Return the same constant on clock "time"."""
        _number("unit", unit, positive=True)
        return replace(self, clock="time")


@dataclass(frozen=True)
class _Hyperbola:
    value: float
    period: float = 1.0
    clock: Clock = field(default="time", kw_only=True)
    limit: float = field(default=0.0, init=False, repr=False)
    breakpoints: tuple[float, ...] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        _check_clock(self.clock)
        object.__setattr__(self, "value", _number("value", self.value))
        object.__setattr__(self, "period", _number("period", self.period, positive=True))

    def on_time(self, unit: float) -> Self:
        """Return the same schedule on clock "time": its period lasts `unit` times as long."""
        return replace(self, period=self.period * _number("unit", unit, positive=True), clock="time")


@dataclass(frozen=True)
class Harmonic(_Hyperbola):
    """alpha(t) = value / (1 + t/period): tends to 0, but its integral is infinite.

    Parameters
    ----------
    value : float
        Penalty at t = 0, >= 0.
    period : float
        t at which it has halved.
    clock : {"time", "step", "epoch"}
        What t counts.
    """

    @property
    def integrable(self) -> bool:
        """Only if there is no penalty."""
        return self.value == 0

    def __call__(self, t: Any) -> Any:
        """Return value / (1 + t/period)."""
        return _plain(self.value / (1 + _time(t) / self.period))

    def integral(self, t0: Any, t1: Any) -> Any:
        """Return value period log((period + t1) / (period + t0))."""
        t0, t1 = _times(t0, t1)
        if self.value == 0:
            return _plain(np.zeros(np.broadcast(t0, t1).shape))
        return _plain(self.value * self.period * np.log1p((t1 - t0) / (self.period + t0)))


@dataclass(frozen=True)
class Quadratic(_Hyperbola):
    """alpha(t) = value / (1 + t/period)^2, with integral value * period in all.

    Parameters
    ----------
    value : float
        Penalty at t = 0, >= 0.
    period : float
        t at which a quarter of it is left.
    clock : {"time", "step", "epoch"}
        What t counts.
    """

    @property
    def integrable(self) -> bool:
        """Always."""
        return True

    def __call__(self, t: Any) -> Any:
        """Return value / (1 + t/period)^2."""
        return _plain(self.value / (1 + _time(t) / self.period) ** 2)

    def integral(self, t0: Any, t1: Any) -> Any:
        """Return the difference of -value period / (1 + t/period), without cancellation."""
        t0, t1 = _times(t0, t1)
        a = 1 + t0 / self.period
        # (t1 - t0) / (1 + t1/period), which tends to the period as t1 -> inf.
        finite = np.where(np.isinf(t1), 0.0, t1)
        span = np.where(np.isinf(t1), self.period, (finite - t0) / (1 + finite / self.period))
        return _plain(self.value * span / a)


@dataclass(frozen=True)
class Geometric:
    """alpha(t) = value ratio^t, with integral value / log(1/ratio) in all.

    Parameters
    ----------
    value : float
        Penalty at t = 0, >= 0.
    ratio : float
        Factor per unit of the clock, 0 < ratio < 1.
    clock : {"time", "step", "epoch"}
        What t counts.
    """

    value: float
    ratio: float
    clock: Clock = field(default="time", kw_only=True)
    limit: float = field(default=0.0, init=False, repr=False)
    breakpoints: tuple[float, ...] = field(default=(), init=False, repr=False)

    def __post_init__(self) -> None:
        _check_clock(self.clock)
        object.__setattr__(self, "value", _number("value", self.value))
        if not 0 < self.ratio < 1:
            raise ValueError(f"ratio must lie between 0 and 1, got {self.ratio!r}: for no decay write Constant(value)")
        object.__setattr__(self, "ratio", float(self.ratio))

    @property
    def integrable(self) -> bool:
        """Always."""
        return True

    def __call__(self, t: Any) -> Any:
        """Return value ratio^t."""
        return _plain(self.value * np.exp(math.log(self.ratio) * _time(t)))

    def integral(self, t0: Any, t1: Any) -> Any:
        """Return value (ratio^t0 - ratio^t1) / log(1/ratio)."""
        t0, t1 = _times(t0, t1)
        rate = math.log(self.ratio)
        return _plain(self.value * np.exp(rate * t0) * np.expm1(rate * (t1 - t0)) / rate)

    def on_time(self, unit: float) -> "Geometric":
        """Return ratio^(1/unit) per unit of time."""
        unit = _number("unit", unit, positive=True)
        return replace(self, ratio=self.ratio ** (1 / unit), clock="time")


@dataclass(frozen=True)
class Piecewise:
    """alpha(t) = values[k] for times[k] <= t < times[k+1]; the last value lasts for ever.

    Parameters
    ----------
    times : sequence of float
        Ascending, beginning with 0.
    values : sequence of float
        As many, each >= 0.
    clock : {"time", "step", "epoch"}
        What t counts.
    """

    times: tuple[float, ...]
    values: tuple[float, ...]
    clock: Clock = field(default="time", kw_only=True)

    def __post_init__(self) -> None:
        _check_clock(self.clock)
        times, values = tuple(map(float, self.times)), tuple(_number("value", v) for v in self.values)
        ascending = all(a < b for a, b in pairwise(times))
        if not times or times[0] != 0 or not ascending or not math.isfinite(times[-1]) or len(times) != len(values):
            raise ValueError(
                f"times must ascend from 0 and come with as many values, got times {times} and values {values}: write "
                "Piecewise((0, 5), (0.1, 0))"
            )
        object.__setattr__(self, "times", times)
        object.__setattr__(self, "values", values)

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
        """All times but the first."""
        return self.times[1:]

    def __call__(self, t: Any) -> Any:
        """Return the value of the piece that t is in."""
        return _plain(np.asarray(self.values)[np.searchsorted(self.times, _time(t), side="right") - 1])

    def integral(self, t0: Any, t1: Any) -> Any:
        """Return the sum over pieces of value times overlap."""
        t0, t1 = _times(t0, t1)
        total = np.zeros(np.broadcast(t0, t1).shape)
        for start, end, value in zip(self.times, (*self.times[1:], np.inf), self.values, strict=True):
            if value > 0:
                total = total + value * np.maximum(np.minimum(t1, end) - np.maximum(t0, start), 0.0)
        return _plain(total)

    def on_time(self, unit: float) -> "Piecewise":
        """Return the same pieces, each `unit` times as long."""
        unit = _number("unit", unit, positive=True)
        return replace(self, times=tuple(unit * t for t in self.times), clock="time")


@dataclass(frozen=True)
class SwitchedOff:
    """Another schedule until `at`, and no penalty after that.

    Parameters
    ----------
    schedule : Schedule or float
        What is switched off; its clock is the clock of the whole. A number stands for a constant on clock "time".
    at : float
        When, > 0.
    """

    schedule: Schedule
    at: float
    limit: float = field(default=0.0, init=False, repr=False)
    integrable: bool = field(default=True, init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "schedule", as_schedule(self.schedule))
        object.__setattr__(self, "at", _number("at", self.at, positive=True))

    @property
    def clock(self) -> Clock:
        """That of the schedule that is switched off."""
        return self.schedule.clock

    @property
    def breakpoints(self) -> tuple[float, ...]:
        """Those of the schedule before `at`, and `at`."""
        return (*(t for t in self.schedule.breakpoints if t < self.at), self.at)

    def __call__(self, t: Any) -> Any:
        """Return the schedule's alpha before `at`, else 0."""
        t = _time(t)
        return _plain(np.where(t < self.at, self.schedule(np.minimum(t, self.at)), 0.0))

    def integral(self, t0: Any, t1: Any) -> Any:
        """Return the schedule's integral over what lies before `at`."""
        t0, t1 = _times(t0, t1)
        return self.schedule.integral(np.minimum(t0, self.at), np.minimum(t1, self.at))

    def on_time(self, unit: float) -> "SwitchedOff":
        """Return the same on clock "time", switched off `unit` times as late."""
        return SwitchedOff(self.schedule.on_time(unit), self.at * unit)
