"""x = m*w on torch modules: against plain products, and what a module was before."""

import copy

import pytest
import torch
from torch.func import functional_call
from torch.nn.utils import parametrize

from linreg_mirror.networks.parametrizations.hadamard import Hadamard, apply_hadamard, factors_of, remove_hadamard
from sketching import apply_masks, prunable

pytestmark = pytest.mark.usefixtures("one_thread")


def generator(seed):
    return torch.Generator().manual_seed(seed)


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
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(generator=generator(seed))
    return model


def inputs():
    return torch.randn(6, 1, 4, 4, generator=generator(2))


# The start


@pytest.mark.parametrize(
    ("beta", "x", "m", "w"),
    [
        (3, [2, -2, 7 / 16, 0], [2, 2, 7 / 4, 3**0.5], [1, -1, 1 / 4, 0]),
        (1, [0], [1], [0]),
        (0, [4, -1 / 4, 0], [2, 1 / 2, 0], [2, -1 / 2, 0]),
    ],
)
def test_the_start_by_hand(beta, x, m, w):
    found = Hadamard(beta).right_inverse(torch.tensor(x, dtype=torch.float64))
    torch.testing.assert_close(torch.stack(found), torch.tensor([m, w], dtype=torch.float64), rtol=1e-15, atol=0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("beta", [0.0, 1e-3, 1.0, 100.0])
def test_factors_of_any_size(beta, dtype):
    limits = torch.finfo(dtype)
    x = torch.logspace(-30, 30, 61, dtype=torch.float64).clamp(limits.tiny, limits.max).to(dtype)
    x = torch.cat([x, -x, torch.tensor([0.0, limits.max, limits.smallest_normal], dtype=dtype)])
    m, w = Hadamard(beta).right_inverse(x)
    assert m.dtype == w.dtype == dtype
    assert (m >= (1 - limits.eps) * w.abs()).all()
    torch.testing.assert_close((m * w).double(), x.double(), rtol=4 * limits.eps, atol=limits.tiny)
    if beta == 0:
        assert torch.equal(m, w.abs())
    m, w = m.double()[x != 0], w.double().abs()[x != 0]
    assert ((m - w - beta / (m + w)).abs() <= 4 * limits.eps * m).all()


def test_a_beta_below_the_smallest_number_is_none():
    m, w = Hadamard(1e-60).right_inverse(torch.tensor([4.0, 0.0]))
    assert m.tolist() == w.tolist() == [2, 0]


def test_gradients_are_those_of_the_product():
    layer = apply_hadamard(torch.nn.Linear(2, 1, bias=False), beta=3.0)
    layer.weight = torch.tensor([[2.0, -2.0]])
    layer(torch.tensor([[3.0, 5.0]])).sum().backward()
    ((m, w),) = factors_of(layer).values()
    assert (m.tolist(), w.tolist()) == ([[2, 2]], [[1, -1]])
    assert (m.grad.tolist(), w.grad.tolist()) == ([[3, -5]], [[6, 10]])


def test_what_stays_as_it_is():
    plain = dict(network().named_parameters())
    model = apply_hadamard(network(), 1.0)
    assert list(factors_of(model)) == list(prunable(network()))
    kept = {name: p for name, p in model.named_parameters() if "parametrizations" not in name}
    assert sorted(kept) == sorted(name for name, p in plain.items() if p.ndim < 2)
    assert all(torch.equal(p, plain[name]) for name, p in kept.items())
    torch.testing.assert_close(model(inputs()), network()(inputs()), rtol=1e-5, atol=1e-5)


# Removal


@pytest.mark.parametrize("beta", [0.0, 1.0])
def test_removal_gives_a_plain_model_back(beta):
    model = apply_hadamard(network(), beta)
    with torch.no_grad():
        for m, w in factors_of(model).values():
            m.normal_(generator=generator(3))
            w.normal_(generator=generator(4))
    products = {name: (m * w).detach() for name, (m, w) in factors_of(model).items()}
    output = model(inputs())
    with torch.no_grad():  # parameters must require gradients even so
        assert remove_hadamard(model) is model
    assert [type(layer) for layer in model] == [type(layer) for layer in network()]
    assert list(model.state_dict()) == list(network().state_dict())
    assert [name for name, _ in model.named_parameters()] == [name for name, _ in network().named_parameters()]
    assert all(p.requires_grad and p.is_leaf and p.grad is None for p in model.parameters())
    assert all(torch.equal(model.get_parameter(name), x) for name, x in products.items())
    assert torch.equal(model(inputs()), output)
    assert factors_of(remove_hadamard(model)) == {}
    apply_masks(model, {"4.weight": torch.ones(5, 12, dtype=torch.bool)})


def test_frozen_factors_become_a_frozen_weight():
    layer = apply_hadamard(torch.nn.Linear(2, 2)).requires_grad_(False)
    remove_hadamard(layer)
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    assert not layer.weight.requires_grad


@pytest.mark.parametrize(
    ("layer", "copies", "names"),
    [
        (lambda: torch.nn.LSTM(3, 4), 1, ["weight_ih_l0", "weight_hh_l0"]),
        (lambda: torch.nn.MultiheadAttention(3, 1), 3, ["in_proj_weight", "out_proj.weight"]),
    ],
)
def test_several_weights_in_a_layer(layer, copies, names):
    model = layer().eval()
    order = [name for name, _ in model.named_parameters()]
    x = (torch.randn(5, 2, 3, generator=generator(0)),) * copies
    with torch.no_grad():
        expected = model(*x)[0]
        torch.testing.assert_close(apply_hadamard(model)(*x)[0], expected)
        assert sorted(factors_of(model)) == sorted(names)
        torch.testing.assert_close(remove_hadamard(model)(*x)[0], expected)
    assert [name for name, _ in model.named_parameters()] == order


# What happens to models


def test_deep_copies_are_independent():
    model = apply_hadamard(network()).eval()
    expected = model(inputs())
    twin = copy.deepcopy(copy.deepcopy(model))
    assert torch.equal(twin(inputs()), expected)
    with torch.no_grad():
        factors_of(twin)["4.weight"][0].zero_()
    for first, second in ((model, twin), (twin, model)):
        with parametrize.cached():
            outputs = {first: first(inputs()), second: second(inputs())}
        assert torch.equal(outputs[model], expected)
        assert not torch.equal(outputs[twin], expected)
    remove_hadamard(twin)
    assert not twin[4].weight.any()
    assert torch.equal(model(inputs()), expected)


def test_state_dicts_and_functional_calls():
    model, other = apply_hadamard(network()).eval(), apply_hadamard(network(seed=5), beta=0.0).eval()
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert "4.parametrizations.weight.original0" in state
    assert torch.equal(functional_call(other, state, inputs()), model(inputs()))
    other.load_state_dict(state)
    assert torch.equal(other(inputs()), model(inputs()))


def test_compiled_under_autocast():
    model = apply_hadamard(network()).eval()
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)
    gradients = []
    for forward in (model, compiled):
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            output = forward(inputs())
        assert output.dtype == torch.bfloat16
        output.float().square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    assert all(m.dtype == m.grad.dtype == torch.float32 for m, _ in factors_of(model).values())
    torch.testing.assert_close(*gradients)


def test_moves():
    model = apply_hadamard(network()).to(torch.float64, memory_format=torch.channels_last)
    m, w = factors_of(model)["0.weight"]
    assert m.dtype == w.dtype == model[0].weight.dtype == torch.float64
    assert m.is_contiguous(memory_format=torch.channels_last)
    outline = apply_hadamard(network().to("meta"))
    assert all(m.is_meta and w.is_meta for m, w in factors_of(outline).values())


def test_cached():
    model = apply_hadamard(network())
    with parametrize.cached():
        assert model[4].weight is model[4].weight
    assert model[4].weight is not model[4].weight


# Bad input


@pytest.mark.parametrize("beta", [-1.0, float("nan"), float("inf"), "1", True, None])
def test_impossible_differences(beta):
    model = network()
    with pytest.raises(ValueError, match="beta must be a finite number >= 0, got"):
        apply_hadamard(model, beta)
    assert not any(parametrize.is_parametrized(layer) for layer in model)


def test_models_that_cannot_be_written_so():
    model = apply_hadamard(network())
    with pytest.raises(ValueError, match="parametrized already: 0, 4, 6"):
        apply_hadamard(model)
    with pytest.raises(ValueError, match="no trainable weight with two or more dimensions"):
        apply_hadamard(torch.nn.BatchNorm1d(3))

    class Twice(torch.nn.Module):
        def forward(self, weight):
            return 2 * weight

    parametrize.register_parametrization(model[4], "weight", Twice())
    with pytest.raises(ValueError, match=r"parametrized after they were written as m\*w: 4\.weight"):
        remove_hadamard(model)
    assert list(factors_of(model)) == list(prunable(network()))
