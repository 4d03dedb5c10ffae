"""How many evaluations of the ledger a second, with one worker and with two, and what would 64 make of it?

    python -m benchmarks.scale                    # 10,000 instances
    python -m benchmarks.scale --instances 300

A sample of the instances is computed in every way in turn, the peer being a bare `multiprocessing.Pool` that stores
nothing and would lose all with one worker; then all of them in two processes. Every twentieth instance is one of the
whole ledger, the others are of the groups that cost little: all theorems on all of them would take hours on two cores.
"""

import argparse
import logging
import math
import multiprocessing
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.harness import Answer, Competitor, Judgement, Settings
from linreg_mirror.ledger import SETTINGS, spread
from linreg_mirror.runtime import sweeps
from linreg_mirror.runtime.store import Store
from linreg_mirror.verification import select
from linreg_mirror.verification.evaluation import Record, Task, evaluate

CHEAP = ("masks", "gates", "saddles", "networks")
WHOLE_IN = 20  # one instance in so many is checked for the whole ledger
ALONE, PROCESSES, DASK, POOL = "this process", "processes", "Dask workers", "bare multiprocessing.Pool"


def tasks(count: int) -> list[Task]:
    everything, cheap = (tuple(t.id for t in select(names)) for names in ((), CHEAP))
    whole = math.ceil(count / WHOLE_IN)
    # The first ones: any beginning is spread over families and settings.
    return [Task(name, everything if k < whole else cheap) for k, name in enumerate(spread(count))]


def mixed(everything: Sequence[Task], count: int) -> list[Task]:
    """Return `count` tasks with the same share of the whole ledger."""
    whole = math.ceil(count / WHOLE_IN)
    rest = math.ceil(len(everything) / WHOLE_IN)
    return [*everything[:whole], *everything[rest : rest + count - whole]]


@dataclass
class Way:
    """One way to compute a sample. Its workers are there for one call: idle ones of Dask would slow down the others."""

    engine: str
    workers: int
    sample: Sequence[Task]
    scratch: Path

    def __post_init__(self) -> None:
        self.parent_seconds: list[float] = []  # CPU time of this process, a round
        self.whole_seconds: list[float] = []  # for an instance of the whole ledger, a round; alone only
        self._pool: Any = None

    @property
    def name(self) -> str:
        return self.engine if self.engine == ALONE else f"{self.engine}, {self.workers}"

    def competitor(self) -> Competitor:
        return Competitor(
            self.name, lambda: Answer(self.margins(self.sample), True), self.engine != POOL, around=self.ready
        )

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Have workers that have imported and compiled, and are connected."""
        with ExitStack() as stack:
            if self.engine == DASK:
                from distributed import LocalCluster

                options: Any = {"dashboard_address": "127.0.0.1:0", "silence_logs": logging.ERROR}
                local: Any = LocalCluster("127.0.0.1", n_workers=self.workers, threads_per_worker=1, **options)
                stack.enter_context(local)
                stack.enter_context(sweeps.cluster(local.scheduler_address))
            elif self.engine == POOL:
                self._pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(self.workers))
            # So many that each of them meets every setting, and with it all that is imported and compiled.
            list(self.results(mixed(self.sample, min(len(self.sample), 2 * len(SETTINGS) * self.workers))))
            yield

    def margins(self, sample: Sequence[Task]) -> np.ndarray:
        before, last, whole, found = time.process_time(), time.perf_counter(), [], []
        for task, records in self.results(sample):
            whole += [time.perf_counter() - last] if task is not None and task.theorems == sample[0].theorems else []
            last = time.perf_counter()
            found += records
        self.parent_seconds.append(time.process_time() - before)
        self.whole_seconds.append(sum(whole) / len(whole) if whole else math.nan)
        values = sorted(
            (one.instance, one.theorem, math.nan if one.evidence is None else one.evidence.margin) for one in found
        )
        return np.array([margin for _, _, margin in values])

    def results(self, sample: Sequence[Task]) -> Iterator[tuple[Task | None, list[Record]]]:
        """Yield what was evaluated, in any order, as it comes; without the task where nobody knows it."""
        if self.engine == POOL:
            yield from ((None, records) for records in self._pool.imap_unordered(bare, sample))
            return
        store = Store(tempfile.mkdtemp(dir=self.scratch))
        for task, records, _ in evaluate(sample, jobs=self.workers if self.engine == PROCESSES else 1, store=store):
            yield task, records


def bare(task: Task) -> list[Record]:
    return [record for _, records, _ in evaluate([task]) for record in records]


def ways(sample: Sequence[Task], scratch: Path) -> list[Way]:
    """Return all ways; those of Dask where it is installed."""
    engines = [(ALONE, 1), (PROCESSES, 2), *([(DASK, 1), (DASK, 2)] if find_spec("distributed") else ()), (POOL, 2)]
    return [Way(engine, workers, sample, scratch) for engine, workers in engines]


def measure(count: int, size: int, settings: Settings, progress: Callable[[str], None]) -> dict[str, Any]:
    everything = tasks(count)
    sample = mixed(everything, min(size, count))
    case = {"instances": len(sample), "of the whole ledger": math.ceil(len(sample) / WHOLE_IN)}
    with tempfile.TemporaryDirectory() as folder:
        found = ways(sample, Path(folder))
        reference: list[np.ndarray] = []

        def judge(answer: Answer) -> Judgement:
            reference.append(answer.x)  # the first is that of this process alone
            if answer.x.shape != reference[0].shape:
                return Judgement({"margins that differ": math.inf}, False)
            # To the last bit: it is the same code, wherever it runs.
            equal = (answer.x == reference[0]) | (np.isnan(answer.x) & np.isnan(reference[0]))
            return Judgement({"margins that differ": float((~equal).sum())}, bool(equal.all()))

        rows = harness.compare(case, [way.competitor() for way in found], judge, settings, progress)
        by_name = {way.name: way for way in found}
        throughput = whole_run(everything, Path(folder) / "all", progress)
    # In rounds: what slowed down one of them slowed down both of what is compared in it.
    runs = {row["competitor"]: np.array(row["runs"]) for row in rows}
    ratios = [efficiency(runs, engine, len(sample)) for engine in (PROCESSES, DASK) if f"{engine}, 2" in runs]
    alone, two = by_name[ALONE], by_name[f"{PROCESSES}, 2"]
    cost = {
        "mixture": float(median(runs[ALONE])) / len(sample),
        "whole ledger": median(alone.whole_seconds),
        "parent": median(two.parent_seconds) / len(sample),
    }
    files = {"mixture": throughput["files"] / count, "whole ledger": throughput["files of the whole ledger"]}
    cost["parent, whole ledger"] = cost["parent"] * files["whole ledger"] / files["mixture"]
    table = list(extrapolated(cost, ratios[0]["efficiency"], files, throughput["bytes a file"]))
    return {
        "question": "Throughput of the ledger, efficiency at two workers, and what more would do",
        "rows": rows,
        "throughput": throughput,
        "tables": {
            f"All {count} instances, two processes": [{"": name, "value": value} for name, value in throughput.items()],
            "Efficiency": ratios,
            "Seconds for an instance": [cost],
            "Extrapolation": table,
        },
        "notes": list(notes(count, case, throughput)),
    }


def whole_run(everything: Sequence[Task], folder: Path, progress: Callable[[str], None]) -> dict[str, Any]:
    store, started, records, whole = Store(folder), time.perf_counter(), 0, []
    for done, (task, found, _) in enumerate(evaluate(everything, jobs=2, store=store), start=1):
        records += len(found)
        if task.theorems == everything[0].theorems:
            whole.append(len(found) + len({id.partition(".")[0] for id in task.theorems}))
        if done % max(1, len(everything) // 20) == 0:
            progress(f"{done} of {len(everything)} instances, {time.perf_counter() - started:.0f} s")
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    again = sum(len(found) for _, found, _ in evaluate(everything, store=store))
    assert again == records, f"{records} were evaluated, but {again} are stored"
    sizes = [entry.stat().st_size for entry in os.scandir(folder)]
    asked = sum(len(task.theorems) for task in everything)
    return {
        "instances": len(everything), "pairs of theorem and instance": asked, "of these the hypotheses hold": records,
        "seconds": seconds, "instances/s": len(everything) / seconds, "evaluations/s": records / seconds,
        "pairs/s": asked / seconds, "seconds to read them": time.perf_counter() - started, "files": len(sizes),
        "files of the whole ledger": sum(whole) / len(whole), "bytes a file": sum(sizes) / len(sizes),
    }  # fmt: skip


def efficiency(runs: Mapping[str, np.ndarray], engine: str, size: int) -> dict[str, Any]:
    one, two = runs.get(f"{engine}, 1", runs[ALONE]), runs[f"{engine}, 2"]
    speedup = float(np.median(one / two))
    return {
        "engine": engine, "one worker, instances/s": size / float(np.median(one)),
        "two workers, instances/s": size / float(np.median(two)), "speedup": speedup, "efficiency": speedup / 2,
        "two workers, of the time of the bare pool": float(np.median(two / runs[f"{POOL}, 2"])),
    }  # fmt: skip


def extrapolated(
    cost: Mapping[str, float], share: float, files: Mapping[str, float], size: float
) -> Iterator[dict[str, Any]]:
    for ledger, parent in (("mixture", "parent"), ("whole ledger", "parent, whole ledger")):
        for instances, cores, shards in ((10**4, 2, 1), (10**4, 64, 1), (10**6, 64, 1), (10**6, 64, 16)):
            working, storing = instances * cost[ledger] / (cores * share), instances * cost[parent] / shards
            yield {
                "theorems": ledger, "instances": f"{instances:,}", "cores": cores, "shards": shards,
                "hours": max(working, storing) / 3600, "bound by": "workers" if working >= storing else "storing",
                "files": f"{instances * files[ledger]:,.0f}", "GiB": instances * files[ledger] * size / 2**30,
            }  # fmt: skip


def notes(count: int, case: Mapping[str, int], throughput: Mapping[str, Any]) -> Iterator[str]:
    yield (
        f"of {count} instances {math.ceil(count / WHOLE_IN)} are checked for the whole ledger, the others for "
        f"{', '.join(CHEAP)}; the rounds compare a sample of {case['instances']} with the same shares"
    )
    yield (
        "one worker is for processes this process alone, for Dask one worker process; starts of workers, their first "
        "tasks and connections do not count; on two cores Dask's two workers share these with this process, which has "
        "the scheduler and stores"
    )
    yield (
        "the extrapolation assumes: instances cost what those of the sample did; efficiency per core stays that of two "
        "processes here; in each shard one process hands out and stores, in the CPU time that it took here, in "
        "proportion to results; shards do not slow down each other's storing; no time for starts, queues, merging; "
        "GiB are of contents, a file system needs a block for each file"
    )
    yield f"reading everything again, as the last step of shards does, took {throughput['seconds to read them']:.1f} s"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__.partition("\n")[0])
    parser.add_argument("--instances", type=int, default=10_000, metavar="N", help="default: %(default)s")
    parser.add_argument("--sample", type=int, default=600, metavar="N", help="instances a round; default: %(default)s")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="rounds; default: %(default)s")
    parser.add_argument(
        "--output", type=Path, default=Path(__file__).parent / "results", metavar="DIR", help="default: %(default)s"
    )
    options = parser.parse_args(arguments)
    if min(options.instances, options.sample, options.repeats) < 1:
        parser.error("--instances, --sample and --repeats must be at least 1")
    settings = Settings(quick=options.instances < 1000, repeats=options.repeats, budget=3600.0)
    command = shlex.join(["python", "-m", "benchmarks.scale", *arguments])

    def run(settings: Settings, progress: Callable[[str], None]) -> dict[str, Any]:
        return measure(options.instances, options.sample, settings, progress)

    with harness.one_thread_for_all():
        result = harness.finished("scale", command, settings, run)
    harness.show(result)
    print(f"written: {harness.write(result, options.output)}")
    return 0 if all(row["verdict"] == "ok" for row in result["rows"]) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
