r"""The bar of a LASSO solution: its signs, proved, and Newton's decrement on its support.

Let g = X_S'(X_S x - y) + weight sign x, H = X_S'X_S, and x* with X_S'(X_S x* - y) + weight sign x = 0. Then
x - x* = H^-1 g, |X(x - x*)|_2 = |g|_{H^-1} = eta, and |X_j'(r - r*)| <= |X_j| eta for residuals r = y - Xx. If x* has
the signs of x, and |X_j'r| + |X_j| eta < weight off S, then x* is the LASSO solution, and the only one.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError

from linreg_mirror._tools import matrices
from linreg_mirror._tools.double_double import Pair, product, transposed_product
from linreg_mirror._types import Array
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.error_bars.hessians import Factor, factor
from linreg_mirror.solvers.error_bars.rows import UNIT, Rows

_ROUNDS = 10  # of Newton's method, of which one suffices but for rounding
DEPENDENT = "no error bar: columns of the support are dependent, or are so but for rounding"
VANISHING = "no error bar: entries of x are zero, but for rounding"
TIED = "no error bar: columns of weight zero are at the threshold, but for rounding"


class LassoBar(NamedTuple):
    """Weights, and how far they are from the LASSO solution.

    Attributes
    ----------
    x : array, shape (d,)
        Weights.
    error : float
        Upper bound of |x - x*|_1; inf where nothing is proved. Where it is finite, x* is the only solution.
    entries : array, shape (d,)
        Upper bounds of |x_i - x*_i|.
    dual : Pair of shape (n,)
        y - Xx, for x before it was rounded.
    notes : tuple of str
        Why nothing is proved.
    """

    x: Array
    error: float
    entries: Array
    dual: Pair
    notes: tuple[str, ...] = ()


class _OnSupport(NamedTuple):
    """Newton's method has ended here: values in scaled columns, y - Xx, and an upper bound of eta."""

    values: Pair
    residual: Pair
    eta: float


def lasso_bar(problem: Problem, weight: float, x: Array) -> LassoBar:
    """Solve for the weights on the support of x, with residuals of 106 bits, and bound the error.

    Parameters
    ----------
    problem : Problem
        X is (n, d), an array or sparse.
    weight : float
        Positive.
    x : array, shape (d,)
        Weights with the support and the signs of the solution; others are returned as they are, with a bar of inf.
    """
    y, support = Pair.of(problem.y), np.flatnonzero(x)
    if not support.size:
        return _judged(problem, weight, x, np.zeros(problem.d), y, 0.0)
    signs = np.sign(x[support])
    plain = LassoBar(x, np.inf, np.full(problem.d, np.inf), Pair.of(-problem.residual(x)), (DEPENDENT,))
    try:
        rows = Rows.of(Problem(matrices.columns(problem.X, support).T, weight * signs))
    except LinAlgError:
        return plain
    whole = factor(rows)
    if whole is None or not whole.kept:
        return plain
    found = _newton(rows, whole, y, rows.scaled(Pair.of(x[support])))
    values = rows.unscaled(found.values).hi
    if not (signs * values > 0).all():
        return plain._replace(notes=(VANISHING,))
    refined, entries = np.zeros(problem.d), np.zeros(problem.d)
    refined[support] = values
    entries[support] = np.ldexp(_entries(rows, whole, found.eta), rows.exponents) + 1.01 * UNIT * np.abs(values)
    return _judged(problem, weight, refined, entries, found.residual, found.eta)


def _judged(problem: Problem, weight: float, x: Array, entries: Array, residual: Pair, eta: float) -> LassoBar:
    """Return the bar, if signs and slopes are as optimality demands for all weights and residuals within bounds."""
    support = np.flatnonzero(x)
    if not (entries[support] < np.abs(x[support])).all():
        reason = VANISHING
    elif not _below(problem, weight, support, residual, eta):
        reason = TIED
    else:
        return LassoBar(x, 1.01 * float(entries.sum()), entries, residual)
    return LassoBar(x, np.inf, np.full(len(x), np.inf), residual, (reason,))


def _newton(rows: Rows, whole: Factor, y: Pair, values: Pair) -> _OnSupport:
    """Take Newton steps until eta, rounding of y - Xx included, no longer falls."""
    columns, k = rows.X.T, len(rows.y)
    best = _OnSupport(values, y, np.inf)
    for _ in range(_ROUNDS):
        residual = y - product(columns, values)
        left, inexact = rows.inexact_residual(residual)  # of g, in the rows of M
        # |X_S'v|_{H^-1} <= |v|_2 for what rounding has made of the residual, which is off by as much itself.
        size = float(matrices.lengths(columns) @ np.abs(values.hi) + np.linalg.norm(y.hi))
        eta = whole.norm(left, inexact) + 2 * (2 * (k + 2) * UNIT) ** 2 * size
        if not eta < best.eta:
            break
        best = _OnSupport(values, residual, eta)
        values = values + Pair.of(-rows.step(whole.solve(left)))
    return best


def _entries(rows: Rows, whole: Factor, eta: float) -> Array:
    """Return upper bounds of the entries of e with |Me'|_2 <= eta, e' = Re."""
    size = whole.size_of_inverse / whole.kept**0.5 * eta
    if rows.inverse is None:
        return np.full(len(rows.y), 1.01 * size)
    # By substitution the inverse is wrong by n u times the condition number, relative to its norm.
    lost = 2 * len(rows.y) * UNIT * rows.condition * float(np.linalg.norm(rows.inverse))
    return 1.01 * (np.linalg.norm(rows.inverse, axis=1) + 1.01 * lost) * size


def _below(problem: Problem, weight: float, support: NDArray[np.intp], residual: Pair, eta: float) -> bool:
    """Whether |X_j'r| is below the weight off the support, for each r within eta of a residual."""
    X, n = problem.X, problem.n
    lengths, size = np.sqrt(matrices.column_weights(X)), float(np.linalg.norm(residual.hi))
    if matrices.is_dense(X):
        slopes = transposed_product(X, residual).hi
        rounding = (2 * (n + 2) * UNIT) ** 2 * lengths * size + UNIT * np.abs(slopes)
    else:
        slopes = X.T @ residual.hi
        rounding = (n + 4) * UNIT * lengths * size
    bound = np.abs(slopes) + 1.01 * (rounding + lengths * eta)
    bound[support] = 0.0
    return bool((bound < weight).all())
