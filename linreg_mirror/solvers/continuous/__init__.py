"""The flow in continuous time."""

from linreg_mirror.solvers.continuous._flow import flow
from linreg_mirror.solvers.continuous._flows import flows

__all__ = ["flow", "flows"]
