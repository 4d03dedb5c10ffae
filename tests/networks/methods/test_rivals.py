"""Continuous and dynamic rivals: one step of each by hand, and a limit in which each is something known."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from scipy.special import expit
from torch.nn.functional import cross_entropy

from linreg_mirror.networks.methods import HAM, STR, ContinuousSparsification, Dense, Powerprop, RigL, Spred
from linreg_mirror.networks.optimizers.ham import add_hyperbolic_steps
from sketching import apply_masks, erk, remove_masks
from tests.helpers.training import assert_same, examples, make, network, steps_of, trained

pytestmark = pytest.mark.usefixtures("one_thread")


def behind(layer):
    """The parameters behind the weight of a layer."""
    return [p.flatten().tolist() for n, p in layer.named_parameters() if n.startswith("parametrizations")]


# One step by hand: all numbers are exact in binary but where exp or sigmoid comes in


def test_a_step_of_powerprop():
    layer = steps_of(Powerprop(2), [4, -0.25, 0], [0.25, -1, 1])
    # theta = 2, -1/2, 0; its gradient is 2 |theta| g, and weight decay adds theta/2.
    assert behind(layer) == [[2 - 0.125 * (1 + 1), -0.5 - 0.125 * (-1 - 0.25), 0]]
    assert layer.weight.tolist() == [[1.75**2, -(0.34375**2), 0]]
    assert layer.bias.tolist() == [1 - 0.125 * 1.5]


@pytest.mark.parametrize("exponent", [1.0, 1.3, 2.0, 3.0])
def test_gradients_of_powers(exponent):
    """By finite differences, and at 0, where they are 0 but for exponent 1."""
    layer = steps_of(Powerprop(exponent), [0.3, -2.0, 0.0], [1.0, 1, 1], lr=0.0)
    (theta,) = (p for n, p in layer.named_parameters() if n != "bias")
    gradients, h = [], 1e-6
    for sign in (1, -1):
        values = theta.detach().flatten() + sign * h
        gradients.append(values.sign() * values.abs() ** exponent / (2 * h) * sign)
    expected = sum(gradients)
    expected[2] = 1.0 if exponent == 1 else 0.0
    torch.testing.assert_close(theta.grad.flatten(), expected, rtol=2e-9, atol=2e-9)


def test_a_step_of_continuous_sparsification():
    method = ContinuousSparsification(epochs=3, alpha=0.5, steepness=16)
    layer = steps_of(method, [4, -0.25], [0.25, -1])
    w, s = behind(layer)
    # It starts with sigmoid = 1/2, w = 2 x, s = 0. Slopes are 1/2 for w, w/4 for s, alpha/4 for the penalty.
    assert w == [8 - 0.125 * (0.25 / 2 + 4), -0.5 - 0.125 * (-1 / 2 - 0.25)]
    assert s == [-0.125 * (2 * 0.25 + 0.125), -0.125 * (0.125 + 0.125)]
    assert layer.bias.tolist() == [1 - 0.125 * 1.5]
    assert method.decay == 0.125 * 0.5
    np.testing.assert_allclose(layer.weight.tolist()[0], w * expit(s), rtol=1e-15)
    method.after_epoch(0.5)
    assert method.beta == 4
    np.testing.assert_allclose(layer.weight.tolist()[0], w * expit(4 * np.array(s)), rtol=1e-15)


@pytest.mark.parametrize("epoch", [0, 1, 2])
def test_the_penalty_on_gates(epoch):
    """Its gradient, by finite differences, at every steepness."""
    method = ContinuousSparsification(epochs=3, alpha=0.3, steepness=9, s_init=0.2)
    layer = steps_of(method, [1.0, -1.0], [0.0, 0.0], lr=0.0)
    for _ in range(epoch):
        method.after_epoch(0.5)
    s = layer.parametrizations["weight"].original1
    with torch.no_grad():
        s.copy_(torch.tensor([[0.3, -0.1]], dtype=s.dtype))
    s.grad.zero_()
    method.before_step(0.0)
    h, beta = 1e-5, 3.0**epoch
    at = np.array([0.3, -0.1])
    expected = 0.3 * (expit(beta * (at + h)) - expit(beta * (at - h))) / (2 * h)
    np.testing.assert_allclose(s.grad.numpy()[0], expected, rtol=1e-9)


def test_gates_become_steeper():
    model, method = network(), ContinuousSparsification(epochs=4, alpha=0.0)
    method.attach(model)
    betas = []
    for _ in range(6):
        betas.append(method.beta)
        method.after_epoch(0.5)
    assert betas == pytest.approx([1, 200 ** (1 / 3), 200 ** (2 / 3), 200, 200, 200])
    assert model[0].parametrizations["weight"][0].beta == 200
    assert ContinuousSparsification(epochs=1, alpha=0.0).beta == 1


def test_a_step_of_soft_thresholds():
    layer = steps_of(STR(0.0), [4, -0.25, 0], [0.25, -1, 1])
    w, s = behind(layer)
    # The threshold is 1/2 and has slope 1/4; w = x + sign(x)/2; where x = 0 there is no gradient.
    assert w == [4.5 - 0.125 * (0.25 + 2.25), -0.75 - 0.125 * (-1 - 0.375), 0]
    assert s == [0.125 * (0.25 + 1) / 4]
    assert layer.bias.tolist() == [1 - 0.125 * 1.5]
    expected = [w[0] - expit(s[0]), w[1] + expit(s[0]), 0]
    np.testing.assert_allclose(layer.weight.tolist()[0], expected, rtol=1e-15)


def test_weight_decay_opens_the_threshold():
    layer = steps_of(STR(-4.0), [4, -1], [0, 0])
    w, s = behind(layer)
    assert s == [-4 * (1 - 0.125 * 0.5)]
    np.testing.assert_allclose(w, np.array([4 + expit(-4), -1 - expit(-4)]) * (1 - 0.125 * 0.5), rtol=1e-15)


def test_a_step_of_ham():
    layer = steps_of(HAM(metric=2, shrink=0.5), [4, -0.25, 0.0625], [0.25, -1, 1])
    plain = [4 - 0.125 * (0.25 + 2), -0.25 - 0.125 * (-1 - 0.125), 0.0625 - 0.125 * (1 + 0.03125)]
    # The third has changed its sign, and its new one counts.
    signed = np.array([0.25, 1, -1])
    np.testing.assert_allclose(layer.weight.tolist()[0], plain * np.exp(-0.125 * (2 * signed + 0.5)), rtol=1e-15)
    assert plain[2] < 0
    assert layer.bias.tolist() == [1 - 0.125 * 1.5]


def test_any_optimizer_takes_hyperbolic_steps():
    """Each group with its own lr; parameters of one dimension, and those without gradient, are as they were."""
    models = [network(), network()]
    optimizers = [
        torch.optim.Adam([{"params": m[1:].parameters()}, {"params": m[0].parameters(), "lr": 0.1}], lr=0.02)
        for m in models
    ]
    assert add_hyperbolic_steps(optimizers[1], metric=3, shrink=0.2) is optimizers[1]
    x, y = examples()
    for model, optimizer in zip(models, optimizers, strict=True):
        model[3].weight.requires_grad_(False)
        cross_entropy(model(x), y).backward()
        assert optimizer.step(lambda: 7) == 7
    assert str(optimizers[0].state_dict()) == str(optimizers[1].state_dict())
    plain, found = models
    for name, parameter in found.named_parameters():
        before = dict(plain.named_parameters())[name].detach()
        if name == "0.weight":
            factor = torch.exp(-0.1 * (3 * before.sign() * parameter.grad + 0.2))
            torch.testing.assert_close(parameter.detach(), before * factor, rtol=1e-6, atol=0)
        else:
            assert torch.equal(parameter, before)


def rigl_layer(mask, x, options):
    """A layer of RigL whose mask and weights are given, with momentum 1 in all places that are active."""
    method, layer = RigL(epochs=8, keep=sum(mask) / len(mask), **options), torch.nn.Linear(len(mask), 1).double()
    method.attach(layer)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([x]))
        layer.weight_mask.copy_(torch.tensor([mask]))
    optimizer = method.optimizer(layer, lr=0.125, momentum=0.5, weight_decay=0.0)
    optimizer.state[layer.weight]["momentum_buffer"] = layer.weight_mask.double()
    return method, layer, optimizer


def rigl_step(method, layer, optimizer, g):
    optimizer.zero_grad()
    layer(torch.tensor([g], dtype=torch.float64)).sum().backward()
    method.before_step(0.125)
    optimizer.step()


def test_two_steps_of_rigl():
    mask = [True, True, True, True, False, False, False, False]
    method, layer, optimizer = rigl_layer(mask, [4.0, -0.5, 0, -3, 0, 0, 0, 0], {"every": 2, "fraction": 0.5})
    g, bias = [1.0, -6, 0, 2, 3, -5, 4, 0.5], layer.bias.item()
    rigl_step(method, layer, optimizer, g)
    # momentum 1/2 + g, where active
    assert layer.weight.tolist() == [[4 - 0.1875, -0.5 + 0.6875, -0.0625, -3 - 0.3125, 0, 0, 0, 0]]
    assert layer.bias.item() == bias - 0.125
    rigl_step(method, layer, optimizer, g)
    # Half of four move: 1 and 2 are the smallest, and of what is free then 1 and 5 have the largest gradients. So 1
    # stays as it was, and 5 begins at 0 and without momentum. Nothing else moves.
    assert layer.weight_mask.tolist() == [[True, True, False, True, False, True, False, False]]
    assert layer.weight.tolist() == [[4 - 0.1875, -0.5 + 0.6875, 0, -3 - 0.3125, 0, 0, 0, 0]]
    assert optimizer.state[layer.weight]["momentum_buffer"].tolist() == [[1.5, -5.5, 0, 2.5, 0, 0, 0, 0]]
    assert layer.bias.item() == bias - 0.125


def test_rigl_moves_fewer_and_fewer():
    method, shares = RigL(epochs=8, keep=0.5, fraction=0.5), []
    for _ in range(8):
        shares.append(method.share)
        method.after_epoch(0.5)
    expected = [0.25 * (1 + math.cos(math.pi * epoch / 6)) for epoch in range(6)]
    assert shares == pytest.approx([*expected, 0, 0])
    assert shares[-2:] == [0, 0]


def test_rigl_keeps_what_it_promises_at_every_step():
    model, method, seen, moved = network(), make("rigl", every=2), [], []
    counts = {name: k for (name,), k in erk({"0.weight": (8, 6), "3.weight": (3, 8)}, 0.3).items()}
    assert sum(counts.values()) == 22

    def look():
        masks = {name: mask.clone() for name, mask in method.masks().items()}
        assert {name: int(mask.sum()) for name, mask in masks.items()} == counts
        for name, mask in masks.items():
            assert not model.get_parameter(name)[~mask].any()
        if seen:
            moved.append(sum(int((seen[-1][name] & ~mask).sum()) for name, mask in masks.items()))
        seen.append(masks)

    trained(method, model, steps=18, each=look)
    # Every second step, by the share of the epoch in which it is; what is dropped and comes back has not moved.
    shares = [0.15 * (1 + math.cos(math.pi * min(step // 3 / 4.5, 1))) for step in range(1, 18)]
    most = [sum(int(share * k) for k in counts.values()) for share in shares]
    assert all(0 <= count <= most[step] * (step % 2 == 0) for step, count in enumerate(moved))
    assert sum(moved) > sum(most[::2]) / 2


def test_a_random_mask_to_begin_with():
    drawn = []
    for seed in (0, 0, 1):
        model, method = network(), make("rigl", seed=seed)
        method.attach(model)
        drawn.append({name: mask.clone() for name, mask in method.masks().items()})
        for name, mask in method.masks().items():
            assert torch.equal(model.get_parameter(name), network().get_parameter(name) * mask)
    assert all(torch.equal(drawn[0][name], drawn[1][name]) for name in drawn[0])
    assert not all(torch.equal(drawn[0][name], drawn[2][name]) for name in drawn[0])


# Limit cases


DENSE = {
    "powerprop": {"exponent": 1},
    "cs": {"alpha": 0.1, "s_init": 200.0},
    "str": {"s_init": -1000.0},
    "ham": {"metric": 0, "shrink": 0},
    "rigl": {"keep": 1.0, "fraction": 0.0},
}


@pytest.mark.parametrize("name", DENSE)
@pytest.mark.filterwarnings("ignore:no weight has been pruned")
def test_the_limit_that_is_dense_training(name):
    """Bit for bit, weight decay and momentum included."""
    dense, model, method = network(), network(), make(name, **DENSE[name])
    trained(Dense(), dense)
    trained(method, model)
    method.finish()
    assert_same(dense, model)


def test_exponent_one_moves_weights_that_are_zero():
    assert steps_of(Powerprop(1), [0.0], [1.0]).weight.item() == -0.125


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_exponent_two_is_spred_with_half_the_learning_rate(momentum, decay):
    """x = theta |theta| against x = m*w with |m| = |w|: the same steps while no sign changes."""
    x, g = [1.0, -0.5, 2.0], [0.4, 0.3, -0.5]
    settings = {"momentum": momentum, "count": 8}
    power = steps_of(Powerprop(2), x, g, lr=0.01, weight_decay=4 * decay, **settings).weight
    spred = steps_of(Spred(decay), x, g, lr=0.02, weight_decay=0.0, **settings).weight
    torch.testing.assert_close(power, spred, rtol=1e-14, atol=0)
    assert (power - torch.tensor([x])).abs().min() > 0.01


@pytest.mark.parametrize("beta", [10.0, 200.0])
def test_steep_gates_are_hard(beta):
    method = ContinuousSparsification(epochs=2, alpha=0.0, steepness=beta)
    layer = steps_of(method, [1.0, -2.0, 3.0, -1.0], [1.0, 1, 1, 1], lr=0.3, weight_decay=0.0)
    method.after_epoch(0.5)
    w, s = map(np.array, behind(layer))
    assert (s > 0).tolist() == [False, True, False, True]
    hard = w * (s > 0)
    gap = np.abs(layer.weight.detach().numpy()[0] - hard) / np.abs(w)
    assert (gap <= np.exp(-beta * np.abs(s))).all()
    assert (gap >= np.exp(-beta * np.abs(s)) / 2 - 1e-16).all()
    method.finish()
    assert layer.weight.tolist()[0] == hard.tolist()


def test_ham_goes_to_its_flow():
    """x' = -(1 + metric |x|) g - shrink x, at first order in the learning rate."""
    rng = np.random.default_rng(3)
    X, y, x0 = rng.normal(size=(4, 7)), rng.normal(size=4), rng.normal(size=7)

    def flow(t, x):
        return -(1 + 3 * np.abs(x)) * (X.T @ (X @ x - y)) - 0.4 * x

    # No sign changes, at which the flow has a kink.
    end = solve_ivp(flow, (0, 0.064), x0, rtol=1e-12, atol=1e-12).y[:, -1]
    assert (end * x0 > 0).all()
    lrs, errors = [4e-4, 2e-4, 1e-4], []
    for lr in lrs:
        x = torch.nn.Parameter(torch.tensor(x0[None]))
        optimizer = add_hyperbolic_steps(torch.optim.SGD([x], lr), metric=3, shrink=0.4)
        for _ in range(round(0.064 / lr)):
            optimizer.zero_grad()
            ((x @ torch.tensor(X.T) - torch.tensor(y)).square().sum() / 2).backward()
            optimizer.step()
        errors.append(np.abs(x.detach().numpy()[0] - end).max())
    assert np.polyfit(np.log(lrs), np.log(errors), 1)[0] == pytest.approx(1, abs=0.05)


def test_rigl_that_moves_nothing_trains_a_fixed_mask():
    method, model, masked = make("rigl", fraction=0.0), network(), network()
    method.attach(model)
    apply_masks(masked, method.masks())
    optimizer = method.optimizer(model, lr=0.05, momentum=0.9, weight_decay=0.01)
    trained(method, model, optimizer=optimizer)
    trained(_Bare(), masked, optimizer=torch.optim.SGD(masked.parameters(), 0.05, 0.9, weight_decay=0.01))
    method.finish()
    assert_same(remove_masks(masked), model)


class _Bare:
    """A method that does nothing."""

    before_step = after_step = after_epoch = staticmethod(lambda value: None)


@pytest.mark.parametrize("name", ["powerprop", "cs", "str"])
def test_attaching_leaves_the_network_as_it_was(name):
    model = network()
    make(name).attach(model)
    x, _ = examples()
    torch.testing.assert_close(model.eval()(x), network().eval()(x), rtol=1e-5, atol=1e-6)
    assert len(list(model.parameters())) == 6 + 2 * (name != "powerprop")
