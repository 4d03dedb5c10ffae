"""Masks that hold: weights stay exactly zero whatever trains the others."""

import copy

import numpy as np
import pytest
import torch

from linreg_mirror.networks import methods
from linreg_mirror.networks.methods import Dense
from linreg_mirror.networks.parametrizations.hadamard import factors_of
from tests.helpers.training import half, network, trained

pytestmark = pytest.mark.usefixtures("one_thread")


def steps(method, model, count=24, optimizer=None):
    optimizer = optimizer or method.optimizer(model, lr=0.1, momentum=0.9, weight_decay=0.01)
    return trained(method, model, count, lr=0.1, optimizer=optimizer)


def test_a_step_of_a_masked_network_by_hand():
    layer = torch.nn.Linear(3, 1).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[4, -0.25, 2]]))
    method = Dense()
    method.attach(layer, {"weight": torch.tensor([[True, False, True]])})
    optimizer = method.optimizer(layer, lr=0.125, momentum=0.5, weight_decay=0.5)
    for _ in range(2):
        optimizer.zero_grad()
        layer(torch.tensor([[0.25, -1, 1]]).double()).sum().backward()
        method.before_step(0.125)
        optimizer.step()
    # Velocities 0.25 + 4/2 = 2.25 and 1 + 2/2 = 2, then half of them plus 0.25 + 3.71875/2 and 1 + 1.75/2.
    first, second = 4 - 0.125 * 2.25, 2 - 0.125 * 2
    assert layer.weight.tolist() == [
        [first - 0.125 * (1.125 + 0.25 + first / 2), 0, second - 0.125 * (1 + 1 + second / 2)]
    ]


def test_only_the_penalty_moves_the_factors_of_a_pruned_weight():
    layer = torch.nn.Linear(2, 1).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[2, -2]]))
    method = methods.PILoT(epochs=1, alpha=0.5, K=0, delta=1, beta=4)
    method.attach(layer, {"weight": torch.tensor([[True, False]])})
    optimizer = method.optimizer(layer, lr=0.125, momentum=0, weight_decay=0)
    layer(torch.tensor([[1.0, 1.0]]).double()).sum().backward()
    method.before_step(0.125)
    optimizer.step()
    ((m, w),) = factors_of(layer).values()
    # m = 2 and w = 0 at the start, so that m^2 - w^2 = 4; and the gradient of the penalty is theirs.
    assert (m[0, 1].item(), w[0, 1].item()) == (2 - 0.125 * 2, 0)


def test_factors_are_absorbed_into_the_weights():
    model, method = network(), Dense()
    before = model[0].weight.detach().clone()
    factors = torch.tensor(np.random.default_rng(0).choice([0, 0.5, 2], size=(8, 6)), dtype=torch.float32)
    method.attach(model, {"0.weight": factors})
    assert torch.equal(model[0].weight, before * factors)
    steps(method, model, 1)
    plain, other = network(), Dense()
    with torch.no_grad():
        plain[0].weight.mul_(factors)
    other.attach(plain)
    steps(other, plain, 1)
    assert torch.equal(model[0].weight, torch.where(factors != 0, plain[0].weight, 0))
    assert torch.equal(model[3].weight, plain[3].weight), "a weight without a mask is trained as it is"


def test_masks_come_from_the_state_and_not_from_the_scores():
    """As where scores are not the same twice."""
    whole, method = network(), Dense()
    method.attach(whole, half())
    optimizer = steps(method, whole, 12)
    kept = {name: tensor.clone() for name, tensor in whole.state_dict().items()}
    again, other = network(seed=1), Dense()
    other.attach(again, half(seed=4))
    restored = other.optimizer(again, lr=0.1, momentum=0.9, weight_decay=0.01)
    again.load_state_dict(kept)
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    steps(method, whole, 12, optimizer)
    steps(other, again, 12, restored)
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in whole.state_dict().items())
    assert not again[0].weight[~half()["0.weight"]].any()


def test_masks_that_do_not_fit():
    method, model = Dense(), network()
    with pytest.raises(ValueError, match=r"0\.weight: the mask has shape \(2,\), the weight \(8, 6\)"):
        method.attach(model, {"3.weight": half()["3.weight"], "0.weight": torch.ones(2, dtype=torch.bool)})
    assert torch.equal(model[3].weight, network()[3].weight)
    method.attach(model, half())
