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
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import harness
from benchmarks.harness import Answer, Competitor, Judgement, Settings
from linreg_mirror.ledger import spread
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
    """One way to compute a sample, timed by what surrounds it."""

    engine: str
    workers: int
    sample: Sequence[Task]
    scratch: Path
    inside: Callable[[], AbstractContextManager[Any]] = nullcontext

    def __post_init__(self) -> None:
        self.parent_seconds: list[float] = []  # CPU time of this process, a round
        self.whole_seconds: list[float] = []  # for an instance of the whole ledger, a round; alone only

    @property
    def name(self) -> str:
        return self.engine if self.engine == ALONE else f"{self.engine}, {self.workers}"

    def competitor(self) -> Competitor:
        return Competitor(self.name, lambda: Answer(self.margins(self.sample), True), self.engine != POOL, self.warm)

    def warm(self) -> None:
        """Start workers, and let them import and compile."""
        list(self.results(mixed(self.sample, min(len(self.sample), 8 * self.workers))))
        self.parent_seconds.clear()
        self.whole_seconds.clear()

    def margins(self, sample: Sequence[Task]) -> np.ndarray:
        found = sorted(
            (record.instance, record.theorem, math.nan if record.evidence is None else record.evidence.margin)
            for record in self.results(sample)
        )
        return np.array([margin for _, _, margin in found])

    def results(self, sample: Sequence[Task]) -> Iterator[Record]:
        """Yield what was evaluated, in any order, as it comes."""
        before, store = time.process_time(), Store(tempfile.mkdtemp(dir=self.scratch))
        jobs = self.workers if self.engine == PROCESSES else 1
        whole, last = [], time.perf_counter()
        with self.inside() as pool:
            if self.engine == POOL:
                for records in pool.imap_unordered(bare, sample):
                    yield from records
            else:
                for task, records, _ in evaluate(sample, jobs=jobs, store=store):
                    whole += [time.perf_counter() - last] if task.theorems == sample[0].theorems else []
                    last = time.perf_counter()
                    yield from records
        self.parent_seconds.append(time.process_time() - before)
        self.whole_seconds.append(sum(whole) / len(whole) if whole else math.nan)


def bare(task: Task) -> list[Record]:
    return [record for _, records, _ in evaluate([task]) for record in records]


@contextmanager
def ways(sample: Sequence[Task], scratch: Path) -> Iterator[list[Way]]:
    """Yield all ways; those with workers of their own have them for as long as this lasts."""
    with ExitStack() as stack:
        found = [Way(ALONE, 1, sample, scratch), Way(PROCESSES, 2, sample, scratch)]
        try:
            from distributed import LocalCluster
        except ImportError:
            pass
        else:
            options: Any = {"threads_per_worker": 1, "dashboard_address": "127.0.0.1:0", "silence_logs": logging.ERROR}
            for count in (1, 2):
                local = stack.enter_context(LocalCluster("127.0.0.1", n_workers=count, **options))
                address = local.scheduler_address
                found.append(Way(DASK, count, sample, scratch, lambda address=address: sweeps.cluster(address)))
        pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(2))
        yield [*found, Way(POOL, 2, sample, scratch, lambda: nullcontext(pool))]


def measure(count: int, size: int, settings: Settings, progress: Callable[[str], None]) -> dict[str, Any]:
    everything = tasks(count)
    sample = mixed(everything, min(size, count))
    case = {"instances": len(sample), "of the whole ledger": math.ceil(len(sample) / WHOLE_IN)}
    with tempfile.TemporaryDirectory() as folder:
        with ways(sample, Path(folder)) as found:
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
    yield "one worker is for processes this process alone, for Dask one worker process; starts of workers do not count"
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
    parser.add_argument("--sample", type=int, default=200, metavar="N", help="instances a round; default: %(default)s")
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
