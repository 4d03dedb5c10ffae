"""On an accelerator: nothing is mixed with tensors of the CPU, and the host waits for nothing within a step."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

import linreg_mirror as lm
import sketching
from linreg_mirror.networks import data, models
from linreg_mirror.networks.gates import gate_channels
from linreg_mirror.networks.gates.generator import Generator
from linreg_mirror.networks.gates.penalty import expected_weights
from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.training import train
from linreg_mirror.networks.training._train import _Loop
from sketching import network_scores
from tests.helpers.accelerator import DEVICE, Simulated, simulated
from tests.helpers.methods import VARIANTS, make, recipe_of
from tests.helpers.operations import Operations
from tests.helpers.training import examples, network, trained, without_times

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def accelerator(monkeypatch):
    with torch.random.fork_rng(devices=[]), simulated(monkeypatch) as device:
        torch.manual_seed(0)
        yield device


def test_the_simulation_does_what_it_is_for(accelerator):
    ours, theirs = torch.arange(4.0, device=DEVICE), torch.arange(4.0)
    assert isinstance(ours * 2 + 1, Simulated)
    with pytest.raises(RuntimeError, match="tensors on two devices"):
        ours + theirs
    assert (ours * theirs.sum()).cpu().tolist() == [0, 6, 12, 18]  # a number of the CPU may take part
    accelerator.waits.clear()
    for wait in (lambda: ours.sum().item(), lambda: bool(ours[0] == 0), lambda: ours.cpu(), lambda: ours[ours > 1]):
        wait()
    assert accelerator.waits.total() == 4
    ours[1:3].mul_(2)
    assert ours.cpu().tolist() == [0, 2, 4, 3]


@pytest.mark.parametrize("kind", ["number", "tensor"])
@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.filterwarnings("ignore:no weight has been pruned:UserWarning")
def test_no_wait_within_a_step(accelerator, name, kind):
    x, y = (one.to(DEVICE) for one in examples())
    model, method = network().to(DEVICE), make(name)
    method.attach(model)
    lr = 0.05 if kind == "number" else torch.full((), 0.05, device=DEVICE)
    optimizer = method.bind(method.optimizer(model, lr=lr, momentum=0.9, weight_decay=0.01))
    for _ in range(2):
        accelerator.waits.clear()
        for _ in range(3):  # RigL moves in the third
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()
            optimizer.step()
        assert not accelerator.waits
        method.after_epoch(0.5)
    method.finish(0.1)
    assert all(isinstance(parameter.data, Simulated) for parameter in model.parameters())


@pytest.mark.parametrize("name", [name for name in VARIANTS if "l0" not in name])
@pytest.mark.filterwarnings("ignore:no weight has been pruned:UserWarning")
def test_the_steps_are_those_of_the_cpu(accelerator, name):
    """But for gates, which each device draws by itself."""
    there, here = network().to(DEVICE), network()
    for model in (there, here):
        x, y = examples()
        device = next(model.parameters()).device
        method = make(name)
        trained(method, model, steps=6, data=(x.to(device), y.to(device)))
        method.finish()
    for one, other in zip(there.parameters(), here.parameters(), strict=True):
        torch.testing.assert_close(one.detach().cpu(), other.detach(), rtol=1e-5, atol=1e-6)


def test_scores_and_masks(accelerator):
    model, rng = network().to(DEVICE), np.random.default_rng(0)
    x, y = (one.to(DEVICE) for one in examples())
    for scores in (
        network_scores.magnitude(model),
        network_scores.random(model, rng),
        network_scores.snip(model, cross_entropy, x, y),
        network_scores.grasp(model, cross_entropy, x, y),
        network_scores.grasp(model, cross_entropy, x, y, parts=2),
        network_scores.rms_snip(model, cross_entropy, x, y),
        network_scores.jacobian_norm(model, x),
        network_scores.synflow(model, (6,)),
    ):
        masks = sketching.select_masks(scores, keep=0.25, warn=False)
        assert sum(int(mask.sum()) for mask in masks.values()) == 18
        assert all(isinstance(one, Simulated) for one in (*scores.values(), *masks.values()))
    found = sketching.diagnosis(model, masks, inputs=x)
    assert found.kept == 18
    assert found.effective is not None
    sketching.apply_masks(model, masks)
    assert int((model[0].weight != 0).sum() + (model[3].weight != 0).sum()) == 18


@pytest.mark.parametrize("augment", [None, data.CropFlip(2), data.CropFlip(1, flip=False)])
def test_batches_are_drawn_there_as_here(accelerator, augment):
    rng = np.random.default_rng(0)
    images = torch.tensor(rng.integers(0, 256, (50, 3, 6, 6), dtype=np.uint8))
    split = data.Data.of("own", train=(images, torch.arange(50)), test=(images, torch.arange(50)), classes=50).train
    split_there = split.to(DEVICE)
    for epoch in (0, 3):
        accelerator.waits.clear()
        there = list(data.Batches(split_there, 16, seed=1, augment=augment).epoch(epoch))
        assert not accelerator.waits
        here = list(data.Batches(split, 16, seed=1, augment=augment).epoch(epoch))
        for (inputs, labels), (images_here, labels_here) in zip(there, here, strict=True):
            assert labels.cpu().tolist() == labels_here.tolist()
            assert torch.equal(inputs.cpu(), images_here)


def test_a_generator_draws_there_as_here(accelerator):
    there, here = (data.DeviceGenerator((3, 1), 2, 5, torch.empty(0, device=at)) for at in (DEVICE, "cpu"))
    for draw in (
        lambda rng: rng.words((5, 3)),
        lambda rng: rng.random(7),
        lambda rng: rng.integers((2, 9), (4, 2)),
        lambda rng: rng.permutation(100),
    ):
        accelerator.waits.clear()
        drawn = draw(there)
        assert isinstance(drawn, Simulated)
        assert not accelerator.waits
        assert torch.equal(drawn.cpu(), draw(here))


RUNS = {
    "constant": {},
    "schedules": {
        "step_size": lambda k: 0.02 / (1 + k / 50),
        "penalty": lm.schedules.Geometric(0.3, 0.9, clock="step"),
        "momentum": 0.5,
    },
    "batches": {"batch_size": 2},
    "batches with replacement": {"batch_size": 2, "replacement": True},
    "on the device": {"step_size": lambda k: torch.full((2,), 0.01, dtype=torch.float64, device=DEVICE)},
}


def runs_of(device, **settings):
    rng = np.random.default_rng(0)
    X, y = torch.tensor(rng.standard_normal((3, 5))), torch.tensor(rng.standard_normal(3))
    starts = torch.log(torch.tensor([[0.1], [0.01]], dtype=torch.float64))
    X, y, starts = (one.to(device) for one in (X, y, starts))
    return lm.descents(X, y, log_scale=starts, **{"step_size": 0.02} | settings, rng=rng)


@pytest.mark.parametrize("settings", [settings for name, settings in RUNS.items() if "device" not in name])
def test_descents(accelerator, settings):
    there, here = (runs_of(device, steps=200, **settings) for device in (DEVICE, torch.device("cpu")))
    assert isinstance(there.x, Simulated)
    np.testing.assert_allclose(there.x.cpu().numpy(), here.x.numpy(), rtol=1e-12)


@pytest.mark.parametrize("name", RUNS)
def test_descents_wait_for_nothing_within_64_steps(accelerator, name):
    waits = {}
    for steps in (1, 64, 65, 128):
        accelerator.waits.clear()
        runs_of(DEVICE, steps=steps, tolerance=0, **RUNS[name])
        waits[steps] = accelerator.waits.total()
    functions = sum(map(callable, RUNS[name].values()))
    assert waits[64] == waits[1]
    # Whether any goes on, and whether what functions say is right.
    assert waits[65] == waits[128] == waits[64] + 1 + functions


@pytest.mark.parametrize("compiled", [False, "graph"])
@pytest.mark.parametrize("name", ["pilot", "pilot-mirror"])
def test_a_run(accelerator, tmp_path, name, compiled):
    method = {"name": name, "alpha": 1e-3, "delta": 1.5, "K": 10.0}
    recipe = Recipe(model={"name": "mlp", "widths": [64, 16, 10]}, method=method, epochs=2, compile=compiled)
    there = train(recipe, folder=tmp_path / "there", device=DEVICE)
    here = train(recipe, folder=tmp_path / "here")
    for one, other in zip(without_times(there.history), without_times(here.history), strict=True):
        assert one == pytest.approx(other, rel=1e-4)


@pytest.mark.parametrize("compiled", [False, "graph"])
@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.filterwarnings("ignore:no weight has been pruned:UserWarning")
def test_an_epoch_waits_three_times_and_no_step_does(accelerator, tmp_path, monkeypatch, name, compiled):
    """For the sums and what the method looks at, for what is measured then, and for the checkpoint."""
    take, waits, steps = _Loop._steps, [], []

    def steps_of(loop, epoch):
        before = accelerator.waits.total()
        lr = take(loop, epoch)
        steps.append(accelerator.waits.total() - before)
        return lr

    monkeypatch.setattr(_Loop, "_steps", steps_of)
    recipe = Recipe(
        model={"name": "mlp", "widths": [64, 16, 12, 10]}, method=recipe_of(name), epochs=3, batch=100, compile=compiled
    )
    train(recipe, folder=tmp_path, device=DEVICE, progress=lambda record: waits.append(accelerator.waits.total()))
    assert np.diff(waits).tolist() == [3, 3]
    assert steps == [0, 0, 0]


# ---- what is done once


def test_logits_are_generated_once_for_the_penalty(monkeypatch):
    calls, forward = [], Generator.forward
    monkeypatch.setattr(Generator, "forward", lambda self: calls.append(1) or forward(self))
    model = gate_channels(models.create("resnet8", seed=0), np.random.default_rng(0), "forward")
    for action in (lambda: model(torch.zeros(2, 3, 32, 32)), lambda: expected_weights(model)):
        calls.clear()
        action()
        assert len(calls) == 1


@pytest.mark.parametrize("name", ["dep-l0", "dep-l0 backward"])
def test_dep_l0_generates_logits_once_a_step(monkeypatch, name):
    calls, forward = [], Generator.forward
    monkeypatch.setattr(Generator, "forward", lambda self: calls.append(1) or forward(self))
    model, method = network(), make(name)
    trained(method, model, steps=2)
    assert len(calls) == 2


@pytest.mark.parametrize("name", ["dep-l0", "dep-l0 backward"])
def test_a_step_of_dep_l0_takes_hardly_more_operations_than_one_with_free_gates(name):
    """But for the tensors that Adam moves, twice as many, all at once."""
    counts = []
    for variant in ("l0 channels", name):
        model, method = models.create("resnet20", seed=0), make(variant)
        method.attach(model)
        optimizer = method.bind(method.optimizer(model, lr=0.1, momentum=0.9, weight_decay=1e-4))
        for _ in range(2):
            with torch.random.fork_rng(), Operations() as operations:
                optimizer.zero_grad()
                cross_entropy(model(torch.zeros(2, 3, 8, 8)), torch.tensor([0, 1])).backward()
                optimizer.step()
        counts.append(operations.counts.total() - operations.counts["_local_scalar_dense"])
    assert counts[1] <= 1.1 * counts[0]


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.filterwarnings("ignore:no weight has been pruned:UserWarning")
def test_methods_do_not_ask_for_the_default_device(name):
    model, (x, y) = network(), examples()
    try:
        torch.set_default_device("meta")
        trained(make(name), model, steps=3, data=(x, y))
    finally:
        torch.set_default_device(None)
    assert all(parameter.device.type == "cpu" for parameter in model.parameters())


def test_a_default_device_that_is_not_that_of_the_model():
    """Tensors that are made without a device would be on it, here on one that holds no numbers."""
    model, x, y = models.create("resnet8", seed=0), torch.randn(3, 3, 32, 32), torch.tensor([1, 2, 3])
    masks = {name: np.ones(weight.shape, bool) for name, weight in sketching.prunable(model).items()}
    expected = sketching.diagnosis(model, masks, inputs=(3, 32, 32)).to_dict()
    try:
        torch.set_default_device("meta")
        assert sketching.diagnosis(model, masks, inputs=(3, 32, 32)).to_dict() == expected
        scores = network_scores.snip(model, cross_entropy, x, y)
        network_scores.synflow(model, (3, 32, 32))
        network_scores.rms_snip(model, cross_entropy, x, y)
        kept = sketching.select_masks(scores, keep=0.1)
    finally:
        torch.set_default_device(None)
    assert all(mask.device.type == "cpu" for mask in kept.values())
