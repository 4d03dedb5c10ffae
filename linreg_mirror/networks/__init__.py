"""Sparse networks in torch: methods that train or prune them, models, data, and runs from recipes."""

from importlib.util import find_spec

if find_spec("torch") is None:
    raise ModuleNotFoundError('networks need torch: pip install "linreg-mirror[torch]"', name="torch")

from linreg_mirror.networks import data, gates, methods, models, optimizers, parametrizations, pruning
from sketching._warnings import PACKAGES

__all__ = ["data", "gates", "methods", "models", "optimizers", "parametrizations", "pruning"]

PACKAGES.add("linreg_mirror")  # whose lines are not the user's, at whom warnings of masks point
