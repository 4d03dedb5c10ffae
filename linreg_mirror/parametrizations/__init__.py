"""How effective weights x are built from parameters."""

from linreg_mirror.parametrizations.commutation import commutation_defect, lie_bracket
from linreg_mirror.parametrizations.deep_linear import DeepLinear
from linreg_mirror.parametrizations.direct import Direct
from linreg_mirror.parametrizations.factorized import Factorized
from linreg_mirror.parametrizations.hadamard import Hadamard
from linreg_mirror.parametrizations.ham import HAM
from linreg_mirror.parametrizations.power import Power
from linreg_mirror.parametrizations.protocol import NoMirror, Parametrization
from linreg_mirror.parametrizations.quadratic import Quadratic
from linreg_mirror.parametrizations.shared import SharedHadamard

__all__ = [
    "HAM",
    "DeepLinear",
    "Direct",
    "Factorized",
    "Hadamard",
    "NoMirror",
    "Parametrization",
    "Power",
    "Quadratic",
    "SharedHadamard",
    "commutation_defect",
    "lie_bracket",
]
