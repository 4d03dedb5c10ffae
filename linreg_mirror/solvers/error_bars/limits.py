r"""How far weights are from the limit of their flow, proved from the dual vector they came from.

Two bounds, of which the smaller counts. With q = primal(z_0 - X's) for any s, g = y - Xq, H = X diag(D) X' with the
metric D at q, and x* the limit:

* *Self-concordance.* Let |d log metric / dz_i| <= mu_i (2 for the hyperbolic entropy), lambda^2 = g'H^-1 g,
  kappa_i^2 = X_i'H^-1 X_i, delta = -log(1 - lambda max_i mu_i kappa_i). Then
  |q_i - x*_i| <= D_i (exp(mu_i Delta_i) - 1) / mu_i, Delta_i = kappa_i lambda delta / (1 - exp(-delta)), and
  |q - x*|_1 <= exp(delta) lambda sqrt(sum D_i).
* *Pythagoras and Pinsker*, for an interpolator close to q: see `pythagoras`.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from linreg_mirror._tools import matrices
from linreg_mirror._tools.double_double import Pair
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Mirror
from linreg_mirror.solvers.error_bars.hessians import Factor, factor, solver
from linreg_mirror.solvers.error_bars.points import DualPoint, dual_point
from linreg_mirror.solvers.error_bars.pythagoras import interpolator_bar, moved_to_fit
from linreg_mirror.solvers.error_bars.rows import UNIT, Rows

_SMALL = 1e-10  # relative bar from which on no other is tried
_VAGUE = 1e-3  # relative error of the metric with which bounds hold, of which each has a percent to spare
_LEAST = 1e-280  # metrics below belong to weights that rounding may make anything of


class LimitBar(NamedTuple):
    """Weights, the dual vector they come from, and how far they are from the limit.

    Attributes
    ----------
    x : array, shape (d,)
        primal(z_0 - X's).
    s : Pair of shape (n,)
        The dual vector, in the scaled rows.
    error : float
        Upper bound of |x - x*|_1; inf where nothing is proved.
    entries : array, shape (d,)
        Upper bounds of |x_i - x*_i|.
    """

    x: Array
    s: Pair
    error: float
    entries: Array


def refined(
    rows: Rows, mirror: Mirror, A: float, s: Pair, tolerance: float, rounds: int = 200, graded: bool = False
) -> LimitBar:
    """Take Newton steps with residuals of 106 bits until the bar is below `tolerance` |x|_1 or no longer falls.

    Parameters
    ----------
    rows : Rows
        The problem.
    mirror : Mirror
        Its potential.
    A : float
        Accumulated penalty.
    s : Pair of shape (n,)
        A dual vector of the scaled rows, close to the limit's.
    tolerance : float
        Relative error of x in the L1 norm that is good enough.
    rounds : int
        Most steps.
    graded : bool
        Whether to step also in directions in which H is below rounding, as it is where weights differ widely: from
        close by only. Default: such directions stay as they are.
    """
    best, best_fits, stale = nothing_proved(rows, mirror, A), False, 0
    for count in range(rounds + 1):
        point = dual_point(mirror, A, rows.X, rows.lengths, s)
        residual = rows.inexact_residual(point.x)
        found = factor(rows, point.metric)
        bar, fits = _self_concordant(rows, mirror, A, s, point, residual, found), _fits(rows, point, residual[0])
        solve = found.solve if graded and found is not None else solver(rows, point.metric, found)
        # Before a first Newton step a bar that is no more than known is good enough.
        small = _SMALL if count or not rounds else _VAGUE
        if solve is not None and fits and not bar.error < small * float(np.abs(bar.x).sum()):
            bar = min(bar, _pythagorean(rows, mirror, A, s, point, solve), key=lambda bar: bar.error)
        better = (fits and not best_fits) or bar.error < 0.95 * best.error
        if (fits, -bar.error) > (best_fits, -best.error) or not count:
            best, best_fits = bar, fits
        done = best_fits and best.error <= tolerance * float(np.abs(best.x).sum())
        # Weights that the limit has not got may fall by half a step only.
        stale = 0 if better else stale + 1
        stuck = best_fits and best.error < np.inf and stale > (0 if found is not None and found.kept else 4)
        if solve is None or done or stuck or count == rounds:
            break
        step = rows.step(solve(residual[0]))
        moved = float(np.nanmax(np.abs(rows.X.T @ step) * mirror.metric_slope(point.z, A, 0.0)))
        # Where the metric would change by more than a factor, a shorter step is known to go down (self-concordance).
        s = s + Pair.of(-step * (float(np.log1p(moved)) / moved if moved > 0.5 else 1.0))
    return best


def _pythagorean(
    rows: Rows, mirror: Mirror, A: float, s: Pair, point: DualPoint, solve: Callable[[Array], Array]
) -> LimitBar:
    """Bound the error of the interpolator that a last Newton step in x leads to."""
    p = moved_to_fit(rows, point.x, lambda r: point.metric * (rows.M.T @ solve(r)))
    error = interpolator_bar(rows, mirror, A, point, p) + UNIT * float(np.abs(p.hi).sum())
    return LimitBar(p.hi, s, error, np.full(len(p.hi), error))


def _fits(rows: Rows, point: DualPoint, residual: Array) -> bool:
    """Whether Xx = y to ten digits: features of weight zero in X may make up most of |x|_1."""
    size = float(matrices.lengths(rows.M) @ np.abs(point.x.hi)) + float(np.linalg.norm(rows.computed.y))
    return float(np.linalg.norm(residual)) <= 1e-11 * size


def nothing_proved(rows: Rows, mirror: Mirror, A: float) -> LimitBar:
    """Return the start with a bar of inf."""
    n, d = rows.X.shape
    return LimitBar(mirror.primal(mirror.initial_dual, A), Pair.of(np.zeros(n)), np.inf, np.full(d, np.inf))


def bar(rows: Rows, mirror: Mirror, A: float, s: Pair) -> LimitBar:
    """Return how far the weights of s are from the limit."""
    return refined(rows, mirror, A, s, 0.0, rounds=0)


def _self_concordant(
    rows: Rows, mirror: Mirror, A: float, s: Pair, point: DualPoint, residual: tuple[Array, float], found: Factor | None
) -> LimitBar:
    (x, _), (metric, _), rounding, z = point
    nothing = LimitBar(x, s, np.inf, np.full(len(x), np.inf))
    n = len(rows.y)
    if not residual[0].any() and not residual[1] and not rounding.any():
        return LimitBar(x, s, 0.0, np.zeros(len(x)))
    if found is None or not found.kept or not np.isfinite(metric).all():
        return nothing
    # |Xv|_{H^-1} <= |v / sqrt D|_2, whatever X is, for what rounding has made of q.
    seen = (metric > 0) & (rows.lengths > 0)
    weight = np.sqrt(np.where(seen, metric, 1.0))
    of_rounding = float(np.linalg.norm(np.where(seen, rounding / weight, 0.0)))
    decrement = found.norm(*residual) + 1.01 * of_rounding
    # kappa_i^2 D_i <= 1, since H is at least D_i X_i X_i'; and kappa_i <= |M_i| / sqrt(smallest eigenvalue of H).
    reach = (matrices.lengths(rows.M) + rows.column_error) * found.size_of_inverse / found.kept**0.5
    kappa = 1.01 * np.minimum(reach, np.where(seen, 1 / weight, np.inf))
    mu = mirror.metric_slope(z, A, kappa * decrement * 2)
    if mu is None or not (mu * rounding < _VAGUE * np.maximum(metric, _LEAST)).all():
        return nothing
    steepest = float((mu * kappa).max()) * decrement
    if not steepest < 0.5:
        lost = (found.loss + n * UNIT) * matrices.lengths(rows.M) + rows.column_error
        exact = matrices.lengths(found.inverse @ rows.M) + found.size_of_inverse * lost
        kappa = np.minimum(kappa, 1.01 * exact / found.kept**0.5)
        steepest = float((mu * kappa).max()) * decrement
        if not steepest < 0.75:  # then delta / (1 - exp(-delta)) <= 2
            return nothing
    delta = -np.log1p(-steepest)
    moved = kappa * decrement * (delta / -np.expm1(-delta) if delta > 1e-12 else 1 + delta)
    grown = np.where(mu * moved > 1e-9, np.expm1(mu * moved) / np.where(mu > 0, mu, 1.0), moved * (1 + 1e-9))
    rounding = rounding + UNIT * np.abs(x)
    entries = 1.01 * metric * grown + rounding
    # By Cauchy's inequality, sum D_i |X_i'h| <= |h|_H sqrt(sum D_i).
    together = 1.02 * decrement / (1 - steepest) * float(np.sqrt(metric.sum())) + float(rounding.sum())
    return LimitBar(x, s, min(float(entries.sum()), together), entries)
