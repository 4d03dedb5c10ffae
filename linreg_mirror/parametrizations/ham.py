"""The network whose gradient flow is that of hyperbolic aware minimisation (HAM)."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from linreg_mirror import mirrors
from linreg_mirror._tools.arguments import as_real_array, check_number
from linreg_mirror._types import Array
from linreg_mirror.parametrizations._start import broadcast_start
from linreg_mirror.parametrizations.protocol import Parametrization


@dataclass(frozen=True, eq=False, repr=False)
class HAM(Parametrization):
    """x = t + a t|t|/4, entry by entry, so that x' = -(1 + a|x|) grad f; its penalty is twice the potential of x.

    (dx/dt)^2 = (1 + a|t|/2)^2 = 1 + a|x|: gradient flow of t is HAM's flow of x.

    Parameters
    ----------
    x0 : array_like, shape (d,)
        Where the weights start.
    a : float
        Positive: how fast weights move, compared with plain ones, is 1 + a|x|.

    Raises
    ------
    ValueError
        If x0 is no array of shape (d,), or not finite, or a is not positive.

    Notes
    -----
    Hyperbolic Aware Minimization (Jacobs, Gadhikar, Rubio-Madrigal & Burkholz, arXiv 2506.02630), in the limit of
    vanishing steps and without shrinking; the network and the penalty are ours.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> problem = lm.Problem([[1, 2]], [2])
    >>> for a in (1e-6, 1.0, 1e9):
    ...     print(lm.limit(problem, lm.HAM.at(0.0, a=a, d=2)).x.round(3).tolist())
    [0.4, 0.8]
    [0.351, 0.825]
    [0.0, 1.0]
    """

    x0: Array
    a: float
    diagonal: ClassVar[bool] = True
    cites: ClassVar[tuple[str, ...]] = ("jacobs2026hyperbolic",)

    def __post_init__(self) -> None:
        x0 = as_real_array("x0", self.x0)
        if x0.ndim != 1 or not x0.size:
            raise ValueError(
                f"x0 must have shape (d,) with d >= 1, got {x0.shape}: write HAM.at(0.0, a=1.0, d=problem.d)"
            )
        check_number("a", self.a)
        if not 0 < self.a < np.inf:
            raise ValueError(f"a must be positive and finite, got {self.a!r}: for plain weights write Direct(x0)")
        object.__setattr__(self, "x0", x0)
        object.__setattr__(self, "a", float(self.a))

    @classmethod
    def at(cls, x0: Any = 0.0, *, a: float, d: int | None = None) -> "HAM":
        """Start at x0.

        Parameters
        ----------
        x0 : float or array_like, shape (d,)
            Where the weights start.
        a : float
            Positive.
        d : int, optional
            Number of weights, needed where x0 is a number.

        Returns
        -------
        HAM
            At this start.

        Raises
        ------
        ValueError
            If x0 and d do not fit together, or there is neither an array nor d, or a is not positive.
        """
        check_number("a", a)
        x0, _ = broadcast_start(x0, np.zeros(()), d, "HAM.at(0.0, a=1.0, d=problem.d)")
        return cls(x0, a)

    @property
    def d(self) -> int:
        """Number of effective weights."""
        return self.x0.size

    @property
    def theta0(self) -> Array:
        """The parameters t of the start, shape (d,)."""
        return 2 * self.x0 / (1 + np.sqrt(1 + self.a * np.abs(self.x0)))

    def effective(self, theta: Array) -> Array:
        """Return x = t + a t|t|/4."""
        return theta * (1 + 0.25 * self.a * np.abs(theta))

    def pullback(self, theta: Array, grad_x: Array) -> Array:
        """Return (1 + a|t|/2) grad_x."""
        return (1 + 0.5 * self.a * np.abs(theta)) * grad_x

    def penalty_gradient(self, theta: Array) -> Array:
        """Return the gradient of 2R(x), 4 sign(t) (1 + a|t|/2) ln(1 + a|t|/2)/a."""
        half = 0.5 * self.a * np.abs(theta)
        return np.copysign(4 * (1 + half) * np.log1p(half) / self.a, theta)

    def mirror(self) -> mirrors.HAM:
        """Return HAM's potential, started at x0."""
        return mirrors.HAM(self.x0, self.a)
