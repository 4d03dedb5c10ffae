"""Magnitude pruning by layer, by pattern and by n of m; masks that hold while training goes on."""

import pytest
import torch

import sketching
from linreg_mirror.networks.pruning import largest
from tests.helpers.methods import VARIANTS, make
from tests.helpers.training import network, sgd, trained

pytestmark = pytest.mark.usefixtures("one_thread")


def drawn():
    torch.manual_seed(0)
    return {
        "stem.weight": torch.randn(4, 3),
        "blocks.0.weight": torch.randn(8, 8),
        "blocks.1.weight": torch.randn(4, 8),
    }


def counts(masks):
    return {name: int(mask.sum()) for name, mask in masks.items()}


def test_each_pattern_is_a_group_of_its_own():
    weights = drawn()
    masks = largest(weights, {"stem.weight": 1, "blocks.*": 0.25})
    assert counts(masks)["stem.weight"] == 12
    blocks = {name: weights[name] for name in list(weights)[1:]}
    alone = largest(blocks, 0.25)
    assert all(torch.equal(masks[name], alone[name]) for name in blocks)
    assert list(masks) == list(weights)
    layers = largest(weights, {"blocks.1.weight": 0.5, "blocks.0.weight": 0.125, "*": 0})
    assert counts(layers) == {"stem.weight": 0, "blocks.0.weight": 8, "blocks.1.weight": 16}


def test_two_of_four_beside_a_share():
    weights = drawn()
    masks = largest(weights, {"stem.*": 0.5, "*": "2:4"})
    assert counts(masks) == {"stem.weight": 6, "blocks.0.weight": 32, "blocks.1.weight": 16}
    assert torch.equal(masks["blocks.0.weight"], sketching.n_of_m(weights["blocks.0.weight"].abs(), 2, 4))
    inside = largest(weights, {"stem.*": 1, "*": "2:4"}, {name: torch.zeros_like(w) > 0 for name, w in weights.items()})
    assert sum(counts(inside).values()) == 0


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        ({"head.*": 0.5, "*": 1}, r"'head\.\*' matches no weight that is left to it of stem\.weight"),
        ({"*": 0.5, "stem.weight": 1}, "matches no weight that is left to it"),
        ({"stem.*": 0.5}, r"keep says nothing of blocks\.0\.weight, blocks\.1\.weight: write '\*'"),
        ("2:4", r"a multiple of 4 inputs, which stem\.weight lack: keep these whole, keep=\{'stem\.weight': 1, '\*'"),
        ("2/4", r"a share in \[0, 1\], or n:m such as '2:4', got '2/4'"),
        ({"*": 1.5}, r"keep must be in \[0, 1\]"),
    ],
)
def test_shares_that_make_no_sense(keep, message):
    with pytest.raises(ValueError, match=message):
        largest(drawn(), keep)


@pytest.mark.parametrize("name", ["dense", "spred", "pilot-mirror", "str"])
def test_finish_takes_them(name):
    model, method = network(), make(name)
    method.attach(model)
    assert counts(method.finish({"0.*": 0.25, "*": "2:4"})) == {"0.weight": 12, "3.weight": 12}
    assert int((model[3].weight != 0).sum()) == 12


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.filterwarnings("ignore:no weight has been pruned:UserWarning")
def test_held_masks_hold_while_training_goes_on(name):
    model, method = network(), make(name)
    trained(method, model, steps=3)
    masks = method.finish(0.1, hold=True)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.01)
    before = {n: w.detach().clone() for n, w in method.weights().items()}
    for _ in range(5):
        optimizer.zero_grad()
        model(torch.randn(9, 6)).square().sum().backward()
        optimizer.step()
    for n, x in method.weights().items():
        assert not x[~masks[n]].any()
        assert not torch.equal(x, before[n])
    further = method.finish(0.05, hold=True)  # prunes further, and holds
    assert sum(counts(further).values()) == 4
    assert all((masks[n] | ~mask).all() for n, mask in further.items())
    sketching.remove_masks(model)
    assert list(model.state_dict()) == list(network().state_dict())


def test_without_holding_zeros_grow_again():
    """The control: so it is the masks that hold."""
    model, method = network(), make("dense")
    method.attach(model)
    masks = method.finish(0.1)
    weights = sgd(model, 1)
    assert any(weights[n][~mask].any() for n, mask in masks.items())


def test_a_share_that_makes_no_sense_leaves_the_masks_in_place():
    model, method = network(), make("dense")
    method.attach(model)
    masks = method.finish(0.1, hold=True)
    with pytest.raises(ValueError, match=r"keep must be in \[0, 1\]"):
        method.finish(5)
    found = sketching.masks_of(model)
    assert all(torch.equal(found[name], mask) for name, mask in masks.items())
