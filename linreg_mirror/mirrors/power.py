"""The potential that depth D networks x = p^D - q^D induce."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from linreg_mirror.mirrors.hyperbolic import Hyperbolic
from linreg_mirror.mirrors.protocol import Mirror, Potential, at_most, namespace

# As for the hyperbolic entropy: a trial step out of the dual domain meets weights of e^300, and is backed away from.
_TALLEST_TRIAL = 300.0
_COARSEST = 1e-10  # the relative change of dual variables that must still be resolved
_NEWTON_STEPS = 5  # four reach rounding at depths up to 300


@dataclass(frozen=True, eq=False, repr=False)
class Power(Mirror):
    """The potential of x = p^D - q^D at scale a = exp(log_scale - 2A), where 2 a^(2-D) = p^(2-D) + q^(2-D).

    Everything is a function of half the log ratio r = log(p/q)/2: with c = cosh((D-2)r)^(1/(D-2)) it is p = a c e^r,
    q = a c e^-r, x = 2 a^D c^D sinh(Dr), and the dual variable is z = tanh((D-2)r)/(D-2), a number between -1/(D-2)
    and 1/(D-2) whose bounds stand for infinite weights. Depth 2 is the limit c = 1, z = r: the hyperbolic entropy at
    b = 2 a^2, run at twice the speed. All is computed from log a, but a dual variable in float64 resolves
    weights of size |x| only as long as (a/|x|^(1/D))^(D-2) is well above 1e-16.

    Parameters
    ----------
    log_scale : array, shape (..., d)
        log a at A = 0; where the start is p = q, a is their common value.
    tilt : array, shape (..., d)
        log(p0/q0): zero where the start is x0 = 0.
    depth : int
        D >= 2.

    Notes
    -----
    Where scales differ, each entry's z is measured in the unit of the largest, so that one dual vector serves all:
    z = (a_max/a)^(D-2) tanh((D-2)r)/(D-2). The potential of Woodworth et al. (arXiv 2002.09277), Theorem 3, here with
    a start and a penalty.
    """

    log_scale: Any
    tilt: Any
    depth: int

    @property
    def initial_dual(self) -> Any:
        """The dual of the start."""
        return self._dual_of(0.5 * self.tilt)

    def log_scale_at(self, A: Any) -> Any:
        """Return log a_A = log a_0 - 2A: a penalty shrinks p and q alike.

        Parameters
        ----------
        A : float or array, shape (d,)
            Accumulated penalty.
        """
        return self.log_scale - 2 * A

    def primal(self, z: Any, A: Any) -> Any:
        """Return x = 2 a^D c^D sinh(Dr)."""
        xp = namespace(z)
        r = self._half_ratio(z)
        return xp.copysign(self._term(xp, self.depth, self.depth, r, A) * -xp.expm1(-2 * self.depth * r), z)

    def dual(self, x: Any, A: Any) -> Any:
        """Return z, the inverse of `primal`, by Newton's method in r."""
        return self._dual_of(self.half_log_ratio(x, A))

    def primal_rate(self, z: Any, A: Any) -> Any:
        """Return dx/dA = -2Dx."""
        return -2 * self.depth * self.primal(z, A)

    def metric(self, z: Any, A: Any) -> Any:
        """Return dx/dz = 2D a^D c^(2D-2) cosh((2D-2)r)."""
        xp = namespace(z)
        r, power = self._half_ratio(z), 2 * self.depth - 2
        return self.unit * self.depth * self._term(xp, self.depth, power, r, A) * (1 + xp.exp(-2 * power * r))

    def conjugate(self, z: Any, A: Any) -> Any:
        """Return a^(D-2) (p^2 + q^2) / 2, entry by entry."""
        return self._conjugate(self._half_ratio(z), A)

    def potential(self, x: Any, A: Any) -> Any:
        """Return x (z - z_0) - a^(D-2) (p^2 + q^2) / 2, entry by entry."""
        r = self.half_log_ratio(x, A)
        # From r itself: p and q can no longer be told from a z that is rounded to its bound.
        return x * (self._dual_of(r) - self.initial_dual) - self._conjugate(namespace(x).abs(r), A)

    def dual_rate(self, A: Any) -> Any:
        """Return D a^(D-2) = D exp((D-2)(log_scale - 2A)), for the largest scale: the clock slows down as a falls."""
        xp = namespace(self.log_scale)
        return self.depth * xp.exp((self.depth - 2) * (self._largest_log_scale - 2 * A))

    def metric_slope(self, z: Any, A: Any, radius: Any) -> Any:
        """Return (2D-2) u/(1 - |w|) at the far end, w = (D-2) u z with u the unit of z; inf where that is past 1."""
        xp, m = namespace(z), self.depth - 2
        if m == 0:
            return 0 * z + 2.0
        room = 1 - m * self.unit * (xp.abs(z) + radius)
        return xp.where(room > 0, (2 * self.depth - 2) * self.unit / xp.where(room > 0, room, 1.0), math.inf)

    def resolution(self, size: float, A: float) -> tuple[float, float]:
        """Return the relative and absolute changes of z that change weights of about `size` by as much as they are.

        In terms of w = tanh((D-2)r), the relative one is (1 - w)/w times (D-2)/D: what is left to the bound of z.

        Raises
        ------
        ValueError
            If that is below 1e-10.
        """
        xp, m = namespace(self.log_scale), self.depth - 2
        r = self.half_log_ratio(0 * self.log_scale + size, A)
        growth = 2 * r if m == 0 else xp.expm1(at_most(2 * m * r, 700.0)) * (0.5 * self.depth / m)
        relative = 1 / xp.where(growth > 1, growth, xp.ones_like(growth))
        if relative.min() < _COARSEST:
            raise ValueError(
                f"duals of weights of about {size:.2g} at depth {self.depth} and log alpha = "
                f"{float(self.log_scale_at(A).min()):.4g} are too close to their bound for float64, by "
                f"{float(relative.min()):.1g} of what they are: write minimum_l1(problem), whose L1 norm the limit has "
                "to nine digits"
            )
        return float(relative.min()), float((relative * self._dual_of(r)).min())

    def continuation(self, A: float, size: float) -> Iterator[Potential]:
        """Yield potentials from scales a^D of about `size` down to the target, log a^D falling by equal steps.

        Scales that differ begin together and reach their targets together; tilts are cut as for `Hyperbolic`.
        """
        self.resolution(size, A)  # raises where there is no dual variable to be found
        if self.depth == 2:
            yield from Hyperbolic(math.log(2) + 2 * self.log_scale, self.tilt).continuation(A, size)
            return
        D, z0 = self.depth, self.initial_dual
        excess = np.maximum(math.log(size) - D * self.log_scale_at(A), 0.0)
        total = left = float(excess.max())
        start = np.maximum(np.abs(self.primal(z0, A)), size)
        # 1 - (D-2)|z| falls like a^(D-2): steps must not take it below zero to first order.
        step, reach = 0.7 * D / (D - 2), None
        while left > 0:
            at = A - excess * (left / total) / (2 * D)
            before, reach = reach, float(np.abs(self.dual(0 * excess + size, at)).max())
            growth = 1.0 if before is None else reach / before
            yield Potential(np.sign(z0) * np.minimum(np.abs(z0), self.dual(start, at)), at, growth, last=False)
            left -= step
        last = float(np.abs(self.dual(0 * excess + size, A)).max())
        yield Potential(z0, A, 1.0 if reach is None else last / reach, last=True)

    def half_log_ratio(self, x: Any, A: Any) -> Any:
        """Return r = log(p/q)/2 where p^D - q^D = x, from arcsinh(c^D sinh(Dr)) = arcsinh(x / 2a^D).

        The left side, which is 2r at depth 2, is convex with slopes from D at r = 0 to 2D: Newton's method from the
        right goes down to the root without overshooting.

        Parameters
        ----------
        x : array, shape (d,)
            Effective weights.
        A : float or array, shape (d,)
            Accumulated penalty.
        """
        xp, D = namespace(x), self.depth
        entropy = Hyperbolic(math.log(2) + D * self.log_scale_at(A), 0.0)
        target = 2 * xp.abs(entropy.dual(x, 0.0))
        r = target / D
        for _ in range(_NEWTON_STEPS if D > 2 else 0):
            r = r - self._step(xp, r, target)
        return xp.copysign(r, x)

    @cached_property
    def _cap(self) -> float:
        """Largest exponent that is taken at its word."""
        return min(max(_TALLEST_TRIAL, self.depth * float(self.log_scale.max()) + 50), 705.0)

    @cached_property
    def _largest_log_scale(self) -> Any:
        return namespace(self.log_scale).max(self.log_scale, axis=-1, keepdims=True)

    @cached_property
    def unit(self) -> Any:
        """The unit of z, (a/a_max)^(D-2), at most 1."""
        return namespace(self.log_scale).exp((self.depth - 2) * (self.log_scale - self._largest_log_scale))

    def _dual_of(self, r: Any) -> Any:
        xp, m = namespace(r), self.depth - 2
        return r if m == 0 else xp.tanh(m * r) / (m * self.unit)

    def _half_ratio(self, z: Any) -> Any:
        """Return |r|, infinite out of the domain of z."""
        xp, m = namespace(z), self.depth - 2
        if m == 0:
            return xp.abs(z)
        w = m * self.unit * xp.abs(z)
        inside = w < 1
        return xp.where(inside, xp.atanh(xp.where(inside, w, 0.0)) / m, math.inf)

    def _term(self, xp: Any, degree: int, power: int, r: Any, A: Any) -> Any:
        """Return a^degree (c e^r)^power, cut where it is astronomical."""
        exponent = degree * self.log_scale_at(A) + power * (r + log_lift(r, self.depth))
        return xp.exp(at_most(exponent, self._cap))

    def _conjugate(self, r: Any, A: Any) -> Any:
        xp = namespace(r)
        return 0.5 * self._term(xp, self.depth, 2, r, A) * (1 + xp.exp(-4 * r)) / self.unit

    def _step(self, xp: Any, r: Any, target: Any) -> Any:
        D = self.depth
        E = D * (r + log_lift(r, D))
        fade, sinh, cosh = xp.exp(-E), -0.5 * xp.expm1(-2 * D * r), 0.5 * (1 + xp.exp(-2 * D * r))
        # sinh and cosh stand for e^-E times c^D sinh(Dr) and c^D cosh(Dr): E may be far beyond what exp can take.
        root = xp.hypot(sinh, fade)
        small = E < 1
        value = xp.where(small, xp.asinh(sinh / xp.where(small, fade, 1.0)), E + xp.log(sinh + root))
        return (value - target) * root / (D * (sinh * xp.tanh((D - 2) * r) + cosh))


def log_lift(r: Any, depth: int) -> Any:
    """Return log c, c = cosh((D-2)r)^(1/(D-2)), by which the mean of log p and log q exceeds log a."""
    if depth == 2:
        return 0 * r
    xp, m = namespace(r), depth - 2
    size = m * xp.abs(r)
    return (size + xp.log1p(xp.exp(-2 * size)) - math.log(2)) / m
