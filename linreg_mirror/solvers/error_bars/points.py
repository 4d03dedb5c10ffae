"""x = primal(z_0 - X's) with a bound on what rounding does to it, from a dual vector of 106 bits."""

from typing import NamedTuple

import numpy as np

from linreg_mirror._tools.double_double import Pair, scaled_sinh, transposed_product
from linreg_mirror._types import Array
from linreg_mirror.mirrors import HAM, Hyperbolic, Mirror, Power
from linreg_mirror.solvers.error_bars.rows import UNIT


class DualPoint(NamedTuple):
    """The weights of a dual vector.

    Attributes
    ----------
    x : Pair of shape (d,)
        Weights.
    slope : Pair of shape (d,)
        The metric dx/dz there.
    rounding : array, shape (d,)
        Upper bounds of |x - primal(z)|; formulas of other potentials count as right to 16 units in the last place.
    z : array, shape (d,)
        The dual point, rounded to float64.
    """

    x: Pair
    slope: Pair
    rounding: Array
    z: Array

    @property
    def metric(self) -> Array:
        """The metric, shape (d,), in float64."""
        return self.slope.hi


def dual_point(mirror: Mirror, A: float, X: Array, lengths: Array, s: Pair) -> DualPoint:
    """Return the weights of s.

    Parameters
    ----------
    mirror : Mirror
        Exponents of the hyperbolic entropy are computed with 106 bits, duals of other potentials rounded to 53.
    A : float
        Accumulated penalty.
    X : array, shape (n, d)
        Features.
    lengths : array, shape (d,)
        Norms of its columns.
    s : Pair of shape (n,)
        The dual vector.
    """
    pull = transposed_product(X, s)
    lost = 8 * (len(s.hi) + 2) ** 2 * UNIT**2 * lengths * float(np.linalg.norm(s.hi))
    entropy = hyperbolic(mirror)
    if isinstance(mirror, Power) and mirror.depth > 2:
        return _power_point(mirror, A, Pair.of(mirror.initial_dual) - pull, lost)
    if entropy is None:
        z0 = np.asarray(mirror.initial_dual)
        z = (Pair.of(z0) + pull.times(-1.0)).hi
        x, metric = mirror.primal(z, A), mirror.metric(z, A)
        scale = mirror.log_scale_at(A)
        exponents = 1.0 if scale is None else 1 + getattr(mirror, "depth", 1) * np.abs(scale)
        if isinstance(mirror, HAM):
            exponents = 1 + np.log1p(mirror.a * np.abs(x))
            lost = lost + 4 * UNIT * np.abs(z0)  # which the start is the exact one of
        own = 16 * UNIT * exponents * np.abs(x)
        return DualPoint(Pair.of(x), Pair.of(metric), own + 1.01 * metric * (2 * UNIT * np.abs(z) + lost), z)
    tilt = np.asarray(entropy.tilt)
    log_b = _log_scale(mirror) + Pair.of(np.zeros(len(lengths)) - 4.0 * A)
    exponent = Pair.of(tilt) + pull.times(-2.0)
    (x, slope), h = scaled_sinh(exponent, log_b), np.abs(exponent.hi)
    relative = 2.0**-91 + 8 * UNIT**2 * (np.abs(log_b.hi) + h)
    rounding = relative * np.abs(x.hi) + slope.hi * (lost + 8 * UNIT**2 * (np.abs(tilt) + h)) + 1e-290
    if not s.hi.any():  # then exponents of zero are exact
        rounding = np.where(exponent.hi == 0, 0.0, rounding)
    return DualPoint(x, slope, rounding, 0.5 * exponent.hi)


def hyperbolic(mirror: Mirror) -> Hyperbolic | None:
    """Return the mirror as a hyperbolic entropy, up to rounding of log b; None for other potentials."""
    if isinstance(mirror, Power) and mirror.depth == 2:
        return Hyperbolic(_log_two(mirror).hi, np.asarray(mirror.tilt))
    return mirror if isinstance(mirror, Hyperbolic) else None


def _log_scale(mirror: Mirror) -> Pair:
    """Return log b at A = 0, with 106 bits where it is not one of the mirror's own numbers."""
    return _log_two(mirror) if isinstance(mirror, Power) else Pair.of(np.asarray(mirror.log_scale_at(0.0)))


def _log_two(mirror: Power) -> Pair:
    """Return log(2 a^2)."""
    twice = 2.0 * np.asarray(mirror.log_scale)
    return Pair.of(twice) + Pair(np.full_like(twice, 0.6931471805599453), np.full_like(twice, 2.3190468138462996e-17))


def _power_point(mirror: Power, A: float, z: Pair, lost: Array) -> DualPoint:
    """Return x = a^D [(1 - w)^(-D/m) - (1 + w)^(-D/m)], m = D - 2, w = m u z; 1 - w loses nothing with 106 bits."""
    D, m = mirror.depth, mirror.depth - 2
    u = mirror.unit
    w = z * Pair.of(np.broadcast_to(m * u, z.hi.shape))
    one = Pair.of(np.ones_like(w.hi))
    near = np.abs(w.hi) < 0.5
    log_p, log_q = (-np.where(near, np.log1p(np.where(near, v.hi, 0.0)), np.log((one + v).hi)) / m for v in (-w, w))
    height = np.exp(D * mirror.log_scale_at(A))
    x = height * np.exp(D * log_q) * np.expm1(D * (log_p - log_q))
    metric = D * u * height * (np.exp((2 * D - 2) * log_p) + np.exp((2 * D - 2) * log_q))
    exponents = 8 + D * np.abs(mirror.log_scale_at(A)) + (2 * D - 2) * (np.abs(log_p) + np.abs(log_q))
    # The unit is a rounded number too, unless it is one.
    moved = lost + 8 * UNIT**2 * (np.abs(z.hi) + np.abs(mirror.initial_dual)) + 2 * UNIT * (u != 1) * np.abs(z.hi)
    return DualPoint(Pair.of(x), Pair.of(metric), 4 * UNIT * exponents * np.abs(x) + 1.01 * metric * moved, z.hi)
