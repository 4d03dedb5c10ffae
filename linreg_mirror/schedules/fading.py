"""Penalties that fall smoothly to 0: like 1/t, like 1/t^2, geometrically."""

import math
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.schedules._shared import Checked, as_clock, as_number, set_fields
from linreg_mirror.schedules.protocol import Clock


@dataclass(frozen=True)
class _Fading(Checked):
    """A penalty that falls smoothly from `value` to 0; a `period` of 2 makes it take twice as long."""

    value: float
    period: float = field(default=1.0, kw_only=True)
    clock: Clock = field(default="time", kw_only=True)

    def __post_init__(self) -> None:
        set_fields(
            self,
            value=as_number("value", self.value),
            period=as_number("period", self.period, positive=True),
            clock=as_clock(self.clock),
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
        unit = as_number("unit", unit, positive=True)
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
        ratio = as_number("ratio", self.ratio, positive=True)
        if ratio >= 1:
            raise ValueError(f"ratio must lie strictly between 0 and 1, got {ratio!r}: write Constant({self.value!r})")
        # Kept apart from the period: ratio^(1/unit) would be 0 for 0.9 per step of 1e-4, and 1 for a long unit.
        set_fields(self, ratio=ratio)

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
