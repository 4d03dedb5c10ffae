"""What theorems and tests say of a mutant."""

import io
import sys
from collections.abc import Iterable, Sequence
from contextlib import nullcontext, redirect_stdout
from pathlib import Path

import numpy as np
import pytest

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
ROOT = Path(__file__).resolve().parents[2]


def verdicts(findings: list[Finding]) -> dict[str, tuple[str, bool]]:
    return {finding.theorem.id: (finding.verdict.name, finding.control_failed) for finding in findings}


def passing(tests: Iterable[str]) -> dict[str, tuple[str, bool]]:
    """Whether files of tests pass, as things are at the moment."""
    found = {}
    for path in tests:
        for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
            del sys.modules[name]  # what they have imported by name is of the run before
        with redirect_stdout(io.StringIO()) as output:
            code = pytest.main(["-x", "-q", "-n", "0", "-p", "no:cacheprovider", f"--rootdir={ROOT}", str(ROOT / path)])
        if code not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED):
            raise RuntimeError(f"{path} was not run: {output.getvalue()}")
        found[path] = ("passes" if code == pytest.ExitCode.OK else "fails", True)
    return found


def outcome(index: int | None, theorems: tuple[str, ...], tests: tuple[str, ...]) -> dict[str, tuple[str, bool]]:
    """Verdicts on the instances, and outcomes of tests, without a mutant or with one of them in place."""
    with nullcontext() if index is None else MUTANTS[index].applied(), np.errstate(all="ignore"):
        found = verdicts(check(theorems, instances=INSTANCES)) if theorems else {}
        return found | passing(tests)


def together(parts: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for part in parts for one in part))


def chosen(words: Sequence[str]) -> list[int]:
    """Indices of the mutants with one of the words in their name or in what is asked about them; no words, all."""
    texts = [" ".join([one.name, *one.theorems, *one.tests]) for one in MUTANTS]
    return [i for i, text in enumerate(texts) if not words or any(word in text for word in words)]
