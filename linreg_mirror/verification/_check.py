"""Checks the ledger on many instances, and sums up."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from linreg_mirror.ledger import SETTINGS, WHOLE_GRID, Theorem, Verdict, grid, instance, spread
from linreg_mirror.ledger.ledger import unknown
from linreg_mirror.runtime.store import Store
from linreg_mirror.runtime.sweeps import Shard
from linreg_mirror.theorems import REGISTRY
from linreg_mirror.verification.evaluation import Record, Task, evaluate
from linreg_mirror.verification.own import FAMILY, NOTHING, Own

_REAL = ("diabetes/", "breast_cancer/")  # families that take half a second to load


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
    partial : bool
        Whether only some instances were asked for, or are there: not the whole grid.
    missing : int
        Evaluations that are left to other shards.
    own : Own
        What the user brought.
    """

    theorem: Theorem
    verdict: Verdict
    records: tuple[Record, ...]
    control: Record | None
    partial: bool = False
    missing: int = 0
    own: Own = NOTHING

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
        """Whether the verdict is the expected one and the control fails; in part, whether nothing contradicts that.

        An instance that does not refute an erratum says nothing against its being wrong elsewhere, nor does one that a
        theorem does not apply to.
        """
        if not self.partial:
            return self.verdict is self.theorem.expected and self.control_failed
        may_fail = self.theorem.expected is Verdict.refuted
        contradicted = any(r.evidence is None or not (r.evidence.holds or may_fail) for r in self.records)
        return not contradicted and (self.control_failed or (self.control is None and self.missing > 0))

    @property
    def repeat(self) -> str:
        """The command that repeats the worst instance."""
        name = self.worst.instance if self.worst else self.theorem.control.witness
        return self.own.command(self.theorem.id, name)


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
            raise unknown(pattern)
    return chosen


def plan(
    theorems: Iterable[Theorem], instances: Sequence[str] | int | None, seeds: int = 1, quick: bool = False
) -> list[Task]:
    """Return one task for each instance: those of the grid or those named, extremal instances, witnesses.

    If `quick`, the first of the grid that a theorem applies to, and witnesses. Extremal ones come before real data.
    """
    theorems = list(theorems)
    if quick:
        return _one_each(theorems)
    names = grid(seeds) if instances is None else spread(instances) if isinstance(instances, int) else list(instances)
    wanted: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for name in names:
        wanted[name][0].extend(t.id for t in theorems)
    for t in theorems:
        if instances is None or isinstance(instances, int):
            for name in t.extremal:
                wanted[name][0].append(t.id)
        wanted[t.control.witness][1].append(t.id)
    return [Task(name, tuple(dict.fromkeys(ids)), tuple(controls)) for name, (ids, controls) in wanted.items()]


def _one_each(theorems: Sequence[Theorem]) -> list[Task]:
    wanted: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    known = cache(instance)  # made when first asked for
    real = [name for name in grid(1) if name.startswith(_REAL)]
    drawn = [name for name in grid(1) if not name.startswith(_REAL)]
    for t in theorems:
        wanted[t.control.witness][1].append(t.id)
        first = next((name for name in (*drawn, *t.extremal, *real) if t.may_apply_to(known(name))), None)
        if first is not None:
            wanted[first][0].append(t.id)
    # The longest first, so that no process waits for another one's last task.
    longest = sorted(wanted.items(), key=lambda task: -sum(map(len, task[1])))
    return [Task(name, tuple(ids), tuple(controls)) for name, (ids, controls) in longest]


def check(
    patterns: Sequence[str] = (),
    *,
    instances: Sequence[str] | int | None = None,
    seeds: int = 1,
    quick: bool = False,
    jobs: int = 1,
    store: Store | None = None,
    fresh: bool = False,
    shard: Shard | None = None,
    progress: Callable[[Task, int, int], None] | None = None,
    own: Own = NOTHING,
) -> list[Finding]:
    """Check theorems on a grid of instances, or on the instances named.

    Parameters
    ----------
    patterns : sequence of str
        Ids or beginnings of ids ("mirror", "mirror.flow"); empty for the whole ledger.
    instances : sequence of str or int, optional
        Names of instances, or how many of the grid. Default: every family in every setting, for `seeds` seeds. Of the
        grid come each theorem's extremal instances besides.
    seeds : int
        Seeds of the grid.
    quick : bool
        One instance for each theorem, and all controls.
    jobs : int
        Processes. Inside `with sweeps.cluster(address)` the workers of the cluster are used instead.
    store : Store, optional
        Where results of single instances are kept and, if the code is the same, read from.
    fresh : bool
        Compute everything again, ignoring stored results.
    shard : Shard, optional
        Evaluate only on this share of the instances, and read what is stored of the others.
    progress : callable, optional
        Called with (task, done, total) after each task.
    own : Own, optional
        Theorems and data of the user's. Files of theorems without patterns: these theorems alone. Data without
        instances: data/SETTING/SEED in every setting.

    Returns
    -------
    list of Finding
        In the order of the ledger.

    Raises
    ------
    ValueError
        If a pattern or an instance does not exist.
    """
    with own.installed():
        theorems = select([*patterns, *([] if patterns else (t.id for file in own.files for t in file.theorems))])
        if instances is None and own.data:
            instances = [f"{FAMILY}/{setting}/{seed}" for seed in range(seeds) for setting in SETTINGS]
        partial = quick or (isinstance(instances, int) and instances < WHOLE_GRID)
        if instances is not None and not isinstance(instances, int):
            partial = True
            # An unknown name is the caller's error, not a failing theorem; and one instance has one name.
            instances = [instance(name).name for name in instances]
        tasks = plan(theorems, instances, seeds, quick)
        by_theorem: dict[str, list[Record]] = defaultdict(list)
        unseen: dict[str, int] = defaultdict(int)
        for done, (task, records, missing) in enumerate(
            evaluate(tasks, jobs=jobs, store=store, fresh=fresh, shard=shard, own=own), start=1
        ):
            for record in records:
                by_theorem[record.theorem].append(record)
            for theorem in missing:
                unseen[theorem] += 1
            if progress is not None:
                progress(task, done, len(tasks))
        return [_finding(t, by_theorem[t.id], partial, unseen[t.id], own) for t in theorems]


def _finding(theorem: Theorem, records: list[Record], partial: bool, missing: int, own: Own) -> Finding:
    statements = sorted((r for r in records if not r.control), key=lambda r: r.instance)
    control = next((r for r in records if r.control), None)
    if any(r.evidence is None for r in statements) or (control is not None and control.evidence is None):
        verdict = Verdict.error
    else:
        evidence = [r.evidence for r in statements if r.evidence is not None]
        verdict = theorem.verdict(evidence, control.evidence if control is not None else None)
    return Finding(theorem, verdict, tuple(statements), control, partial or missing > 0, missing, own)
