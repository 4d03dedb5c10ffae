"""The LASSO by an active set: which weights are not zero, and with which signs, one change at a time."""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from linreg_mirror._tools import matrices
from linreg_mirror._tools.updated_qr import UpdatedQR
from linreg_mirror._types import Array
from linreg_mirror.problems import Problem

_EPS = float(np.finfo(float).eps)
_DEPENDENT = 1e-13  # what is left of a column beside others, relative to it, if it depends on them
_TIED = 1e-12  # of the weight: slopes above it by less are not


class ActiveSet:
    """Weights with signs, zero elsewhere, on columns that are independent; each step lowers the objective.

    Parameters
    ----------
    problem : Problem
        X is (n, d).
    weight : float
        Of |x|_1.
    start : array, shape (d,)
        A guess.

    Attributes
    ----------
    members : array of int, shape (k,)
        Coordinates that may be nonzero.
    x, signs : array, shape (k,)
        Their values and signs.
    """

    def __init__(self, problem: Problem, weight: float, start: Array) -> None:
        self.problem, self.weight = problem, weight
        self.members = _independent(problem, start)
        self.x, self.signs = start[self.members], np.sign(start[self.members])
        self._lengths = np.sqrt(matrices.column_weights(problem.X))
        self._refused = np.zeros(problem.d, bool)  # who had to leave at once, until others have moved
        self._factor_anew()

    def _factor_anew(self) -> None:
        n, d = self.problem.X.shape
        self._capacity = min(n, d, 2 * len(self.members) + 100)
        self._factors = UpdatedQR(n, self._capacity)
        for i in self.members:
            self._factors.append(matrices.column(self.problem.X, i))

    def step(self) -> bool:
        """Move towards the minimum for these signs, to the first zero; from there let one more in, False if none."""
        force = self.weight * self._factors.dual(self.signs)
        target, rest = self._factors.solve(self.problem.y - force)
        blocked = np.flatnonzero(self.signs * target <= 0)
        if blocked.size:
            self._move(target - self.x, blocked, 1.0)
            return True
        self.x = target
        return self._enter(rest + force)

    def _move(self, direction: Array, blocked: NDArray[np.intp], most: float) -> float:
        """Go along a direction until some of the blocked are zero, which leave; return how far."""
        shares = self.x[blocked] / -direction[blocked]
        share = min(float(shares.min()), most)
        first = blocked[shares <= share]
        if share > 0:
            self._refused[:] = False
        else:
            self._refused[self.members[first]] = True
        self.x = self.x + share * direction
        for position in first[::-1]:
            self._factors.delete(int(position))
        stay = np.ones(len(self.x), bool)
        stay[first] = False
        self.members, self.signs, self.x = self.members[stay], self.signs[stay], self.x[stay]
        return share

    def _enter(self, residual: Array) -> bool:
        slopes = self.problem.X.T @ residual
        rounding = 4 * _EPS * self._lengths * float(np.linalg.norm(self.problem.y))
        excess = np.abs(slopes) - (1 + _TIED) * self.weight - rounding
        excess[self._refused] = -np.inf
        excess[self.members] = -np.inf
        if not excess.max() > 0:
            return False
        # The steepest descent by length: the same for each scale of the columns.
        i = int(np.argmax(np.where(excess > 0, excess / np.maximum(self._lengths, np.finfo(float).tiny), 0.0)))
        sign, value = float(np.sign(slopes[i])), 0.0
        column = matrices.column(self.problem.X, i)
        along, rest = self._factors.solve(column)
        full = len(self.members) == min(self.problem.X.shape)
        if full or not float(np.linalg.norm(rest)) > _DEPENDENT * self._lengths[i]:
            # A direction in the kernel of X, along which |x|_1 falls until one of the others is zero.
            falling = np.flatnonzero(self.signs * along * sign > 0)
            if not falling.size:
                return False  # the norm is bounded below, so that only rounding can say otherwise
            value = sign * self._move(-sign * along, falling, np.inf)
        elif len(self.members) == self._capacity:
            self._factor_anew()
        self._factors.append(column)
        self.members, self.x, self.signs = (
            np.append(old, new) for old, new in ((self.members, i), (self.x, value), (self.signs, sign))
        )
        return True

    @property
    def weights(self) -> Array:
        """All of x, shape (d,)."""
        x = np.zeros(self.problem.d)
        x[self.members] = self.x
        return x


def active_set(problem: Problem, weight: float, start: Array) -> tuple[Array, int]:
    """Return argmin |Xx - y|^2/2 + weight |x|_1, and how many steps it took from a start.

    Parameters
    ----------
    problem : Problem
        X is (n, d), an array or sparse. At most min(n, d) weights are not zero.
    weight : float
        Positive.
    start : array, shape (d,)
        A guess; the nearer the fewer steps.

    Notes
    -----
    Feature-sign search (Lee, Battle, Raina, Ng, 2006), with QR in place of the normal equations and, where a column
    depends on those that are in, a step along the kernel.
    """
    if not np.isfinite(start).all():
        start = np.zeros(problem.d)
    active = ActiveSet(problem, weight, start)
    most = 100 + 100 * min(problem.X.shape) + len(active.members)
    steps = 0
    while steps < most and active.step():
        steps += 1
    return active.weights, steps


def _independent(problem: Problem, start: Array) -> NDArray[np.intp]:
    """Return where the start is not zero, without columns that depend on those of larger weights."""
    support = np.flatnonzero(start)
    if not support.size:
        return support
    weighted = matrices.columns(problem.X, support) * np.abs(start[support])
    factors = scipy.linalg.qr(weighted, mode="r", pivoting=True, check_finite=False)
    pivots, order = np.abs(np.diag(factors[0])), factors[-1]
    return np.sort(support[order[: np.count_nonzero(pivots > _DEPENDENT * pivots[0])]])
