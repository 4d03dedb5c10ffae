"""Plain weights x, the parametrization that changes nothing."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from linreg_mirror._tools.arguments import as_real_array, check_integer
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Euclidean
from linreg_mirror.parametrizations.protocol import Parametrization


@dataclass(frozen=True, eq=False, repr=False)
class Direct(Parametrization):
    """x = theta, with penalty |x|^2.

    Parameters
    ----------
    x0 : array_like, shape (d,)
        Where the weights start.

    Raises
    ------
    ValueError
        If x0 is no array of shape (d,), or not finite.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> lm.Direct.at(0.0, d=3).theta0.tolist()
    [0.0, 0.0, 0.0]
    """

    x0: Array
    diagonal: ClassVar[bool] = True

    def __post_init__(self) -> None:
        x0 = as_real_array("x0", self.x0)
        if x0.ndim != 1 or not x0.size:
            raise ValueError(f"x0 must have shape (d,) with d >= 1, got {x0.shape}: write Direct.at(0.0, d=problem.d)")
        object.__setattr__(self, "x0", x0)

    @classmethod
    def at(cls, x0: Any = 0.0, d: int | None = None) -> "Direct":
        """Start at x0.

        Parameters
        ----------
        x0 : float or array_like, shape (d,)
            Where the weights start.
        d : int, optional
            Number of weights, needed where x0 is a number.

        Returns
        -------
        Direct
            At this start.

        Raises
        ------
        ValueError
            If x0 and d do not fit together, or there is neither an array nor d.
        """
        x0 = as_real_array("x0", x0)
        if d is not None:
            check_integer("d", d, 1)
        if d is not None and x0.shape not in ((), (d,)):
            raise ValueError(
                f"x0 must be a number or have shape (d,), got x0 of shape {x0.shape} and d={d}: leave d out"
            )
        return cls(np.full(d, x0) if d is not None and x0.ndim == 0 else x0)

    @property
    def d(self) -> int:
        """Number of effective weights."""
        return self.x0.size

    @property
    def theta0(self) -> Array:
        """The start, shape (d,)."""
        return self.x0

    def effective(self, theta: Array) -> Array:
        """Return theta."""
        return theta

    def pullback(self, theta: Array, grad_x: Array) -> Array:
        """Return grad_x."""
        return grad_x

    def penalty_gradient(self, theta: Array) -> Array:
        """Return 2 theta."""
        return 2 * theta

    def mirror(self) -> Euclidean:
        """Return the squared norm, started at x0."""
        return Euclidean(self.x0)

    def violation(self, x: Array, grad_x: Array, alpha: float, scale: float) -> float:
        """Return the largest entry of the gradient of f + alpha |x|^2."""
        return float(np.abs(grad_x + 2 * alpha * x).max() / scale)
