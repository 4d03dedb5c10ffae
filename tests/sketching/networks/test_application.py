"""Masks on torch modules: against plain products, loops of plain modules and what a module was before."""

import copy

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad, vmap
from torch.nn.utils import parametrize

from sketching.application import Mask, apply_masks, masks_of, remove_masks
from sketching.weights import prunable

pytestmark = pytest.mark.usefixtures("one_thread")


def network(seed=0):
    """Convolution, batch norm, two linear layers, for inputs (N, 1, 4, 4)."""
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 3, 3),
        torch.nn.BatchNorm2d(3),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(12, 5),
        torch.nn.Tanh(),
        torch.nn.Linear(5, 2),
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=generator)
    return model


def masks_for(model, density=0.5, seed=1, rescale=False):
    generator = torch.Generator().manual_seed(seed)
    masks = {name: torch.rand(p.shape, generator=generator) < density for name, p in prunable(model).items()}
    return {name: mask / density for name, mask in masks.items()} if rescale else masks


def batch(n=6, seed=2):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 1, 4, 4, generator=generator), torch.randn(n, 2, generator=generator)


def loss(model):
    x, y = batch()
    return (model(x) - y).square().mean()


def train(model, optimiser, steps):
    for _ in range(steps):
        optimiser.zero_grad()
        loss(model).backward()
        optimiser.step()
        yield


def weight(model, name):
    path, _, last = name.rpartition(".")
    return getattr(model.get_submodule(path), last)


# What a mask does


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (torch.tensor([[True, False], [False, True]]), [[1.0, 0.0], [0.0, 4.0]]),
        (torch.tensor([[2.5, 0.0], [1.0, 0.5]]), [[2.5, 0.0], [3.0, 2.0]]),
        (np.array([[True, False], [False, True]]), [[1.0, 0.0], [0.0, 4.0]]),
        (np.array([[2.5, 0.0], [1.0, 0.5]]), [[2.5, 0.0], [3.0, 2.0]]),
    ],
)
def test_the_weight_is_multiplied(mask, expected):
    layer = torch.nn.Linear(2, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert apply_masks(layer, {"weight": mask}) is layer
    assert layer.weight.tolist() == expected
    assert layer.weight.dtype == torch.float32
    layer.weight.sum().backward()
    assert layer.parametrizations.weight.original.grad.tolist() == np.asarray(mask, float).tolist()


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("factor", [False, True])
def test_what_is_not_finite_stays_behind_the_mask(bad, factor):
    layer, mask = torch.nn.Linear(2, 1), torch.tensor([[True, False]])
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, bad]]))
        layer.bias.zero_()
    apply_masks(layer, {"weight": mask.float() if factor else mask})
    output = layer(torch.tensor([[2.0, 5.0]]))
    output.sum().backward()
    assert output.item() == 6.0
    assert layer.parametrizations.weight.original.grad.tolist() == [[2.0, 0.0]]


@pytest.mark.parametrize("factor", [False, True])
def test_a_gradient_that_is_not_finite_stays_before_the_mask(factor):
    mask = torch.tensor([True, False])
    w = torch.ones(2, requires_grad=True)
    Mask(mask.float() if factor else mask)(w).backward(torch.tensor([1.0, float("nan")]))
    assert w.grad.tolist() == [1.0, 0.0]


def test_weights_that_are_not_named_stay_dense():
    model = network()
    apply_masks(model, {"4.weight": torch.zeros(5, 12, dtype=torch.bool)})
    assert list(masks_of(model)) == ["4.weight"]
    assert not weight(model, "4.weight").any()
    assert isinstance(weight(model, "6.weight"), torch.nn.Parameter)
    assert masks_of(apply_masks(network(), {})) == {}


def test_masks_are_copied():
    one, two, masks = network(), network(), masks_for(network())
    expected = {name: mask.clone() for name, mask in masks.items()}
    apply_masks(one, masks)
    apply_masks(two, masks)
    masks["4.weight"].logical_not_()
    one[4].parametrizations.weight[0].mask.fill_(False)
    masks_of(two)["4.weight"].fill_(False)
    assert torch.equal(masks_of(two)["4.weight"], expected["4.weight"])
    assert list(masks_of(two)) == list(expected)


def test_noncontiguous_numpy_and_read_only_masks():
    mask = np.tile([[True], [False]], (1, 3)).T
    mask.flags.writeable = False
    layer = apply_masks(torch.nn.Linear(2, 3), {"weight": mask})
    np.testing.assert_array_equal(masks_of(layer)["weight"], mask)


# Training


OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, 0.02, momentum=0.9, weight_decay=0.1),
    "nesterov": lambda p: torch.optim.SGD(p, 0.02, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda p: torch.optim.Adam(p, 0.02, weight_decay=0.1),
    "adamw": lambda p: torch.optim.AdamW(p, 0.02, weight_decay=0.1),
}


@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("name", OPTIMISERS)
def test_a_pruned_weight_never_returns(name, before, rescale):
    model = network()
    masks = masks_for(model, rescale=rescale)
    optimiser = OPTIMISERS[name](model.parameters())
    if before:  # also after momentum has built up in weights that are then pruned
        for _ in train(model, optimiser, 5):
            pass
    apply_masks(model, masks)
    if not before:
        optimiser = OPTIMISERS[name](model.parameters())
    start = {name: weight(model, name).detach().clone() for name in masks}
    for _ in train(model, optimiser, 60):
        for name, mask in masks.items():
            assert not weight(model, name)[mask == 0].any()
    for name, mask in masks.items():
        assert (weight(model, name) != start[name])[mask != 0].all()


def test_training_is_projected_descent():
    """Against a loop that sets pruned weights to zero after each step of a plain network."""
    model, plain = network(), network()
    masks = masks_for(model)
    optimiser = torch.optim.SGD(model.parameters(), 0.05, weight_decay=0.1)  # made before: it goes on with the weights
    apply_masks(model, masks)
    slow = torch.optim.SGD(plain.parameters(), 0.05, weight_decay=0.1)
    weights = prunable(plain)
    with torch.no_grad():
        for name, mask in masks.items():
            weights[name] *= mask
    for _, _ in zip(train(model, optimiser, 20), train(plain, slow, 20), strict=True):
        with torch.no_grad():
            for name, mask in masks.items():
                weights[name] *= mask
    for name in masks:
        torch.testing.assert_close(weight(model, name), weights[name])


def test_under_autocast():
    model = network()
    masks = masks_for(model)
    optimiser = torch.optim.SGD(apply_masks(model, masks).parameters(), 0.02, momentum=0.9, weight_decay=0.1)
    x, y = batch()
    for _ in range(10):
        with torch.autocast("cpu", torch.bfloat16):
            output = model(x)
        assert output.dtype == torch.bfloat16
        optimiser.zero_grad()
        (output.float() - y).square().mean().backward()
        optimiser.step()
    for name, mask in masks.items():
        assert weight(model, name).dtype == torch.float32
        assert torch.equal(weight(model, name) != 0, mask)


# Removal


@pytest.mark.parametrize("rescale", [False, True])
def test_removal_gives_the_plain_model_back(rescale):
    model = network()
    before, masks = dict(model.named_parameters()), masks_for(model, rescale=rescale)
    dense = {name: parameter.detach().clone() for name, parameter in before.items()}
    apply_masks(model, masks)
    output = model(batch()[0])
    assert remove_masks(model) is model
    assert list(dict(model.named_parameters())) == list(before)
    assert list(model.state_dict()) == list(network().state_dict())
    for name, parameter in model.named_parameters():
        assert parameter is before[name]
        assert torch.equal(parameter, dense[name] * masks.get(name, 1))
    assert [type(layer) for layer in model] == [type(layer) for layer in network()]
    torch.testing.assert_close(model(batch()[0]), output)
    assert masks_of(model) == {}
    assert remove_masks(model) is model
    apply_masks(model, masks)


def test_removal_after_training_keeps_the_optimiser():
    model = network()
    masks = masks_for(model)
    optimiser = torch.optim.SGD(apply_masks(model, masks).parameters(), 0.02, momentum=0.9)
    for _ in train(model, optimiser, 10):
        pass
    trained = {name: weight(model, name).detach().clone() for name in masks}
    remove_masks(model)
    assert all(torch.equal(weight(model, name), trained[name]) for name in masks)
    for _ in train(model, optimiser, 1):
        pass
    assert all((weight(model, name) != trained[name]).any() for name in masks)


def test_frozen_after_masking():
    layer = apply_masks(torch.nn.Linear(2, 2), {"weight": torch.eye(2, dtype=torch.bool)}).requires_grad_(False)
    assert not remove_masks(layer).weight.requires_grad
    assert torch.equal(layer.weight != 0, torch.eye(2, dtype=torch.bool))


# What happens to models


def test_deep_copies_are_independent():
    model = apply_masks(network(), masks_for(network()))
    masks, x = masks_of(model), batch()[0]
    model.eval()
    expected = model(x)
    for twin in (copy.deepcopy(model), copy.deepcopy(copy.deepcopy(model))):
        assert torch.equal(twin(x), expected)
        twin[4].parametrizations.weight[0].mask.fill_(False)
        with torch.no_grad():
            twin[0].parametrizations.weight.original.fill_(7.0)
        with parametrize.cached():
            assert torch.equal(model(x), expected)
            assert not torch.equal(twin(x), expected)
        with parametrize.cached():
            assert not torch.equal(twin(x), expected)
            assert torch.equal(model(x), expected)
        remove_masks(twin)
        assert not twin[4].weight.any()
        assert torch.equal(model(x), expected)
        assert all(torch.equal(mask, masks[name]) for name, mask in masks_of(model).items())
    twin = copy.deepcopy(model)
    remove_masks(model)
    assert torch.equal(twin(x), expected)
    assert list(masks_of(twin)) == list(masks)


@pytest.mark.parametrize("rescale", [False, True])
def test_state_dicts(rescale):
    model = network()
    masks = masks_for(model, rescale=rescale)
    apply_masks(model, masks)
    other = network(seed=5)
    apply_masks(other, masks_for(other, seed=6, rescale=rescale))
    other.load_state_dict(model.state_dict())
    assert all(torch.equal(mask, masks[name]) for name, mask in masks_of(other).items())
    assert torch.equal(other(batch()[0]), model(batch()[0]))


def test_states_of_another_kind_of_mask():
    model = network()
    binary, factors = masks_for(model), masks_for(model, rescale=True)
    apply_masks(model, factors)
    state = model.state_dict()
    with pytest.raises(ValueError, match=r"0\.parametrizations\.weight\.0\.mask: the state holds factors"):
        apply_masks(network(), binary).load_state_dict(state)
    loaded = apply_masks(network(), factors)
    loaded.load_state_dict(apply_masks(network(), binary).state_dict())
    assert all(torch.equal(mask != 0, binary[name]) and mask.max() == 1 for name, mask in masks_of(loaded).items())


def test_functional_calls_and_gradients_of_examples():
    model = apply_masks(network(), masks_for(network())).eval()
    x, y = batch()
    parameters = {name: p.detach() for name, p in model.named_parameters()}

    def example_loss(parameters, x, y):
        return (functional_call(model, parameters, (x[None],)) - y).square().sum()

    gradients = vmap(grad(example_loss), (None, 0, 0))(parameters, x, y)
    for i in range(len(x)):
        model.zero_grad()
        (model(x[i : i + 1]) - y[i]).square().sum().backward()
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(gradients[name][i], parameter.grad)
    for name, mask in masks_of(model).items():
        layer, _, last = name.partition(".")
        assert not gradients[f"{layer}.parametrizations.{last}.original"][:, ~mask].any()
    doubled = {"6.parametrizations.weight.original": 2 * parameters["6.parametrizations.weight.original"]}
    shift = model[6].bias
    torch.testing.assert_close(functional_call(model, doubled, (x,)) - shift, 2 * (model(x) - shift))


def test_compiled():
    model = apply_masks(network(), masks_for(network())).eval()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(batch()[0]), model(batch()[0]))
    loss(model).backward()
    expected = {name: p.grad.clone() for name, p in model.named_parameters()}
    model.zero_grad()
    loss(compiled).backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, expected[name])


@pytest.mark.parametrize("rescale", [False, True])
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_dtypes(dtype, rescale):
    model = network()
    masks = masks_for(model, rescale=rescale)
    expected = apply_masks(model, masks)(batch()[0])
    model.to(dtype)
    for name, mask in masks.items():
        assert weight(model, name).dtype == dtype
        assert torch.equal(weight(model, name) != 0, mask != 0)
    again = apply_masks(network().to(dtype), masks)
    assert weight(again, "4.weight").dtype == dtype
    tolerance = 0.1 if dtype == torch.bfloat16 else 1e-5
    for converted in (model, again):
        torch.testing.assert_close(converted(batch()[0].to(dtype)).float(), expected, atol=tolerance, rtol=tolerance)


def test_the_mask_goes_where_the_weight_is():
    model = network()
    apply_masks(model, masks_for(model)).to("meta")
    assert all(mask.is_meta for mask in masks_of(model).values())
    assert model(torch.empty(2, 1, 4, 4, device="meta")).shape == (2, 2)
    there = apply_masks(network().to("meta"), masks_for(network()))
    assert all(mask.is_meta for mask in masks_of(there).values())


@pytest.mark.parametrize(
    ("layer", "inputs", "names"),
    [
        (lambda: torch.nn.LSTM(3, 4), 1, ["weight_ih_l0", "weight_hh_l0"]),
        (lambda: torch.nn.MultiheadAttention(3, 1), 3, ["in_proj_weight", "out_proj.weight"]),
    ],
)
def test_several_weights_in_a_layer(layer, inputs, names):
    model = layer().eval()
    masks, order = masks_for(model), [name for name, _ in model.named_parameters()]
    x = (torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(0)),) * inputs
    plain = copy.deepcopy(model)
    with torch.no_grad():
        for name, mask in masks.items():
            plain.get_parameter(name).mul_(mask)
        expected = plain(*x)[0]
        assert not torch.equal(model(*x)[0], expected)
        torch.testing.assert_close(apply_masks(model, dict(reversed(masks.items())))(*x)[0], expected)
        assert sorted(masks_of(model)) == sorted(names) == sorted(masks)
        torch.testing.assert_close(remove_masks(model)(*x)[0], expected)
    assert [name for name, _ in model.named_parameters()] == order


def test_cached():
    model = apply_masks(network(), masks_for(network()))
    with parametrize.cached():
        assert model[4].weight is model[4].weight
        cached = loss(model)
    assert model[4].weight is not model[4].weight
    torch.testing.assert_close(cached, loss(model))


# Bad input


def with_one(bad):
    factors = torch.ones(5, 12, dtype=torch.float64)
    factors[3, 4] = bad
    return factors


@pytest.mark.parametrize(
    ("masks", "error", "match"),
    [
        ({"4.bias": torch.ones(5)}, ValueError, r"no prunable weight of the model: 4\.bias: the names are 0\.weight"),
        ({"5.weight": torch.ones(5), 3: torch.ones(5)}, ValueError, r"of the model: 5\.weight, 3:"),
        ({"4.weight": torch.ones(12, 5)}, ValueError, r"4\.weight: the mask has shape \(12, 5\), the weight \(5, 12\)"),
        (
            {"4.weight": torch.ones(5, 12, dtype=torch.int64)},
            TypeError,
            r"got torch.int64: for 0 and 1, write mask != 0",
        ),
        ({"4.weight": with_one(-1.0)}, ValueError, r"factors must be finite in torch.float32 and >= 0"),
        ({"4.weight": with_one(torch.nan)}, ValueError, "factors must be finite"),
        ({"4.weight": with_one(1e300).numpy()}, ValueError, "factors must be finite"),
        ([torch.ones(5, 12)], TypeError, "masks must map names of weights to arrays, got list"),
    ],
)
def test_masks_that_do_not_fit(masks, error, match):
    model = network()
    if isinstance(masks, dict):  # one that fits comes first: nothing of it may remain
        masks = {"0.weight": torch.zeros(3, 1, 3, 3, dtype=torch.bool)} | masks
    with pytest.raises(error, match=match):
        apply_masks(model, masks)
    assert masks_of(model) == {}
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), network().parameters(), strict=True))


def test_frozen_weights_have_no_mask():
    model = network()
    model[4].weight.requires_grad_(False)
    with pytest.raises(ValueError, match=r"no prunable weight of the model: 4\.weight"):
        apply_masks(model, {"4.weight": torch.ones(5, 12)})


def test_models_that_are_not_prunable():
    model = apply_masks(network(), masks_for(network()))
    with pytest.raises(ValueError, match=r"parametrized already: 0, 4, 6: .*remove_masks\(model\)"):
        apply_masks(model, masks_for(network()))
    tied = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    tied[1].weight = tied[0].weight
    with pytest.raises(ValueError, match="one weight under two names"):
        apply_masks(tied, {"0.weight": torch.ones(2, 2)})
    with pytest.raises(ValueError, match="not initialised yet"):
        apply_masks(torch.nn.LazyLinear(2), {"weight": torch.ones(2, 2)})


def test_another_parametrization_on_top():
    class Twice(torch.nn.Module):
        def forward(self, weight):
            return 2 * weight

    model = apply_masks(network(), masks_for(network()))
    parametrize.register_parametrization(model[4], "weight", Twice())
    with pytest.raises(ValueError, match=r"after they were masked: 4\.weight"):
        remove_masks(model)
    assert list(masks_of(model)) == list(masks_for(network()))
