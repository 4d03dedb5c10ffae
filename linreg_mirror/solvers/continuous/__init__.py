"""The flow in continuous time."""

from linreg_mirror.solvers.continuous._flow import flow

__all__ = ["flow"]
