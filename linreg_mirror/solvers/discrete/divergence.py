"""What to say of a run that diverged."""

from dataclasses import dataclass
from functools import cached_property

from linreg_mirror.parametrizations import Parametrization
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.discrete.stable_step import largest_stable_step

_SMALL = 3e7  # n^2 d up to which the largest stable step takes milliseconds


@dataclass(frozen=True, eq=False)
class Divergence:
    """When a run diverged; as text, with the steps that would have been stable, which are computed only for this.

    Attributes
    ----------
    problem, network, momentum, batch_size, replacement
        As for `descent`.
    first, last : int
        Between which steps it left its bounds.
    step_size : float
        The largest of these steps.
    penalty : float
        The largest alpha of these steps.
    """

    problem: Problem
    network: Parametrization
    momentum: float
    batch_size: int | None
    replacement: bool
    first: int
    last: int
    step_size: float
    penalty: float

    def __str__(self) -> str:
        said = f"it diverged between steps {self.first} and {self.last}, which were {self.step_size:.3g} long"
        if self.problem.n**2 * self.problem.d > _SMALL:
            return f"{said}: choose them below largest_stable_step(problem, network, momentum, batch_size)"
        shorter = "" if self.step_size > self.largest_stable_step else ", and on the way they must be shorter still"
        return f"{said}; the largest stable step at start and end is {self.largest_stable_step:.3g}{shorter}"

    @cached_property
    def largest_stable_step(self) -> float:
        """Up to which step size the run would have been stable at its start and its end."""
        return largest_stable_step(
            self.problem, self.network, self.momentum, self.batch_size, self.replacement, self.penalty
        )
