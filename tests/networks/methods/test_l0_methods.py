"""L0 and Dep-L0: a step against NumPy, limit cases, runs that are interrupted, ends that say what is wrong."""

import copy
import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import expit, logit
from torch import nn
from torch.nn.functional import cross_entropy

from linreg_mirror.networks import gates, methods
from linreg_mirror.networks.methods import L0, Dense, DepL0
from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.training import train
from sketching import prunable
from tests.helpers.training import trained, whole_and_parts

pytestmark = pytest.mark.usefixtures("one_thread")

LOG100 = math.log(100)
SHIFT = 2 / 3 * math.log(1 / 11)
MAKE = {
    "weights": lambda **options: L0(**{"epochs": 6, "lam": 1e-3} | options),
    "channels": lambda **options: L0(**{"epochs": 6, "lam": 1e-3, "on": "channels"} | options),
    "forward": lambda **options: DepL0(**{"epochs": 6, "lam": 1e-3} | options),
    "backward": lambda **options: DepL0(**{"epochs": 6, "lam": 1e-3, "direction": "backward"} | options),
}


@pytest.fixture(autouse=True)
def seeded():
    """Gates are drawn from torch's own generator."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def network(seed=0):
    """Three linear layers, with batch norm after the first, for inputs (N, 4) and three classes."""
    model = nn.Sequential(
        nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3)
    ).double()
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.tensor(rng.standard_normal(parameter.shape)))
    return model


def examples(count=20):
    rng = np.random.default_rng(7)
    return torch.tensor(rng.standard_normal((count, 4))), torch.tensor(rng.integers(3, size=count))


def steps(method, model, optimizer, count, lr=0.05):
    trained(method, model, count, lr, optimizer=optimizer, data=examples())


def attached(method, model, lr=0.05, momentum=0.9, weight_decay=0.01):
    method.attach(model)
    return method.optimizer(model, lr=lr, momentum=momentum, weight_decay=weight_decay)


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


# One step against NumPy


def drawn(u, loga):
    return np.clip(1.2 * expit(1.5 * (logit(u) + loga)) - 0.1, 0, 1)


def first_step_of_adam(theta, gradient, lr):
    return theta - lr * gradient / (np.abs(gradient) + 1e-8)


def slopes(function, theta, h=1e-6):
    """Central differences."""
    found = np.zeros_like(theta)
    for index in np.ndindex(theta.shape):
        step = np.zeros_like(theta)
        step[index] = h
        found[index] = (function(theta + step) - function(theta - step)) / (2 * h)
    return found


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


def perceptron():
    """4 - 3 - 2 - 1 units; loss is the sum of the outputs."""
    layers = [nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1)]
    model = nn.Sequential(*layers).double()
    rng = np.random.default_rng(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.tensor(rng.uniform(0.2, 1, parameter.shape)))
    return model


def objective(model, x, u, logits, lam):
    """Loss and penalty of the perceptron, in NumPy, with the draws u of both gated layers."""
    a, b, c = ((m.weight.detach().numpy(), m.bias.detach().numpy()) for m in model if isinstance(m, nn.Linear))
    out = np.maximum((x @ a[0].T + a[1]) * drawn(u[0], logits[0]), 0)
    out = np.maximum((out @ b[0].T + b[1]) * drawn(u[1], logits[1]), 0)
    p, q = (expit(loga - SHIFT) for loga in logits)
    return (out @ c[0].T + c[1]).sum() + lam * (4 * p.sum() + p.sum() * q.sum())


def one_step(method, model, x):
    """Take a step, and return the draws of both gated layers."""
    optimizer = attached(method, model)
    torch.manual_seed(5)
    u = [torch.rand(len(x), width, dtype=torch.float64).numpy() for width in (3, 2)]
    torch.manual_seed(5)
    model(torch.tensor(x)).sum().backward()
    method.before_step(0.05)
    return optimizer, u


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


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_step_of_dep_l0(direction):
    model, x = perceptron(), np.random.default_rng(4).uniform(0.5, 1, (6, 4))
    method = DepL0(epochs=1, lam=0.7, direction=direction, gate_lr=0.01)
    before = copy.deepcopy(model)
    optimizer, u = one_step(method, model, x)
    (generator,) = (module for module in model.modules() if isinstance(module, gates.Generator))
    found = [p for linear in generator.maps for p in (linear.weight, linear.bias)]
    start = [p.detach().numpy().copy() for p in found]

    def generated(v, c, w, d):
        first = LOG100 * np.tanh(v @ np.ones(v.shape[1]) + c)
        both = [first, LOG100 * np.tanh(w @ first + d)]
        return both if direction == "forward" else both[::-1]

    for place in range(4):
        expected = slopes(
            lambda p, place=place: objective(
                before, x, u, generated(*(p if i == place else start[i] for i in range(4))), 0.7
            ),
            start[place],
        )
        np.testing.assert_allclose(found[place].grad, expected, rtol=1e-7, atol=1e-8)
        assert expected.any()
    optimizer.step()
    for p, old in zip(found, start, strict=True):
        np.testing.assert_allclose(p.detach(), first_step_of_adam(old, p.grad.numpy(), 0.01), rtol=1e-13)


# Limit cases


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


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_dep_l0_with_w_zero_has_free_logits(direction):
    dependent, free = network(), network()
    methods_ = DepL0(epochs=1, lam=0.1, direction=direction), L0(epochs=1, lam=0.1, on="channels")
    for method, model in zip(methods_, (dependent, free), strict=True):
        attached(method, model)
    (generator,) = (module for module in dependent.modules() if isinstance(module, gates.Generator))
    with torch.no_grad():
        for linear in generator.maps:
            linear.weight.zero_()
            linear.bias.copy_(torch.as_tensor(np.random.default_rng(1).normal(0, 0.5, linear.bias.shape)))
        biases = [linear.bias for linear in generator.maps][:: 1 if direction == "forward" else -1]
        for gate, c in zip(gates.gates_of(free).values(), biases, strict=True):
            gate.loga.copy_(LOG100 * torch.tanh(c))
    losses = []
    for method, model in zip(methods_, (dependent, free), strict=True):
        torch.manual_seed(2)
        loss = cross_entropy(model(examples()[0]), examples()[1])
        loss.backward()
        method.before_step(0.1)
        losses.append(loss.item())
    assert losses[0] == losses[1]
    for gate, c in zip(gates.gates_of(free).values(), biases, strict=True):
        expected = gate.loga.grad * LOG100 * (1 - torch.tanh(c) ** 2)
        if c is generator.maps[-1].bias:  # with W = 0 nothing comes after any layer
            torch.testing.assert_close(c.grad, expected, rtol=1e-12, atol=0)
        torch.testing.assert_close(c.grad, expected, rtol=1e-12, atol=1e-15)


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


# The course of a run


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


RUN = Recipe(model={"name": "mlp", "widths": [64, 16, 12, 10]}, epochs=4, batch=200)
SETTINGS = {
    "weights": {"name": "l0", "lam": 1e-3, "gate_lr": 0.05},
    "channels": {"name": "l0", "on": "channels", "lam": 1e-3, "gate_lr": 0.05, "finetune": 1},
    "forward": {"name": "dep-l0", "lam": 1e-3, "gate_lr": 0.05},
    "backward": {"name": "dep-l0", "direction": "backward", "lam": 1e-3, "gate_lr": 0.05, "finetune": 2},
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.filterwarnings("ignore:no weight has been pruned:UserWarning")
def test_an_interrupted_run_ends_with_the_same_bits(name, tmp_path):
    whole, _ = whole_and_parts(replace(RUN, method=SETTINGS[name]), tmp_path)
    assert whole.history[-1]["loss"] < whole.history[0]["loss"]
    assert whole.pruned(1.0)["accuracy"] == whole.history[-1]["test_accuracy"]


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
    assert len(rest["params"]) == 8
    assert len(logits["params"]) == {"weights": 3, "channels": 2}.get(name, 4)
    state = method.state_dict()
    assert json.loads(json.dumps(state)) == {"alpha": 1e-3, "decay": 0, "epoch": 0}


# Bad input, and ends that are not as they should be


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
    for name, make in MAKE.items():
        model, method = network(), make(lam=0)
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
    for make in MAKE.values():
        with pytest.raises(ValueError, match=message):
            make(**options)


def test_names_that_do_not_exist():
    with pytest.raises(ValueError, match='on must be "weights" or "channels", got \'units\''):
        L0(epochs=1, lam=1, on="units")
    with pytest.raises(ValueError, match="direction must be one of forward, backward, got 'up'"):
        methods.create("dep-l0", epochs=1, lam=1, direction="up")
    with pytest.raises(TypeError, match=r"dep-l0: .*'on'; it takes"):
        methods.create("dep-l0", epochs=1, lam=1, on="weights")


@pytest.mark.parametrize("name", MAKE)
def test_the_order_of_calls(name):
    method, model = MAKE[name](), network()
    for early in (lambda: method.before_step(0.1), method.l1_norm, lambda: method.finish(0.5)):
        with pytest.raises(RuntimeError, match="no model is attached"):
            early()
    method.attach(model)
    with pytest.raises(RuntimeError, match="no weight has a gradient"):
        method.before_step(0.1)
    with pytest.raises(ValueError, match=r"keep must be in \[0, 1\]"):
        method.finish(5)
    assert gates.gates_of(model), "nothing has been changed"
    with pytest.raises(ValueError, match=r"a state of .* has the entries alpha, decay, epoch, got alpha"):
        method.load_state_dict({"alpha": 1})
    other = MAKE[name]()
    with pytest.raises(ValueError, match=r"has gates already|parametrized already"):
        other.attach(model)
    other.attach(network())
