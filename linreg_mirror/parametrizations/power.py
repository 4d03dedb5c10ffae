"""Diagonal networks of depth D, x = p^D - q^D."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from linreg_mirror import mirrors
from linreg_mirror._tools.arguments import as_real_array, check_integer
from linreg_mirror._types import Array
from linreg_mirror.mirrors.power import log_lift
from linreg_mirror.parametrizations._lasso import lasso_violation
from linreg_mirror.parametrizations._start import broadcast_start, refuse_underflow
from linreg_mirror.parametrizations.protocol import Parametrization


@dataclass(frozen=True, eq=False, repr=False)
class Power(Parametrization):
    """x = p^D - q^D entry by entry, with penalty |p|^2 + |q|^2, started at (p0, q0).

    The one number that decides about bias is the **scale** a, 2 a^(2-D) = p0^(2-D) + q0^(2-D), the geometric mean of
    p0 and q0 at depth 2: where the start is p0 = q0, so that x0 = 0, it is their common value. Use `from_scale`.

    A schedule's alpha multiplies |p|^2 + |q|^2, so that p' = -D p^(D-1) g - 2 alpha p with g the gradient of f. Depth 2
    is x = m*w with p = (m+w)/2, q = (m-w)/2, scale b = 2 a^2 and |m|^2 + |w|^2 = 2(|p|^2 + |q|^2), at twice the speed:
    with penalty alpha at time t it is where m*w with penalty alpha/2 is at time 2t.

    Parameters
    ----------
    p0, q0 : array_like, shape (d,)
        Initial factors, positive.
    depth : int
        D >= 2.

    Attributes
    ----------
    log_scale : array, shape (d,)
        log a.
    tilt : array, shape (d,)
        log(p0/q0), zero where the start is x0 = 0.

    Raises
    ------
    ValueError
        If a factor is not positive, shapes differ, or the depth is not an integer >= 2.

    Notes
    -----
    Woodworth et al. (arXiv 2002.09277), section 5. From depth 3 on the penalty's field commutes with the gradients of
    x_i only up to a factor, [grad h, grad x_i] ~ 2(D-2) grad x_i: there is a mirror, but its clock slows down.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> network = lm.Power([2.0, 1.0], [1.0, 1.0], depth=3)
    >>> network.effective(network.theta0).tolist()
    [7.0, 0.0]
    """

    cites: ClassVar[tuple[str, ...]] = ("woodworth2020kernel",)
    p0: Array
    q0: Array
    depth: int
    log_scale: Array = field(init=False, repr=False)
    tilt: Array = field(init=False, repr=False)
    diagonal: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_integer("depth", self.depth, least=2)
        p0, q0 = as_real_array("p0", self.p0), as_real_array("q0", self.q0)
        if p0.ndim != 1 or p0.shape != q0.shape or not p0.size:
            raise ValueError(f"p0 and q0 must both have shape (d,) with d >= 1, got {p0.shape} and {q0.shape}")
        bad = np.flatnonzero((p0 <= 0) | (q0 <= 0))
        if bad.size:
            i = bad[0]
            raise ValueError(
                f"p0 and q0 must be positive, got p0 = {p0[i]:g}, q0 = {q0[i]:g} at index {i}: a factor that is 0 "
                "stays 0; write Power.from_scale(..., x0=p0**depth - q0**depth) with a small scale"
            )
        log_p, log_q = np.log(p0), np.log(q0)
        tilt = log_p - log_q
        self._set(p0, q0, self.depth, 0.5 * (log_p + log_q) - log_lift(0.5 * tilt, self.depth), tilt)

    def _set(self, p0: Array, q0: Array, depth: int, log_scale: Array, tilt: Array) -> None:
        for name, value in {"p0": p0, "q0": q0, "depth": depth, "log_scale": log_scale, "tilt": tilt}.items():
            object.__setattr__(self, name, value)

    @classmethod
    def from_scale(
        cls, alpha: Any = None, *, depth: int, log_alpha: Any = None, x0: Any = 0.0, d: int | None = None
    ) -> "Power":
        """Start at x0 with scale a = `alpha`, given itself or, where it is too small for a float64, as `log_alpha`.

        Parameters
        ----------
        alpha : float or array_like, shape (d,)
            The scale; for x0 = 0 the start is p0 = q0 = alpha.
        depth : int
            D >= 2.
        log_alpha : float or array_like, shape (d,)
            The logarithm of the scale; exactly one of the two is given.
        x0 : float or array_like, shape (d,)
            Where the effective weights start.
        d : int, optional
            Number of entries, needed where all else are numbers.

        Returns
        -------
        Power
            At this start.

        Raises
        ------
        ValueError
            If not exactly one of alpha and log_alpha is given, alpha is not positive, or the shapes and d do not name
            one number of entries.
        """
        check_integer("depth", depth, least=2)
        if (alpha is None) == (log_alpha is None):
            raise ValueError(
                "give exactly one of alpha and log_alpha: Power.from_scale(1e-3, depth=3, d=d) or "
                "(log_alpha=-1e3, depth=3, d=d)"
            )
        if log_alpha is None:
            alpha = as_real_array("alpha", alpha)
            if not (alpha > 0).all():
                raise ValueError(
                    f"the scale alpha must be positive, got {alpha.min():g}: write log_alpha= for a very small one"
                )
            log_alpha = np.log(alpha)
        log_alpha = as_real_array("log_alpha", log_alpha)
        x0, log_a = broadcast_start(x0, log_alpha, d, "Power.from_scale(1e-3, depth=3, d=problem.d)")
        r = mirrors.Power(log_a, 0.0, depth).half_log_ratio(x0, 0.0)
        mean = log_a + log_lift(r, depth)
        network = object.__new__(cls)
        network._set(np.exp(mean + r), np.exp(mean - r), depth, log_a, 2 * r)
        return network

    @property
    def d(self) -> int:
        """Number of effective weights."""
        return self.p0.size

    @property
    def theta0(self) -> Array:
        """Initial parameters (p0, q0), shape (2d,)."""
        return np.concatenate([self.p0, self.q0])

    def effective(self, theta: Array) -> Array:
        """Return x = p^D - q^D."""
        return theta[: self.d] ** self.depth - theta[self.d :] ** self.depth

    def pullback(self, theta: Array, grad_x: Array) -> Array:
        """Return (D p^(D-1) grad_x, -D q^(D-1) grad_x), shape (2d,)."""
        slope = self.depth * theta ** (self.depth - 1)
        return slope * np.concatenate([grad_x, -grad_x])

    def penalty_gradient(self, theta: Array) -> Array:
        """Return 2 theta."""
        return 2 * theta

    def second_order(self, theta: Array, grad_x: Array, alpha: float) -> tuple[Array, Array] | None:
        """Return the Jacobian of x, (d, 2d), and the Hessian of <grad_x, x> + alpha h, (2d, 2d)."""
        if type(self) is not Power:  # a subclass may have a product of its own
            return None
        d, D, each = self.d, self.depth, np.arange(self.d)
        slope = D * theta ** (D - 1)
        jacobian = np.zeros((d, 2 * d))
        jacobian[each, each], jacobian[each, d + each] = slope[:d], -slope[d:]
        bend = D * (D - 1) * theta ** (D - 2) * np.concatenate([grad_x, -grad_x])
        return jacobian, np.diag(bend + 2 * alpha)

    def mirror(self) -> mirrors.Power:
        """Return the potential of depth D at scale a, tilted by the start."""
        return mirrors.Power(self.log_scale, self.tilt, self.depth)

    def check_start(self) -> None:
        """Raise ValueError where p or q is zero in float64."""
        refuse_underflow("alpha", self.log_scale, np.minimum(self.p0, self.q0))

    def violation(self, x: Array, grad_x: Array, alpha: float, scale: float) -> float | None:
        """Return the violation of grad f = 0, at depth 2 that of LASSO with weight alpha.

        None for a penalty from depth 3 on, which makes p_i = q_i = 0 stable, whatever the gradient is.
        """
        return lasso_violation(x, grad_x, alpha, scale) if alpha == 0 or self.depth == 2 else None
