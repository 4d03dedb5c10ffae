"""L0: a step against NumPy, limit cases, fine-tuning, ends that say what is wrong; where Dep-L0 is alike, that too."""

import copy
import json
import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from scipy.special import expit, logit
from torch import nn

from linreg_mirror.networks import gates
from linreg_mirror.networks.methods import L0, Dense
from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.training import train
from sketching import prunable
from tests.helpers.gated import (
    SHIFT,
    attached,
    drawn,
    examples,
    first_step_of_adam,
    network,
    objective,
    one_step,
    perceptron,
    slopes,
    steps,
)
from tests.helpers.methods import make

pytestmark = pytest.mark.usefixtures("one_thread")


MAKE = {
    "weights": partial(make, "l0"),
    "channels": partial(make, "l0 channels"),
    "forward": partial(make, "dep-l0"),
    "backward": partial(make, "dep-l0 backward"),
}


@pytest.fixture(autouse=True)
def seeded():
    """Gates are drawn from torch's own generator."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def logits_of(model):
    return [gate.logits().detach().clone() for gate in gates.gates_of(model).values()]


def spread(model):
    """Give gates of every kind logits of which some are closed, some open and some between."""
    with torch.no_grad():
        for gate in gates.gates_of(model).values():
            for parameter in gate.parameters():
                matrix = isinstance(gate, gates.ChannelGate) and parameter.ndim > 1  # of a generator
                values = torch.linspace(-4, 4, parameter.numel()).view(parameter.shape)
                parameter.copy_(0 * values if matrix else values)


def test_a_step_on_weights():
    """The loss <g, x> + bias, x = w*z; the derivatives by hand."""
    layer, method = nn.Linear(4, 1).double(), L0(epochs=1, lam=0.3, gate_lr=0.01)
    optimizer = attached(method, layer, lr=0.125, momentum=0.5, weight_decay=0.5)
    gate = gates.gates_of(layer)["weight"]
    with torch.no_grad():
        gate.loga.copy_(torch.tensor([[-2.0, 0.0, 1.0, 30.0]]))
    w, loga, bias = (p.detach().numpy().copy() for p in (layer.parametrizations.weight.original, gate.loga, layer.bias))
    g = np.array([0.25, -1, 2, 1])
    torch.manual_seed(5)
    u = torch.rand(1, 4, dtype=torch.float64).numpy()
    torch.manual_seed(5)
    layer(torch.tensor(g)[None]).sum().backward()
    method.before_step(0.125)
    optimizer.step()
    s, p = expit(1.5 * (logit(u) + loga)), expit(loga - SHIFT)
    z = drawn(u, loga)
    inside = (z > 0) & (z < 1)
    assert inside.sum() >= 2
    gradient = g * w * np.where(inside, 1.2 * 1.5 * s * (1 - s), 0) + 0.3 * p * (1 - p)
    np.testing.assert_allclose(gate.loga.grad, gradient, rtol=1e-12)
    np.testing.assert_allclose(gate.loga.detach(), first_step_of_adam(loga, gradient, 0.01), rtol=1e-13)
    original = layer.parametrizations.weight.original.detach()
    np.testing.assert_allclose(original, w - 0.125 * (g * z + 0.5 * w), rtol=1e-12)
    np.testing.assert_allclose(layer.bias.detach(), bias - 0.125 * (1 + 0.5 * bias), rtol=1e-12)
    assert method.decay == 0  # Adam has a time of its own


def test_a_step_on_channels():
    model, x = perceptron(), np.random.default_rng(4).uniform(0.5, 1, (6, 4))
    method = L0(epochs=1, lam=0.7, on="channels", gate_lr=0.01)
    before = copy.deepcopy(model)
    optimizer, u = one_step(method, model, x)
    found = [gate.loga for gate in gates.gates_of(model).values()]
    start = [loga.detach().numpy().copy() for loga in found]
    for place in (0, 1):
        expected = slopes(
            lambda loga, place=place: objective(before, x, u, [loga if i == place else start[i] for i in (0, 1)], 0.7),
            start[place],
        )
        np.testing.assert_allclose(found[place].grad, expected, rtol=1e-7, atol=1e-8)
    optimizer.step()
    for loga, old in zip(found, start, strict=True):
        expected = first_step_of_adam(old, loga.grad.numpy(), 0.01)
        np.testing.assert_allclose(loga.detach(), expected, rtol=1e-13)


@pytest.mark.parametrize("on", ["weights", "channels"])
def test_gates_that_are_open_are_dense_training(on):
    plain, dense = network(), Dense()
    steps(dense, plain, attached(dense, plain), 12)
    model, method = network(), L0(epochs=4, lam=0, on=on)
    optimizer = attached(method, model)
    with torch.no_grad():
        for gate in gates.gates_of(model).values():
            gate.loga.fill_(1e4)
    steps(method, model, optimizer, 12)
    assert all(torch.equal(w, dense.weights()[name]) for name, w in method.weights().items())
    method.finish()
    assert all(torch.equal(p, q) for p, q in zip(plain.parameters(), model.parameters(), strict=True))


@pytest.mark.parametrize(("lam", "same"), [(1e-2, True), (1e-4, True), (1e-10, False)])
def test_adam_cancels_lambda_where_the_loss_does_not_reach(lam, same):
    """A loss without weights: logits fall by gate_lr a step, unless lam is lost against Adam's epsilon of 1e-8."""
    layer, method = nn.Linear(3, 2).double(), L0(epochs=1, lam=lam, gate_lr=0.01)
    optimizer = attached(method, layer)
    loga = gates.gates_of(layer)["weight"].loga
    start = loga.detach().clone()
    for _ in range(20):
        optimizer.zero_grad()
        (0 * layer(torch.ones(1, 3, dtype=torch.float64))).sum().backward()
        method.before_step(0.1)
        optimizer.step()
    fallen = (start - loga.detach()) / 0.01
    # Adam weighs older steps, in which the slope of P(z > 0) is some 1 % less for each, by 0.9.
    if same:
        assert ((fallen > 19.9) & (fallen < 20.6)).all()
    else:
        assert (fallen < 0.5).all()


@pytest.mark.parametrize("name", MAKE)
def test_gates_are_frozen_for_fine_tuning(name):
    method, model = MAKE[name](finetune=2), network()
    optimizer = attached(method, model)
    steps(method, model, optimizer, 11)
    assert method.alpha == 1e-3
    method.after_epoch(0.5)  # the fourth of six
    assert method.alpha == 0
    before, weights = logits_of(model), method.weights()
    steps(method, model, optimizer, 2)
    assert all(torch.equal(a, b) for a, b in zip(logits_of(model), before, strict=True))
    assert not torch.equal(method.weights()["0.weight"], weights["0.weight"])
    model[1].eval()
    assert torch.equal(model(examples()[0]), model.eval()(examples()[0])), "in training as in evaluation"


@pytest.mark.parametrize("name", MAKE)
def test_what_finish_leaves(name):
    method, model = MAKE[name](), network()
    optimizer = attached(method, model)
    steps(method, model, optimizer, 5)
    spread(model)
    model.eval()
    x, weights = examples()[0], method.weights()
    expected = model(x)
    closed = [int((gates.deterministic(loga) == 0).sum()) for loga in logits_of(model)]
    masks = method.finish()
    assert not gates.gates_of(model)
    torch.testing.assert_close(model(x), expected, rtol=1e-12, atol=1e-13)
    assert [key for key, _ in model.named_parameters()] == [key for key, _ in network().named_parameters()]
    for key, weight in prunable(model).items():
        assert torch.equal(weight, weights[key])
        assert torch.equal(masks[key], weight != 0)
    if name == "weights":
        assert closed == [int((~mask).sum()) for mask in masks.values()]
    else:
        assert closed == [int((~mask).all(1).sum()) for mask in masks.values()][:2]
    left = sum(int(mask.sum()) for mask in masks.values())
    fewer = method.finish((left // 2) / 68)
    assert sum(int(mask.sum()) for mask in fewer.values()) == left // 2


def test_open_gates_are_reported(tmp_path):
    recipe = Recipe(model={"name": "mlp", "widths": [64, 8, 10]}, epochs=2, batch=500)
    recipe = replace(recipe, method={"name": "l0", "lam": 0.0})
    for record in train(recipe, folder=tmp_path / "weights").history:
        assert all(0 < share < 1 for share in record["open"].values())
    method, model = MAKE["channels"](), network()
    method.attach(model)
    logits = [gate.logits().detach().numpy() for gate in gates.gates_of(model).values()]
    expected = [expit(one - SHIFT).mean() for one in logits]
    np.testing.assert_allclose(list(method.report()["open"].values()), expected, rtol=1e-12)


@pytest.mark.parametrize("name", MAKE)
def test_copies_of_a_model_in_training(name):
    method, model = MAKE[name](), network()
    optimizer = attached(method, model)
    steps(method, model, optimizer, 2)
    copied, before = copy.deepcopy(model), logits_of(model)
    steps(method, model, optimizer, 2)
    assert all(torch.equal(a, b) for a, b in zip(logits_of(copied), before, strict=True))
    gates.fold_gates(copied)
    steps(method, model, optimizer, 1)
    assert gates.gates_of(model)


@pytest.mark.parametrize("name", MAKE)
def test_groups(name):
    method, model = MAKE[name](), network()
    method.attach(model)
    logits, rest = method.groups(model, momentum=0.9, weight_decay=0.25)
    assert (logits["weight_decay"], logits["adam_lr"], rest["weight_decay"]) == (0, 1e-3, 0.25)
    assert "adam_lr" not in rest
    assert len(rest["params"]) == 8
    assert len(logits["params"]) == {"weights": 3, "channels": 2}.get(name, 4)
    state = method.state_dict()
    assert json.loads(json.dumps(state)) == {"alpha": 1e-3, "decay": 0, "epoch": 0}


@pytest.mark.parametrize("name", MAKE)
def test_a_model_that_has_gates_already(name):
    model, other = network(), MAKE[name]()
    MAKE[name]().attach(model)
    with pytest.raises(ValueError, match=r"has gates already|parametrized already"):
        other.attach(model)
    other.attach(network())


@pytest.mark.parametrize("name", MAKE)
def test_ends_that_say_what_to_turn(name):
    method, model = MAKE[name](seed=3), network()
    optimizer = attached(method, model)
    for gate in gates.gates_of(model).values():
        for parameter in gate.parameters():
            torch.nn.init.constant_(parameter, 0.5)
    steps(method, model, optimizer, 1)
    with pytest.warns(UserWarning, match="no weight has been pruned: take a higher lam, a higher gate_lr, or more"):
        method.finish()
    method, model = MAKE[name](), network()
    optimizer = attached(method, model)
    for gate in gates.gates_of(model).values():
        for parameter in gate.parameters():
            torch.nn.init.constant_(parameter, 0 if name in ("forward", "backward") and parameter.ndim > 1 else -2.5)
    with pytest.warns(
        UserWarning, match=r"all gates are closed on .*, at lam=0.001 and gate_lr=0.001: take a lower lam"
    ):
        method.after_epoch(0.1)
    with pytest.warns(
        UserWarning, match=r"no weight is left in 0.weight, 3.weight.*: take a lower lam or a lower gate_lr"
    ):
        method.finish()


def test_without_a_penalty_dense_is_as_it_shall_be():
    for name in MAKE:
        model, method = network(), MAKE[name](lam=0)
        attached(method, model)
        for gate in gates.gates_of(model).values():
            for parameter in gate.parameters():
                torch.nn.init.constant_(parameter, 0.5)
        assert all(mask.all() for mask in method.finish().values()), name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lam": -1}, "lam must be a finite number >= 0, got -1"),
        ({"lam": math.nan}, "lam must be"),
        ({"gate_lr": -1}, "gate_lr must be a finite number >= 0"),
        ({"epochs": 0}, "epochs must be an integer >= 1"),
        ({"finetune": 6}, "finetune must be an integer from 0 to 5, got 6"),
        ({"seed": -1}, "seed must be an integer >= 0"),
    ],
)
def test_options_out_of_range(options, message):
    for of in MAKE.values():
        with pytest.raises(ValueError, match=message):
            of(**options)


def test_names_that_do_not_exist():
    with pytest.raises(ValueError, match='on must be "weights" or "channels", got \'units\''):
        L0(epochs=1, lam=1, on="units")
