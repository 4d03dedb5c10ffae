"""How effective weights x are built from parameters."""

from linreg_mirror.parametrizations.commutation import NoMirror, commutation_defect, lie_bracket
from linreg_mirror.parametrizations.direct import Direct
from linreg_mirror.parametrizations.hadamard import Hadamard
from linreg_mirror.parametrizations.protocol import Parametrization
from linreg_mirror.parametrizations.shared import SharedHadamard

__all__ = ["Direct", "Hadamard", "NoMirror", "Parametrization", "SharedHadamard", "commutation_defect", "lie_bracket"]
