"""Searching for a counterexample: random instances, scales and schedules, then local search from the worst of them."""

import math
import time as clock
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from linreg_mirror.ledger import Evidence, Theorem, Verdict
from linreg_mirror.ledger.ledger import unknown
from linreg_mirror.runtime.store import Store
from linreg_mirror.theorems import REGISTRY
from linreg_mirror.verification.evaluation import Record, Task, evaluate
from linreg_mirror.verification.own import NOTHING, Own
from linreg_mirror.verification.space import Search, applicable

# How many instances are evaluated at once, whatever the number of processes, so that it does not change the search. It
# begins with 2 and doubles: what is wrong everywhere is found at once, and later many processes have work.
_LARGEST_GENERATION = 16
_LEADERS = 4
_BARREN = 100  # instances none of which meets the hypotheses, after which there is none to be expected


@dataclass(frozen=True)
class Falsification:
    """What a search for a counterexample came to.

    Attributes
    ----------
    theorem : Theorem
        The statement.
    worst : Record or None
        The counterexample, or else what came closest to one: for an inequality the instance that uses the largest share
        of its bound, otherwise that of the least margin. None if no instance could be evaluated.
    evaluated : int
        On how many instances the statement was evaluated.
    passed_over : int
        How many did not meet its hypotheses.
    errors : tuple of Record
        Evaluations that raised, or whose margin is NaN. They refute nothing.
    seconds : float
        Wall time.
    own : Own
        What the user brought.
    """

    theorem: Theorem
    worst: Record | None
    evaluated: int
    passed_over: int
    errors: tuple[Record, ...]
    seconds: float
    own: Own = NOTHING

    @property
    def evidence(self) -> Evidence | None:
        """That of the worst instance."""
        return self.worst.evidence if self.worst is not None else None

    @property
    def verdict(self) -> Verdict:
        """`refuted` by a counterexample, `holds` where none was found, `untested` where nothing could be evaluated."""
        if self.evidence is None:
            return Verdict.untested
        return Verdict.refuted if self.evidence.fails else Verdict.holds

    @property
    def as_expected(self) -> bool:
        """Whether an erratum was refuted, or anything else survived."""
        if self.theorem.expected is Verdict.refuted:
            return self.verdict is Verdict.refuted
        return self.verdict is Verdict.holds

    @property
    def repeat(self) -> str | None:
        """The command that repeats the worst instance."""
        return self.own.command(self.theorem.id, self.worst.instance) if self.worst else None


def falsify(
    theorem: str,
    *,
    seconds: float | None = 20.0,
    evaluations: int | None = None,
    seed: int = 0,
    jobs: int = 1,
    store: Store | None = None,
    progress: Callable[[int, Record | None], None] | None = None,
    own: Own = NOTHING,
) -> Falsification:
    """Search for an instance on which a theorem fails, until one is found or the budget is spent.

    The first half of the budget goes to random instances: any family and setting that meets the hypotheses, with
    parameters within `theorems.space.SPACE`, their extremes included. The second half goes to neighbours of the worst
    of them: other parameters, another seed, another family or setting. Of a statement that is known to be wrong its
    control's witness comes last, where nothing else was found.

    Parameters
    ----------
    theorem : str
        Its id.
    seconds : float, optional
        Budget in wall time; evaluations that have begun are finished. The result depends on the speed of the machine.
    evaluations : int, optional
        Budget in instances tried. With this one alone (`seconds=None`) the same seed finds the same, whatever the
        number of processes.
    seed : int
        Of the search.
    jobs : int
        Processes. Inside `with sweeps.cluster(address)` the workers of the cluster are used instead.
    store : Store, optional
        Where evaluations are kept and, if the code is the same, read from; the same as for `check`.
    progress : callable, optional
        Called with (instances tried, worst record so far) after every few instances.
    own : Own, optional
        Files of theorems of the user's.

    Returns
    -------
    Falsification
        Where no instance of the space meets the hypotheses, the theorem's extremal instances take their place.

    Raises
    ------
    ValueError
        If there is no such theorem, or no budget.
    """
    own.install()
    if theorem not in REGISTRY:
        raise unknown(theorem)
    if seconds is None and evaluations is None:
        raise ValueError("a search needs a budget: write seconds=20 or evaluations=200")
    if not ((seconds is None or seconds > 0) and (evaluations is None or evaluations > 0)):
        raise ValueError(f"the budget must be positive, got seconds={seconds}, evaluations={evaluations}")
    started, subject = clock.perf_counter(), REGISTRY[theorem]
    search = Search(applicable(subject), np.random.default_rng(seed))
    tried, records, errors = 0, [], []

    def spent() -> float:
        times = (clock.perf_counter() - started) / seconds if seconds is not None else 0.0
        return max(times, tried / evaluations if evaluations is not None else 0.0)

    def add(names: Sequence[str]) -> None:
        nonlocal tried
        found: dict[str, list[Record]] = {}
        for task, answer, _ in evaluate([Task(name, (theorem,)) for name in names], jobs=jobs, store=store, own=own):
            found[task.instance] = answer
            tried += 1
            if seconds is not None and clock.perf_counter() - started > seconds:
                break
        for record in (record for name in names for record in found.get(name, [])):
            if record.evidence is None or math.isnan(record.evidence.margin):
                detail = record.error or f"margin nan ({record.evidence and record.evidence.detail})"
                errors.append(replace(record, evidence=None, error=detail))
            else:
                records.append(record)
        records.sort(key=_closeness)
        if progress is not None:
            progress(tried, records[0] if records else None)

    while (share := spent()) < 1 and not (records and _fails(records[0])):
        if not (records or errors) and tried >= _BARREN:
            break
        count = min(2 + tried, _LARGEST_GENERATION)
        if evaluations is not None:
            count = min(count, evaluations - tried)
        leaders = [record.instance for record in records[:_LEADERS]] if share >= 0.5 else []
        add(search.next(count, leaders, step=0.4 * (1 - share)))
    if not (records or errors) and subject.extremal:
        add(subject.extremal)
    if subject.expected is Verdict.refuted and not (records and _fails(records[0])):
        add([subject.control.witness])  # the budget was too small to find one anew
    return Falsification(
        subject,
        records[0] if records else None,
        len(records),
        tried - len(records) - len(errors),
        tuple(errors),
        clock.perf_counter() - started,
        own,
    )


def _fails(record: Record) -> bool:
    return record.evidence is not None and record.evidence.fails


def _closeness(record: Record) -> tuple[float, ...]:
    """Sort key, lowest for what comes closest to a counterexample.

    The slack of an inequality is small wherever both sides are, as at the end of every path; the share of the bound
    that is used tells more, until the bound is broken.
    """
    evidence = record.evidence
    assert evidence is not None
    return min(evidence.margin, 0.0), -round(evidence.tightness or 0.0, 3), evidence.margin
