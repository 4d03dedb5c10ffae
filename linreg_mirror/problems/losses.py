"""Losses l(r) of the residual r = Xx - y; a problem's objective is f(x) = l(Xx - y)."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from linreg_mirror._tools.arguments import check_positive
from linreg_mirror._types import Array


@runtime_checkable
class Loss(Protocol):
    """A differentiable function of the residual, smallest (zero) at r = 0.

    That is all that solvers assume: samples may count differently, and signs too. A loss of one's own derives from this
    class, and promises more by the attributes below; the default is no.

    Attributes
    ----------
    convex : bool
        Whether l is convex on R^n.
    quasi_convex : bool
        Whether every sublevel set of l is convex, which is all that convergence of the mirror flow needs
        (Mask in the Mirror, Theorem 2.2). A sum of quasi-convex functions need not be quasi-convex.
    separable : bool
        Whether l is a sum over samples, so that minibatches estimate its gradient.
    """

    convex: ClassVar[bool] = False
    quasi_convex: ClassVar[bool] = False
    separable: ClassVar[bool] = False

    def value(self, r: Array) -> float:
        """Return l(r).

        Parameters
        ----------
        r : array, shape (n,)
            Residual, in the units of y.
        """
        ...

    def gradient(self, r: Array) -> Array:
        """Return the gradient of l at r, shape (n,).

        Parameters
        ----------
        r : array, shape (n,)
            Residual, in the units of y.
        """
        ...

    def hessian_product(self, r: Array, v: Array) -> Array:
        """Return the Hessian of l at r times v.

        Parameters
        ----------
        r : array, shape (n,)
            Residual, in the units of y.
        v : array, shape (n,) or (n, k)
            One direction, or one in each column.
        """
        ...


def _scale_rows(weights: Array, v: Array) -> Array:
    return weights[:, None] * v if v.ndim == 2 else weights * v


@dataclass(frozen=True)
class Squared:
    """l(r) = |r|^2 / 2, the loss of linear regression.

    Examples
    --------
    >>> import numpy as np
    >>> from linreg_mirror import losses
    >>> losses.Squared().value(np.array([3.0, 4.0]))
    12.5
    """

    convex: ClassVar[bool] = True
    quasi_convex: ClassVar[bool] = True
    separable: ClassVar[bool] = True

    def value(self, r: Array) -> float:
        """Return |r|^2 / 2."""
        return 0.5 * float(r @ r)

    def gradient(self, r: Array) -> Array:
        """Return r."""
        return r

    def hessian_product(self, r: Array, v: Array) -> Array:
        """Return v: the Hessian is the identity."""
        return v


@dataclass(frozen=True)
class Huber:
    """Huber's loss: quadratic up to `delta`, linear beyond.

    Parameters
    ----------
    delta : float
        Residual at which the loss turns linear, in the units of y; positive.

    Raises
    ------
    ValueError
        If delta is not positive and finite.

    Examples
    --------
    >>> import numpy as np
    >>> from linreg_mirror import losses
    >>> losses.Huber(delta=1.0).gradient(np.array([0.5, 3.0, -3.0])).tolist()
    [0.5, 1.0, -1.0]
    """

    delta: float = 1.0
    convex: ClassVar[bool] = True
    quasi_convex: ClassVar[bool] = True
    separable: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_positive("delta", self.delta, "write Huber(delta=1.0)")

    def value(self, r: Array) -> float:
        """Return the sum of r_i^2/2 where |r_i| <= delta and delta (|r_i| - delta/2) elsewhere."""
        small = np.minimum(np.abs(r), self.delta)
        return float(np.sum(small * (np.abs(r) - 0.5 * small)))

    def gradient(self, r: Array) -> Array:
        """Return r clipped to [-delta, delta]."""
        return np.clip(r, -self.delta, self.delta)

    def hessian_product(self, r: Array, v: Array) -> Array:
        """Return v in the quadratic rows and zero in the linear ones."""
        return _scale_rows((np.abs(r) <= self.delta).astype(float), v)


@dataclass(frozen=True)
class LogCosh:
    """l(r) = sum log cosh r_i: smooth, quadratic near zero, linear far away.

    Examples
    --------
    >>> import numpy as np
    >>> from linreg_mirror import losses
    >>> losses.LogCosh().gradient(np.array([0.0, 20.0])).round(6).tolist()  # tanh
    [0.0, 1.0]
    """

    convex: ClassVar[bool] = True
    quasi_convex: ClassVar[bool] = True
    separable: ClassVar[bool] = True

    def value(self, r: Array) -> float:
        """Return sum log cosh r_i without overflow."""
        size = np.abs(r)
        return float(np.sum(size + np.log1p(np.exp(-2 * size)) - np.log(2)))

    def gradient(self, r: Array) -> Array:
        """Return tanh r."""
        return np.tanh(r)

    def hessian_product(self, r: Array, v: Array) -> Array:
        """Return (1 - tanh^2 r) v."""
        return _scale_rows(1 - np.tanh(r) ** 2, v)


@dataclass(frozen=True)
class JointCauchy:
    """l(r) = log(1 + |r|^2): not convex, but quasi-convex, because it increases in |r| alone.

    Examples
    --------
    >>> import numpy as np
    >>> from linreg_mirror import losses
    >>> round(losses.JointCauchy().value(np.array([3.0, 4.0])), 6)
    3.258097
    """

    convex: ClassVar[bool] = False
    quasi_convex: ClassVar[bool] = True
    separable: ClassVar[bool] = False

    def value(self, r: Array) -> float:
        """Return log(1 + |r|^2)."""
        return float(np.log1p(r @ r))

    def gradient(self, r: Array) -> Array:
        """Return 2 r / (1 + |r|^2)."""
        return 2 * r / (1 + r @ r)

    def hessian_product(self, r: Array, v: Array) -> Array:
        """Return 2 v / (1 + |r|^2) - 4 r (r'v) / (1 + |r|^2)^2."""
        q = 1 + r @ r
        u = r / np.sqrt(q)  # at most of length 1, where |r|^2 is beyond float64 too
        return 2 / q * (v - 2 * np.multiply.outer(u, u @ v))


@dataclass(frozen=True)
class EntrywiseCauchy:
    """l(r) = sum log(1 + r_i^2): not quasi-convex for n >= 2; the control of the convergence theorems.

    Examples
    --------
    >>> import numpy as np
    >>> from linreg_mirror import losses
    >>> losses.EntrywiseCauchy().gradient(np.array([0.0, 1.0, 3.0])).round(6).tolist()  # 2r/(1 + r^2)
    [0.0, 1.0, 0.6]
    """

    convex: ClassVar[bool] = False
    quasi_convex: ClassVar[bool] = False
    separable: ClassVar[bool] = True

    def value(self, r: Array) -> float:
        """Return sum log(1 + r_i^2)."""
        return float(np.sum(np.log1p(r**2)))

    def gradient(self, r: Array) -> Array:
        """Return 2 r / (1 + r^2)."""
        return 2 * r / (1 + r**2)

    def hessian_product(self, r: Array, v: Array) -> Array:
        """Return 2 (1 - r^2) / (1 + r^2)^2 times v."""
        q = 1 + r**2
        return _scale_rows(2 * (2 / q - 1) / q, v)
