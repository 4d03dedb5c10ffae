"""The ledger's entries: a theorem, its evidence, its control, its verdict."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from linreg_mirror.losses import Array
from linreg_mirror.theorems.instance import Instance
from linreg_mirror.trajectory import Solution

Kind = Literal["identity", "inequality", "asymptotic", "distributional"]

# Below this share of its bound everywhere, an inequality is not tested by the instances at hand.
VACUOUS_BELOW = 1e-3


PAPERS = {
    "MM": "Jacobs, Burkholz: Mask in the Mirror: Implicit Sparsification. ICLR 2025, arXiv 2408.09966",
    "MM v1": "Jacobs, Burkholz: Mask in the Mirror. First version, arXiv 2408.09966v1",
    "W20": "Woodworth et al.: Kernel and Rich Regimes in Overparametrized Models. COLT 2020, arXiv 2002.09277",
    "LWLA22": "Li, Wang, Lee, Arora: Implicit Bias of Gradient Descent on Reparametrized Models. arXiv 2207.04036",
    "ZW23": "Ziyin, Wang: spred: Solving L1 Penalty with SGD. ICML 2023, arXiv 2210.01212",
    "E23": "Even, Pesme, Gunasekar, Flammarion: (S)GD over Diagonal Linear Networks. NeurIPS 2023, arXiv 2302.08982",
    "P24": "Papazov, Pesme, Flammarion: Leveraging Continuous Time to Understand Momentum When Training Diagonal "
    "Linear Networks. AISTATS 2024, arXiv 2403.05293",
    "ACH18": "Arora, Cohen, Hazan: On the Optimization of Deep Networks. ICML 2018, arXiv 1802.06509",
    "G17": "Gunasekar et al.: Implicit Regularization in Matrix Factorization. NeurIPS 2017, arXiv 1705.09280",
    "PF23": "Pesme, Flammarion: Saddle-to-Saddle Dynamics in Diagonal Linear Networks. NeurIPS 2023, arXiv 2304.00488",
    "B25": "Berthier: Diagonal Linear Networks and the Lasso Regularization Path. arXiv 2509.18766",
    "SK": "Bar, Giryes: Pruning at Initialization - A Sketching Perspective. arXiv 2305.17559",
    "DKM06": "Drineas, Kannan, Mahoney: Fast Monte Carlo Algorithms for Matrices I. SIAM J. Comput. 36(1), 2006",
    "Kool19": "Kool, van Hoof, Welling: Stochastic Beams and Where to Find Them. ICML 2019, arXiv 1903.06059",
    "DLT07": "Duffield, Lund, Thorup: Priority Sampling for Estimation of Arbitrary Subset Sums. J. ACM 54(6), 2007",
    "P94": "Pinelis: Optimum Bounds for the Distributions of Martingales in Banach Spaces. Ann. Probab. 22, 1994",
    "HC": "Louizos, Welling, Kingma: Learning Sparse Neural Networks through L0 Regularization. ICLR 2018, arXiv "
    "1712.01312",
    "DL": "Li, Ji: Dep-L0: Improving L0-based Network Sparsification via Dependency Modeling. ECML PKDD 2021, arXiv "
    "2107.00070",
    "KB15": "Kingma, Ba: Adam: A Method for Stochastic Optimization. ICLR 2015, arXiv 1412.6980",
    "ours": "This package; proved in the docstring of the theorem",
}


@dataclass(frozen=True)
class Citation:
    """Where a statement comes from.

    Attributes
    ----------
    paper : str
        A key of `PAPERS`.
    number : str
        Theorem, equation or section.
    printed : bool
        True where the statement is tested as printed, although it is known to be wrong.

    Raises
    ------
    ValueError
        If the paper is not in `PAPERS`.
    """

    paper: str
    number: str
    printed: bool = False

    def __post_init__(self) -> None:
        if self.paper not in PAPERS:
            raise ValueError(f"{self.paper!r} is not in PAPERS ({', '.join(PAPERS)}): enter it there first")

    def __str__(self) -> str:
        return f"{self.paper}, {self.number}" + (", as printed" if self.printed else "")


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
    return Evidence(tolerance - worst, f"residual {worst:.1e} of {tolerance:.0e}")


def inequality(left: ArrayLike, right: ArrayLike, scale: float = 1.0, rounding: float = 1e-9) -> Evidence:
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
    used = f"{tightness:.3g} of the bound used" if tightness < 1000 else "far beyond the bound"
    return Evidence(worst, f"slack {worst:.1e}, {used}", tightness)


def slope(x: ArrayLike, y: ArrayLike, expected: float, tolerance: float) -> Evidence:
    """Return evidence for y ~ x^expected as x grows or falls: the fitted exponent over a ladder.

    Parameters
    ----------
    x, y : array_like, shape (m,)
        The ladder, and what was measured on it; positive.
    expected : float
        The exponent that is claimed.
    tolerance : float
        How far the fitted one may be from it.

    Returns
    -------
    Evidence
        Whose margin is the tolerance minus the distance of the two.
    """
    fitted = float(np.polyfit(np.log(x), np.log(np.maximum(y, 1e-300)), 1)[0])
    return Evidence(tolerance - abs(fitted - expected), f"exponent {fitted:.3f}, expected {expected:g}")


@dataclass(frozen=True)
class Hypothesis:
    """What a theorem requires of an instance, as an executable predicate.

    Attributes
    ----------
    name : str
        The condition, in words.
    test : callable
        Instance -> bool.
    """

    name: str
    test: Callable[[Instance], bool]


@dataclass(frozen=True)
class Control:
    """A false variant of a theorem, with an instance on which it must be seen to fail.

    Attributes
    ----------
    description : str
        What is wrong: a constant, or a hypothesis that the witness breaks.
    witness : str
        Name of the instance.
    constants : mapping
        Wrong values for the theorem's constants; empty where it is the witness that breaks a hypothesis.
    """

    description: str
    witness: str
    constants: Mapping[str, Any] = field(default_factory=dict)


class Verdict(Enum):
    """What the evidence amounts to."""

    holds = "every instance that meets the hypotheses agrees"
    refuted = "an instance that meets the hypotheses disagrees"
    untested = "no instance met the hypotheses, or the control did not fail on its witness"
    vacuous = f"no instance comes within a factor {1 / VACUOUS_BELOW:.0f} of the bound, so that nothing was tested"
    error = "an instance could not be evaluated"


@dataclass(frozen=True)
class Theorem:
    """A statement that can be checked.

    Attributes
    ----------
    id : str
        Dotted name, group first.
    source : Citation
        Paper and number.
    statement : str
        In one line.
    kind : {"identity", "inequality", "asymptotic", "distributional"}
        What sort of claim it is.
    observe : callable
        (instance, **constants) -> Evidence.
    control : Control
        The false variant.
    hypotheses : tuple of Hypothesis
        Instances that do not meet all of them are passed over.
    constants : mapping
        Keyword arguments of `observe` under which the statement is true; a control changes them.
    extremal : tuple of str
        Instances made for this theorem, such as those on which a bound is attained.
    expected : Verdict
        `refuted` for a statement known to be wrong, `vacuous` for a bound known to be out of reach.
    corrected : tuple of str
        Ids of the theorems that say what is right in place of a statement that is wrong.
    """

    id: str
    source: Citation
    statement: str
    kind: Kind
    observe: Callable[..., Evidence]
    control: Control
    hypotheses: tuple[Hypothesis, ...] = ()
    constants: Mapping[str, Any] = field(default_factory=dict)
    extremal: tuple[str, ...] = ()
    expected: Verdict = Verdict.holds
    corrected: tuple[str, ...] = ()

    def applies_to(self, instance: Instance) -> bool:
        """Whether the instance meets all hypotheses.

        Parameters
        ----------
        instance : Instance
            Any.
        """
        return all(hypothesis.test(instance) for hypothesis in self.hypotheses)

    def evidence(self, instance: Instance) -> Evidence:
        """Evaluate the statement on an instance.

        Parameters
        ----------
        instance : Instance
            One that it applies to.
        """
        return self.observe(instance, **self.constants)

    def control_evidence(self, witness: Instance) -> Evidence:
        """Evaluate the false variant on its witness, hypotheses not enforced.

        Parameters
        ----------
        witness : Instance
            That of the control.
        """
        return self.observe(witness, **{**self.constants, **self.control.constants})

    def verdict(self, evidence: list[Evidence], control: Evidence | None) -> Verdict:
        """Return what the evidence amounts to.

        Parameters
        ----------
        evidence : list of Evidence
            From every instance that it applies to.
        control : Evidence or None
            From the witness; None where it was not evaluated.
        """
        if not evidence or control is None or not control.fails:
            return Verdict.untested
        if not all(one.holds for one in evidence):
            return Verdict.refuted
        shares = [one.tightness for one in evidence if one.tightness is not None]
        if shares and max(shares) < VACUOUS_BELOW:
            return Verdict.vacuous
        return Verdict.holds


REGISTRY: dict[str, Theorem] = {}


def theorem(
    id: str,
    *,
    source: Citation,
    statement: str,
    kind: Kind,
    control: Control,
    hypotheses: tuple[Hypothesis, ...] = (),
    constants: Mapping[str, Any] | None = None,
    extremal: tuple[str, ...] = (),
    expected: Verdict = Verdict.holds,
    corrected: tuple[str, ...] = (),
) -> Callable[[Callable[..., Evidence]], Callable[..., Evidence]]:
    """Enter the decorated function `(instance, **constants) -> Evidence` into the ledger as a theorem.

    Parameters
    ----------
    id, source, statement, kind, control, hypotheses, constants, extremal, expected, corrected
        The attributes of `Theorem`.

    Returns
    -------
    callable
        A decorator that leaves its function as it is.

    Raises
    ------
    ValueError
        If another module has entered a theorem of this id.
    """

    def enter(observe: Callable[..., Evidence]) -> Callable[..., Evidence]:
        if id in REGISTRY and REGISTRY[id].observe.__module__ != observe.__module__:
            raise ValueError(
                f"there is a theorem {id!r} already, from {REGISTRY[id].observe.__module__}: choose another id"
            )
        REGISTRY[id] = Theorem(
            id, source, statement, kind, observe, control, hypotheses, dict(constants or {}), extremal, expected,
            corrected,
        )  # fmt: skip
        return observe

    return enter


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
