"""Upper bounds of the error of x, proved in spite of rounding."""

from linreg_mirror.solvers.error_bars.central_duals import central_duals
from linreg_mirror.solvers.error_bars.lasso import LassoBar, lasso_bar
from linreg_mirror.solvers.error_bars.limits import LimitBar, bar, nothing_proved, refined
from linreg_mirror.solvers.error_bars.points import DualPoint, dual_point, hyperbolic
from linreg_mirror.solvers.error_bars.pythagoras import few_weights_bar, interpolator_bar, moved_to_fit
from linreg_mirror.solvers.error_bars.rows import Rows, proving_rows
from linreg_mirror.solvers.error_bars.sharpness import (
    SEVERAL,
    UNDECIDED,
    VertexBar,
    error_of,
    loosened_bar,
    vertex_bar,
)

__all__ = [
    "SEVERAL",
    "UNDECIDED",
    "DualPoint",
    "LassoBar",
    "LimitBar",
    "Rows",
    "VertexBar",
    "bar",
    "central_duals",
    "dual_point",
    "error_of",
    "few_weights_bar",
    "hyperbolic",
    "interpolator_bar",
    "lasso_bar",
    "loosened_bar",
    "moved_to_fit",
    "nothing_proved",
    "proving_rows",
    "refined",
    "vertex_bar",
]
