"""The diagnosis of masks: against counts by hand, enumeration of all paths, and products of boolean matrices."""

import copy
import itertools
import json

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from sketching._diagnosis import Diagnosis, LayerDiagnosis, diagnosis
from sketching.application import apply_masks, remove_masks
from sketching.weights import prunable

pytestmark = pytest.mark.usefixtures("one_thread")


def masks_for(model, density, rng):
    return {name: torch.from_numpy(rng.random(p.shape) < density) for name, p in prunable(model).items()}


def only(result):
    (layer,) = result.layers
    return layer


def effective(model, masks, inputs):
    result = diagnosis(model, masks, inputs=inputs)
    assert result.uncounted is None
    return {layer.name: layer.effective for layer in result.layers}


# Counts of a layer, by hand


def test_a_matrix():
    mask = torch.tensor([[True, False, False], [False, False, False]])
    layer = only(diagnosis(nn.Linear(3, 2), {"weight": mask}))
    assert layer == LayerDiagnosis("weight", (2, 3), 1, dead_outputs=1, dead_inputs=2, effective=None, flops=None)
    assert (layer.weights, layer.density, layer.collapsed, layer.flops_kept) == (6, 1 / 6, False, None)


@pytest.mark.parametrize(
    ("layer", "kept", "outputs", "inputs"),
    [
        # (out, in / groups, k): input channels 2 and 3 belong to outputs 2 and 3
        (nn.Conv1d(4, 4, 2, groups=2), [(0, 0, 1), (1, 0, 0), (2, 1, 0)], 1, 2),
        (nn.Conv1d(4, 4, 2, groups=2), [(0, 0, 1), (3, 0, 1), (3, 1, 1)], 2, 1),
        (nn.Conv1d(3, 6, 2, groups=3), [(4, 0, 0), (5, 0, 1)], 4, 2),  # depthwise
        # (in, out / groups, k)
        (nn.ConvTranspose1d(3, 2, 2), [(0, 1, 0), (2, 1, 1)], 1, 1),
        (nn.ConvTranspose1d(4, 6, 2, groups=2), [(0, 0, 0), (1, 0, 0), (2, 2, 1)], 4, 1),
        (nn.Conv2d(2, 2, 2), [(0, 1, 1, 0)], 1, 1),
        (nn.Embedding(5, 2), [(1, 0), (3, 0)], 1, 3),  # (tokens, features)
        (nn.Bilinear(2, 3, 2), [(0, 1, 2)], 1, 1),
    ],
)
def test_units_of_other_layers(layer, kept, outputs, inputs):
    mask = torch.zeros(layer.weight.shape, dtype=torch.bool)
    for place in kept:
        mask[place] = True
    found = only(diagnosis(layer, {"weight": mask}))
    assert (found.kept, found.dead_outputs, found.dead_inputs) == (len(kept), outputs, inputs)


# Operations


@pytest.mark.parametrize(
    ("layer", "shape", "uses"),
    [
        (nn.Linear(3, 2), (3,), 1),
        (nn.Linear(3, 2), (5, 3), 5),
        (nn.Conv2d(2, 4, 3, padding=1), (2, 6, 5), 30),
        (nn.Conv2d(2, 4, 3, stride=2), (2, 7, 7), 9),
        (nn.Conv2d(4, 4, 3, groups=2), (4, 5, 6), 12),
        (nn.ConvTranspose1d(2, 3, 2), (2, 7), 7),
    ],
)
def test_operations_are_two_for_each_use_of_a_weight(layer, shape, uses):
    numbers = layer.weight.numel()
    mask = torch.zeros(numbers, dtype=torch.bool)
    mask[: numbers // 3] = True
    for inputs in (shape, torch.ones(7, *shape)):
        found = only(diagnosis(layer, {"weight": mask.reshape(layer.weight.shape)}, inputs=inputs))
        assert (found.flops, found.flops_kept) == (2 * uses * numbers, 2 * uses * (numbers // 3))


def test_operations_of_a_network():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3))
    masks = {"4.weight": torch.arange(192).reshape(3, 64) % 4 == 0}
    result = diagnosis(model, masks, inputs=(1, 6, 6))
    assert [layer.flops for layer in result.layers] == [2 * 36 * 16, 2 * 192]
    assert (result.flops, result.flops_kept, result.other_flops) == (1536, 1152 + 96, 0)
    with FlopCounterMode(display=False) as counter:
        model(torch.ones(1, 1, 6, 6))
    assert result.flops == counter.get_total_flops()


@pytest.mark.parametrize(("kind", "gates"), [(nn.RNN, 1), (nn.GRU, 3), (nn.LSTM, 4)])
def test_operations_of_recurrent_layers(kind, gates):
    result = diagnosis(kind(3, 5, batch_first=True), inputs=(7, 3))
    assert [layer.flops for layer in result.layers] == [2 * 7 * gates * 15, 2 * 7 * gates * 25]


def test_operations_of_attention():
    model = nn.TransformerEncoderLayer(4, 2, 8, batch_first=True)
    model.linear1.weight.requires_grad_(False)
    result = diagnosis(model, inputs=(3, 4))
    flops = {layer.name: layer.flops for layer in result.layers}
    in_projection, out_projection, feedforward, products = 2 * 3 * 48, 2 * 3 * 16, 2 * 3 * 32, 2 * 2 * 3 * 3 * 4
    assert flops == {
        "self_attn.in_proj_weight": in_projection,
        "self_attn.out_proj.weight": out_projection,
        "linear2.weight": feedforward,
    }
    assert result.other_flops == products + feedforward
    assert result.flops_kept == result.flops == sum(flops.values()) + result.other_flops


def test_operations_on_products_of_weights_are_kept_in_full():
    class Product(nn.Module):
        def __init__(self):
            super().__init__()
            self.left, self.right = nn.Parameter(torch.ones(2, 5)), nn.Parameter(torch.ones(5, 3))

        def forward(self, x):
            return x @ (self.left @ self.right).T

    result = diagnosis(Product(), {"left": torch.zeros(2, 5)}, inputs=(3,), weights="*")
    assert [layer.flops for layer in result.layers] == [0, 0]
    assert result.flops_kept == result.other_flops == 2 * (2 * 5 * 3 + 2 * 3)


# Effective weights: by enumeration of all paths


class Paths:
    """Edges between units, each with the weight that it carries; a path may pass when all its weights are kept."""

    def __init__(self, masks):
        self.masks = {name: np.asarray(mask) for name, mask in masks.items()}
        self.edges = {}

    def edge(self, source, target, weight=None):
        if weight is None or self.masks[weight[0]][weight[1]]:
            self.edges.setdefault(source, []).append((target, weight))

    def dense(self, name, sources, targets):
        for (i, target), (j, source) in itertools.product(enumerate(targets), enumerate(sources)):
            self.edge(source, target, (name, (i, j)))

    def conv(self, name, sources, targets, size, padding=0, groups=1):
        """Sources and targets are names of maps; their units are (map, channel, row, column), on size x size grids."""
        outputs, inputs, k, _ = self.masks[name].shape
        grid = range(size)
        out_size = range(size + 2 * padding - k + 1)
        for o, i, r, c, a, b in itertools.product(
            range(outputs), range(inputs), out_size, out_size, range(k), range(k)
        ):
            row, column = r + a - padding, c + b - padding
            if row in grid and column in grid:
                channel = o // (outputs // groups) * inputs + i
                self.edge((sources, channel, row, column), (targets, o, r, c), (name, (o, i, a, b)))

    def pool(self, sources, targets, channels, size, window, stride, padding=0):
        out_size = range((size + 2 * padding - window) // stride + 1)
        for ch, r, c, a, b in itertools.product(range(channels), out_size, out_size, range(window), range(window)):
            row, column = r * stride + a - padding, c * stride + b - padding
            if row in range(size) and column in range(size):
                self.edge((sources, ch, row, column), (targets, ch, r, c))

    def effective(self, inputs, outputs):
        """Walk along every path from an input; count the weights of those that end in an output."""
        found, outputs = set(), set(outputs)

        def walk(unit, weights):
            if unit in outputs:
                found.update(weights)
            for target, weight in self.edges.get(unit, []):
                walk(target, weights if weight is None else (*weights, weight))

        for unit in inputs:
            walk(unit, ())
        return {name: sum(weight[0] == name for weight in found) for name in self.masks}


def units(name, channels, size):
    return [(name, *place) for place in itertools.product(range(channels), range(size), range(size))]


@pytest.mark.parametrize("seed", range(10))
def test_paths_of_an_mlp(seed):
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 4), nn.Tanh(), nn.Linear(4, 3))
    masks = masks_for(model, 0.3, np.random.default_rng(seed))
    paths = Paths(masks)
    layers = [[(depth, i) for i in range(width)] for depth, width in enumerate((4, 5, 4, 3))]
    for name, sources, targets in zip(masks, layers[:-1], layers[1:], strict=True):
        paths.dense(name, sources, targets)
    assert effective(model, masks, (4,)) == paths.effective(layers[0], layers[-1])


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.norm1 = nn.Conv2d(2, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2)
        self.second, self.norm2 = nn.Conv2d(2, 2, 3, padding=1, bias=False), nn.BatchNorm2d(2)
        self.head = nn.Linear(2, 2)

    def forward(self, x):
        h = torch.relu_(self.norm1(self.first(x)))
        h = self.norm2(self.second(h))
        h += x
        return self.head(torch.relu(h).mean((2, 3)))


@pytest.mark.parametrize("seed", range(10))
def test_paths_of_a_residual_block(seed):
    model = Residual()
    masks = masks_for(model, 0.4, np.random.default_rng(seed))
    paths = Paths(masks)
    paths.conv("first.weight", "x", "h", 3, padding=1)
    paths.conv("second.weight", "h", "sum", 3, padding=1)
    for place in itertools.product(range(2), range(3), range(3)):
        paths.edge(("x", *place), ("sum", *place))
        paths.edge(("sum", *place), ("mean", place[0]))
    paths.dense("head.weight", [("mean", 0), ("mean", 1)], [("y", 0), ("y", 1)])
    assert effective(model, masks, (2, 3, 3)) == paths.effective(units("x", 2, 3), [("y", 0), ("y", 1)])


@pytest.mark.parametrize("pooling", ["largest", "mean", "padded"])
@pytest.mark.parametrize("seed", range(6))
def test_paths_of_a_convolutional_network(pooling, seed):
    """Grouped convolutions, and pooling after which not every unit may win."""
    pool = {"largest": nn.MaxPool2d(2), "mean": nn.AvgPool2d(2), "padded": nn.MaxPool2d(3, 2, padding=1)}[pooling]
    model = nn.Sequential(
        nn.Conv2d(2, 4, 2, padding=1), nn.GELU(), pool, nn.Conv2d(4, 4, 2, groups=2), nn.Flatten(), nn.Linear(4, 2)
    )
    masks = masks_for(model, 0.3, np.random.default_rng(seed))
    paths = Paths(masks)
    paths.conv("0.weight", "x", "h", 3, padding=1)
    paths.pool("h", "pooled", 4, 4, pool.kernel_size, pool.stride, pool.padding)
    paths.conv("3.weight", "pooled", "z", 2, groups=2)
    paths.dense("5.weight", units("z", 4, 1), ["y0", "y1"])
    assert effective(model, masks, (2, 3, 3)) == paths.effective(units("x", 2, 3), ["y0", "y1"])


# Effective weights: more ways


def boolean_chain(masks):
    """Kept weights whose column is reached from an input and whose row reaches an output."""
    matrices = [np.asarray(mask) for mask in masks.values()]
    forward, backward = [np.ones(matrices[0].shape[1], bool)], [np.ones(len(matrices[-1]), bool)]
    for matrix in matrices:
        forward.append(matrix @ forward[-1])
    for matrix in reversed(matrices):
        backward.append(matrix.T @ backward[-1])
    return [int((m * f * b[:, None]).sum()) for m, f, b in zip(matrices, forward, backward[-2::-1], strict=False)]


@pytest.mark.parametrize("density", [0.02, 0.03, 0.1, 1.0])
def test_sixty_wide_layers(density):
    model = nn.Sequential(*(nn.Linear(150, 150) for _ in range(60)))
    masks = masks_for(model, density, np.random.default_rng(0))
    assert list(effective(model, masks, (150,)).values()) == boolean_chain(masks)


def test_one_path_through_four_hundred_layers():
    """Of 30 inputs of a unit 29 are dead: the share of the input in the output is 30^-400."""
    model = nn.Sequential(*(nn.Linear(30, 30) for _ in range(400)))
    mask = torch.zeros(30, 30, dtype=torch.bool)
    mask[0] = True
    found = effective(model, {f"{i}.weight": mask for i in range(400)}, (30,))
    assert list(found.values()) == [30] + [1] * 399


ACTIVATIONS = [
    *(nn.Sigmoid(), nn.Softmax(-1), nn.LayerNorm(5), nn.Hardtanh(), nn.ReLU6(), nn.Softplus(), nn.PReLU(5), nn.SiLU()),
    *(nn.LogSigmoid(), nn.Dropout(), nn.BatchNorm1d(5), nn.GroupNorm(1, 5), nn.Tanhshrink(), nn.Softmin(-1)),
    *(nn.Threshold(9.0, 0.0), nn.Hardshrink(9.0), nn.ELU(inplace=True)),
]  # fmt: skip


@pytest.mark.parametrize("activation", ACTIVATIONS, ids=lambda module: type(module).__name__)
def test_activations_pass_each_unit_on(activation):
    masks = {"0.weight": torch.zeros(5, 4, dtype=torch.bool), "2.weight": torch.zeros(3, 5, dtype=torch.bool)}
    masks["0.weight"][[0, 1, 2], 1] = True
    masks["2.weight"][0, [1, 2, 4]] = True
    model = nn.Sequential(nn.Linear(4, 5), activation, nn.Linear(5, 3))
    assert effective(model, masks, (4,)) == {"0.weight": 2, "2.weight": 2}


class Functions(nn.Module):
    """Two layers of four with a function between."""

    def __init__(self, function, after=lambda x: x):
        super().__init__()
        self.first, self.second, self.function, self.after = nn.Linear(4, 4), nn.Linear(4, 4), function, after

    def forward(self, x):
        return self.after(self.second(self.function(self.first(x))))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x.clamp(min=0),
        lambda x: x.sigmoid() * x,
        lambda x: x.amax(-1, keepdim=True).expand(-1, 4),
        lambda x: torch.maximum(x, 2 * x),
        lambda x: nn.functional.adaptive_max_pool1d(x[:, None], 1).expand(-1, -1, 4)[:, 0],
        lambda x: nn.functional.normalize(x),
        lambda x: ((x[:, :, None] @ x[:, None]).softmax(-1) @ x.exp()[:, :, None])[:, :, 0],
    ],
)
@pytest.mark.parametrize("after", [lambda x: x, lambda x: {"y": [x, 3]}])
def test_functions_without_modules(function, after):
    assert effective(Functions(function, after), {}, (4,)) == {"first.weight": 16, "second.weight": 16}


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (lambda x: x - x.mean(-1, keepdim=True), "turns negative"),
        (lambda x: 2.5 - x, "turns negative"),
        (lambda x: -x, "turns negative"),
        (lambda x: x / x.sum(), "turns negative"),
        (lambda x: x / 0, "not finite"),
        (lambda x: (1e4 * x).exp(), "not finite"),
        (lambda x: x.max(-1, keepdim=True)[0].expand(-1, 4), "it contains max"),
        (lambda x: torch.minimum(x, 2 * x), "it contains minimum"),
        (lambda x: x.topk(4)[0], "it contains topk"),
        (lambda x: nn.functional.max_pool1d(x[:, None], 1, dilation=2)[:, 0], "dilated"),
        (lambda x: nn.functional.scaled_dot_product_attention(x, x, x), "scaled_dot_product_attention"),
        (lambda x: x if x.sum() == 0 else [][0], "failed: list index out of range"),  # for its own weights it works
    ],
)
def test_networks_without_a_count(function, why):
    model = Functions(function)
    with torch.no_grad():
        model.first.weight.zero_()
        model.first.bias.zero_()
    result = diagnosis(model, {}, inputs=torch.ones(2, 4))
    assert result.effective is None
    assert why in result.uncounted
    assert all(layer.effective is None for layer in result.layers)
    assert f"Effective weights are not counted: {result.uncounted}." in str(result)


def test_an_output_without_derivative_has_no_count():
    assert "failed" in diagnosis(Functions(lambda x: x, lambda x: x.detach()), inputs=(4,)).uncounted
    assert "failed" in diagnosis(Functions(lambda x: x, lambda x: x > 0), inputs=(4,)).uncounted


def test_attention_and_gates_have_no_count():
    assert "multi_head_attention" in diagnosis(nn.TransformerEncoderLayer(4, 2, 8), inputs=(3, 4)).uncounted
    assert "negative" in diagnosis(nn.GRU(4, 5, batch_first=True), inputs=(3, 4)).uncounted
    wide = effective(nn.LSTM(60, 50, batch_first=True), {}, (3, 60))  # its gates must not saturate
    assert wide == {"weight_ih_l0": 200 * 60, "weight_hh_l0": 200 * 50}
    tokens = diagnosis(nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 2)), inputs=torch.tensor([[1, 2, 3]]))
    assert "torch.int64" in tokens.uncounted
    assert tokens.flops == 2 * 3 * 8


def test_frozen_weights_carry_paths_where_they_are_not_zero():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 3))
    with torch.no_grad():
        model[1].weight.copy_(torch.diag(torch.tensor([-2.0, 1.0, 0.0])))
    model[1].weight.requires_grad_(False)
    assert effective(model, {}, (3,)) == {"0.weight": 6, "2.weight": 6}


def test_units_that_live_on_their_bias_alone_are_not_effective():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1))
    masks = {"0.weight": torch.tensor([[True, True], [False, False]])}
    assert effective(model, masks, (2,)) == {"0.weight": 2, "1.weight": 1}


# Which masks


def test_applied_given_and_removed_masks():
    model = Residual()
    rng = np.random.default_rng(0)
    masks, others = masks_for(model, 0.3, rng), masks_for(model, 0.6, rng)
    given = diagnosis(model, masks, inputs=(2, 3, 3))
    apply_masks(model, masks)
    assert diagnosis(model, inputs=(2, 3, 3)) == given
    assert diagnosis(model, others, inputs=(2, 3, 3)) != given
    assert diagnosis(model, masks, inputs=(2, 3, 3)) == given
    assert diagnosis(remove_masks(model), inputs=(2, 3, 3)) == given
    assert [layer.kept for layer in given.layers] == [int(mask.sum()) for mask in masks.values()]


def test_factors_count_where_they_are_not_zero():
    masks = masks_for(Residual(), 0.3, np.random.default_rng(0))
    factors = {name: 3.7 * mask.numpy() for name, mask in masks.items()}
    expected = diagnosis(Residual(), masks, inputs=(2, 3, 3))
    assert diagnosis(Residual(), factors, inputs=(2, 3, 3)) == expected
    assert diagnosis(apply_masks(Residual(), factors), inputs=(2, 3, 3)) == expected


def test_what_has_no_mask():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with torch.no_grad():
        for layer in model:
            layer.weight.copy_(torch.tensor([[0.0, 1.0], [torch.nan, 2.0]]))
    mask = {"0.weight": torch.ones(2, 2, dtype=torch.bool)}
    assert [layer.kept for layer in diagnosis(model).layers] == [3, 3]  # zeros count as pruned
    assert [layer.kept for layer in diagnosis(model, mask).layers] == [4, 4]  # what is not named is dense
    assert [layer.kept for layer in diagnosis(apply_masks(model, mask)).layers] == [4, 3]


def test_the_model_is_left_alone():
    model = Residual().train()
    model.norm1.eval()
    masks = masks_for(model, 0.3, np.random.default_rng(0))
    apply_masks(model, masks)
    before, grads = copy.deepcopy(model.state_dict()), [p.requires_grad for p in model.parameters()]
    x = torch.full((2, 2, 3, 3), 3.0)
    random = Functions(nn.functional.dropout)  # without being told of eval mode
    random_state = torch.get_rng_state()
    diagnosis(model, inputs=x)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [p.requires_grad for p in model.parameters()] == grads
    assert all(p.grad is None and p.dtype == torch.float32 for p in model.parameters())
    assert model.training
    assert not model.norm1.training
    assert (x == 3).all()
    diagnosis(random, inputs=(4,))
    assert torch.equal(torch.get_rng_state(), random_state)


# Table and data


COLLAPSED = """\
layer     shape  weights  kept  density  dead outputs  dead inputs  effective  FLOPs  FLOPs kept
------------------------------------------------------------------------------------------------
0.weight  2 x 3        6     2   33.33%             0            2          0     12           4
1.weight  1 x 2        2     0    0.00%             1            2          0      4           0
------------------------------------------------------------------------------------------------
total                  8     2   25.00%             1            4          0     16           4

Collapsed, nothing is kept: 1.weight.
Dead: channels without a kept weight. Effective: kept weights on a path from input to output.
A mask by itself gives no speed-up: dense kernels compute the zeros too."""


def collapsed():
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1))
    masks = {"0.weight": torch.tensor([[True, False, False]] * 2), "1.weight": torch.zeros(1, 2, dtype=torch.bool)}
    return model, masks


def test_the_table():
    model, masks = collapsed()
    assert str(diagnosis(model, masks, inputs=(3,))) == COLLAPSED
    without = str(diagnosis(model, masks)).splitlines()
    assert without[0] == "layer     shape  weights  kept  density  dead outputs  dead inputs"
    assert without[-2] == "Effective weights are not counted: no inputs were given."
    attention = str(diagnosis(nn.TransformerEncoderLayer(4, 2, 8), inputs=(3, 4)))
    assert "The total of FLOPs includes" in attention


def test_the_data():
    result = diagnosis(*collapsed(), inputs=(3,))
    assert isinstance(result, Diagnosis)
    assert result.collapsed == ("1.weight",)
    data = json.loads(json.dumps(result.to_dict()))
    rows = data.pop("layers")
    assert data == {
        **{"weights": 8, "kept": 2, "density": 0.25, "dead_outputs": 1, "dead_inputs": 4, "effective": 0},
        **{"flops": 16, "flops_kept": 4, "other_flops": 0, "uncounted": None, "collapsed": ["1.weight"]},
    }
    assert rows[0] == {
        **{"name": "0.weight", "shape": [2, 3], "weights": 6, "kept": 2, "density": 2 / 6, "dead_outputs": 0},
        **{"dead_inputs": 2, "effective": 0, "flops": 12, "flops_kept": 4, "collapsed": False},
    }
    assert rows[1]["collapsed"] is True


# Bad input


@pytest.mark.parametrize(
    ("inputs", "error", "match"),
    [
        ((1, 2, 3, 3), ValueError, r"cannot take inputs of shape \(1, 1, 2, 3, 3\).* without the batch dimension"),
        ((3, 3, 3), ValueError, r"cannot take inputs of shape \(1, 3, 3, 3\)"),
        (torch.ones(2, 3, 3, 3), ValueError, r"cannot take inputs of shape \(1, 3, 3, 3\)"),
        ((2, 0, 3), ValueError, r"must have positive sizes, got \(2, 0, 3\)"),
        (torch.ones(0, 2, 3, 3), ValueError, r"at least one example, got shape \(0, 2, 3, 3\)"),
        (torch.tensor(1.0), ValueError, r"at least one example, got shape \(\)"),
        ([2, 3, 3], TypeError, r"the shape of one, got \[2, 3, 3\]: write inputs=\(3, 32, 32\)"),
        ((2.0, 3, 3), TypeError, "write inputs="),
        (8, TypeError, "write inputs="),
    ],
)
def test_bad_inputs(inputs, error, match):
    with pytest.raises(error, match=match):
        diagnosis(Residual(), inputs=inputs)


def test_masks_and_models_that_do_not_fit():
    with pytest.raises(ValueError, match="no prunable weight of the model: head"):
        diagnosis(Residual(), {"head": torch.ones(2, 2)})
    with pytest.raises(TypeError, match="masks must map names"):
        diagnosis(Residual(), torch.ones(2, 2))
    with pytest.raises(ValueError, match="no trainable weight"):
        diagnosis(nn.ReLU())


def test_the_table_fits_a_width():
    model = torch.nn.Sequential(torch.nn.Linear(300, 100), torch.nn.ReLU(), torch.nn.Linear(100, 10))
    found = diagnosis(model, {"0.weight": torch.ones(100, 300, dtype=torch.bool)}, inputs=(300,))
    assert found.to_text() == str(found)
    assert max(map(len, str(found).splitlines())) > 80
    lines = found.to_text(80).splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split()[:3] == ["layer", "weights", "kept"]
    assert " ".join(found.to_text(80).split()).endswith(" ".join(str(found).split("\n\n")[1].split()))
    assert [row.split()[:3] for row in found.to_text(30).splitlines() if row.startswith("0.weight")] == [
        ["0.weight", "30,000", "30,000"]
    ]
