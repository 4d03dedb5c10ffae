"""What is minimised, f(x) = l(Xx - y), and where problems come from: random designs, real data, files."""

from linreg_mirror.problems import losses
from linreg_mirror.problems.files import from_file
from linreg_mirror.problems.problem import Problem
from linreg_mirror.problems.random_designs import coherent, correlated, duplicated, ill_conditioned, planted_sparse
from linreg_mirror.problems.real_data import breast_cancer, diabetes
from linreg_mirror.problems.sensing import matrix_sensing, multi_output
from linreg_mirror.problems.tables import Table, from_table

__all__ = [
    "Problem",
    "Table",
    "breast_cancer",
    "coherent",
    "correlated",
    "diabetes",
    "duplicated",
    "from_file",
    "from_table",
    "ill_conditioned",
    "losses",
    "matrix_sensing",
    "multi_output",
    "planted_sparse",
]
