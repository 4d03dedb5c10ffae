"""The benchmarks run, judge right what is right, and write what is needed to repeat them. Nothing asserts a time."""

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.harness import Answer, OverBudget, stopped_after

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(
    scope="module",
    params=[
        "flow",
        "minimum_l1",
        "batches",
        "saddles",
        "masks",
        "mirror_optimizer",
        "epoch",
        "large",
        "proof",
        "prediction",
    ],
)
def result(request, tmp_path_factory):
    if request.param in ("masks", "mirror_optimizer", "epoch"):
        pytest.importorskip("torch")
    if request.param == "proof":
        pytest.importorskip("flint")
    folder = tmp_path_factory.mktemp("benchmarks")
    command = [sys.executable, "-m", "benchmarks", request.param, "--quick", "--output", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ratio" in done.stdout
    return json.loads((folder / f"{request.param}.json").read_text(encoding="utf-8"))


def test_says_how_to_repeat_it(result):
    assert result["command"].startswith(f"python -m benchmarks {result['benchmark']} --quick")
    assert result["quick"] is True
    assert result["repeats"] == 1
    assert {"version", "commit", "packages", "machine"} <= result["environment"].keys()
    assert "one BLAS thread" in result["threads"]


def test_every_row_has_a_ratio_and_a_verdict(result):
    ours = [row for row in result["rows"] if row["ours"]]
    assert ours
    assert len(ours) < len(result["rows"])
    for row in result["rows"]:
        assert row["ratio"] > 0
        assert row["seconds"] > 0
        assert len(row["runs"]) >= 1
        assert row["verdict"]
        assert all(math.isfinite(error) for error in row["errors"].values())


def test_first_row_of_a_case_is_ours_and_has_ratio_one(result):
    cases = {}
    for row in result["rows"]:
        cases.setdefault(json.dumps(row["case"]), row)
    for row in cases.values():
        assert row["ours"]
        assert row["ratio"] == 1


def test_ours_is_right(result):
    largest = {
        "stationarity": 1.001e-9,
        "distance": 1e-6,
        "off the count": 0.05,
        "differs from the plain loop": 1e-3,
        "error": 1.0,
    }
    for row in result["rows"]:
        if row["ours"]:
            assert row["verdict"] == "ok", row
            assert all(error <= largest.get(name, 1e-9) for name, error in row["errors"].items()), row


def test_a_peer_that_agrees_is_judged_right(result):
    assert any(row["verdict"] == "ok" for row in result["rows"] if not row["ours"])


def test_tables_are_not_empty(result):
    assert result["tables"]
    assert all(lines for lines in result["tables"].values())


def test_a_solver_that_takes_too_long_is_killed():
    started = time.perf_counter()
    with pytest.raises(OverBudget):
        stopped_after(0.2, lambda: Answer(np.full(1, time.sleep(60)), True))
    assert time.perf_counter() - started < 30


def test_a_solver_in_its_own_process_answers_or_says_why_not():
    answer = stopped_after(60, lambda: Answer(np.arange(3.0), True, counts={"process": os.getpid()}))
    assert answer.x.tolist() == [0, 1, 2]
    assert answer.counts["process"] != os.getpid()
    with pytest.raises(RuntimeError, match=r"^ZeroDivisionError: "):
        stopped_after(60, lambda: Answer(np.full(1, 1 // 0), True))
    with pytest.raises(ChildProcessError, match="died without an answer"):
        stopped_after(60, lambda: Answer(np.full(1, os._exit(9)), True))


@pytest.mark.slow
def test_scale_counts_right_and_says_what_it_assumes(tmp_path):
    pytest.importorskip("distributed")
    options = ["--instances", "6", "--sample", "4", "--repeats", "1", "--output", str(tmp_path)]
    command = [sys.executable, "-m", "benchmarks.scale", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads((tmp_path / "scale.json").read_text(encoding="utf-8"))
    assert [row["competitor"] for row in result["rows"]] == [
        "this process", "processes, 2", "Dask workers, 1", "Dask workers, 2", "bare multiprocessing.Pool, 2",
    ]  # fmt: skip
    assert all(row["verdict"] == "ok" for row in result["rows"])
    tables = result["tables"]
    all_of_them = {line[""]: line["value"] for line in tables["All 6 instances, two processes"]}
    evaluated = all_of_them["of these the hypotheses hold"]
    assert evaluated < all_of_them["files"] < all_of_them["pairs of theorem and instance"]
    seconds = {row["competitor"]: row["seconds"] for row in result["rows"]}
    for line, one in zip(tables["Efficiency"], ("this process", "Dask workers, 1"), strict=True):
        speedup = seconds[one] / seconds[f"{line['engine']}, 2"]
        assert line["speedup"] == pytest.approx(speedup)
        assert line["efficiency"] == pytest.approx(speedup / 2)
    cost = tables["Seconds for an instance"][0]
    by_case = {
        (line["theorems"], line["instances"], line["cores"], line["shards"]): line for line in tables["Extrapolation"]
    }
    bound = by_case["mixture", "1,000,000", 64, 16]
    working = 1e6 * cost["mixture"] / 64 / tables["Efficiency"][0]["efficiency"]
    assert bound["hours"] * 3600 == pytest.approx(max(working, 1e6 * cost["parent"] / 16))
    assert any("the extrapolation assumes" in note for note in result["notes"])


def test_a_visit_to_an_accelerator_runs_on_a_cpu_too_and_goes_on_where_it_was_cut_short(tmp_path):
    pytest.importorskip("torch")
    command = [sys.executable, "-m", "benchmarks", "gpu", "--tiny", "--output", str(tmp_path)]

    def visit(*options):
        return subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)

    done = visit("--parts", "agreement", "scores")
    assert done.returncode == 0, done.stdout + done.stderr
    stored = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))["parts"]
    assert all(part["complete"] and all(row["right"] for row in part["rows"]) for part in stored.values())
    done = visit()
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert list(found["parts"]) == ["agreement", "scores", "descents", "epochs", "limits", "pilot"]
    assert {name: found["parts"][name] for name in stored} == stored
    assert [row["compile"] for row in found["parts"]["epochs"]["rows"]] == ["false"] * 3 + ["graph"] * 3
    assert all(row.get("right", True) for part in found["parts"].values() for row in part["rows"])


def test_a_part_of_a_visit_that_fails_leaves_the_others(tmp_path):
    torch = pytest.importorskip("torch")
    from benchmarks.gpu.visit import Settings, Visit

    def broken(settings, left):
        yield {"right": True}
        raise RuntimeError("out of memory")

    parts = {"broken": broken, "whole": lambda settings, left: iter([{"seconds": 1.0}])}
    visit = Visit(parts, Settings(torch.device("cpu"), True, None), tmp_path / "gpu.json", 60.0, "")
    assert not visit.run()
    stored = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))["parts"]
    assert [part["complete"] for part in stored.values()] == [False, True]
    assert stored["broken"]["rows"][-1]["error"] == "RuntimeError: out of memory"


def test_a_visit_compares_all_methods_that_draw_the_same_on_every_device():
    pytest.importorskip("torch")
    from benchmarks.gpu.agreement import _METHODS
    from linreg_mirror.networks.methods import METHODS

    assert METHODS.keys() - _METHODS.keys() == {"l0", "dep-l0"}


def test_no_accelerator_is_said(tmp_path):
    torch = pytest.importorskip("torch")
    if torch.accelerator.is_available():
        pytest.skip("there is one")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "gpu", "--output", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 2
    assert "there is no accelerator here: write --tiny" in done.stderr


@pytest.mark.parametrize("name", ["agreement", "descents", "epochs", "limits", "scores", "pilot"])
@pytest.mark.filterwarnings("ignore:.*script_method. is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:no weight has been pruned:UserWarning")
def test_all_parts_of_a_visit_run_on_an_accelerator_that_is_simulated(name, monkeypatch):
    torch = pytest.importorskip("torch")
    from benchmarks.gpu import PARTS
    from benchmarks.gpu.visit import Settings
    from tests.helpers.accelerator import DEVICE, simulated

    monkeypatch.setattr(torch.accelerator, "synchronize", lambda device=None: None)
    try:
        with torch.random.fork_rng(devices=[]), simulated(monkeypatch):
            rows = list(PARTS[name](Settings(DEVICE, True, None), 60.0))
    finally:
        torch.compiler.reset()  # which has learned that nothing is compiled here
    assert rows
    assert all(row.get("right", True) for row in rows)
