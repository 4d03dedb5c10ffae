"""What solvers return: a point or a path, how it ended, and a certificate."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

import numpy as np

from linreg_mirror._tools.cards import card
from linreg_mirror._tools.frames import dataframe
from linreg_mirror._types import Array


class Status(Enum):
    """How a solver ended; the value says what that means and what to do about it."""

    converged = "the proved bound of the error of x (of descent: stationarity) is within the tolerance"
    unproved = "residuals are within the tolerance, but no bound of the error of x can be had (see .stats.notes)"
    until_reached = "reached until= (or took all steps= with tolerance=0); stationarity was not required"
    horizon_reached = (
        "the budget was spent before stationarity: this is a point on the way, not a limit; raise max_steps= "
        "(steps= of descent), loosen tolerance=, or call limit() for the end point itself"
    )
    diverged = (
        "the steps were too long, and residuals grew a million times or beyond float64: choose a step_size below "
        "largest_stable_step(problem, network), with momentum some (1 - momentum)/(1 + momentum) of it"
    )
    inconsistent = (
        "no x satisfies Xx = y; this is the limit of the least-squares problem, where X'(Xx - y) = 0 within the "
        "tolerance, and no bound of the error of x can be had"
    )
    not_certified = (
        "the certificate's checks do not all pass; see .certificate for the one that fails, and by how much, and "
        ".digits or, of a flow, .limit_digits for what is proved"
    )
    integrator_failed = (
        "every integrator gave up (see .stats); the problem may be badly scaled: divide X and y by their largest "
        "entries"
    )

    @property
    def solved(self) -> bool:
        """Whether the solver got to the end that it was asked for: `converged`, `unproved` or `inconsistent`."""
        return self in (Status.converged, Status.unproved, Status.inconsistent)

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


@dataclass(frozen=True)
class Stats:
    """What a solver spent.

    Attributes
    ----------
    method : str
        The algorithm that gave the answer.
    steps : int
        Accepted steps, or Newton iterations.
    evaluations : int
        Evaluations of the vector field, or of the dual's gradient.
    factorizations : int
        Jacobians or Hessians formed.
    seconds : float
        Wall time.
    notes : tuple of str
        What else happened on the way, such as an integrator that was given up.
    cites : tuple of str
        BibTeX keys of the papers that the answer rests on.
    """

    method: str
    steps: int = 0
    evaluations: int = 0
    factorizations: int = 0
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    cites: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """One number that was recomputed, and what it must not exceed.

    Attributes
    ----------
    name : str
        What was measured.
    value : float
        What came out; NaN never passes.
    tolerance : float
        The largest value that passes.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> print(lm.Check("duality gap", 2e-16, 1e-9))
    duality gap 2.0e-16 <= 1e-09
    """

    name: str
    value: float
    tolerance: float

    @property
    def passed(self) -> bool:
        """Whether value <= tolerance."""
        return bool(self.value <= self.tolerance)

    def __str__(self) -> str:
        return f"{self.name} {self.value:.1e} {'<=' if self.passed else '>'} {self.tolerance:.0e}"


@dataclass(frozen=True)
class Certificate:
    """Checks of an answer, recomputed by code that the solver does not share.

    Attributes
    ----------
    checks : tuple of Check
        What was checked.
    """

    checks: tuple[Check, ...] = ()

    @property
    def valid(self) -> bool:
        """Whether there are checks and all of them pass."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    def __getitem__(self, name: str) -> Check:
        for check in self.checks:
            if check.name == name:
                return check
        raise KeyError(f"no check named {name!r}; there are: {', '.join(check.name for check in self.checks)}")

    def __str__(self) -> str:
        return f"{'valid' if self.valid else 'NOT valid'} ({'; '.join(map(str, self.checks))})"

    def _repr_html_(self) -> str:
        rows = {
            check.name: f"{check.value:.1e} {'≤' if check.passed else '>'} {check.tolerance:.0e}"
            for check in self.checks
        }
        return card(f"Certificate, {'valid' if self.valid else 'NOT valid'}", rows)


class Drawn:
    """Weights over time, which can be drawn."""

    def plot(self, **options: Any) -> Any:
        """Draw the weights over time; a short form of `linreg_mirror.plots.path`.

        Parameters
        ----------
        **options
            Those of `linreg_mirror.plots.path`, such as `ax`.

        Returns
        -------
        Axes
            With the picture.
        """
        from linreg_mirror.plots import path

        return path(self, **options)


@dataclass(frozen=True, eq=False)
class Trajectory(Drawn):
    """A path of the effective weights.

    Attributes
    ----------
    t : array, shape (T,)
        Times, in the units of the gradient flow.
    x : array, shape (T, d)
        Effective weights.
    decay : array, shape (T,)
        Accumulated penalty A_t, the integral of alpha from 0 to t.
    dual : array, shape (T, n)
        The loss gradient accumulated along the path, s_t, so that the integral of grad f is X's_t (weighted by
        the mirror's dual rate where that is not 1).
    source : {"dual", "parameters", "descent"}
        What was integrated. Claims about the flow accept only the last two as evidence.
    status : Status
        How it ended.
    stats : Stats
        What it cost.
    certificate : Certificate
        Checks of the last point as the end of the flow: the bound of its distance to the limit, a lower bound of it
        from Xx - y alone, and the remaining penalty; of a flow whose limit is not known, stationarity and penalty.
    parameters : array, shape (T, p), or None
        The parameters themselves, where they were integrated.
    error : float
        Upper bound of |x - x_T|_1 for the last x and the exact flow x_T at the same time; inf where nothing is known,
        which `stats.notes` gives the reason for. It rests on integrals of the numerical path's defect, which are
        quadratures, with an estimate of what they miss.
    to_limit : float
        Upper bound of |x - x*|_1 for the last x and the limit x* of the flow with all of its penalty, proved in spite
        of rounding; inf where nothing is proved, which `stats.notes` gives the reason for.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> run = lm.flow(lm.Problem([[1, 2]], [2]), lm.Direct.at(0.0, d=2))
    >>> run.x[-1].round(6).tolist()
    [0.4, 0.8]
    >>> run.status.name, run.source
    ('converged', 'dual')
    """

    t: Array
    x: Array
    decay: Array
    dual: Array
    source: Literal["dual", "parameters", "descent"]
    status: Status
    stats: Stats
    certificate: Certificate = field(default_factory=Certificate)
    parameters: Array | None = None
    error: float = np.inf
    to_limit: float = np.inf

    @property
    def digits(self) -> float:
        """Digits of the last x that `error` proves, -log10(error / |x|_1): 0 where nothing is proved."""
        return proved_digits(self.error, self.x[-1])

    @property
    def limit_digits(self) -> float:
        """Digits that the last x has in common with the limit, -log10(to_limit / |x|_1): 0 where none are proved."""
        return proved_digits(self.to_limit, self.x[-1])

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}({len(self.t)} points to t={self.t[-1]:.4g}, n={self.dual.shape[1]}, "
            f"d={self.x.shape[1]}, |x|_1={np.abs(self.x[-1]).sum():.4g}, digits={self.digits:.1f}, "
            f"limit_digits={self.limit_digits:.1f}, decay={self.decay[-1]:.4g}, source={self.source!r}, "
            f"status={self.status.name})"
        )

    def _repr_html_(self) -> str:
        rows = {
            "points": f"{len(self.t)}, to time {self.t[-1]:.4g}",
            "samples, weights": f"{self.dual.shape[1]}, {self.x.shape[1]}",
            "|x|_1 at the end": f"{np.abs(self.x[-1]).sum():.6g}",
            "digits, and of the limit": f"{self.digits:.1f}, {self.limit_digits:.1f}",
            "penalty so far": f"{self.decay[-1]:.4g}",
            "status": self.status,
        }
        return card(type(self).__name__, rows, self.x)

    def to_dataframe(self) -> Any:
        """Return a pandas DataFrame: a row for each point, with t, decay and the weights x0, x1, ...

        Raises
        ------
        ModuleNotFoundError
            If pandas is missing.
        """
        return dataframe(t=self.t, decay=self.decay, **{f"x{i}": weight for i, weight in enumerate(self.x.T)})


@dataclass(frozen=True, eq=False)
class Solution:
    """A point with a certificate.

    Attributes
    ----------
    x : array, shape (d,)
        Effective weights.
    dual : array, shape (n,)
        Dual vector s: for a mirror limit, z0 - X's is the dual point; for minimum-L1, X's is a subgradient of |x|_1.
    log_scale : array, shape (d,), or None
        log b of the potential that was minimised, where there is one; log a for depth D.
    status : Status
        How it ended.
    stats : Stats
        What it cost.
    certificate : Certificate
        Checks recomputed from x, dual and log_scale together.
    unique : bool or None
        Whether the solution was proved unique; None where it could not be decided.
    error : float
        Upper bound of |x - x*|_1, x* being the exact answer for the given floats; inf where nothing is proved, which
        `stats.notes` gives the reason for.
    entry_errors : array, shape (d,), or None
        Upper bounds of |x_i - x*_i|, where they are known.
    dual_rest : array, shape (n,), or None
        What rounding has left of the dual vector: dual + dual_rest has 106 bits.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> solution = lm.minimum_l1(lm.Problem([[1, 2]], [2]))
    >>> solution.x.round(6).tolist()
    [0.0, 1.0]
    >>> solution.unique, solution.certificate.valid
    (True, True)
    >>> solution.status.name, solution.digits > 14
    ('converged', True)
    """

    x: Array
    dual: Array
    log_scale: Array | None
    status: Status
    stats: Stats
    certificate: Certificate
    unique: bool | None = None
    error: float = np.inf
    entry_errors: Array | None = None
    dual_rest: Array | None = None

    @property
    def digits(self) -> float:
        """Proved digits of x, -log10(error / |x|_1): 0 where nothing is proved, inf for x = 0."""
        return proved_digits(self.error, self.x)

    def __repr__(self) -> str:
        scale = "" if self.log_scale is None else f"log_scale={_span(self.log_scale)}, "
        return (
            f"Solution(n={self.dual.size}, d={self.x.size}, {scale}|x|_1={np.abs(self.x).sum():.4g}, "
            f"nonzero={np.count_nonzero(self.x)}, error={self.error:.1e}, digits={self.digits:.1f}, "
            f"status={self.status.name})"
        )

    def _repr_html_(self) -> str:
        rows = {
            "samples, weights": f"{self.dual.size}, {self.x.size}",
            **({} if self.log_scale is None else {"log scale": _span(self.log_scale)}),
            "|x|_1": f"{np.abs(self.x).sum():.6g}, {np.count_nonzero(self.x)} weights not zero",
            "error of x": f"{self.error:.1e} at the most, {self.digits:.1f} digits",
            "status": self.status,
        }
        return card("Solution", rows, self.x)


def _span(values: Array) -> str:
    low, high = float(np.min(values)), float(np.max(values))
    return f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}"


def proved_digits(error: float, x: Array) -> float:
    """Return how many digits of x an upper bound of |x - x*|_1 proves, relative to |x|_1; not below 0.

    Parameters
    ----------
    error : float
        The bound.
    x : array, shape (d,)
        The answer.
    """
    size = float(np.abs(x).sum())
    if error == 0:
        return np.inf
    return max(0.0, float(np.log10(size) - np.log10(error))) if size and error < np.inf else 0.0
