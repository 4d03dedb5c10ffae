"""The rule that moves alpha."""

import math

import pytest

from linreg_mirror.networks.methods.controllers import AlphaRule

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize(
    ("epochs", "accuracies", "norms", "powers"),
    [
        (8, [0.1, 0.2, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], [10] * 8, [1, 2, 3, 4, 3, 2, 1, 0]),
        (7, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7], [10] * 7, [1, 2, 3, 2, 1, 0, -1]),
        (8, [0.5, 0.4, 0.4, 0.3], [10] * 4, [1, 0, 1, 0]),
        (8, [0.1, 0.2, 0.3, 0.4], [10, 5, 4.999, 5], [1, 2, 1, 2]),
        (1, [0.1, 0.2], [10] * 2, [-1, -2]),
    ],
    ids=["half", "odd number of epochs", "accuracy falls", "norm falls", "one epoch, and one too many"],
)
def test_the_rule_by_hand(epochs, accuracies, norms, powers):
    rule, alpha, alphas = AlphaRule(epochs, K=5, delta=2), 3.0, []
    for accuracy, norm in zip(accuracies, norms, strict=True):
        alpha = rule(alpha, accuracy, norm)
        alphas.append(alpha)
    assert alphas == [3 * 2.0**power for power in powers]
    assert (rule.epoch, rule.accuracy) == (len(accuracies), accuracies[-1])


@pytest.mark.parametrize("accuracy", [-0.1, 1.5, 93, math.nan])
def test_accuracies_out_of_range(accuracy):
    rule = AlphaRule(4, 0, 2)
    with pytest.raises(ValueError, match=r"accuracy must be in \[0, 1\], got .*: for 93 % write 0.93"):
        rule(0.1, accuracy, 1.0)
    assert rule.epoch == 0


def test_a_norm_that_is_no_number():
    with pytest.raises(ValueError, match="the L1 norm of the weights is nan: training has diverged"):
        AlphaRule(4, 0, 2)(0.1, 0.5, math.nan)
