"""Batch norm after pruning: statistics by hand, modes and momenta as they were, and what finish and runs do with it."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from linreg_mirror.networks import methods
from linreg_mirror.networks.pruning import recalibrate
from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.training import runs as module
from linreg_mirror.networks.training import train

SMALL = Recipe(
    data={"name": "digits"},
    model={"name": "resnet8", "channels": 1, "stride": 8},
    epochs=2,
    lr=0.05,
    batch=100,
)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3, momentum=0.3), nn.Dropout(0.5), nn.Linear(3, 2))


def test_statistics_by_hand():
    model, batches = network(), torch.randn(5, 20, 4) + 7
    model[1](torch.randn(9, 3))  # what was there before does not count
    model.train()
    assert recalibrate(model, batches) == 1
    with torch.no_grad():
        before = model[0](batches)
    assert model[1].running_mean.allclose(before.mean((0, 1)), atol=1e-6)
    assert model[1].running_var.allclose(before.var(1).mean(0), atol=1e-6)
    assert model[1].momentum == 0.3
    assert all(module.training for module in model.modules())


def test_modes_and_random_numbers_stay(monkeypatch):
    model, state = network().eval(), torch.get_rng_state()
    recalibrate(model, [torch.ones(4, 4)])  # with dropout on, this would draw
    assert not any(module.training for module in model.modules())
    assert torch.equal(torch.get_rng_state(), state)

    def fails(*_):
        raise RuntimeError("no")

    monkeypatch.setattr(model[3], "forward", fails)
    with pytest.raises(RuntimeError, match="no"):
        recalibrate(model, [torch.ones(4, 4)])
    assert model[1].momentum == 0.3
    assert not model[1].training


def test_batches_of_every_form():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, pixels):
            return self.inner(pixels)

    inputs = torch.randn(30, 4)
    found = []
    for loader in (DataLoader(TensorDataset(inputs, torch.zeros(30)), 10), inputs.split(10)):
        model = network()
        recalibrate(model, loader)
        found.append(model[1].running_mean)
    model = Named()
    recalibrate(model, [{"pixels": part, "labels": torch.zeros(10)} for part in inputs.split(10)])
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], model.inner[1].running_mean)


def test_a_loader_that_is_used_up_is_refused_before_anything_is_lost():
    model = network()
    model[1].running_mean.fill_(5)
    with pytest.raises(ValueError, match="there is no batch"):
        recalibrate(model, iter([]))
    assert (model[1].running_mean == 5).all()
    assert recalibrate(nn.Linear(2, 2), iter([])) == 0  # nothing to measure, nothing to look at


@pytest.mark.parametrize("name", ["dense", "spred"])
def test_finish_leaves_statistics_of_what_is_left(name):
    model, inputs = network(), torch.randn(64, 4)
    method = methods.create(name, **({"alpha": 0.0} if name == "spred" else {}))
    method.attach(model)
    method.finish(keep=0.3, recalibrate=inputs.split(32))
    with torch.no_grad():
        left = model[0](inputs)
    assert int((model[0].weight != 0).sum()) < 12
    assert model[1].running_mean.allclose(left.mean(0), atol=1e-6)


@pytest.mark.parametrize(
    ("loader", "error", "message"),
    [
        ([], ValueError, "there is no batch"),
        (iter([]), ValueError, "there is no batch"),
        (True, TypeError, "batches of training examples, got True"),
        ([torch.ones(8, 5)], RuntimeError, "shapes cannot be multiplied"),  # the network takes four numbers
    ],
)
def test_finish_refuses_batches_before_it_prunes(loader, error, message):
    model = network().train()
    method = methods.create("spred", alpha=0.0)
    method.attach(model)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with pytest.raises(error, match=message):
        method.finish(keep=0.3, hold=True, recalibrate=loader)
    after = model.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    assert all(module.training for module in model.modules())
    method.finish(keep=0.3, recalibrate=[torch.randn(8, 4)])
    assert int((model[0].weight != 0).sum()) < 12


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    # Digits are 8 x 8, and one value an image is left after the first convolution: enough for batch norm.
    return train(replace(SMALL, model={**SMALL.model, "stride": 1}), folder=tmp_path_factory.mktemp("run") / "r")


def test_a_run_measures_both(run):
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    dense, sparse = run.pruned(1.0), run.pruned(0.2)
    assert 0 <= sparse["recalibrated"] <= 1
    assert sparse["recalibrated"] > sparse["accuracy"] + 0.1
    assert dense["recalibrated"] is not None
    assert all(torch.equal(tensor, before[name]) for name, tensor in run.model.state_dict().items())
    assert run.pruned(0.2) == sparse  # nothing is left to chance
    without = replace(run, recipe=replace(run.recipe, recalibrate=0)).pruned(0.2)
    assert without["recalibrated"] is None
    assert without["accuracy"] == sparse["accuracy"]


def test_without_batch_norm_there_is_nothing_to_measure(tmp_path):
    done = train(Recipe(epochs=1), folder=tmp_path / "mlp")
    assert done.pruned(0.2)["recalibrated"] is None


def test_statistics_are_of_batches_as_in_training(tmp_path):
    """A dense network that was trained on augmented images is left nearly as it was."""
    recipe = replace(SMALL, model={**SMALL.model, "stride": 1}, augment={"padding": 2}, epochs=1)
    run = train(recipe, folder=tmp_path / "run")
    batches = list(run._training_batches())
    again = module.data.Batches(
        run.data.train, 100, seed=0, augment=run.data.train.augmentation(padding=2), drop_last=True
    )
    assert all(torch.equal(one, other) for one, (other, _) in zip(batches, again, strict=True))
    assert len(batches) == len(run.data.train) // 100
