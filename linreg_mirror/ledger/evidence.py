"""What an instance says about a statement: a margin, and how it is measured."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from linreg_mirror._types import Array
from linreg_mirror.solvers import Solution

_SEEN = 1.005  # as a share of a bound, what is more than all of it in three digits
_ASYMPTOTIC = 1e-4  # of an exponent, what need not be seen to change any more


@dataclass(frozen=True)
class Evidence:
    """What one instance says about a statement.

    Attributes
    ----------
    margin : float
        At least 0 where the statement holds; how far it is from failing. NaN never holds.
    detail : str
        The same in words and numbers.
    tightness : float or None
        For inequalities, the largest left side as a share of its right side.
    """

    margin: float
    detail: str
    tightness: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the margin is at least 0."""
        return bool(self.margin >= 0)

    @property
    def fails(self) -> bool:
        """Whether the margin is below 0; NaN was not measured, and neither holds nor fails."""
        return bool(self.margin < 0)


def identity(residual: ArrayLike, tolerance: float) -> Evidence:
    """Return evidence for an equation: the largest relative residual against its tolerance.

    Parameters
    ----------
    residual : array_like
        Relative residuals.
    tolerance : float
        What the largest of their absolute values must not exceed.

    Returns
    -------
    Evidence
        Whose margin is the tolerance minus that value.
    """
    worst = float(np.max(np.abs(residual)))
    return Evidence(tolerance - worst, f"off by {worst:.1e}, {tolerance:.0e} allowed")


def inequality(left: ArrayLike, right: ArrayLike, *, scale: float = 1.0, rounding: float = 1e-9) -> Evidence:
    """Return evidence for left <= right, entry by entry, in units of `scale`.

    Parameters
    ----------
    left, right : array_like
        Both sides.
    scale : float
        What a violation is compared with, such as the initial objective.
    rounding : float
        What numerical error may contribute, in the same units.

    Returns
    -------
    Evidence
        Whose margin is the least slack plus `rounding`, and whose tightness the largest share of the right side.

    Raises
    ------
    ValueError
        If the scale is not positive.
    """
    if scale <= 0:
        raise ValueError(f"scale must be positive, got {scale!r}: pass what a violation is to be compared with")
    left, right = np.broadcast_arrays(np.asarray(left, float), np.asarray(right, float))
    slack = (right - left) / scale
    # An entry where both sides are rounding says nothing about how tight the bound is.
    telling = left > 10 * rounding * scale
    shares = left[telling] / np.maximum(right[telling], 1e-3 * left[telling])  # beyond 1000, more says nothing
    tightness = float(np.max(shares, initial=0.0))
    worst = float(np.min(slack)) + rounding
    if worst >= 0:
        said = f"stays {worst:.1e} below the bound, and reaches up to {100 * tightness:.3g} % of it"
        return Evidence(worst, said, tightness)
    fold = "" if tightness < _SEEN else f", up to {tightness:.3g}-fold" if tightness < 1000 else ", more than 1000-fold"
    return Evidence(worst, f"exceeds the bound by {-worst:.1e}{fold}", tightness)


def slope(
    x: ArrayLike,
    y: ArrayLike,
    expected: float,
    tolerance: float = 0.25,
    errors: ArrayLike = 0.0,
    *,
    series: bool = False,
) -> Evidence:
    """Return evidence for y ~ x^expected as x grows or falls: the exponent at the end of a ladder.

    How far that is from the limit is estimated by how much it still changes, as terms of higher order do that fall by a
    third or more from one rung to the next.

    Parameters
    ----------
    x, y : array_like, shape (m,)
        The ladder, m >= 3, and what was measured on it; positive.
    expected : float
        The exponent that is claimed.
    tolerance : float
        The most that the exponent may be from it, whatever the estimate: a ladder that is not asymptotic yet says
        nothing.
    errors : array_like, shape () or (m,)
        Bounds on the errors of y.
    series : bool
        Whether y/x^expected is a power series in x, x falls and m >= 4: the exponents are then extrapolated to x = 0
        (Richardson), and the last extrapolation's change is what it may be off by. Terms of several orders may cancel
        in the change from one rung to the next.

    Returns
    -------
    Evidence
        Whose margin is the error that is allowed minus the distance of the two.
    """
    x, y = np.asarray(x, float), np.maximum(np.asarray(y, float), 1e-300)
    exponents = np.diff(np.log(y)) / np.diff(np.log(x))
    noise = np.broadcast_to(np.asarray(errors, float), y.shape) / y
    if series:
        powers = np.stack([np.diff(x**k) / np.diff(np.log(x)) for k in range(1, len(exponents))], axis=1)
        of_exponents = np.column_stack([np.ones(len(exponents)), powers])
        weights = np.linalg.inv(of_exponents)[0]
        found, before = weights @ exponents, np.linalg.solve(of_exponents[1:, :-1], exponents[1:])[0]
        spread = np.abs(weights) @ ((noise[1:] + noise[:-1]) / np.abs(np.diff(np.log(x))))
        allowed = min(tolerance, abs(float(found - before)) + float(spread) + _ASYMPTOTIC)
        detail = f"exponent {found:.4f} +/- {allowed:.1g}, expected {expected:g}"
        return Evidence(allowed - abs(float(found) - expected), detail)
    uncertain = float((noise[-1] + noise[-2]) / abs(np.log(x[-1] / x[-2])))
    allowed = min(tolerance, 2 * abs(float(exponents[-1] - exponents[-2])) + uncertain + _ASYMPTOTIC)
    detail = f"exponent {exponents[-1]:.4f} +/- {allowed:.1g}, expected {expected:g}"
    return Evidence(allowed - abs(float(exponents[-1]) - expected), detail)


def certified(solution: Solution) -> Array:
    """Return the point of a reference solution.

    Parameters
    ----------
    solution : Solution
        From a solver.

    Returns
    -------
    array, shape (d,)
        Its x.

    Raises
    ------
    ArithmeticError
        If its certificate does not hold: nothing can be compared with it.
    """
    if not solution.certificate.valid:
        raise ArithmeticError(f"reference not certified: {solution.certificate}")
    return solution.x


def relative(residual: ArrayLike, scale: ArrayLike) -> float:
    """Return the largest |residual| divided by the largest |scale|, 0/0 being 0.

    Parameters
    ----------
    residual : array_like
        What should be zero.
    scale : array_like
        What it is compared with.

    Returns
    -------
    float
        At least 0; inf where only the scale is 0.
    """
    size, residue = float(np.max(np.abs(scale))), float(np.max(np.abs(residual)))
    if size > 0:
        return residue / size
    return 0.0 if size == residue == 0 else math.inf
