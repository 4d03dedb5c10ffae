"""Vanishing initialisation: from saddle to saddle to the least L1 norm.

Paths are those of `saddles`; what they are compared with is HiGHS, and the rules of the path carried out afresh at each
jump.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from linreg_mirror._types import Array
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Hypothesis,
    Instance,
    identity,
    relative,
    theorem,
)
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.independent import weighted_l1_cost
from linreg_mirror.solvers.saddles import SaddlePath, saddles

EXACT = 1e-12  # what rounding leaves of slopes
_GAP = 1e-6  # relative distance, in times and weights, of what happens from what would be undecided


def path_of(it: Instance) -> SaddlePath:
    return saddles(it.problem)


def _rules_of(it: Instance) -> list["_Jump"]:
    return _by_the_rules(it.problem)


vanishing = Hypothesis(
    "x_0 = 0 and one small b", lambda it: not it.hadamard.w0.any() and bool((it.hadamard.log_scale < -5).all())
)
general_position = Hypothesis(
    "coordinates reach their thresholds one at a time, and have a weight there or leave",
    lambda it: bool((gaps := [jump.gap for jump in it.once(_rules_of)]) and min(gaps) > _GAP),
)
_ONCE = (h.hadamard, h.unbalanced, vanishing, h.equal_scales, h.no_penalty, h.squared, h.solvable)
GENERIC = (*_ONCE, general_position)


@theorem(
    "saddles.rules",
    source=Citation("PF23", "Algorithm 1"),
    statement="at each jump the coordinate next to reach |X_i'sigma| = 1 joins, x becomes the least-squares fit on "
    "those at +-1, with their signs, and whoever is zero and pushed inwards leaves",
    kind="identity",
    hypotheses=GENERIC,
    constants={"leaving": True},
    extremal=("planted/small/2",),
    control=Control("nobody leaves", "planted/small/2", {"leaving": False}),
)
def rules(it: Instance, leaving: bool) -> Evidence:
    path = it.once(path_of)
    slow = it.once(_rules_of) if leaving else _by_the_rules(it.problem, leaving=False)
    if len(slow) != len(path.times):
        return Evidence(-1.0, f"{len(path.times)} jumps, {len(slow)} by the rules")
    # A time is a distance over a slope X_i'r; where residuals are small, what rounding does to it is large.
    slopes = np.minimum.accumulate([jump.slope for jump in slow])
    times = relative((path.times / np.array([jump.time for jump in slow]) - 1) * np.minimum(slopes, 1.0), 1.0)
    points = relative(path.points - np.array([jump.x for jump in slow]), path.points)
    # Least squares magnify rounding by up to the square of the condition number; each jump adds its share.
    conditions = [np.linalg.cond(it.problem.X[:, active]) for active in path.active]
    return identity([times, points], 16 * float(np.finfo(float).eps) * len(slow) * max(conditions) ** 2)


@theorem(
    "saddles.end",
    source=Citation("PF23", "Thm 2"),
    statement="the path ends in an interpolator of least L1 norm",
    kind="identity",
    hypotheses=_ONCE,
    constants={"signed": True},
    extremal=("dense/small/1",),
    control=Control("fits without regard to signs", "dense/small/1", {"signed": False}),
)
def end(it: Instance, signed: bool) -> Evidence:
    path = it.once(path_of)
    x = path.solution.x if signed else _by_the_rules(it.problem, signed=False)[-1].x
    lower, upper, _ = weighted_l1_cost(it.problem, np.zeros(it.problem.d))
    found = _within(float(np.abs(x).sum()), lower, upper, path.solution.error, it.problem.X[:, x != 0])
    unmet = relative(it.problem.residual(x), it.problem.y)
    return Evidence(min(found.margin, 1e-11 - unmet), f"{found.detail}, |Xx - y| {unmet:.1e} of |y|")


def _within(cost: float, lower: float, upper: float, proved: float, columns: Array) -> Evidence:
    """Return evidence that a cost is between bounds, but for what is proved of its error, and rounding of sums.

    Where nothing is proved of weights they are least squares on their columns, whose condition magnifies rounding.
    """
    rounding = 4 * sum(columns.shape) * float(np.finfo(float).eps) * abs(upper)
    allowed = proved + rounding if proved < np.inf else rounding * float(np.linalg.cond(columns))
    outside = max(cost - upper, lower - cost)
    return Evidence((allowed - outside) / upper, f"cost {outside / upper:.1e} out of HiGHS' bounds")


@theorem(
    "saddles.weights",
    source=Citation("ours", "unequal initial sizes"),
    statement="from |u0|^2 = b^t_plus, |v0|^2 = b^t_minus the path ends in an interpolator of least "
    "sum t_plus x^+ + t_minus x^-",
    kind="identity",
    hypotheses=_ONCE,
    constants={"exchanged": False},
    extremal=("dense/small/0",),
    control=Control("t_plus and t_minus exchanged", "dense/small/0", {"exchanged": True}),
)
def unequal_weights(it: Instance, exchanged: bool) -> Evidence:
    """Compare the cost of the end with the least one, by HiGHS.

    Proof. At the end sigma lies between the thresholds and x is zero but on them, with their signs, so that
    <y, sigma> = <x, X'sigma> is the cost of x; for any other z with Xz = y, <y, sigma> = <z, X'sigma> is at most its
    cost.
    """
    rng = np.random.default_rng(0)
    size, tilt = rng.uniform(0.5, 2, it.problem.d), rng.uniform(-0.5, 0.5, it.problem.d)
    t_plus, t_minus = size * (1 - tilt), size * (1 + tilt)
    end = saddles(it.problem, (t_minus, t_plus) if exchanged else (t_plus, t_minus)).solution
    cost = float(t_plus @ np.maximum(end.x, 0) + t_minus @ np.maximum(-end.x, 0))
    lower, upper, _ = weighted_l1_cost(Problem(it.problem.X / size, it.problem.y), tilt)
    proved = float(max(t_plus.max(), t_minus.max())) * end.error
    return _within(cost, lower, upper, proved, it.problem.X[:, end.x != 0])


@theorem(
    "saddles.integrals",
    source=Citation("ours", "right slopes"),
    statement="from any time to the next jump tau average(tau) grows at the rate x(tau), and sigma at the rate y - "
    "Xx(tau), x(tau) being the point after the jump where there is one",
    kind="identity",
    hypotheses=(*_ONCE, h.targets),
    constants={"after": True},
    extremal=("planted/small/0",),
    control=Control("the point before the jump", "planted/small/0", {"after": False}),
)
def integrals(it: Instance, after: bool) -> Evidence:
    """Compare from jumps, and from the middle between two, on; both sums are linear in between.

    Proof. By definition of averages, and of sigma.
    """
    path, problem, found = it.once(path_of), it.problem, []
    knots = np.append(0.0, path.times)
    for start, end in pairwise(knots):
        for first in (start, (start + end) / 2):
            x = path.at(first if after else first * (1 - 1e-9))
            grown = end * path.average(end) - first * path.average(first)
            pulled = path.dual_at(end) - path.dual_at(first)
            size = end * (np.abs(path.points).max() + np.abs(problem.y).max())
            found += [np.abs(grown - (end - first) * x).max() / size]
            found += [np.abs(pulled + (end - first) * problem.residual(x)).max() / size]
    return identity(found, 1e-12)


# The rules, carried out afresh at each jump


class _Jump(NamedTuple):
    """A jump, and how far it is from one on which the path is not determined, or not generic."""

    time: float
    x: Array
    gap: float
    slope: float  # |X_i'r| of who joins, in units of max |X'y|


def _by_the_rules(problem: Problem, signed: bool = True, leaving: bool = True) -> list[_Jump]:
    """Follow the path with SciPy's non-negative least squares (Lawson and Hanson), or with one rule left out."""
    X, y = problem.X, problem.y
    s, time, signs, x, jumps = np.zeros(problem.d), 0.0, np.zeros(problem.d), np.zeros(problem.d), []
    while True:
        c = X.T @ (y - X @ x)
        c[np.abs(c) <= 1e-10 * problem.gradient_scale] = 0
        on = np.flatnonzero(signs)
        # A coordinate at its threshold has a weight that is not zero, or a slope that takes it from there.
        weights, slopes = np.abs(x[on]) / (np.abs(x).max() or 1.0), np.abs(c[on]) / (problem.gradient_scale or 1.0)
        gap = float(np.maximum(weights, slopes).min(initial=1.0)) if c.any() else 1.0
        if leaving:
            signs[signs * c < 0] = 0
        moving = np.flatnonzero((c != 0) & (signs == 0))
        if not moving.size:
            return jumps
        steps = (np.sign(c[moving]) - s[moving]) / c[moving]
        first = moving[np.argmin(steps)]
        earliest, *later = np.sort(steps)[:2]
        if later:
            gap = min(gap, float(later[0] - earliest) / float(time + later[0]))
        time, s = time + earliest, s + earliest * c
        signs[first] = np.sign(c[first])
        x = _fit(X, y, signs, signed)
        jumps.append(_Jump(time, x, gap, float(abs(c[first]) / problem.gradient_scale)))


def _fit(X: Array, y: Array, signs: Array, signed: bool) -> Array:
    x = np.zeros(len(signs))
    on: NDArray[np.intp] = np.flatnonzero(signs)
    columns = X[:, on] * signs[on]
    x[on] = signs[on] * (nnls(columns, y)[0] if signed else np.linalg.lstsq(columns, y)[0])
    return x
