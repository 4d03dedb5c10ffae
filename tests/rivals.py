"""What the tests of the rivals share."""

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from linreg_mirror.networks import methods

OPTIONS = {
    "powerprop": {"exponent": 1.5},
    "cs": {"epochs": 6, "alpha": 1e-2},
    "str": {"s_init": -2.0},
    "ham": {"metric": 2.0, "shrink": 0.1},
    "rigl": {"epochs": 6, "keep": 0.3, "every": 3},
}


def make(name, **options):
    return methods.create(name, **OPTIONS[name] | options)


def network(seed=0, dtype=torch.float32):
    """Two linear layers with batch norm between them, for inputs (N, 6) and three classes."""
    model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.BatchNorm1d(8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.tensor(rng.standard_normal(parameter.shape)))
    return model.to(dtype)


def examples(dtype=torch.float32):
    rng = np.random.default_rng(7)
    return torch.tensor(rng.standard_normal((20, 6)), dtype=dtype), torch.tensor(rng.integers(3, size=20))


def trained(method, model, steps=20, lr=0.05, weight_decay=0.01, optimizer=None, each=lambda: None):
    """Attach, and take steps with all examples; three steps are an epoch."""
    x, y = examples(next(model.parameters()).dtype)
    if optimizer is None:
        method.attach(model)
        optimizer = method.optimizer(model, lr=lr, momentum=0.9, weight_decay=weight_decay)
    for step in range(steps):
        optimizer.zero_grad()
        cross_entropy(model(x), y).backward()
        method.before_step(lr)
        optimizer.step()
        method.after_step(lr)
        each()
        if step % 3 == 2:
            method.after_epoch(0.5)
    return optimizer


def assert_same(one, other):
    named = dict(one.named_parameters())
    assert named.keys() == {n for n, _ in other.named_parameters()}
    for name, parameter in other.named_parameters():
        assert torch.equal(named[name], parameter), name
