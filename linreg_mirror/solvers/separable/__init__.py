"""Classification of separable data: the largest margins, and flows on the way to one."""

from linreg_mirror.solvers.separable._margin_flow import MarginPath, margin_flow
from linreg_mirror.solvers.separable._max_margin import max_margin

__all__ = ["MarginPath", "margin_flow", "max_margin"]
