"""LASSO: least squares with an L1 penalty that stays."""

from linreg_mirror.solvers.lasso._lasso import lasso

__all__ = ["lasso"]
