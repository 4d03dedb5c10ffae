"""Methods that decide themselves how many weights they keep, compared at equal cost."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from linreg_mirror.claims.effect import Effect, paired
from linreg_mirror.claims.verdict import TRAINED

# Costs at which curves are compared, evenly spread on the scale of their logarithms.
_POINTS = 5


def at_equal_cost(method: Sequence[ArrayLike], rival: Sequence[ArrayLike]) -> tuple[Effect, Mapping[float, Effect]]:
    """Return by how much curves of accuracy against cost lie above others, on average and cost by cost.

    A curve goes through the runs of one seed, one run for each strength of the penalty, and is linear in the logarithm
    of the cost between them. Curves are compared only at costs that lie within all of them, and never continued. Runs
    that have hardly trained are no part of a curve.

    Parameters
    ----------
    method, rival : sequence, one entry a seed, of (runs, 2) array_like
        Costs, above 0, and accuracies; NaN where a run diverged.

    Returns
    -------
    Effect, mapping of float to Effect
        The mean over the costs, and that at each; NaN and nothing where no cost is common to all curves.
    """
    curves = [_curve(runs) for runs in (*method, *rival)]
    if not all(len(curve) for curve in curves):
        return _NOWHERE
    least, most = max(curve[0, 0] for curve in curves), min(curve[-1, 0] for curve in curves)
    if least >= most:
        return _NOWHERE
    costs = np.geomspace(least, most, _POINTS)
    found = np.array([np.interp(np.log(costs), np.log(curve[:, 0]), curve[:, 1]) for curve in curves])
    ours, theirs = found[: len(method)], found[len(method) :]
    by_cost = {float(cost): paired(ours[:, k], theirs[:, k]) for k, cost in enumerate(costs)}
    return paired(ours.mean(axis=1), theirs.mean(axis=1)), by_cost


_NOWHERE: tuple[Effect, Mapping[float, Effect]] = Effect(math.nan, math.nan, math.nan), {}


def _curve(runs: ArrayLike) -> np.ndarray:
    """Return the runs that have trained, cheapest first."""
    points = np.asarray(runs, float).reshape(-1, 2)
    points = points[points[:, 1] >= TRAINED]  # NaN is none of them
    return points[np.argsort(points[:, 0])]
