"""The path from saddle to saddle, left as the initial scale vanishes."""

from linreg_mirror.solvers.saddles._saddles import saddles
from linreg_mirror.solvers.saddles.path import SaddlePath
from linreg_mirror.solvers.saddles.unbalanced import thresholds

__all__ = ["SaddlePath", "saddles", "thresholds"]
