"""spred: a step by hand, the LASSO on a linear model."""

import math

import pytest

from linreg_mirror.networks.methods import Spred
from linreg_mirror.networks.parametrizations.hadamard import factors_of
from tests.helpers.linear import assert_ends_at_lasso
from tests.helpers.training import factors, one_layer, steps_of

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_step_of_spred():
    method = Spred(0.5)
    layer = steps_of(method, [4, -0.25], [0.25, -1])
    assert factors(layer) == ([1.6875, 0.375], [1.6875, -0.375])
    assert layer.bias.tolist() == [0.8125]
    assert (method.decay, method.scale) == (0.0625, 0)


@pytest.mark.parametrize("seed", [0, 2])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_training_ends_at_the_lasso(momentum, seed):
    assert_ends_at_lasso(Spred, 2, momentum, seed)


def test_a_run_that_diverged():
    model, method = one_layer([1, math.nan]), Spred(0.1)
    method.attach(model)
    with pytest.raises(ValueError, match="weight: "):
        method.finish(0.5)
    assert factors_of(model)


def test_penalties_out_of_range():
    with pytest.raises(ValueError, match="alpha must be a finite number >= 0, got -1"):
        Spred(-1)
