"""Methods that train towards sparse weights, for any torch model and training loop."""

from linreg_mirror.networks.methods.base import BaseMethod
from linreg_mirror.networks.methods.continuous_sparsification import ContinuousSparsification
from linreg_mirror.networks.methods.dense import Dense
from linreg_mirror.networks.methods.dep_l0 import DepL0
from linreg_mirror.networks.methods.gradual import GradualMagnitude
from linreg_mirror.networks.methods.granet import GraNet
from linreg_mirror.networks.methods.ham import HAM
from linreg_mirror.networks.methods.l0 import L0
from linreg_mirror.networks.methods.l1 import L1
from linreg_mirror.networks.methods.masked import Masked
from linreg_mirror.networks.methods.mirror_descent import MirrorPILoT
from linreg_mirror.networks.methods.pilot import PILoT
from linreg_mirror.networks.methods.powerprop import Powerprop
from linreg_mirror.networks.methods.protocol import Method
from linreg_mirror.networks.methods.registry import METHODS, create
from linreg_mirror.networks.methods.rigl import RigL
from linreg_mirror.networks.methods.soft_threshold import STR
from linreg_mirror.networks.methods.spred import Spred

__all__ = [
    "HAM",
    "L0",
    "L1",
    "METHODS",
    "STR",
    "BaseMethod",
    "ContinuousSparsification",
    "Dense",
    "DepL0",
    "GraNet",
    "GradualMagnitude",
    "Masked",
    "Method",
    "MirrorPILoT",
    "PILoT",
    "Powerprop",
    "RigL",
    "Spred",
    "create",
]
