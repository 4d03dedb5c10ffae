"""Pictures of runs, limits, regressors, comparisons and masks: each takes `ax=` and returns Matplotlib's Axes."""

from linreg_mirror.plots.coefficients import coefficients
from linreg_mirror.plots.curve import curve
from linreg_mirror.plots.ladder import ladder
from linreg_mirror.plots.masks import masks
from linreg_mirror.plots.paths import path
from linreg_mirror.plots.scales import excess
from linreg_mirror.plots.sparsity import sparsity
from linreg_mirror.plots.validation import validation

__all__ = ["coefficients", "curve", "excess", "ladder", "masks", "path", "sparsity", "validation"]
