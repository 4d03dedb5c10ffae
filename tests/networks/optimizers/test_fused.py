"""The compiled step of mirror descent: the same as torch's, to rounding, and only where it is made for the tensors."""

import copy
import io
import math

import numpy as np
import pytest
import torch
from torch import nn

from linreg_mirror.networks.optimizers import _fused
from linreg_mirror.networks.optimizers.mirror_descent import MirrorDescent

pytestmark = pytest.mark.usefixtures("one_thread")

EPS = torch.finfo(torch.float32).eps


def tensor(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape, dtype=np.float32))


def network():
    """Weights of 1023 and 2046 entries, which no vector register divides, and 12, which are too few."""
    model = nn.Sequential(nn.Linear(31, 33), nn.Tanh(), nn.Linear(33, 62), nn.Tanh(), nn.Linear(62, 6, bias=False))
    for k, p in enumerate(model.parameters()):
        p.data = tensor(*p.shape, seed=k) / 5
    return model


def prepared(momentum=0.9, **options):
    model = network()
    weights = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": weights, "alpha": 0.05} | options, {"params": rest, "beta": None}]
    return model, MirrorDescent(groups, lr=0.02, momentum=momentum)


def train(model, optimizer, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        (model(tensor(8, 31, seed=10)) - tensor(8, 6, seed=11)).square().mean().backward()
        optimizer.step()


@pytest.fixture
def moved(monkeypatch):
    """How many parameters the kernel has moved in each of its calls."""
    calls, advance = [], _fused.advance

    def counted(rows, *rest):
        calls.append(len(rows))
        advance(rows, *rest)

    monkeypatch.setattr(_fused, "advance", counted)
    return calls


def by_torch(monkeypatch):
    monkeypatch.setattr(_fused, "pays", lambda: False)


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_a_step_is_that_of_torch_to_rounding(momentum, moved, monkeypatch):
    model, optimizer = prepared(momentum)
    train(model, optimizer, 5)
    other, same = copy.deepcopy((model, optimizer))
    train(model, optimizer, 1)
    assert moved == [2] * 6
    by_torch(monkeypatch)
    train(other, same, 1)
    assert moved == [2] * 6
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        if p.ndim > 1:
            ours, theirs = optimizer.state[p], same.state[q]
            assert ours["log_scale"] == theirs["log_scale"]
            if momentum:
                assert torch.equal(ours["momentum_buffer"], theirs["momentum_buffer"])
            # One rounding more or less, where the processor does not multiply and add at once.
            torch.testing.assert_close(ours["z"], theirs["z"], rtol=EPS, atol=EPS * 0.02)
            torch.testing.assert_close(p, q, rtol=6 * EPS, atol=EPS * 0.02)


def test_a_run_is_that_of_torch(monkeypatch):
    ends = []
    for _ in range(2):
        model, optimizer = prepared()
        train(model, optimizer, 50)
        ends.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
        by_torch(monkeypatch)
    torch.testing.assert_close(*ends, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("log_b", [-44.0, -20.0, -math.log(2), 0.0, 44.0])
def test_sinh_of_all_scales_and_sizes(log_b):
    z = np.concatenate([[0.0, np.inf, -np.inf], np.geomspace(1e-18, 80, 10_000), -np.geomspace(1e-18, 80, 10_000)])
    z = torch.from_numpy(z.astype(np.float32))
    x, exact = _fused.primal(z, log_b), math.exp(log_b) * torch.sinh(2 * z.double())
    assert torch.equal(x.isinf(), exact.float().isinf())
    assert torch.equal(x.sign(), z.sign())
    finite = ~x.isinf() & (exact.abs() > 1e-36)  # below, a product of the formula is no normal number
    assert finite.sum() > 5000
    torch.testing.assert_close(x[finite].double(), exact[finite], rtol=3 * EPS, atol=0)
    torch.testing.assert_close(x[exact.abs() <= 1e-36].double(), exact[exact.abs() <= 1e-36], rtol=0, atol=1e-42)
    assert torch.equal(_fused.primal(-z, log_b), -x)
    assert _fused.primal(torch.tensor([math.nan]), log_b).isnan().all()


def test_resumed_run_is_the_same_to_the_bit():
    model, optimizer = prepared()
    train(model, optimizer, 5)
    file = io.BytesIO()
    torch.save([model.state_dict(), optimizer.state_dict()], file)
    train(model, optimizer, 10)
    other, again = prepared()
    file.seek(0)
    for part, state in zip((other, again), torch.load(file, weights_only=True), strict=True):
        part.load_state_dict(state)
    train(other, again, 10)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(p, q)
        assert all(torch.equal(v, again.state[q][k]) for k, v in optimizer.state[p].items() if k != "log_scale")


@pytest.mark.parametrize("first", ["kernel", "torch"])
def test_state_survives_a_change_between_kernel_and_torch(first, monkeypatch):
    """z is found again to the bit, whichever of the two has written x: a step with gradient 0 leaves it."""
    monkeypatch.setattr(_fused, "pays", lambda: first == "kernel")
    model, optimizer = prepared(momentum=0.0, alpha=0.0)
    train(model, optimizer, 3)
    before = {p: optimizer.state[p]["z"].clone() for p in model.parameters() if p.ndim > 1}
    other = MirrorDescent(optimizer.param_groups, lr=0.02)
    other.load_state_dict(optimizer.state_dict())
    monkeypatch.setattr(_fused, "pays", lambda: first == "torch")
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    other.step()
    for p, z in before.items():
        assert torch.equal(other.state[p]["z"], z)


def test_scales_too_small_for_the_kernel_are_left_to_torch(moved):
    """The penalty drives log b through the limit, and far beyond it in one step."""
    model, optimizer = prepared(momentum=0.0, alpha=0.0)
    optimizer.param_groups[0]["alpha"] = 10 / (4 * 0.02)  # log b falls by 10
    train(model, optimizer, 6)
    assert moved == [2] * 4
    assert all(p.isfinite().all() for p in model.parameters())
    model, optimizer = prepared(momentum=0.0, alpha=1e6)
    train(model, optimizer, 2)
    assert moved == [2] * 4
    assert all(p.isfinite().all() for p in model.parameters())


class Subclass(torch.Tensor):
    """Not torch's own."""


@pytest.mark.parametrize(
    ("change", "options"),
    [
        ("double", {}),
        ("bfloat16", {}),
        ("channels last", {}),
        ("expanded gradient", {}),
        ("subclass", {}),
        ("small", {}),
        ("", {"lr": torch.tensor(0.1)}),
        ("", {"alpha": torch.tensor(0.1)}),
        ("", {"weight_decay": 0.1}),
        ("", {"beta": None}),
        ("", {"beta": 1e30}),
    ],
)
def test_what_the_kernel_is_not_made_for_is_left_to_torch(change, options, moved):
    x, gradient = tensor(16, 8, 4, 4) / 10, tensor(16, 8, 4, 4, seed=1)
    if change == "channels last":
        x, gradient = (each.to(memory_format=torch.channels_last) for each in (x, gradient))
    if change in ("double", "bfloat16"):
        x, gradient = (each.to(getattr(torch, change.replace("double", "float64"))) for each in (x, gradient))
    if change == "expanded gradient":
        gradient = torch.ones(()).expand(x.shape)
    if change == "small":
        x, gradient = x[:3], gradient[:3]
    p = nn.Parameter(x.clone())
    if change == "subclass":
        gradient = gradient.as_subclass(Subclass)
    p.grad = gradient
    optimizer = MirrorDescent([p], **{"lr": 0.1, "momentum": 0.9} | options)
    optimizer.step()
    assert not moved
    assert not torch.equal(p, x)


def test_the_kernel_takes_the_same_tensors_when_nothing_is_special(moved):
    p = nn.Parameter(tensor(16, 8, 4, 4))
    p.grad = tensor(16, 8, 4, 4, seed=1)
    MirrorDescent([p], lr=0.1, momentum=0.9).step()
    assert moved == [1]


def test_many_threads_are_left_to_torch(moved, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 8)
    model, optimizer = prepared()
    train(model, optimizer, 1)
    assert not moved


def test_autograd_sees_that_a_weight_has_moved(moved):
    x = tensor(4, 31, seed=2).requires_grad_()
    model, optimizer = prepared()
    loss = model[2](model[0](x)).sum()
    train(model, optimizer, 1)
    assert moved
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_gradient_scaler_skips_steps_that_overflow(moved):
    model, optimizer = prepared()
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    train(model, optimizer, 1)
    before = copy.deepcopy([p.detach() for p in model.parameters()])
    for factor, calls in ((math.inf, 1), (1.0, 2)):
        optimizer.zero_grad()
        scaler.scale(model(tensor(8, 31)).sum() * factor).backward()
        scaler.step(optimizer)
        scaler.update()
        assert len(moved) == calls
        still = [torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True)]
        assert all(still) if factor == math.inf else not any(still)


def test_a_weight_of_others_storage_is_moved_in_place(moved):
    """Views, shared memory: the kernel writes where the parameter is, and nowhere else."""
    shared = torch.zeros(3, 1024)
    shared[1] = tensor(1024)
    p = nn.Parameter(shared[1])
    p.grad = tensor(1024, seed=1)
    MirrorDescent([p], lr=0.1).step()
    assert moved == [1]
    assert torch.equal(shared[1], p)
    assert not torch.equal(shared[1], tensor(1024))
    assert not shared[0].any()
    assert not shared[2].any()
