"""What solvers of many problems return: weights, each with a bound of its error."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from linreg_mirror._tools.arguments import is_whole
from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.batches.answers import Answers
from linreg_mirror.solvers.batches.stack import host
from linreg_mirror.solvers.certificates import outcome, with_error
from linreg_mirror.solvers.results import Certificate, Solution, Stats, Status


@dataclass(frozen=True, eq=False, repr=False)
class Solutions:
    """Answers to B problems. Arrays are of the kind and on the device of X.

    Attributes
    ----------
    x : array, shape (B, d)
        Weights.
    dual, dual_rest : array, shape (B, n)
        `dual` + `dual_rest` is each problem's dual vector, as in `Solution`.
    error : array, shape (B,)
        Proved bounds on |x - x*|_1; inf where nothing is proved.
    status : tuple of Status, length B
        As `limit`, `minimum_l1` or `lasso` says of one problem.
    singly : int
        How many were too hard for the batch, and were solved one by one.

    Examples
    --------
    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> found = lm.limits(np.array([[1.0, 2.0]]), np.array([2.0]), log_scale=np.log([[1e2], [1e-9]]))
    >>> found
    Solutions(2 problems, d=2, {'converged': 2}, error bar at most 1.1e-14)
    >>> found.x.round(6).tolist()
    [[0.399997, 0.800001], [2.2e-05, 0.999989]]
    >>> found[1].certificate.valid
    True
    """

    x: Any
    dual: Any
    dual_rest: Any
    error: Any
    status: tuple[Status, ...]
    singly: int
    _solution: Callable[[int], Solution] = field(repr=False)

    @property
    def digits(self) -> Any:
        """Decimal digits of x that are proved, shape (B,), as `Solution.digits`."""
        xp = namespace(self.x)
        size = xp.sum(xp.abs(self.x), axis=-1)
        with np.errstate(all="ignore"):
            relative = xp.where(size > 0, self.error / size, math.inf)
            return xp.clip(-xp.log10(xp.where(self.error > 0, relative, 0.0)), 0.0, None)

    def __len__(self) -> int:
        """Return the number of problems."""
        return len(self.status)

    def __getitem__(self, k: int) -> Solution:
        """Return one answer on NumPy arrays, with its certificate, which is computed now."""
        if not is_whole(k):
            raise TypeError(f"one answer is had by an integer, got {k!r}: for those of several slice .x and .error")
        if not -len(self) <= k < len(self):
            raise IndexError(f"there are {len(self)} answers, got the index {k}")
        return self._solution(int(k) % len(self))

    def __repr__(self) -> str:
        counts = {name: sum(s.name == name for s in self.status) for name in sorted({s.name for s in self.status})}
        bar = f"{float(namespace(self.error).max(self.error)):.1e}"
        alone = f", {self.singly} solved one by one" if self.singly else ""
        return f"Solutions({len(self)} problems, d={self.x.shape[-1]}, {counts}, error bar at most {bar}{alone})"


@np.errstate(all="ignore")  # what overflows is no answer, and not certified
def singly(
    found: Answers,
    tolerance: float,
    one: Callable[[int], Solution],
    certified: Callable[[int, tuple[Any, Any, Any, float]], Solution],
) -> Solutions:
    """Return answers of a batch, with those whose bar is too wide solved one by one.

    Parameters
    ----------
    found : Answers
        Of the batch; its arrays are changed.
    tolerance : float
        Largest bar, relative to |x|_1.
    one : callable
        k -> what solves problem k by itself.
    certified : callable
        (k, (x, s, rest, error)), on NumPy arrays, -> the answer of the batch with its certificate.
    """
    x, (s, rest), error = found
    at = found.wanting(tolerance)
    alone = {k: one(k) for k in at.tolist()}
    if alone:
        answers = alone.values()
        lows = [np.zeros_like(answer.dual) if answer.dual_rest is None else answer.dual_rest for answer in answers]
        duals, errors = [answer.dual for answer in answers], [answer.error for answer in answers]
        for array, values in ((x, [answer.x for answer in answers]), (s, duals), (rest, lows), (error, errors)):
            array[at] = namespace(x).asarray(np.array(values), device=x.device)
    status = tuple(alone[k].status if k in alone else Status.converged for k in range(len(x)))

    @np.errstate(all="ignore")
    def solution(k: int) -> Solution:
        if k in alone:
            return alone[k]
        return certified(k, (host(x[k]), host(s[k]), host(rest[k]), float(error[k])))

    return Solutions(x, s, rest, error, status, len(alone), solution)


def solution_of(
    problem: Problem,
    certificate: Certificate,
    found: tuple[Any, Any, Any, float],
    tolerance: float,
    stats: Stats,
    log_scale: Any = None,
) -> Solution:
    """Return one answer of a batch, which is the only one.

    Parameters
    ----------
    problem : Problem
        What it solves.
    certificate : Certificate
        Checks of it, to which that of its bar is added.
    found : (x, s, rest, error)
        Weights, the two parts of the dual vector, and the bar.
    tolerance : float
        Largest bar, relative to |x|_1.
    stats : Stats
        How it was found.
    log_scale : array, shape (d,), optional
        Of a limit.
    """
    x, dual, rest, error = found
    certificate = with_error(certificate, error, x, tolerance)
    status = outcome(certificate, problem, x, error)
    return Solution(
        x=x, dual=dual, log_scale=log_scale, status=status, stats=stats, certificate=certificate, unique=True,
        error=error, dual_rest=rest,
    )  # fmt: skip
