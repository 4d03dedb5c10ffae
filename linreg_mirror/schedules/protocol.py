"""What a penalty schedule is, and on which clock it runs."""

from typing import Any, Literal, Protocol, runtime_checkable

from numpy.typing import ArrayLike

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
        f"schedule.on_time(unit=...) with the time that one {schedule.clock} lasts: the step size"
        f"{' times the steps of an epoch' if schedule.clock == 'epoch' else ''}"
        if clock == "time"
        else f'the schedule with its numbers per {clock} and clock="{clock}"'
    )
    raise ValueError(f'the schedule is on clock "{schedule.clock}", "{clock}" is needed here: write {remedy}')
