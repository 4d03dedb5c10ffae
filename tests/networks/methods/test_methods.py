"""Methods that train towards sparse weights: by hand, against plain loops, and against the core."""

import json
import math
from functools import partial

import numpy as np
import pytest
import torch
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from linreg_mirror import Hadamard, descent, schedules
from linreg_mirror.networks import methods
from linreg_mirror.networks.methods import L1, Dense, MirrorPILoT, PILoT, Spred
from linreg_mirror.networks.methods.controllers import AlphaRule
from linreg_mirror.networks.parametrizations.hadamard import factors_of
from linreg_mirror.solvers.independent import lasso
from sketching import prunable
from tests.helpers.plain import train as plain_train
from tests.helpers.training import examples, network, one_layer, steps_of, trained
from tests.helpers.zoo import gaussian

pytestmark = pytest.mark.usefixtures("one_thread")

# Constant alpha: the rule neither lets it grow nor fall.
CONSTANT = {"epochs": 1, "K": 0, "delta": 1}
MAKE = {
    "dense": Dense,
    "l1": lambda: L1(1e-3),
    "l1 proximal": lambda: L1(1e-3, proximal=True),
    "spred": lambda: Spred(1e-3),
    "pilot": lambda: PILoT(epochs=6, alpha=1e-3, K=5, delta=1.5),
    "pilot-mirror": lambda: MirrorPILoT(epochs=6, alpha=1e-3, K=5, delta=1.5),
}


def factors(layer):
    ((m, w),) = factors_of(layer).values()
    return m.flatten().tolist(), w.flatten().tolist()


# One step by hand. All numbers are exact in binary, but for the last two digits of mirror descent


def test_a_step_of_dense():
    method = Dense()
    layer = steps_of(method, [4, -0.25], [0.25, -1])
    assert layer.weight.tolist() == [[4 - 0.125 * (0.25 + 2), -0.25 - 0.125 * (-1 - 0.125)]]
    assert layer.bias.tolist() == [1 - 0.125 * 1.5]
    assert (method.alpha, method.decay) == (0, 0)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_step_of_l1(momentum):
    method = L1(0.5)
    layer = steps_of(method, [4, -0.25, 0], [0.25, -1, 1], momentum=momentum)
    assert layer.weight.tolist() == [[3.90625, -0.0625, -0.125]]
    assert layer.bias.tolist() == [0.8125]
    assert method.decay == 0.125 * 0.5 / (1 - momentum)


@pytest.mark.parametrize(("momentum", "x"), [(0.0, [3.90625, -0.0625, 0]), (0.5, [3.84375, 0, 0])])
def test_a_proximal_step_of_l1(momentum, x):
    method = L1(0.5, proximal=True)
    layer = steps_of(method, [4, -0.25, 0], [0.25, -1, 0.25], momentum=momentum)
    assert layer.weight.tolist() == [x]
    assert layer.bias.tolist() == [0.8125]
    assert method.decay == 0.125 * 0.5 / (1 - momentum)


def test_a_step_of_spred():
    method = Spred(0.5)
    layer = steps_of(method, [4, -0.25], [0.25, -1])
    assert factors(layer) == ([1.6875, 0.375], [1.6875, -0.375])
    assert layer.bias.tolist() == [0.8125]
    assert (method.decay, method.scale) == (0.0625, 0)


def test_a_step_of_pilot():
    method = PILoT(**CONSTANT, alpha=0.5, beta=3)
    layer = steps_of(method, [2, -2], [0.25, -1])
    assert factors(layer) == ([1.71875, 1.625], [0.8125, -0.625])
    assert layer.bias.tolist() == [0.8125]
    assert method.decay == 0.0625
    assert method.scale == 1.5 * math.exp(-0.25)


def test_two_steps_of_pilot_with_momentum():
    method = PILoT(**CONSTANT, alpha=0.5, beta=3)
    layer = steps_of(method, [2, -2], [0.25, -1], count=2, momentum=0.5)
    assert factors(layer) == ([1.337890625, 1.15625], [0.5634765625, -0.15625])
    assert method.decay == 0.25


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_step_of_pilot_as_mirror_descent(momentum):
    method = MirrorPILoT(**CONSTANT, alpha=0.5, beta=3)
    layer = steps_of(method, [2, -2], [0.25, -1], momentum=momentum)
    b = 1.5 * math.exp(-4 * 0.0625 / (1 - momentum))
    expected = [b * math.sinh(math.asinh(x / 1.5) - 2 * 0.125 * g) for x, g in ((2, 0.25), (-2, -1))]
    assert layer.weight.flatten().tolist() == pytest.approx(expected, rel=1e-15)
    assert layer.bias.tolist() == [0.8125]
    assert method.scale == pytest.approx(b, rel=1e-15)


# Limit cases


def sgd(model, steps, split=None, lr=0.05, momentum=0.9):
    """Weights after plain training by torch, weight decay only where there is one dimension, if x = m*w is split."""
    x, y = examples()
    leaves = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
    pairs = {}
    for name in prunable(model) if split else ():
        pairs[name] = [factor.detach().requires_grad_() for factor in split(leaves.pop(name))]
    groups = [{"params": [*leaves.values()], "weight_decay": 0.01}]
    if pairs:
        groups.append({"params": [factor for pair in pairs.values() for factor in pair]})
    optimizer = torch.optim.SGD(groups, lr, momentum)
    for _ in range(steps):
        optimizer.zero_grad()
        weights = leaves | {name: m * w for name, (m, w) in pairs.items()}
        cross_entropy(functional_call(model, weights, (x,)), y).backward()
        optimizer.step()
    return leaves | {name: m * w for name, (m, w) in pairs.items()}


def test_dense_is_sgd():
    model = network()
    method = Dense()
    trained(method, model)
    expected = sgd(network(), 20)
    assert all(torch.equal(p, expected[name]) for name, p in model.named_parameters())


@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_pilot_without_penalty_is_training_of_m_and_w(beta):
    model = network()
    method = PILoT(epochs=6, alpha=0.0, K=0, delta=1, beta=beta)
    method.attach(model)
    starts = iter([[f.detach().clone() for f in pair] for pair in factors_of(model).values()])
    optimizer = method.optimizer(model, lr=0.05, momentum=0.9, weight_decay=0.01)
    trained(method, model, optimizer=optimizer)
    method.finish()
    expected = sgd(network(), 20, split=lambda x: next(starts))
    assert all(torch.equal(p, expected[name]) for name, p in model.named_parameters())
    assert method.decay == 0


@pytest.mark.parametrize("proximal", [False, True])
def test_l1_without_penalty_is_plain_training(proximal):
    plain, model = network(), network()
    trained(Dense(), plain, weight_decay=0)
    trained(L1(0, proximal=proximal), model, weight_decay=0)
    assert all(torch.equal(p, q) for p, q in zip(plain.parameters(), model.parameters(), strict=True))


# On a linear model: the core knows the answers


def linear(problem, x0=None):
    """The model whose loss is |Xx - y|^2/2, and this loss."""
    X, y = (torch.tensor(a) for a in (problem.X, problem.y))
    model = torch.nn.Linear(problem.d, 1, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor(np.ones(problem.d) if x0 is None else x0))
    return model, lambda: (model(X)[:, 0] - y).square().sum() / 2


def run(method, problem, lr, steps, momentum=0.0, x0=None, each=lambda model: None):
    """Full-batch training; returns the model."""
    model, loss = linear(problem, x0)
    method.attach(model)
    optimizer = method.optimizer(model, lr=lr(0) if callable(lr) else lr, momentum=momentum, weight_decay=0)
    for step in range(steps):
        eta = optimizer.param_groups[0]["lr"] = lr(step) if callable(lr) else lr
        optimizer.zero_grad()
        loss().backward()
        method.before_step(eta)
        optimizer.step()
        method.after_step(eta)
        each(model)
    return model


@pytest.mark.parametrize("seed", [0, 2])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize(("make", "times"), [(partial(L1, proximal=True), 1), (Spred, 2)], ids=["proximal", "spred"])
def test_training_ends_at_the_lasso(make, times, momentum, seed):
    """LASSO(alpha) of proximal L1, with momentum too; LASSO(2 alpha) of spred."""
    problem = gaussian(12, 6, seed, nonzeros=3)
    top = np.abs(problem.X.T @ problem.y).max()
    solution = lasso(problem, 0.2 * top)
    assert solution.certificate.valid
    assert 0 < np.count_nonzero(solution.x) < 6
    # A sign that differs from that of the solution could not change.
    x0 = np.where(solution.x == 0, 0.1, 0.5 * solution.x)
    lr = 0.5 / times / np.linalg.norm(problem.X, 2) ** 2 * (1 - momentum)
    model = run(make(0.2 * top / times), problem, lr, 800, momentum, x0)
    x = model.weight.detach().numpy()[0]
    np.testing.assert_allclose(x, solution.x, atol=2e-11)
    if times == 1:
        np.testing.assert_array_equal(x == 0, solution.x == 0)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_pilot_is_descent_of_the_core(momentum):
    """The same m and w after every step, alpha moved by the rule."""
    problem, rng = gaussian(4, 7, 3), np.random.default_rng(5)
    x0, beta, epochs = rng.normal(size=7), 0.7, 8
    accuracies = [0.1, 0.4, 0.3, 0.5, 0.5, 0.6, 0.7, 0.7]
    method = PILoT(epochs=epochs, alpha=0.05, K=1.0, delta=1.5, beta=beta)
    alphas, path = [], []

    def lr(k):  # the core's momentum is torch's where step sizes are constant
        return 0.02 if momentum else 0.03 / (1 + k / 40)

    def each(model):
        alphas.append(method.alpha)
        path.append(np.concatenate(factors(model)))
        if len(path) % 10 == 0:
            method.after_epoch(accuracies[len(path) // 10 - 1])

    run(method, problem, lr, 10 * epochs, momentum, x0, each)
    assert len(set(alphas)) >= 4
    schedule = schedules.Piecewise([*range(0, 80, 10)], alphas[::10], clock="step")
    network = Hadamard.at(x0, beta)
    core = descent(
        problem, network, lr, schedule, steps=80, momentum=momentum, tolerance=0, keep=range(81), method="numpy"
    )
    by_hand, _ = plain_train(problem, network.m0, network.w0, [lr(k) for k in range(80)], alphas, momentum=momentum)
    np.testing.assert_allclose(path, core.parameters[1:], atol=3e-14)
    np.testing.assert_allclose(path, by_hand[1:].reshape(80, 14), atol=3e-14)
    assert method.decay == pytest.approx(core.decay[-1] / (1 - momentum), rel=3e-14)


def slope(lrs, errors):
    return np.polyfit(np.log(lrs), np.log(errors), 1)[0]


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_the_scale_that_is_left(momentum):
    """(m^2 - w^2)/2 comes to beta/2 exp(-4A) as lr -> 0, at first order."""
    problem = gaussian(4, 7, 3)
    x0, lrs, errors = np.random.default_rng(5).normal(size=7), [4e-3, 2e-3, 1e-3], []
    for lr in lrs:
        method = PILoT(**CONSTANT, alpha=0.3, beta=0.7)
        m, w = map(np.array, factors(run(method, problem, lr, round(0.256 * (1 - momentum) / lr), momentum, x0)))
        assert method.decay == pytest.approx(0.3 * 0.256)
        errors.append(np.abs((m**2 - w**2) / 2 / method.scale - 1).max())
    assert slope(lrs, errors) == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_both_forms_of_pilot_have_one_limit(momentum):
    """Their paths come together as lr -> 0, at first order."""
    problem = gaussian(4, 7, 3)
    x0, lrs, errors = np.random.default_rng(5).normal(size=7), [4e-3, 2e-3, 1e-3], []
    for lr in lrs:
        ends = [
            run(make(**CONSTANT, alpha=0.3, beta=0.7), problem, lr, round(0.256 * (1 - momentum) / lr), momentum, x0)
            for make in (PILoT, MirrorPILoT)
        ]
        errors.append((ends[0].weight - ends[1].weight).abs().max().item())
    assert slope(lrs, errors) == pytest.approx(1, abs=0.05)


# The rule that moves alpha


@pytest.mark.parametrize(
    ("epochs", "accuracies", "norms", "powers"),
    [
        (8, [0.1, 0.2, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], [10] * 8, [1, 2, 3, 4, 3, 2, 1, 0]),
        (7, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], [10] * 7, [1, 2, 3, 2, 1, 0, -1]),
        (8, [0.5, 0.4, 0.4, 0.3], [10] * 4, [1, 0, 1, 0]),
        (8, [0.1, 0.2, 0.3, 0.4], [10, 5, 4.999, 5], [1, 2, 1, 2]),
        (1, [0.1, 0.2], [10] * 2, [-1, -2]),
    ],
    ids=["half", "odd number of epochs", "accuracy falls", "norm falls", "one epoch, and one too many"],
)
def test_the_rule_by_hand(epochs, accuracies, norms, powers):
    rule, alpha, alphas = AlphaRule(epochs, K=5, delta=2), 3.0, []
    for accuracy, norm in zip(accuracies, norms, strict=True):
        alpha = rule(alpha, accuracy, norm)
        alphas.append(alpha)
    assert alphas == [3 * 2.0**power for power in powers]
    assert (rule.epoch, rule.accuracy) == (len(accuracies), accuracies[-1])


@pytest.mark.parametrize("make", [PILoT, MirrorPILoT])
def test_pilot_moves_alpha_by_the_norm_of_the_product(make):
    model = one_layer([2, -2])
    method = make(epochs=10, alpha=1.0, K=4, delta=2)
    method.attach(model)
    assert method.l1_norm() == pytest.approx(4, rel=1e-15)
    theta = next(iter(model.parameters() if make is MirrorPILoT else factors_of(model)["weight"]))
    with torch.no_grad():
        theta[0, 0] *= 1.01
    method.after_epoch(0.5)
    assert method.alpha == 2
    with torch.no_grad():
        theta[0, 0] *= 0.98
    method.after_epoch(0.5)
    assert method.alpha == 1


# The end


@pytest.mark.parametrize("keep", [0, 0.1, 0.25, 1])
@pytest.mark.parametrize("name", MAKE)
def test_pruning_keeps_exactly_the_largest(name, keep):
    model, method = network(), MAKE[name]()
    trained(method, model, weight_decay=0)
    norm = method.l1_norm()
    dense = {n: model[int(n[0])].weight.detach().clone() for n in ("0.weight", "3.weight")}
    assert norm == pytest.approx(sum(x.abs().sum().item() for x in dense.values()), rel=1e-5)
    masks = method.finish(keep)
    assert [n for n, _ in model.named_parameters()] == [n for n, _ in network().named_parameters()]
    assert list(masks) == ["0.weight", "3.weight"]
    assert sum(int(mask.sum()) for mask in masks.values()) == round(keep * 72)
    for n, mask in masks.items():
        weight = model.get_parameter(n)
        assert isinstance(weight, torch.nn.Parameter)
        assert mask.dtype == torch.bool
        assert torch.equal(weight, torch.where(mask, dense[n], 0))
    kept, pruned = (torch.cat([dense[n].abs()[mask == side] for n, mask in masks.items()]) for side in (True, False))
    assert not len(kept) or not len(pruned) or kept.min() >= pruned.max()


def test_weights_that_tie_and_weights_that_are_zero():
    model = one_layer([1.0, -1, 1, 0, 0, 0])
    method = L1(0.1)
    method.attach(model)
    assert method.finish()["weight"].tolist() == [[True, True, True, False, False, False]]
    assert method.finish(0.5)["weight"].sum() == 3
    assert method.finish(0.75)["weight"].sum() == 5  # zeros are kept where there is nothing else
    assert method.finish(1 / 3)["weight"].sum() == 2


# State, groups, other models


@pytest.mark.parametrize("name", MAKE)
def test_a_run_that_is_interrupted_goes_on_as_if_nothing_had_been(name):
    whole, method = network(), MAKE[name]()
    trained(method, whole, steps=18)
    first, half = network(), MAKE[name]()
    optimizer = trained(half, first, steps=9)
    state, states = json.dumps(half.state_dict(), allow_nan=False), [first.state_dict(), optimizer.state_dict()]

    second, other = network(seed=1), MAKE[name]()
    other.attach(second)
    again = other.optimizer(second, lr=0.05, momentum=0.9, weight_decay=0.01)
    second.load_state_dict(states[0])
    again.load_state_dict(states[1])
    other.load_state_dict(json.loads(state))
    assert other.state_dict() == half.state_dict()
    trained(other, second, steps=9, optimizer=again)
    assert other.state_dict() == method.state_dict()
    assert (method.alpha in (0, 1e-3)) == ("pilot" not in name)
    assert all(torch.equal(p, q) for p, q in zip(whole.parameters(), second.parameters(), strict=True))


@pytest.mark.parametrize("name", MAKE)
def test_groups(name):
    model, method = network(), MAKE[name]()
    model[3].bias.requires_grad_(False)
    method.attach(model)
    own, rest = method.groups(torch.nn.ModuleDict({"wrapped": model}), momentum=0.9, weight_decay=0.25)
    assert [p.ndim for p in rest["params"]] == [1, 1, 1]
    assert [p.ndim for p in own["params"]] == ([2] * 4 if factors_of(model) else [2] * 2)
    assert (own["weight_decay"], rest["weight_decay"]) == (0.25 if name == "dense" else 0, 0.25)
    bare, method = torch.nn.Linear(2, 2, bias=False), MAKE[name]()
    method.attach(bare)
    assert len(method.groups(bare, momentum=0, weight_decay=0.25)) == 1


@pytest.mark.parametrize("name", MAKE)
def test_weights_without_gradient_are_left_alone(name):
    """As optimisers leave them: all but the proximal step, which needs no gradient."""
    model, method = torch.nn.ModuleList([torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)]), MAKE[name]()
    method.attach(model)
    optimizer = method.optimizer(model, lr=0.1, momentum=0, weight_decay=0.1)
    before = model[1].weight.detach().clone()
    model[0](torch.ones(2)).sum().backward()
    method.before_step(0.1)
    optimizer.step()
    method.after_step(0.1)
    assert torch.equal(model[1].weight, before) == (name != "l1 proximal")


@pytest.mark.parametrize("name", MAKE)
def test_several_dtypes_in_a_model(name):
    """One step of each layer as if it were alone."""
    layers = [torch.nn.Linear(3, 2).to(dtype) for dtype in (torch.float64, torch.float32, torch.bfloat16)]
    alone = [torch.nn.Linear(3, 2).to(layer.weight.dtype) for layer in layers]
    for one, layer in zip(alone, layers, strict=True):
        one.load_state_dict(layer.state_dict())
    for model in (torch.nn.ModuleList(layers), *alone):
        method = MAKE[name]()
        method.attach(model)
        optimizer = method.optimizer(model, lr=0.1, momentum=0, weight_decay=0)
        for layer in layers if isinstance(model, torch.nn.ModuleList) else [model]:
            layer(torch.ones(3, dtype=layer.bias.dtype)).sum().backward()
        method.before_step(0.1)
        optimizer.step()
        method.after_step(0.1)
    for one, layer in zip(alone, layers, strict=True):
        assert torch.equal(one.weight, layer.weight)


@pytest.mark.parametrize("name", MAKE)
def test_scaled_gradients(name):
    """A power of two changes no bit, so that a step through the scaler is the step without it."""
    x, y = examples()
    scaled, plain = network(), network()
    trained(MAKE[name](), plain, steps=5)
    method, scaler = MAKE[name](), torch.amp.GradScaler("cpu", init_scale=1024.0)
    method.attach(scaled)
    optimizer = method.optimizer(scaled, lr=0.05, momentum=0.9, weight_decay=0.01)
    for step in range(5):
        optimizer.zero_grad()
        outputs = scaled(x)
        scaler.scale(cross_entropy(outputs, y)).backward()
        scaler.unscale_(optimizer)
        method.before_step(0.05)
        scaler.step(optimizer)
        scaler.update()
        method.after_step(0.05)
        if step % 3 == 2:
            method.after_epoch((outputs.argmax(1) == y).float().mean().item())
    for one, other in zip(scaled.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


# Bad input


def test_methods_by_name():
    assert [methods.METHODS[name] for name in ("dense", "l1", "spred", "pilot", "pilot-mirror")] == [
        Dense,
        L1,
        Spred,
        PILoT,
        MirrorPILoT,
    ]
    made = methods.create("pilot", epochs=4, alpha=0.1, K=3, delta=1.5)
    assert isinstance(made, PILoT)
    assert (made.alpha, made.beta, made.rule) == (0.1, 1.0, AlphaRule(4, 3, 1.5))
    with pytest.raises(
        ValueError, match="unknown method 'spread': known are dense, masked, l1, spred, pilot, pilot-mirror"
    ):
        methods.create("spread", alpha=0.1)
    with pytest.raises(TypeError, match=r"l1: .*'beta'; it takes alpha: float, proximal: bool = False"):
        methods.create("l1", alpha=0.1, beta=1)
    with pytest.raises(TypeError, match=r"pilot: missing a required .*'K'; it takes"):
        methods.create("pilot", epochs=4, alpha=0.1, delta=1.5)
    with pytest.raises(ValueError, match="alpha must be"):
        methods.create("spred", alpha=-0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1e-3}, "alpha must be a finite number >= 0, got -0.001"),
        ({"alpha": math.nan}, "alpha must be a finite number >= 0, got nan"),
        ({"alpha": "0.1"}, "alpha must be a finite number >= 0, got '0.1'"),
        ({"beta": -1}, "beta must be a finite number >= 0, got -1"),
        ({"beta": math.inf}, "beta must be"),
        ({"K": -1}, "K must be a finite number >= 0, got -1"),
        ({"K": math.nan}, "K must be"),
        ({"delta": 0.9}, "delta must be a finite number >= 1, got 0.9: write delta=1"),
        ({"delta": math.nan}, "delta must be a finite number"),
        ({"epochs": 0}, "epochs must be an integer >= 1"),
        ({"epochs": 1.5}, "epochs must be an integer >= 1"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        PILoT(**{"epochs": 4, "alpha": 0.1, "K": 3, "delta": 1.5} | options)


@pytest.mark.parametrize("make", [L1, Spred])
def test_penalties_out_of_range(make):
    with pytest.raises(ValueError, match="alpha must be a finite number >= 0, got -1"):
        make(-1)


@pytest.mark.parametrize("accuracy", [-0.1, 1.5, 93, math.nan])
def test_accuracies_out_of_range(accuracy):
    rule = AlphaRule(4, 0, 2)
    with pytest.raises(ValueError, match=r"accuracy must be in \[0, 1\], got .*: for 93 % write 0.93"):
        rule(0.1, accuracy, 1.0)
    assert rule.epoch == 0


def test_a_run_that_diverged():
    with pytest.raises(ValueError, match="the L1 norm of the weights is nan: training has diverged"):
        AlphaRule(4, 0, 2)(0.1, 0.5, math.nan)
    model, method = one_layer([1, math.nan]), Spred(0.1)
    method.attach(model)
    with pytest.raises(ValueError, match="weight: "):
        method.finish(0.5)
    assert factors_of(model)


@pytest.mark.parametrize("name", MAKE)
def test_the_order_of_calls(name):
    method, model = MAKE[name](), network()
    for early in (
        lambda: method.groups(model, momentum=0, weight_decay=0),
        lambda: method.before_step(0.1),
        method.l1_norm,
        lambda: method.finish(0.5),
    ):
        with pytest.raises(RuntimeError, match=r"no model is attached: call method.attach\(model\) first"):
            early()
    method.attach(model)
    with pytest.raises(RuntimeError, match="a model is attached already: make one method for each model"):
        method.attach(network())
    with pytest.raises(RuntimeError, match=r"no weight has a gradient: call before_step after loss.backward\(\)"):
        method.before_step(0.1)
    for keep in (-0.1, 1.1, math.nan, 5):
        with pytest.raises(ValueError, match=r"keep must be in \[0, 1\]"):
            method.finish(keep)
    assert bool(factors_of(model)) == (name in ("spred", "pilot"))
    with pytest.raises(ValueError, match="this is not the model"):
        method.groups(network(), momentum=0, weight_decay=0)
    with pytest.raises(ValueError, match="momentum must be in"):
        method.groups(model, momentum=1, weight_decay=0)
    with pytest.raises(ValueError, match="weight_decay must be"):
        method.groups(model, momentum=0, weight_decay=-1)
    with pytest.raises(ValueError, match=r"a state of .* has the entries alpha, decay.*, got alpha, gamma"):
        method.load_state_dict({"alpha": 1, "gamma": 2})
    method.optimizer(model, lr=0.1, momentum=0, weight_decay=0)
    model(examples()[0]).sum().backward()
    for lr in (-0.1, math.nan):
        with pytest.raises(ValueError, match="lr must be a finite number >= 0"):
            (method.after_step if name == "l1 proximal" else method.before_step)(lr)
    assert method.decay == 0


@pytest.mark.parametrize("name", MAKE)
def test_models_that_no_method_acts_on(name):
    tied = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    factorized = network()
    Spred(0.1).attach(factorized)
    for model, message in (
        (torch.nn.BatchNorm1d(2), "no trainable weight with two or more dimensions"),
        (tied, "one weight under two names"),
        (factorized, "parametrized already: 0, 3"),
        (torch.nn.LazyLinear(2), "not initialised yet"),
        (torch.nn.parallel.DistributedDataParallel.__new__(torch.nn.parallel.DistributedDataParallel), "is wrapped"),
    ):
        method = MAKE[name]()
        with pytest.raises(ValueError, match=message):
            method.attach(model)
        method.attach(network())


def test_mirror_descent_needs_its_optimiser():
    model, method = network(), MirrorPILoT(**CONSTANT, alpha=0.1)
    method.attach(model)
    model(examples()[0]).sum().backward()
    with pytest.raises(RuntimeError, match=r"make it by method.optimizer\(model, lr=..., ...\)"):
        method.before_step(0.1)
    balanced = MirrorPILoT(**CONSTANT, alpha=0.1, beta=0)
    balanced.attach(model := network())
    with pytest.raises(ValueError, match="beta must be a finite number > 0"):
        balanced.optimizer(model, lr=0.1, momentum=0, weight_decay=0)
