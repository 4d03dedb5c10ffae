"""The potential of plain weights x: half the squared norm."""

from dataclasses import dataclass
from typing import Any, ClassVar

from linreg_mirror.mirrors.protocol import Mirror, namespace


@dataclass(frozen=True, eq=False, repr=False)
class Euclidean(Mirror):
    """R(x) = exp(2A) |x|^2 / 2: gradient flow on x itself with penalty alpha |x|^2.

    The penalty moves x by -2 alpha x; in the dual variable z = exp(2A) x only the gradient is left, at the
    speed exp(2A).

    Parameters
    ----------
    start : array, shape (..., d)
        Where the weights start.
    """

    start: Any
    linear: ClassVar[bool] = True

    @property
    def initial_dual(self) -> Any:
        """The start itself."""
        return self.start

    def primal(self, z: Any, A: Any) -> Any:
        """Return x = exp(-2A) z."""
        return _exp(z, -2 * A) * z

    def dual(self, x: Any, A: Any) -> Any:
        """Return z = exp(2A) x."""
        return _exp(x, 2 * A) * x

    def primal_rate(self, z: Any, A: Any) -> Any:
        """Return dx/dA = -2x."""
        return -2 * self.primal(z, A)

    def metric(self, z: Any, A: Any) -> Any:
        """Return dx/dz = exp(-2A)."""
        return _exp(z, -2 * A) + 0 * z

    def conjugate(self, z: Any, A: Any) -> Any:
        """Return exp(-2A) z^2 / 2, entry by entry."""
        return 0.5 * _exp(z, -2 * A) * z**2

    def potential(self, x: Any, A: Any) -> Any:
        """Return exp(2A) x^2 / 2 - x x0, entry by entry."""
        return 0.5 * _exp(x, 2 * A) * x**2 - x * self.start

    def metric_slope(self, z: Any, A: Any, radius: Any) -> Any:
        """Return 0: the metric is exp(-2A) everywhere."""
        return 0 * z

    def resolution(self, size: float, A: float) -> tuple[float, float]:
        """Return 1 and 1: weights are proportional to their duals."""
        return 1.0, 1.0

    def dual_rate(self, A: Any) -> Any:
        """Return exp(2A)."""
        return _exp(self.start, 2 * A)


def _exp(like: Any, exponent: Any) -> Any:
    xp = namespace(like)
    return xp.exp(xp.asarray(exponent, dtype=like.dtype))
