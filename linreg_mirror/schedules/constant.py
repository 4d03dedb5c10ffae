"""Constant penalties, which plain numbers stand for."""

from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from linreg_mirror._tools.arguments import is_number
from linreg_mirror._types import Array
from linreg_mirror.schedules._shared import Checked, as_clock, as_number, set_fields
from linreg_mirror.schedules.protocol import Clock, Schedule


@dataclass(frozen=True)
class Constant(Checked):
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
        set_fields(self, value=as_number("value", self.value), clock=as_clock(self.clock))

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
        as_number("unit", unit, positive=True)
        return replace(self, clock="time")

    def _alpha(self, t: Array) -> Any:
        return np.full_like(t, self.value)

    def _integral(self, t0: Array, t1: Array) -> Any:
        # 0 * inf is no penalty.
        return self.value * (t1 - t0) if self.value > 0 else np.zeros(np.broadcast_shapes(t0.shape, t1.shape))


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
