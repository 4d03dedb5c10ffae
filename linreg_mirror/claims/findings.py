"""Claims and what was measured of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linreg_mirror.claims.claim import Claim, Pair
from linreg_mirror.claims.effect import Effect, paired
from linreg_mirror.claims.entries import CLAIMS
from linreg_mirror.claims.equal_cost import at_equal_cost
from linreg_mirror.claims.evidence import Evidence, stored
from linreg_mirror.claims.verdict import TRAINED, Reproduction, combined, judge

# What two methods must have in common to be compared.
_BUDGET = ("data", "model", "epochs", "batch", "augment", "validation", "iterative")


@dataclass(frozen=True)
class Measurement:
    """What one comparison says about a claim.

    Attributes
    ----------
    pair : Pair
        What was compared.
    effect : Effect
        Gain over the rival, averaged over the shares.
    by_share : mapping of float to Effect
        The same at each share of the weights that is kept; of those, or of the operations, that are left, if the pair
        is compared at equal cost.
    verdict : Reproduction
        By `judge`; inconclusive where a side has hardly trained, even with most weights.
    evidence : mapping
        That of the comparison, from `collect`.
    """

    pair: Pair
    effect: Effect
    by_share: Mapping[float, Effect]
    verdict: Reproduction
    evidence: Mapping[str, Any]

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of the method; network, data, epochs and the like are the rival's too."""
        return self.sides[0]["settings"]

    @property
    def seeds(self) -> Sequence[int]:
        """Those of both sides."""
        return self.sides[0]["seeds"]

    @property
    def sides(self) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """What is stored of both."""
        return _sides(self.pair, self.evidence)


@dataclass(frozen=True)
class Assessment:
    """A claim with its measurements, one for each comparison that is stored.

    Attributes
    ----------
    claim : Claim
        What is claimed.
    measurements : tuple of Measurement
        One for each comparison that is stored; empty where there is none.
    """

    claim: Claim
    measurements: tuple[Measurement, ...]

    @property
    def verdict(self) -> Reproduction:
        """What they say together."""
        return combined(one.verdict for one in self.measurements)


def evaluate(evidence: Evidence | None = None, claims: Sequence[Claim] = CLAIMS) -> list[Assessment]:
    """Judge claims by what was measured.

    Parameters
    ----------
    evidence : dict, optional
        From `collect`. Default: what comes with the package.
    claims : sequence of Claim
        What is judged.

    Returns
    -------
    list of Assessment
        One for each claim, in their order.

    Raises
    ------
    ValueError
        If a label is missing, two sides differ in seeds or in network, data, epochs and the like, or no share is one
        that the claim is about.
    """
    found = stored() if evidence is None else evidence
    return [
        Assessment(
            claim, tuple(measure(claim, pair, found[pair.recipe]) for pair in claim.pairs if pair.recipe in found)
        )
        for claim in claims
    ]


def measure(claim: Claim, pair: Pair, evidence: Mapping[str, Any]) -> Measurement:
    """Return what a comparison says about a claim; errors as in `evaluate`."""
    where = f"{claim.id} on {pair.recipe}"
    found = evidence["curves" if pair.cost else "methods"]
    for label in (pair.method, pair.rival):
        if label not in found:
            raise ValueError(
                f"{where}: no run has the {'method' if pair.cost else 'label'} {label!r}; there are {list(found)}"
            )
    method, rival = _sides(pair, evidence)
    ours, theirs = ({name: side["settings"].get(name) for name in _BUDGET} for side in (method, rival))
    if ours != theirs:
        unequal = [name for name in _BUDGET if ours[name] != theirs[name]]
        raise ValueError(f"{where}: {pair.method} and {pair.rival} differ in {', '.join(unequal)}: train both alike")
    if method["seeds"] != rival["seeds"]:
        raise ValueError(
            f"{where}: seeds are {method['seeds']} and {rival['seeds']}: give both methods the same, in the same order"
        )
    if pair.cost:
        curves = ([_points(runs, pair.cost) for runs in side["runs"]] for side in (method, rival))
        total, by_cost = at_equal_cost(*curves)
        return Measurement(pair, total, by_cost, judge(total, claim.relation), evidence)
    shares = [keep for keep in method["accuracy"] if keep in rival["accuracy"] and float(keep) <= claim.most]
    if not shares:
        raise ValueError(f"{where}: no share up to {claim.most:g} was measured of both, which the claim is about")
    sides = [np.array([side["accuracy"][keep] for keep in shares], float) for side in (method, rival)]
    total = paired(*(side.mean(axis=0) for side in sides))
    by_share = {float(keep): paired(*both) for keep, *both in zip(shares, *sides, strict=True)}
    densest = max(range(len(shares)), key=lambda k: float(shares[k]))
    trained = all(side[densest].mean() >= TRAINED for side in sides)
    verdict = judge(total, claim.relation) if trained else Reproduction.inconclusive
    return Measurement(pair, total, by_share, verdict, evidence)


def _sides(pair: Pair, evidence: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    found = evidence["curves" if pair.cost else "methods"]
    return found[pair.method], found[pair.rival]


def _points(runs: Mapping[str, Any], cost: str) -> np.ndarray:
    return np.column_stack([runs[cost], runs["accuracy"]])
