"""Where a flow goes, and how far from there it still is."""

import numpy as np

from linreg_mirror._tools import matrices
from linreg_mirror._tools.double_double import Pair
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Mirror
from linreg_mirror.parametrizations import NoMirror, Parametrization
from linreg_mirror.problems import Problem
from linreg_mirror.schedules import Schedule
from linreg_mirror.solvers.error_bars import Rows, proving_rows, refined
from linreg_mirror.solvers.error_bars.rows import UNIT
from linreg_mirror.solvers.limit import limit

_ROUNDS = 20  # of Newton's method from a flow to its limit
STAYS = "no bound of to_limit: a penalty that stays leads to a LASSO, which is no interpolator"


class Destination:
    """The limit of a flow for all of its penalty, with a proved bound on its error, as far as it is known.

    Parameters
    ----------
    problem : Problem
        X is (n, d).
    network : Parametrization
        It has a mirror.
    decay : float
        The integral of the penalty over all time.
    rows : Rows
        The coordinates in which the limit is proved.

    Attributes
    ----------
    error : float
        Upper bound of the limit's error in the L1 norm; inf while nothing is proved.
    """

    def __init__(self, problem: Problem, network: Parametrization, decay: float, rows: Rows) -> None:
        self.error = np.inf
        self._problem, self._network, self._decay, self._rows = problem, network, decay, rows
        self._mirror: Mirror = network.mirror()
        self._x = np.full(problem.d, np.nan)
        self._continued = False
        self._kept = slice(None) if rows.repeats is None else rows.repeats.kept
        self._tallest = np.ldexp(np.abs(rows.X).max(axis=1), -rows.exponents)  # of the entries of rows of X

    def improve(self, s: Array, enough: float, search: bool = True) -> None:
        """Prove more of the limit by Newton's method from a dual vector, or else by continuation from a large scale.

        Parameters
        ----------
        s : array, shape (n,)
            The dual vector of a flow that is close.
        enough : float
            An error that is good enough.
        search : bool
            Whether the limit is worth a search. Otherwise the bound is that of the dual vector's own weights.
        """
        bar = refined(
            self._rows, self._mirror, self._decay, self._rows.scaled(Pair.of(s)), 1e-14, _ROUNDS if search else 0
        )
        self._take(bar.x, bar.error)
        if search and not self._continued and not self.error <= enough:
            self._continued = True
            solution = limit(self._problem, self._network, self._decay)
            self._take(solution.x, solution.error)

    def distance(self, x: Array) -> float:
        """Return an upper bound of the distance of x from the limit in the L1 norm.

        Parameters
        ----------
        x : array, shape (d,)
            Effective weights.
        """
        if not self.error < np.inf:
            return np.inf
        found = self.error + float(np.abs(x - self._x).sum()) * (1 + 2 * len(x) * UNIT)
        return found if np.isfinite(found) else np.inf

    def least_distance(self, x: Array) -> float:
        """Return a lower bound of the distance of x from all interpolators in the L1 norm, from Xx - y alone.

        Parameters
        ----------
        x : array, shape (d,)
            Effective weights.
        """
        return float((np.abs(self._problem.residual(x)[self._kept]) / self._tallest).max())

    def fits(self, x: Array, s: Array) -> bool:
        """Whether Xx = y as far as rounding lets one see.

        Parameters
        ----------
        x : array, shape (d,)
            Effective weights.
        s : array, shape (n,)
            Their dual vector, whose rounding counts too.
        """
        X, mirror = self._problem.X, self._mirror
        moved = mirror.metric(mirror.dual(x, self._decay), self._decay) * matrices.magnitudes(X.T, s)
        rounding = 2 * UNIT * (matrices.magnitudes(X, np.abs(x) + moved) + np.abs(self._problem.y))
        return float(np.linalg.norm(self._problem.residual(x))) <= float(np.linalg.norm(rounding))

    def _take(self, x: Array, error: float) -> None:
        if error < self.error:
            self._x, self.error = x, error


def destination(problem: Problem, network: Parametrization, schedule: Schedule) -> Destination | str:
    """Return where a flow goes, or why that cannot be proved.

    Parameters
    ----------
    problem : Problem
        X is (n, d).
    network : Parametrization
        Its mirror says what the limit is.
    schedule : Schedule
        The penalty; what is still to come counts too.
    """
    if schedule.limit > 0:
        return STAYS
    if not schedule.integrable:
        return "no bound of to_limit: the integral of the penalty is infinite"
    try:
        mirror = network.mirror()
    except NoMirror:
        return "no bound of to_limit: without a mirror the limit is not known"
    decay = float(schedule.integral(0.0, np.inf))
    if mirror.metric_slope(mirror.initial_dual, decay, 0.0) is None:
        return "no bound of to_limit: this potential promises nothing about its metric (see Mirror.metric_slope)"
    rows = proving_rows(problem)
    return rows if isinstance(rows, str) else Destination(problem, network, decay, rows)
