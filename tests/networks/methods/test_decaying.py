"""The penalty as weight decay of a step of SGD: the same step, what it leaves as it was, what it is not made for."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from linreg_mirror.networks import methods

pytestmark = pytest.mark.usefixtures("one_thread")

METHODS = {"pilot": {"epochs": 3, "alpha": 0.02}, "spred": {"alpha": 0.02}}


def tensor(*shape, seed=0, dtype=torch.float32):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape)).to(dtype)


def prepared(name="pilot", dtype=torch.float32):
    model = nn.Sequential(nn.Linear(67, 61), nn.Tanh(), nn.Linear(61, 3)).to(dtype)
    for k, p in enumerate(model.parameters()):
        p.data = tensor(*p.shape, seed=k, dtype=dtype) / 3
    method = methods.create(name, **METHODS[name])
    method.attach(model)
    return model, method


def backward(model, optimizer):
    optimizer.zero_grad()
    dtype = next(model.parameters()).dtype
    (model(tensor(8, 67, seed=10, dtype=dtype)) - tensor(8, 3, seed=11, dtype=dtype)).square().mean().backward()


def by_calls(model, method, optimizer, steps=6):
    """Train with the penalty added to the gradients; return the parameters."""
    for _ in range(steps):
        backward(model, optimizer)
        lr = optimizer.param_groups[0]["lr"]
        method.before_step(lr)
        optimizer.step()
        method.after_step(lr)
    return [p.detach() for p in model.parameters()]


def bound(model, method, optimizer, steps=6):
    """Train in the other way; return the parameters, and whether each step was one of torch's kernel."""
    method.bind(optimizer)
    fused = []
    optimizer.register_step_pre_hook(lambda optimizer, *_: fused.append(optimizer.param_groups[0]["fused"]))
    for _ in range(steps):
        backward(model, optimizer)
        optimizer.step()
    return [p.detach() for p in model.parameters()], [bool(each) for each in fused]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
@pytest.mark.parametrize("name", METHODS)
def test_the_steps_are_those_with_the_penalty_in_the_gradients(name, momentum, nesterov, dtype):
    ends = []
    for way in (by_calls, bound):
        model, method = prepared(name, dtype)
        groups = method.groups(model, momentum=momentum, weight_decay=0.1)
        groups[0]["weight_decay"] = 0.01
        optimizer = torch.optim.SGD(groups, lr=0.05, momentum=momentum, nesterov=nesterov)
        ends.append(way(model, method, optimizer))
    expected, (found, fused) = ends
    assert fused == [momentum == 0.0] + [True] * 5  # a first step makes the momentum
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=20 * torch.finfo(dtype).eps, atol=torch.finfo(dtype).eps)


def test_groups_and_gradients_are_as_before():
    model, method = prepared()
    optimizer = method.bind(method.optimizer(model, lr=0.05, momentum=0.9, weight_decay=0.1))
    inside = []
    optimizer.register_step_pre_hook(lambda optimizer, *_: inside.append(copy.deepcopy(optimizer.state_dict())))
    gradients = []
    for _ in range(2):
        backward(model, optimizer)
        gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
        before = copy.deepcopy(optimizer.state_dict()["param_groups"])
        optimizer.step()
        assert optimizer.state_dict()["param_groups"] == before
    assert [group["weight_decay"] for group in inside[1]["param_groups"]] == [2 * method.alpha, 0.1]
    for p, gradient in zip(model.parameters(), gradients, strict=True):
        torch.testing.assert_close(p.grad, gradient, rtol=0, atol=0)


def test_a_step_that_fails_leaves_nothing_behind(monkeypatch):
    ends = []
    for fails in (False, True):
        model, method = prepared()
        optimizer = method.optimizer(model, lr=0.05, momentum=0.9, weight_decay=0.1)
        bound(model, method, optimizer, 2)
        if fails:
            with monkeypatch.context() as patch:
                patch.setattr(torch, "_fused_sgd_", lambda *_, **__: 1 / 0)
                with pytest.raises(ZeroDivisionError):
                    optimizer.step()
        backward(model, optimizer)
        optimizer.step()
        ends.append([p.detach() for p in model.parameters()])
    assert all(torch.equal(p, q) for p, q in zip(*ends, strict=True))


def test_few_entries_have_the_penalty_in_the_gradients():
    """Bit for bit: there is nothing to gain."""
    ends = []
    for way in (by_calls, bound):
        torch.manual_seed(0)
        model, method = nn.Sequential(nn.Linear(67, 60)), methods.create("spred", alpha=0.02)
        method.attach(model)
        optimizer = method.optimizer(model, lr=0.05, momentum=0.9, weight_decay=0.1)
        model.append(nn.Linear(60, 3).requires_grad_(False))
        ends.append(way(model, method, optimizer))
    expected, (found, fused) = ends
    assert not any(fused)
    assert all(torch.equal(p, q) for p, q in zip(found, expected, strict=True))


class OwnSGD(torch.optim.SGD):
    """What else it does with weight decay is its own affair."""


def turn(p):
    if p.ndim > 1:
        p.grad = p.grad.mT.contiguous().mT


def by_columns(model):
    for p in model.parameters():
        p.register_post_accumulate_grad_hook(turn)


@pytest.mark.parametrize(
    ("make", "change", "dtype"),
    [
        (OwnSGD, None, torch.float32),
        (torch.optim.Adam, None, torch.float32),
        (torch.optim.SGD, None, torch.bfloat16),
        (torch.optim.SGD, by_columns, torch.float32),
        (lambda groups, **options: torch.optim.SGD(groups, maximize=True, **options), None, torch.float32),
        (lambda groups, **options: torch.optim.SGD(groups, foreach=True, **options), None, torch.float32),
        (lambda groups, **options: torch.optim.SGD(groups, differentiable=False, dampening=0.1, **options), None, None),
        (lambda groups, lr: torch.optim.SGD(groups, lr=torch.tensor(lr)), None, torch.float32),
        (lambda groups, lr: torch.optim.SGD([p for g in groups for p in g["params"]], lr=lr), None, torch.float32),
    ],
)
def test_other_steps_have_the_penalty_in_the_gradients(make, change, dtype):
    """Bit for bit; all but one with dampening, which the kernel has."""
    ends = []
    for way in (by_calls, bound):
        model, method = prepared(dtype=dtype or torch.float32)
        if change is not None:
            change(model)
        groups = method.groups(model, momentum=0.0, weight_decay=0.0)
        ends.append(way(model, method, make(groups, lr=0.01)))
    expected, (found, fused) = ends
    assert any(fused) == (dtype is None)
    rtol, atol = (1e-5, 1e-7) if dtype is None else (0, 0)
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=rtol, atol=atol)


def test_gradient_scaler_unscales_and_skips():
    model, method = prepared()
    optimizer = method.optimizer(model, lr=0.05, momentum=0.9, weight_decay=0.1)
    _, fused = bound(model, method, optimizer, 2)
    scaler, before = torch.amp.GradScaler("cpu", init_scale=1024.0), [p.detach().clone() for p in model.parameters()]
    for factor in (math.inf, 1.0):
        optimizer.zero_grad()
        scaler.scale((model(tensor(8, 67, seed=10)) - tensor(8, 3, seed=11)).square().mean() * factor).backward()
        scaler.step(optimizer)
        scaler.update()
        if factor == math.inf:
            assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
    assert fused == [False, True]
    other, same = prepared()
    by_calls(other, same, same.optimizer(other, lr=0.05, momentum=0.9, weight_decay=0.1), 3)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-5, atol=1e-7)
