"""Hyperbolic steps: after any optimiser, and towards their flow."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch.nn.functional import cross_entropy

from linreg_mirror.networks.optimizers.ham import add_hyperbolic_steps
from tests.helpers.training import examples, network

pytestmark = pytest.mark.usefixtures("one_thread")


def test_any_optimizer_takes_hyperbolic_steps():
    """Each group with its own lr; parameters of one dimension, and those without gradient, are as they were."""
    models = [network(), network()]
    optimizers = [
        torch.optim.Adam([{"params": m[1:].parameters()}, {"params": m[0].parameters(), "lr": 0.1}], lr=0.02)
        for m in models
    ]
    assert add_hyperbolic_steps(optimizers[1], metric=3, shrink=0.2) is optimizers[1]
    x, y = examples()
    for model, optimizer in zip(models, optimizers, strict=True):
        model[3].weight.requires_grad_(False)
        cross_entropy(model(x), y).backward()
        assert optimizer.step(lambda: 7) == 7
    assert str(optimizers[0].state_dict()) == str(optimizers[1].state_dict())
    plain, found = models
    for name, parameter in found.named_parameters():
        before = dict(plain.named_parameters())[name].detach()
        if name == "0.weight":
            factor = torch.exp(-0.1 * (3 * before.sign() * parameter.grad + 0.2))
            torch.testing.assert_close(parameter.detach(), before * factor, rtol=1e-6, atol=0)
        else:
            assert torch.equal(parameter, before)


def test_ham_goes_to_its_flow():
    """x' = -(1 + metric |x|) g - shrink x, at first order in the learning rate."""
    rng = np.random.default_rng(3)
    X, y, x0 = rng.normal(size=(4, 7)), rng.normal(size=4), rng.normal(size=7)

    def flow(t, x):
        return -(1 + 3 * np.abs(x)) * (X.T @ (X @ x - y)) - 0.4 * x

    # No sign changes, at which the flow has a kink.
    end = solve_ivp(flow, (0, 0.064), x0, rtol=1e-12, atol=1e-12).y[:, -1]
    assert (end * x0 > 0).all()
    lrs, errors = [4e-4, 2e-4, 1e-4], []
    for lr in lrs:
        x = torch.nn.Parameter(torch.tensor(x0[None]))
        optimizer = add_hyperbolic_steps(torch.optim.SGD([x], lr), metric=3, shrink=0.4)
        for _ in range(round(0.064 / lr)):
            optimizer.zero_grad()
            ((x @ torch.tensor(X.T) - torch.tensor(y)).square().sum() / 2).backward()
            optimizer.step()
        errors.append(np.abs(x.detach().numpy()[0] - end).max())
    assert np.polyfit(np.log(lrs), np.log(errors), 1)[0] == pytest.approx(1, abs=0.05)


def test_exponents_are_clipped():
    """A gradient that would make a weight overflow, or vanish, changes it by exp(5)."""
    layer = torch.nn.Linear(2, 1, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[2.0, 2.0]]))
    optimizer = add_hyperbolic_steps(torch.optim.SGD(layer.parameters(), lr=1e-9), metric=1e12, shrink=0.0)
    layer(torch.tensor([[1.0, -1.0]]).double()).sum().backward()
    optimizer.step()
    assert layer.weight.tolist()[0] == pytest.approx([2 * math.exp(-5), 2 * math.exp(5)])
    with pytest.raises(ValueError, match="clip must be a finite number >= 0"):
        add_hyperbolic_steps(optimizer, clip=math.inf)


def test_norms_are_limited():
    """Of each parameter, also a bias; and of the gradients once used, which a loop that adds to them feels."""
    x, y = examples()
    models = [network(), network()]
    found = add_hyperbolic_steps(
        torch.optim.SGD(models[0].parameters(), 0.5), metric=2, shrink=0.1, largest_weights=1.5, largest_gradients=0.2
    )
    limited, used = set(), 0.0
    for _ in range(3):
        for model in models:
            cross_entropy(model(x), y).backward()
        found.step()
        squares = 0.0
        with torch.no_grad():
            for name, p in models[1].named_parameters():
                p -= 0.5 * p.grad
                if p.ndim > 1:
                    p *= torch.exp(-0.5 * (2 * p.sign() * p.grad + 0.1))
                if float(p.norm()) > 1.5:
                    limited.add(name)
                    p *= 1.5 / p.norm()
                squares += float(p.grad.square().sum())
            for p in models[1].parameters():
                p.grad *= min(1.0, 0.2 / squares**0.5)
        used = max(used, squares**0.5)
        for one, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=2e-5, atol=1e-6)
            torch.testing.assert_close(one.grad, other.grad, rtol=2e-5, atol=1e-6)
    assert 0 < len(limited) < len(list(models[0].parameters()))
    assert used > 0.2
    for wrong in ({"largest_weights": 0}, {"largest_gradients": -1}):
        with pytest.raises(ValueError, match="must be a positive number"):
            add_hyperbolic_steps(found, **wrong)
