"""Dep-L0: a step against NumPy, free logits where W is 0, names of directions."""

import copy

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from linreg_mirror.networks import gates, methods
from linreg_mirror.networks.methods import L0, DepL0
from tests.helpers.gated import (
    LOG100,
    attached,
    examples,
    first_step_of_adam,
    network,
    objective,
    one_step,
    perceptron,
    slopes,
)

pytestmark = pytest.mark.usefixtures("one_thread")


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


def test_names_that_do_not_exist():
    with pytest.raises(ValueError, match="direction must be one of forward, backward, got 'up'"):
        methods.create("dep-l0", epochs=1, lam=1, direction="up")
    with pytest.raises(TypeError, match=r"dep-l0: .*'on'; it takes"):
        methods.create("dep-l0", epochs=1, lam=1, on="weights")
