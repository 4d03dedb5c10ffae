"""Sweeps on real Dask clusters, whose scheduler and workers are processes that die like any other."""

import json
import os
import re
import signal
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from linreg_mirror.runtime import sweeps
from linreg_mirror.runtime.store import Store
from linreg_mirror.runtime.sweeps import Failure, sweep
from linreg_mirror.verification import check, report

CHECKOUT = Path(__file__).parents[2]
GROUPS = {f"group {i}": [{"i": i, "power": k} for k in (1, 2)] for i in range(40)}


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def powers(parts):
    return [{"value": part["i"] ** part["power"]} for part in parts]


def slow_powers(parts):
    time.sleep(0.05)
    return [answer | {"process": os.getpid()} for answer in powers(parts)]


def deadly_at_three(parts):
    if parts[0]["i"] == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return slow_powers(parts)


def without_process(answers):
    return {name: [{"value": one["value"]} for one in results] for name, results in answers.items()}


@pytest.mark.parametrize("count", [1, 2])
def test_workers_compute_and_this_process_stores(dask, store, count):
    # A thread too many: workers have them by default, and integrators bear one.
    workers = dask.workers(count, threads=2)
    with sweeps.cluster(dask.address):
        answers = dict(sweep(slow_powers, GROUPS, store=store))
    assert without_process(answers) == dict(sweep(powers, GROUPS))
    assert {one["process"] for results in answers.values() for one in results} == {worker.pid for worker in workers}
    assert dict(sweep(deadly_at_three, GROUPS, store=store)) == answers


def test_a_worker_killed_in_mid_run_loses_nothing_and_nothing_counts_twice(dask, store):
    victim, survivor = dask.workers(2)
    answers = []
    with sweeps.cluster(dask.address):
        for name, results in sweep(slow_powers, GROUPS, store=store):
            answers.append((name, results))
            if len(answers) == 6:
                victim.kill()
    assert Counter(name for name, _ in answers) == Counter(GROUPS.keys())
    assert without_process(dict(answers)) == dict(sweep(powers, GROUPS))
    by = Counter(one["process"] for _, results in answers for one in results)
    assert set(by) == {victim.pid, survivor.pid}
    assert by[victim.pid] < len(GROUPS), "it was killed in mid-run"
    assert len(list(store.records())) == sum(map(len, GROUPS.values()))
    assert dict(sweep(deadly_at_three, GROUPS, store=store)) == dict(answers)


@pytest.mark.slow
def test_what_kills_its_workers_is_a_failure_and_all_else_is_computed(dask, store):
    dask.workers(2)
    answers = {}

    def watched():
        with sweeps.cluster(dask.address):
            answers.update(sweep(deadly_at_three, GROUPS, store=store))

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(watched)
        while not done.done():
            # Nobody else starts workers again.
            for _ in range(3 - sum(process.poll() is None for process in dask.processes)):
                dask.worker()
            time.sleep(0.1)
        done.result()
    lost = {name for name, results in answers.items() if isinstance(results[0], Failure)}
    assert "group 3" in lost
    # What waited on the same worker each time went down with it.
    assert len(lost) <= 4
    assert all("KilledWorker: its worker died at every attempt" in answers[name][0].error for name in lost)
    assert len(list(store.records())) == 2 * (len(GROUPS) - len(lost))
    again = dict(sweep(powers, GROUPS, store=store))
    assert without_process(again) == dict(sweep(powers, GROUPS))


def killed_after_five(dask, store):
    with sweeps.cluster(dask.address):
        for k, _ in enumerate(sweep(slow_powers, GROUPS, store=store)):
            if k == 5:
                dask.scheduler.kill()


@pytest.mark.slow
def test_a_scheduler_that_dies_ends_the_sweep_and_what_arrived_is_stored(dask, store):
    dask.workers(2)
    with pytest.raises(ConnectionError, match="the scheduler is gone: finished results are stored"):
        killed_after_five(dask, store)
    assert 12 <= len(list(store.records())) < 80


def told(findings):
    """Return what a report says, but for times."""
    timeless = [replace(f, records=tuple(replace(r, seconds=0.0) for r in f.records)) for f in findings]
    return json.dumps(report.as_json(timeless, {})["theorems"])


@pytest.mark.slow
def test_the_ledger_with_a_worker_killed_is_that_of_one_process(dask, store):
    victim, _ = dask.workers(2)
    seen = []

    def progress(task, done, total):
        seen.append(task.instance)
        if done == 8:
            victim.kill()

    options = {"patterns": ["masks", "saddles", "signs.crossing"], "instances": 36}
    with sweeps.cluster(dask.address):
        found = check(**options, store=store, progress=progress)
    serial = Store(store.root.with_name("serial"))
    expected = check(**options, store=serial)
    assert told(found) == told(expected)
    assert len(seen) == len(set(seen))
    stored, stored_serially = ([settings for settings, _ in one.records()] for one in (store, serial))
    assert stored == stored_serially
    assert told(check(**options, store=store)) == told(expected), "nothing else is in the store"


# Clusters that cannot work


def test_a_worker_without_this_package_is_refused_at_once(dask, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "linreg_mirror.py").touch()
    dask.workers(1, PYTHONPATH=str(tmp_path / "other"))
    with (
        pytest.raises(RuntimeError, match=r"the worker tcp://.* cannot run this package \(ModuleNotFoundError"),
        sweeps.cluster(dask.address),
    ):
        pass


def test_a_worker_with_other_code_is_refused_at_once(dask, monkeypatch):
    dask.workers(1)
    monkeypatch.setattr(sweeps, "code_fingerprint", lambda: "ours")
    with (
        pytest.raises(RuntimeError, match=r"\(other code of it\): install the same version"),
        sweeps.cluster(dask.address),
    ):
        pass


def test_a_scheduler_without_workers_says_how_to_start_them(dask):
    with (
        pytest.raises(TimeoutError, match=f"has no workers.*dask worker {re.escape(dask.address)} --nworkers"),
        sweeps.cluster(dask.address, timeout=0.5),
    ):
        pass


def test_a_scheduler_that_does_not_answer_is_an_error():
    pytest.importorskip("distributed")
    with pytest.raises(OSError, match=re.escape("127.0.0.1:1")), sweeps.cluster("tcp://127.0.0.1:1", timeout=1):
        pass


def test_without_dask_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(ImportError, match=re.escape("pip install 'linreg-mirror[cluster]'")),
        sweeps.cluster("tcp://127.0.0.1:1"),
    ):
        pass
