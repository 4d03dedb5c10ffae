"""Training runs: equal to a loop written by hand, resumed bit for bit, the same on two processes as on one."""

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from linreg_mirror.networks import data, models, recipes
from linreg_mirror.networks.methods import Dense, PILoT
from linreg_mirror.networks.recipes import Iterative, Recipe
from linreg_mirror.networks.training import Diverged, checkpoints, train
from linreg_mirror.networks.training.distributed import Team
from sketching import prunable
from tests.helpers.training import Killed, killed_after, same, whole_and_parts, without_times

pytestmark = pytest.mark.usefixtures("one_thread")

CHECKOUT = Path(__file__).resolve().parents[3]
PILOT = {"name": "pilot", "alpha": 1e-3, "delta": 1.5, "K": 10.0}
SMALL = Recipe(model={"name": "mlp", "widths": [64, 16, 10]}, epochs=4, batch=100)


@pytest.fixture
def own_models(tmp_path, monkeypatch):
    layers = {
        "dropping": "nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Dropout(), nn.Linear(16, 10)",
        "normed": "nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 10)",
    }
    lines = [f"def {name}(): return nn.Sequential({text})\n" for name, text in layers.items()]
    (tmp_path / "own_models.py").write_text("from torch import nn\n" + "".join(lines), encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield {name: {"name": f"own_models:{name}"} for name in layers}
    del sys.modules["own_models"]


# ---- runs


def test_data_whose_checksums_differ_are_said_and_noted(tmp_path, monkeypatch):
    changed = replace(data.load("digits"), unverified=("batch_1", "batch_2"))
    monkeypatch.setattr(data, "load", lambda **_: changed)
    with pytest.warns(UserWarning, match="digits: by their checksums batch_1, batch_2 are other files") as told:
        train(replace(SMALL, epochs=1), folder=tmp_path / "run")
    assert len(told) == 1
    (line,) = (tmp_path / "run" / "environment.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["unverified"] == ["batch_1", "batch_2"]


def test_a_run_prunes_the_weights_that_its_recipe_chooses(tmp_path):
    recipe = replace(SMALL, epochs=1, method=PILOT, weights=["!1.*"])
    run = train(recipe, folder=tmp_path / "run")
    record = run.pruned(0.1)
    assert list(record["kept"]) == ["3.weight"]
    assert record["weights"] == 160
    assert record["kept"]["3.weight"] == 16
    cycles = replace(recipe, method={"name": "dense"}, iterative=Iterative("learning-rate", cycles=2, keep=0.5))
    done = train(cycles, folder=tmp_path / "cycles")
    assert done.model.get_parameter("1.weight").all()
    assert int((done.model.get_parameter("3.weight") != 0).sum()) == 80


def test_a_run_is_the_loop_one_would_write(tmp_path):
    run = train(SMALL, folder=tmp_path)
    digits = data.load("digits")
    model = models.create("mlp", seed=0, widths=[64, 16, 10])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    batches = data.Batches(digits.train, 100, seed=0)
    losses = []
    for epoch in range(4):
        total = 0.0
        for step, (inputs, labels) in enumerate(batches.epoch(epoch)):
            for group in optimizer.param_groups:
                group["lr"] = 0.05 * (1 + math.cos(math.pi * (epoch + step / 15) / 4))
            loss = torch.nn.functional.cross_entropy(model(inputs), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(labels)
        losses.append(total / 1437)
    np.testing.assert_allclose([record["loss"] for record in run.history], losses, rtol=1e-5)
    for name, weight in run.model.state_dict().items():
        torch.testing.assert_close(weight, model.state_dict()[name], rtol=1e-4, atol=1e-6)
    inputs, labels = next(iter(data.Batches(digits.test, len(digits.test))))
    right = (model(inputs).argmax(1) == labels).double().mean().item()
    assert run.history[-1]["test_accuracy"] == pytest.approx(right, abs=2 / 360)


@pytest.mark.parametrize(
    ("model", "changes"),
    [("dropping", {}), ("normed", {"method": PILOT, "channels_last": True, "precision": "bfloat16"})],
)
def test_layers_with_a_state_of_their_own_go_on_too(tmp_path, own_models, model, changes):
    recipe = replace(SMALL, model=own_models[model], epochs=2, batch=400, **changes)
    before = torch.get_rng_state()
    train(recipe, folder=tmp_path / "whole")
    assert torch.equal(torch.get_rng_state(), before)
    _, parts = whole_and_parts(recipe, tmp_path, killed=[1])
    assert not parts.model.training
    assert parts.pruned(1.0)["accuracy"] == parts.history[-1]["test_accuracy"]


def test_a_run_that_is_killed_at_its_end_is_finished(tmp_path, monkeypatch):
    whole = train(SMALL, folder=tmp_path / "whole")
    save = checkpoints.save

    def killed_before_the_end(path, *rest):
        if path.name == "final.safetensors":
            raise Killed
        save(path, *rest)

    monkeypatch.setattr(checkpoints, "save", killed_before_the_end)
    with pytest.raises(Killed):
        train(SMALL, folder=tmp_path / "parts")
    checkpoint = tmp_path / "parts" / "checkpoint.safetensors"
    last, metrics = checkpoint.read_bytes(), (tmp_path / "parts" / "metrics.jsonl").read_bytes()
    monkeypatch.undo()
    train(SMALL, folder=tmp_path / "parts")
    checkpoint.write_bytes(last)  # as if it had been killed before this was deleted
    parts = train(SMALL, folder=tmp_path / "parts")
    assert not checkpoint.exists()
    assert (tmp_path / "parts" / "metrics.jsonl").read_bytes() == metrics
    assert len(metrics.splitlines()) == 4
    assert same(whole.model.state_dict(), parts.model.state_dict())


def test_a_run_that_is_killed_for_good_goes_on(tmp_path):
    settings = ["--set", "epochs=60", "--set", "batch=400", "--set", "method.alpha=1e-4", "--output", tmp_path / "run"]
    words = [sys.executable, "-m", "linreg_mirror.cli", "train", "pilot-digits", *map(str, settings), "--keep", "0.1"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(words, cwd=CHECKOUT, env=environment, stdout=subprocess.DEVNULL)
    metrics = tmp_path / "run" / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while not metrics.exists() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = len(metrics.read_text(encoding="utf-8").splitlines())
    assert 0 < done < 60
    seen = []
    recipe = recipes.read("pilot-digits", ["epochs=60", "batch=400", "method.alpha=1e-4"])
    parts = train(recipe, folder=tmp_path / "run", progress=seen.append)
    assert seen[0]["epoch"] in (done, done + 1)  # the metrics are written before the checkpoint
    whole = train(recipe, folder=tmp_path / "whole")
    assert without_times(parts.history) == without_times(whole.history)
    assert not list((tmp_path / "run").glob("*.partial")), "a partial file is left"


def test_validation_takes_training_examples(tmp_path):
    run = train(replace(SMALL, epochs=1, validation=437), folder=tmp_path)
    assert (len(run.data.train), len(run.data.test)) == (1000, 437)
    whole = data.load("digits")
    test = {bytes(image.numpy()) for image in whole.test.inputs}
    assert not test & {bytes(image.numpy()) for image in run.data.test.inputs}


def test_a_finished_run_is_read_not_repeated(tmp_path):
    first = train(SMALL, folder=tmp_path)
    again = train(SMALL, folder=tmp_path, progress=lambda record: pytest.fail("it trains"))
    assert again.history == first.history
    assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), again.model.parameters(), strict=True))
    lines = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == first.history


def test_a_folder_holds_one_run(tmp_path):
    train(replace(SMALL, epochs=1), folder=tmp_path)
    with pytest.raises(ValueError, match=r"epochs = 1, now 2; lr = 0\.1, now 0\.3: give this one another folder"):
        train(replace(SMALL, epochs=2, lr=0.3), folder=tmp_path)


def test_a_folder_holds_a_run_on_one_set_of_data(tmp_path):
    train(replace(SMALL, epochs=1), folder=tmp_path / "run")
    path = tmp_path / "run" / "recipe.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    # As if another folder of data had been named before: the recipe does not say which.
    path.write_text(json.dumps(settings | {"sha256 of the data": "0" * 64}), encoding="utf-8")
    with pytest.raises(ValueError, match=r"sha256 of the data = '000.*, now '"):
        train(replace(SMALL, epochs=1), folder=tmp_path / "run")


def test_a_changed_module_is_another_setting(tmp_path, own_models):
    recipe = replace(SMALL, model=own_models["dropping"], epochs=1)
    train(recipe, folder=tmp_path / "run")
    with (tmp_path / "own_models.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    with pytest.raises(ValueError, match="holds a run with sha256 of the module = "):
        train(recipe, folder=tmp_path / "run")


def test_a_folder_of_cycles_holds_no_other_run(tmp_path):
    (tmp_path / "cycle-00").mkdir()
    with pytest.raises(ValueError, match="holds a run of several cycles: give this one another folder"):
        train(SMALL, folder=tmp_path)


def test_damaged_settings_are_named(tmp_path):
    (tmp_path / "recipe.json").write_text("{", encoding="utf-8")
    with pytest.raises(ValueError, match=r"recipe\.json is damaged .*delete this one"):
        train(SMALL, folder=tmp_path)


def test_a_product_that_overflows_has_diverged(tmp_path, monkeypatch):
    def overflow(method, lr):
        with torch.no_grad():
            for parameter in method._theta:
                parameter.fill_(1e30)

    monkeypatch.setattr(PILoT, "after_step", overflow)
    with pytest.raises(Diverged, match="weights are not finite"):
        train(replace(SMALL, method=PILOT, batch=1437), folder=tmp_path)


def test_a_run_of_an_older_version_goes_on(tmp_path):
    with pytest.raises(Killed):
        train(SMALL, folder=tmp_path, progress=killed_after(2))
    path = tmp_path / "recipe.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    del settings["factor"], settings["iterative"]
    path.write_text(json.dumps(settings), encoding="utf-8")
    assert len(train(SMALL, folder=tmp_path).history) == 4
    path.write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(ValueError, match=r"factor = 0\.1, now 0\.2"):
        train(replace(SMALL, factor=0.2), folder=tmp_path)


def test_a_run_that_diverges_keeps_what_was_good(tmp_path):
    recipe = replace(SMALL, schedule="constant", lr=0.1)
    with pytest.raises(Killed):
        train(recipe, folder=tmp_path, progress=killed_after(2))
    tensors, state = checkpoints.load(tmp_path / "checkpoint.safetensors")
    tensors["model.1.weight"][0, 0] = math.nan
    checkpoints.save(tmp_path / "checkpoint.safetensors", tensors, state)
    bad = (tmp_path / "checkpoint.safetensors").read_bytes()
    with pytest.raises(Diverged, match="the loss of epoch 3 is nan"):
        train(recipe, folder=tmp_path)
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == bad
    with pytest.raises(Diverged, match="the loss of epoch 1 is"):
        train(replace(recipe, lr=1e30), folder=tmp_path / "other")


def test_weights_that_the_last_step_breaks_are_not_kept(tmp_path, monkeypatch):
    steps = []

    def break_bias(method, lr):
        steps.append(lr)
        if len(steps) == 30:  # the last of the second epoch
            with torch.no_grad():
                next(p for p in method._model.parameters() if p.ndim == 1).fill_(math.inf)

    monkeypatch.setattr(Dense, "after_step", break_bias)
    with pytest.raises(Diverged, match=r"the loss of epoch 2 is 0\.\d+, and weights are not finite"):
        train(SMALL, folder=tmp_path)
    tensors, state = checkpoints.load(tmp_path / "checkpoint.safetensors")
    assert len(state["history"]) == 1
    assert all(tensor.isfinite().all() for tensor in tensors.values())


def test_pruning_keeps_exactly_what_is_asked_for(tmp_path):
    run = train(replace(SMALL, method=PILOT), folder=tmp_path)
    assert run.pruned(1.0)["accuracy"] == run.history[-1]["test_accuracy"]
    before = {name: weight.detach().clone() for name, weight in prunable(run.model).items()}
    for keep in (0.5, 0.1, 0.013):
        pruned = run.pruned(keep)
        assert sum(pruned["kept"].values()) == int(keep * (64 * 16 + 160) + 0.5)
        assert pruned["weights"] == 1184
        assert pruned["nonzero"] == sum(pruned["kept"].values())
        # Every weight is used once in a forward pass, for a product and a sum.
        assert (pruned["flops"], pruned["flops_kept"]) == (2 * 1184, 2 * pruned["nonzero"])
    # By hand, and the model is as it was.
    threshold = torch.cat([weight.abs().flatten() for weight in before.values()]).sort(descending=True).values[117]
    kept = {name: int((weight.abs() >= threshold).sum()) for name, weight in before.items()}
    assert run.pruned(118 / 1184)["kept"] == kept
    assert all(torch.equal(before[name], weight) for name, weight in prunable(run.model).items())


def test_a_layer_without_weights_counts_as_near_zero(tmp_path):
    method = {"name": "l1", "alpha": 100.0, "proximal": True}
    run = train(replace(SMALL, epochs=1, method=method), folder=tmp_path)
    assert run.history[-1]["near_zero"] == 1
    # There are places for 118, and none to fill them.
    (pruned,) = run.prune([0.1])
    assert (sum(pruned["kept"].values()), pruned["nonzero"]) == (118, 0)


def test_what_is_left_is_kept_beside_the_run(tmp_path):
    run = train(replace(SMALL, epochs=1), folder=tmp_path)
    records = run.prune([0.5, 0.1])
    assert records == [run.pruned(0.5), run.pruned(0.1)]
    assert json.loads((tmp_path / "pruned.json").read_text(encoding="utf-8")) == records


def test_where_a_run_was_made_is_kept(tmp_path):
    with pytest.raises(Killed):
        train(SMALL, folder=tmp_path, progress=killed_after(1))
    train(SMALL, folder=tmp_path)
    lines = (tmp_path / "environment.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["device"] for line in lines] == ["cpu", "cpu"]


def test_a_folder_is_for_one_process(tmp_path):
    lines = (
        "from pathlib import Path",
        "from linreg_mirror.networks.training.checkpoints import alone",
        f"folder = Path({str(tmp_path)!r})",
        "with alone(folder):",
        "    (folder / 'here').touch()",
        "    input()",
    )
    other = subprocess.Popen([sys.executable, "-c", "\n".join(lines)], cwd=CHECKOUT, stdin=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not (tmp_path / "here").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(BlockingIOError, match="another process is training in"):
        train(SMALL, folder=tmp_path)
    other.kill()  # and what it held is free
    other.communicate()
    assert len(train(SMALL, folder=tmp_path).history) == 4


def test_what_another_process_finishes_meanwhile_is_not_done_again(tmp_path, monkeypatch):
    alone = checkpoints.alone

    @contextmanager
    def later(folder):
        monkeypatch.undo()
        train(SMALL, folder=folder)
        with alone(folder):
            yield

    monkeypatch.setattr(checkpoints, "alone", later)
    with pytest.raises(BlockingIOError, match=r"has just finished .*: start again to read it"):
        train(SMALL, folder=tmp_path)


def test_images_are_augmented_as_asked(tmp_path):
    plain, moved, same = (
        train(replace(SMALL, epochs=1, augment=augment), folder=tmp_path / str(number)).history[0]["loss"]
        for number, augment in enumerate([False, {"padding": 1, "flip": False}, {"padding": 0, "flip": False}])
    )
    assert same == plain != moved


def test_penalty_and_scale_are_reported(tmp_path):
    run = train(replace(SMALL, method=PILOT, schedule="constant"), folder=tmp_path)
    # 15 steps an epoch, lr/(1 - momentum) = 1.
    expected = np.cumsum([15 * alpha for alpha in [PILOT["alpha"], *(record["alpha"] for record in run.history[:-1])]])
    np.testing.assert_allclose([record["decay"] for record in run.history], expected, rtol=1e-12)
    np.testing.assert_allclose([record["log_scale"] for record in run.history], math.log(0.5) - 4 * expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch": 2000}, r"1\.\.1437 examples"),
        ({"data": {"name": "digit"}}, "unknown data set 'digit'"),
        ({"data": {"name": "mnist"}}, "directory"),
        ({"model": {"name": "lenet"}}, "unknown model 'lenet'"),
        ({"model": {"name": "nowhere.models:network"}}, "there is no module nowhere"),
        ({"model": {"name": "mlp", "widths": [64, 5]}}, r"returns \(1, 5\), expected \(1, 10\)"),
        ({"model": {"name": "mlp", "widths": [60, 10]}}, r"mlp does not fit the data digits, of shape \(1, 8, 8\)"),
        ({"data": {"name": "teacher", "outputs": True}}, "teacher has targets, and the loss here is for classes"),
        ({"method": {"name": "pillot"}}, "unknown method 'pillot': known are dense"),
    ],
)
def test_recipes_that_cannot_be_run(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        train(replace(SMALL, **changes), folder=tmp_path)
    assert not list(tmp_path.iterdir()), "the folder cannot be used for the recipe once it is mended"


def test_a_device_that_is_not_there(tmp_path):
    with pytest.raises(ValueError, match="device 'nowhere' cannot be used here"):
        train(SMALL, folder=tmp_path, device="nowhere")


@pytest.mark.parametrize("precision", ["float64", "bfloat16"])
def test_precisions(tmp_path, precision):
    run = train(replace(SMALL, precision=precision), folder=tmp_path)
    expected = torch.float64 if precision == "float64" else torch.float32
    assert {weight.dtype for weight in run.model.parameters()} == {expected}
    assert run.history[-1]["loss"] < 0.5 * run.history[0]["loss"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch calls it itself
def test_a_compiled_run_is_the_plain_one(tmp_path):
    recipe = replace(SMALL, method=PILOT, epochs=2)
    plain = train(recipe, folder=tmp_path / "plain")
    compiled = train(replace(recipe, compile=True), folder=tmp_path / "compiled")
    for one, other in zip(plain.history, compiled.history, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-4)


@pytest.mark.parametrize("compiled", ["false", '"graph"'])
def test_two_processes_train_as_one(tmp_path, compiled):
    changes = ["epochs=2", "batch=101", "precision=float64", "method.delta=1.5", f"compile={compiled}"]
    words = [word for change in changes for word in ("--set", change)]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python"]
    command = [sys.executable, "-W", "ignore", "-m", "linreg_mirror.cli", "train", "pilot-digits", *words]
    done = subprocess.run(
        [*torchrun, *command, "--output", str(tmp_path / "two")],
        cwd=CHECKOUT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    one = train(recipes.read("pilot-digits", changes), folder=tmp_path / "one")
    lines = (tmp_path / "two" / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    for alone, together in zip(one.history, map(json.loads, lines), strict=True):
        assert together["loss"] == pytest.approx(alone["loss"], rel=1e-11)
        assert together["accuracy"] == alone["accuracy"]
        assert together["alpha"] == alone["alpha"]


def test_several_accelerators_have_a_process_each():
    gpu, second = torch.device("cuda"), Team(rank=5, size=8, local=1)
    assert second.own(gpu) == torch.device("cuda:1")
    assert second.own(torch.device("cuda:0")) == torch.device("cuda:0")
    assert second.own(torch.device("cpu")) == torch.device("cpu")
    assert Team().own(gpu) == gpu


def test_batch_norm_is_over_the_joint_batch_or_refused():
    model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.BatchNorm1d(3))
    pair = Team(rank=0, size=2)
    with pytest.raises(ValueError, match=r"the model has 1 batch norms.*train in one process, or without batch norm"):
        pair.joined(model)
    assert Team().joined(model) is model
    assert pair.joined(model[0]) is model[0]
    assert isinstance(pair.joined(model.to("meta"))[1], torch.nn.SyncBatchNorm)


# ---- commands


def test_the_command_trains_and_prunes(command, tmp_path):
    words = ("train", "pilot-digits", "--set", "epochs=2", "--keep", 1, "--keep", 0.1)
    first = command(*words)
    assert first.exit_code == 0, first.output
    assert re.search(r"10\.0% +1,702 +1,702 +17,024", first.stdout)  # of 64*128 + 128*64 + 64*10
    assert "decay A =" in first.stdout
    (folder,) = (tmp_path / "results" / "runs").iterdir()
    assert str(folder) in first.stdout.replace("\n", "")
    records = json.loads((folder / "pruned.json").read_text(encoding="utf-8"))
    assert [(record["keep"], sum(record["kept"].values())) for record in records] == [(1.0, 17_024), (0.1, 1702)]
    again = command(*words).stdout  # the finished run is shown, and no epoch more
    told = [line for line in first.stdout.splitlines() if line.startswith("epoch ")]
    assert [line.partition(":")[0] for line in told] == ["epoch 1 of 2", "epoch 2 of 2"]
    assert again.split() == " ".join(line for line in first.stdout.splitlines() if line not in told).split()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["train", "nothing"], 2, "pilot-digits"),
        (["train", "dense-digits", "--set", "epochs=two"], 2, "epochs must be an integer"),
        (["train", "dense-digits", "--keep", "5"], 2, "for a sparsity of 95 % write 0.05"),
        (["train", "dense-digits", "--device", "nowhere"], 2, "cannot be used here"),
        (["train", "dense-digits", "--set", "lr=1e30", "--set", "epochs=1"], 1, "diverged: the loss of epoch 1"),
        (["train", "dense-digits", "--set", "data.name=mnist", "--data-dir", "empty"], 2, "empty"),
    ],
)
def test_the_commands_refuse_what_they_cannot_do(command, words, code, message):
    result = command(*words)
    assert result.exit_code == code, result.output
    assert message in result.output
    assert "Traceback" not in result.output
