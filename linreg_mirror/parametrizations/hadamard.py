"""Diagonal linear networks x = m*w."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np

from linreg_mirror._tools.arguments import as_real_array
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.parametrizations._lasso import lasso_violation
from linreg_mirror.parametrizations._start import broadcast_start, refuse_underflow
from linreg_mirror.parametrizations.commutation import describe_defect
from linreg_mirror.parametrizations.protocol import NoMirror, Parametrization


@dataclass(frozen=True, eq=False, repr=False)
class Hadamard(Parametrization):
    """x = m*w entry by entry, with penalty |m|^2 + |w|^2, started at (m0, w0).

    The one number that decides about bias is the **scale** b = (m0^2 - w0^2)/2, one for each entry. Use one of the
    constructors: `at` (a start x0 and PILoT's beta = 2b), `from_scale` (b or log b), `from_alpha` (Woodworth's
    alpha, b = 2 alpha^2), `from_tilt` (the potential itself), `balanced` (b = 0).

    Parameters
    ----------
    m0, w0 : array_like, shape (d,)
        Initial factors, |w0| <= m0 entry by entry.
    decay_on : {"both", "m"}
        Which factors the penalty acts on. With "m" the penalty is |m|^2 alone and there is no mirror.

    Attributes
    ----------
    log_scale : array, shape (d,)
        log b; -inf where the start is balanced.
    tilt : array, shape (d,)
        log(u0/v0) = arcsinh(x0/b), with u = (m+w)/sqrt 2 and v = (m-w)/sqrt 2.

    Raises
    ------
    ValueError
        If |w0| > m0 somewhere, or shapes differ.

    Notes
    -----
    Mask in the Mirror (arXiv 2408.09966); Woodworth et al. (2020) for the scale.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> network = lm.Hadamard.at(x0=[0.0, 1.0], beta=1.0)
    >>> network.effective(network.theta0).round(6).tolist()
    [0.0, 1.0]
    >>> (network.m0**2 - network.w0**2).round(6).tolist()
    [1.0, 1.0]
    """

    cites: ClassVar[tuple[str, ...]] = ("jacobs2025mask", "woodworth2020kernel")
    m0: Array
    w0: Array
    decay_on: Literal["both", "m"] = "both"
    log_scale: Array = field(init=False, repr=False)
    tilt: Array = field(init=False, repr=False)
    diagonal: ClassVar[bool] = True

    def __post_init__(self) -> None:
        m0, w0 = as_real_array("m0", self.m0), as_real_array("w0", self.w0)
        if m0.ndim != 1 or m0.shape != w0.shape or not m0.size:
            raise ValueError(f"m0 and w0 must both have shape (d,) with d >= 1, got {m0.shape} and {w0.shape}")
        if self.decay_on not in ("both", "m"):
            raise ValueError(f'decay_on must be "both" or "m", got {self.decay_on!r}')
        bad = np.flatnonzero(np.abs(w0) > m0)
        if bad.size:
            i = bad[0]
            raise ValueError(
                f"|w0| <= m0 is required entry by entry, got m0 = {m0[i]:g}, w0 = {w0[i]:g} at index {i}: exchange the "
                "roles of m and w there, or write Hadamard.at(x0=m0*w0, beta=...)"
            )
        with np.errstate(divide="ignore", invalid="ignore"):
            log_u, log_v = np.log(m0 + w0), np.log(m0 - w0)
            tilt = np.where(m0 > 0, log_u - log_v, 0.0)
        self._set(m0, w0, log_u + log_v - np.log(2), tilt)

    def _set(self, m0: Array, w0: Array, log_scale: Array, tilt: Array) -> None:
        for name, value in {"m0": m0, "w0": w0, "log_scale": log_scale, "tilt": tilt}.items():
            object.__setattr__(self, name, value)

    @classmethod
    def at(cls, x0: Any = 0.0, beta: Any = 1.0, d: int | None = None) -> "Hadamard":
        """Start at x0 with m0^2 - w0^2 = beta (PILoT's initialisation; Mask in the Mirror, Algorithm 1).

        Parameters
        ----------
        x0 : float or array_like, shape (d,)
            Where the effective weights start.
        beta : float or array_like, shape (d,)
            m0^2 - w0^2 > 0, twice the scale b.
        d : int, optional
            Number of entries, needed where x0 and beta are both numbers.

        Returns
        -------
        Hadamard
            At this start.

        Raises
        ------
        ValueError
            If beta is not positive, or the shapes and d do not name one number of entries.
        """
        beta = as_real_array("beta", beta)
        if not (beta > 0).all():
            raise ValueError(
                f"beta must be positive, got {beta.min():g}: write Hadamard.balanced(x0) for m0^2 = w0^2 (no mirror)"
            )
        return cls._from_log_scale(x0, np.log(beta) - np.log(2), d, "Hadamard.at(x0=0.0, beta=1.0, d=problem.d)")

    @classmethod
    def from_scale(cls, b: Any = None, *, log_b: Any = None, x0: Any = 0.0, d: int | None = None) -> "Hadamard":
        """Start at x0 with scale b, given itself or, where it is too small for a float64, as `log_b`.

        Parameters
        ----------
        b, log_b : float or array_like, shape (d,)
            The scale or its logarithm; exactly one of the two.
        x0 : float or array_like, shape (d,)
            Where the effective weights start.
        d : int, optional
            Number of entries, needed where all else are numbers.

        Returns
        -------
        Hadamard
            At this start.

        Raises
        ------
        ValueError
            If not exactly one of b and log_b is given, b is not positive, or the shapes and d do not name one number of
            entries.
        """
        if (b is None) == (log_b is None):
            raise ValueError("give exactly one of b and log_b: Hadamard.from_scale(1e-6, d=d) or (log_b=-1e5, d=d)")
        if log_b is None:
            b = as_real_array("b", b)
            if not (b > 0).all():
                raise ValueError(f"the scale b must be positive, got {b.min():g}: write log_b= for a very small one")
            log_b = np.log(b)
        given = "1e-6" if b is not None else "log_b=-14.0"
        return cls._from_log_scale(x0, as_real_array("log_b", log_b), d, f"Hadamard.from_scale({given}, d=problem.d)")

    @classmethod
    def from_alpha(cls, alpha: Any, d: int | None = None) -> "Hadamard":
        """Start at x0 = 0 with scale b = 2 alpha^2, alpha as in Woodworth et al.

        Parameters
        ----------
        alpha : float or array_like, shape (d,)
            Their initial size, of x = u^2 - v^2 with u0 = v0 = alpha; here m0 = 2 alpha and w0 = 0. Positive. It is not
            the penalty, which schedules have, nor the scale of `Power`.
        d : int, optional
            Number of entries, needed where alpha is a number.

        Returns
        -------
        Hadamard
            At this start.

        Raises
        ------
        ValueError
            If alpha is not positive, or neither an array nor d is given.

        Notes
        -----
        Woodworth et al. (2020), arXiv 2002.09277.
        """
        alpha = as_real_array("alpha", alpha)
        if not (alpha > 0).all():
            raise ValueError(
                f"alpha, the initial size u0 = v0 of Woodworth et al., must be positive, got {alpha.min():g}: write "
                "Hadamard.from_scale(log_b=...) for a very small one, and a penalty as schedule="
            )
        return cls._from_log_scale(0.0, np.log(2) + 2 * np.log(alpha), d, "Hadamard.from_alpha(1e-3, d=problem.d)")

    @classmethod
    def balanced(cls, x0: Any) -> "Hadamard":
        """Start at x0 with |m0| = |w0| (spred's initialisation): b = 0, no mirror, and no sign can change.

        Parameters
        ----------
        x0 : array_like, shape (d,)
            Where the effective weights start.

        Returns
        -------
        Hadamard
            Without a mirror.

        Raises
        ------
        ValueError
            If x0 is not of shape (d,) with d >= 1, or not finite.
        """
        x0 = as_real_array("x0", x0)
        if x0.ndim != 1 or not x0.size:
            raise ValueError(f"x0 must have shape (d,) with d >= 1, got {x0.shape}: write np.full(d, x0)")
        root = np.sqrt(np.abs(x0))
        return cls(root, np.copysign(root, x0))

    @classmethod
    def _from_log_scale(cls, x0: Any, log_b: Array, d: int | None, instead: str) -> "Hadamard":
        x0, log_b = broadcast_start(x0, log_b, d, instead)
        return cls.from_tilt(log_b, 2 * Hyperbolic(log_b, 0.0).dual(x0, 0.0))

    @classmethod
    def from_tilt(cls, log_b: Any, tilt: Any) -> "Hadamard":
        """Start where log(m0^2 - w0^2) = log 2b and log(u0/v0) = arcsinh(x0/b) is `tilt`: the potential, given itself.

        Parameters
        ----------
        log_b, tilt : array_like, shape (d,)
            Both finite. The start x0 = b sinh(tilt) may be as large as it likes: `limit` and the dual flow do not form
            it. Factors m0 and w0 beyond float64 are infinite.

        Returns
        -------
        Hadamard
            At this start.

        Raises
        ------
        ValueError
            If log_b and tilt are not both of one shape (d,), or not finite.
        """
        log_b, tilt = as_real_array("log_b", log_b), as_real_array("tilt", tilt)
        if log_b.ndim != 1 or log_b.shape != tilt.shape or not log_b.size:
            raise ValueError(
                f"log_b and tilt must both have shape (d,) with d >= 1, got {log_b.shape} and {tilt.shape}: write "
                "np.full(d, log_b)"
            )
        # m^2 and w^2 are b(cosh(tilt) +- 1), computed from log b.
        z, half_b = 0.5 * tilt, 0.5 * log_b + 0.5 * np.log(2)
        with np.errstate(over="ignore", invalid="ignore"):
            m0 = 0.5 * (np.exp(half_b + z) + np.exp(half_b - z))
            size = 0.5 * np.exp(half_b + np.abs(z)) * -np.expm1(-2 * np.abs(z))
            w0 = np.where(z == 0, 0.0, np.sign(z) * size)  # not inf times 0
        network = object.__new__(cls)
        object.__setattr__(network, "decay_on", "both")
        network._set(m0, w0, np.array(log_b), np.array(tilt))
        return network

    @property
    def d(self) -> int:
        """Number of effective weights."""
        return self.m0.size

    @property
    def theta0(self) -> Array:
        """Initial parameters (m0, w0), shape (2d,)."""
        return np.concatenate([self.m0, self.w0])

    def effective(self, theta: Array) -> Array:
        """Return x = m*w."""
        return theta[: self.d] * theta[self.d :]

    def pullback(self, theta: Array, grad_x: Array) -> Array:
        """Return (w*grad_x, m*grad_x), shape (2d,)."""
        return np.concatenate([theta[self.d :] * grad_x, theta[: self.d] * grad_x])

    def penalty_gradient(self, theta: Array) -> Array:
        """Return 2 theta, or (2m, 0) where the penalty acts on m alone."""
        gradient = 2 * theta
        if self.decay_on == "m":
            gradient[self.d :] = 0
        return gradient

    def second_order(self, theta: Array, grad_x: Array, alpha: float) -> tuple[Array, Array] | None:
        """Return the Jacobian of x, (d, 2d), and the Hessian of <grad_x, x> + alpha h, (2d, 2d)."""
        if type(self) is not Hadamard:  # a subclass may have a product of its own
            return None
        d = self.d
        jacobian, hessian = np.zeros((d, 2 * d)), np.zeros((2 * d, 2 * d))
        each = np.arange(d)
        jacobian[each, each], jacobian[each, d + each] = theta[d:], theta[:d]
        hessian[each, d + each] = hessian[d + each, each] = grad_x
        hessian[each, each] = 2 * alpha
        if self.decay_on == "both":
            hessian[d + each, d + each] = 2 * alpha
        return jacobian, hessian

    def mirror(self) -> Hyperbolic:
        """Return the hyperbolic entropy at scale b, tilted by log(u0/v0).

        Raises
        ------
        NoMirror
            If the start is balanced somewhere (b = 0), or the penalty acts on m alone.
        """
        if self.decay_on == "m":
            raise NoMirror(f"x = m*w with the penalty on m alone has no mirror: {describe_defect(self, entries=[0])}")
        if np.isneginf(self.log_scale).any():
            raise NoMirror(
                f"the start is balanced (m0^2 = w0^2) at index {np.flatnonzero(np.isneginf(self.log_scale))[0]}: the "
                "potential degenerates at scale b = 0; write Hadamard.at(x0, beta=1.0), or flow(..., "
                'method="parameters")'
            )
        return Hyperbolic(self.log_scale, self.tilt)

    def log_factors(self) -> tuple[Array, Array] | None:
        """Return log u and log v; None where the penalty acts on m alone, or a factor starts at zero."""
        if type(self) is not Hadamard or self.decay_on == "m":  # a subclass may have a product of its own
            return None
        if not (np.isfinite(self.log_scale).all() and np.isfinite(self.tilt).all()):
            return None
        return 0.5 * (self.log_scale + self.tilt), 0.5 * (self.log_scale - self.tilt)

    def check_start(self) -> None:
        """Raise ValueError where u or v is zero in float64. Balanced entries are meant to have a factor that is."""
        tilt = np.where(np.isfinite(self.tilt), np.abs(self.tilt), 0.0)
        refuse_underflow("b", self.log_scale, np.exp(0.5 * (self.log_scale - tilt)))

    def violation(self, x: Array, grad_x: Array, alpha: float, scale: float) -> float | None:
        """Return the violation of the conditions of LASSO with weight 2 alpha; None without a mirror."""
        if self.decay_on == "m" or np.isneginf(self.log_scale).any():
            return None
        return lasso_violation(x, grad_x, 2 * alpha, scale)
