"""HAM: a step by hand, and dense training without hyperbolic steps."""

import math

import numpy as np
import pytest

from linreg_mirror.networks.methods import HAM
from tests.helpers.methods import make
from tests.helpers.training import assert_dense, steps_of

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_step_of_ham():
    layer = steps_of(HAM(metric=2, shrink=0.5), [4, -0.25, 0.0625], [0.25, -1, 1])
    plain = [4 - 0.125 * (0.25 + 2), -0.25 - 0.125 * (-1 - 0.125), 0.0625 - 0.125 * (1 + 0.03125)]
    # The third has changed its sign, and its new one counts.
    signed = np.array([0.25, 1, -1])
    np.testing.assert_allclose(layer.weight.tolist()[0], plain * np.exp(-0.125 * (2 * signed + 0.5)), rtol=1e-15)
    assert plain[2] < 0
    assert layer.bias.tolist() == [1 - 0.125 * 1.5]


def test_no_hyperbolic_steps_are_dense_training():
    assert_dense(HAM(metric=0, shrink=0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": -1}, "metric must be a finite number >= 0, got -1"),
        ({"shrink": math.nan}, "shrink must be a finite number >= 0, got nan"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        make("ham", **options)
