"""Scores of torch modules: closed forms, finite differences, loops over single derivatives, and modules left alone."""

import copy
import itertools
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from sketching import iterative_masks, select_masks
from sketching.network_scores import (
    grasp,
    inner_product,
    jacobian_norm,
    magnitude,
    random,
    random_inputs,
    rms_snip,
    snip,
    synflow,
)
from sketching.signed import absolute, positive_part

pytestmark = pytest.mark.usefixtures("one_thread")

N, D = 4, 3


def rng(seed=0):
    return np.random.default_rng(seed)


def tensor(*shape, seed=0):
    return torch.from_numpy(rng(seed).standard_normal(shape))


def filled(model, seed=0):
    """Return the module in double precision with all parameters drawn anew, biases and gains included."""
    model = model.double()
    for k, parameter in enumerate(model.parameters()):
        parameter.data = tensor(*parameter.shape, seed=(seed, k)) / max(1, parameter[0].numel()) ** 0.5
    return model


def half_squares(outputs, targets):
    return 0.5 * (outputs - targets).square().sum()


def mlp():
    return filled(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)))


def conv_net():
    """Channels 2 -> 3 -> 2, batch norm, dropout, pooling: 2 outputs for inputs (2, 5, 5)."""
    return filled(
        nn.Sequential(
            nn.Conv2d(2, 3, 3, padding=1, bias=False),
            nn.BatchNorm2d(3),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Conv2d(3, 2, 3),
            nn.BatchNorm2d(2),
            nn.Tanh(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(2, 2),
        )
    )


IMAGES, IMAGE_TARGETS = tensor(5, 2, 5, 5, seed=1), tensor(5, 2, seed=2)
POINTS, POINT_TARGETS = tensor(6, 3, seed=1), tensor(6, 2, seed=2)

SCORES = {
    "magnitude": lambda model, loss, inputs, targets, **kw: magnitude(model, **kw),
    "random": lambda model, loss, inputs, targets, **kw: random(model, rng(), **kw),
    "snip": snip,
    "grasp": grasp,
    "synflow": lambda model, loss, inputs, targets, **kw: synflow(model, inputs, **kw),
    "jacobian_norm": lambda model, loss, inputs, targets, **kw: jacobian_norm(model, inputs, **kw),
    "rms_snip": rms_snip,
}
DIFFERENTIATING = ["snip", "grasp", "synflow", "jacobian_norm", "rms_snip"]
every_score = pytest.mark.parametrize("name", list(SCORES))


def assert_close(scores, expected, tolerance=1e-12):
    assert list(scores) == list(expected)
    for name, score in scores.items():
        scale = float(expected[name][expected[name].isfinite()].abs().max())
        assert score.shape == expected[name].shape
        torch.testing.assert_close(score, expected[name], atol=tolerance * scale, rtol=0)


# One linear layer: everything in closed form


@pytest.mark.parametrize("factors", [None, [1.0, 1.0, 0.0], [0.0, 2.5, 1.5]])
@pytest.mark.parametrize("seed", range(3))
def test_linear_model(factors, seed):
    model = filled(nn.Linear(D, 1, bias=False), seed)
    X, y = tensor(N, D, seed=(seed, 1)), tensor(N, seed=(seed, 2))
    masks = None if factors is None else {"weight": torch.tensor([factors], dtype=torch.float64)}
    kept = np.ones(D) if factors is None else np.array(factors)
    w = kept * model.weight.detach().numpy()[0]
    A, b = X.numpy(), y.numpy()
    residual = A @ w - b
    g = A.T @ residual
    expected = {
        "magnitude": abs(w),
        "snip": abs(w * g),
        "grasp": np.where(kept != 0, w * (A.T @ A @ ((kept != 0) * g)), -np.inf),
        "synflow": abs(w),
        "jacobian_norm": abs(w) * np.linalg.norm(A, axis=0),
        "rms_snip": abs(w) * np.linalg.norm(A * residual[:, None], axis=0),
    }
    for name, score in expected.items():
        got = SCORES[name](model, half_squares, X, y[:, None], masks=masks)
        assert_close(got, {"weight": torch.from_numpy(score)[None]}, 3e-15)


@pytest.mark.parametrize("name", ["magnitude", "snip", "synflow", "jacobian_norm", "rms_snip"])
def test_masks_are_weights_that_are_multiplied(name):
    """The same network, its weights overwritten, scores the same."""
    model = conv_net()
    masks = {n: tensor(*p.shape, seed=7).abs() * (tensor(*p.shape, seed=8) > 0) for n, p in weights_of(model).items()}
    overwritten = copy.deepcopy(model)
    for n, p in weights_of(overwritten).items():
        p.data *= masks[n]
    got = SCORES[name](model, half_squares, IMAGES, IMAGE_TARGETS, masks=masks)
    assert_close(got, SCORES[name](overwritten, half_squares, IMAGES, IMAGE_TARGETS), 1e-15)
    arrays = {n: mask.numpy() for n, mask in masks.items()}
    assert_close(SCORES[name](model, half_squares, IMAGES, IMAGE_TARGETS, masks=arrays), got, 1e-15)


def weights_of(model):
    return {name: p for name, p in model.named_parameters() if p.ndim >= 2}


# The gradient of the loss: against finite differences


def differences(model, function, step=1e-5):
    """Return the derivatives of function(model) in all weights by central differences."""
    found = {}
    for name, p in weights_of(model).items():
        found[name] = torch.zeros_like(p)
        for index in np.ndindex(*p.shape):
            before = p.data[index].item()
            ends = []
            for end in (before + step, before - step):
                p.data[index] = end
                ends.append(function(model).item())
            p.data[index] = before
            found[name][index] = (ends[0] - ends[1]) / (2 * step)
    return found


def half_flow(model, x, targets, left):
    """Return half the squared norm of the gradient in the weights that are left."""
    weights = weights_of(model)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        gradients = torch.autograd.grad(half_squares(model(x), targets), list(weights.values()))
    return 0.5 * sum((left[n] * g.square()).sum() for n, g in zip(weights, gradients, strict=True))


def test_snip_against_differences():
    model = mlp()
    loss = nn.functional.mse_loss
    slopes = differences(model, lambda m: loss(m(POINTS), POINT_TARGETS))
    expected = {name: (p.detach() * slopes[name]).abs() for name, p in weights_of(model).items()}
    assert_close(snip(model, loss, POINTS, POINT_TARGETS), expected, 3e-9)


@pytest.mark.parametrize("masked", [False, True])
def test_grasp_against_differences_of_the_gradient_flow(masked):
    model = mlp()
    masks = {n: tensor(*p.shape, seed=5) > -0.5 for n, p in weights_of(model).items()} if masked else None
    left = {n: torch.ones_like(p) if masks is None else masks[n] for n, p in weights_of(model).items()}
    pruned = copy.deepcopy(model)
    for n, p in weights_of(pruned).items():
        p.data *= left[n]

    slopes = differences(pruned, lambda m: half_flow(m, POINTS, POINT_TARGETS, left))
    expected = {n: (p.detach() * slopes[n]).where(left[n] != 0, -torch.inf) for n, p in weights_of(pruned).items()}
    assert_close(grasp(model, half_squares, POINTS, POINT_TARGETS, masks=masks), expected, 5e-9)


def test_grasp_of_a_batch_in_parts():
    """Losses add up, and batch norm sees each part by itself."""
    model, x, y = mlp(), POINTS, POINT_TARGETS
    for parts in (2, 3):
        halves = grasp(model, half_squares, x, y, parts=parts)
        whole = grasp(model, half_squares, x, y)  # this loss is a sum over examples
        assert all(torch.allclose(halves[name], whole[name], rtol=1e-10) for name in whole)
    normed = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Tanh(), nn.Linear(4, 2)).double()
    halves, whole = (grasp(normed, half_squares, x, y, parts=parts)["0.weight"] for parts in (2, 1))
    twice = torch.cat([x[:3], x[:3]]), torch.cat([y[:3], y[:3]])
    same, alone = (grasp(normed, half_squares, *batch, parts=p)["0.weight"] for batch, p in ((twice, 2), (twice, 1)))
    assert not torch.allclose(halves, whole, rtol=1e-3)
    assert torch.allclose(same, alone, rtol=1e-10)
    with pytest.raises(ValueError, match="4 parts of equal size need a multiple of 4 examples, got 6"):
        grasp(model, half_squares, x, y, parts=4)


def test_the_sign_of_grasp():
    """1/2 (w + 1)^2 at w = 1: the gradient falls from 2 to 1 when the weight is removed; so it matters, 1 * H g = 2."""
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(1.0)
    assert grasp(model, half_squares, torch.ones(1, 1), -torch.ones(1, 1))["weight"].item() == 2.0


def test_a_loss_without_curvature_has_no_grasp():
    model = filled(nn.Linear(3, 2))
    assert not grasp(model, inner_product, POINTS, POINT_TARGETS)["weight"].any()


def test_batch_norm_uses_the_batch_in_snip():
    model = conv_net().eval()
    twin = copy.deepcopy(model).train()
    twin[3].eval()
    loss = half_squares(twin(IMAGES), IMAGE_TARGETS)
    loss.backward()
    expected = {n: (p * p.grad).abs().detach() for n, p in weights_of(twin).items()}
    assert_close(snip(model, half_squares, IMAGES, IMAGE_TARGETS), expected, 1e-15)


# Single examples: against loops


def frozen(model, inputs):
    """Return a copy in eval mode whose batch norms hold the biased statistics of the inputs, layer after layer."""
    model = copy.deepcopy(model).eval()
    x = inputs
    for layer in model:
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean = x.mean((0, 2, 3)).detach()
            layer.running_var = x.var((0, 2, 3), correction=0).detach()
        x = layer(x)
    return model


def loop(model, values):
    """Return |theta| times the root of the sum of squared derivatives, one value after the other."""
    weights = weights_of(model)
    squares = {name: torch.zeros_like(p) for name, p in weights.items()}
    for value in values:
        for name, g in zip(weights, torch.autograd.grad(value, list(weights.values()), retain_graph=True), strict=True):
            squares[name] += g.square()
    return {name: p.detach().abs() * squares[name].sqrt() for name, p in weights.items()}


@pytest.mark.parametrize("chunk", [None, 1, 2, 3, 4, 100])
@pytest.mark.parametrize("build", [mlp, conv_net])
def test_jacobian_norm_against_a_loop(build, chunk):
    model, inputs = build(), POINTS if build is mlp else IMAGES
    twin = frozen(model, inputs)
    assert_close(jacobian_norm(model, inputs, chunk=chunk), loop(twin, twin(inputs).flatten()), 5e-14)


@pytest.mark.parametrize(("chunk", "largest"), [(1, 1), (3, 2), (4, 4), (7, 6), (100, 10)])
def test_chunks_bound_the_rows_held_at_once(chunk, largest, monkeypatch):
    held, norm = [], torch.linalg.vector_norm
    monkeypatch.setattr(torch.linalg, "vector_norm", lambda x, **kw: held.append(len(x)) or norm(x, **kw))
    jacobian_norm(mlp(), POINTS[:5], chunk=chunk)  # 5 examples with 2 outputs each, for 2 weights
    assert sum(held) == 2 * 10
    assert max(held) == largest
    held.clear()
    rms_snip(mlp(), half_squares, POINTS[:5], POINT_TARGETS[:5], chunk=chunk)
    assert sum(held) == 2 * 5
    assert max(held) == min(chunk, 5)


@pytest.mark.parametrize("chunk", [None, 1, 2, 100])
def test_rms_snip_against_a_loop(chunk):
    model = conv_net()
    twin = frozen(model, IMAGES)
    classes = torch.tensor([0, 1, 1, 0, 1])
    expected = loop(twin, nn.functional.cross_entropy(twin(IMAGES), classes, reduction="none"))
    assert_close(rms_snip(model, nn.functional.cross_entropy, IMAGES, classes, chunk=chunk), expected, 5e-14)


def test_batch_norm_without_running_statistics_is_frozen_too():
    model = conv_net()
    twin = copy.deepcopy(model)
    for index in (1, 5):
        twin[index].track_running_stats = False
        twin[index].running_mean = twin[index].running_var = twin[index].num_batches_tracked = None
    assert_close(jacobian_norm(twin, IMAGES), jacobian_norm(model, IMAGES), 1e-15)
    assert twin[1].running_mean is None
    fresh = conv_net()  # running statistics 0 and 1
    assert_close(synflow(twin, (2, 5, 5)), synflow(fresh, (2, 5, 5)), 1e-15)


@pytest.mark.parametrize("residuals", ["basis", "signs"])
def test_random_residuals_make_snip_the_jacobian_norm(residuals):
    """The mean square over residuals with E rr' = I, by enumeration: 8 basis vectors times sqrt 8, or 2^8 signs."""
    model, X = filled(nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2)), 3), tensor(4, 2)
    if residuals == "basis":
        draws = 8**0.5 * torch.eye(8, dtype=torch.float64)
    else:
        draws = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=8)), dtype=torch.float64)
    squares = [snip(model, inner_product, X, r.reshape(4, 2)) for r in draws]
    mean = {name: torch.stack([s[name].square() for s in squares]).mean(0).sqrt() for name in squares[0]}
    assert_close(jacobian_norm(model, X), mean, 3e-15)


# SynFlow


def test_synflow_by_hand():
    """x1, x2 -> 2 -> 1; a weight's score is the sum over paths through it of |product|: 1*5, 2*5, 3*7, 4*7."""
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False))
    model[0].weight.data = torch.tensor([[1.0, -2.0], [3.0, 4.0]])
    model[2].weight.data = torch.tensor([[-5.0, 7.0]])
    scores = synflow(model, (2,))
    assert scores["0.weight"].tolist() == [[5.0, 10.0], [21.0, 28.0]]
    assert scores["2.weight"].tolist() == [[15.0, 49.0]]
    assert {score.dtype for score in scores.values()} == {torch.float64}
    pruned = synflow(model, torch.full((3, 2), torch.nan), masks={"0.weight": torch.eye(2) > 0, "2.weight": [[1, 0.5]]})
    assert pruned["0.weight"].tolist() == [[5.0, 0.0], [0.0, 14.0]]
    assert pruned["2.weight"].tolist() == [[5.0, 14.0]]


def test_synflow_is_conserved_from_layer_to_layer():
    """Tanaka et al. 2020: without biases, scores add up to R in each layer, and into and out of each hidden unit."""
    layers = [nn.Conv2d(2, 4, 3, bias=False), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(4, 3, 2, bias=False), nn.ReLU()]
    model = filled(nn.Sequential(*layers, nn.Flatten(), nn.Linear(3, 5, bias=False), nn.ReLU(), nn.Linear(5, 2)))
    model[-1].bias.data.zero_()
    scores = list(synflow(model, (2, 6, 6)).values())
    positive = copy.deepcopy(model)
    for p in positive.parameters():
        p.data.abs_()
    R = positive(torch.ones(1, 2, 6, 6, dtype=torch.float64)).sum().item()
    np.testing.assert_allclose([s.sum().item() for s in scores], R, rtol=1e-13)
    for before, after in itertools.pairwise(scores):
        into = before.flatten(1).sum(1)
        torch.testing.assert_close(into, after.transpose(0, 1).flatten(1).sum(1), rtol=1e-13, atol=0)


def test_synflow_makes_biases_and_batch_norm_positive():
    """R = sum_j |v_j| (|gain_j| (|w_j| + |b_j|)/sqrt(var_j + eps) + |c_j|) with two units j, whatever the means."""
    model = filled(nn.Sequential(nn.Linear(1, 2), nn.BatchNorm1d(2), nn.ReLU(), nn.Linear(2, 1)))
    model[1].running_mean[:] = torch.tensor([30.0, -30.0])
    model[1].running_var[:] = torch.tensor([4.0, 9.0])
    gain = model[1].weight.abs() / (model[1].running_var + model[1].eps).sqrt()
    w, b, c, v = (t.detach().abs().flatten() for t in (model[0].weight, model[0].bias, model[1].bias, model[3].weight))
    expected = {"0.weight": (v * gain * w)[:, None], "3.weight": (v * (gain * (w + b) + c))[None]}
    assert_close(synflow(model, (1,)), {n: score.detach() for n, score in expected.items()}, 1e-15)


def test_synflow_that_overflows_says_so():
    model = nn.Sequential(*(nn.Linear(1, 1, bias=False) for _ in range(9)))
    for layer in model:
        layer.weight.data.fill_(1e35)
    with pytest.raises(ValueError, match=r"SynFlow's sum of outputs is inf: too large .* Divide the weights"):
        synflow(model, (1,))
    assert synflow(model[:8], (1,))["0.weight"].item() == pytest.approx(1e280)


# Plain scores, and data from nothing


def test_random_scores():
    model = conv_net()
    first, again, single = random(model, rng(3)), random(model, rng(3)), random(conv_net().float(), rng(3))
    assert_close(first, again, 0)
    flat = torch.cat([s.flatten() for s in first.values()])
    assert (flat > 0).all()
    assert (flat <= 1).all()
    assert len(flat.unique()) == len(flat)
    assert_close({n: s.double() for n, s in single.items()}, first, 1e-7)
    masks = {n: 3.0 * (s > 0.5) for n, s in first.items()}
    assert_close(random(model, rng(3), masks=masks), {n: s * (s > 0.5) for n, s in first.items()}, 0)


def test_no_random_score_is_zero():
    class Least(np.random.Generator):
        def random(self, size):
            return np.zeros(size)

    assert all((score == 1).all() for score in random(mlp(), Least(np.random.PCG64())).values())


def test_random_inputs():
    x = random_inputs(2000, (2, 5), rng(), mean=[1.0, -2.0], std=[0.5, 3.0])
    assert x.shape == (2000, 2, 5)
    assert x.dtype == torch.get_default_dtype()
    for channel, mean, std in ((0, 1.0, 0.5), (1, -2.0, 3.0)):  # 10,000 entries: within six standard deviations
        assert abs(x[:, channel].mean().item() - mean) < 6 * std / 100
        assert abs(x[:, channel].std().item() / std - 1) < 6 / 20_000**0.5
    double = random_inputs(3, (2, 5), rng(1), mean=1.0, std=2.0, dtype=torch.float64)
    np.testing.assert_array_equal(double.numpy(), 1 + 2 * rng(1).standard_normal((3, 2, 5)))
    assert random_inputs(3, (), rng(), std=0.0).tolist() == [0.0] * 3


def test_signed_scores_become_probabilities():
    scores = np.array([[-2.0, 0.0, 3.0], [-np.inf, 1.0, -1.0]], np.float32)
    for array in (scores, torch.from_numpy(scores)):
        for function, expected in (
            (positive_part, [[0.0, 0.0, 3.0], [0.0, 1.0, 0.0]]),
            (absolute, [[2.0, 0.0, 3.0], [0.0, 1.0, 1.0]]),
        ):
            got = function(array)
            assert type(got) is type(array)
            assert got.dtype == array.dtype
            assert got.tolist() == expected
            assert function({"a": array, "b": array[0]})["b"].tolist() == expected[0]


# Modules are left as they were


class Mixed(nn.Module):
    """Convolution, batch norm, dropout, a frozen layer, one that is not used, a loss that can fail."""

    def __init__(self):
        super().__init__()
        self.body = conv_net()
        self.frozen = filled(nn.Linear(2, 2)).requires_grad_(False)
        self.unused = filled(nn.Linear(2, 3))

    def forward(self, x):
        return self.frozen(self.body(x))


def in_some_state():
    model = Mixed()
    model.body[1].eval()
    model.frozen.eval()
    model.body[4].weight.grad = torch.ones_like(model.body[4].weight)
    return model


def state(model):
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {
        "values": {name: (id(t), t.detach().clone(), t._version, t.requires_grad) for name, t in tensors.items()},
        "gradients": {n: None if p.grad is None else (id(p.grad), p.grad.clone()) for n, p in model.named_parameters()},
        "modules": {
            n: (m.training, len(m._forward_pre_hooks), len(m._forward_hooks)) for n, m in model.named_modules()
        },
        "process": (torch.is_grad_enabled(), torch.backends.mha.get_fastpath_enabled(), torch.get_rng_state()),
    }


def assert_same(before, after):
    torch.testing.assert_close(after, before, rtol=0, atol=0)


@every_score
def test_the_module_is_left_alone(name):
    model = in_some_state()
    before = state(model)
    scores = SCORES[name](model, half_squares, IMAGES, IMAGE_TARGETS)
    assert_same(before, state(model))
    assert list(scores) == ["body.0.weight", "body.4.weight", "body.9.weight", "unused.weight"]
    assert not any(score.requires_grad for score in scores.values())
    if name in DIFFERENTIATING:
        assert not scores["unused.weight"].any()
        assert all(scores[n].any() for n in list(scores)[:3])
    scores["body.0.weight"].zero_()  # belongs to the caller
    assert_same(before, state(model))


@pytest.mark.parametrize("name", ["snip", "grasp", "rms_snip"])
def test_after_an_error_in_the_loss(name):
    def loss(outputs, targets):
        raise ArithmeticError("no")

    model = in_some_state()
    before = state(model)
    with pytest.raises(ArithmeticError, match="no"):
        SCORES[name](model, loss, IMAGES, IMAGE_TARGETS)
    assert_same(before, state(model))


@pytest.mark.parametrize("name", DIFFERENTIATING)
def test_after_an_error_in_the_module(name):
    model = in_some_state()
    before = state(model)
    with pytest.raises(ValueError, match=r"shape|size|channels"):
        SCORES[name](model, half_squares, IMAGES[:, :, :1], IMAGE_TARGETS)
    assert_same(before, state(model))


@pytest.mark.parametrize("name", DIFFERENTIATING)
def test_gradient_mode_and_flags_do_not_matter(name):
    score = partial(SCORES[name], loss=half_squares, inputs=IMAGES, targets=IMAGE_TARGETS)
    expected = score(conv_net())
    with torch.no_grad():
        assert_close(score(conv_net()), expected, 0)
    assert_close(score(conv_net().eval()), expected, 0)
    assert_close(score(conv_net().train()), expected, 0)  # no chance from dropout either


def test_a_layer_that_overwrites_its_weight_does_it_to_a_copy():
    model = nn.Sequential(nn.Embedding(4, 2, max_norm=0.1), nn.Flatten(), nn.Linear(4, 1))
    before = torch.ones(4, 2)
    model[0].weight.data = before.clone()
    tokens = torch.tensor([[0, 1], [2, 3]])
    snip(model, half_squares, tokens, torch.zeros(2, 1))
    assert torch.equal(model[0].weight, before)


# Types of numbers, and layers


@every_score
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-6), (torch.bfloat16, 0.1)])
def test_precision_follows_the_module(name, dtype, tolerance):
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()
    for p, q in zip(model.parameters(), mlp().parameters(), strict=True):
        p.data = q.data.to(dtype).double()
    inputs, targets = POINTS.to(dtype).double(), POINT_TARGETS.to(dtype).double()
    expected = SCORES[name](model, half_squares, inputs, targets)
    scores = SCORES[name](model.to(dtype), half_squares, inputs, targets)
    assert {s.dtype for s in scores.values()} == {torch.float64 if name == "synflow" else torch.float32}
    assert_close({n: s.double() for n, s in scores.items()}, expected, tolerance)


def test_squares_of_half_precision_are_added_up_in_single():
    model = nn.Linear(2, 1, bias=False).half()
    model.weight.data = torch.tensor([[1.0, 0.5]]).half()
    inputs = 2.0 ** torch.tensor([[10, 0], [9, 1], [15, -9]])
    norms = jacobian_norm(model, inputs)["weight"]
    torch.testing.assert_close(norms, inputs.norm(dim=0)[None] * model.weight.data.float(), rtol=2e-7, atol=0)


class Attentive(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.TransformerEncoderLayer(4, 2, 6, batch_first=True)
        self.head = nn.Linear(12, 2)

    def forward(self, x):
        return self.head(self.encoder(x).flatten(1))


def test_attention():
    model, x = filled(Attentive()), tensor(3, 3, 4)
    twin = copy.deepcopy(model)
    for module in twin.modules():
        if isinstance(module, nn.Dropout | nn.MultiheadAttention):
            module.eval()
            module.dropout = 0.0
    twin.encoder.self_attn.train()
    assert_close(jacobian_norm(model, x), loop(twin, twin(x).flatten()), 1e-14)
    targets = tensor(3, 2)
    everything = {n: torch.ones_like(p) for n, p in weights_of(twin).items()}
    slopes = differences(twin, lambda m: half_flow(m, x, targets, everything))
    expected = {n: p.detach() * slopes[n] for n, p in weights_of(twin).items()}
    assert_close(grasp(model, half_squares, x, targets), expected, 5e-8)


def test_recurrent_layers_have_a_gradient():
    class Last(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = filled(nn.LSTM(3, 2, batch_first=True))

        def forward(self, x):
            return self.lstm(x)[0][:, -1]

    model, x, targets = Last(), tensor(4, 5, 3), tensor(4, 2)
    slopes = differences(model, lambda m: half_squares(m(x), targets))
    expected = {n: (p.detach() * slopes[n]).abs() for n, p in weights_of(model).items()}
    assert_close(snip(model, half_squares, x, targets), expected, 1e-8)


# In rounds


@pytest.mark.parametrize("name", ["snip", "grasp", "synflow"])
def test_rounds(name):
    model = mlp()
    masks = iterative_masks(
        lambda masks: SCORES[name](model, half_squares, POINTS, POINT_TARGETS, masks=masks), 0.3, rounds=5
    )
    assert sum(int(mask.sum()) for mask in masks.values()) == 6  # of 20
    again = SCORES[name](model, half_squares, POINTS, POINT_TARGETS, masks=masks)
    chosen = select_masks(again, 0.3)  # nothing that is pruned comes back
    assert all(torch.equal(chosen[n], mask) for n, mask in masks.items())


# Bad input


class Twice(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.linear = nn.Linear(3, 2)

    def forward(self, x):
        return self.linear(self.norm(self.norm(x)))


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, x):
        return self.linear(x), x


GRADIENT = ["snip", "grasp", "rms_snip"]
WITH_DATA = [*GRADIENT, "jacobian_norm"]


@pytest.mark.parametrize(
    ("names", "arguments", "error", "message"),
    [
        (WITH_DATA, {"inputs": POINTS.numpy()}, TypeError, r"inputs must be a torch.Tensor, got ndarray"),
        (WITH_DATA, {"inputs": POINTS[:0]}, ValueError, r"inputs must hold one example .*got shape \(0, 3\)"),
        (WITH_DATA, {"inputs": POINTS * torch.nan}, ValueError, r"(the loss is|the model's outputs are not) "),
        (WITH_DATA, {"model": Pair().double()}, TypeError, r"Pair must return a torch.Tensor, .*, got tuple"),
        (["jacobian_norm"], {"model": nn.Sequential(nn.Linear(3, 2), nn.Flatten(0)).double()}, ValueError,
         r"one output for each of 6 inputs, got shape \(12,\)"),
        (["jacobian_norm", "rms_snip"], {"model": Twice().double()}, ValueError, r"norm is passed twice"),
        (["jacobian_norm", "rms_snip"], {"chunk": 0}, ValueError, r"chunk must be an integer >= 1, got 0"),
        (GRADIENT, {"targets": POINT_TARGETS[:5]}, ValueError, r"got 6 inputs and 5 targets"),
        (GRADIENT, {"targets": POINT_TARGETS[0, 0]}, ValueError, r"targets must hold one example .*got shape \(\)"),
        (GRADIENT, {"targets": [1.0] * 6}, TypeError, r"targets must be a torch.Tensor, got list"),
        (GRADIENT, {"targets": POINT_TARGETS / 0}, ValueError, r"loss .*is (inf|not finite)"),
        (GRADIENT, {"loss": lambda o, t: o - t}, ValueError, r"with one number, got \((6|1), 2\): take its sum"),
        (GRADIENT, {"loss": lambda o, t: 3.0}, ValueError, r"with one number, got float"),
        (["snip", "grasp"], {"loss": lambda o, t: t.sum()}, ValueError, r"the loss depends on no weight"),
        (GRADIENT, {"loss": lambda o, t: o.pow(2).sum().sub(o.detach().pow(2).sum()).sqrt()}, ValueError,
         r"scores of 0.weight, 2.weight are not finite"),
        (["inner"], {"targets": POINT_TARGETS[:, :1]}, ValueError, r"shape \(6, 2\), got \(6, 1\)"),
        (SCORES, {"model": nn.ReLU()}, ValueError, r"ReLU has no trainable weight"),
        (SCORES, {"masks": {"0.weight": torch.ones(4, 3)}}, ValueError, r"these differ: 2.weight"),
        (SCORES, {"masks": {"0.weight": torch.ones(4, 3), "2.weight": torch.ones(4, 2)}}, ValueError,
         r"masks of 2.weight must be finite in torch.float64, of shape \(2, 4\), got shape \(4, 2\)"),
        (SCORES, {"masks": {"0.weight": torch.ones(4, 3) / 0, "2.weight": torch.ones(2, 4)}}, ValueError,
         r"masks of 0.weight must be finite"),
    ],
)  # fmt: skip
def test_bad_input(names, arguments, error, message):
    given = {"model": mlp(), "loss": half_squares, "inputs": POINTS, "targets": POINT_TARGETS, **arguments}
    for name in names:
        function = partial(snip, loss=inner_product) if name == "inner" else SCORES[name]
        with pytest.raises(error, match=message):
            function(**({**given, "loss": inner_product} if name == "inner" else given))


def test_bad_generators_and_shapes():
    with pytest.raises(TypeError, match=r"numpy.random.Generator, got int"):
        random(mlp(), 3)
    with pytest.raises(TypeError, match=r"numpy.random.Generator, got NoneType"):
        random_inputs(3, (2,), None)
    with pytest.raises(ValueError, match=r"n must be an integer >= 1, got 0"):
        random_inputs(0, (2,), rng())
    with pytest.raises(ValueError, match=r"sizes in shape must be an integer >= 1, got -1"):
        random_inputs(3, (-1, 2), rng())
    with pytest.raises(ValueError, match=r"mean must be finite: .* each of the 2 channels .*got \[1, 2, 3\]"):
        random_inputs(3, (2, 3), rng(), mean=[1, 2, 3])
    with pytest.raises(ValueError, match=r"std must not be negative, got -1"):
        random_inputs(3, (2, 3), rng(), std=-1)
    with pytest.raises(ValueError, match=r"sizes in the shape of an example must be an integer >= 1, got 0"):
        synflow(mlp(), (0,))
    with pytest.raises(ValueError, match=r"inputs must hold one example"):
        synflow(mlp(), POINTS[:0])


@pytest.mark.parametrize(
    "layout",
    [
        lambda mask: mask.astype(">f8"),
        lambda mask: mask.astype(np.longdouble),
        lambda mask: np.array(mask[::-1, ::-1])[::-1, ::-1],
        lambda mask: np.broadcast_to(mask, mask.shape),
        np.asfortranarray,
        np.ndarray.tolist,
    ],
    ids=["big-endian", "long double", "reversed", "read-only", "Fortran", "list"],
)
def test_masks_in_any_layout(layout):
    model = torch.nn.Sequential(torch.nn.Linear(3, 2))
    mask = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.5]])
    expected = model[0].weight.detach().abs().numpy() * mask
    found = magnitude(model, masks={"0.weight": layout(mask)})
    np.testing.assert_allclose(found["0.weight"].numpy(), expected, rtol=1e-6)
    with pytest.raises(TypeError, match=r"masks of 0\.weight must hold real numbers"):
        magnitude(model, masks={"0.weight": mask + 1j})
