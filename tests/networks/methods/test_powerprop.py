"""Powerprop: a step by hand, dense training for exponent 1, spred for exponent 2."""

import math

import pytest
import torch

from linreg_mirror.networks.methods import Powerprop, Spred
from tests.helpers.methods import make
from tests.helpers.training import assert_dense, behind, steps_of

pytestmark = pytest.mark.usefixtures("one_thread")


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


def test_exponent_one_is_dense_training():
    assert_dense(Powerprop(1))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"exponent": 0.5}, "exponent must be a finite number >= 1 and <= 100, got 0.5: write exponent=2"),
        ({"exponent": math.inf}, "exponent must be a finite number >= 1 and <= 100, got inf"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        make("powerprop", **options)
