"""The ledger's entries: a theorem, its hypotheses, its control, its verdict."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import Enum
from typing import Any, Literal, get_args

from linreg_mirror.ledger._instance import Instance, instance
from linreg_mirror.ledger.algebra import ALGEBRA
from linreg_mirror.ledger.evidence import Evidence
from linreg_mirror.ledger.papers import Citation

Kind = Literal["identity", "inequality", "asymptotic", "distributional"]

# Below this share of its bound everywhere, an inequality is not tested by the instances at hand.
VACUOUS_BELOW = 1e-3


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

    def met_by(self, instance: Instance) -> bool:
        """Whether the instance meets the condition, which is tested once however many theorems require it.

        Parameters
        ----------
        instance : Instance
            Any.
        """
        return instance.once(self.test)


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
    walk : str
        Of a statement about flows, the name of an instance on which the statement itself must fail once its flow is a
        random walk that only keeps m^2 - w^2 as a flow would: evidence that cannot tell the two says nothing of flows.
    """

    description: str
    witness: str
    constants: Mapping[str, Any] = field(default_factory=dict)
    walk: str = ""


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

    @property
    def proof(self) -> Literal["algebra", "written", "cited", "code", "refuted", "none"]:
        """How it is proved.

        By SymPy from definitions; in the docstring of its function; by its source; not at all, as it compares code or
        is an erratum.
        """
        if self.expected is Verdict.refuted:
            return "refuted"
        if self.id in ALGEBRA:
            return "algebra"
        if self.id.startswith("twins."):
            return "code"
        if "Proof" in (self.observe.__doc__ or ""):
            return "written"
        return "none" if self.source.paper == "ours" else "cited"

    def applies_to(self, instance: Instance) -> bool:
        """Whether the instance meets all hypotheses.

        Parameters
        ----------
        instance : Instance
            Any.
        """
        return all(hypothesis.met_by(instance) for hypothesis in self.hypotheses)

    def may_apply_to(self, instance: Instance) -> bool:
        """Whether the instance meets all hypotheses, or one of them cannot be tested: then evaluating it says why.

        Parameters
        ----------
        instance : Instance
            Any.
        """
        try:
            return self.applies_to(instance)
        except Exception:
            return True

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

        Returns
        -------
        Evidence
            Of the two, the false variant and the random walk, the one that is nearer to being accepted.
        """
        found = [self.observe(witness, **{**self.constants, **self.control.constants})]
        if self.control.walk:
            walk = self.observe(instance(self.control.walk).walking(), **self.constants)
            found.append(replace(walk, detail=f"on a random walk that conserves m^2 - w^2: {walk.detail}"))
        return max(found, key=lambda evidence: math.inf if math.isnan(evidence.margin) else evidence.margin)

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


class _Registry(dict[str, Theorem]):
    """Theorems by id; a wrong id is answered with those that are near."""

    def __missing__(self, id: str) -> Theorem:
        raise KeyError(str(unknown(str(id))))


REGISTRY: dict[str, Theorem] = _Registry()


def unknown(name: str) -> ValueError:
    """Return the error that there is no theorem of this name, with names that are near.

    Parameters
    ----------
    name : str
        What was asked for.
    """
    groups = dict.fromkeys(id.partition(".")[0] for id in REGISTRY)
    near = get_close_matches(name, [*REGISTRY, *groups], n=5)
    hint = f"near are {', '.join(near)}" if near else f"groups of theorems are {', '.join(groups)}"
    return ValueError(f"no theorem is called {name!r} or begins so: {hint}; `linreg-mirror theorems` lists all")


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
        If another module has entered a theorem of this id, or there is no such kind.
    """
    if kind not in get_args(Kind):
        raise ValueError(f"kind must be one of {', '.join(get_args(Kind))}, got {kind!r}")

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
