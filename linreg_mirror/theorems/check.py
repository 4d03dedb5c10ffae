"""Checks the ledger on many instances, several processes at once, and sums up."""

import math
import time as clock
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import cast

from joblib import Parallel, delayed

from linreg_mirror._blas import one_thread
from linreg_mirror.store import Store, code_fingerprint
from linreg_mirror.theorems.instance import grid, instance
from linreg_mirror.theorems.ledger import REGISTRY, Evidence, Theorem, Verdict


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


def _ordered(margin: float) -> float:
    """Return NaN as the worst of all margins: it compares with none."""
    return -math.inf if math.isnan(margin) else margin


@dataclass(frozen=True)
class Finding:
    """A theorem, its verdict, and the evidence behind it.

    Attributes
    ----------
    theorem : Theorem
        The statement.
    verdict : Verdict
        What the evidence amounts to.
    records : tuple of Record
        One for each instance that met the hypotheses.
    control : Record or None
        The control on its witness.
    """

    theorem: Theorem
    verdict: Verdict
    records: tuple[Record, ...]
    control: Record | None

    @property
    def worst(self) -> Record | None:
        """The record with an error or, if there is none, with the least margin."""
        return min(
            self.records,
            key=lambda record: -math.inf if record.evidence is None else _ordered(record.evidence.margin),
            default=None,
        )

    @property
    def control_failed(self) -> bool:
        """Whether the control was evaluated on its witness and seen to fail there, as it must."""
        return self.control is not None and self.control.evidence is not None and self.control.evidence.fails

    @property
    def as_expected(self) -> bool:
        """Whether the verdict is the expected one and the control fails."""
        return self.verdict is self.theorem.expected and self.control_failed

    @property
    def repeat(self) -> str:
        """The command that repeats the worst instance."""
        name = self.worst.instance if self.worst else self.theorem.control.witness
        return f"linreg-mirror check {self.theorem.id} --instance {name}"


def select(patterns: Sequence[str]) -> list[Theorem]:
    """Return the theorems whose id is, or begins with, one of the patterns; all of them for no pattern.

    Raises
    ------
    ValueError
        If a pattern fits no theorem.
    """
    chosen = [t for t in REGISTRY.values() if not patterns or any(f"{t.id}.".startswith(f"{p}.") for p in patterns)]
    for pattern in patterns:
        if not any(f"{t.id}.".startswith(f"{pattern}.") for t in chosen):
            raise ValueError(f"no theorem is called {pattern!r} or begins so; there are: {', '.join(REGISTRY)}")
    return chosen


def plan(theorems: Iterable[Theorem], instances: Sequence[str] | None, seeds: int) -> list[Task]:
    """Return one task for each instance: the grid (or the instances named), extremal instances, witnesses."""
    theorems = list(theorems)
    names = grid(seeds) if instances is None else list(instances)
    wanted: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for name in names:
        wanted[name][0].extend(t.id for t in theorems)
    for t in theorems:
        if instances is None:
            for name in t.extremal:
                wanted[name][0].append(t.id)
        wanted[t.control.witness][1].append(t.id)
    return [Task(name, tuple(dict.fromkeys(ids)), tuple(controls)) for name, (ids, controls) in wanted.items()]


def run_task(task: Task) -> list[Record]:
    """Evaluate one task; an evaluation that raises becomes a record with the error, and the others go on."""
    jobs = [(name, False) for name in task.theorems] + [(name, True) for name in task.controls]
    try:
        subject = instance(task.instance)
    except Exception as error:
        return [Record(name, task.instance, is_control, None, _in_one_line(error)) for name, is_control in jobs]
    records = []
    with one_thread():
        for name, is_control in jobs:
            theorem = REGISTRY[name]
            started = clock.perf_counter()
            evidence, trouble = None, ""
            try:
                if is_control:
                    evidence = theorem.control_evidence(subject)
                elif theorem.applies_to(subject):
                    evidence = theorem.evidence(subject)
                else:
                    continue
            except Exception as error:
                trouble = _in_one_line(error)
            seconds = clock.perf_counter() - started
            records.append(Record(name, task.instance, is_control, evidence, trouble, seconds))
    return records


def _in_one_line(error: Exception) -> str:
    where = traceback.extract_tb(error.__traceback__)[-1].name
    return f"{type(error).__name__}: {' '.join(str(error).split())} (in {where})"


def check(
    patterns: Sequence[str] = (),
    *,
    instances: Sequence[str] | None = None,
    seeds: int = 1,
    jobs: int = 1,
    store: Store | None = None,
    fresh: bool = False,
    progress: Callable[[Task, int, int], None] | None = None,
) -> list[Finding]:
    """Check theorems on a grid of instances, or on the instances named.

    Parameters
    ----------
    patterns : sequence of str
        Ids or beginnings of ids ("mirror", "mirror.flow"); empty for the whole ledger.
    instances : sequence of str, optional
        Names of instances; default: every family in every setting, for `seeds` seeds, and each theorem's extremal ones.
    seeds : int
        Seeds of the grid.
    jobs : int
        Processes.
    store : Store, optional
        Where results of single instances are kept and, if the code is the same, read from.
    fresh : bool
        Compute everything anew, whatever is stored.
    progress : callable, optional
        Called with (task, done, total) after each task.

    Returns
    -------
    list of Finding
        In the order of the ledger.

    Raises
    ------
    ValueError
        If a pattern or an instance does not exist.
    """
    theorems = select(patterns)
    tasks = plan(theorems, instances, seeds)
    for task in tasks:
        if instances is not None:
            instance(task.instance)  # an unknown name is the caller's error, not a failing theorem
    by_theorem: dict[str, list[Record]] = defaultdict(list)
    for done, (task, records) in enumerate(_results(tasks, jobs, store, fresh), start=1):
        for record in records:
            by_theorem[record.theorem].append(record)
        if progress is not None:
            progress(task, done, len(tasks))
    return [_finding(theorem, by_theorem[theorem.id]) for theorem in theorems]


def _results(tasks: list[Task], jobs: int, store: Store | None, fresh: bool) -> Iterator[tuple[Task, list[Record]]]:
    """Yield each task with its records; what is stored is read, and what is computed is stored at once."""
    fingerprint = code_fingerprint() if store is not None else ""
    known: dict[str, list[Record]] = {}
    missing = []
    for task in tasks:
        known[task.instance], rest = _split(task, store, fingerprint) if store is not None and not fresh else ([], task)
        if rest.theorems or rest.controls:
            missing.append(rest)
        else:
            yield task, known[task.instance]
    if jobs == 1 or len(missing) <= 1:
        answers: Iterable[tuple[Task, list[Record]]] = ((task, run_task(task)) for task in missing)
    else:
        answers = cast(
            Iterable[tuple[Task, list[Record]]],
            Parallel(n_jobs=jobs, return_as="generator_unordered")(delayed(_run)(task) for task in missing),
        )
    for task, records in answers:
        if store is not None:
            _keep(task, records, store, fingerprint)
        yield task, known[task.instance] + records


def _run(task: Task) -> tuple[Task, list[Record]]:
    return task, run_task(task)


def _settings(theorem: str, instance: str, control: bool, fingerprint: str) -> dict[str, object]:
    return {"what": "check", "code": fingerprint, "theorem": theorem, "instance": instance, "control": control}


def _split(task: Task, store: Store, fingerprint: str) -> tuple[list[Record], Task]:
    """Return the stored records of a task, and the task that is left."""
    found: list[Record] = []
    left: dict[bool, list[str]] = {False: [], True: []}
    for control, names in ((False, task.theorems), (True, task.controls)):
        for name in names:
            stored = store.load(_settings(name, task.instance, control, fingerprint))
            if stored is None:
                left[control].append(name)
            elif stored["evidence"] is not None:  # None: the hypotheses do not hold there
                evidence = Evidence(**stored["evidence"])
                found.append(Record(name, task.instance, control, evidence, seconds=stored["seconds"]))
    return found, Task(task.instance, tuple(left[False]), tuple(left[True]))


def _keep(task: Task, records: list[Record], store: Store, fingerprint: str) -> None:
    """Store each evaluation; not errors, which may be of the moment, such as a lack of memory."""
    by_job = {(record.theorem, record.control): record for record in records}
    for control, names in ((False, task.theorems), (True, task.controls)):
        for name in names:
            record = by_job.get((name, control))
            if record is not None and record.error:
                continue
            evidence = asdict(record.evidence) if record is not None and record.evidence is not None else None
            content = {"evidence": evidence, "seconds": record.seconds if record is not None else 0.0}
            store.save(_settings(name, task.instance, control, fingerprint), content)


def _finding(theorem: Theorem, records: list[Record]) -> Finding:
    statements = sorted((r for r in records if not r.control), key=lambda r: r.instance)
    control = next((r for r in records if r.control), None)
    if any(r.evidence is None for r in statements) or (control is not None and control.evidence is None):
        verdict = Verdict.error
    else:
        evidence = [r.evidence for r in statements if r.evidence is not None]
        verdict = theorem.verdict(evidence, control.evidence if control is not None else None)
    return Finding(theorem, verdict, tuple(statements), control)
