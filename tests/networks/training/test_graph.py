"""Steps as replays of a graph: those of the same step without one, bit by bit; and what a graph would get wrong."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from linreg_mirror.networks.methods import METHODS, BaseMethod, Dense, PILoT, Spred
from linreg_mirror.networks.methods._clock import Clock
from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.training import checkpoints, train
from linreg_mirror.networks.training.graph import Replayed, captured
from linreg_mirror.networks.training.recording import Recording
from tests.helpers.methods import VARIANTS, recipe_of
from tests.helpers.training import assert_same, end_of, examples, network, same, whole_and_parts, without_times

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.filterwarnings("ignore:no weight has been pruned:UserWarning"),
]

CPU = torch.device("cpu")
# 15 steps an epoch, the last of 37 examples.
SMALL = Recipe(model={"name": "mlp", "widths": [64, 16, 12, 10]}, epochs=3, batch=100, compile="graph")


def recipe(name, **changes):
    method = recipe_of(name)
    if "l0" in name:
        method |= {"gate_lr": 0.05, "finetune": 1}
    return replace(SMALL, method=method, **changes)


@pytest.fixture
def replays(monkeypatch):
    """How many times a graph was replayed."""
    seen, replay = [], Recording.replay
    monkeypatch.setattr(Recording, "replay", lambda self: seen.append(1) or replay(self))
    return seen


@pytest.fixture
def normed(tmp_path, monkeypatch):
    """A network with batch norm and dropout."""
    first = "nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 3)"
    layers = f"{first}, nn.ReLU(), nn.Flatten(), nn.Dropout(), nn.Linear(64, 10)"
    (tmp_path / "graph_models.py").write_text(f"from torch import nn\ndef normed(): return nn.Sequential({layers})\n")
    monkeypatch.syspath_prepend(tmp_path)
    return {"name": "graph_models:normed"}


def without_graph(recipe, folder, monkeypatch):
    """The run of the same steps, none of them a replay."""
    with monkeypatch.context() as patch:
        patch.setattr(Replayed, "__call__", lambda self, *batch: self.step(*batch))
        return train(recipe, folder=folder)


def assert_same_runs(folder, one, other):
    assert without_times(one.history) == without_times(other.history)
    assert same(end_of(folder / "one"), end_of(folder / "other"))


@pytest.mark.parametrize("name", VARIANTS)
def test_replays_are_the_steps(tmp_path, monkeypatch, replays, name):
    settings = recipe(name)
    one = train(settings, folder=tmp_path / "one")
    assert len(replays) >= 26  # of 3 * 14 full batches; others begin, move masks, or have gates that are frozen
    assert_same_runs(tmp_path, one, without_graph(settings, tmp_path / "other", monkeypatch))


@pytest.mark.parametrize("name", VARIANTS)
def test_they_are_steps_with_numbers_to_rounding(tmp_path, name):
    settings = recipe(name, precision="float64")
    one, other = (train(replace(settings, compile=kind), folder=tmp_path / str(kind)) for kind in ("graph", False))
    for mine, theirs in zip(without_times(one.history), without_times(other.history), strict=True):
        assert mine["decay"] == theirs["decay"]
        assert mine["accuracy"] == theirs["accuracy"]
        assert mine["loss"] == pytest.approx(theirs["loss"], rel=1e-9)
        assert mine["l1_norm"] == pytest.approx(theirs["l1_norm"], rel=1e-9)


def test_batch_norm_sees_the_batches_that_there_are(tmp_path, monkeypatch, normed, replays):
    """The last batch is smaller, and is no replay; dropout draws as ever."""
    settings = replace(SMALL, model=normed, epochs=2)
    one = train(settings, folder=tmp_path / "one")
    assert len(replays) == 2 * 14 - 3 - 1
    assert_same_runs(tmp_path, one, without_graph(settings, tmp_path / "other", monkeypatch))
    assert int(end_of(tmp_path / "one")["1.num_batches_tracked"]) == 30


@pytest.mark.parametrize("name", ["pilot", "pilot-mirror", "rigl", "l0 channels", "cs"])
def test_an_interrupted_run_ends_with_the_same_bits(tmp_path, name):
    whole_and_parts(recipe(name, epochs=4), tmp_path)


def test_channels_last_is_laid_out_again(tmp_path, normed):
    changes = {"model": normed, "channels_last": True, "precision": "bfloat16", "epochs": 3}
    for name in ("pilot", "pilot-mirror"):
        whole_and_parts(recipe(name, **changes), tmp_path / name)


# ---- what a graph would get wrong


def test_a_number_of_the_host_would_stay_what_it_was(tmp_path, monkeypatch):
    """alpha moves after every epoch: the control of the tests above."""
    settings = recipe("pilot")
    train(settings, folder=tmp_path / "one")
    monkeypatch.setattr(Clock, "strength", lambda self, lr: self.alpha)
    wrong = train(settings, folder=tmp_path / "other")
    assert not same(end_of(tmp_path / "one"), end_of(tmp_path / "other"))
    right = without_graph(settings, tmp_path / "right", monkeypatch)
    assert right.history[-1]["l1_norm"] != wrong.history[-1]["l1_norm"]


def test_a_phase_that_is_not_told_apart_would_go_on(tmp_path, monkeypatch):
    """Masks that move within a replay move to where the first one moved."""
    monkeypatch.setattr(METHODS["rigl"], "phase", lambda self: "always")
    settings = recipe("rigl")
    train(settings, folder=tmp_path / "one")
    without_graph(settings, tmp_path / "other", monkeypatch)
    assert not same(end_of(tmp_path / "one"), end_of(tmp_path / "other"))


# ---- recordings


def test_a_recording_by_hand():
    a, b = torch.tensor([1.0, 2.0]), torch.zeros(2)
    factor = 3.0

    def step():
        b.add_(a * factor)
        a.view(1, 2)[0, 0] += 1

    replay = captured(step, CPU)
    assert (a.tolist(), b.tolist()) == ([2, 2], [3, 6])
    factor = 5.0  # a graph has the number that was
    replay()
    assert (a.tolist(), b.tolist()) == ([3, 2], [9, 12])
    a.fill_(1)
    replay()
    assert b.tolist() == [12, 15]


def test_a_recording_draws_anew():
    drawn, seen = torch.zeros(4), []
    with torch.random.fork_rng():
        torch.manual_seed(0)
        replay = captured(lambda: drawn.copy_(torch.rand(4)), CPU)
        for _ in range(2):
            seen.append(drawn.clone())
            replay()
        seen.append(drawn)
        torch.manual_seed(0)
        assert torch.equal(torch.stack(seen), torch.rand(3, 4))


@pytest.mark.parametrize("read", [lambda x: x.sum().item(), lambda x: x[x > 0], lambda x: x.nonzero()])
def test_steps_that_read_cannot_be_captured(read):
    with pytest.raises(RuntimeError, match=r"the step cannot be captured as a graph \(.* write compile = true"):
        captured(lambda: read(torch.ones(2)), CPU)


# ---- captured steps of a loop of one's own


def loop(method, lr, momentum=0.9):
    model, (x, y) = network(), examples()
    method.attach(model)
    optimizer = method.bind(method.optimizer(model, lr=lr, momentum=momentum, weight_decay=0.0))

    def step():
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        optimizer.step()

    return model, step


@pytest.mark.parametrize(("method", "momentum"), [(Dense(), 0.9), (Spred(alpha=0.1), 0.0)])
def test_a_first_step_cannot_be_captured(method, momentum):
    """Momentum, or the clock of the penalty, would begin anew in every replay."""
    _, step = loop(method, torch.tensor(0.1), momentum)
    with pytest.raises(ValueError, match="take three steps before the one that is captured"):
        captured(step, CPU)


def test_a_learning_rate_that_is_a_number_cannot_be_captured():
    _, step = loop(Spred(alpha=0.1), 0.1)
    step()
    with pytest.raises(ValueError, match=r"write lr=torch\.tensor\(0\.1"):
        captured(step, CPU)
    step()  # which nothing keeps from going on


def test_replays_of_a_loop_of_ones_own_are_its_steps():
    methods = [PILoT(epochs=2, alpha=0.1, K=0.0) for _ in range(2)]
    (model, step), (other, plain) = (loop(method, torch.tensor(0.1)) for method in methods)
    for _ in range(3):
        step()
    replay = captured(step, CPU)
    for _ in range(4):
        replay()
        methods[0].replayed()
    for _ in range(8):
        plain()
    assert methods[0].decay == methods[1].decay
    assert_same(model, other)


# ---- what is refused


class Own(BaseMethod):
    """A method that says nothing of graphs."""


def test_what_has_no_graph(tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "own", Own)
    settings = replace(SMALL, method={"name": "own", "alpha": 1.0})
    with pytest.raises(ValueError, match=r"steps of the method own are not known .*takes_graph = True in its class"):
        train(settings, folder=tmp_path)
    assert not list(tmp_path.iterdir())


# ---- the learning rate


def test_a_checkpoint_has_the_same_tensors_again(tmp_path):
    p = torch.nn.Parameter(torch.ones(3))
    lr = torch.tensor(0.5)
    optimizer = torch.optim.SGD([p], lr=lr, momentum=0.9, fused=True)
    p.grad = torch.ones(3)
    optimizer.step()
    tensors, state = checkpoints.optimizer_state(optimizer)
    checkpoints.save(tmp_path / "file", tensors, state)
    other_lr = torch.tensor(0.25)
    other = torch.optim.SGD([p], lr=other_lr, momentum=0.9, fused=True)
    checkpoints.restore_optimizer(other, *checkpoints.load(tmp_path / "file"))
    assert other.param_groups[0]["lr"] is other_lr
    assert other_lr.item() == 0.25  # who steps sets it
    assert torch.equal(other.state[p]["momentum_buffer"], torch.ones(3))
