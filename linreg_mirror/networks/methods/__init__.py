"""Methods that train towards sparse weights, for any torch model and training loop."""

from linreg_mirror.networks.methods.dense import Dense
from linreg_mirror.networks.methods.l1 import L1
from linreg_mirror.networks.methods.mirror_descent import MirrorPILoT
from linreg_mirror.networks.methods.pilot import PILoT
from linreg_mirror.networks.methods.protocol import Method
from linreg_mirror.networks.methods.registry import METHODS, create
from linreg_mirror.networks.methods.spred import Spred

__all__ = ["L1", "METHODS", "Dense", "Method", "MirrorPILoT", "PILoT", "Spred", "create"]
