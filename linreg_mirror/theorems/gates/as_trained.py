"""What `networks` makes of gates where torch is installed; elsewhere, in its place, the same in NumPy."""

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.hard_concrete import HardConcrete

Gradient = Callable[[Array], Array]
HAS_TORCH = find_spec("torch") is not None
_WIDEST = np.log(100)


def generated(W: Array, h: Array, c: Array) -> Array:
    """Return the logits log(100) tanh(Wh + c), by a `networks.gates.Generator` whose first layer makes h of ones."""
    if not HAS_TORCH:
        return _WIDEST * np.tanh(W @ h + c)
    import torch

    from linreg_mirror.networks.gates import Generator

    like = torch.zeros(1, dtype=torch.float64)
    made = Generator([h.size, c.size], "forward", like, np.random.default_rng(0))
    with torch.no_grad():
        given = (np.zeros((h.size, h.size)), np.arctanh(h / _WIDEST)), (W, c)
        maps: Any = made.maps
        for linear, (weight, bias) in zip(maps, given, strict=True):
            linear.weight.copy_(torch.as_tensor(weight))
            linear.bias.copy_(torch.as_tensor(bias))
        return made()[1].numpy()


def optimised(
    gradient: Gradient, starts: Array, rate: float, steps: int, adam: bool, eps: Sequence[float] = (1e-8,)
) -> Array:
    """Return the path of the optimiser that methods with gates use, shape (steps + 1, m, d) for starts (m, d).

    `networks.gates.SGDAndAdam`, of whose two kinds of groups Adam trains logits and gradient descent weights. Each
    group has its own eps, of which there are one or m; the gradient is that by all logits, flattened.
    """
    if not HAS_TORCH:
        flat, each = starts.ravel(), np.repeat(eps, starts.size // len(eps))
        path = by_adam(gradient, flat, each, rate, steps) if adam else by_descent(gradient, flat, rate, steps)
        return path.reshape(-1, *starts.shape)
    import torch

    from linreg_mirror.networks.gates import SGDAndAdam

    logits = torch.tensor(starts, dtype=torch.float64).reshape(len(eps), -1)  # of which the parts are views
    parts = list(logits)
    kind = "adam_lr" if adam else "lr"
    groups = [{"params": [part], kind: rate, "eps": one} for part, one in zip(parts, eps, strict=True)]
    optimizer, path = SGDAndAdam(groups, 0.0), [starts.ravel()]
    for _ in range(steps):
        slopes = torch.as_tensor(gradient(path[-1])).reshape(logits.shape)
        for part, slope in zip(parts, slopes, strict=True):
            part.grad = slope
        optimizer.step()
        path.append(logits.numpy().ravel().copy())
    return np.array(path).reshape(-1, *starts.shape)


def penalty(weights: Array | float) -> Gradient:
    """Return the gradient of sum weight_i P(z_i > 0), as autograd takes it of `networks.gates.open_probability`."""
    if not HAS_TORCH:
        return by_hand(weights)
    import torch

    from linreg_mirror.networks.gates import open_probability

    def gradient(log_alpha: Array) -> Array:
        logits = torch.tensor(log_alpha, dtype=torch.float64, requires_grad=True)
        total = (torch.as_tensor(weights, dtype=torch.float64) * open_probability(logits)).sum()
        return torch.autograd.grad(total, logits)[0].numpy()

    return gradient


def by_hand(weights: Array | float) -> Gradient:
    """Return the same by the derivative of the logistic function."""

    def gradient(log_alpha: Array) -> Array:
        p = HardConcrete().open_probability(log_alpha)
        return p * (1 - p) * weights

    return gradient


def by_adam(gradient: Gradient, start: Array, eps: Array | float, rate: float, steps: int) -> Array:
    """Return the path of Adam, decay rates 0.9 and 0.999, as its authors wrote it; each entry may have its own eps."""
    path, first, second = [start], np.zeros_like(start), np.zeros_like(start)
    for k in range(1, steps + 1):
        g = gradient(path[-1])
        first, second = 0.9 * first + 0.1 * g, 0.999 * second + 0.001 * g**2
        path.append(path[-1] - rate * first / (1 - 0.9**k) / (np.sqrt(second / (1 - 0.999**k)) + eps))
    return np.array(path)


def by_descent(gradient: Gradient, start: Array, rate: float, steps: int) -> Array:
    """Return the path of gradient descent, shape (steps + 1, d)."""
    path = [start]
    for _ in range(steps):
        path.append(path[-1] - rate * gradient(path[-1]))
    return np.array(path)


def expected_weights(inputs: int, areas: Sequence[int], log_alphas: Sequence[Array]) -> float | None:
    """Return what `networks.gates.expected_weights` counts of gated convolutions, one after the other.

    Their kernels have `areas` pixels in a line, and their channels gates of default shape. None without torch.
    """
    if not HAS_TORCH:
        return None
    import torch

    from linreg_mirror.networks import gates

    layers: list[torch.nn.Module] = []
    for width, area, logits in zip([inputs, *map(len, log_alphas)], areas, log_alphas, strict=False):
        layers += [torch.nn.Conv2d(width, len(logits), (1, area)), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(len(log_alphas[-1]), 1)).double()
    gates.gate_channels(model, np.random.default_rng(0))
    with torch.no_grad():
        for gate, logits in zip(gates.gates_of(model).values(), log_alphas, strict=True):
            gate.get_parameter("loga").copy_(torch.as_tensor(logits))
        return float(gates.expected_weights(model))
