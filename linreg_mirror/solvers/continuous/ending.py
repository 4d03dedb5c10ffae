"""The rule by which a flow is over."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.schedules import Schedule
from linreg_mirror.solvers.continuous.destination import Destination
from linreg_mirror.solvers.results import Status

_NEAR = 100.0  # the limit is first asked for at a relative stationarity of so many tolerances
_PROGRESS = 0.9  # what has not fallen to this share while time doubled falls no more


def penalty_to_come(schedule: Schedule, t: float) -> float:
    """Return the integral of alpha from t on, of what is not constant for ever: it still moves the end point."""
    if schedule.integrable:
        return float(schedule.integral(t, np.inf))
    # A constant tail is part of the objective at the end; it begins after the last jump.
    return 0.0 if t >= max(schedule.breakpoints, default=0.0) else np.inf


@dataclass
class Ending:
    """When a flow is over: where it is close enough to its limit, or, where that is not known, stationary.

    Parameters
    ----------
    schedule : Schedule
        The penalty.
    violation : callable
        (t, state) -> relative stationarity.
    point : callable
        (t, state) -> x, s.
    tolerance : float
        Relative error of x in the L1 norm.
    stationary : float
        Relative stationarity that is good enough where the limit is not known.
    destination : Destination or str
        The limit, or why there is none.
    least : float
        What |x|_1 counts as at least, for flows to zero.

    Attributes
    ----------
    near : bool
        Whether the flow has come close enough for its limit to be asked for.
    """

    schedule: Schedule
    violation: Callable[[float, Array], float]
    point: Callable[[float, Array], tuple[Array, Array]]
    tolerance: float
    stationary: float
    destination: Destination | str
    least: float = 0.0
    near: bool = field(default=False, init=False)
    _asked_at: float = field(default=np.inf, init=False)  # the relative stationarity
    _least: tuple[float, float] = field(default=(np.inf, np.inf), init=False)  # distance and stationarity
    _moved_at: float = field(default=0.0, init=False)  # when one of them fell

    @property
    def target(self) -> float:
        """Relative stationarity from which on it makes sense to ask."""
        return self.stationary if isinstance(self.destination, str) else min(0.1, _NEAR * self.tolerance)

    @property
    def penalty(self) -> float:
        """Penalty to come that is good enough."""
        return self.stationary if isinstance(self.destination, str) else self.tolerance

    def relative(self, distance: float, x: Array) -> float:
        """Return a distance of x relative to its size.

        Parameters
        ----------
        distance : float
            In the L1 norm.
        x : array, shape (d,)
            Effective weights.
        """
        size = max(float(np.abs(x).sum()), self.least)
        return distance / size if size > 0 else distance

    def asked(self, t: float, state: Array, violation: float | None = None) -> Status | None:
        """Return how the flow has ended, or None where it goes on.

        Parameters
        ----------
        t : float
            Time.
        state : array, shape (p,)
            What is integrated.
        violation : float, optional
            Relative stationarity, where it is known.
        """
        violation = self.violation(t, state) if violation is None else violation
        if not violation <= self.target or penalty_to_come(self.schedule, t) > self.penalty:
            return None
        if isinstance(self.destination, str):
            return Status.converged
        self.near = t > 0
        x, s = self.point(t, state)
        # Another decade on, more of the limit may be proved; that costs about as much as a step.
        if self.relative(self.destination.error, x) > 1e-3 * self.tolerance and violation <= 0.1 * self._asked_at:
            self.destination.improve(s)
            self._asked_at = violation
        left = self.relative(self.destination.distance(x), x)
        if left <= self.tolerance:
            return Status.converged
        if t == 0:
            return None
        distance, least = self._least
        if left <= _PROGRESS * distance or violation <= _PROGRESS * least:
            self._moved_at = t
        self._least = min(left, distance), min(violation, least)
        # Rounding or errors of steps are all that is left of it.
        return Status.not_certified if violation == 0 or t > 2 * self._moved_at else None
