"""The linearised network: expected errors by enumeration, products with the Jacobian, and how the gap grows."""

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from sketching.network_scores import jacobian_norm
from sketching.ntk import LinearisationGap, LinearisedError, expected_error, linearisation_gap

pytestmark = pytest.mark.usefixtures("one_thread")


def tensor(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def linear(seed=0):
    """Return a linear model with 3 weights, its inputs (4, 3) and uneven probabilities."""
    model = nn.Linear(3, 1, bias=False).double()
    model.weight.data = tensor(1, 3, seed=(seed, 1))
    return model, tensor(4, 3, seed=(seed, 2)), np.array([0.5, 0.3, 0.2])


def smooth():
    """Return a net with batch norm and biases, and inputs (6, 3)."""
    model = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5), nn.Tanh(), nn.Linear(5, 2)).double()
    for k, p in enumerate(model.parameters()):
        p.data = tensor(*p.shape, seed=(k, 3)) / p[0].numel() ** 0.5
    return model, tensor(6, 3, seed=4)


def frozen_jacobian(model, inputs):
    """Return f and the columns of J in the weights, by backward passes through a copy in eval mode."""
    first, norm = model[0], model[1]
    hidden = first(inputs).detach()
    norm.running_mean, norm.running_var = hidden.mean(0), hidden.var(0, correction=0)
    model.eval()
    outputs = model(inputs)
    weights = [model[0].weight, model[3].weight]
    rows = [torch.autograd.grad(o, weights, retain_graph=True) for o in outputs.flatten()]
    return outputs.detach().flatten().numpy(), np.array([torch.cat([g.flatten() for g in row]).numpy() for row in rows])


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_expected_error_is_the_mean_over_all_draws(k, seed):
    model, X, p = linear(seed)
    A, w = X.numpy(), model.weight.detach().numpy()[0]
    mean = 0.0
    for draw in itertools.product(range(3), repeat=k):
        m = np.bincount(draw, minlength=3) / (k * p)
        mean += np.prod(p[list(draw)]) * np.sum((A @ ((m - 1) * w)) ** 2)
    result = expected_error(model, X, {"weight": p[None]}, k)
    assert result.error == pytest.approx(mean, rel=1e-13)
    assert result.signal == result.output == pytest.approx(np.sum((A @ w) ** 2), rel=1e-14)
    a = np.linalg.norm(A, axis=0) * abs(w)
    best = expected_error(model, X, {"weight": a[None] / a.sum()}, k)
    assert best.error == pytest.approx(best.least, rel=1e-12) == result.least
    assert result.least < result.error


def test_expected_error_of_a_network():
    model, inputs = smooth()
    scores = jacobian_norm(model, inputs)
    total = sum(score.sum() for score in scores.values())
    mixed = {n: 0.5 * score / total + 0.5 / 25 for n, score in scores.items()}
    result = expected_error(model, inputs, mixed, 7)
    f, J = frozen_jacobian(model, inputs)
    theta = np.concatenate([model[i].weight.detach().numpy().ravel() for i in (0, 3)])
    p = np.concatenate([array.numpy().ravel() for array in mixed.values()])
    signal = np.sum((J @ theta) ** 2)
    assert result.signal == pytest.approx(signal, rel=1e-13)
    assert result.output == pytest.approx(np.sum(f**2), rel=1e-13)
    assert result.error == pytest.approx((np.sum((J * theta) ** 2 / p) - signal) / 7, rel=1e-12)
    assert result.least == pytest.approx((np.sum(np.linalg.norm(J * theta, axis=0)) ** 2 - signal) / 7, rel=1e-12)


def test_a_weight_that_does_not_matter_needs_no_probability():
    model, X, _ = linear()
    model.weight.data[0, 1] = 0.0
    a = (model.weight.detach().abs()[0] * X.norm(dim=0)).numpy()
    assert expected_error(model, X, {"weight": a[None] / a.sum()}, 3).error > 0
    with pytest.raises(ValueError, match=r"probabilities in weight are 0 where a weight matters: .* biased"):
        expected_error(model, X, {"weight": torch.tensor([[0.0, 0.0, 1.0]])}, 3)


def test_one_weight_is_sketched_without_error():
    model = nn.Linear(1, 1, bias=False)
    model.weight.data.fill_(0.7)
    result = expected_error(model, tensor(50, 1), {"weight": [[1]]}, 1)
    assert result.error == pytest.approx(0, abs=1e-6 * result.signal)
    assert not result.vacuous


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 0}, r"k must be an integer >= 1, got 0"),
        ({"probabilities": {"weight": [[0.5, 0.3, 0.3]]}}, r"add up to 1 over all weights, got a sum of 1.1"),
        ({"probabilities": {"weight": [[0.5, 0.7, -0.2]]}}, r"must not be negative"),
        ({"probabilities": {"weight": [[0.5, 0.5, np.nan]]}}, r"probabilities of weight must be finite"),
        (
            {"probabilities": {"weight": [0.5, 0.3, 0.2]}},
            r"probabilities of weight must be .*of shape \(1, 3\), got shape \(3,\)",
        ),
        ({"probabilities": {}}, r"probabilities must be .*these differ: weight"),
        ({"inputs": torch.full((2, 3), torch.inf)}, r"outputs are not finite"),
    ],
)
def test_bad_input(change, message):
    model, X, p = linear()
    with pytest.raises(ValueError, match=message):
        expected_error(**{"model": model, "inputs": X, "probabilities": {"weight": p[None]}, "k": 2, **change})


# The gap


@pytest.mark.parametrize("seed", range(3))
def test_a_linear_model_has_no_gap(seed):
    model, X, _ = linear(seed)
    masks = {"weight": torch.tensor([[True, False, True]])}
    result = linearisation_gap(model, X, masks)
    error = (X[:, 1] * model.weight[0, 1]).square().sum().item()
    assert result.true == pytest.approx(error, rel=1e-13)
    assert result.linearised == pytest.approx(error, rel=1e-13)
    assert result.gap < 1e-30 * result.signal
    assert result.signal == pytest.approx((X @ model.weight.T).square().sum().item(), rel=1e-14)


def test_gap_of_a_network():
    model, inputs = smooth()
    masks = {"0.weight": tensor(5, 3, seed=1) > 0, "3.weight": tensor(2, 5, seed=2).abs()}
    result = linearisation_gap(model, inputs, masks)
    f, J = frozen_jacobian(model, inputs)
    shift = np.concatenate(
        [((masks[f"{i}.weight"] * 1.0 - 1) * model[i].weight).detach().numpy().ravel() for i in (0, 3)]
    )
    for i in (0, 3):
        model[i].weight.data *= masks[f"{i}.weight"]
    change = model(inputs).detach().flatten().numpy() - f
    squares = [np.sum(v**2) for v in (f, J @ shift, change, change - J @ shift)]
    np.testing.assert_allclose([result.signal, result.linearised, result.true, result.gap], squares, rtol=1e-12)


def test_attention_has_forward_derivatives():
    model = nn.Sequential(
        nn.TransformerEncoderLayer(4, 2, 6, batch_first=True), nn.Flatten(), nn.Linear(12, 2)
    ).double()
    for k, p in enumerate(model.parameters()):
        p.data = tensor(*p.shape, seed=(k, 3)) / 2
    inputs, weights = tensor(3, 3, 4), {n: p for n, p in model.named_parameters() if p.ndim == 2}
    step, ends = 1e-5, []
    for sign in (1, -1):
        moved = {n: p.detach() * (1 + sign * step) for n, p in weights.items()}
        ends.append(torch.func.functional_call(model.eval(), moved, (inputs,)))
    expected = ((ends[0] - ends[1]) / (2 * step)).square().sum().item()
    result = linearisation_gap(model.train(), inputs, {n: torch.zeros_like(p) for n, p in weights.items()})
    assert result.linearised == pytest.approx(expected, rel=1e-8)
    assert torch.backends.mha.get_fastpath_enabled()


def test_the_gap_is_of_second_order():
    model, inputs = smooth()
    sizes = 2.0 ** -np.arange(4, 10)
    gaps, errors = [], []
    for size in sizes:
        masks = {n: 1 + size * tensor(*p.shape, seed=9) for n, p in model.named_parameters() if p.ndim == 2}
        result = linearisation_gap(model, inputs, masks)
        gaps.append(result.gap**0.5)
        errors.append(result.true**0.5)
    assert np.diff(np.log2(gaps))[-1] == pytest.approx(-2, abs=0.02)
    assert np.diff(np.log2(errors))[-1] == pytest.approx(-1, abs=0.02)


@pytest.mark.parametrize("raises", [False, True])
def test_the_module_is_left_alone(raises):
    model, inputs = smooth()
    model[0].eval()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    masks = {n: torch.ones_like(p) for n, p in model.named_parameters() if p.ndim == 2}
    probabilities = {n: mask / 25 for n, mask in masks.items()}
    for call in (lambda x: linearisation_gap(model, x, masks), lambda x: expected_error(model, x, probabilities, 3)):
        if raises:
            with pytest.raises(ValueError, match="shape"):
                call(inputs[:, :2])
        else:
            call(inputs)
        torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)
        assert [m.training for m in model] == [False, True, True, True]
        assert all(p.grad is None and p.requires_grad for p in model.parameters())


def test_what_is_printed():
    good, bad = LinearisedError(1.0, 0.5, 2.0, 3.0), LinearisedError(2.5, 0.5, 2.0, 3.0)
    assert str(good) == "expected error 1 (at best 0.5), signal 2, output 3"
    assert str(bad) == "expected error 2.5 (at best 0.5), signal 2, output 3: vacuous, to keep nothing would be better"
    assert (good.vacuous, bad.vacuous) == (False, True)
    assert str(LinearisationGap(9.0, 1.0, 2.0, 0.5)) == "true error 2, linearised 1, gap 0.5, signal 9"
    assert str(LinearisationGap(9.0, 1.0, 2.0, 2.5)).endswith("signal 9: not linear, the gap is as large as the error")
