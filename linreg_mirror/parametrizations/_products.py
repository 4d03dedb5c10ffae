"""Products of matrices: what ends their training, whatever their number."""

from typing import TYPE_CHECKING, Protocol

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.parametrizations.protocol import Parametrization

_ROUNDING = 1e-14


class Product(Parametrization, Protocol):
    """A network whose x is homogeneous in its parameters.

    Attributes
    ----------
    degree : int
        Degree of x in the parameters.
    """

    if TYPE_CHECKING:

        @property
        def degree(self) -> int: ...

    def unused_slope(self, grad_x: Array, alpha: float) -> float:
        """Return the steepest descent of f + alpha h that weights near zero could still make use of.

        Parameters
        ----------
        grad_x : array, shape (d,)
            Gradient of f.
        alpha : float
            The penalty.
        """
        ...

    def violation(self, x: Array, grad_x: Array, alpha: float, scale: float) -> None:
        """Return None: only parameters can tell, for the start may not have every rank."""
        return

    def violation_of_parameters(self, theta: Array, grad_x: Array, alpha: float, scale: float) -> float:
        """Return the largest force on a parameter, or what weights near zero could still gain if that is more.

        Unless the force is rounding: a rank that the start does not have is never gained.
        """
        force = np.abs(self.pullback(theta, grad_x) + alpha * self.penalty_gradient(theta)).max()
        size = np.abs(theta).max()
        unit = size ** (self.degree - 1) if alpha == 0 and size > 0 else max(1.0, size)
        force /= unit * scale
        if force < _ROUNDING:
            return float(force)
        return float(max(force, self.unused_slope(grad_x, alpha) / scale))
