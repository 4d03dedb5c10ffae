"""The theory of x = m*w on linear regression, and its verification."""

from typing import TYPE_CHECKING, Any

from linreg_mirror import instances, losses, mirrors, schedules
from linreg_mirror.citations import citation
from linreg_mirror.descent import Descent, descent
from linreg_mirror.descents import Descents, descents
from linreg_mirror.flow import flow
from linreg_mirror.implicit import ImplicitBias
from linreg_mirror.limits import limit
from linreg_mirror.minimum_l1 import minimum_l1
from linreg_mirror.parametrizations import (
    DeepLinear,
    Direct,
    Factorized,
    Hadamard,
    NoMirror,
    Parametrization,
    Power,
    SharedHadamard,
)
from linreg_mirror.problem import Problem
from linreg_mirror.references import lasso, minimum_l2
from linreg_mirror.saddles import SaddlePath, saddles
from linreg_mirror.stability import largest_stable_step
from linreg_mirror.trajectory import Certificate, Check, Solution, Stats, Status, Trajectory

if TYPE_CHECKING:
    from linreg_mirror.estimator import MirrorRegressor

__version__ = "0.1.0"

__all__ = [
    "Certificate",
    "Check",
    "DeepLinear",
    "Descent",
    "Descents",
    "Direct",
    "Factorized",
    "Hadamard",
    "ImplicitBias",
    "MirrorRegressor",
    "NoMirror",
    "Parametrization",
    "Power",
    "Problem",
    "SaddlePath",
    "SharedHadamard",
    "Solution",
    "Stats",
    "Status",
    "Trajectory",
    "citation",
    "descent",
    "descents",
    "flow",
    "instances",
    "largest_stable_step",
    "lasso",
    "limit",
    "losses",
    "minimum_l1",
    "minimum_l2",
    "mirrors",
    "saddles",
    "schedules",
]


def __getattr__(name: str) -> Any:
    # scikit-learn takes as long to import as all the rest.
    if name == "MirrorRegressor":
        from linreg_mirror.estimator import MirrorRegressor

        return MirrorRegressor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
