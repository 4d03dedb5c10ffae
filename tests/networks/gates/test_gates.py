"""L0 gates on torch modules: against sums over all gate patterns, NumPy, and torch's own optimisers."""

import copy
import itertools
import math
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from scipy.special import expit, logit
from torch import nn
from torch.nn import functional

from linreg_mirror.hard_concrete import HardConcrete
from linreg_mirror.networks import gates, models
from linreg_mirror.networks.gates import generator, penalty
from linreg_mirror.networks.parametrizations.hadamard import apply_hadamard
from sketching import prunable

pytestmark = pytest.mark.usefixtures("one_thread")

LOG100 = math.log(100)
LOGITS = [-1e4, -100.0, -4.6, -2.5, -2.3, -0.5, 0.0, 1.0, 2.3, 2.5, 4.6, 100.0, 1e4]


def rng(seed=0):
    return np.random.default_rng(seed)


def normal(*shape, seed=0, dtype=torch.float64):
    return torch.tensor(rng(seed).standard_normal(shape), dtype=dtype)


def randomised(model, seed=0):
    """The model in double precision and evaluation, with statistics and gains that are not those of the start."""
    model = model.double().eval()
    source = rng(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                    tensor.copy_(torch.as_tensor(source.uniform(0.5, 1.5, tensor.shape)))
    return model


def set_logits(model, values):
    """Give free gates on channels these logits, one array for each."""
    with torch.no_grad():
        for gate, loga in zip(gates.gates_of(model).values(), values, strict=True):
            gate.loga.copy_(torch.as_tensor(loga))


def mixed(model, seed=0):
    """Logits of which about a third are closed, a third open, and a third between."""
    source = rng(seed)
    sizes = [gate.loga.shape for gate in gates.gates_of(model).values()]
    set_logits(model, [source.permutation(np.linspace(-7, 7, math.prod(size))).reshape(size) for size in sizes])


def small_vgg():
    widths = [(2, 4), (4, 6), (6, 5)]
    blocks = [(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2)) for a, b in widths]
    return nn.Sequential(nn.Sequential(*itertools.chain(*blocks)), nn.Flatten(), nn.Linear(5 * 4, 3))


# The distribution


@pytest.fixture
def midpoints(monkeypatch):
    """Let torch.rand return the midpoints of equal cells along the first dimension, so that means are integrals."""

    def cells(shape, **named):
        u = (torch.arange(shape[0], **named) + 0.5) / shape[0]
        return u.view(-1, *[1] * (len(shape) - 1)).expand(shape)

    monkeypatch.setattr(torch, "rand", cells)


def test_gates_have_the_distribution_in_closed_form(midpoints):
    exact, count = HardConcrete(), 20_000
    loga = torch.tensor(LOGITS, dtype=torch.float64)
    z = gates.sample(loga, (count,))
    assert z.shape == (count, len(LOGITS))
    np.testing.assert_allclose((z > 0).double().mean(0), exact.open_probability(LOGITS), atol=1 / count)
    np.testing.assert_allclose((z == 1).double().mean(0), exact.full_probability(LOGITS), atol=1 / count)
    np.testing.assert_allclose(z.mean(0), exact.mean(LOGITS), atol=5e-8)
    np.testing.assert_allclose(z.var(0, correction=0), exact.variance(LOGITS), atol=5e-8)
    np.testing.assert_allclose(gates.open_probability(loga), exact.open_probability(LOGITS), rtol=1e-14)
    np.testing.assert_allclose(gates.deterministic(loga), exact.deterministic(LOGITS), rtol=1e-14)


def test_gates_by_hand():
    found = gates.deterministic(torch.tensor([0, math.log(3), -math.log(11), math.log(11), -9, 9], dtype=torch.float64))
    expected = torch.tensor([0.5, 0.8, 0, 1, 0, 1], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-16)
    assert gates.open_probability(torch.zeros(1)).item() == pytest.approx(11 ** (2 / 3) / (1 + 11 ** (2 / 3)))


def test_gradients_of_a_draw_are_those_of_the_formula():
    loga = torch.linspace(-5, 5, 41, dtype=torch.float64, requires_grad=True)

    def drawn(loga):
        torch.manual_seed(3)
        return gates.sample(loga)

    with torch.random.fork_rng():
        z = drawn(loga)
        (found,) = torch.autograd.grad(z.sum(), loga)
        h = 1e-6
        expected = (drawn(loga.detach() + h) - drawn(loga.detach() - h)) / (2 * h)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-9)
    assert (found > 0).sum() >= 5


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("u", [0.0, 0.5, 1 - 2**-24])
def test_nothing_overflows(dtype, u, monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda shape, **named: torch.full(shape, u, **named))
    loga = torch.tensor([*LOGITS, 6e4, -6e4], dtype=dtype, requires_grad=True)
    for function in (gates.sample, gates.deterministic, gates.open_probability):
        value = function(loga)
        (gradient,) = torch.autograd.grad(value.sum(), loga)
        assert value.dtype == gradient.dtype == dtype
        assert ((value >= 0) & (value <= 1)).all()
        assert gradient.isfinite().all()


# Where channels are gated


def names(model):
    return [site.gated for site in gates.sites_of(model)]


def test_where_the_models_are_gated():
    vgg = models.create("vgg16-bn", seed=0, small_images=True)
    assert names(vgg) == [name for name, module in vgg.named_modules() if isinstance(module, nn.BatchNorm2d)]
    resnet = models.create("resnet56", seed=0)
    blocks = [f"layer{stage}.{block}.bn1" for stage in (1, 2, 3) for block in range(9)]
    assert names(resnet) == ["bn1", *blocks]
    assert [site.consumer for site in gates.sites_of(resnet)][:2] == [None, "layer1.0.conv2"]
    assert len(names(models.create("resnet50", seed=0))) == 33
    assert [site.consumer for site in gates.sites_of(models.create("mlp", seed=0))] == ["3", "5"]
    lenet = gates.sites_of(models.create("lenet-5", seed=0))
    assert [(site.gated, site.consumer, site.block) for site in lenet] == [("0", "3", 1), ("3", "7", 16), ("7", "9", 1)]


def test_an_activation_may_be_used_several_times():
    relu = nn.ReLU()
    model = nn.Sequential(nn.Linear(2, 3), relu, nn.Linear(3, 4), relu, nn.Linear(4, 2))
    assert names(model) == ["0", "2"]
    model = randomised(model)
    gates.gate_channels(model, rng())
    mixed(model)
    torch.testing.assert_close(gates.extract(model)(normal(5, 2)), model(normal(5, 2)), rtol=1e-12, atol=1e-13)


class Computes(nn.Module):
    """Two convolutions and a linear layer, with a function between the last two."""

    def __init__(self, function):
        super().__init__()
        self.a, self.b, self.c = nn.Conv2d(2, 3, 1), nn.Conv2d(3, 4, 1), nn.Linear(4, 2)
        self.function = function

    def forward(self, x):
        return self.c(self.function(self.b(torch.relu(self.a(x)))))


@pytest.mark.parametrize(
    ("function", "found"),
    [
        (lambda x: torch.relu(x).mean((-2, -1)), "ab"),
        (lambda x: torch.relu(x).mean(dim=(3, 2)), "ab"),
        (lambda x: torch.flatten(nn.functional.relu(x), 1), "ab"),
        (lambda x: x.flatten(1), "ab"),
        (lambda x: x.flatten(2), "a"),
        (lambda x: x.mean(1), "a"),
        (lambda x: x.mean((-2, -1), keepdim=True), "a"),
        (lambda x: torch.sigmoid(x).flatten(1), "a"),  # 1/2 at 0
        (lambda x: (x + 1).flatten(1), "a"),
        (lambda x: x, "a"),  # the linear layer then acts on another dimension
    ],
)
def test_what_a_channel_may_go_through(function, found):
    assert names(Computes(function)) == list(found)


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ([nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 2)], ["0"]),
        ([nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.GELU(), nn.Linear(4, 2)], ["1"]),
        ([nn.Conv1d(2, 4, 1), nn.BatchNorm1d(4), nn.Conv1d(4, 2, 1)], ["1"]),
        ([nn.Conv2d(2, 4, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 2)], ["0"]),
        ([nn.Conv2d(2, 4, 1), nn.Conv2d(4, 4, 1, groups=2), nn.ReLU(), nn.Conv2d(4, 2, 1)], ["1"]),
        ([nn.Conv2d(2, 4, 1), nn.Flatten(), nn.Linear(6, 2), nn.Linear(2, 1)], ["2"]),
    ],
)
def test_layers_between(layers, found):
    assert names(nn.Sequential(*layers)) == found


def test_what_has_no_channels_to_gate():
    for layers in (
        [nn.Linear(2, 2), nn.Sigmoid(), nn.Linear(2, 2)],
        [nn.Linear(2, 2), nn.BatchNorm1d(2, affine=False), nn.Linear(2, 2)],
        [nn.Linear(2, 2)],
    ):
        model = nn.Sequential(*layers)
        before = list(model.state_dict())
        with pytest.raises(ValueError, match=r"Sequential has no channels to gate: .* gate its weights instead"):
            gates.gate_channels(model, rng())
        assert list(model.state_dict()) == before

    class Branching(nn.Linear):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    again = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="Sequential has no channels to gate"):
        gates.sites_of(nn.Sequential(again, nn.ReLU(), again))
    with pytest.raises(ValueError, match=r"Branching cannot be traced.*\(.*\): gate its weights instead"):
        gates.sites_of(Branching(2, 2))


# What gated models compute


def test_nothing_is_drawn_when_gates_are_made_or_in_evaluation():
    new = [small_vgg() for _ in range(6)]
    before = torch.get_rng_state()
    for training in (True, False):
        for gate in (gates.gate_weights, gates.gate_channels, partial(gates.gate_channels, direction="forward")):
            model = gate(new.pop().train(training), rng())
            assert all(module.training == training for module in model.modules())
            model.eval()(normal(2, 2, 16, 16, dtype=torch.float32))
            assert torch.equal(torch.get_rng_state(), before)
    model.train()(normal(2, 2, 16, 16, dtype=torch.float32))
    assert not torch.equal(torch.get_rng_state(), before)


def test_first_logits():
    weights, channels = gates.gate_weights(small_vgg(), rng(1)), gates.gate_channels(small_vgg(), rng(1))
    loga = torch.cat([gate.loga.flatten() for gate in gates.gates_of(weights).values()]).detach().double()
    assert abs(loga.mean() - 3) < 2e-3
    assert abs(loga.std() - 0.01) < 2e-3
    assert [len(gate.loga) for gate in gates.gates_of(channels).values()] == [4, 6, 5]
    assert list(gates.gates_of(weights)) == list(prunable(small_vgg()))
    assert list(gates.gates_of(channels)) == ["0.1", "0.5", "0.9"]


def z_of(loga, u):
    """The formula, in NumPy."""
    return np.clip(expit((logit(u) + loga) * 1.5) * 1.2 - 0.1, 0, 1)


def test_gates_on_weights_by_hand():
    layer = nn.Linear(3, 2).double()
    with torch.no_grad():
        layer.weight.copy_(normal(2, 3, seed=6))
        layer.bias.copy_(normal(2, seed=7))
    model = gates.gate_weights(layer, rng())
    loga = rng(5).normal(0, 2, (2, 3))
    set_logits(model, [loga])
    w = model.parametrizations.weight.original.detach().numpy()
    x = normal(4, 3)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        u = torch.rand(2, 3, dtype=torch.float64).numpy()
        torch.manual_seed(1)
        found = model(x).detach()
    np.testing.assert_allclose(found, x.numpy() @ (w * z_of(loga, u)).T + model.bias.detach().numpy(), rtol=1e-13)
    fixed = np.clip(expit(loga) * 1.2 - 0.1, 0, 1)
    np.testing.assert_allclose(model.eval().weight.detach(), w * fixed, rtol=1e-13)
    gates.freeze_gates(model.train())
    np.testing.assert_allclose(model.weight.detach(), w * fixed, rtol=1e-13)


def test_each_example_has_gates_of_its_own():
    model = nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2)).double()
    x = normal(5, 2, 2, 2)
    normed = model[1](model[0](x)).detach().numpy()
    gates.gate_channels(model, rng())
    set_logits(model, [[-1.0, 0.0, 1.0]])
    with torch.random.fork_rng():
        torch.manual_seed(1)
        u = torch.rand(5, 3, dtype=torch.float64).numpy()
        torch.manual_seed(1)
        found = model[1](model[0](x)).detach()
    np.testing.assert_allclose(found, normed * z_of(np.array([-1, 0, 1]), u)[:, :, None, None], atol=1e-14)
    model.eval()  # batch norm computes no statistics of nothing
    assert model[1](model[0](x[:0])).shape == (0, 3, 2, 2)


@pytest.mark.parametrize("shape", [(3,), (4, 3), (4, 5, 3)])
def test_gates_of_units_are_along_the_last_dimension(shape):
    model = gates.gate_channels(nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2)).double(), rng())
    set_logits(model, [[-9, -9, 0, 0, 9, 9]])
    plain = nn.functional.linear(normal(*shape), model[0].weight, model[0].bias)
    found = model.eval()[0](normal(*shape))
    torch.testing.assert_close(found, plain * torch.tensor([0, 0, 0.5, 0.5, 1, 1]))
    drawn = model.train()[0](normal(*shape))
    assert drawn.shape == (*shape[:-1], 6)
    # One gate for all positions of an example.
    ratio = (drawn / plain)[..., 2:4]
    torch.testing.assert_close(ratio, (ratio[:, :1] if len(shape) == 3 else ratio).expand_as(ratio))


# The penalty


def patterns(probabilities):
    """All patterns of independent gates, with their probabilities."""
    for pattern in itertools.product([0, 1], repeat=len(probabilities)):
        yield np.array(pattern), math.prod(p if on else 1 - p for on, p in zip(pattern, probabilities, strict=True))


def test_the_penalty_is_the_mean_over_all_patterns():
    layers = (nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 2), nn.Flatten(), nn.Linear(16, 5))
    model = gates.gate_channels(nn.Sequential(*layers, nn.ReLU(), nn.Linear(5, 2)).double(), rng())
    logits = [rng(seed).normal(-1, 2, width) for seed, width in enumerate((3, 4, 5))]
    set_logits(model, logits)
    open_, weights = 0.0, 0.0
    for on, probability in patterns(HardConcrete().open_probability(np.concatenate(logits))):
        first, second, third = (part.sum() for part in np.split(on, [3, 7]))
        open_ += probability * on.sum()
        weights += probability * (2 * first * 9 + first * second * 4 + 4 * second * third)
    assert gates.expected_open(model).item() == pytest.approx(open_, rel=1e-13)
    assert gates.expected_weights(model).item() == pytest.approx(weights, rel=1e-13)


def test_the_expected_number_of_weights_that_are_not_zero():
    model = gates.gate_weights(nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1)).double(), rng())
    logits = [rng(0).normal(-1, 2, (3, 2)), rng(1).normal(-1, 2, (1, 3))]
    set_logits(model, logits)
    flat = np.concatenate([loga.ravel() for loga in logits])
    expected = sum(on.sum() * probability for on, probability in patterns(HardConcrete().open_probability(flat)))
    assert gates.expected_open(model).item() == pytest.approx(expected, rel=1e-13)


def test_the_inputs_of_a_block_count_as_the_gated_layer_before():
    model = gates.gate_channels(models.create("resnet20", seed=0).double(), rng())
    probabilities = [gates.open_probability(g.logits()).sum().item() for g in gates.gates_of(model).values()]
    expected = 9 * sum(a * b for a, b in itertools.pairwise([3, *probabilities]))
    assert gates.expected_weights(model).item() == pytest.approx(expected, rel=1e-13)


# Folding and extraction


def grouped():
    """A grouped convolution can be gated, not made smaller: a channel that goes would move others to other groups."""
    return nn.Sequential(
        nn.Conv2d(2, 4, 1), nn.ReLU(), nn.Conv2d(4, 6, 1, groups=2), nn.ReLU(), nn.Conv2d(6, 5, 1), nn.ReLU(),
        nn.Conv2d(5, 2, 1),
    )  # fmt: skip


class Functional(nn.Module):
    """Everything between the layers is a function or a method."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Conv2d(2, 4, 3), nn.Conv2d(4, 5, 1), nn.Linear(5, 3)

    def forward(self, x):
        x = functional.max_pool2d(functional.relu(self.first(x)), 2)
        x = functional.avg_pool2d(functional.dropout(self.second(x).relu(), 0.5, self.training), 2)
        return self.last(torch.flatten(functional.adaptive_avg_pool2d(x, 1), 1))


class Misnamed(nn.Module):
    """What is called relu is 1/2 where its input is 0, so that no channel can be left out."""

    def __init__(self):
        super().__init__()
        self.first, self.relu, self.last = nn.Linear(2, 4), nn.Sigmoid(), nn.Linear(4, 3)

    def forward(self, x):
        return self.last(self.relu(self.first(x)))


def test_a_name_makes_no_activation():
    with pytest.raises(ValueError, match="Misnamed has no channels to gate"):
        gates.sites_of(Misnamed())


NETWORKS = {
    "functional": (Functional, (3, 2, 11, 11)),
    "mlp": (lambda: models.create("mlp", seed=0), (3, 64)),
    "lenet-5": (lambda: models.create("lenet-5", seed=0), (3, 1, 28, 28)),
    "small vgg": (small_vgg, (3, 2, 16, 16)),
    "grouped": (grouped, (3, 2, 5, 5)),
    "resnet20": (lambda: models.create("resnet20", seed=0), (2, 3, 32, 32)),
    "resnet18": (lambda: models.create("resnet18", seed=0, small_images=True, classes=5), (1, 3, 32, 32)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_smaller_network_computes_the_same(name):
    make, shape = NETWORKS[name]
    model = randomised(make())
    count, x = sum(p.numel() for p in model.parameters()), normal(*shape)
    plain = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    dense, order = model(x), [id(p) for p in model.parameters()]
    gates.gate_channels(model, rng())
    mixed(model)
    sites = gates.sites_of(make())
    left = [int((gates.deterministic(gate.loga) > 0).sum()) for gate in gates.gates_of(model).values()]
    assert all(0 < some < len(gate.loga) for some, gate in zip(left, gates.gates_of(model).values(), strict=True))
    expected = model(x)
    assert (expected - dense).abs().max() > 0.01 * dense.abs().max()

    small = gates.extract(model)
    torch.testing.assert_close(small(x), expected, rtol=1e-12, atol=1e-12)
    for site, some in zip(sites, left, strict=True):
        layer, whole = small.get_submodule(site.layer), model.get_submodule(site.layer)
        assert len(layer.weight) == (some if site.consumer else len(whole.weight))
        assert (layer.out_features if isinstance(layer, nn.Linear) else layer.out_channels) == len(layer.weight)
    assert not gates.gates_of(small)
    assert sum(p.numel() for p in small.parameters()) < count
    assert len(gates.gates_of(model)) == len(sites), "the model itself is as it was"
    small.train()(x.repeat(2, *[1] * (x.ndim - 1))).sum().backward()

    assert gates.fold_gates(model) is model
    torch.testing.assert_close(model(x), expected, rtol=1e-12, atol=1e-12)
    assert [id(p) for p in model.parameters()] == order
    assert list(model.state_dict()) == list(plain)
    assert not any(module._forward_hooks for module in model.modules())
    torch.testing.assert_close(gates.extract(model)(x), expected, rtol=1e-12, atol=1e-12)


def test_what_is_zero_after_folding():
    """All that makes a closed channel, and what takes it in; the other numbers by hand."""
    model = randomised(small_vgg())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    gates.gate_channels(model, rng())
    set_logits(model, [[-9, 9, 0, 9], [9] * 6, [9, -9, 9, 9, 0]])
    state = gates.fold_gates(model).state_dict()
    assert not state["0.0.weight"][0].any()
    assert not state["0.4.weight"][:, 0].any()
    assert not state["2.weight"][:, 4:8].any()
    assert torch.equal(state["2.weight"][:, 8:], before["2.weight"][:, 8:])
    assert torch.equal(state["0.0.weight"][1:], before["0.0.weight"][1:])
    for name in ("weight", "bias"):
        torch.testing.assert_close(state[f"0.1.{name}"], before[f"0.1.{name}"] * torch.tensor([0, 1, 0.5, 1]))


def test_a_layer_without_open_gates_keeps_one_channel_of_zeros():
    model = gates.gate_channels(randomised(small_vgg()), rng())
    set_logits(model, [[9] * 4, [-9] * 6, [9] * 5])
    x = normal(3, 2, 16, 16)
    small = gates.extract(model)
    assert len(small[0][4].weight) == 1
    torch.testing.assert_close(small(x), model(x), rtol=1e-12, atol=1e-12)
    assert torch.equal(small(x)[0], small(x)[1])


def test_gates_on_weights_are_folded():
    model = randomised(small_vgg())
    order = [id(p) for p in model.parameters()]
    gates.gate_weights(model, rng())
    mixed(model)
    x = normal(3, 2, 16, 16)
    expected, weights = model(x), gates.folded(model)
    gates.fold_gates(model.train())
    assert torch.equal(model.eval()(x), expected)
    assert [id(p) for p in model.parameters()] == order
    assert list(weights) == list(prunable(model))
    assert all(torch.equal(w, weights[name]) for name, w in prunable(model).items())
    assert torch.equal(gates.fold_gates(model)(x), expected), "without gates nothing happens"


# Copies and states


def generated(direction="forward", seed=0):
    return gates.gate_channels(small_vgg(), rng(seed), direction)


GATED = {
    "weights": lambda seed: gates.gate_weights(small_vgg(), rng(seed)),
    "channels": lambda seed: gates.gate_channels(small_vgg(), rng(seed)),
    "generated": lambda seed: generated("backward", seed),
}


@pytest.mark.parametrize("kind", GATED)
def test_copies_are_independent(kind):
    x = normal(3, 2, 16, 16, dtype=torch.float32)
    model = GATED[kind](0)
    model(x).sum().backward()  # what training leaves behind is in no one's way
    expected = model.eval()(x)
    copied = copy.deepcopy(model)
    with torch.no_grad():
        for gate in gates.gates_of(copied).values():
            for parameter in gate.parameters():
                parameter.fill_(-2)
    assert torch.equal(model(x), expected)
    assert not torch.equal(copied(x), expected)
    gates.fold_gates(copied)
    assert torch.equal(model(x), expected)
    assert gates.gates_of(model)
    if kind != "weights":
        assert torch.equal(pickle.loads(pickle.dumps(model))(x), expected)


@pytest.mark.parametrize("kind", GATED)
def test_a_state_is_loaded_into_a_model_gated_alike(kind):
    x = normal(3, 2, 16, 16, dtype=torch.float32)
    model, other = GATED[kind](0).eval(), GATED[kind](1).eval()
    assert not torch.equal(other(x), model(x))
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(x), model(x))


@pytest.mark.parametrize("kind", GATED)
def test_gates_follow_the_weights(kind):
    model = GATED[kind](0).to(torch.float64)
    assert model(normal(3, 2, 16, 16)).dtype == torch.float64
    again = small_vgg().double()
    gates.gate_channels(again, rng(), None if kind == "channels" else "forward")
    assert all(gate.logits().dtype == torch.float64 for gate in gates.gates_of(again).values())
    with torch.autocast("cpu", torch.bfloat16):
        assert GATED[kind](0)(normal(3, 2, 16, 16, dtype=torch.float32)).dtype == torch.bfloat16


def test_gates_are_put_on_once():
    for gate in (gates.gate_weights, gates.gate_channels):
        model = gate(small_vgg(), rng())
        for again in (gates.gate_weights, gates.gate_channels):
            with pytest.raises(ValueError, match=r"the model has gates already, on .*fold_gates\(model\)"):
                again(model, rng())
        with pytest.raises(TypeError, match="rng must be a numpy"):
            gate(small_vgg(), 0)
        with pytest.raises(ValueError, match="parametrized already"):
            gate(apply_hadamard(small_vgg()), rng())
    with pytest.raises(ValueError, match="direction must be one of forward, backward, got 'up'"):
        gates.gate_channels(small_vgg(), rng(), "up")
    with pytest.raises(ValueError, match="the model has no gates: "):
        gates.expected_open(small_vgg())
    with pytest.raises(ValueError, match="the model has no gates on channels"):
        gates.expected_weights(gates.gate_weights(small_vgg(), rng()))


# The generator


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_generated_logits_by_hand(direction):
    widths = [3, 2, 4]
    source = gates.Generator(widths, direction, torch.zeros(1, dtype=torch.float64), rng())
    order = widths if direction == "forward" else widths[::-1]
    assert [tuple(linear.weight.shape) for linear in source.maps] == list(zip(order, [order[0], *order], strict=False))
    last, expected = np.ones(order[0]), []
    for linear in source.maps:
        last = LOG100 * np.tanh(linear.weight.detach().numpy() @ last + linear.bias.detach().numpy())
        expected.append(last)
    for found, by_hand in zip(source(), expected if direction == "forward" else expected[::-1], strict=True):
        np.testing.assert_allclose(found.detach(), by_hand, rtol=1e-13)


def test_the_start_of_the_generator():
    source = gates.Generator([400, 100], "forward", torch.zeros(1), rng())
    w, c = source.maps[1].weight.detach().double(), source.maps[0].bias.detach().double()
    assert w.abs().max() <= 1 / 20
    assert w.std().item() == pytest.approx(1 / 20 / 3**0.5, rel=0.02)
    assert abs(c.mean() - 3) < 2e-3
    assert abs(c.std() - 0.01) < 2e-3


@pytest.mark.parametrize("direction", ["forward", "backward"])
@pytest.mark.parametrize("widths", [[3], [3, 2, 4]])
def test_derivatives_of_generated_logits(widths, direction):
    """Against those of autograd, and of a function of all logits against finite differences."""
    source = gates.Generator(widths, direction, torch.zeros(1, dtype=torch.float64), rng())
    parameters, weights = list(source.parameters()), [normal(width, seed=width) for width in widths]

    def function(*given):
        last, found = torch.ones_like(given[0][0]), []
        for weight, bias in zip(given[::2], given[1::2], strict=True):
            last = LOG100 * torch.tanh(weight @ last + bias)
            found.append(last)
        found = found if direction == "forward" else found[::-1]
        return sum((w * loga.square()).sum() for w, loga in zip(weights, found, strict=True))

    expected = torch.autograd.grad(function(*parameters), parameters)
    sum((w * loga.square()).sum() for w, loga in zip(weights, source(), strict=True)).backward()
    pulled = source.pulled_back(lambda logits: [2 * w * loga for w, loga in zip(weights, logits, strict=True)])
    for parameter, one, other in zip(parameters, expected, pulled, strict=True):
        torch.testing.assert_close(parameter.grad, one, rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(other, one, rtol=1e-12, atol=1e-14)
    assert torch.autograd.gradcheck(lambda *_: torch.cat(source()), parameters)


def test_logits_of_a_pass_are_used_until_parameters_change(monkeypatch):
    calls, whole = [], generator._generated
    monkeypatch.setattr(generator, "_generated", lambda given: calls.append(1) or whole(given))
    source = gates.Generator([3, 2], "forward", torch.zeros(1, dtype=torch.float64), rng())
    seen = []

    def slopes(logits):
        seen.append(torch.cat(logits))
        return logits

    first = torch.cat(source()).detach()
    source.pulled_back(slopes)
    assert len(calls) == 1
    source()
    with torch.no_grad():
        source.maps[0].bias.add_(1)
    source.pulled_back(slopes)
    assert len(calls) == 3
    assert torch.equal(seen[0], first)
    assert torch.equal(seen[1], torch.cat(source()))
    assert not torch.equal(seen[0], seen[1])


@pytest.mark.parametrize(
    "model", [lambda: small_vgg().double(), lambda: nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1)).double()]
)
def test_derivatives_of_the_expected_weights(model):
    model = gates.gate_channels(model(), rng())
    logits = [gate.loga for gate in gates.gates_of(model).values()]
    with torch.no_grad():
        for place, loga in enumerate(logits):
            loga.copy_(normal(len(loga), seed=place))
    expected = torch.autograd.grad(gates.expected_weights(model), logits)
    found = penalty.slopes_of_expected_weights([loga.detach() for loga in logits], penalty.sizes_of(model))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=0)
    assert expected[0].any()


@pytest.mark.parametrize("fails", [False, True])
def test_logits_are_generated_once_in_a_pass(fails, monkeypatch):
    model, calls, whole = generated(), [], gates.Generator.forward
    monkeypatch.setattr(gates.Generator, "forward", lambda self: calls.append(1) or whole(self))
    x = normal(3, 2, 16, 16, dtype=torch.float32)
    if fails:
        with pytest.raises(RuntimeError):
            model(x[:, :1])
    else:
        model(x)
    assert calls == [1]
    # Nothing is kept for the next pass, in which parameters may have changed.
    gates.gates_of(model)["0.1"].logits()
    assert calls == [1, 1]
    model[0](x)  # a part of the model, which the hooks of the whole do not see
    assert len(calls) == 5
