"""How effective weights are built from parameters."""

from typing import Protocol

from linreg_mirror._types import Array
from linreg_mirror.mirrors import Mirror


class Parametrization(Protocol):
    """A network x = G(theta) together with the parameters it starts from. A mirror is not implied.

    Attributes
    ----------
    d : int
        Number of effective weights.
    theta0 : array, shape (p,)
        Initial parameters, flattened.
    """

    @property
    def d(self) -> int:
        """Number of effective weights."""
        ...

    @property
    def theta0(self) -> Array:
        """Initial parameters, shape (p,)."""
        ...

    def effective(self, theta: Array) -> Array:
        """Return x, shape (d,).

        Parameters
        ----------
        theta : array, shape (p,)
            Parameters.
        """
        ...

    def pullback(self, theta: Array, grad_x: Array) -> Array:
        """Return the gradient in theta, shape (p,), of a function of x.

        Parameters
        ----------
        theta : array, shape (p,)
            Parameters.
        grad_x : array, shape (d,)
            Gradient of the function in x.
        """
        ...

    def penalty_gradient(self, theta: Array) -> Array:
        """Return the gradient of the penalty h(theta) that alpha multiplies, shape (p,).

        Parameters
        ----------
        theta : array, shape (p,)
            Parameters.
        """
        ...

    def mirror(self) -> Mirror:
        """Return the potential whose mirror flow x follows.

        Raises
        ------
        NoMirror
            If there is none; the message names the Lie bracket that does not vanish.
        """
        ...
