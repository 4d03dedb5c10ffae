"""L1: steps by hand, plain training without a penalty, the LASSO on a linear model."""

from functools import partial

import numpy as np
import pytest

from linreg_mirror.networks.methods import L1, Dense
from tests.helpers.linear import assert_ends_at_lasso
from tests.helpers.training import assert_same, network, one_layer, steps_of, trained

pytestmark = pytest.mark.usefixtures("one_thread")


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


@pytest.mark.parametrize("proximal", [False, True])
def test_l1_without_penalty_is_plain_training(proximal):
    plain, model = network(), network()
    trained(Dense(), plain, weight_decay=0)
    trained(L1(0, proximal=proximal), model, weight_decay=0)
    assert_same(plain, model)


@pytest.mark.parametrize("seed", [0, 2])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_proximal_steps_end_at_the_lasso(momentum, seed):
    x, expected = assert_ends_at_lasso(partial(L1, proximal=True), 1, momentum, seed)
    np.testing.assert_array_equal(x == 0, expected == 0)


def test_penalties_out_of_range():
    with pytest.raises(ValueError, match="alpha must be a finite number >= 0, got -1"):
        L1(-1)


def test_weights_that_tie_and_weights_that_are_zero():
    model = one_layer([1.0, -1, 1, 0, 0, 0])
    method = L1(0.1)
    method.attach(model)
    assert method.finish()["weight"].tolist() == [[True, True, True, False, False, False]]
    assert method.finish(0.5)["weight"].sum() == 3
    assert method.finish(0.75)["weight"].sum() == 5  # zeros are kept where there is nothing else
    assert method.finish(1 / 3)["weight"].sum() == 2
