"""Right answers: counted in shares, by each of several processes, they are those of one."""

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from linreg_mirror.networks import data, models
from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.training import train
from linreg_mirror.networks.training.evaluation import accuracy, right_answers

pytestmark = pytest.mark.usefixtures("one_thread")

CHECKOUT = Path(__file__).resolve().parents[3]
RECIPE = Recipe(model={"name": "mlp", "widths": [64, 16, 10]}, epochs=2, batch=101, precision="float64")


@pytest.mark.parametrize("processes", [2, 3, 7])
def test_shares_add_up_to_the_whole(processes):
    """In batches of 17, of which the last has three examples: some of the processes then have none."""
    test, model = data.load("digits").test, models.create("mlp", seed=0).double()
    recipe = replace(RECIPE, batch=17 // 4)
    parts = [right_answers(model, test, recipe, part=(rank, processes)) for rank in range(processes)]
    inputs, labels = next(iter(data.Batches(test, len(test), dtype=torch.float64)))
    expected = int((model(inputs).argmax(1) == labels).sum())
    assert sum(map(int, parts)) == int(right_answers(model, test, recipe)) == expected
    assert accuracy(model, test, recipe) == expected / len(test)
    assert not model.training


PROGRAM = """
import json, os, sys
import torch
from pathlib import Path
from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.training import evaluation, train

torch.set_num_threads(1)
folder, seen, call = Path(sys.argv[1]), [], torch.func.functional_call

def counted(model, weights, inputs):
    seen.append(len(inputs))
    return call(model, weights, inputs)

evaluation.torch.func.functional_call = counted
train(Recipe(**json.loads(sys.argv[2])), folder=folder / "run")
(folder / os.environ["RANK"]).write_text(json.dumps(sum(seen)))
"""


def test_two_processes_share_the_test_examples(tmp_path):
    (tmp_path / "program.py").write_text(textwrap.dedent(PROGRAM), encoding="utf-8")
    changed = {"model": RECIPE.model, "epochs": 2, "batch": 101, "precision": "float64"}
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*launch, str(tmp_path / "program.py"), str(tmp_path), json.dumps(changed)], cwd=CHECKOUT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(CHECKOUT)}, capture_output=True, text=True,
        timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    seen = [json.loads((tmp_path / rank).read_text()) for rank in "01"]
    assert seen == [360, 360]  # half of 360 test examples in each of two epochs
    lines = (tmp_path / "run" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    together = [json.loads(line) for line in lines]
    for one, two in zip(train(RECIPE, folder=tmp_path / "alone").history, together, strict=True):
        assert two["test_accuracy"] == one["test_accuracy"]
        assert two["accuracy"] == one["accuracy"]
        assert two["l1_norm"] == pytest.approx(one["l1_norm"], rel=1e-12)
