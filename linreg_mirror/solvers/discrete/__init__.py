"""Steps of finite size, and what they are biased towards."""

from linreg_mirror.solvers.discrete._descent import descent
from linreg_mirror.solvers.discrete._descents import descents
from linreg_mirror.solvers.discrete.descents_result import Descents
from linreg_mirror.solvers.discrete.implicit_bias import ImplicitBias
from linreg_mirror.solvers.discrete.record import Descent
from linreg_mirror.solvers.discrete.stable_step import largest_stable_step

__all__ = ["Descent", "Descents", "ImplicitBias", "descent", "descents", "largest_stable_step"]
