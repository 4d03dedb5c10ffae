"""From a point near the least L1 norm to a vertex that has it: a few simplex pivots."""

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._tools import matrices
from linreg_mirror._types import Array

_REFACTOR = 50  # pivots between two fresh inverses


def pivot_to_optimum(
    X: matrices.Matrix, y: Array, basis: NDArray[np.intp], pivots: int
) -> tuple[NDArray[np.intp], Array, Array]:
    """Improve a basis of columns until its interpolator has the least L1 norm, or the pivots are spent.

    Parameters
    ----------
    X : array, sparse array or operator, shape (n, d)
        Full row rank.
    y : array, shape (n,)
        Targets.
    basis : array of int, shape (n,)
        Linearly independent columns. Any such basis may be the start: entries of x enter with the sign they have.
    pivots : int
        Budget. From a good start a handful is enough; each costs n d + n^2.

    Returns
    -------
    basis : array of int, shape (n,)
        The last basis.
    values : array, shape (n,)
        x on it.
    s : array, shape (n,)
        The dual vector, X_i's = sign x_i on the basis; |X's| <= 1 everywhere if the optimum was reached.
    """
    basis = basis.copy()
    values = np.linalg.solve(matrices.columns(X, basis), y)
    signs = np.where(values < 0, -1.0, 1.0)
    inverse, sizes = np.empty(0), np.empty(0)  # made afresh before the first pivot
    for count in range(pivots + 1):
        if count % _REFACTOR == 0:
            inverse = np.linalg.inv(matrices.columns(X, basis) * signs)
            sizes = np.maximum(inverse @ y, 0.0)
        s = inverse.T.sum(axis=1)
        slopes = X.T @ s
        entering = int(np.argmax(np.abs(slopes)))
        if abs(slopes[entering]) <= 1 + 1e-11 or count == pivots:
            break
        sign = np.sign(slopes[entering])
        direction = inverse @ (sign * matrices.column(X, entering))
        falling = direction > 1e-11
        if not falling.any():
            break  # the norm is bounded below, so that only rounding can say otherwise
        ratios = np.full(len(basis), np.inf)
        ratios[falling] = sizes[falling] / direction[falling]
        # Of (nearly) equal ratios the largest pivot loses least to rounding.
        ties = np.flatnonzero(ratios <= ratios.min() + 1e-12 * (1 + ratios.min()))
        leaving = ties[np.argmax(direction[ties])]
        step = sizes[leaving] / direction[leaving]
        sizes = np.maximum(sizes - step * direction, 0.0)
        sizes[leaving] = step
        row = inverse[leaving] / direction[leaving]
        inverse = inverse - np.multiply.outer(direction, row)
        inverse[leaving] = row
        basis[leaving], signs[leaving] = entering, sign
    square = matrices.columns(X, basis)
    return basis, np.linalg.solve(square, y), np.linalg.solve(square.T, signs)
