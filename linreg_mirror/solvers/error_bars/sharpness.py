r"""The bar of an interpolator of least L1 norm: how sharply the norm grows away from it.

Let Xp = y with p zero off S, s with X_i's = t_i sign p_i on S and |X_j's| < t_j off S. Any interpolator x costs
sum over j not in S of |x_j| (t_j - |X_j's|) more than <y, s>, so that the x* of least norm has
sum |x*_j| (t_j - |X_j's|) <= gap = |p|_t - <y, s>, and x*_S - p_S = -X_S^+ sum X_j x*_j. Together
|p - x*|_1 <= gap max over j not in S of (1 + |X_S^+ X_j|_1) / (t_j - |X_j's|), and x* is the only one.
"""

from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from linreg_mirror._tools import matrices
from linreg_mirror._tools.double_double import Pair, transposed_product
from linreg_mirror._types import Array
from linreg_mirror.solvers.error_bars.hessians import factor
from linreg_mirror.solvers.error_bars.pythagoras import moved_to_fit
from linreg_mirror.solvers.error_bars.rows import UNIT, Rows

_PROVED = 1e-9  # relative error with which one rests content
SEVERAL = "no error bar: other interpolators have the same L1 norm"
UNDECIDED = "no error bar: columns of weight zero are at their thresholds, but for rounding"


class VertexBar(NamedTuple):
    """Weights on a support, a dual vector that supports them, and how far they are from the least L1 norm.

    Attributes
    ----------
    x : array, shape (d,)
        Weights.
    s : Pair of shape (n,)
        The dual vector, in the scaled rows.
    error : float
        Upper bound of |x - x*|_1; inf where nothing is proved. Where it is finite, x* is the only one.
    """

    x: Array
    s: Pair
    error: float


def vertex_bar(
    rows: Rows, support: NDArray[np.intp], s: Pair, thresholds: tuple[Array, Array] | None = None
) -> VertexBar:
    """Solve for the weights on a support and for a dual vector, with residuals of 106 bits, and bound the error.

    Parameters
    ----------
    rows : Rows
        The problem.
    support : array of int
        Columns whose weights are not zero, at most n.
    s : Pair of shape (n,)
        A dual vector of the scaled rows, up to rounding: where columns are fewer than samples it decides about others.
    thresholds : (array, array), optional
        t_plus and t_minus, each of shape (d,), for the norm sum t_plus x^+ + t_minus x^-. Default: ones.
    """
    n, d = rows.X.shape
    nothing = VertexBar(np.zeros(d), s, np.inf)
    if not 0 < len(support) <= n:
        return nothing
    columns = rows.M[:, support]
    Q, R = np.linalg.qr(columns)
    diagonal = np.abs(np.diag(R))
    if not diagonal.min() > 1e-12 * diagonal.max():
        return nothing
    inverse = scipy.linalg.solve_triangular(R, Q.T, check_finite=False)  # X_S^+ in the rows of M
    norm = float(np.linalg.norm(inverse))
    # |X_S^+ X_S - 1|_1 for the pseudo-inverse as it is rounded.
    lost = (
        len(support) ** 0.5
        * norm
        * float(np.linalg.norm(rows.column_error[support]) + 4 * len(support) ** 1.5 * UNIT * np.linalg.norm(columns))
    )
    if not lost < 0.1:
        return nothing

    part = rows.on(support)
    values = moved_to_fit(part, Pair.of(np.zeros(len(support))), lambda r: inverse @ r)
    t_plus, t_minus = thresholds or (np.ones(d), np.ones(d))
    wanted = np.where(values.hi > 0, t_plus[support], -t_minus[support])
    for _ in range(4):
        missing = (Pair.of(wanted) - transposed_product(part.X, s)).hi
        s = s + Pair.of(rows.step(inverse.T @ missing))
    x = np.zeros(d)
    x[support] = values.hi
    slopes = transposed_product(rows.X, s)
    rounding = (8 * (n + 2) ** 2 * UNIT**2 * float(np.linalg.norm(s.hi))) * rows.lengths
    met = Pair.of(wanted) - Pair(slopes.hi[support], slopes.lo[support])
    inexact = float((np.abs(met.hi) + rounding[support]).max())
    steepest = float(max(t_plus.max(), t_minus.max()))
    # p + eta is an interpolator for some eta of this norm; that costs at most twice the threshold.
    whole = factor(rows)
    if whole is None or not whole.kept:
        return nothing
    eta = d**0.5 * whole.norm(*part.inexact_residual(values))
    size = float(np.abs(x).sum())
    last = 1.01 * eta + UNIT * size
    off = np.ones(d, bool)
    off[support] = False
    if not off.any():  # p + eta is the only interpolator
        return VertexBar(x, s, last)
    margins = Pair.of(np.where(slopes.hi > 0, t_plus, t_minus)) - Pair(
        np.abs(slopes.hi), np.sign(slopes.hi) * slopes.lo
    )
    slack = (margins.hi * (1 - 4 * UNIT) - rounding)[off]
    if not slack.min() > 0:
        return VertexBar(x, s, np.inf)
    gap = 2.02 * (steepest * eta + inexact * size)
    others = rows.M[:, off]
    wrong = rows.column_error[off] + n * UNIT * matrices.lengths(others)
    K = np.abs(inverse @ others).sum(axis=0) + len(support) ** 0.5 * norm * wrong
    worst = 1 + 1.01 * K / (1 - lost)
    return VertexBar(x, s, 1.01 * (gap * float((worst / slack).max()) + float(worst.max()) * eta) + last)


def loosened_bar(
    rows: Rows, support: NDArray[np.intp], s: Pair, thresholds: tuple[Array, Array] | None = None
) -> VertexBar:
    """Return the bar of a support, also where columns off it are at their thresholds by this dual vector.

    Parameters
    ----------
    rows, support, s, thresholds
        As for `vertex_bar`.
    """
    found = vertex_bar(rows, support, s, thresholds)
    thresholds = thresholds or (np.ones(len(found.x)), np.ones(len(found.x)))
    for by in (0.3, 0.03, 0.003):
        if not 0 < len(support) <= len(rows.y) or found.error <= _PROVED * float(np.abs(found.x).sum()):
            break
        rows = rows.sharpened() if by == 0.3 else rows
        other = vertex_bar(rows, support, loosened(rows, support, s, thresholds, by), thresholds)
        found = min(found, other, key=lambda bar: bar.error)
    return found


def error_of(rows: Rows, x: Array, s: Pair) -> float:
    """Return an upper bound of |x - x*|_1 for anyone's x of nearly least L1 norm; inf where nothing is proved.

    Parameters
    ----------
    rows : Rows
        The problem.
    x : array, shape (d,)
        Weights, also of an interior point: small ones are tried as zero.
    s : Pair of shape (n,)
        Their dual vector, in the scaled rows.
    """
    size, error = np.abs(x), np.inf
    for cut in (0.0, 1e-9, 1e-6):
        found = loosened_bar(rows, np.flatnonzero(size > cut * size.max()), s)
        error = min(error, found.error + float(np.abs(x - found.x).sum()) * (1 + 2 * len(x) * UNIT))
        if error <= _PROVED * float(size.sum()):
            break
    return error


def loosened(rows: Rows, support: NDArray[np.intp], s: Pair, thresholds: tuple[Array, Array], by: float) -> Pair:
    """Move a dual vector away from the thresholds of columns off the support, as where they have left it.

    Parameters
    ----------
    rows : Rows
        The problem.
    support : array of int
        Columns that stay at their thresholds.
    s : Pair of shape (n,)
        A dual vector of the scaled rows.
    thresholds : (array, array)
        t_plus and t_minus, each of shape (d,).
    by : float
        How far, relative to thresholds.
    """
    slopes = rows.X.T @ s.hi
    goals = np.where(slopes > 0, thresholds[0], -thresholds[1])
    tied = np.setdiff1d(np.flatnonzero(np.abs(slopes) > (1 - 1e-7) * np.abs(goals)), support)
    both = np.concatenate([support, tied])
    change = np.concatenate([np.zeros(len(support)), -by * goals[tied]])
    move, *_ = np.linalg.lstsq(rows.M[:, both].T, change)
    return s + Pair.of(rows.step(move))
