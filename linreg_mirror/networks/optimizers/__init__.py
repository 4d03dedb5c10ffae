"""Optimisers of torch whose steps are those of a mirror flow."""

from linreg_mirror.networks.optimizers.ham import add_hyperbolic_steps
from linreg_mirror.networks.optimizers.mirror_descent import MirrorDescent

__all__ = ["MirrorDescent", "add_hyperbolic_steps"]
