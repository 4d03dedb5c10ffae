"""The runner: what is stored is read, the rest is computed and stored at once, in processes, shards, on a cluster."""

import os
import signal
import subprocess
import sys
import time

import pytest
from joblib import Parallel, delayed

from linreg_mirror.ledger import grid
from linreg_mirror.runtime import sweeps
from linreg_mirror.runtime.store import Store, code_fingerprint
from linreg_mirror.runtime.sweeps import Failure, Shard, sweep

GROUPS = {f"group {i}": [{"what": "square", "i": i, "power": k} for k in (1, 2)] for i in range(5)}
EXPECTED = {f"group {i}": [{"value": i}, {"value": i * i}] for i in range(5)}


def powers(parts):
    return [{"value": part["i"] ** part["power"]} for part in parts]


class Counting:
    """Powers in this process, with the settings that were asked for."""

    def __init__(self):
        self.asked = []

    def __call__(self, parts):
        self.asked += [(part["i"], part["power"]) for part in parts]
        return powers(parts)


def fails_at_three(parts):
    if parts[0]["i"] == 3:
        raise ZeroDivisionError("no luck\nhere")
    return powers(parts)


def half_fails(parts):
    return [Failure("out of memory") if part["power"] == 2 else {"value": part["i"]} for part in parts]


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_come_in_the_order_of_their_settings(jobs):
    assert dict(sweep(powers, GROUPS, jobs=jobs)) == EXPECTED


def test_nothing_is_computed_twice(store):
    count = Counting()
    for _ in range(2):
        assert dict(sweep(count, GROUPS, store=store)) == EXPECTED
    assert sorted(count.asked) == sorted((i, k) for i in range(5) for k in (1, 2))
    assert len(list(store.records())) == 10


def test_only_the_missing_part_of_a_group_is_computed(store):
    list(sweep(powers, {"group 2": GROUPS["group 2"][1:]}, store=store))
    count = Counting()
    assert dict(sweep(count, {"group 2": GROUPS["group 2"]}, store=store)) == {"group 2": EXPECTED["group 2"]}
    assert count.asked == [(2, 1)]


def test_fresh_computes_what_is_stored(store):
    count = Counting()
    list(sweep(count, GROUPS, store=store))
    list(sweep(count, GROUPS, store=store, fresh=True))
    assert len(count.asked) == 20


def test_results_are_stored_as_they_arrive(store):
    answers = sweep(Counting(), GROUPS, store=store)
    next(answers)
    assert len(list(store.records())) == 2
    answers.close()
    count = Counting()
    assert dict(sweep(count, GROUPS, store=store)) == EXPECTED
    assert len(count.asked) == 8


def slowly(parts):
    time.sleep(0.02)
    return powers(parts)


def test_leaving_early_keeps_what_is_under_way_and_starts_nothing_more(store):
    groups = {str(i): [{"i": i, "power": 1}] for i in range(200)}
    for k, (name, _) in enumerate(sweep(slowly, groups, jobs=2, store=store)):
        assert name in groups
        if k == 3:
            break
    assert 4 <= len(list(store.records())) < 100
    assert len(dict(sweep(slowly, groups, jobs=2, store=store))) == 200
    assert len(list(store.records())) == 200


def test_failures_are_told_and_not_stored(store):
    answers = dict(sweep(fails_at_three, GROUPS, store=store))
    assert answers.pop("group 3") == [Failure("ZeroDivisionError: no luck here (in fails_at_three)")] * 2
    assert answers == {name: records for name, records in EXPECTED.items() if name != "group 3"}
    count = Counting()
    assert dict(sweep(count, GROUPS, store=store)) == EXPECTED
    assert sorted(count.asked) == [(3, 1), (3, 2)]


def test_of_a_group_what_did_not_fail_is_stored(store):
    answers = dict(sweep(half_fails, GROUPS, store=store))
    assert answers["group 4"] == [{"value": 4}, Failure("out of memory")]
    assert len(list(store.records())) == 5


def test_stored_settings_name_the_code(store):
    list(sweep(powers, GROUPS, store=store))
    assert all(settings["code"] == code_fingerprint() for settings, _ in store.records())


def test_a_worker_with_other_code_stops_the_sweep(monkeypatch, store):
    monkeypatch.setattr(sweeps, "code_fingerprint", iter(["ours", "theirs"]).__next__)
    with pytest.raises(RuntimeError, match=r"another version .* install the same one"):
        list(sweep(powers, GROUPS, store=store))
    assert list(store.records()) == []


# Shards


@pytest.mark.parametrize("count", [1, 2, 7])
def test_shards_partition_whatever_else_there_is(count):
    names = grid(3)
    shards = [Shard(i, count) for i in range(1, count + 1)]
    shares = [[name for name in names if shard.holds(name)] for shard in shards]
    assert sorted(name for share in shares for name in share) == sorted(names)
    assert all(len(share) > len(names) / count / 2 for share in shares)


def test_shards_are_pinned():
    # Machines with different versions of Python must agree on who computes what.
    assert [next(i for i in range(1, 17) if Shard(i, 16).holds(name)) for name in grid(1)[:4]] == [8, 15, 13, 15]


@pytest.mark.parametrize("text", ["0/4", "5/4", "1/0", "-1/4", "1", "a/b", "1/2/3", "1.0/2", ""])
def test_shards_that_do_not_exist_are_refused(text):
    with pytest.raises(ValueError, match="shard"):
        Shard.parse(text)


def test_a_shard_computes_its_share_and_reads_the_others(store):
    for i in (1, 2):
        count = Counting()
        answers = dict(sweep(count, GROUPS, store=store, shard=Shard(i, 2)))
        mine = {name for name in GROUPS if Shard(i, 2).holds(name)}
        assert mine
        assert {f"group {asked}" for asked, _ in count.asked} == mine
        for name, records in answers.items():
            assert records == (EXPECTED[name] if name in mine or i == 2 else [None, None])
    count = Counting()
    assert dict(sweep(count, GROUPS, store=store)) == EXPECTED
    assert count.asked == []


# Interruption

INTERRUPTED = """
import os, pathlib, signal, sys, time
from linreg_mirror.runtime.store import Store
from linreg_mirror.runtime.sweeps import sweep

# What is started in the background of a script inherits that interrupts are ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)

def slow(parts):
    time.sleep(0.05 if parts[0]["i"] < 4 else 60)
    return [{"value": part["i"]} for part in parts]

for _ in sweep(slow, {str(i): [{"i": i}] for i in range(8)}, store=Store(sys.argv[1])):
    pass
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_an_interruption_loses_only_what_is_under_way(how, store):
    process = subprocess.Popen([sys.executable, "-c", INTERRUPTED, str(store.root)], stderr=subprocess.PIPE)
    while len(list(store.records())) < 4:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert sorted(record["value"] for _, record in store.records()) == [0, 1, 2, 3]
    assert not list(store.root.glob("*.partial"))


def _get_ready():
    import colorsys  # noqa: F401


def _process(_):
    time.sleep(0.2)  # so that each worker gets one
    return os.getpid(), "colorsys" in sys.modules


def test_workers_that_start_early_are_those_of_the_sweep():
    """One may have taken both tasks."""
    sweeps.start_workers(2, _get_ready).join()
    found = Parallel(n_jobs=2)(delayed(_process)(k) for k in range(6))
    assert any(imported for _, imported in found)
    assert len(dict(found)) == 2
