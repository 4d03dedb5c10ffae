"""Many problems of one size at once, on NumPy arrays and torch tensors, each answer with its own error bar."""

from linreg_mirror.solvers.batches._lassos import lassos
from linreg_mirror.solvers.batches._limits import limits
from linreg_mirror.solvers.batches._minimum_l1s import minimum_l1s
from linreg_mirror.solvers.batches.solutions import Solutions

__all__ = ["Solutions", "lassos", "limits", "minimum_l1s"]
