"""Linear regression by a mirror flow as scikit-learn estimators, with `fit`, `predict` and `score`."""

from linreg_mirror.estimator._regressor import MirrorRegressor
from linreg_mirror.estimator._regressor_cv import MirrorRegressorCV

__all__ = ["MirrorRegressor", "MirrorRegressorCV"]
