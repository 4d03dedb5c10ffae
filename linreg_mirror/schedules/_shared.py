"""What all schedules have in common: checks of times and numbers."""

import math
from abc import ABC, abstractmethod
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike

from linreg_mirror._tools.arguments import check_number, real_array
from linreg_mirror.schedules.protocol import Clock


class Checked(ABC):
    """A schedule that checks its times, and answers a number with a float."""

    def __call__(self, t: ArrayLike) -> Any:
        """Return alpha(t), for t >= 0."""
        if isinstance(t, float) and t >= 0:  # as integrators ask, in each of their steps several times
            with np.errstate(over="ignore", under="ignore"):
                return float(self._alpha(np.float64(t)))
        t = real_array("t", t)
        if not (t >= 0).all():  # NaN fails too
            raise ValueError(f"a schedule begins at t = 0, got t = {t[~(t >= 0)][0]}")
        with np.errstate(over="ignore", under="ignore"):
            return _plain(self._alpha(t))

    def integral(self, t0: ArrayLike, t1: ArrayLike) -> Any:
        """Return the integral of alpha from t0 to t1, exactly; t1 may be inf, and so may the answer."""
        if isinstance(t0, float) and isinstance(t1, float) and 0 <= t0 <= t1 and t0 < np.inf:
            with np.errstate(over="ignore", under="ignore"):
                return float(self._integral(np.float64(t0), np.float64(t1)))
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
    def _alpha(self, t: Any) -> Any: ...

    @abstractmethod
    def _integral(self, t0: Any, t1: Any) -> Any: ...


def set_fields(schedule: Any, /, **fields: Any) -> None:
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


def as_number(name: str, value: Any, *, positive: bool = False) -> float:
    check_number(name, value)
    if not (math.isfinite(value) and (value > 0 if positive else value >= 0)):
        bound = "> 0" if positive else ">= 0"
        raise ValueError(f"{name} must be a finite number {bound}, got {value!r}: {_REMEDIES[name]}")
    return float(value)


def as_clock(clock: Any) -> Clock:
    if clock not in get_args(Clock):
        raise ValueError(f"clock must be {', '.join(map(repr, get_args(Clock)))}, got {clock!r}")
    return clock


def _plain(value: Any) -> Any:
    """Return 0-dimensional arrays as floats."""
    return float(value) if np.ndim(value) == 0 else value
