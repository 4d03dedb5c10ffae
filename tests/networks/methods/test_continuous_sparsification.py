"""Continuous Sparsification: a step by hand, gates that become steep and then hard."""

import numpy as np
import pytest
import torch
from scipy.special import expit
from torch.nn.functional import cross_entropy

from linreg_mirror.networks.methods import ContinuousSparsification
from tests.helpers.methods import ended, make
from tests.helpers.training import assert_dense, behind, examples, network, steps_of, trained

pytestmark = pytest.mark.usefixtures("one_thread")


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


@pytest.mark.filterwarnings("ignore:no weight has been pruned")
def test_gates_that_are_open_are_dense_training():
    assert_dense(make("cs", alpha=0.1, s_init=200.0))


def test_an_end_that_is_too_sparse_is_told():
    method, _ = ended("cs", [1.0, -1, 0, 0], s_init=1.0)
    with pytest.warns(UserWarning, match=r"keep=0\.75 asks for 3 weights, and 2 of 4 are left: take a smaller alpha"):
        assert method.finish(0.75)["weight"].sum() == 3
    method, _ = ended("cs", [0.0, 0, 0, 0])
    with pytest.warns(UserWarning, match="no weight is left in weight: take a smaller alpha"):
        method.finish()


def test_an_end_that_is_dense_is_told():
    method, _ = ended("cs", [1.0, -1], s_init=1.0)
    with pytest.warns(UserWarning, match="no weight has been pruned: take a larger alpha"):
        method.finish()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -1}, "alpha must be a finite number >= 0, got -1"),
        ({"s_init": -50}, "s_init must be a finite number >= -10 and <= 10000, got -50"),
        ({"steepness": 0.5}, "steepness must be a finite number >= 1, got 0.5"),
        ({"epochs": 0}, "epochs must be an integer >= 1"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        make("cs", **options)


def authors(model, x, y, *, lam, s_init, betas, lr, weight_decay):
    """The loop of the authors' code: masks sigmoid(beta s)/sigmoid(s_init) on all but the classifier, Nesterov."""
    weights = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
    logits = {"0.weight": torch.full_like(weights["0.weight"], s_init).requires_grad_()}
    scale = 1 / expit(s_init)
    groups = [
        {"params": [*weights.values()], "weight_decay": weight_decay},
        {"params": [*logits.values()], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr, 0.9, nesterov=True)
    for beta in betas:
        for _ in range(3):
            masks = {name: scale * torch.sigmoid(beta * s) for name, s in logits.items()}
            masked = weights | {name: weights[name] * mask for name, mask in masks.items()}
            loss = cross_entropy(torch.func.functional_call(model, masked, (x,)), y)
            optimizer.zero_grad()
            (loss + lam * sum(mask.sum() for mask in masks.values())).backward()
            optimizer.step()
    hard = {name: scale * (s > 0).double() for name, s in logits.items()}
    return weights | {name: weights[name] * mask for name, mask in hard.items()}


@pytest.mark.parametrize("s_init", [0.0, -0.3, 0.2])
@pytest.mark.filterwarnings("ignore:no weight")
def test_as_published_it_is_the_training_of_the_authors(s_init):
    model, other = network(dtype=torch.float64), network(dtype=torch.float64)
    x, y = examples(torch.float64)
    method = ContinuousSparsification(epochs=4, alpha=1e-2, s_init=s_init, published=True)
    method.attach(model, weights="!3.weight")
    optimizer = method.bind(method.optimizer(model, lr=0.05, momentum=0.9, weight_decay=1e-3))
    for _ in range(4):
        for _ in range(3):
            optimizer.zero_grad()
            cross_entropy(model(x), y).backward()
            optimizer.step()
        method.after_epoch(0.5)
    method.finish()
    betas = [200 ** (epoch / 3) for epoch in range(4)]
    expected = authors(other, x, y, lam=1e-2, s_init=s_init, betas=betas, lr=0.05, weight_decay=1e-3)
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.detach(), expected[name].detach(), rtol=1e-12, atol=1e-12)


def test_otherwise_it_is_another_training():
    """The control: at the same settings the two differ."""
    ends = []
    for published in (False, True):
        model, method = network(dtype=torch.float64), make("cs", published=published, s_init=0.2)
        trained(method, model, steps=3)
        ends.append(method.weights()["0.weight"])
    assert (ends[0] - ends[1]).abs().max() > 1e-3
    with pytest.raises(ValueError, match="published must be true or false"):
        make("cs", published=1)
