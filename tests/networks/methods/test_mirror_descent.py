"""PILoT as mirror descent: a step by hand, the limit that it shares with PILoT, its own optimiser."""

import math

import numpy as np
import pytest

from linreg_mirror.networks.methods import MirrorPILoT, PILoT
from tests.helpers.linear import run, slope
from tests.helpers.training import examples, network, steps_of
from tests.helpers.zoo import gaussian

pytestmark = pytest.mark.usefixtures("one_thread")


CONSTANT = {"epochs": 1, "K": 0, "delta": 1}  # alpha neither grows nor falls


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_step_of_pilot_as_mirror_descent(momentum):
    method = MirrorPILoT(**CONSTANT, alpha=0.5, beta=3)
    layer = steps_of(method, [2, -2], [0.25, -1], momentum=momentum)
    b = 1.5 * math.exp(-4 * 0.0625 / (1 - momentum))
    expected = [b * math.sinh(math.asinh(x / 1.5) - 2 * 0.125 * g) for x, g in ((2, 0.25), (-2, -1))]
    assert layer.weight.flatten().tolist() == pytest.approx(expected, rel=1e-15)
    assert layer.bias.tolist() == [0.8125]
    assert method.scale == pytest.approx(b, rel=1e-15)


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
