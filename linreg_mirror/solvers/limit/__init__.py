"""Where flows end, solved and not simulated: at a scale, from scale to scale, and as the scale vanishes."""

from linreg_mirror.solvers.limit._ladder import Ladder, ladder
from linreg_mirror.solvers.limit._limit import limit
from linreg_mirror.solvers.limit._minimum_l1 import minimum_l1

__all__ = ["Ladder", "ladder", "limit", "minimum_l1"]
