"""From a point near the least L1 norm to a vertex that has it, by pivots of the simplex method."""

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._tools import matrices
from linreg_mirror._types import Array

_REFACTOR = 50  # pivots between two fresh inverses
_BLOCK = 4  # times n columns are looked at while pivots go on; then all are


def pivot_to_optimum(
    X: matrices.Matrix, y: Array, basis: NDArray[np.intp], pivots: int, likely: NDArray[np.intp] | None = None
) -> tuple[NDArray[np.intp], Array, Array]:
    """Improve a basis of columns until its interpolator has the least L1 norm, or the pivots are spent.

    Pivots look at some columns, n^2 each, until none of them is worth it; a product with X' then finds others that are.

    Parameters
    ----------
    X : array or sparse array, shape (n, d)
        Full row rank.
    y : array, shape (n,)
        Targets.
    basis : array of int, shape (n,)
        Linearly independent columns. Any such basis may be the start: entries of x enter with the sign they have.
    pivots : int
        Budget.
    likely : array of int, optional
        Columns to look at first. Default: those that are worth most.

    Returns
    -------
    basis : array of int, shape (n,)
        The last basis.
    values : array, shape (n,)
        x on it.
    s : array, shape (n,)
        The dual vector, X_i's = sign x_i on the basis; |X's| <= 1 everywhere if the optimum was reached.
    """
    from linreg_mirror.solvers.limit.exchanges import STEEP

    signs = np.where(np.linalg.solve(matrices.columns(X, basis), y) < 0, -1.0, 1.0)
    used, most = 0, _BLOCK * len(basis)
    if likely is not None:
        basis, used = _among(X, y, basis, signs, likely, pivots)
    while True:
        pivots -= used
        square = matrices.columns(X, basis)
        s = np.linalg.solve(square.T, signs)
        slopes = np.abs(X.T @ s)
        slopes[basis] = 1.0
        worth = np.flatnonzero(slopes > 1 + STEEP)
        if len(worth) > most:
            worth = worth[np.argpartition(-slopes[worth], most)[:most]]
        basis, used = _among(X, y, basis, signs, worth, pivots) if len(worth) > 0 else (basis, 0)
        if used == 0:
            return basis, np.linalg.solve(square, y), s


def _among(
    X: matrices.Matrix, y: Array, basis: NDArray[np.intp], signs: Array, which: NDArray[np.intp], pivots: int
) -> tuple[NDArray[np.intp], int]:
    """Return the basis that pivots among these columns lead to, and how many there were; `signs` follow in place."""
    from linreg_mirror.solvers.limit.exchanges import exchange

    block, places = np.unique(np.concatenate([which, basis]), return_inverse=True)
    columns, places, used, taken = np.ascontiguousarray(matrices.columns(X, block).T), places[len(which) :], 0, -1
    while taken != 0 and used < pivots:
        inverse = np.linalg.inv(columns[places].T * signs)
        sizes = np.maximum(inverse @ y, 0.0)
        taken = exchange(columns, inverse, sizes, places, signs, min(_REFACTOR, pivots - used))
        used += taken
    return block[places], used
