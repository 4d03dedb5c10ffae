"""SGD and Adam as one optimiser: as both alone."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from linreg_mirror.networks import gates


def normal(*shape, seed=0):
    return torch.tensor(np.random.default_rng(seed).standard_normal(shape))


@pytest.mark.parametrize(("momentum", "weight_decay"), [(0.0, 0.0), (0.9, 0.01)])
def test_the_optimiser_is_sgd_and_adam(momentum, weight_decay):
    def pair():
        return [nn.Parameter(normal(4, seed=seed)) for seed in (0, 1)]

    (w, loga), (w_alone, loga_alone) = pair(), pair()
    groups = [{"params": [loga], "adam_lr": 0.01}, {"params": [w], "weight_decay": weight_decay}]
    joint = gates.SGDAndAdam(groups, lr=0.1, momentum=momentum)
    alone = [torch.optim.SGD([w_alone], 0.1, momentum, weight_decay=weight_decay), torch.optim.Adam([loga_alone], 0.01)]
    for step in range(6):
        for group in (*joint.param_groups, alone[0].param_groups[0]):
            group["lr"] = 0.1 / (1 + step)
        for a, b, optimizers in ((w, loga, [joint]), (w_alone, loga_alone, alone)):
            for optimizer in optimizers:
                optimizer.zero_grad()
            (a.exp().sum() + (a * b).square().sum()).backward()
            for optimizer in optimizers:
                optimizer.step()
        if step == 2:
            state = copy.deepcopy(joint.state_dict())
            joint = gates.SGDAndAdam(groups, lr=7.0, momentum=0.5)
            joint.load_state_dict(state)
    assert torch.equal(w, w_alone)
    assert torch.equal(loga, loga_alone)


def test_numbers_out_of_range():
    for options, message in (
        ({"lr": -1}, "lr must be"),
        ({"lr": 1, "momentum": 1}, "momentum must be"),
        ({"lr": 1, "weight_decay": math.nan}, "weight_decay must be"),
        ({"lr": 1, "adam_lr": -1}, "adam_lr must be"),
    ):
        with pytest.raises(ValueError, match=message):
            gates.SGDAndAdam([nn.Parameter(torch.zeros(1))], **options)


def test_a_copy_goes_on_alike():
    w, loga = (nn.Parameter(normal(4, seed=seed)) for seed in (0, 1))
    optimizer = gates.SGDAndAdam([{"params": [w]}, {"params": [loga], "adam_lr": 0.01}], lr=0.1, momentum=0.9)

    def steps(optimizer, parameters):
        for parameter in parameters:
            parameter.grad = parameter.detach().exp()
        assert optimizer.step(lambda: 7) == 7

    steps(optimizer, [w, loga])
    parameters, copied = copy.deepcopy(([w, loga], optimizer))
    for one, its in ((optimizer, [w, loga]), (copied, parameters)):
        steps(one, its)
    assert torch.equal(w, parameters[0])
    assert torch.equal(loga, parameters[1])
