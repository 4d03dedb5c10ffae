"""Linear models with more features than samples: minimum L1, minimum L2, all between, and where to stop early.

Ten names to begin with. Where you have a table, and want to predict, or to see what an exact fit is:

    MirrorRegressorCV   stops where cross-validation says; a scikit-learn estimator
    MirrorRegressor     fits exactly, with the sparsity that its scale asks for
    plots               coefficients by name, by scale, errors of prediction

Where you have equations Xx = y, and want an answer whose error is bounded:

    Problem             X and y, checked
    minimum_l1          basis pursuit
    lasso               the LASSO

Where you study implicit bias, the flow of x = m*w and what it ends at:

    Hadamard            the network and where it starts: Hadamard.from_scale(1e-6, d=problem.d)
    flow                follows it
    limit               its end, solved for
    saddles             its path as the scale vanishes

Pruning and sparse training are in `sketching` and `linreg_mirror.networks`, the theorems in `linreg_mirror.theorems`.
The command `linreg-mirror` solves tables, checks theorems and trains networks.
"""

from typing import TYPE_CHECKING, Any

from linreg_mirror import mirrors, problems, schedules
from linreg_mirror.citations import citation
from linreg_mirror.parametrizations import (
    HAM,
    DeepLinear,
    Direct,
    Factorized,
    Hadamard,
    NoMirror,
    Parametrization,
    Power,
    Quadratic,
    SharedHadamard,
)
from linreg_mirror.problems import Problem, losses
from linreg_mirror.proofs import Proof, ProofError, prove, verify
from linreg_mirror.solvers import Certificate, Check, Solution, Stats, Status, Trajectory
from linreg_mirror.solvers.batches import Solutions, lassos, limits, minimum_l1s
from linreg_mirror.solvers.continuous import flow, flows
from linreg_mirror.solvers.discrete import Descent, Descents, ImplicitBias, descent, descents, largest_stable_step
from linreg_mirror.solvers.independent import minimum_l2
from linreg_mirror.solvers.lasso import lasso
from linreg_mirror.solvers.limit import Ladder, ladder, limit, minimum_l1
from linreg_mirror.solvers.saddles import SaddlePath, saddles
from linreg_mirror.solvers.separable import MarginPath, margin_flow, max_margin

if TYPE_CHECKING:
    from linreg_mirror import plots
    from linreg_mirror.estimator import MirrorRegressor, MirrorRegressorCV

__version__ = "0.1.0"

__all__ = [
    "HAM",
    "Certificate",
    "Check",
    "DeepLinear",
    "Descent",
    "Descents",
    "Direct",
    "Factorized",
    "Hadamard",
    "ImplicitBias",
    "Ladder",
    "MarginPath",
    "MirrorRegressor",
    "MirrorRegressorCV",
    "NoMirror",
    "Parametrization",
    "Power",
    "Problem",
    "Proof",
    "ProofError",
    "Quadratic",
    "SaddlePath",
    "SharedHadamard",
    "Solution",
    "Solutions",
    "Stats",
    "Status",
    "Trajectory",
    "citation",
    "descent",
    "descents",
    "flow",
    "flows",
    "ladder",
    "largest_stable_step",
    "lasso",
    "lassos",
    "limit",
    "limits",
    "losses",
    "margin_flow",
    "max_margin",
    "minimum_l1",
    "minimum_l1s",
    "minimum_l2",
    "mirrors",
    "plots",
    "problems",
    "prove",
    "saddles",
    "schedules",
    "verify",
]


def __getattr__(name: str) -> Any:
    # scikit-learn, and Matplotlib, take as long to import as all the rest.
    if name == "plots":
        import linreg_mirror.plots as plots

        return plots
    if name in ("MirrorRegressor", "MirrorRegressorCV"):
        from linreg_mirror import estimator

        return getattr(estimator, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])
