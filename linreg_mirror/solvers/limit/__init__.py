"""Where flows end, solved and not simulated: at a scale, and as the scale vanishes."""

from linreg_mirror.solvers.limit._limit import limit
from linreg_mirror.solvers.limit._minimum_l1 import minimum_l1

__all__ = ["limit", "minimum_l1"]
