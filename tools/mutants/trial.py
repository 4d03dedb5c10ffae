"""What theorems say of a mutant."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext

import numpy as np

from linreg_mirror.verification import Finding, check
from tools.mutants import MUTANTS

INSTANCES = (
    "planted/plain/0",
    "planted/biased/0",
    "planted/unequal/0",
    "planted/geometric/0",
    "planted/quadratic/0",
    "planted/switched_off/0",
    "planted/constant/0",
    "planted/balanced/0",
    "planted/huber/0",
    "special/tight-rate",
    "special/start-at-solution",
    "special/plateau",
    "special/small-targets",
    "special/long-steps",
    "special/many-copies",
    "planted/small/2",
    "dense/small/1",
    "special/commuting-1",
    "special/not-commuting",
    "dense/biased/0",
    "dense/plain/0",
    "special/two-lengths",
    "special/opposite",
    "special/wide-pair",
    "special/see-saw",
    "special/lopsided",
    "special/long-column",
)


def verdicts(findings: list[Finding]) -> dict[str, tuple[str, bool]]:
    return {finding.theorem.id: (finding.verdict.name, finding.control_failed) for finding in findings}


def outcome(index: int | None, theorems: tuple[str, ...]) -> dict[str, tuple[str, bool]]:
    """Verdicts on the instances, without a mutant or with one of them in place."""
    with nullcontext() if index is None else MUTANTS[index].applied(), np.errstate(all="ignore"):
        return verdicts(check(theorems, instances=INSTANCES))


def together(parts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for part in parts for one in part))


def chosen(words: Sequence[str]) -> list[int]:
    """Indices of the mutants with one of the words in their name or in what is asked about them; no words, all."""
    texts = [" ".join([one.name, *one.theorems]) for one in MUTANTS]
    return [i for i, text in enumerate(texts) if not words or any(word in text for word in words)]
