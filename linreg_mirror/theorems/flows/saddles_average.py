"""What the average of the path from saddle to saddle has to do with LASSO, computed by coordinate descent."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Hypothesis,
    Instance,
    certified,
    identity,
    relative,
    theorem,
)
from linreg_mirror.solvers import Solution
from linreg_mirror.solvers.lasso import lasso
from linreg_mirror.solvers.saddles import SaddlePath
from linreg_mirror.theorems.flows.saddles import EXACT, GENERIC, path_of

_SAME = 1e-9  # weights, or slopes, that differ by less, relative to the largest, are the same


@theorem(
    "saddles.average",
    source=Citation("ours", "exact form of B25"),
    statement="the average of x up to tau is the LASSO solution of weight 1/tau for all tau iff no coordinate that was "
    "nonzero ever leaves its threshold iff |x_lasso(weight)|/weight never falls as the weight falls",
    kind="identity",
    hypotheses=GENERIC,
    constants={"condition": True},
    extremal=("planted/small/0", "coherent/small/0", "planted/small/2"),
    control=Control("for all tau, whether one leaves or not", "planted/small/2", {"condition": False}),
)
def average(it: Instance, condition: bool) -> Evidence:
    """Compare average and LASSO between the jumps, up to the first interval after a coordinate left.

    Proof. sigma(tau) = tau (y - X average), so that the average is the LASSO solution exactly if |X'sigma| <= 1, which
    holds, and X_i'sigma = sign(average_i) wherever that is not zero. Coordinates at their thresholds have an integral
    of |x_i| that never falls, and tau |average_i| is that integral. If x_i was nonzero and its threshold is left, it
    keeps its average, off the threshold; the LASSO solution, unique in general position, is then another one. There
    an integral of LASSO falls: up to that jump both agree, and after it integrals of LASSO move at the least-squares
    fit on the thresholds, whose signs are free where the average is not zero. Were none of these to turn, that fit
    would have the path's signs, and be its x, whose slope on the thresholds is 0: nobody would leave.
    """
    path = it.once(path_of)
    departure = _first_departure(path)
    taus = _between(path, len(path.times) if departure is None else departure + 1)
    least, apart = _lasso_path(it, taus), _apart(it, taus)
    integrals = np.abs(least) * taus[:, None]
    falls = float((integrals[:-1] - integrals[1:]).max(initial=0.0) / integrals.max())
    if departure is None or not condition:
        return identity([apart.max(), falls if condition else 0.0], EXACT)
    before, after = float(apart[: 2 * departure].max(initial=0.0)), float(apart[-1])
    detail = f"{before:.1e} apart before a coordinate leaves, {after:.1e} after, where LASSO falls by {falls:.1e}"
    return Evidence(min(EXACT - before, after - _SAME, falls - _SAME), detail)


@theorem(
    "saddles.average.monotone",
    source=Citation("B25", "Thm 2.1"),
    statement="where no |x_lasso(weight)| ever falls as the weight falls, the average of x up to tau is the LASSO "
    "solution of weight 1/tau",
    kind="identity",
    hypotheses=(*GENERIC, Hypothesis("LASSO path monotone", lambda it: _is_monotone(it))),
    constants={"necessary": False},
    extremal=("planted/small/0", "planted/small/7", "correlated/small/29"),
    control=Control("and only there", "coherent/small/0", {"necessary": True}),
)
def monotone(it: Instance, necessary: bool) -> Evidence:
    path = it.once(path_of)
    taus = _between(path, len(path.times))
    apart = _apart(it, taus).max()
    if necessary and apart <= EXACT:
        return identity(_falls(_lasso_path(it, taus)), _SAME)
    return identity(apart, EXACT)


@theorem(
    "saddles.average.pointwise",
    source=Citation("ours", "exact form of B25, one time"),
    statement="the average of x up to tau is the LASSO solution of weight 1/tau iff X_i'sigma(tau) = sign of the "
    "average wherever that is not zero",
    kind="identity",
    hypotheses=GENERIC,
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
    path = it.once(path_of)
    taus = _between(path, min(len(path.times), (_first_departure(path) or 0) + 3))
    margin, counts = np.inf, [0, 0]
    for tau, apart in zip(taus, _apart(it, taus), strict=True):
        mean = path.average(tau)
        where = (mean if nonzero == "average" else path.at(tau)) != 0
        at_threshold = relative((it.problem.X.T @ path.dual_at(tau) - np.sign(mean))[where], 1.0) <= _SAME
        margin = np.minimum(margin, EXACT - apart if at_threshold else apart - _SAME)
        counts[at_threshold] += 1
    return Evidence(margin, f"of {sum(counts)} times {counts[1]} are at the threshold")


def _apart(it: Instance, taus: Iterable[float]) -> Array:
    """Return how far averages are from LASSO, less what is proved of its error, and what rounding of times may do.

    Relative to the largest entry. Soon after the first jump an average is a small share of x, and the difference of
    times.
    """
    path, found = it.once(path_of), []
    for tau in taus:
        least, mean = it.once(_lasso_of, float(tau)), path.average(tau)
        proved = least.error if least.error < np.inf else 0.0
        known = proved + 8 * np.finfo(float).eps * np.abs(path.at(tau)).max()
        found.append(np.maximum(np.abs(least.x - mean).max() - known, 0.0) / np.abs(least.x).max())
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
    certified(solution)
    return solution


def _is_monotone(it: Instance) -> bool:
    path = it.once(path_of)
    taus = _between(path, len(path.times))
    # Mostly an early fall decides, long before small weights make LASSO expensive.
    return all(_falls(_lasso_path(it, pair)) <= _SAME for pair in pairwise(taus))


def _falls(points: Array) -> float:
    """Return by how much an entry ever falls from one point to the next, relative to the largest entry."""
    return float((np.abs(points[:-1]) - np.abs(points[1:])).max(initial=0.0) / np.abs(points).max())
