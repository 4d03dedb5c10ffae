"""Compiled loops over a stack of small problems; `linear_algebra` and `pairs` have what they are called by.

Importing this module takes as long as importing numba does.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from linreg_mirror._tools import double_double
from linreg_mirror._tools.compilation import compiled
from linreg_mirror._tools.double_double_kernels import product, transposed_product
from linreg_mirror._types import Array
from linreg_mirror.solvers.limit import exchanges as pivoting

# Bounds of rounding in sums hold in any order of summation.
_ANY_ORDER = {"reassoc", "contract"}
# As NumPy divides: what is singular becomes infinite or NaN.
_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": _ANY_ORDER}


@numba.njit(inline="always", fastmath=_ANY_ORDER)
def _dot(a: Array, b: Array, n: int) -> float:  # pragma: no cover - compiled
    total = 0.0
    for i in range(n):
        total += a[i] * b[i]
    return total


@compiled(**_OPTIONS)
def cholesky(H: Array) -> tuple[Array, NDArray[np.bool_]]:  # pragma: no cover - compiled
    """Return the lower triangle L of each H = LL', and which of them are positive definite; of others L is NaN."""
    B, n, _ = H.shape
    triangles, positive = np.zeros_like(H), np.ones(B, np.bool_)
    for k in range(B):
        L = triangles[k]
        for i in range(n):
            for j in range(i):
                L[i, j] = (H[k, i, j] - _dot(L[i], L[j], j)) / L[j, j]
            pivot = H[k, i, i] - _dot(L[i], L[i], i)
            if not pivot > 0.0:
                positive[k] = False
                L[:] = np.nan
                break
            L[i, i] = np.sqrt(pivot)
    return triangles, positive


@compiled(**_OPTIONS)
def forward(L: Array, v: Array) -> Array:  # pragma: no cover - compiled
    """Return L^-1 v by substitution."""
    w = np.empty_like(v)
    B, n = v.shape
    for k in range(B):
        for i in range(n):
            w[k, i] = (v[k, i] - _dot(L[k, i], w[k], i)) / L[k, i, i]
    return w


@compiled(**_OPTIONS)
def backward(L: Array, v: Array) -> Array:  # pragma: no cover - compiled
    """Return L'^-1 v by substitution."""
    w = v.copy()
    B, n = v.shape
    for k in range(B):
        for i in range(n - 1, -1, -1):
            w[k, i] /= L[k, i, i]
            for j in range(i):
                w[k, j] -= L[k, i, j] * w[k, i]
    return w


@compiled(**_OPTIONS)
def inverse(L: Array) -> Array:  # pragma: no cover - compiled
    """Return the inverse of each lower triangle, row after row."""
    R = np.zeros_like(L)
    B, n, _ = L.shape
    for k in range(B):
        for i in range(n):
            for j in range(i):
                factor = L[k, i, j]
                for m in range(j + 1):
                    R[k, i, m] -= factor * R[k, j, m]
            for m in range(i):
                R[k, i, m] /= L[k, i, i]
            R[k, i, i] = 1 / L[k, i, i]
    return R


@compiled(double_double, nogil=True)
def products(X: Array, hi: Array, lo: Array) -> tuple[Array, Array]:  # pragma: no cover - compiled
    """Return X v for each v, with 106 bits; a stack of one matrix serves all."""
    B, (n, shared) = len(hi), (X.shape[1], len(X) == 1)
    high, low = np.empty((B, n)), np.empty((B, n))
    for k in range(B):
        high[k], low[k] = product(X[0 if shared else k], hi[k], lo[k])
    return high, low


@compiled(double_double, nogil=True)
def transposed_products(X: Array, hi: Array, lo: Array) -> tuple[Array, Array]:  # pragma: no cover - compiled
    """Return X's for each s, with 106 bits; a stack of one matrix serves all."""
    B, (d, shared) = len(hi), (X.shape[2], len(X) == 1)
    high, low = np.empty((B, d)), np.empty((B, d))
    for k in range(B):
        high[k], low[k] = transposed_product(X[0 if shared else k], hi[k], lo[k])
    return high, low


@compiled(pivoting, **_OPTIONS)
def exchanges(
    columns: Array, inverses: Array, sizes: Array, bases: NDArray[np.intp], signs: Array, budgets: NDArray[np.intp]
) -> NDArray[np.intp]:  # pragma: no cover - compiled
    """Let columns enter each basis, in place, as `exchange` does; return how many did."""
    taken, shared = np.zeros_like(budgets), len(columns) == 1
    for k in range(len(budgets)):
        if budgets[k] > 0:
            X = columns[0 if shared else k]
            taken[k] = pivoting.exchange(X, inverses[k], sizes[k], bases[k], signs[k], budgets[k])
    return taken
