"""Claims and what was measured of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from linreg_mirror.claims.claim import Claim, Pair
from linreg_mirror.claims.effect import Effect, paired
from linreg_mirror.claims.entries import CLAIMS
from linreg_mirror.claims.evidence import Evidence, stored
from linreg_mirror.claims.verdict import TRAINED, Verdict, combined, judge

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
        The same at each share of the weights that is kept.
    verdict : Verdict
        By `judge`; inconclusive where a side has hardly trained, even with most weights.
    evidence : mapping
        That of the comparison, from `collect`.
    """

    pair: Pair
    effect: Effect
    by_share: Mapping[float, Effect]
    verdict: Verdict
    evidence: Mapping[str, Any]

    @property
    def settings(self) -> Mapping[str, Any]:
        """Settings of the method; network, data, epochs and the like are the rival's too."""
        return self.evidence["methods"][self.pair.method]["settings"]

    @property
    def seeds(self) -> Sequence[int]:
        """Those of both sides."""
        return self.evidence["methods"][self.pair.method]["seeds"]


@dataclass(frozen=True)
class Finding:
    """A claim with its measurements, one for each comparison that is stored."""

    claim: Claim
    measurements: tuple[Measurement, ...]

    @property
    def verdict(self) -> Verdict:
        """What they say together."""
        return combined(one.verdict for one in self.measurements)


def evaluate(evidence: Evidence | None = None, claims: Sequence[Claim] = CLAIMS) -> list[Finding]:
    """Judge claims by what was measured.

    Parameters
    ----------
    evidence : dict, optional
        From `collect`. Default: what comes with the package.
    claims : sequence of Claim
        What is judged.

    Raises
    ------
    ValueError
        If a label is missing, two sides differ in seeds or in network, data, epochs and the like, or no share is one
        that the claim is about.
    """
    found = stored() if evidence is None else evidence
    return [
        Finding(claim, tuple(measure(claim, pair, found[pair.recipe]) for pair in claim.pairs if pair.recipe in found))
        for claim in claims
    ]


def measure(claim: Claim, pair: Pair, evidence: Mapping[str, Any]) -> Measurement:
    """Return what a comparison says about a claim; errors as in `evaluate`."""
    where, methods = f"{claim.id} on {pair.recipe}", evidence["methods"]
    for label in (pair.method, pair.rival):
        if label not in methods:
            raise ValueError(f"{where}: no run has the label {label!r}; there are {list(methods)}")
    method, rival = methods[pair.method], methods[pair.rival]
    ours, theirs = ({name: side["settings"].get(name) for name in _BUDGET} for side in (method, rival))
    if ours != theirs:
        unequal = [name for name in _BUDGET if ours[name] != theirs[name]]
        raise ValueError(f"{where}: {pair.method} and {pair.rival} differ in {', '.join(unequal)}: train both alike")
    if method["seeds"] != rival["seeds"]:
        raise ValueError(
            f"{where}: seeds are {method['seeds']} and {rival['seeds']}: give both methods the same, in the same order"
        )
    shares = [keep for keep in method["accuracy"] if keep in rival["accuracy"] and float(keep) <= claim.most]
    if not shares:
        raise ValueError(f"{where}: no share up to {claim.most:g} was measured of both, which the claim is about")
    sides = [np.array([side["accuracy"][keep] for keep in shares], float) for side in (method, rival)]
    total = paired(*(side.mean(axis=0) for side in sides))
    by_share = {float(keep): paired(*both) for keep, *both in zip(shares, *sides, strict=True)}
    densest = max(range(len(shares)), key=lambda k: float(shares[k]))
    trained = all(side[densest].mean() >= TRAINED for side in sides)
    verdict = judge(total, claim.relation) if trained else Verdict.inconclusive
    return Measurement(pair, total, by_share, verdict, evidence)
