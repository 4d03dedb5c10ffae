"""What tests of training share: a small network and its steps, runs that are killed."""

import numpy as np
import pytest
import torch
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from linreg_mirror.networks.methods import Dense
from linreg_mirror.networks.parametrizations.hadamard import factors_of
from linreg_mirror.networks.training import checkpoints, train
from sketching import prunable


def network(seed=0, dtype=torch.float32):
    """Two linear layers with batch norm between them, for inputs (N, 6) and three classes."""
    model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.BatchNorm1d(8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.tensor(rng.standard_normal(parameter.shape)))
    return model.to(dtype)


def examples(dtype=torch.float32, count=20):
    rng = np.random.default_rng(7)
    return torch.tensor(rng.standard_normal((count, 6)), dtype=dtype), torch.tensor(rng.integers(3, size=count))


def trained(method, model, steps=20, lr=0.05, weight_decay=0.01, optimizer=None, each=lambda: None, data=None):
    """Attach, unless there is an optimiser, and take steps with all examples; three steps are an epoch."""
    x, y = examples(next(model.parameters()).dtype) if data is None else data
    if optimizer is None:
        method.attach(model)
        optimizer = method.optimizer(model, lr=lr, momentum=0.9, weight_decay=weight_decay)
    for step in range(steps):
        optimizer.zero_grad()
        outputs = model(x)
        cross_entropy(outputs, y).backward()
        method.before_step(lr)
        optimizer.step()
        method.after_step(lr)
        each()
        if step % 3 == 2:
            method.after_epoch((outputs.argmax(1) == y).float().mean().item())
    return optimizer


def half(seed=3):
    """Masks of every other weight or so."""
    rng = np.random.default_rng(seed)
    return {"0.weight": torch.tensor(rng.random((8, 6)) < 0.5), "3.weight": torch.tensor(rng.random((3, 8)) < 0.5)}


def one_layer(x):
    """A linear layer with these weights and one output, in double precision, with bias 1."""
    layer = torch.nn.Linear(len(x), 1).double()
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([x]))
        layer.bias.fill_(1)
    return layer


def steps_of(method, x, g, lr=0.125, momentum=0.0, weight_decay=0.5, count=1):
    """Steps for the loss <g, x> + bias; returns the layer."""
    layer, g = one_layer(x), torch.tensor(g, dtype=torch.float64)
    method.attach(layer)
    optimizer = method.optimizer(layer, lr=lr, momentum=momentum, weight_decay=weight_decay)
    for _ in range(count):
        optimizer.zero_grad()
        layer(g[None]).sum().backward()
        method.before_step(lr)
        optimizer.step()
        method.after_step(lr)
    return layer


def behind(layer):
    """The parameters behind the weight of a layer."""
    return [p.flatten().tolist() for n, p in layer.named_parameters() if n.startswith("parametrizations")]


def assert_dense(method):
    """Training by the method is training by `Dense`, bit for bit, weight decay and momentum included."""
    dense, model = network(), network()
    trained(Dense(), dense)
    trained(method, model)
    method.finish()
    assert_same(dense, model)


def factors(layer):
    """m and w of a layer."""
    ((m, w),) = factors_of(layer).values()
    return m.flatten().tolist(), w.flatten().tolist()


def sgd(model, steps, split=None, lr=0.05, momentum=0.9):
    """Weights after plain training by torch, weight decay only where there is one dimension, if x = m*w is split."""
    x, y = examples()
    leaves = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
    pairs = {}
    for name in prunable(model) if split else ():
        pairs[name] = [factor.detach().requires_grad_() for factor in split(leaves.pop(name))]
    groups = [{"params": [*leaves.values()], "weight_decay": 0.01}]
    if pairs:
        groups.append({"params": [factor for pair in pairs.values() for factor in pair]})
    optimizer = torch.optim.SGD(groups, lr, momentum)
    for _ in range(steps):
        optimizer.zero_grad()
        weights = leaves | {name: m * w for name, (m, w) in pairs.items()}
        cross_entropy(functional_call(model, weights, (x,)), y).backward()
        optimizer.step()
    return leaves | {name: m * w for name, (m, w) in pairs.items()}


def assert_same(one, other):
    named = dict(one.named_parameters())
    assert named.keys() == {n for n, _ in other.named_parameters()}
    for name, parameter in other.named_parameters():
        assert torch.equal(named[name], parameter), name


# ---- runs


class Killed(Exception):
    pass


def killed_after(epoch, cycle=None):
    """What to give as `progress` to kill a run after an epoch."""

    def stop(record):
        if (record["epoch"], record.get("cycle")) == (epoch, cycle):
            raise Killed

    return stop


def end_of(folder):
    return checkpoints.load(folder / "final.safetensors")[0]


def same(first, second):
    """Whether two states have the same names and bits."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def without_times(history):
    return [record | {"seconds": 0} for record in history]


def whole_and_parts(recipe, folder, killed=(1, 3)):
    """A run, and one that was killed after these epochs; both have come to the same end, bit by bit."""
    whole = train(recipe, folder=folder / "whole")
    for epoch in killed:
        with pytest.raises(Killed):
            train(recipe, folder=folder / "parts", progress=killed_after(epoch))
        torch.rand(3)  # what others draw meanwhile does not matter
    parts = train(recipe, folder=folder / "parts")
    assert without_times(parts.history) == without_times(whole.history)
    assert same(end_of(folder / "whole"), end_of(folder / "parts"))
    return whole, parts
