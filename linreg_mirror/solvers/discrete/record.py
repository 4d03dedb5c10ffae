"""What a run of discrete steps leaves behind."""

from dataclasses import dataclass, field

import numpy as np

from linreg_mirror.solvers.discrete.divergence import Divergence
from linreg_mirror.solvers.discrete.implicit_bias import ImplicitBias
from linreg_mirror.solvers.discrete.minibatches import Rows
from linreg_mirror.solvers.results import Trajectory


@dataclass(frozen=True, eq=False, repr=False)
class Descent(Trajectory):
    """A path of discrete steps.

    `t` is the sum of step sizes so far, `decay` that of step size times penalty, and X'`dual` that of step size times
    gradient, which for minibatches is the estimated one.

    Attributes
    ----------
    step : array of int, shape (T,)
        How many steps each point is from the start.
    l1_lower_bound : float
        |<L, x_T>| / |L|_inf with L = X'dual, which min{|x|_1 : Xx = Xx_T} cannot be below: training itself bounds the
        least L1 norm, whatever the start, the steps and the stopping time. (Xx = Xx_T gives <L, x> = <L, x_T>, for L
        is in the row space of X, and |<L, x>| <= |L|_inf |x|_1.)
    error : float
        Upper bound of |x_T - x*_T|_1, x*_T being the last point of the same steps in exact arithmetic, from the factors
        u_0 and v_0 that the run starts from; inf where nothing is proved, or nothing was asked for (`bar=`).
    to_limit : float
        Upper bound of |x_T - x*|_1, x* being the limit of `implicit.network`, whose numbers count as exact.
    bias : ImplicitBias or None
        As `implicit`, but None where that raises.
    no_bias : str or Divergence
        Why there is none, as text; empty where there is one.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> run = lm.descent(lm.Problem([[1, 2]], [2]), lm.Hadamard.from_scale(0.1, d=2), step_size=0.05)
    >>> bool(run.l1_lower_bound <= 1.0 <= abs(run.x[-1]).sum())  # 1 is the least L1 norm here
    True
    """

    step: Rows = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    l1_lower_bound: float = 0.0
    bias: ImplicitBias | None = None
    no_bias: str | Divergence = ""

    @property
    def implicit(self) -> ImplicitBias:
        """The Bregman problem that this run solved: of x = m*w from an unbalanced start, and of p^D - q^D.

        Raises
        ------
        ValueError
            If there is none, which the text says the reason for: the run diverged, the network is another, or a factor
            is 0. `bias` is None then.
        """
        if self.bias is None:
            raise ValueError(f"this run has no implicit bias: {self.no_bias}")
        return self.bias
