"""Vanishing initialisation: from saddle to saddle to the least L1 norm, and what its average has to do with LASSO.

Paths are those of `saddles`; what they are compared with is the flow at small scales, HiGHS, LASSO by coordinate
descent, and the rules of the path carried out afresh at each jump.
"""

from collections.abc import Iterable
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
    slope,
    theorem,
)
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.problems import Problem
from linreg_mirror.solvers import Solution
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.solvers.independent import weighted_l1_cost
from linreg_mirror.solvers.lasso import lasso
from linreg_mirror.solvers.saddles import SaddlePath, saddles

_SAME = 1e-9  # weights, or slopes, that differ by less, relative to the largest, are the same
_EXACT = 1e-12  # what rounding leaves of slopes
_GAP = 1e-6  # relative distance, in times and weights, of what happens from what would be undecided
_LADDER = (6.4e4, 2.56e5, 1.024e6)  # log(1/b) of flows
_REST = 30  # -log of what is left of anything where a flow is at rest


def _path_of(it: Instance) -> SaddlePath:
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
_GENERIC = (*_ONCE, general_position)
_several_jumps = Hypothesis("more than one jump", lambda it: len(it.once(_path_of).times) > 1)
_at_rest = Hypothesis("flows of the scales looked at are at rest between these jumps", lambda it: _is_at_rest(it))


# The path itself


@theorem(
    "saddles.rules",
    source=Citation("PF23", "Algorithm 1"),
    statement="at each jump the coordinate next to reach |X_i'sigma| = 1 joins, x becomes the least-squares fit on "
    "those at +-1, with their signs, and whoever is zero and pushed inwards leaves",
    kind="identity",
    hypotheses=_GENERIC,
    constants={"leaving": True},
    extremal=("planted/small/2",),
    control=Control("nobody leaves", "planted/small/2", {"leaving": False}),
)
def rules(it: Instance, leaving: bool) -> Evidence:
    path = it.once(_path_of)
    slow = it.once(_rules_of) if leaving else _by_the_rules(it.problem, leaving=False)
    if len(slow) != len(path.times):
        return Evidence(-1.0, f"{len(path.times)} jumps, {len(slow)} by the rules")
    # A time is a distance over a slope X_i'r; where residuals are small, what rounding does to it is large.
    slopes = np.minimum.accumulate([jump.slope for jump in slow])
    times = relative((path.times / np.array([jump.time for jump in slow]) - 1) * np.minimum(slopes, 1.0), 1.0)
    points = relative(path.points - np.array([jump.x for jump in slow]), path.points)
    # Least squares magnify rounding by up to the square of the condition number; each jump adds its share.
    conditions = [np.linalg.cond(it.problem.X[:, active]) for active in path.active]
    return identity(max(times, points), 16 * float(np.finfo(float).eps) * len(slow) * max(conditions) ** 2)


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
    path = it.once(_path_of)
    x = path.solution.x if signed else _by_the_rules(it.problem, signed=False)[-1].x
    lower, upper, _ = weighted_l1_cost(it.problem, np.zeros(it.problem.d))
    found = _within(float(np.abs(x).sum()), lower, upper, path.solution.error, it.problem.d)
    unmet = relative(it.problem.residual(x), it.problem.y)
    return Evidence(min(found.margin, 1e-11 - unmet), f"{found.detail}, |Xx - y| {unmet:.1e} of |y|")


def _within(cost: float, lower: float, upper: float, proved: float, d: int) -> Evidence:
    """Return evidence that a cost is between bounds, but for what is proved of its error, and rounding of sums."""
    allowed = (proved if proved < np.inf else 0.0) + 4 * d * float(np.finfo(float).eps) * abs(upper)
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
    return _within(cost, lower, upper, float(max(t_plus.max(), t_minus.max())) * end.error, it.problem.d)


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
    path, problem, found = it.once(_path_of), it.problem, []
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


# The flow


@theorem(
    "saddles.flow",
    source=Citation("PF23", "Thm 2; rate: ours"),
    statement="the flow of scale b at time tau log(1/b)/2: the integral of y - Xx, divided by log(1/b)/2, tends to "
    "sigma like 1/log(1/b)",
    kind="asymptotic",
    hypotheses=(*_GENERIC, _several_jumps, _at_rest),
    constants={"unit": 0.5},
    extremal=("planted/small/0",),
    control=Control("time in units of log(1/b)", "planted/small/0", {"unit": 1.0}),
)
def flow_to_path(it: Instance, unit: float) -> Evidence:
    path = it.once(_path_of)
    tau = _between_jumps(path)
    expected = it.problem.X.T @ path.dual_at(tau)
    found = [_flow_at(it, tau, L, unit)[1] for L in _LADDER]
    apart = np.array([np.abs(one - expected).max() for one in found])
    if apart.max() <= _EXACT:  # the entries of X'sigma are at most 1
        return Evidence(_EXACT - apart.max(), "there at every scale")
    return slope(_LADDER, apart, expected=-1.0, tolerance=1e-3)


@theorem(
    "saddles.flow.points",
    source=Citation("PF23", "Thm 2"),
    statement="between two jumps x of the flow of scale b, at time tau log(1/b)/2, tends to the saddle as b -> 0",
    kind="asymptotic",
    hypotheses=(*_GENERIC, _several_jumps, _at_rest),
    extremal=("planted/small/0",),
    control=Control("equal columns, among which the flow shares the weight", "duplicated/small/0"),
)
def flow_to_points(it: Instance) -> Evidence:
    path = it.once(_path_of)
    tau = _between_jumps(path)
    distance = relative(_flow_at(it, tau, _LADDER[0], 0.5)[0] - path.at(tau), path.at(tau))
    return Evidence(1e-9 - distance, f"{distance:.1e} of the largest weight at log(1/b) = {_LADDER[0]:g}")


def _between_jumps(path: SaddlePath) -> float:
    """Return the middle of the widest interval between the first jumps, widths and middle in log time.

    After the last jump, where y = Xx, a weight may be on its way to zero with nothing to push it.
    """
    times = path.times[:7]
    widest = int(np.argmax(times[1:] / times[:-1]))
    return float(np.sqrt(times[widest] * times[widest + 1]))


def _is_at_rest(it: Instance) -> bool:
    """Say whether between jumps up to that time weights off thresholds vanish, and others stop, at all of the scales.

    Off thresholds x is about b^(1 - |X_i'sigma|); on them it relaxes with the eigenvalues of 2 X diag|x| X', on its
    support. Nobody but who joins may be close to a threshold at a jump.
    """
    path, X = it.once(_path_of), it.problem.X
    tau, shares = _between_jumps(path), []
    times = path.times[path.times <= tau]
    for time, middle in zip(times, [*np.sqrt(times[1:] * times[:-1]), tau], strict=True):
        before, x = path.at(time * (1 - 1e-9)), path.at(middle)
        on, J = x != 0, X * np.sqrt(np.abs(x))
        shares.append((middle - time) * np.linalg.eigvalsh(J[:, on].T @ J[:, on])[0])
        for when, off in ((time, ~on & (before == 0)), (middle, ~on)):
            shares.append(1 - np.abs(X[:, off].T @ path.dual_at(when)).max(initial=0.0))
    return min(shares) * _LADDER[0] > _REST


def _flow_at(it: Instance, tau: float, L: float, unit: float) -> tuple[Array, Array]:
    """Return x, and X' times the rescaled integral of y - Xx, of the flow of scale exp(-L) at time tau * unit * L."""
    run = flow(it.problem, Hadamard.from_scale(log_b=-L, d=it.problem.d), until=tau * unit * L, accuracy=1e-8)
    return run.x[-1], -it.problem.X.T @ run.dual[-1] / (unit * L)


# The average, and LASSO


@theorem(
    "saddles.average",
    source=Citation("ours", "exact form of B25"),
    statement="the average of x up to tau is the LASSO solution of weight 1/tau for all tau iff no coordinate that was "
    "nonzero ever leaves its threshold iff |x_lasso(weight)|/weight never falls as the weight falls",
    kind="identity",
    hypotheses=_GENERIC,
    constants={"condition": True},
    extremal=("planted/small/0", "coherent/small/0", "planted/small/2"),
    control=Control("for all tau, whether one leaves or not", "planted/small/2", {"condition": False}),
)
def average(it: Instance, condition: bool) -> Evidence:
    """Compare average and LASSO between the jumps, up to the first interval after a coordinate left.

    Proof. sigma(tau) = tau (y - X average), so that the average is the LASSO solution exactly if |X'sigma| <= 1, which
    holds, and X_i'sigma = sign(average_i) wherever that is not zero. Coordinates at their thresholds have an integral
    of |x_i| that never falls, and tau |average_i| is that integral. If x_i was nonzero and its threshold is left, it
    keeps its average, off the threshold; the LASSO solution, unique in general position, is then another one.
    """
    path = it.once(_path_of)
    departure = _first_departure(path)
    taus = _between(path, len(path.times) if departure is None else departure + 1)
    least, apart = _lasso_path(it, taus), _apart(it, taus)
    integrals = np.abs(least) * taus[:, None]
    falls = float((integrals[:-1] - integrals[1:]).max(initial=0.0) / integrals.max())
    if departure is None or not condition:
        return identity(max(apart.max(), falls if condition else 0.0), _EXACT)
    before, after = float(apart[: 2 * departure].max(initial=0.0)), float(apart[-1])
    detail = f"{before:.1e} apart before a coordinate leaves, {after:.1e} after, where LASSO falls by {falls:.1e}"
    return Evidence(min(_EXACT - before, after - _SAME, falls - _SAME), detail)


@theorem(
    "saddles.average.monotone",
    source=Citation("B25", "Thm 2.1"),
    statement="where no |x_lasso(weight)| ever falls as the weight falls, the average of x up to tau is the LASSO "
    "solution of weight 1/tau",
    kind="identity",
    hypotheses=(*_GENERIC, Hypothesis("LASSO path monotone", lambda it: _is_monotone(it))),
    constants={"necessary": False},
    extremal=("planted/small/0", "planted/small/7", "correlated/small/29"),
    control=Control("and only there", "coherent/small/0", {"necessary": True}),
)
def monotone(it: Instance, necessary: bool) -> Evidence:
    path = it.once(_path_of)
    taus = _between(path, len(path.times))
    apart = _apart(it, taus).max()
    if necessary and apart <= _EXACT:
        return identity(_falls(_lasso_path(it, taus)), _SAME)
    return identity(apart, _EXACT)


@theorem(
    "saddles.average.pointwise",
    source=Citation("ours", "exact form of B25, one time"),
    statement="the average of x up to tau is the LASSO solution of weight 1/tau iff X_i'sigma(tau) = sign of the "
    "average wherever that is not zero",
    kind="identity",
    hypotheses=_GENERIC,
    constants={"nonzero": "average"},
    extremal=("planted/small/2",),
    control=Control("wherever x(tau) is not zero", "planted/small/2", {"nonzero": "now"}),
)
def pointwise(it: Instance, nonzero: str) -> Evidence:
    """Compare LASSO with the average between jumps, before and after a coordinate leaves.

    Proof. sigma(tau) = tau (y - X average) and |X'sigma| <= 1, so that the average meets the conditions of
    optimality of weight 1/tau exactly if X_i'sigma is the sign of its entries that are not zero; in general
    position there is one such point.
    """
    path = it.once(_path_of)
    taus = _between(path, min(len(path.times), (_first_departure(path) or 0) + 3))
    margin, counts = np.inf, [0, 0]
    for tau, apart in zip(taus, _apart(it, taus), strict=True):
        mean = path.average(tau)
        where = (mean if nonzero == "average" else path.at(tau)) != 0
        at_threshold = relative((it.problem.X.T @ path.dual_at(tau) - np.sign(mean))[where], 1.0) <= _SAME
        margin = min(margin, _EXACT - apart if at_threshold else apart - _SAME)
        counts[at_threshold] += 1
    return Evidence(margin, f"of {sum(counts)} times {counts[1]} are at the threshold")


def _apart(it: Instance, taus: Iterable[float]) -> Array:
    """Return how far averages are from LASSO, less what is proved of its error, and what rounding of times may do.

    Relative to the largest entry. Soon after the first jump an average is a small share of x, and the difference of
    times.
    """
    path, found = it.once(_path_of), []
    for tau in taus:
        least, mean = it.once(_lasso_of, float(tau)), path.average(tau)
        known = least.error + 8 * np.finfo(float).eps * np.abs(path.at(tau)).max()
        found.append(max(0.0, np.abs(least.x - mean).max() - known) / np.abs(least.x).max())
    return np.array(found)


def _first_departure(path: SaddlePath) -> int | None:
    """Return after which jump a coordinate that was nonzero first moves away from its threshold.

    That x_i returns to zero is not enough: at the end of the path, where y = Xx, its slope stays where it is. By the
    time of a jump it may have gone all the way to the threshold on the other side.
    """
    slopes, means = path.dual @ path.problem.X, path.average(path.times)
    gone = ((means != 0) & (np.sign(means) * slopes < 1 - _SAME)).any(axis=1)
    return int(np.argmax(gone)) - 1 if gone.any() else None


def _between(path: SaddlePath, jumps: int) -> Array:
    """Return two times after each of the first jumps and before the next, soon after it and in the middle."""
    ends = np.append(path.times, 4 * path.times[-1])[: jumps + 1]
    return (ends[:-1, None] ** [0.9, 0.5] * ends[1:, None] ** [0.1, 0.5]).ravel()


def _lasso_path(it: Instance, taus: Iterable[float]) -> Array:
    """Return the LASSO solutions of weight 1/tau, shape (m, d), each certified."""
    return np.array([it.once(_lasso_of, float(tau)).x for tau in taus])


def _lasso_of(it: Instance, tau: float) -> Solution:
    solution = lasso(it.problem, 1 / tau)
    if not np.isfinite(solution.error):
        raise ArithmeticError(f"nothing is proved of LASSO's error: {solution.stats.notes}")
    return solution


def _is_monotone(it: Instance) -> bool:
    path = it.once(_path_of)
    taus = _between(path, len(path.times))
    # Mostly an early fall decides, long before small weights make LASSO expensive.
    return all(_falls(_lasso_path(it, pair)) <= _SAME for pair in pairwise(taus))


def _falls(points: Array) -> float:
    """Return by how much an entry ever falls from one point to the next, relative to the largest entry."""
    return float((np.abs(points[:-1]) - np.abs(points[1:])).max(initial=0.0) / np.abs(points).max())


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
