"""The hyperbolic entropy: the potential that x = m*w induces."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from linreg_mirror.mirrors.protocol import Mirror, Potential, at_most, namespace

# Squares of exp of more overflow float64. Arguments are cut here, so that a trial step of an integrator or of Newton's
# method that is far too long meets a huge finite number, which it backs away from, instead of inf - inf.
_TALLEST_TRIAL = 300.0


@dataclass(frozen=True, eq=False, repr=False)
class Hyperbolic(Mirror):
    """R_b(x) = 1/2 sum[x arcsinh(x/b) - sqrt(x^2 + b^2)] with scale b = exp(log_scale - 4A).

    Everything is computed from log b: b = exp(-1e5) is as good as b = 1.

    Parameters
    ----------
    log_scale : array, shape (..., d)
        log b at A = 0, where 2b = m0^2 - w0^2.
    tilt : array, shape (..., d)
        log(u0/v0) with u = (m+w)/sqrt 2, v = (m-w)/sqrt 2: zero where the start is x0 = 0.

    Notes
    -----
    Mask in the Mirror (arXiv 2408.09966), Theorem 2.1, in the corrected form: the scale decays with exp(-4A).
    """

    log_scale: Any
    tilt: Any

    @cached_property
    def tallest(self) -> float:
        """Largest exponent that is taken at its word: e^300, or more where the scale itself is about as large."""
        return min(max(_TALLEST_TRIAL, float(self.log_scale.max()) + 50), 705.0)

    @property
    def initial_dual(self) -> Any:
        """Half the tilt, arcsinh(x0/b0)/2."""
        return 0.5 * self.tilt

    def log_scale_at(self, A: Any) -> Any:
        """Return log b_A = log b_0 - 4A.

        Parameters
        ----------
        A : float or array, shape (d,)
            Accumulated penalty.
        """
        return self.log_scale - 4 * A

    def primal(self, z: Any, A: Any) -> Any:
        """Return x = b sinh(2z)."""
        xp = namespace(z)
        h = 2 * xp.abs(z)
        return xp.copysign(self._half_exp(xp, h + self.log_scale_at(A)) * -xp.expm1(-2 * h), z)

    def dual(self, x: Any, A: Any) -> Any:
        """Return z = arcsinh(x/b) / 2."""
        xp = namespace(x)
        log_b = self.log_scale_at(A)
        size = xp.abs(x)
        b = xp.exp(at_most(log_b, self.tallest))
        # arcsinh(q) loses nothing for small q; for q beyond float64, log(x + hypot(x, b)) - log b says the same.
        moderate = (1e-100 * size < b) | (size == 0)
        direct = xp.asinh(xp.where(moderate, size, 0.0) / xp.where(moderate & (b > 0), b, 1.0))
        large = xp.log(xp.where(moderate, 1.0, size + xp.hypot(size, b))) - log_b
        return 0.5 * xp.sign(x) * xp.where(moderate, direct, large)

    def primal_rate(self, z: Any, A: Any) -> Any:
        """Return dx/dA = -4x."""
        return -4 * self.primal(z, A)

    def metric(self, z: Any, A: Any) -> Any:
        """Return dx/dz = 2 sqrt(x^2 + b^2) = 2 b cosh(2z)."""
        xp = namespace(z)
        h = 2 * xp.abs(z)
        return 2 * self._half_exp(xp, h + self.log_scale_at(A)) * (1 + xp.exp(-2 * h))

    def conjugate(self, z: Any, A: Any) -> Any:
        """Return b cosh(2z) / 2, entry by entry."""
        return 0.25 * self.metric(z, A)

    def potential(self, x: Any, A: Any) -> Any:
        """Return [x arcsinh(x/b) - sqrt(x^2 + b^2) - x log(u0/v0)] / 2, entry by entry."""
        xp = namespace(x)
        b = xp.exp(at_most(self.log_scale_at(A), self.tallest))
        return x * (self.dual(x, A) - self.initial_dual) - 0.5 * xp.hypot(x, b)

    def metric_slope(self, z: Any, A: Any, radius: Any) -> Any:
        """Return 2: the metric is 2b cosh(2z)."""
        return 0 * z + 2.0

    def resolution(self, size: float, A: float) -> tuple[float, float]:
        """Return 1/|log b| and 1: exponents are as large as log(1/b), and a change of one there changes x by e."""
        return 1 / max(1.0, float(abs(self.log_scale).max())), 1.0

    def continuation(self, A: float, size: float) -> Iterator[Potential]:
        """Yield potentials from scales b of about `size` down to the target, in growing steps of log b.

        Scales that differ begin together and reach their targets together. The start x0 exp(-4A) is kept where it is
        while b falls, or its tilt where that is weaker: the full tilt at a large b would stand for an astronomically
        large start.
        """
        total = left = distance(self, A, size)
        step, growth = 2.0, 1.0
        while left > 0:
            yield on_the_way(self, A, size, left, growth)
            # All exponents grow like log(size/b) in the end, also those that are too small to be seen in Xx = y.
            growth = (1 + total - max(left - step, 0.0)) / max(1 + total - left, 1.0)
            left, step = left - step, 1.5 * step
        yield Potential(self.initial_dual, A, growth, last=True)

    def _half_exp(self, xp: Any, exponent: Any) -> Any:
        return 0.5 * xp.exp(at_most(exponent, self.tallest))


def distance(mirror: Hyperbolic, A: float, size: float) -> float:
    """Return how far log b is below log(size), for the smallest b; 0 where none is.

    Parameters
    ----------
    mirror : Hyperbolic
        Potential.
    A : float
        Accumulated penalty.
    size : float
        Of the weights.
    """
    return float(np.maximum(math.log(size) - mirror.log_scale_at(A), 0.0).max())


def on_the_way(mirror: Hyperbolic, A: float, size: float, left: float, growth: float = 1.0) -> Potential:
    """Return the potential with the part `left` of the distance in log b still to go, as in `continuation`.

    Parameters
    ----------
    mirror : Hyperbolic
        Potential.
    A : float
        Accumulated penalty.
    size : float
        Of the weights.
    left : float
        Between 0 and the distance.
    growth : float
        Of the exponents since the potential before.
    """
    log_b = mirror.log_scale_at(A)
    shift = np.maximum(math.log(size) - log_b, 0.0) * (left / (distance(mirror, A, size) or 1.0))
    start = np.maximum(np.abs(mirror.primal(mirror.initial_dual, A)), size)
    reach = Hyperbolic(log_b + shift, mirror.tilt).dual(start, 0.0)
    z0 = np.sign(mirror.tilt) * np.minimum(0.5 * np.abs(mirror.tilt), reach)
    return Potential(z0, A - shift / 4, growth, last=False)
