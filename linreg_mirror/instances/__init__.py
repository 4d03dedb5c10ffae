"""Where problems come from: random designs, bundled real data, files."""

from linreg_mirror.instances.files import from_file
from linreg_mirror.instances.matrices import matrix_sensing, multi_output
from linreg_mirror.instances.random_designs import coherent, correlated, duplicated, ill_conditioned, planted_sparse
from linreg_mirror.instances.real_data import breast_cancer, diabetes

__all__ = [
    "breast_cancer",
    "coherent",
    "correlated",
    "diabetes",
    "duplicated",
    "from_file",
    "ill_conditioned",
    "matrix_sensing",
    "multi_output",
    "planted_sparse",
]
