"""What flow, limit and certificates need to know of a potential."""

from collections.abc import Iterator
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from array_api_compat import array_namespace

from linreg_mirror._tools.reprs import short_repr

_STEP = 1e-4  # of A, in difference quotients: their error is about 1e-8


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

    A potential of one's own derives from this class and defines `initial_dual`, `primal`, `dual`, `metric` and
    `conjugate`. The other methods have defaults made from these; one that knows better replaces them.

    Attributes
    ----------
    initial_dual : array, shape (..., d)
        The dual point z_0 at time zero.
    linear : bool
        Whether x is proportional to its dual, and errors with it. Default: no.
    """

    initial_dual: Any
    linear: ClassVar[bool] = False
    __repr__ = short_repr

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
        """Return dx/dA at fixed z: how the penalty moves x. Default: by central differences.

        Parameters
        ----------
        z : array, shape (d,)
            Dual variables.
        A : float or array, shape (d,)
            Accumulated penalty.
        """
        return (self.primal(z, A + _STEP) - self.primal(z, A - _STEP)) / (2 * _STEP)

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
        """Return R_A(x) - <x, z_0>, entry by entry: what the flow's limit minimises. Default: from the conjugate.

        Parameters
        ----------
        x : array, shape (d,)
            Effective weights.
        A : float or array, shape (d,)
            Accumulated penalty.
        """
        z = self.dual(x, A)
        return x * (z - self.initial_dual) - self.conjugate(z, A)

    def dual_rate(self, A: Any) -> Any:
        """Return kappa(A), the speed of the dual flow. Default: 1.

        Parameters
        ----------
        A : float or array
            Accumulated penalty.
        """
        return 1.0

    def log_scale_at(self, A: Any) -> Any:
        """Return the logarithm of the scale at A; None, the default, for a potential that has no such parameter.

        Parameters
        ----------
        A : float or array, shape (d,)
            Accumulated penalty.
        """
        return None

    def metric_slope(self, z: Any, A: Any, radius: Any) -> Any:
        """Return an upper bound of |d log metric / dz| within `radius` of z; None, the default, promises nothing.

        Error bars of limits are proved from it.

        Parameters
        ----------
        z : array, shape (d,)
            Dual variables.
        A : float or array, shape (d,)
            Accumulated penalty.
        radius : array, shape (d,)
            How far dual variables may move.
        """
        return None

    def resolution(self, size: float, A: float) -> tuple[float, float]:
        """Return the relative and the absolute change of dual variables that changes weights of `size` by a factor.

        Errors of a dual variable appear in x divided by these. Default: from the metric at weights of that size.

        Parameters
        ----------
        size : float
            Of the weights.
        A : float
            Accumulated penalty.
        """
        like = np.ones_like(self.initial_dual)
        with np.errstate(all="ignore"):  # a potential may know one sign only
            z = np.concatenate([np.ravel(self.dual(sign * size * like, A)) for sign in (1, -1)])
            change = size / np.concatenate([np.ravel(self.metric(self.dual(s * size * like, A), A)) for s in (1, -1)])
            absolute = float(np.nanmin(change))
            return min(1.0, float(np.nanmin(change / np.abs(z)))), absolute

    def continuation(self, A: float, size: float) -> Iterator[Potential]:
        """Yield ever harder potentials, the last of them R_A tilted by the initial dual itself.

        The first is close to quadratic for weights of about the given size, so that Newton's method can start there.
        Default: the last alone.

        Parameters
        ----------
        A : float
            Accumulated penalty.
        size : float
            Of the weights.

        Yields
        ------
        Potential
            One for each stage.
        """
        yield Potential(self.initial_dual, A, 1.0, last=True)
