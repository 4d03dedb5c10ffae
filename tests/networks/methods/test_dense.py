"""Dense training: a step by hand, and plain SGD."""

import pytest
import torch

from linreg_mirror.networks.methods import Dense
from tests.helpers.training import network, sgd, steps_of, trained

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_step_of_dense():
    method = Dense()
    layer = steps_of(method, [4, -0.25], [0.25, -1])
    assert layer.weight.tolist() == [[4 - 0.125 * (0.25 + 2), -0.25 - 0.125 * (-1 - 0.125)]]
    assert layer.bias.tolist() == [1 - 0.125 * 1.5]
    assert (method.alpha, method.decay) == (0, 0)


def test_dense_is_sgd():
    model = network()
    method = Dense()
    trained(method, model)
    expected = sgd(network(), 20)
    assert all(torch.equal(p, expected[name]) for name, p in model.named_parameters())
