"""How weights of a torch module are built from parameters."""

from linreg_mirror.networks.parametrizations.hadamard import Hadamard, apply_hadamard, factors_of, remove_hadamard
from linreg_mirror.networks.parametrizations.power import Power

__all__ = ["Hadamard", "Power", "apply_hadamard", "factors_of", "remove_hadamard"]
