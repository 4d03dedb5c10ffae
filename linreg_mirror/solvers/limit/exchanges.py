"""Pivots of the simplex method on columns that fit the cache, compiled.

Importing this module takes as long as importing numba does.
"""

import math

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._tools.compilation import compiled
from linreg_mirror._types import Array

STEEP = 1e-11  # of a slope beyond 1, and of a direction: what rounding leaves of zero
_TIED = 1e-12
_FAST = {"reassoc", "contract", "nsz", "arcp"}  # sums may be reordered; infinities keep their meaning


@compiled(fastmath=_FAST, error_model="numpy", nogil=True)
def exchange(
    columns: Array, inverse: Array, sizes: Array, basis: NDArray[np.intp], signs: Array, budget: int
) -> int:  # pragma: no cover - compiled
    """Let columns enter the basis, all in place, until none is worth it or the budget is spent; return how many did.

    Parameters
    ----------
    columns : array, shape (k, n)
        Columns of X, each a row.
    inverse : array, shape (n, n)
        Of the basis, each column times its sign.
    sizes : array, shape (n,)
        Weights on the basis times their signs, none negative.
    basis : array of int, shape (n,)
        Which of the columns it is of.
    signs : array, shape (n,)
        Of weights on the basis.
    budget : int
        Pivots.
    """
    n = sizes.size
    s, direction, row = np.zeros(n), np.empty(n), np.empty(n)
    for i in range(n):
        for j in range(n):
            s[j] += inverse[i, j]
    for count in range(budget):
        slopes = np.dot(columns, s)
        entering, steepest = 0, 0.0
        for k in range(slopes.size):
            if abs(slopes[k]) > steepest:
                entering, steepest = k, abs(slopes[k])
        if not steepest > 1 + STEEP:
            return count
        sign = math.copysign(1.0, slopes[entering])
        least, total = np.inf, 0.0
        for i in range(n):
            fall = 0.0
            for j in range(n):
                fall += inverse[i, j] * columns[entering, j]
            direction[i] = sign * fall
            total += direction[i]
            if direction[i] > STEEP:
                least = min(least, sizes[i] / direction[i])
        if least == np.inf:  # the norm is bounded below, so that only rounding can say this
            return count
        # Of (nearly) equal ratios the largest pivot loses least to rounding.
        leaving, largest = 0, 0.0
        for i in range(n):
            if direction[i] > max(STEEP, largest) and sizes[i] / direction[i] <= least + _TIED * (1 + least):
                leaving, largest = i, direction[i]
        step = sizes[leaving] / largest
        for j in range(n):
            row[j] = inverse[leaving, j] / largest
            s[j] += (1 - total) * row[j]  # s sums the rows of the inverse
        for i in range(n):
            if i != leaving:
                sizes[i] = max(sizes[i] - step * direction[i], 0.0)
                for j in range(n):
                    inverse[i, j] -= direction[i] * row[j]
        for j in range(n):
            inverse[leaving, j] = row[j]
        sizes[leaving], basis[leaving], signs[leaving] = step, entering, sign
    return budget
