"""What flow, limit and certificates need to know of a potential."""

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from array_api_compat import array_namespace


def namespace(array: Any) -> Any:
    """Return the array API namespace of an array; for NumPy's own without the detour, which costs more than a sinh."""
    return np if type(array) is np.ndarray else array_namespace(array)


def at_most(array: Any, cap: float) -> Any:
    """Return the lesser of each entry and a number."""
    xp = namespace(array)
    # clip takes a number in every library; minimum is quicker where it does.
    return np.minimum(array, cap) if xp is np else xp.clip(array, None, cap)


class Potential(NamedTuple):
    """A potential on the way to the one that is wanted.

    Attributes
    ----------
    z0 : array, shape (d,)
        Its initial dual.
    A : float or array, shape (d,)
        Its accumulated penalty.
    growth : float
        Factor by which dual variables are expected to have grown since the potential before.
    last : bool
        Whether it is the one that is wanted.
    """

    z0: Any
    A: Any
    growth: float
    last: bool


class Mirror(Protocol):
    """A separable potential R_A on R^d that changes with the accumulated penalty A.

    The flow it describes is z' = -dual_rate(A) grad f(x), x = primal(z, A), started at z = initial_dual.
    Arrays are NumPy arrays or torch tensors of shape (..., d), answers are of the same kind; a batch of
    potentials has its own leading dimensions.

    Attributes
    ----------
    initial_dual : array, shape (..., d)
        The dual point z_0 at time zero.
    """

    initial_dual: Any

    def primal(self, z: Any, A: Any) -> Any:
        """Return x, the gradient of the conjugate at z.

        Parameters
        ----------
        z : array, shape (d,)
            Dual variables.
        A : float or array, shape (d,)
            Accumulated penalty.
        """
        ...

    def dual(self, x: Any, A: Any) -> Any:
        """Return z, the inverse of `primal`.

        Parameters
        ----------
        x : array, shape (d,)
            Effective weights.
        A : float or array, shape (d,)
            Accumulated penalty.
        """
        ...

    def primal_rate(self, z: Any, A: Any) -> Any:
        """Return dx/dA at fixed z: how the penalty moves x.

        Parameters
        ----------
        z : array, shape (d,)
            Dual variables.
        A : float or array, shape (d,)
            Accumulated penalty.
        """
        ...

    def metric(self, z: Any, A: Any) -> Any:
        """Return dx/dz, the diagonal of the inverse Hessian of the potential, positive.

        Parameters
        ----------
        z : array, shape (d,)
            Dual variables.
        A : float or array, shape (d,)
            Accumulated penalty.
        """
        ...

    def conjugate(self, z: Any, A: Any) -> Any:
        """Return the conjugate potential, entry by entry.

        Parameters
        ----------
        z : array, shape (d,)
            Dual variables.
        A : float or array, shape (d,)
            Accumulated penalty.
        """
        ...

    def potential(self, x: Any, A: Any) -> Any:
        """Return R_A(x) - <x, z_0>, entry by entry: what the flow's limit minimises.

        Parameters
        ----------
        x : array, shape (d,)
            Effective weights.
        A : float or array, shape (d,)
            Accumulated penalty.
        """
        ...

    def dual_rate(self, A: Any) -> Any:
        """Return kappa(A), the speed of the dual flow.

        Parameters
        ----------
        A : float or array
            Accumulated penalty.
        """
        ...

    def resolution(self, size: float, A: float) -> tuple[float, float]:
        """Return the relative and the absolute change of dual variables that changes weights of `size` by a factor.

        Errors of a dual variable appear in x divided by these.

        Parameters
        ----------
        size : float
            Of the weights.
        A : float
            Accumulated penalty.
        """
        ...

    def continuation(self, A: float, size: float) -> Iterator[Potential]:
        """Yield ever harder potentials, the last of them R_A tilted by the initial dual itself.

        The first is close to quadratic for weights of about the given size, so that Newton's method can start there.

        Parameters
        ----------
        A : float
            Accumulated penalty.
        size : float
            Of the weights.
        """
        ...
