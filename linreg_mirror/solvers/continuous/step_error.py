"""The defect of a step of a numerical path, and its soft and stiff parts, compiled.

With the step's own matrix M = I/(gamma h) + H and F = M^-1/(gamma h), which is near 1 in directions where H does little
in one step and near 0 in stiff ones, a defect delta splits into a = F delta and c = H v, v = M^-1 delta. Then |c|^2 in
the norm of H^-1 is <v, delta> - |v|^2/(gamma h).
"""

from linreg_mirror._types import Array
from linreg_mirror.solvers.continuous.dual_field import inlined, size_of, solve
from linreg_mirror.solvers.continuous.rodas5p import GAMMA


@inlined
def write_defect(
    h: float, theta: float, s: Array, after: Array, dense: Array, f: Array, defect: Array
) -> None:  # pragma: no cover - compiled
    """Write the path's slope at t + theta h less its field f there."""
    rest = 1 - theta
    for i in range(s.size):
        bend = dense[0, i] + theta * (dense[1, i] + theta * dense[2, i])
        slope = after[i] - s[i] + (rest - theta) * bend + theta * rest * (dense[1, i] + 2 * theta * dense[2, i])
        defect[i] = slope / h - f[i]


@inlined
def split(h: float, L: Array, defect: Array, soft: Array) -> float:  # pragma: no cover - compiled
    """Write a, and return |c|^2 in the norm of H^-1; L is the factor of M."""
    for i in range(defect.size):
        soft[i] = defect[i]
    solve(L, soft)
    product = 0.0
    for i in range(defect.size):
        product += soft[i] * defect[i]
        soft[i] /= GAMMA * h
    size = size_of(soft)
    return max(product - GAMMA * h * size * size, 0.0)
