"""STR: a step by hand, and what weight decay does to the threshold."""

import math

import numpy as np
import pytest
from scipy.special import expit

from linreg_mirror.networks.methods import STR
from tests.helpers.methods import ended, make
from tests.helpers.training import assert_dense, behind, steps_of

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_step_of_soft_thresholds():
    layer = steps_of(STR(0.0), [4, -0.25, 0], [0.25, -1, 1])
    w, s = behind(layer)
    # The threshold is 1/2 and has slope 1/4; w = x + sign(x)/2; where x = 0 there is no gradient.
    assert w == [4.5 - 0.125 * (0.25 + 2.25), -0.75 - 0.125 * (-1 - 0.375), 0]
    assert s == [0.125 * (0.25 + 1) / 4]
    assert layer.bias.tolist() == [1 - 0.125 * 1.5]
    expected = [w[0] - expit(s[0]), w[1] + expit(s[0]), 0]
    np.testing.assert_allclose(layer.weight.tolist()[0], expected, rtol=1e-15)


def test_weight_decay_opens_the_threshold():
    layer = steps_of(STR(-4.0), [4, -1], [0, 0])
    w, s = behind(layer)
    assert s == [-4 * (1 - 0.125 * 0.5)]
    np.testing.assert_allclose(w, np.array([4 + expit(-4), -1 - expit(-4)]) * (1 - 0.125 * 0.5), rtol=1e-15)


@pytest.mark.filterwarnings("ignore:no weight has been pruned")
def test_a_threshold_of_zero_is_dense_training():
    assert_dense(STR(-1000.0))


def test_an_end_that_is_too_sparse_is_told():
    method, _ = ended("str", [1.0, -1, 0, 0])
    with pytest.warns(UserWarning, match=r"keep=0\.75 asks for 3 weights, and 2 of 4 are left: take a lower s_init"):
        assert method.finish(0.75)["weight"].sum() == 3
    method, _ = ended("str", [0.0, 0, 0, 0])
    with pytest.warns(UserWarning, match="no weight is left in weight: take a lower s_init, or less weight_decay"):
        method.finish()


def test_an_end_that_is_dense_is_told():
    method, _ = ended("str", [1.0, -1])
    with pytest.warns(UserWarning, match="no weight has been pruned: take a higher s_init, or more weight_decay"):
        method.finish()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"s_init": -math.inf}, "s_init must be a finite number, got -inf: write s_init=-10"),
        ({"s_init": "low"}, "s_init must be a finite number, got 'low'"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        make("str", **options)
