"""How effective weights are built from parameters."""

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Protocol

import numpy as np

from linreg_mirror._tools.reprs import short_repr
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Mirror


class NoMirror(ValueError):
    """The parametrization follows no mirror flow; the message names the Lie bracket that does not vanish.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> try:
    ...     lm.Hadamard.balanced([1.0, 2.0]).mirror()
    ... except lm.NoMirror as error:
    ...     print(str(error).partition(":")[0])
    the start is balanced (m0^2 = w0^2) at index 0
    """


class Parametrization(Protocol):
    """A network x = G(theta) together with the parameters it starts from. A mirror is not implied.

    A network of one's own derives from this class and defines `d`, `theta0`, `effective`, `pullback`,
    `penalty_gradient` and `mirror`. What solvers ask besides has defaults.

    Attributes
    ----------
    d : int
        Number of effective weights.
    theta0 : array, shape (p,)
        Initial parameters, flattened.
    diagonal : bool
        Whether each x_i has parameters of its own, so that the Jacobian J of x has a diagonal JJ'. Default: no.
    cites : tuple of str
        BibTeX keys of the papers it comes from. Default: none.
    """

    diagonal: ClassVar[bool] = False
    cites: ClassVar[tuple[str, ...]] = ()
    __repr__ = short_repr

    if TYPE_CHECKING:  # as properties, they could not be fields of a dataclass that derives from this

        @property
        def d(self) -> int: ...  # noqa: D102

        @property
        def theta0(self) -> Array: ...  # noqa: D102

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

    def second_order(self, theta: Array, grad_x: Array, alpha: float) -> tuple[Array, Array] | None:
        """Return the Jacobian of x, (d, p), and the Hessian of <grad_x, x> + alpha h, (p, p); None is the default.

        Implicit integrators of the parameters take the Jacobian of their ODE from these. Without, they difference it.

        Parameters
        ----------
        theta : array, shape (p,)
            Parameters.
        grad_x : array, shape (d,)
            What multiplies x.
        alpha : float
            The penalty.
        """
        return None

    def mirror(self) -> Mirror:
        """Return the potential whose mirror flow x follows.

        Raises
        ------
        NoMirror
            If there is none; the message names the Lie bracket that does not vanish.
        """
        ...

    @cached_property
    def has_mirror(self) -> bool:
        """Whether x follows a mirror flow."""
        try:
            self.mirror()
        except NoMirror:
            return False
        return True

    def log_factors(self) -> tuple[Array, Array] | None:
        """Return log u and log v at the start, or None, the default, unless x = (u^2 - v^2)/2 with penalty u^2 + v^2.

        Parameters are then theta = (m, w) = (u + v, u - v)/sqrt 2. `descent` derives its implicit bias from them.
        """
        return None

    def check_start(self) -> None:
        """Raise ValueError where float64 rounds parameters at the start to zero, so that no step moves them."""
        return

    def violation(self, x: Array, grad_x: Array, alpha: float, scale: float) -> float | None:
        """Return how far x is from where the flow with constant penalty alpha ends; None if only parameters can tell.

        Default: the largest entry of the gradient if there is a mirror and no penalty, else None.

        Parameters
        ----------
        x : array, shape (d,)
            Effective weights.
        grad_x : array, shape (d,)
            Gradient of f there.
        alpha : float
            The penalty that remains for ever.
        scale : float
            What is counted as a gradient of size one.
        """
        return float(np.abs(grad_x).max() / scale) if alpha == 0 and self.has_mirror else None

    def violation_of_parameters(self, theta: Array, grad_x: Array, alpha: float, scale: float) -> float:
        """Return how far the parameters are from where their flow ends. Default: the largest force on one of them.

        Parameters
        ----------
        theta : array, shape (p,)
            Parameters.
        grad_x : array, shape (d,)
            Gradient of f in x.
        alpha : float
            The penalty that remains for ever.
        scale : float
            What is counted as a gradient of size one.
        """
        force = np.abs(self.pullback(theta, grad_x) + alpha * self.penalty_gradient(theta)).max()
        return float(force / (scale * max(1.0, np.abs(theta).max())))
