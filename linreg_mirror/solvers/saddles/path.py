"""A path of saddles: where it rests, when it jumps, and how well its end is known."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from linreg_mirror._tools.arguments import real_array
from linreg_mirror._tools.cards import card
from linreg_mirror._tools.frames import dataframe
from linreg_mirror._types import Array
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.certificates import l1_unique
from linreg_mirror.solvers.results import Certificate, Drawn, Solution, Stats, Status, proved_digits


@dataclass(frozen=True, eq=False)
class SaddlePath(Drawn):
    """A path that rests at saddles and jumps from one to the next, K times; before the first jump x = 0.

    Time is that of the flow at scale b divided by log(1/b)/2, in the limit b -> 0.

    Attributes
    ----------
    times : array, shape (K,)
        When it jumps, increasing. Empty where X'y = 0.
    active : tuple of K arrays of int
        The coordinates that are not zero after each jump, ascending.
    values : tuple of K arrays
        x on them.
    dual : array, shape (K, n)
        At each jump, sigma, the integral of y - Xx so far (of its projection, where X has not full row rank). All along
        -t_minus <= X'sigma <= t_plus, with X_i'sigma = t_plus_i where x_i > 0 and -t_minus_i where x_i < 0.
    status : Status
        How it ended.
    stats : Stats
        What it cost. `evaluations` counts products with X' or a part of it.
    certificate : Certificate
        That the last point has the least weighted L1 norm.
    problem : Problem
        What was solved.
    thresholds : (array, array), each of shape (d,)
        t_plus and t_minus.
    error : float
        Upper bound of |x - x*|_1 at the end, x* being the interpolator of least weighted L1 norm for the given floats;
        inf where nothing is proved, which `stats.notes` gives the reason for.
    end_dual : array, shape (n,)
        A dual vector that proves the end: the last of `dual`, moved away from thresholds of columns that have left.
    dual_rest : array, shape (n,), or None
        What rounding has left of it: end_dual + dual_rest has 106 bits.

    Notes
    -----
    Pesme and Flammarion (arXiv 2304.00488), Algorithm 1.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> path = lm.saddles(lm.Problem([[1, 2]], [2]))
    >>> path.times.round(6).tolist(), path.at([0.1, 1.0]).round(6).tolist()
    ([0.25], [[0.0, 0.0], [0.0, 1.0]])
    >>> path.solution.unique
    True
    """

    times: Array
    active: tuple[NDArray[np.intp], ...]
    values: tuple[Array, ...]
    dual: Array
    status: Status
    stats: Stats
    certificate: Certificate
    problem: Problem = field(repr=False)
    thresholds: tuple[Array, Array] = field(repr=False)
    error: float = np.inf
    end_dual: Array | None = field(default=None, repr=False)
    dual_rest: Array | None = field(default=None, repr=False)

    @property
    def digits(self) -> float:
        """Proved digits of the end, -log10(error / |x|_1)."""
        return proved_digits(self.error, end_of(self.problem.d, self.active, self.values))

    @property
    def signs(self) -> tuple[Array, ...]:
        """The signs of `values`."""
        return tuple(np.sign(values) for values in self.values)

    @cached_property
    def points(self) -> Array:
        """The saddles, x after each jump, shape (K, d)."""
        points = np.zeros((len(self.times), self.problem.d))
        for x, active, values in zip(points, self.active, self.values, strict=True):
            x[active] = values
        return points

    @cached_property
    def solution(self) -> Solution:
        """The end of the path, with a verdict on uniqueness."""
        x = end_of(self.problem.d, self.active, self.values)
        s = last_of(self.dual) if self.end_dual is None else self.end_dual
        return Solution(
            x=x,
            dual=s,
            log_scale=None,
            status=self.status,
            stats=self.stats,
            certificate=self.certificate,
            unique=self._unique(x, s),
            error=self.error,
            dual_rest=self.dual_rest,
        )

    def _unique(self, x: Array, s: Array) -> bool | None:
        if self.active and self.error < np.inf:
            return True
        return l1_unique(self.problem, x, s, self.thresholds) if self.certificate.valid else None

    def at(self, tau: ArrayLike) -> Array:
        """Return x at rescaled times, after the jump where there is one.

        Parameters
        ----------
        tau : float or array_like, shape (m,)
            Times >= 0; inf is the end.

        Returns
        -------
        array, shape (d,) or (m, d)
            Effective weights.
        """
        jumps = np.searchsorted(self.times, _times(tau), side="right")
        return np.vstack([np.zeros(self.problem.d), self.points])[jumps]

    def dual_at(self, tau: ArrayLike) -> Array:
        """Return sigma at rescaled times, shape (n,) or (m, n); between jumps it moves along straight lines.

        Parameters
        ----------
        tau : float or array_like, shape (m,)
            Times >= 0; inf is the end.
        """
        knots, sigma = np.append(0.0, self.times), np.vstack([np.zeros(self.problem.n), self.dual])
        tau = np.minimum(_times(tau), knots[-1])
        k = np.searchsorted(knots, tau)
        before = np.maximum(k - 1, 0)
        share = (knots[k] - tau) / np.where(k > 0, knots[k] - knots[before], 1.0)
        return sigma[k] - share[..., None] * (sigma[k] - sigma[before])

    def average(self, tau: ArrayLike) -> Array:
        """Return the mean of x from time 0 to tau, shape (d,) or (m, d); at 0 it is 0.

        It is the LASSO solution of weight 1/tau where no coordinate that was nonzero has left its threshold.

        Parameters
        ----------
        tau : float or array_like, shape (m,)
            Finite times >= 0.

        Raises
        ------
        ValueError
            If a time is negative, NaN or inf.
        """
        tau = _times(tau)
        if np.isinf(tau).any():
            raise ValueError("tau must be finite for an average, got inf: write path.at(np.inf), to which it tends")
        spent = np.clip(tau[..., None] - self.times, 0, np.diff(self.times, append=np.inf))
        return spent @ self.points / np.where(tau > 0, tau, 1.0)[..., None]

    def __repr__(self) -> str:
        return (
            f"SaddlePath(n={self.problem.n}, d={self.problem.d}, jumps={len(self.times)}, "
            f"|x|_1={np.abs(end_of(self.problem.d, self.active, self.values)).sum():.4g}, digits={self.digits:.1f}, "
            f"status={self.status.name})"
        )

    def _repr_html_(self) -> str:
        rows = {
            "samples, weights": f"{self.problem.n}, {self.problem.d}",
            "jumps": len(self.times),
            "|x|_1 at the end": f"{np.abs(self.solution.x).sum():.6g}",
            "error of the end": f"{self.error:.1e} at the most, {self.digits:.1f} digits",
            "status": self.status,
        }
        return card("SaddlePath", rows, np.vstack([np.zeros(self.problem.d), self.points]))

    def to_dataframe(self) -> Any:
        """Return a pandas DataFrame: a row for each jump, with its time and the weights x0, x1, ... after it.

        Raises
        ------
        ModuleNotFoundError
            If pandas is missing.
        """
        return dataframe(time=self.times, **{f"x{i}": weight for i, weight in enumerate(self.points.T)})


def _times(tau: ArrayLike) -> Array:
    times = real_array("tau", tau)
    if not (times >= 0).all():
        raise ValueError(f"tau, rescaled times, must be >= 0, got {tau!r}: the path begins at 0")
    return times


def end_of(d: int, active: tuple[NDArray[np.intp], ...], values: tuple[Array, ...]) -> Array:
    """Return x after the last jump."""
    x = np.zeros(d)
    if active:
        x[active[-1]] = values[-1]
    return x


def last_of(dual: Array) -> Array:
    """Return the dual at the last jump; 0 where there is none."""
    return dual[-1] if len(dual) else np.zeros(dual.shape[1])
