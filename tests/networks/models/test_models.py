"""Models: their sizes, what they compute step by step, how weights start, and models of one's own."""

import math
import pickle
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

from linreg_mirror.networks.models import MODELS, create, input_shape
from linreg_mirror.networks.models.resnets import _ZeroPadded

pytestmark = pytest.mark.usefixtures("one_thread")

CHECKOUT = Path(__file__).resolve().parents[3]
SMALL_IMAGES = ("resnet18", "resnet34", "resnet50", "vgg16-bn", "vgg19-bn")
# All models in a size for which computing is quick.
LIGHT = {name: {"small_images": True} if name in SMALL_IMAGES else {} for name in MODELS}
KINDS = ("deep-linear", "mlp", "lenet-300-100", "lenet-5", "resnet20", "resnet18", "resnet50", "vgg16-bn")


def outline(name, **options):
    """The model without numbers: shapes alone, so that 140 million parameters cost nothing."""
    with torch.device("meta"):
        return MODELS[name](**options)


def count(model):
    return sum(parameter.numel() for parameter in model.parameters())


def images(model, batch=2, seed=0, dtype=torch.float32):
    x = np.random.default_rng(seed).standard_normal((batch, *input_shape(model)))
    return torch.tensor(x, dtype=dtype)


def disturb(model, seed=0):
    """Other numbers than ones and zeros in batch norms and biases, where a mistake could hide."""
    rng = np.random.default_rng(seed)
    for name, tensor in model.state_dict().items():
        if tensor.ndim == 1:
            signs = 1 if name.endswith("var") else rng.choice([-1.0, 1.0], tensor.shape)
            tensor.copy_(torch.tensor(signs * rng.uniform(0.5, 1.5, tensor.shape)))
    return model


# Sizes


def cifar_count(n):
    """6n + 2 layers: convolutions without biases, gain and bias of each batch norm, the linear layer."""
    first, second, third = 3 * 16 + 2 * n * 16**2, 16 * 32 + (2 * n - 1) * 32**2, 32 * 64 + (2 * n - 1) * 64**2
    return 9 * (first + second + third) + 2 * ((2 * n + 1) * 16 + 2 * n * 32 + 2 * n * 64) + 64 * 10 + 10


# The last three linear layers of VGG, of which the variant for small images has one.
VGG_HEAD = (512 * 7 * 7 + 1) * 4096 + (4096 + 1) * 4096 + (4096 + 1) * 1000
VGG_SMALL_HEAD = (512 + 1) * 10


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("deep-linear", {}, 64 * 64 + 64 * 64 + 64 * 10),
        ("deep-linear", {"widths": [5, 3, 2]}, 5 * 3 + 3 * 2),
        ("mlp", {}, 65 * 128 + 129 * 64 + 65 * 10),
        ("mlp", {"widths": (5, 2)}, 5 * 2 + 2),
        ("lenet-300-100", {}, 266_610),  # as papers on pruning have it
        ("lenet-5", {}, 431_080),  # as papers on pruning have it
        ("resnet8", {}, cifar_count(1)),
        ("resnet20", {}, cifar_count(3)),
        ("resnet32", {}, cifar_count(5)),
        ("resnet56", {}, cifar_count(9)),
        ("resnet20", {"classes": 100, "channels": 1}, cifar_count(3) + 65 * 90 - 9 * 2 * 16),
        ("resnet18", {}, 11_689_512),  # as torchvision publishes it, as the next ones
        ("resnet34", {}, 21_797_672),
        ("resnet50", {}, 25_557_032),
        ("vgg16-bn", {}, 138_365_992),
        ("vgg19-bn", {}, 143_678_248),
        # From 7 x 7 to 3 x 3 in the first convolution, and ten classes.
        ("resnet18", {"small_images": True, "classes": 10}, 11_689_512 - (49 - 9) * 3 * 64 - 513 * 990),
        ("resnet50", {"small_images": True, "classes": 10}, 25_557_032 - (49 - 9) * 3 * 64 - 2049 * 990),
        ("vgg16-bn", {"small_images": True, "classes": 10}, 138_365_992 - VGG_HEAD + VGG_SMALL_HEAD),
        ("vgg19-bn", {"small_images": True, "classes": 10}, 143_678_248 - VGG_HEAD + VGG_SMALL_HEAD),
    ],
)
def test_parameters_are_counted(name, options, expected):
    assert count(outline(name, **options)) == expected


def test_counts_that_papers_round():
    """Millions, in He et al., Table 6, and for VGG on CIFAR."""
    counts = [count(outline(name)) for name in ("resnet20", "resnet32", "resnet56")]
    assert counts == [269_722, 464_154, 853_018]
    # With convolutions on shortcuts, as in the authors' code of Dep-L0: 16 x 32 + 32 x 64, and their batch norms.
    assert count(outline("resnet56", projection=True)) == 855_770
    assert [round(c / 1e6, 2) for c in counts] == [0.27, 0.46, 0.85]
    vgg = [count(outline(name, classes=10, small_images=True)) for name in ("vgg16-bn", "vgg19-bn")]
    assert [round(c / 1e6, 1) for c in vgg] == [14.7, 20.0]


@pytest.mark.parametrize("name", MODELS)
def test_logits_for_a_batch_of_the_input_shape(name):
    model = outline(name)
    expected = 1000 if name in SMALL_IMAGES else 10
    with torch.device("meta"):
        assert model(torch.ones(3, *input_shape(model))).shape == (3, expected)


@pytest.mark.parametrize(
    ("name", "options", "shape"),
    [
        ("deep-linear", {"widths": (7, 5, 4)}, (7,)),
        ("mlp", {"widths": [7, 5, 4]}, (7,)),
        ("lenet-300-100", {"classes": 4, "channels": 2}, (2, 28, 28)),
        ("lenet-5", {"classes": 4, "channels": 2}, (2, 28, 28)),
        ("resnet32", {"classes": 4, "channels": 2}, (2, 32, 32)),
        ("resnet34", {"classes": 4, "channels": 2}, (2, 224, 224)),
        ("resnet34", {"classes": 4, "channels": 2, "small_images": True}, (2, 32, 32)),
        ("vgg19-bn", {"classes": 4, "channels": 2}, (2, 224, 224)),
        ("vgg19-bn", {"classes": 4, "channels": 2, "small_images": True}, (2, 32, 32)),
    ],
)
def test_options(name, options, shape):
    model = outline(name, **options)
    assert input_shape(model) == shape
    with torch.device("meta"):
        assert model(torch.ones(3, *shape)).shape == (3, 4)


@pytest.mark.parametrize(
    ("name", "options", "size", "expected"),
    [
        ("resnet20", {}, 32, [(16, 32), (32, 16), (64, 8)]),
        ("resnet56", {}, 33, [(16, 33), (32, 17), (64, 9)]),
        ("resnet8", {"stride": 2}, 28, [(16, 14), (32, 7), (64, 4)]),
        ("resnet18", {}, 224, [(64, 56), (128, 28), (256, 14), (512, 7)]),
        ("resnet50", {}, 224, [(256, 56), (512, 28), (1024, 14), (2048, 7)]),
        ("resnet34", {"small_images": True}, 32, [(64, 32), (128, 16), (256, 8), (512, 4)]),
        ("resnet50", {"small_images": True}, 64, [(256, 64), (512, 32), (1024, 16), (2048, 8)]),
    ],
)
def test_stages_halve_images(name, options, size, expected):
    model, sizes = outline(name, **options), []
    for stage in model.stages:
        model.get_submodule(stage).register_forward_hook(lambda module, given, out: sizes.append(out.shape))
    with torch.device("meta"):
        model(torch.ones(2, 3, size, size))
    assert sizes == [(2, channels, side, side) for channels, side in expected]


@pytest.mark.parametrize(("name", "options", "side"), [("vgg16-bn", {}, 7), ("vgg19-bn", {"small_images": True}, 1)])
def test_vgg_halves_images_five_times(name, options, side):
    model = outline(name, **options)
    with torch.device("meta"):
        assert model.features(torch.ones(2, *input_shape(model))).shape == (2, 512, side, side)


def test_names_are_those_of_torchvision():
    bottleneck = {
        name.removeprefix("layer2.0."): tuple(parameter.shape)
        for name, parameter in outline("resnet50").named_parameters()
        if name.startswith("layer2.0.") and parameter.ndim > 1
    }
    assert bottleneck == {
        "conv1.weight": (128, 256, 1, 1),
        "conv2.weight": (128, 128, 3, 3),
        "conv3.weight": (512, 128, 1, 1),
        "downsample.0.weight": (512, 256, 1, 1),
    }
    names = list(outline("resnet18").state_dict())
    assert names[:3] == ["conv1.weight", "bn1.weight", "bn1.bias"]
    assert {"layer1.1.bn2.running_var", "layer4.0.downsample.1.bias", "fc.weight", "fc.bias"} <= set(names)
    assert "layer1.0.downsample.0.weight" not in names
    vgg = list(outline("vgg16-bn").state_dict())
    assert {"features.0.bias", "features.41.running_mean", "classifier.0.weight", "classifier.6.bias"} <= set(vgg)


# What is computed


def test_zero_padded_shortcut():
    x = torch.arange(18.0).reshape(1, 2, 3, 3)
    expected = torch.zeros(1, 5, 2, 2)
    expected[0, 0] = torch.tensor([[0.0, 2.0], [6.0, 8.0]])
    expected[0, 1] = torch.tensor([[9.0, 11.0], [15.0, 17.0]])
    assert torch.equal(_ZeroPadded(2, 5, 2)(x), expected)


def test_deep_linear_is_a_product_and_mlp_has_relu_between_layers():
    x = np.random.default_rng(0).standard_normal((3, 2, 3))
    linear = create("deep-linear", seed=0, widths=(6, 5, 4, 2)).double()
    W1, W2, W3 = (p.detach().numpy() for p in linear.parameters())
    out = linear(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(out, x.reshape(3, 6) @ (W3 @ W2 @ W1).T, rtol=0, atol=1e-14)
    network = disturb(create("mlp", seed=0, widths=(6, 5, 4, 2)).double())
    W1, b1, W2, b2, W3, b3 = (p.detach().numpy() for p in network.parameters())
    hidden = np.maximum(W2 @ np.maximum(W1 @ x.reshape(3, 6).T + b1[:, None], 0) + b2[:, None], 0)
    out = network(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(out, (W3 @ hidden + b3[:, None]).T, rtol=0, atol=1e-14)


def test_lenet_5_step_by_step():
    model = disturb(create("lenet-5", seed=0)).double()
    x = images(model, dtype=torch.float64)
    W1, b1, W2, b2, W3, b3, W4, b4 = model.parameters()
    first = F.max_pool2d(F.conv2d(x, W1, b1), 2).relu()  # the largest of four, then ReLU: the same
    second = F.max_pool2d(F.conv2d(first, W2, b2), 2).relu()
    assert second.shape == (2, 50, 4, 4)
    expected = (second.reshape(2, 800) @ W3.T + b3).relu() @ W4.T + b4
    torch.testing.assert_close(model(x), expected, rtol=0, atol=1e-14)


def test_vgg_step_by_step():
    model = disturb(create("vgg16-bn", seed=0, **LIGHT["vgg16-bn"])).double().eval()
    x = out = torch.tensor(np.random.default_rng(0).standard_normal((2, 3, 64, 64)))
    weights, number = model.state_dict(), 0
    for kind in "CC P CC P CCC P CCC P CCC P".replace(" ", ""):  # column D of the paper's Table 1
        if kind == "P":
            out, number = F.max_pool2d(out, 2), number + 1
            continue
        name, norm = f"features.{number}", f"features.{number + 1}"
        out = F.conv2d(out, weights[f"{name}.weight"], weights[f"{name}.bias"], padding=1)
        out, number = normalised(out, norm, weights).relu(), number + 3
    expected = out.sum((2, 3)) / 4 @ weights["classifier.weight"].T + weights["classifier.bias"]
    with torch.no_grad():
        result = model(x)
    torch.testing.assert_close(result, expected, rtol=0, atol=2e-14 * float(expected.abs().max()))


def test_vgg_for_large_images_ends_in_three_linear_layers():
    head = outline("vgg16-bn").classifier
    assert "".join(type(layer).__name__[0] for layer in head) == "LRDLRDL"
    assert [layer.p for layer in head if isinstance(layer, torch.nn.Dropout)] == [0.5, 0.5]


def normalised(x, name, weights):
    """Batch norm in evaluation mode."""
    mean, var, gain, bias = (
        weights[f"{name}.{what}"][:, None, None] for what in ("running_mean", "running_var", "weight", "bias")
    )
    return (x - mean) / torch.sqrt(var + 1e-5) * gain + bias


def residual_network(x, weights, blocks, kernels, shortcut):
    """The formulas of He et al., one after the other, from the tensors of a state dict."""

    def convolution(x, name, number, stride=1):
        weight = weights[f"{name}conv{number}.weight"]
        x = F.conv2d(x, weight, stride=stride, padding=weight.shape[-1] // 2)
        return normalised(x, f"{name}bn{number}", weights)

    x = convolution(x, "", 1).relu()
    for stage, number in enumerate(blocks, start=1):
        for block in range(number):
            name, stride = f"layer{stage}.{block}.", 2 if stage > 1 and block == 0 else 1
            if kernels == (3, 3):
                out = convolution(convolution(x, name, 1, stride).relu(), name, 2)
            else:
                out = convolution(convolution(x, name, 1).relu(), name, 2, stride)
                out = convolution(out.relu(), name, 3)
            if shortcut == "projection" and out.shape != x.shape:
                x = F.conv2d(x, weights[f"{name}downsample.0.weight"], stride=stride)
                x = normalised(x, f"{name}downsample.1", weights)
            padded = torch.zeros_like(out)
            padded[:, : x.shape[1]] = x[:, :, ::stride, ::stride] if x.shape[-1] != out.shape[-1] else x
            x = (out + padded).relu()
    return x.sum((2, 3)) / (x.shape[2] * x.shape[3]) @ weights["fc.weight"].T + weights["fc.bias"]


@pytest.mark.parametrize(
    ("name", "blocks", "kernels", "shortcut"),
    [
        ("resnet20", (3, 3, 3), (3, 3), "zeros"),
        ("resnet18", (2, 2, 2, 2), (3, 3), "projection"),
        ("resnet50", (3, 4, 6, 3), (1, 3, 1), "projection"),
    ],
)
def test_residual_networks_step_by_step(name, blocks, kernels, shortcut):
    model = disturb(create(name, seed=0, **LIGHT[name])).double().eval()
    x = images(model, dtype=torch.float64)[..., :15, :16]
    with torch.no_grad():
        expected = residual_network(x, model.state_dict(), blocks, kernels, shortcut)
        out = model(x)
    torch.testing.assert_close(out, expected, rtol=0, atol=2e-14 * float(expected.abs().max()))


# How weights start


@pytest.mark.parametrize(
    ("name", "options", "weight", "variance"),
    [
        ("resnet20", {}, "layer3.2.conv2.weight", 2 / (64 * 9)),
        ("resnet50", {"small_images": True}, "layer2.0.conv3.weight", 2 / 512),  # fan-out, not the 128 of fan-in
        ("resnet50", {"small_images": True}, "fc.weight", 2 / 2048),
        ("vgg16-bn", {"small_images": True}, "features.7.weight", 2 / (128 * 9)),
        ("lenet-300-100", {}, "1.weight", 2 / 784),
        ("lenet-5", {}, "7.weight", 2 / 800),
        ("deep-linear", {"widths": (300, 100)}, "1.weight", 1 / 300),
    ],
)
def test_weights_are_normal_with_the_variance_of_he(name, options, weight, variance):
    w = create(name, seed=0, **options).get_parameter(weight).detach().double().flatten() / math.sqrt(variance)
    # Five standard errors of the mean and of the second and fourth moments of N(0, 1).
    for power, moment, deviation in ((1, 0, 1), (2, 1, 2), (4, 3, 96)):
        assert abs(float((w**power).mean()) - moment) < 5 * math.sqrt(deviation / len(w))


@pytest.mark.parametrize("name", KINDS)
def test_gains_start_at_one_and_biases_at_zero(name):
    for module in create(name, seed=0, **LIGHT[name]).modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            assert torch.all(module.weight == 1)
        if getattr(module, "bias", None) is not None:
            assert torch.all(module.bias == 0)


@pytest.mark.parametrize("name", KINDS)
def test_a_seed_decides_all_weights(name):
    first, again, other = (list(create(name, seed=seed, **LIGHT[name]).parameters()) for seed in (3, 3, 4))
    assert all(map(torch.equal, first, again))
    assert not any(torch.equal(a, b) for a, b in zip(first, other, strict=True) if a.ndim > 1)


def test_generators_of_others_are_left_alone(own):
    state = torch.random.get_rng_state()
    create("own_models:Net", seed=0)  # which draws while it is imported, too
    create("mlp", seed=0)
    with pytest.raises(ZeroDivisionError):
        create("own_models:breaks", seed=0)
    assert torch.equal(torch.random.get_rng_state(), state)
    before = create("mlp", seed=5)
    torch.rand(7)
    assert all(map(torch.equal, before.parameters(), create("mlp", seed=5).parameters()))


def test_the_largest_seed():
    assert not torch.equal(*(next(create("mlp", seed=seed).parameters()) for seed in (2**64 - 1, 2**64 - 2)))


def test_weights_do_not_depend_on_the_default_device():
    with torch.device("meta"):
        model = create("mlp", seed=0)
    assert all(map(torch.equal, model.parameters(), create("mlp", seed=0).parameters()))


# What torch does with them


@pytest.mark.parametrize("name", KINDS)
def test_gradients_reach_every_parameter(name):
    # In training mode a bias before a batch norm has no effect.
    model = create(name, seed=0, **LIGHT[name]).eval()
    model(images(model, batch=1)).sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.parametrize("name", ["deep-linear", "mlp", "lenet-300-100", "lenet-5", "resnet20", "vgg16-bn"])
def test_per_example_gradients(name):
    options = {"classes": 10} | LIGHT[name] if LIGHT[name] else {}
    model = create(name, seed=0, **options).double().eval()
    x, target = images(model, dtype=torch.float64), torch.tensor([1, 7])
    parameters = {n: p.detach() for n, p in model.named_parameters()}

    def loss(parameters, x, target):
        return F.cross_entropy(functional_call(model, parameters, x[None]), target[None])

    together = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, x, target)
    for i in range(2):
        alone = torch.autograd.grad(F.cross_entropy(model(x[i : i + 1]), target[i : i + 1]), list(model.parameters()))
        for (n, _), expected in zip(model.named_parameters(), alone, strict=True):
            size = float(expected.abs().max())
            torch.testing.assert_close(together[n][i], expected, rtol=0, atol=2e-14 * size)


@pytest.mark.parametrize("name", ["lenet-5", "resnet20"])
def test_copies(name):
    model = disturb(create(name, seed=0, **LIGHT[name])).eval()
    x = images(model)
    loaded = create(name, seed=1, **LIGHT[name]).eval()
    loaded.load_state_dict(model.state_dict())
    for copy in (deepcopy(model), pickle.loads(pickle.dumps(model)), loaded):
        assert torch.equal(copy(x), model(x))
        assert input_shape(copy) == input_shape(model)


@pytest.mark.parametrize("name", ["lenet-5", "resnet20"])
def test_one_graph_is_traced(name):
    model = disturb(create(name, seed=0)).eval()
    x = images(model)
    assert torch.equal(torch.compile(model, backend="eager", fullgraph=True)(x), model(x))


def test_training_mode():
    model = create("resnet20", seed=0)
    assert all(module.training for module in model.modules())
    model(images(model)).sum().backward()
    assert model.bn1.num_batches_tracked == 1


# Models of one's own

OWN = """
import torch

NUMBER = 3
built = torch.nn.Linear(2, 2)

class Net(torch.nn.Linear):
    input_shape = (4, 5)
    def __init__(self, outputs=2):
        super().__init__(5, outputs)

class Zoo:
    net = Net

def required(outputs, *, bias=True):
    return torch.nn.Linear(5, outputs, bias)

def anything(**options):
    return torch.nn.Linear(**options)

def none():
    pass

def breaks():
    torch.rand(3)
    1 / 0

def confused():
    return len(5)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "own_models.py").write_text(OWN, encoding="utf-8")
    (tmp_path / "own_lacking.py").write_text("import own_missing", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("own_models", None)


@pytest.mark.parametrize(
    ("name", "options", "shape"),
    [
        ("own_models:Net", {}, (2, 5)),
        ("own_models:Net", {"outputs": 3}, (3, 5)),
        ("own_models:Zoo.net", {}, (2, 5)),
        ("own_models:required", {"outputs": 4, "bias": False}, (4, 5)),
        ("own_models:anything", {"in_features": 2, "out_features": 1}, (1, 2)),
        ("torch.nn:Linear", {"in_features": 2, "out_features": 1}, (1, 2)),
    ],
)
def test_models_of_ones_own(own, name, options, shape):
    model, again = (create(name, seed=1, **options) for _ in range(2))
    assert model.weight.shape == shape
    assert torch.equal(model.weight, again.weight)


def test_input_shape_of_ones_own(own):
    model = create("own_models:Net", seed=0)
    assert input_shape(model) == (4, 5)
    model.input_shape = [3, 64, 64]
    assert input_shape(model) == (3, 64, 64)
    with pytest.raises(ValueError, match=r"Linear takes is unknown, got input_shape = None: let the factory set model"):
        input_shape(create("own_models:required", seed=0, outputs=1))


@pytest.mark.parametrize("shape", [(), (3, 0, 2), (3.0, 2), 5, "3x32x32", (True, 2)])
def test_input_shape_that_is_none(shape):
    model = torch.nn.Linear(2, 2)
    model.input_shape = shape
    with pytest.raises(ValueError, match="without the batch"):
        input_shape(model)


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        (
            "resnet21",
            {},
            ValueError,
            r"unknown model 'resnet21': known are deep-linear, .*vgg19-bn; for one of your own",
        ),
        ("", {}, ValueError, "unknown model ''"),
        (None, {}, ValueError, "unknown model None"),
        (":f", {}, ValueError, "package.module:factory"),
        ("own_models:", {}, ValueError, "package.module:factory"),
        ("own_models:a:b", {}, ValueError, "package.module:factory"),
        (".own_models:Net", {}, ValueError, "package.module:factory"),
        ("own/models.py:Net", {}, ValueError, "package.module:factory"),
        ("own_nothing:f", {}, ValueError, "no module own_nothing: install it, or put .* on PYTHONPATH"),
        ("own_nothing.a.b:f", {}, ValueError, "no module own_nothing"),
        ("own_models.a:f", {}, ValueError, "no module own_models.a"),
        ("own_lacking:f", {}, ModuleNotFoundError, "No module named 'own_missing'"),
        ("own_models:nets", {}, ValueError, "own_models:nets: module 'own_models' has no attribute 'nets': write"),
        ("own_models:NUMBER", {}, TypeError, "is of type int, a function or class .* is expected"),
        ("own_models:built", {}, TypeError, "is of type Linear, a function or class .* is expected"),
        ("own_models:none", {}, TypeError, "returned NoneType, a torch.nn.Module is expected"),
        ("own_models:none", {"a": 1}, TypeError, "unexpected keyword argument 'a'; it takes no options"),
        ("own_models:required", {}, TypeError, r"required argument: 'outputs'; it takes outputs, bias=True"),
        ("own_models:confused", {}, TypeError, r"object of type 'int' has no len\(\)"),
        ("own_models:breaks", {}, ZeroDivisionError, "division by zero"),
        ("resnet20", {"width": 3}, TypeError, "resnet20: .*'width'; it takes classes=10, channels=3"),
        ("resnet20", {"blocks": 3}, TypeError, "'blocks'; it takes classes"),
        ("mlp", {"classes": 3}, TypeError, "'classes'; it takes widths"),
        ("resnet20", {"classes": 0}, ValueError, "classes must be an integer >= 1, got 0"),
        ("resnet8", {"stride": 0}, ValueError, "stride must be an integer >= 1, got 0"),
        ("lenet-5", {"channels": 1.0}, ValueError, "channels must be an integer >= 1, got 1.0"),
        ("lenet-300-100", {"classes": "10"}, ValueError, "classes must be an integer"),
        ("resnet18", {"small_images": "yes"}, ValueError, "small_images must be True.* got 'yes'"),
        ("vgg16-bn", {"small_images": 1}, ValueError, "small_images must be True.* got 1"),
        ("mlp", {"widths": (5,)}, ValueError, r"widths are \(inputs, h_1, ..., outputs\).* got \(5,\)"),
        ("mlp", {"widths": 5}, ValueError, "got 5: write widths="),
        ("mlp", {"widths": "64"}, ValueError, "got '64'"),
        ("deep-linear", {"widths": (5, 0, 2)}, ValueError, "integers >= 1"),
        ("deep-linear", {"widths": (5, 2.0)}, ValueError, "integers >= 1"),
    ],
)
def test_bad_names_and_options(own, name, options, error, message):
    with pytest.raises(error, match=message):
        create(name, seed=0, **options)


@pytest.mark.parametrize("seed", [-1, 2**64, 0.5, None, True])
def test_bad_seeds(seed):
    with pytest.raises(ValueError, match="seed must be an integer from 0 to 18446744073709551615"):
        create("mlp", seed=seed)


def test_networks_say_that_they_need_torch():
    code = "import sys; sys.modules['torch'] = None; import linreg_mirror.networks"
    done = subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        'ModuleNotFoundError: networks need torch: pip install "linreg-mirror[torch]"'
    )
