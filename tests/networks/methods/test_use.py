"""Loops that forget a call of the method are told of it by `finish`."""

import warnings

import pytest
import torch
from torch.nn.functional import cross_entropy

from linreg_mirror.networks.methods import Dense, PILoT, Spred
from tests.helpers.training import examples, network, trained

pytestmark = pytest.mark.usefixtures("one_thread")


def unbound(method, count=3, *, after=True):
    """Train with an optimiser that does not know the method."""
    model, (x, y) = network(), examples()
    method.attach(model)
    optimizer = method.optimizer(model, lr=0.05, momentum=0.9, weight_decay=0.0)
    for _ in range(count):
        cross_entropy(model(x), y).backward()
        optimizer.step()
        if after:
            optimizer.zero_grad()
    return optimizer


@pytest.mark.parametrize("after", [True, False])
def test_steps_without_the_penalty(after):
    method = Spred(alpha=0.1)
    unbound(method, after=after)
    with pytest.warns(
        UserWarning, match=r"^no step had a penalty.* write optimizer = method\.bind\(optimizer\)"
    ) as seen:
        method.finish()
    assert seen[0].filename == __file__


def test_another_optimiser_than_the_bound_one_was_stepped():
    method = Spred(alpha=0.1)
    method.bind(unbound(method))
    with pytest.warns(UserWarning, match="no step had a penalty.* step that optimiser"):
        method.finish()


def test_epochs_that_are_not_told_of():
    for delta, warned in ((1.02, True), (1.0, False)):
        method = PILoT(epochs=2, alpha=0.1, delta=delta)
        trained(method, network(), steps=2)
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            method.finish()
        assert [str(one.message) for one in seen] == [
            "alpha has stayed 0.1, as no epoch was told of: call method.after_epoch(accuracy) after each"
        ] * warned


def test_nothing_is_said_of_what_is_right():
    """pytest turns warnings into errors."""
    unbound(dense := Dense())
    dense.finish()
    unbound(none := Spred(alpha=0.0))
    none.finish()
    (untrained := Spred(alpha=0.1)).attach(network())
    untrained.finish()
    trained(method := PILoT(epochs=2, alpha=0.1), model := network(), steps=6)
    (loaded := PILoT(epochs=2, alpha=0.1)).attach(other := network())
    other.load_state_dict(model.state_dict())
    loaded.finish()
    (resumed := PILoT(epochs=2, alpha=0.1)).attach(other := network())
    resumed.load_state_dict(method.state_dict())
    cross_entropy(other(torch.ones(3, 6)), torch.tensor([0, 1, 2])).backward()
    resumed.finish()
    method.finish(0.5)
    method.finish(0.25)  # further
