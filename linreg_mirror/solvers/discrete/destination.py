"""How far the end of a run is from the limit of the Bregman problem that its steps have solved."""

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.problems import Problem
from linreg_mirror.schedules import Schedule
from linreg_mirror.solvers.continuous.destination import STAYS, Destination
from linreg_mirror.solvers.discrete.implicit_bias import ImplicitBias
from linreg_mirror.solvers.error_bars import proving_rows

_SMALL = 3e7  # n^2 d up to which a proof takes milliseconds
_SHARE = 20  # beyond: n is less than one in so many steps, for the proof to cost a fraction of the run


def distance_to_limit(
    problem: Problem, implicit: ImplicitBias, schedule: Schedule, x: Array, steps: int, search: bool
) -> tuple[float, tuple[str, ...]]:
    """Return an upper bound of |x - x*|_1, x* being the limit of `implicit.network`, and why there is none.

    Parameters
    ----------
    problem : Problem
        X of any kind.
    implicit : ImplicitBias
        What the run has solved. Its floats are exact: their own rounding is no part of the distance.
    schedule : Schedule
        The penalty, which must not stay.
    x : array, shape (d,)
        Where the run has ended.
    steps : int
        How many it took: the proof is to cost less.
    search : bool
        Whether the limit is worth a search. Otherwise the bound is that of the dual vector's own weights.
    """
    if schedule.limit > 0:
        return np.inf, (STAYS,)
    if problem.n**2 * problem.d > _SMALL and problem.n * _SHARE > steps:
        return np.inf, (
            "no bound of to_limit: it would take longer than the run; ask limit(problem, run.implicit.network)",
        )
    rows = proving_rows(problem)
    if isinstance(rows, str):
        return np.inf, (rows.replace("error bar", "bound of to_limit"),)
    limit = Destination(problem, implicit.network, 0.0, rows)
    limit.improve(implicit.dual, np.inf, search)  # any error is enough: nothing is followed from another scale
    distance = limit.distance(x)
    return distance, () if distance < np.inf else ("no bound of to_limit: it is too far away",)
