"""Gradual magnitude pruning: the cubic, masks that only shrink, weights that stay 0."""

import pytest
import torch

from linreg_mirror.networks.methods import Dense, GradualMagnitude
from linreg_mirror.networks.pruning import largest
from tests.helpers.training import assert_same, network, trained

pytestmark = pytest.mark.usefixtures("one_thread")


def test_the_share_that_is_left_by_hand():
    method = GradualMagnitude(epochs=10, keep=0.2, start=2, end=6)
    shares = []
    for epoch in range(10):
        method.epoch = epoch
        shares.append(method.share)
    # 0.2 + 0.8 (1 - t)^3 at t = 0, 1/4, 1/2, 3/4, 1.
    assert shares == pytest.approx([1, 1, 1, 0.2 + 0.8 * 27 / 64, 0.3, 0.2 + 0.8 / 64, 0.2, 0.2, 0.2, 0.2])
    assert (GradualMagnitude(epochs=20, keep=0.5).end, GradualMagnitude(epochs=1, keep=0.5).end) == (15, 1)


def test_masks_shrink_and_what_is_pruned_stays_zero():
    model, method = network(), GradualMagnitude(epochs=6, keep=0.1, end=4)
    seen, counts = [], []

    def look():
        masks = {name: mask.clone() for name, mask in method.masks().items()}
        for name, x in method.weights().items():
            assert not x[~masks[name]].any()
            assert not seen or not (masks[name] & ~seen[-1][name]).any()
        seen.append(masks)
        counts.append(sum(int(mask.sum()) for mask in masks.values()))

    trained(method, model, steps=18, each=look)
    assert sorted(counts, reverse=True) == counts
    assert counts[0] == 72
    assert counts[-1] == 7
    assert sum(int(mask.sum()) for mask in method.finish().values()) == 7
    assert list(model.state_dict()) == list(network().state_dict())


def test_the_smallest_go():
    model, method = network(), GradualMagnitude(epochs=2, keep=0.5, end=1)
    method.attach(model)
    expected = largest(method.weights(), 0.5)
    method.after_epoch(0.5)
    assert all(torch.equal(mask, expected[name]) for name, mask in method.masks().items())


def test_with_a_share_of_one_it_is_dense_training():
    one, other = network(), network()
    for method, model in ((Dense(), one), (GradualMagnitude(epochs=6, keep=1.0), other)):
        trained(method, model)
        method.finish()
    assert_same(one, other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": 0}, "keep is a share"),
        ({"keep": 0.1, "start": 5}, "start must be an integer from 0 to 4"),
        ({"keep": 0.1, "start": 2, "end": 2}, "end"),
        ({"keep": 0.1, "end": 6}, "end"),
        ({"keep": 0.1, "end": 2.5}, "end must be an integer"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        GradualMagnitude(epochs=5, **options)
