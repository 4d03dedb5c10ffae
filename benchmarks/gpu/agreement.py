"""Does every path on tensors give on the device what it gives on the CPU?"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

import linreg_mirror as lm
import sketching
from benchmarks.gpu.visit import Row, Settings
from linreg_mirror.networks import methods
from linreg_mirror.networks.data import DeviceGenerator
from sketching import network_scores

_TOLERANCE = 1e-9  # relative, in float64
_PILOT = {"epochs": 1, "alpha": 1e-3, "K": 0.0, "delta": 1.01}
# Gates of l0 and dep-l0 are drawn by torch's generators, which differ from device to device.
_METHODS: dict[str, dict[str, Any]] = {
    "dense": {},
    "l1": {"alpha": 1e-3},
    "spred": {"alpha": 1e-3},
    "pilot": _PILOT,
    "pilot-mirror": _PILOT,
    "powerprop": {"exponent": 2.0},
    "cs": {"epochs": 1, "alpha": 1e-3},
    "str": {"s_init": -4.0},
    "ham": {},
    "masked": {"score": "magnitude", "keep": 0.5, "rounds": 1},
    "gmp": {"epochs": 1, "keep": 0.3},
    "rigl": {"epochs": 1, "keep": 0.5},
    "granet": {"epochs": 1, "keep": 0.3},
}


def agreement(settings: Settings, _: float) -> Iterator[Row]:
    """Yield the largest difference of each path, relative to the largest number on the CPU."""
    for name, path in _paths().items():
        here, there = path(torch.device("cpu")), path(settings.device)
        difference = float((there.cpu() - here).abs().max() / here.abs().max())
        yield {"path": name, "largest difference": difference, "right": difference <= _TOLERANCE}


def _paths() -> dict[str, Callable[[torch.device], torch.Tensor]]:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((8, 20, 50)), rng.standard_normal((8, 20))
    w = rng.standard_normal(50)
    of_few = X[:, :, :3] @ rng.standard_normal(3)

    def on(device: torch.device, *arrays: Any) -> list[torch.Tensor]:
        return [torch.as_tensor(array, dtype=torch.float64, device=device) for array in arrays]

    def steps(device: torch.device, **options: Any) -> torch.Tensor:
        A, b = on(device, X / 10, y)
        return lm.descents(
            A, b, log_scale=-4.0 * torch.ones(8, 1, device=device), step_size=0.05, steps=300, **options
        ).x

    def drawn(device: torch.device) -> DeviceGenerator:
        return DeviceGenerator(0, like=torch.empty(0, device=device))

    def solved(
        device: torch.device, solve: Callable[..., lm.Solutions], targets: Any = y, **options: float
    ) -> torch.Tensor:
        A, b = on(device, X, targets)
        return solve(A, b, **options).x

    def scored(device: torch.device, name: str) -> torch.Tensor:
        A, b, v = on(device, X[0], y[0], w)
        return getattr(sketching.scores, name)(A, v, b)

    paths: dict[str, Callable[[torch.device], torch.Tensor]] = {
        "descents": steps,
        "descents, momentum": lambda device: steps(device, momentum=0.5),
        "descents, penalty": lambda device: steps(device, penalty=lambda k: 0.1 / (k + 1)),
        "descents, batches": lambda device: steps(device, batch_size=5, rng=np.random.default_rng(0)),
        "descents, batches with replacement": lambda device: steps(
            device, batch_size=5, replacement=True, rng=np.random.default_rng(0)
        ),
        "random numbers": lambda device: drawn(device).random(100_000),
        "random order": lambda device: drawn(device).permutation(100_000),
        "limits": lambda device: solved(device, lm.limits, log_scale=-12.0),
        "limits of few weights": lambda device: solved(device, lm.limits, of_few, log_scale=-50.0),
        "minimum_l1s": lambda device: solved(device, lm.minimum_l1s),
        "lassos": lambda device: solved(device, lm.lassos, weight=1.0),
    }
    for name in ("snip", "grasp"):
        paths[f"scores.{name}"] = lambda device, name=name: scored(device, name)
    for name in ("snip", "grasp", "synflow"):
        paths[f"network_scores.{name}"] = lambda device, name=name: _network_score(device, name)
    for name in _METHODS:
        paths[f"three steps of {name}"] = lambda device, name=name: _trained(device, name)
    return paths


def _network(device: torch.device) -> tuple[torch.nn.Module, torch.Tensor, torch.Tensor]:
    """Return a small network in float64, and a batch."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(2, 6, 3), torch.nn.BatchNorm2d(6), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(96, 4)
    )
    rng = np.random.default_rng(1)
    inputs = torch.as_tensor(rng.standard_normal((32, 2, 6, 6)), device=device)
    return model.double().to(device), inputs, torch.as_tensor(rng.integers(4, size=32), device=device)


def _network_score(device: torch.device, name: str) -> torch.Tensor:
    model, inputs, labels = _network(device)
    if name == "synflow":
        found = network_scores.synflow(model, inputs[:1])
    else:
        found = getattr(network_scores, name)(model, cross_entropy, inputs, labels)
    return torch.cat([score.ravel() for score in found.values()])


def _trained(device: torch.device, name: str) -> torch.Tensor:
    model, inputs, labels = _network(device)
    method = methods.create(name, **_METHODS[name])
    method.attach(model)
    optimizer = method.bind(method.optimizer(model, lr=0.05, momentum=0.9, weight_decay=1e-4))
    for _ in range(3):
        optimizer.zero_grad()
        cross_entropy(model(inputs), labels).backward()
        optimizer.step()
    return torch.cat([weight.detach().ravel() for weight in method.weights().values()])
