"""RigL: steps by hand, what it promises at every step, a fixed mask where nothing moves."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from linreg_mirror.networks.methods import RigL
from sketching import apply_masks, erk, remove_masks
from tests.helpers.methods import ended, make
from tests.helpers.training import assert_dense, assert_same, examples, network, trained

pytestmark = pytest.mark.usefixtures("one_thread")


def rigl_layer(mask, x, options):
    """A layer of RigL whose mask and weights are given, with momentum 1 in all places that are active."""
    method, layer = RigL(epochs=8, keep=sum(mask) / len(mask), **options), torch.nn.Linear(len(mask), 1).double()
    method.attach(layer)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([x]))
        layer.weight_mask.copy_(torch.tensor([mask]))
    optimizer = method.optimizer(layer, lr=0.125, momentum=0.5, weight_decay=0.0)
    optimizer.state[layer.weight]["momentum_buffer"] = layer.weight_mask.double()
    return method, layer, optimizer


def rigl_step(method, layer, optimizer, g):
    optimizer.zero_grad()
    layer(torch.tensor([g], dtype=torch.float64)).sum().backward()
    method.before_step(0.125)
    optimizer.step()


def test_two_steps_of_rigl():
    mask = [True, True, True, True, False, False, False, False]
    method, layer, optimizer = rigl_layer(mask, [4.0, -0.5, 0, -3, 0, 0, 0, 0], {"every": 2, "fraction": 0.5})
    g, bias = [1.0, -6, 0, 2, 3, -5, 4, 0.5], layer.bias.item()
    rigl_step(method, layer, optimizer, g)
    # momentum 1/2 + g, where active
    assert layer.weight.tolist() == [[4 - 0.1875, -0.5 + 0.6875, -0.0625, -3 - 0.3125, 0, 0, 0, 0]]
    assert layer.bias.item() == bias - 0.125
    rigl_step(method, layer, optimizer, g)
    # Half of four move: 1 and 2 are the smallest, and of what is free then 1 and 5 have the largest gradients. So 1
    # stays as it was, and 5 begins at 0 and without momentum. Nothing else moves.
    assert layer.weight_mask.tolist() == [[True, True, False, True, False, True, False, False]]
    assert layer.weight.tolist() == [[4 - 0.1875, -0.5 + 0.6875, 0, -3 - 0.3125, 0, 0, 0, 0]]
    assert optimizer.state[layer.weight]["momentum_buffer"].tolist() == [[1.5, -5.5, 0, 2.5, 0, 0, 0, 0]]
    assert layer.bias.item() == bias - 0.125


def test_rigl_moves_fewer_and_fewer():
    method, shares = RigL(epochs=8, keep=0.5, fraction=0.5), []
    for _ in range(8):
        shares.append(method.share)
        method.after_epoch(0.5)
    expected = [0.25 * (1 + math.cos(math.pi * epoch / 6)) for epoch in range(6)]
    assert shares == pytest.approx([*expected, 0, 0])
    assert shares[-2:] == [0, 0]


def test_rigl_keeps_what_it_promises_at_every_step():
    model, method, seen, moved = network(), make("rigl", every=2), [], []
    counts = {name: k for (name,), k in erk({"0.weight": (8, 6), "3.weight": (3, 8)}, 0.3).items()}
    assert sum(counts.values()) == 22

    def look():
        masks = {name: mask.clone() for name, mask in method.masks().items()}
        assert {name: int(mask.sum()) for name, mask in masks.items()} == counts
        for name, mask in masks.items():
            assert not model.get_parameter(name)[~mask].any()
        if seen:
            moved.append(sum(int((seen[-1][name] & ~mask).sum()) for name, mask in masks.items()))
        seen.append(masks)

    trained(method, model, steps=18, each=look)
    # Every second step, by the share of the epoch in which it is; what is dropped and comes back has not moved.
    shares = [0.15 * (1 + math.cos(math.pi * min(step // 3 / 4.5, 1))) for step in range(1, 18)]
    most = [sum(int(share * k) for k in counts.values()) for share in shares]
    assert all(0 <= count <= most[step] * (step % 2 == 0) for step, count in enumerate(moved))
    assert sum(moved) > sum(most[::2]) / 2


def test_a_random_mask_to_begin_with():
    drawn = []
    for seed in (0, 0, 1):
        model, method = network(), make("rigl", seed=seed)
        method.attach(model)
        drawn.append({name: mask.clone() for name, mask in method.masks().items()})
        for name, mask in method.masks().items():
            assert torch.equal(model.get_parameter(name), network().get_parameter(name) * mask)
    assert all(torch.equal(drawn[0][name], drawn[1][name]) for name in drawn[0])
    assert not all(torch.equal(drawn[0][name], drawn[2][name]) for name in drawn[0])


def test_rigl_that_moves_nothing_trains_a_fixed_mask():
    method, model, masked = make("rigl", fraction=0.0), network(), network()
    method.attach(model)
    apply_masks(masked, method.masks())
    optimizer = method.optimizer(model, lr=0.05, momentum=0.9, weight_decay=0.01)
    trained(method, model, optimizer=optimizer)
    trained(_Bare(), masked, optimizer=torch.optim.SGD(masked.parameters(), 0.05, 0.9, weight_decay=0.01))
    method.finish()
    assert_same(remove_masks(masked), model)


class _Bare:
    """A method that does nothing."""

    before_step = after_step = after_epoch = staticmethod(lambda value: None)


def test_rigl_ends_with_its_mask():
    """With weights that are active and 0, as where an input is always 0."""
    model, method = network(), make("rigl", every=1)
    model[0].register_forward_pre_hook(lambda module, inputs: (inputs[0] * torch.tensor([1.0, 1, 0, 0, 0, 0]),))
    trained(method, model)
    with torch.no_grad():
        for name, mask in method.masks().items():
            model.get_parameter(name)[tuple(mask.nonzero()[0])] = 0
    masks = method.finish()
    assert sum(int(mask.sum()) for mask in masks.values()) == 22
    assert sum(int(model.get_parameter(name).count_nonzero()) for name in masks) == 20


def test_rigl_tells_that_it_has_no_more():
    method, _ = ended("rigl", [1.0] * 10)
    with pytest.warns(UserWarning, match=r"keep=0\.5 asks for 5 weights, and 3 of 10 are left: give RigL itself"):
        method.finish(0.5)


def test_rigl_leaves_no_layer_empty():
    model, method = network(), make("rigl", keep=0.01)
    with pytest.raises(ValueError, match=r"keep=0\.01 leaves no weight in 3\.weight: take a larger one"):
        method.attach(model)
    assert_same(network(), model)
    assert list(model.state_dict()) == list(network().state_dict())


def test_rigl_needs_its_own_optimizer():
    model, method = network(), make("rigl")
    method.attach(model)
    torch.optim.SGD(method.groups(model, momentum=0.9, weight_decay=0), 0.1)
    x, y = examples()
    cross_entropy(model(x), y).backward()
    with pytest.raises(RuntimeError, match=r"make the optimiser by method\.optimizer"):
        method.before_step(0.1)


def test_a_mask_of_all_weights_is_dense_training():
    assert_dense(make("rigl", keep=1.0, fraction=0.0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"keep": 5}, "keep is a share of the weights, above 0 and at most 1, got 5: for a sparsity"),
        ({"keep": 0}, "keep is a share of the weights, above 0 and at most 1, got 0"),
        ({"fraction": 1.5}, "fraction must be a finite number >= 0 and <= 1, got 1.5"),
        ({"every": 0}, "every must be an integer >= 1"),
        ({"seed": -1}, "seed must be an integer >= 0"),
        ({"epochs": 2.5}, "epochs must be an integer >= 1"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(ValueError, match=message):
        make("rigl", **options)


def test_with_steps_the_cosine_falls_from_step_to_step():
    method = RigL(epochs=2, keep=0.5, fraction=0.5, steps=40)
    shares = []
    for step in (0, 15, 30, 39):
        method.step = step
        shares.append(method.share)
    assert shares == pytest.approx([0.5, 0.25, 0, 0])
    with pytest.raises(ValueError, match="steps must be an integer >= 1"):
        RigL(epochs=2, keep=0.5, steps=0)
