"""The theory of x = m*w on linear regression, and its verification."""

from linreg_mirror import instances, losses, mirrors, schedules
from linreg_mirror.flow import flow
from linreg_mirror.limits import limit
from linreg_mirror.minimum_l1 import minimum_l1
from linreg_mirror.parametrizations import Direct, Hadamard, NoMirror, Parametrization, SharedHadamard
from linreg_mirror.problem import Problem
from linreg_mirror.references import lasso, minimum_l2
from linreg_mirror.trajectory import Certificate, Check, Solution, Stats, Status, Trajectory

__version__ = "0.1.0"

__all__ = [
    "Certificate",
    "Check",
    "Direct",
    "Hadamard",
    "NoMirror",
    "Parametrization",
    "Problem",
    "SharedHadamard",
    "Solution",
    "Stats",
    "Status",
    "Trajectory",
    "flow",
    "instances",
    "lasso",
    "limit",
    "losses",
    "minimum_l1",
    "minimum_l2",
    "mirrors",
    "schedules",
]
