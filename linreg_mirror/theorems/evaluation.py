"""Evaluates theorems on many instances, several processes at once, and keeps what each of them gave."""

import time as clock
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from linreg_mirror._blas import one_thread
from linreg_mirror.store import Store
from linreg_mirror.sweeps import Failure, Settings, Shard, sweep
from linreg_mirror.theorems.instance import instance
from linreg_mirror.theorems.ledger import REGISTRY, Evidence

_HYPOTHESES = "hypotheses"


@dataclass(frozen=True)
class Task:
    """Everything to be evaluated on one instance, so that its flow is computed once.

    Attributes
    ----------
    instance : str
        Its name.
    theorems : tuple of str
        Ids whose statement is evaluated where the hypotheses hold.
    controls : tuple of str
        Ids whose control is evaluated, hypotheses not enforced.
    """

    instance: str
    theorems: tuple[str, ...]
    controls: tuple[str, ...] = ()

    @property
    def settings(self) -> list[Settings]:
        """What identifies each evaluation, and before them that of hypotheses where several are tested."""
        asked = [(name, False) for name in self.theorems] + [(name, True) for name in self.controls]
        hypotheses = [_hypotheses(self.instance)] if len(self.theorems) > 1 else []
        return hypotheses + [
            {"what": "check", "theorem": name, "instance": self.instance, "control": control} for name, control in asked
        ]


@dataclass(frozen=True)
class Record:
    """What one evaluation gave.

    Attributes
    ----------
    theorem, instance : str
        What was evaluated on what.
    control : bool
        Whether it was the theorem's control.
    evidence : Evidence or None
        None where evaluation failed.
    error : str
        The exception, in one line, where it did.
    seconds : float
        Wall time; the first evaluation on an instance includes its flow.
    """

    theorem: str
    instance: str
    control: bool
    evidence: Evidence | None
    error: str = ""
    seconds: float = 0.0


def evaluate(
    tasks: Sequence[Task],
    *,
    jobs: int = 1,
    store: Store | None = None,
    fresh: bool = False,
    shard: Shard | None = None,
) -> Iterator[tuple[Task, list[Record], list[str]]]:
    """Yield each task, as it is complete, with its records and the theorems of which something is missing.

    Where the hypotheses do not hold there is no record. Something is missing only in other shards. An evaluation that
    raises becomes a record with the error, and the others go on.
    """
    by_name = {task.instance: task for task in tasks}
    groups = {task.instance: task.settings for task in tasks}
    store = None if store is None else _Evaluations(store.root)
    for name, results in sweep(_evaluated, groups, jobs=jobs, store=store, fresh=fresh, shard=shard):
        records, missing = [], []
        for part, result in zip(groups[name], results, strict=True):
            if part["what"] == _HYPOTHESES:
                continue
            theorem, control = part["theorem"], part["control"]
            if result is None:
                missing.append(theorem)
            elif isinstance(result, Failure):
                records.append(Record(theorem, name, control, None, result.error))
            elif result["evidence"] is not None:
                evidence = Evidence(**result["evidence"])
                records.append(Record(theorem, name, control, evidence, seconds=result["seconds"]))
        yield by_name[name], records, missing


def _evaluated(parts: Sequence[Settings]) -> list[dict | Failure]:
    """Evaluate what is asked of one instance; evidence None stands for hypotheses that do not hold there."""
    subject = instance(parts[0]["instance"])
    results: list[dict | Failure] = []
    with one_thread():
        for part in parts:
            if part["what"] == _HYPOTHESES:
                unmet = [name for name, theorem in REGISTRY.items() if not theorem.may_apply_to(subject)]
                results.append({"unmet": unmet})
                continue
            theorem = REGISTRY[part["theorem"]]
            started = clock.perf_counter()
            evidence = None
            try:
                if part["control"]:
                    evidence = theorem.control_evidence(subject)
                elif theorem.applies_to(subject):
                    evidence = theorem.evidence(subject)
            except Exception as error:
                results.append(Failure.of(error))
            else:
                seconds = clock.perf_counter() - started
                results.append({"evidence": None if evidence is None else asdict(evidence), "seconds": seconds})
    return results


def _hypotheses(name: str) -> Settings:
    """Identify which hypotheses an instance does not meet: those of all theorems, in one result."""
    return {"what": _HYPOTHESES, "instance": name}


class _Evaluations(Store):
    """Results of single evaluations, but for those that hypotheses rule out: one file an instance lists them.

    Most theorems do not apply to most instances, and a file for each such pair would be four files of five.
    """

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._latest: tuple[Settings, frozenset[str]] = {}, frozenset()

    def load(self, settings: Mapping[str, Any]) -> dict[str, Any] | None:
        return {"evidence": None, "seconds": 0.0} if self._ruled_out(settings) else super().load(settings)

    def save(self, settings: Mapping[str, Any], record: Mapping[str, Any]) -> Path:
        if settings["what"] == _HYPOTHESES:
            self._latest = settings, frozenset(record["unmet"])
        elif record["evidence"] is None and self._ruled_out(settings):
            return self.path(self._latest[0])
        return super().save(settings, record)

    def _ruled_out(self, settings: Mapping[str, Any]) -> bool:
        if settings["what"] == _HYPOTHESES or settings["control"]:
            return False
        wanted = {**_hypotheses(settings["instance"]), "code": settings["code"]}
        if self._latest[0] != wanted:  # results of an instance come one after the other
            record = super().load(wanted)
            self._latest = wanted, frozenset(record["unmet"] if record else ())
        return settings["theorem"] in self._latest[1]
