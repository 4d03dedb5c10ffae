"""The potentials that parametrizations induce, as functions of the accumulated penalty."""

from linreg_mirror.mirrors.euclidean import Euclidean
from linreg_mirror.mirrors.ham import HAM
from linreg_mirror.mirrors.hyperbolic import Hyperbolic
from linreg_mirror.mirrors.power import Power
from linreg_mirror.mirrors.protocol import Mirror, Potential
from linreg_mirror.mirrors.quadratic import Quadratic

__all__ = ["HAM", "Euclidean", "Hyperbolic", "Mirror", "Potential", "Power", "Quadratic"]
