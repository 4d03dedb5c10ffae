"""Training on what pruning leaves: zeros stay, accuracy comes back, what is there is not made again."""

import json
from dataclasses import replace

import pytest
import torch

from linreg_mirror.networks import recipes
from linreg_mirror.networks.recipes import Comparison, Entry, Finetune, Recipe
from linreg_mirror.networks.training import compare, intervals, train
from linreg_mirror.networks.training import runs as module
from linreg_mirror.networks.training.finetuning import finetuned
from sketching import prunable

pytestmark = pytest.mark.usefixtures("one_thread")

RECIPE = Recipe(model={"name": "mlp", "widths": [64, 16, 10]}, epochs=3, batch=100, finetune=Finetune(epochs=4, lr=0.1))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train(RECIPE, folder=tmp_path_factory.mktemp("run") / "mlp")


def test_zeros_stay_and_all_else_moves(run):
    weights = {name: weight.detach().clone() for name, weight in prunable(run.model).items()}
    for weight in weights.values():
        weight[:, ::2] = 0
    after = finetuned(run.model, weights, run.data.train, RECIPE)
    for name, weight in prunable(after).items():
        assert not weight[:, ::2].any()
        assert not torch.equal(weight, weights[name])
    assert list(after.state_dict()) == list(run.model.state_dict())


def test_one_step_by_hand(run):
    recipe = replace(RECIPE, batch=len(run.data.train), momentum=0.0, weight_decay=0.5, finetune=Finetune(1, 0.25))
    weights = {name: weight.detach() for name, weight in prunable(run.model).items()}
    after = finetuned(run.model, weights, run.data.train, recipe)
    model = run.model.train()
    inputs = next(iter(module.data.Batches(run.data.train, len(run.data.train))))[0]
    loss = torch.nn.functional.cross_entropy(model(inputs), run.data.train.labels)
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    for one, before, gradient in zip(after.parameters(), model.parameters(), gradients, strict=True):
        torch.testing.assert_close(one, before - 0.25 * (gradient + 0.5 * before), rtol=1e-4, atol=1e-6)


def test_accuracy_comes_back_and_is_kept(run, monkeypatch):
    (record,) = run.prune([0.05])
    assert record["finetuned"] > record["accuracy"] + 0.1
    assert run.pruned(0.05) == record  # nothing is left to chance
    monkeypatch.setattr(module, "finetuned", lambda *_: pytest.fail("it trains again"))
    assert run.prune([0.05]) == [record]
    (run.folder / "pruned.json").write_text("{", encoding="utf-8")
    with pytest.raises(pytest.fail.Exception):
        run.prune([0.05])


def test_it_is_what_comparisons_compare(tmp_path):
    rows = compare(Comparison((Entry("dense", "dense", RECIPE, (0.05,)),)), results=tmp_path)
    (shown,) = intervals(rows)
    assert shown["accuracy"] == rows[0]["finetuned"] > rows[0]["accuracy"]


def test_the_command_shows_it(command, tmp_path):
    changes = ("epochs=1", "model.widths=[64,16,10]", "finetune.epochs=1", "finetune.lr=0.01")
    sets = [word for change in changes for word in ("--set", change)]
    result = command("train", "dense-digits", *sets, "--keep", 0.05, "--output", tmp_path, "--json")
    (record,) = json.loads(result.stdout)["pruned"][-1:]
    result = command("train", "dense-digits", *sets, "--keep", 0.05, "--output", tmp_path)
    (heading,) = (line for line in result.stdout.splitlines() if line.split()[:1] == ["kept"])
    assert heading.split()[-1] == "finetuned"
    (last,) = (line for line in result.stdout.splitlines() if line.split()[:1] == ["5.0%"])
    assert last.split()[-1] == f"{record['finetuned']:.2%}" != f"{record['accuracy']:.2%}"


def test_in_a_recipe():
    recipe = recipes.read("dense-digits", ["finetune.epochs=2", "finetune.lr=1e-2"])
    assert recipe.finetune == Finetune(2, 0.01)
    assert json.loads(json.dumps(recipe.unusual["finetune"])) == {"epochs": 2, "lr": 0.01}
    for change, message in (
        ("finetune=3", "finetune must be a table of epochs and lr"),
        ("finetune.epochs=3", "finetune must be a table of epochs and lr"),
    ):
        with pytest.raises(ValueError, match=message):
            recipes.read("dense-digits", [change])
    with pytest.raises(ValueError, match=r"finetune\.epochs must be an integer >= 1"):
        Finetune(0, 0.1)
    with pytest.raises(ValueError, match=r"finetune\.lr must be a positive number"):
        Finetune(1, 0)
