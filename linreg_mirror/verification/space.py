"""Where counterexamples are looked for: ranges of parameters, random instances within them, and their neighbours."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np

from linreg_mirror.ledger import Instance, Theorem, grid, instance
from linreg_mirror.ledger.names import Name, defaults


@dataclass(frozen=True)
class Range:
    """The values that the search gives to one parameter.

    Attributes
    ----------
    low, high : float
        Least and largest, both included.
    kind : {"linear", "log", "whole"}
        How the values between are spaced.
    """

    low: float
    high: float
    kind: Literal["linear", "log", "whole"] = "linear"

    def at(self, share: float) -> float:
        """Return the value at this share of the way from low to high, with three digits, so that names stay short."""
        if self.kind == "log":
            value = self.low * (self.high / self.low) ** share
        else:
            value = self.low + share * (self.high - self.low)
        return round(value) if self.kind == "whole" else float(f"{value:.3g}")

    def share(self, value: float) -> float:
        """Return how far the value is on the way from low to high, within 0 and 1."""
        if self.kind == "log":
            share = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            share = (value - self.low) / (self.high - self.low)
        return min(max(share, 0.0), 1.0)


# Where theorems promise to hold to their tolerances in float64: scales at which the equations of m and w can be
# integrated, penalties between a fiftieth of the largest gradient and all of it. Small instances are quick.
SPACE: Mapping[str, Range] = {
    "n": Range(2, 14, "whole"),
    "d": Range(3, 40, "whole"),
    "nonzeros": Range(1, 20, "whole"),
    "rho": Range(-0.95, 0.95),
    "coherence": Range(0.0, 0.95),
    "copies": Range(1, 10, "whole"),
    "condition": Range(1.0, 1e2, "log"),
    "noise": Range(0.0, 1.0),
    "rows": Range(10, 16, "whole"),
    "features": Range(6, 10, "whole"),
    "targets": Range(0.03, 10.0, "log"),
    "log_b": Range(-8.0, 1.0),
    "start": Range(0.03, 2.0, "log"),
    "solved": Range(0.0, 1.0),
    "speed": Range(0.02, 1.0, "log"),
    "decay": Range(0.05, 1.5, "log"),
}


@cache
def _usual() -> tuple[Instance, ...]:
    return tuple(instance(name) for name in grid(1))


def applicable(theorem: Theorem) -> list[tuple[str, str]]:
    """Return the families and settings that meet the hypotheses with default parameters; if none does, all of them."""
    names = [it.name for it in _usual() if theorem.may_apply_to(it)] or [it.name for it in _usual()]
    return [(family, setting) for family, setting, _ in (name.split("/") for name in names)]


class Search:
    """Proposes instances, none twice.

    Parameters
    ----------
    kinds : sequence of (str, str)
        Families and settings to choose from.
    rng : numpy.random.Generator
        Source of all randomness.
    """

    def __init__(self, kinds: Sequence[tuple[str, str]], rng: np.random.Generator) -> None:
        self.kinds, self.rng = kinds, rng
        self.proposed: dict[str, Name] = {}

    def next(self, count: int, leaders: Sequence[str], step: float) -> list[str]:
        """Return the names of neighbours of the leaders, in turn; without leaders, of random instances."""
        names: list[str] = []
        while len(names) < count:
            leader = self.proposed[leaders[len(names) % len(leaders)]] if leaders else None
            one = self._random() if leader is None else self._neighbour(leader, step)
            if str(one) not in self.proposed and _can_be_made(one):
                self.proposed[str(one)] = one
                names.append(str(one))
        return names

    def _random(self) -> Name:
        family, setting = self._kind()
        values = {}
        for key in _searched(family, setting):
            # Half of the parameters keep their defaults; of the others a third is at an end, where things break.
            vary, end, share = self.rng.random(3)
            if vary < 0.5:
                values[key] = SPACE[key].at(round(share) if end < 1 / 3 else share)
        return _fitted(family, setting, self._seed(), values)

    def _neighbour(self, leader: Name, step: float) -> Name:
        """Return the leader with another seed, with another family or setting, or with other parameters."""
        family, setting, seed, values = leader.family, leader.setting, leader.seed, dict(leader.parameters)
        change = self.rng.random()
        if change < 0.15:
            seed = self._seed()
        elif change < 0.3:
            family, setting = self._kind()
        else:
            usual = _searched(family, setting)
            for key in self.rng.choice(list(usual), size=self.rng.integers(1, 3), replace=False):
                here = SPACE[key].share(values.get(key, usual[key]))
                values[key] = SPACE[key].at(min(max(here + step * self.rng.standard_normal(), 0.0), 1.0))
        return _fitted(family, setting, seed, values)

    def _kind(self) -> tuple[str, str]:
        return self.kinds[int(self.rng.integers(len(self.kinds)))]

    def _seed(self) -> int:
        return int(self.rng.integers(1000))


def _can_be_made(one: Name) -> bool:
    """Say whether its values go together: a few drawn rows of real data may all have the same target."""
    try:
        one.make()
    except ValueError:
        return False
    return True


def _searched(family: str, setting: str) -> dict[str, float]:
    usual = {key: value for key, value in defaults(family, setting).items() if key in SPACE}
    if "speed" not in usual:
        usual.pop("solved", None)  # without a penalty nothing ever moves from a solution
    return usual


def _fitted(family: str, setting: str, seed: int, values: Mapping[str, float]) -> Name:
    """Return the name of an instance with these values, as far as it has such parameters and they go together."""
    fitted = {**_searched(family, setting), **{k: v for k, v in values.items() if k in _searched(family, setting)}}
    if "d" in fitted:
        fitted["d"] = max(fitted["d"], fitted["n"] + 1)
        if "copies" in fitted:
            fitted["copies"] = min(fitted["copies"], fitted["d"] // 2)
        fitted["nonzeros"] = min(fitted["nonzeros"], fitted["d"] - fitted.get("copies", 0))
    return Name(family, setting, seed, fitted)
