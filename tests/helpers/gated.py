"""Networks with gates, and what a step on them comes to in NumPy."""

import math

import numpy as np
import torch
from scipy.special import expit, logit
from torch import nn

from tests.helpers.training import trained

LOG100 = math.log(100)


SHIFT = 2 / 3 * math.log(1 / 11)


def network(seed=0):
    """Three linear layers, with batch norm after the first, for inputs (N, 4) and three classes."""
    model = nn.Sequential(
        nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3)
    ).double()
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.tensor(rng.standard_normal(parameter.shape)))
    return model


def examples(count=20):
    rng = np.random.default_rng(7)
    return torch.tensor(rng.standard_normal((count, 4))), torch.tensor(rng.integers(3, size=count))


def steps(method, model, optimizer, count, lr=0.05):
    trained(method, model, count, lr, optimizer=optimizer, data=examples())


def attached(method, model, lr=0.05, momentum=0.9, weight_decay=0.01):
    method.attach(model)
    return method.optimizer(model, lr=lr, momentum=momentum, weight_decay=weight_decay)


def drawn(u, loga):
    return np.clip(1.2 * expit(1.5 * (logit(u) + loga)) - 0.1, 0, 1)


def first_step_of_adam(theta, gradient, lr):
    return theta - lr * gradient / (np.abs(gradient) + 1e-8)


def slopes(function, theta, h=1e-6):
    """Central differences."""
    found = np.zeros_like(theta)
    for index in np.ndindex(theta.shape):
        step = np.zeros_like(theta)
        step[index] = h
        found[index] = (function(theta + step) - function(theta - step)) / (2 * h)
    return found


def perceptron():
    """4 - 3 - 2 - 1 units; loss is the sum of the outputs."""
    layers = [nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1)]
    model = nn.Sequential(*layers).double()
    rng = np.random.default_rng(3)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.tensor(rng.uniform(0.2, 1, parameter.shape)))
    return model


def objective(model, x, u, logits, lam):
    """Loss and penalty of the perceptron, in NumPy, with the draws u of both gated layers."""
    a, b, c = ((m.weight.detach().numpy(), m.bias.detach().numpy()) for m in model if isinstance(m, nn.Linear))
    out = np.maximum((x @ a[0].T + a[1]) * drawn(u[0], logits[0]), 0)
    out = np.maximum((out @ b[0].T + b[1]) * drawn(u[1], logits[1]), 0)
    p, q = (expit(loga - SHIFT) for loga in logits)
    return (out @ c[0].T + c[1]).sum() + lam * (4 * p.sum() + p.sum() * q.sum())


def one_step(method, model, x):
    """Take a step, and return the draws of both gated layers."""
    optimizer = attached(method, model)
    torch.manual_seed(5)
    u = [torch.rand(len(x), width, dtype=torch.float64).numpy() for width in (3, 2)]
    torch.manual_seed(5)
    model(torch.tensor(x)).sum().backward()
    method.before_step(0.05)
    return optimizer, u
