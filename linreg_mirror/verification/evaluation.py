"""Evaluates theorems on many instances, several processes at once, and keeps what each of them gave."""

import hashlib
import time as clock
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

from linreg_mirror._tools.blas import one_thread
from linreg_mirror.ledger import Evidence, Instance, Theorem, instance
from linreg_mirror.runtime.sources import fingerprint
from linreg_mirror.runtime.store import Store
from linreg_mirror.runtime.sweeps import Failure, Settings, Shard, sweep
from linreg_mirror.theorems import REGISTRY
from linreg_mirror.verification.own import NOTHING, Own

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

    def settings(self, own: Own = NOTHING) -> list[Settings]:
        """Return what identifies each evaluation.

        Parameters
        ----------
        own : Own, optional
            What the user brought.
        """
        asked = [(name, False) for name in self.theorems] + [(name, True) for name in self.controls]
        where = {"instance": self.instance, **own.marks(self.instance)}
        return [{"what": "check", "theorem": name, "control": control, **where} for name, control in asked]


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
    own: Own = NOTHING,
) -> Iterator[tuple[Task, list[Record], list[str]]]:
    """Yield each task, as it is complete, with its records and the theorems of which something is missing.

    Where the hypotheses do not hold there is no record. Something is missing only in other shards. An evaluation that
    raises becomes a record with the error, and the others go on.
    """
    by_name = {task.instance: task for task in tasks}
    listed = store is not None
    groups = {
        task.instance: [*(_hypotheses(task, fresh, own) if listed else ()), *task.settings(own)] for task in tasks
    }
    codes = _Codes(own)
    store = _Evaluations(store, own, codes) if store is not None else None
    compute, code_of = partial(_evaluated, own=own), codes.of
    for name, results in sweep(compute, groups, jobs=jobs, store=store, fresh=fresh, shard=shard, code_of=code_of):
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


def _evaluated(parts: Sequence[Settings], own: Own) -> list[dict | Failure]:
    """Evaluate what is asked of one instance; evidence None stands for hypotheses that do not hold there."""
    own.install()
    subject = instance(parts[0]["instance"])
    results: list[dict | Failure] = []
    with one_thread():
        for part in parts:
            if part["what"] == _HYPOTHESES:
                results.append({"unmet": _unmet(part["group"], subject)})
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


# Most theorems do not apply to most instances, and a file for each such pair would be four files of five. So one file
# for each instance and group of theorems lists those whose hypotheses it does not meet.


def _group(theorem: str) -> str:
    return theorem.partition(".")[0]


def _hypotheses(task: Task, fresh: bool, own: Own) -> Iterator[Settings]:
    """Identify the lists that are wanted: of groups of which several theorems are asked for; if `fresh`, of all."""
    for group, count in Counter(map(_group, task.theorems)).items():
        if count > 1 or fresh:
            yield _listed(group, task.instance, own)


def _listed(group: str, instance: str, own: Own) -> Settings:
    return {"what": _HYPOTHESES, "instance": instance, "group": group, **own.marks(instance)}


def _unmet(group: str, subject: Instance) -> list[str]:
    return [theorem.id for theorem in _members(group) if not theorem.may_apply_to(subject)]


def _members(group: str) -> list[Theorem]:
    return [theorem for name, theorem in REGISTRY.items() if _group(name) == group]


def _code_of(part: Settings, own: Own) -> str:
    """Return the fingerprint of what the evidence for a theorem, or the hypotheses of a group, rest on."""
    stated = _members(part["group"]) if part["what"] == _HYPOTHESES else [REGISTRY[part["theorem"]]]
    known = frozenset(theorem.observe.__module__ for theorem in stated if _is_known(theorem, own))
    # Of a theorem that was entered by hand there is no file: its function alone says whether it has changed.
    codes = [_content(theorem.observe.__code__).encode() for theorem in stated if not _is_known(theorem, own)]
    by_hand = [hashlib.sha256(b"".join(codes)).hexdigest()] if codes else []
    return "-".join([fingerprint(known, own.sources), *by_hand])


class _Codes:
    """Fingerprints of what is evaluated, each taken once."""

    def __init__(self, own: Own) -> None:
        self._own = own
        self._known: dict[tuple[str, str], str] = {}

    def of(self, part: Settings) -> str:
        kind = part["what"], part["group"] if part["what"] == _HYPOTHESES else part["theorem"]
        if kind not in self._known:
            self._known[kind] = _code_of(part, self._own)
        return self._known[kind]


def _is_known(theorem: Theorem, own: Own) -> bool:
    """Whether the source of a theorem is part of this package, or of what the user brought."""
    module = theorem.observe.__module__ or ""
    return module.startswith("linreg_mirror.") or module in dict(own.sources)


def _content(code: CodeType) -> str:
    constants = [_content(one) if isinstance(one, CodeType) else one for one in code.co_consts]
    return repr((code.co_code, code.co_names, constants))


class _Evaluations(Store):
    """A store of evaluations that takes what hypotheses rule out from such lists, and keeps no files of it."""

    def __init__(self, store: Store, own: Own, codes: _Codes) -> None:
        super().__init__(store.root)
        self._store, self._own, self._codes = store, own, codes
        # Of one instance, whose results come one after the other: by group, what is ruled out and the file of that.
        self._where: Settings = {}
        self._lists: dict[str, tuple[frozenset[str], Path]] = {}

    def load(self, settings: Mapping[str, Any]) -> dict[str, Any] | None:
        return {"evidence": None, "seconds": 0.0} if self._ruled_out(settings) else self._store.load(settings)

    def save(self, settings: Mapping[str, Any], record: Mapping[str, Any]) -> Path:
        if settings["what"] == _HYPOTHESES:
            path = self._store.save(settings, record)
            self._of(settings)[settings["group"]] = frozenset(record["unmet"]), path
            return path
        if record["evidence"] is None and self._ruled_out(settings):
            return self._of(settings)[_group(settings["theorem"])][1]
        return self._store.save(settings, record)

    def _ruled_out(self, settings: Mapping[str, Any]) -> bool:
        if settings["what"] == _HYPOTHESES or settings["control"]:
            return False
        theorem, lists = settings["theorem"], self._of(settings)
        group = _group(theorem)
        if group not in lists:
            listed = _listed(group, settings["instance"], self._own)
            listed = {**listed, "code": self._codes.of(listed)}
            record = self._store.load(listed)
            lists[group] = frozenset(record["unmet"] if record else ()), self._store.path(listed)
        return theorem in lists[group][0]

    def _of(self, settings: Mapping[str, Any]) -> dict[str, tuple[frozenset[str], Path]]:
        """Return the lists of the instance, which are forgotten when another one comes."""
        where = {"instance": settings["instance"], **self._own.marks(settings["instance"])}
        if where != self._where:
            self._where, self._lists = where, {}
        return self._lists
