"""The potential of hyperbolic aware minimisation (HAM): quadratic near 0, the L1 norm with a logarithm far away."""

from dataclasses import dataclass
from typing import Any

from linreg_mirror.mirrors.protocol import Mirror, at_most, namespace

# As for the hyperbolic entropy: a trial step that is far too long meets a huge finite number.
_TALLEST = 300.0


@dataclass(frozen=True, eq=False, repr=False)
class HAM(Mirror):
    """R(x) = 1/a sum[(|x| + 1/a) ln(1 + a|x|) - |x|], times exp(2A), of the flow x' = -(1 + a|x|) grad f.

    For weights far below 1/a it is |x|^2/2, as in plain training, for such far above it |x| (ln(a|x|) - 1)/a: it tends
    to the L1 norm as a -> inf, as slowly as the hyperbolic entropy does with b = 1/a.

    Parameters
    ----------
    start : array, shape (..., d)
        Where the weights start.
    a : float
        Positive: the metric is 1 + a|x|.

    Notes
    -----
    The flow is that of Hyperbolic Aware Minimization (Jacobs, Gadhikar, Rubio-Madrigal & Burkholz, arXiv 2506.02630)
    for vanishing steps, without its shrinking. A is the penalty 2R, the one that a mirror flow can have: it moves x by
    -2 alpha (1 + a|x|) ln(1 + a|x|) sign(x)/a, which is -2 alpha x for small x. HAM's shrinking by -x has no potential.
    """

    start: Any
    a: float

    @property
    def initial_dual(self) -> Any:
        """The dual of the start."""
        return self._bent(self.start)

    def primal(self, z: Any, A: Any) -> Any:
        """Return x = sign(z) (exp(a exp(-2A)|z|) - 1)/a."""
        xp = namespace(z)
        return xp.copysign(xp.expm1(self._exponent(z, A)) / self.a, z)

    def dual(self, x: Any, A: Any) -> Any:
        """Return z = exp(2A) sign(x) ln(1 + a|x|)/a."""
        return _exp(x, 2 * A) * self._bent(x)

    def primal_rate(self, z: Any, A: Any) -> Any:
        """Return dx/dA = -2 (1 + a|x|) ln(1 + a|x|) sign(x)/a."""
        return -2 * z * self.metric(z, A)

    def metric(self, z: Any, A: Any) -> Any:
        """Return dx/dz = exp(-2A) (1 + a|x|)."""
        return _exp(z, -2 * A) * namespace(z).exp(self._exponent(z, A))

    def conjugate(self, z: Any, A: Any) -> Any:
        """Return exp(2A) (|x| - ln(1 + a|x|)/a)/a, entry by entry."""
        xp, exponent = namespace(z), self._exponent(z, A)
        # The difference cancels where the exponent is small; it is then half its square, and more.
        small = exponent < 1e-3
        near = xp.where(small, exponent, 0.0)
        series = near**2 * (0.5 + near * (1 / 6 + near * (1 / 24 + near * (1 / 120 + near / 720))))
        return _exp(z, 2 * A) * xp.where(small, series, xp.expm1(exponent) - exponent) / self.a**2

    def metric_slope(self, z: Any, A: Any, radius: Any) -> Any:
        """Return a exp(-2A): the metric is the exponential of so many |z|."""
        return 0 * z + self.a * _exp(z, -2 * A)

    def dual_rate(self, A: Any) -> Any:
        """Return exp(2A)."""
        return _exp(self.start, 2 * A)

    def _bent(self, x: Any) -> Any:
        xp = namespace(x)
        return xp.copysign(xp.log1p(self.a * xp.abs(x)) / self.a, x)

    def _exponent(self, z: Any, A: Any) -> Any:
        return at_most(self.a * _exp(z, -2 * A) * namespace(z).abs(z), _TALLEST)


def _exp(like: Any, exponent: Any) -> Any:
    xp = namespace(like)
    return xp.exp(xp.asarray(exponent, dtype=like.dtype))
