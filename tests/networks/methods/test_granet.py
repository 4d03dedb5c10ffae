"""GraNet: the cubic by hand, pruning of all layers together before weights move, and where it ends."""

import math

import pytest
import torch

from linreg_mirror.networks.methods import GraNet, RigL
from linreg_mirror.networks.pruning import largest
from tests.helpers.methods import make
from tests.helpers.training import assert_same, network, trained

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_share_that_is_left_by_hand():
    method, left = GraNet(epochs=8, keep=0.1, start=0.9, steps=80), []
    for method.step in (0, 15, 30, 45, 60, 80):
        left.append(method.left)
    assert left == pytest.approx([0.9, 0.1 + 0.8 * 27 / 64, 0.2, 0.1 + 0.8 / 64, 0.1, 0.1])


@pytest.mark.parametrize("steps", [None, 18])
def test_it_shrinks_to_what_it_promises(steps):
    model, method, counts = network(), make("granet", every=2, steps=steps), []

    def look():
        masks = method.masks()
        counts.append(sum(int(mask.sum()) for mask in masks.values()))
        assert all(not model.get_parameter(name)[~mask].any() for name, mask in masks.items())
        # As many as are left by the cubic when the mask last changed; 72 weights in all.
        if method.step % 2 == 0 and method.thinned < 1:
            assert counts[-1] == math.floor(72 * method.left + 0.5)

    trained(method, model, steps=18, each=look)
    assert counts == sorted(counts, reverse=True)
    assert (counts[0], counts[-1]) == (43, 22)
    assert sum(int(mask.sum()) for mask in method.finish().values()) == 22


def test_the_smallest_of_all_layers_go_and_then_weights_move():
    one, method = network(), make("granet", every=1, fraction=0.0, steps=18)
    method.attach(one)
    method.optimizer(one, lr=0.1, momentum=0.0, weight_decay=0.0)
    weights = {name: x.clone() for name, x in method.weights().items()}
    one(torch.randn(4, 6)).sum().backward()
    method.before_step(0.1)
    expected = largest(weights, method.left)
    assert all(torch.equal(mask, expected[name]) for name, mask in method.masks().items())
    assert not any(parameter.grad is not None for parameter in one.parameters())


def test_with_equal_shares_it_is_rigl():
    one, other = network(), network()
    options = {"epochs": 6, "keep": 0.3, "every": 3, "fraction": 0.3, "steps": 18}
    trained(RigL(**options), one, steps=12)
    trained(GraNet(**options, start=0.3), other, steps=12)
    assert_same(one, other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": 0.2}, "keep must be at most start, got keep=0.3 and start=0.2"),
        ({"start": 0.0}, "start"),
        ({"keep": 2}, "keep"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        make("granet", **options)


def test_a_layer_that_is_empty_at_first():
    with pytest.raises(ValueError, match=r"start=0.01 leaves no weight in"):
        make("granet", keep=0.01, start=0.01).attach(network())
