"""Writers: every number of every epoch reaches the tool, by stand-ins for it where it is not installed."""

import sys
from dataclasses import replace
from importlib.util import find_spec
from types import ModuleType

import pytest

from linreg_mirror.networks.recipes import Iterative, Recipe
from linreg_mirror.networks.training import train, writers

pytestmark = pytest.mark.usefixtures("one_thread")

GATED = {"name": "l0", "on": "channels", "lam": 0.0}
SMALL = Recipe(model={"name": "mlp", "widths": [64, 8, 10]}, epochs=2, batch=200, method=GATED)


@pytest.fixture
def wandb(monkeypatch):
    """The part of its interface that is used."""
    logged, module = [], ModuleType("wandb")

    class Started:
        def __init__(self, options):
            logged.append(options)

        def log(self, values, step):
            logged.append((step, values))

    module.init = lambda **options: Started(options)
    monkeypatch.setitem(sys.modules, "wandb", module)
    return logged


def test_weights_and_biases(tmp_path, wandb):
    run = train(SMALL, folder=tmp_path / "run", progress=writers.wandb(project="p"))
    options, *epochs = wandb
    assert options == {"project": "p"}
    assert [step for step, _ in epochs] == [1, 2]
    for (_, values), record in zip(epochs, run.history, strict=True):
        assert values["loss"] == record["loss"]
        ((gated, share),) = record["open"].items()
        assert values[f"open/{gated}"] == share
        assert "epoch" not in values
        assert "log_scale" not in values  # None


def test_cycles_are_told_apart(tmp_path, wandb):
    recipe = replace(SMALL, method={"name": "dense"}, iterative=Iterative("learning-rate", cycles=2))
    train(recipe, folder=tmp_path / "run", progress=writers.wandb())
    assert [(step, next(iter(values))) for step, values in wandb[1:]] == [
        (1, "cycle-00/loss"), (2, "cycle-00/loss"), (1, "cycle-01/loss"), (2, "cycle-01/loss"),
    ]  # fmt: skip


def test_tensorboard_by_its_interface(tmp_path, monkeypatch):
    seen, module = [], ModuleType("torch.utils.tensorboard")

    class SummaryWriter:
        def __init__(self, folder):
            seen.append(folder)

        def add_scalar(self, name, value, step):
            seen.append((name, value, step))

        def flush(self):
            seen.append("flushed")

    module.SummaryWriter = SummaryWriter
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    run = train(SMALL, folder=tmp_path / "run", progress=writers.tensorboard(tmp_path / "board"))
    assert seen[0] == str(tmp_path / "board")
    assert ("accuracy", run.history[1]["accuracy"], 2) in seen
    assert seen.count("flushed") == 2


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="tensorboard is not installed")
def test_tensorboard_reads_it(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = train(SMALL, folder=tmp_path / "run", progress=writers.tensorboard(tmp_path / "board"))
    found = EventAccumulator(str(tmp_path / "board")).Reload().Scalars("loss")
    assert [one.step for one in found] == [1, 2]
    assert [one.value for one in found] == pytest.approx([record["loss"] for record in run.history], rel=1e-6)
