"""The rule by which a flow is over."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.schedules import Schedule
from linreg_mirror.solvers.continuous.destination import Destination
from linreg_mirror.solvers.results import Status

_PROGRESS = 0.9  # what has not fallen to this share while time doubled falls no more
_IDLE = 1000  # questions in a row to which the answer was that nothing has fallen


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
    left : float
        How many times the goal was missed when last asked, about.
    """

    schedule: Schedule
    violation: Callable[[float, Array], float]
    point: Callable[[float, Array], tuple[Array, Array]]
    tolerance: float
    stationary: float
    destination: Destination | str
    least: float = 0.0
    near: bool = field(default=False, init=False)
    left: float = field(default=np.inf, init=False)
    _asked_at: float = field(default=np.inf, init=False)  # the residual
    _least: tuple[float, float] = field(default=(np.inf, np.inf), init=False)  # distance, residual when they last fell
    _moved_at: float = field(default=0.0, init=False)  # when that was
    _idle: int = field(default=0, init=False)  # how often neither did since

    @property
    def residual(self) -> float:
        """Residual, as a relative error of x, above which no flow is over; negative where nothing is known of it."""
        return -1.0 if isinstance(self.destination, str) or self.least > 0 else self.tolerance

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

    def asked(self, t: float, state: Array) -> Status | None:
        """Return how the flow has ended, or None where it goes on.

        Parameters
        ----------
        t : float
            Time.
        state : array, shape (p,)
            What is integrated.
        """
        come = penalty_to_come(self.schedule, t) <= self.penalty
        if isinstance(self.destination, str):
            self.left = self.violation(t, state) / self.stationary
            return Status.unproved if self.left <= 1 and come else None
        x, s = self.point(t, state)
        least = self.relative(self.destination.least_distance(x), x)
        self.left = least / self.tolerance
        if not (self.left <= 1 and come):
            return None
        # Another decade on, more of the limit may be proved; that costs about as much as a step.
        enough = 1e-3 * self.tolerance
        if self.relative(self.destination.error, x) > enough and least <= 0.1 * self._asked_at:
            self.destination.improve(s, enough / self.relative(1.0, x))
            self._asked_at = least
        distance = self.relative(self.destination.distance(x), x)
        if distance <= self.tolerance:
            return Status.converged
        return Status.not_certified if t > 0 and self._at_rest(t, x, s, distance, least, self.destination) else None

    def _at_rest(self, t: float, x: Array, s: Array, distance: float, least: float, where: Destination) -> bool:
        """Whether rounding, or errors of steps on the way, are all that is left."""
        self.near = True
        self._idle += 1
        if distance <= _PROGRESS * self._least[0] or least <= _PROGRESS * self._least[1]:
            # Compared with where it was then: a slow decline adds up.
            self._least = min(distance, self._least[0]), min(least, self._least[1])
            self._moved_at, self._idle = t, 0
        # Errors of steps may keep a residual above rounding for ever; a plateau takes an implicit method few steps.
        return t > 2 * self._moved_at and (self._idle > _IDLE or where.fits(x, s))
