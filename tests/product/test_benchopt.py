"""The benchmark for benchopt runs from beginning to end, and its objective finds all solvers right."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "benchopt_minimum_l1"


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("benchopt") is None, reason="needs pip install '.[benchopt]'")
def test_runs_and_all_solvers_are_right(tmp_path):
    import pandas as pd

    copy = shutil.copytree(BENCHMARK, tmp_path / "benchmark", ignore=shutil.ignore_patterns("outputs", "__cache__"))
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", X=rng.standard_normal((5, 20)), y=rng.standard_normal(5))
    names = ["planted[n=20,d=60]", "correlated[n=20,d=60]", f"file[path={tmp_path / 'data.npz'}]"]
    datasets = [part for name in names for part in ("-d", name)]
    done = subprocess.run(
        [sys.executable, "-m", "benchopt", "run", str(copy), *datasets, "--no-plot", "-r", "1"],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (table,) = (pd.read_parquet(path) for path in (copy / "outputs").glob("*.parquet"))
    assert table.groupby(["dataset_name", "solver_name"]).ngroups == 3 * 4
    assert (table["objective_infeasibility"] <= 1e-8).all()
    assert (table["objective_duality_gap"] <= 1e-8).all()
    norms = table.groupby("dataset_name")["objective_l1_norm"]
    np.testing.assert_allclose(norms.max(), norms.min(), rtol=1e-7)
