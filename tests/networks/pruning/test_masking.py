"""Masks by the names of their parts, and the command that makes them."""

import copy
import json
import sys
from functools import partial

import numpy as np
import pytest
import safetensors
import torch
from torch.nn.functional import cross_entropy
from typer.testing import CliRunner

import sketching
from linreg_mirror import cli
from linreg_mirror.networks import models
from linreg_mirror.networks.pruning import masking
from sketching import network_scores


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def model():
    return models.create("mlp", seed=0, widths=[6, 8, 3])


@pytest.fixture(scope="module")
def batch(model):
    return masking.random_batch(model, 5, rng(1))


@pytest.fixture
def masks_command(tmp_path, monkeypatch):
    monkeypatch.setenv("LINREG_MIRROR_RESULTS", str(tmp_path / "results"))
    return lambda *arguments: CliRunner().invoke(cli.app, ["masks", *map(str, arguments)])


def equal(first, second):
    assert first.keys() == second.keys()
    return all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("select", masking.SELECTIONS)
@pytest.mark.parametrize("score", masking.SCORES)
def test_every_score_goes_with_every_selection(model, batch, score, select):
    parts = {"score": score, "select": select, "keep": 0.25, "rounds": 2}
    masks = masking.masks_at_initialization(model, batch, **parts, rng=rng())
    assert equal(masks, masking.masks_at_initialization(model, batch, **parts, rng=rng()))
    kept = sum(int(mask.sum()) for mask in masks.values())
    assert kept == 18 if select in ("top-k", "gumbel", "systematic") else 0 <= kept < 40


@pytest.mark.parametrize("allocate", masking.ALLOCATIONS)
def test_allocations(model, batch, allocate):
    masks = masking.masks_at_initialization(model, batch, score="magnitude", keep=0.5, allocate=allocate, rng=rng())
    expected = sketching.select_masks(
        {name: weight.detach().abs() for name, weight in sketching.prunable(model).items()},
        0.5,
        allocate=masking.ALLOCATIONS[allocate],
    )
    assert equal(masks, expected)


def test_synflow_is_iterated_a_hundred_times_unless_told_otherwise(model, batch):
    of_rounds = partial(masking.masks_at_initialization, model, batch, score="synflow", keep=0.3, rng=rng())
    usual = sketching.iterative_masks(lambda masks: network_scores.synflow(model, (6,), masks=masks), 0.3, rounds=100)
    once = sketching.select_masks(network_scores.synflow(model, (6,)), 0.3)
    assert equal(of_rounds(), usual)
    assert equal(of_rounds(rounds=1), once)
    by_draws = {"select": "with-replacement", "rng": rng()}
    assert equal(of_rounds(**by_draws), of_rounds(**by_draws | {"rng": rng()}, rounds=1))
    assert not equal(usual, once)


def test_random_batch_is_a_random_residual(model, batch):
    assert batch.inputs.shape == (5, 6)
    assert batch.targets.shape == (5, 3)
    outputs = model(batch.inputs)
    assert batch.loss(outputs, batch.targets).item() == pytest.approx((outputs * batch.targets).sum().item())


def test_signed_scores_become_probabilities(model, batch):
    grasp = network_scores.grasp(model, batch.loss, batch.inputs, batch.targets)
    negative = {name: score < 0 for name, score in grasp.items()}
    parts = {"score": "grasp", "select": "gumbel", "keep": 0.25}
    masks = masking.masks_at_initialization(model, batch, **parts, rng=rng())
    assert not any((masks[name] & negative[name]).any() for name in masks)
    masks = masking.masks_at_initialization(model, batch, **parts, signed="absolute", rng=rng())
    assert any((masks[name] & negative[name]).any() for name in masks)


@pytest.fixture
def classes(batch):
    """Examples of three classes, under the cross-entropy."""
    return masking.Batch(10 * batch.inputs, torch.tensor([0, 1, 2, 0, 1]), cross_entropy)


def test_softmax_temperature_is_that_of_the_last_layer(model, classes):
    """What SNIP says of theta * dloss/dtheta is the same of theta/T, if the last layer holds the temperature."""
    cooled = copy.deepcopy(model)
    *_, last = (module for module in cooled.modules() if isinstance(module, torch.nn.Linear))
    with torch.no_grad():
        for parameter in last.parameters():
            parameter /= 8
    of = partial(masking.masks_at_initialization, batch=classes, score="snip", keep=0.3)
    assert equal(of(model, softmax_temperature=8, rng=rng()), of(cooled, rng=rng()))
    assert not equal(of(model, rng=rng()), of(cooled, rng=rng()))


def test_grasp_sees_a_softmax_of_temperature_200(model, classes):
    scores = network_scores.grasp(
        model, lambda outputs, y: cross_entropy(outputs / 200, y), classes.inputs, classes.targets
    )
    of = partial(masking.masks_at_initialization, model, classes, score="grasp", keep=0.3)
    assert equal(of(rng=rng()), sketching.select_masks(scores, 0.3))
    assert not equal(of(rng=rng()), of(softmax_temperature=1, rng=rng()))


def test_losses_without_a_softmax_have_no_temperature(model, batch):
    of = partial(masking.masks_at_initialization, model, batch, score="grasp", keep=0.3)
    assert equal(of(rng=rng()), of(softmax_temperature=1, rng=rng()))


@pytest.mark.parametrize("bad", [0, -1.0, float("nan"), float("inf")])
def test_impossible_temperatures(model, batch, bad):
    with pytest.raises(ValueError, match="softmax_temperature must be positive and finite, got"):
        masking.masks_at_initialization(model, batch, score="snip", keep=0.3, softmax_temperature=bad, rng=rng())


def test_examples_of_a_file(model, tmp_path):
    X, y = rng(2).standard_normal((20, 2, 3)), np.arange(20) % 3
    np.savez(tmp_path / "classes.npz", X=X, y=y)
    batch = masking.read_batch(model, tmp_path / "classes.npz", 7, rng())
    assert batch.inputs.shape == (7, 6)
    for example, label in zip(batch.inputs, batch.targets, strict=True):
        (index,) = np.flatnonzero((np.abs(X.reshape(20, 6) - example.numpy()) < 1e-6).all(axis=1))
        assert y[index] == label
    outputs = torch.zeros(7, 3)
    assert batch.loss(outputs, batch.targets).item() == pytest.approx(np.log(3))

    np.savez(tmp_path / "numbers.npz", X=X, y=y + 0.5)
    one_output = models.create("mlp", seed=0, widths=[6, 1])
    whole = masking.read_batch(one_output, tmp_path / "numbers.npz", 100, rng())
    assert len(whole.inputs) == 20
    assert whole.loss(torch.zeros(20, 1), whole.targets).item() == pytest.approx(np.mean((y + 0.5) ** 2) / 2)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"X": np.ones((4, 6))}, "must hold the arrays X and y, got X"),
        ({"X": np.ones((4, 5)), "y": np.ones(4)}, r"X must be \(n, ...\) with 6 numbers an example"),
        ({"X": np.ones((4, 6)), "y": np.ones(3)}, r"y of shape \(3,\)"),
        ({"X": np.ones((0, 6)), "y": np.ones(0)}, r"X of shape \(0, 6\)"),
        ({"X": np.array([{}]), "y": np.ones(1)}, "allow_pickle"),
        ({"X": np.ones((4, 6)), "y": np.arange(4)}, r"classes from 0 to 3, the model has outputs of shape \(3,\)"),
        ({"X": np.ones((4, 6)), "y": np.array([0, 1, -100, 2])}, "classes from -100 to 2"),
        ({"X": np.ones((4, 6)), "y": np.ones(4)}, "if they are classes, write them as integers"),
    ],
)
def test_files_that_do_not_fit(model, tmp_path, arrays, message):
    np.savez(tmp_path / "data.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        masking.read_batch(model, tmp_path / "data.npz", 3, rng())


def test_images_with_channels_last_are_refused(tmp_path):
    images = rng(2).standard_normal((4, 32, 32, 3))
    resnet, y = models.create("resnet20", seed=0), np.arange(4)
    np.savez(tmp_path / "last.npz", X=images, y=y)
    with pytest.raises(ValueError, match=r"write X = np.moveaxis\(X, -1, 1\)"):
        masking.read_batch(resnet, tmp_path / "last.npz", 4, rng())
    first = np.moveaxis(images, -1, 1)
    for name, X in (("first", first), ("flat", first.reshape(4, -1))):
        np.savez(tmp_path / f"{name}.npz", X=X, y=y)
        inputs = masking.read_batch(resnet, tmp_path / f"{name}.npz", 4, rng()).inputs
        np.testing.assert_allclose(inputs, first, rtol=1e-6)


def test_unknown_names_are_answered_with_known_ones(model, batch):
    good = {"score": "snip", "keep": 0.5, "rng": rng()}
    for bad in ({"score": "sniff"}, {"select": "top"}, {"allocate": "local"}, {"signed": "no"}):
        ((what, name),) = bad.items()
        with pytest.raises(ValueError, match=f"{what} must be one of .*, got '{name}'"):
            masking.masks_at_initialization(model, batch, **{**good, **bad})
    with pytest.raises(ValueError, match="no factor makes it unbiased"):
        masking.masks_at_initialization(model, batch, **good, rescale=True)


def test_the_command_saves_what_it_shows(masks_command, tmp_path):
    result = masks_command("mlp", "--set", "widths=[6,8,3]", "--keep", 0.25, "--seed", 3, "--score", "magnitude")
    assert result.exit_code == 0, result.output
    total = next(line for line in result.stdout.splitlines() if line.startswith("total"))
    assert total.split()[1:3] == ["72", "18"]
    (file,) = (tmp_path / "results" / "masks").rglob("*.safetensors")
    assert f"written: {file}" in result.stdout
    with safetensors.safe_open(file, "pt") as saved:
        masks = {name: saved.get_tensor(name) for name in saved.keys()}  # noqa: SIM118
        settings = json.loads(saved.metadata()["settings"])
    assert settings["keep"] == 0.25
    again = models.create("mlp", seed=3, widths=[6, 8, 3])
    assert equal(masks, sketching.select_masks(network_scores.magnitude(again), 0.25))


def test_a_file_that_cannot_be_written_is_explained(masks_command, tmp_path):
    (tmp_path / "file").touch()
    result = masks_command("mlp", "--score", "magnitude", "--output", tmp_path / "file" / "x.safetensors")
    assert result.exit_code == 2
    output = " ".join(result.output.split())
    assert "cannot save masks: " in output
    assert "mend the permissions, or name another file by --output" in output


def test_other_settings_have_other_files(masks_command, tmp_path):
    np.savez(tmp_path / "batch.npz", X=rng(4).standard_normal((30, 64)), y=np.arange(30) % 10)
    usual = ("mlp", "--select", "gumbel", "--keep", 0.1)
    unusual = ((), ("--rescale",), ("--rounds", 2), ("--examples", 9), ("--data", tmp_path / "batch.npz"))
    for one in (*unusual, unusual[1]):
        assert masks_command(*usual, *one).exit_code == 0
    assert len(list((tmp_path / "results" / "masks").rglob("*.safetensors"))) == len(unusual)


def test_the_command_saves_factors(masks_command, tmp_path):
    file = tmp_path / "here" / "factors.safetensors"
    result = masks_command("mlp", "--rescale", "--select", "gumbel", "--keep", 0.5, "--output", file)
    assert result.exit_code == 0, result.output
    with safetensors.safe_open(file, "pt") as saved:
        factors = [saved.get_tensor(name) for name in saved.keys()]  # noqa: SIM118
    assert all(one.dtype == torch.float32 for one in factors)
    assert max(float(one.max()) for one in factors) > 1


def test_the_command_reads_data(masks_command, tmp_path):
    np.savez(tmp_path / "digits.npz", X=rng(4).standard_normal((30, 8, 8)), y=np.arange(30) % 10)
    masks = []
    for extra in ([], ["--data", tmp_path / "digits.npz"]):
        file = tmp_path / f"{len(extra)}.safetensors"
        result = masks_command("mlp", "--keep", 0.1, "--output", file, *extra)
        assert result.exit_code == 0, result.output
        with safetensors.safe_open(file, "pt") as saved:
            masks.append({name: saved.get_tensor(name) for name in saved.keys()})  # noqa: SIM118
    assert not equal(*masks)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resnet21"], "resnet20"),
        (["mlp", "--keep", "5"], "keep must be in [0, 1]"),
        (["mlp", "--score", "best"], "score must be one of"),
        (["mlp", "--set", "classes"], "KEY=VALUE"),
        (["mlp", "--set", "depth=3"], "widths"),
        (["mlp", "--data", "nowhere.npz"], "nowhere.npz"),
        (["mlp", "--data", "numbers.npy"], 'np.savez("batch.npz", X=X, y=y)'),
        (["mlp", "--output", "masks.pt"], "must end in .safetensors"),
        (["nowhere.models:factory"], "there is no module nowhere"),
        (["nowhere:x"], "nowhere:x: there"),  # :x: is an emoji elsewhere
    ],
)
def test_the_command_refuses_what_it_cannot_do(masks_command, arguments, message):
    result = masks_command(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_the_command_finds_factories_in_the_current_folder(masks_command, tmp_path, monkeypatch):
    lines = ["import torch", "def network():", "  model = torch.nn.Linear(3, 2)", "  model.input_shape = (3,)"]
    (tmp_path / "factory_of_a_test.py").write_text("\n".join([*lines, "  return model"]), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [*sys.path])
    result = masks_command("factory_of_a_test:network", "--score", "magnitude", "--keep", 0.5)
    assert result.exit_code == 0, result.output
