"""PILoT: steps by hand, descent of the core, the scale that is left, the rule that moves alpha."""

import math

import numpy as np
import pytest
import torch

from linreg_mirror import Hadamard, descent, schedules
from linreg_mirror.networks.methods import MirrorPILoT, PILoT
from linreg_mirror.networks.parametrizations.hadamard import factors_of
from tests.helpers.linear import run, slope
from tests.helpers.plain import train as plain_train
from tests.helpers.training import factors, network, one_layer, sgd, steps_of, trained
from tests.helpers.zoo import gaussian

pytestmark = pytest.mark.usefixtures("one_thread")


CONSTANT = {"epochs": 1, "K": 0, "delta": 1}


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
