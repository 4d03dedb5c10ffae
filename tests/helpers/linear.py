"""A linear model, whose ends and paths the core knows."""

import numpy as np
import torch

from linreg_mirror.solvers.lasso import lasso
from tests.helpers.zoo import gaussian


def linear(problem, x0=None):
    """The model whose loss is |Xx - y|^2/2, and this loss."""
    X, y = (torch.tensor(a) for a in (problem.X, problem.y))
    model = torch.nn.Linear(problem.d, 1, bias=False).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor(np.ones(problem.d) if x0 is None else x0))
    return model, lambda: (model(X)[:, 0] - y).square().sum() / 2


def run(method, problem, lr, steps, momentum=0.0, x0=None, each=lambda model: None):
    """Full-batch training; returns the model."""
    model, loss = linear(problem, x0)
    method.attach(model)
    optimizer = method.optimizer(model, lr=lr(0) if callable(lr) else lr, momentum=momentum, weight_decay=0)
    for step in range(steps):
        eta = optimizer.param_groups[0]["lr"] = lr(step) if callable(lr) else lr
        optimizer.zero_grad()
        loss().backward()
        method.before_step(eta)
        optimizer.step()
        method.after_step(eta)
        each(model)
    return model


def slope(lrs, errors):
    return np.polyfit(np.log(lrs), np.log(errors), 1)[0]


def assert_ends_at_lasso(make, times, momentum, seed):
    """Training with alpha ends at LASSO(times alpha); returns its weights and those of the LASSO."""
    problem = gaussian(12, 6, seed, nonzeros=3)
    top = np.abs(problem.X.T @ problem.y).max()
    solution = lasso(problem, 0.2 * top)
    assert solution.certificate.valid
    assert 0 < np.count_nonzero(solution.x) < 6
    # A sign that differs from that of the solution could not change.
    x0 = np.where(solution.x == 0, 0.1, 0.5 * solution.x)
    lr = 0.5 / times / np.linalg.norm(problem.X, 2) ** 2 * (1 - momentum)
    model = run(make(0.2 * top / times), problem, lr, 800, momentum, x0)
    x = model.weight.detach().numpy()[0]
    np.testing.assert_allclose(x, solution.x, atol=2e-11)
    return x, solution.x
