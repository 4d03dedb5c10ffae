"""Many problems at once: descents, limits, and the choice of a mask."""

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

import linreg_mirror as lm
import sketching
from benchmarks.gpu.visit import Row, Settings
from benchmarks.kernels import kernels_a_step

_SHAPE = (40, 100)
_RUNS, _STEPS = 10_000, 1_024  # 16 graphs
_LIMITS, _PART, _SECONDS = 1_000_000, 20_000, 120.0
_SCORES = 25_000_000


def descents(settings: Settings, _: float) -> Iterator[Row]:
    """Yield time and kernels of a step of all runs: ours, plain and compiled, beside a batched loop of torch."""
    (n, d), runs, steps = _SHAPE, *((50, 128) if settings.tiny else (_RUNS, _STEPS))
    rng = np.random.default_rng(0)
    X, y = (
        torch.as_tensor(array, device=settings.device)
        for array in (rng.standard_normal((n, d)) / n**0.5, rng.standard_normal(n))
    )
    log_scale = torch.linspace(-8.0, 0.0, runs, dtype=torch.float64, device=settings.device)[:, None]
    floor = 4.0 * n * d * runs / _rate(settings)
    ours = partial(lm.descents, X, y, log_scale=log_scale, step_size=1e-3, tolerance=0.0)
    answer = _by_autograd(X, y, log_scale, steps)
    ways: dict[str, Callable[[int], torch.Tensor]] = {
        "descents, compiled (ours)": lambda steps: ours(steps=steps, compiled=True).x,
        "descents (ours)": lambda steps: ours(steps=steps).x,
        "torch, autograd and SGD": lambda steps: _by_autograd(X, y, log_scale, steps),
    }
    for name, way in ways.items():
        seconds = settings.median(partial(way, steps), repeats=3) / steps
        error = float((way(steps) - answer).abs().max() / answer.abs().max())
        counts = kernels_a_step(way, settings.device.type)
        yield {
            "way": name, "runs": runs, "n": n, "d": d, "us a step": 1e6 * seconds, "share of the fp64 floor":
            floor / seconds, "kernels a step": counts["kernels"], "difference": error, "right": error <= 1e-9,
        }  # fmt: skip


def _by_autograd(X: torch.Tensor, y: torch.Tensor, log_scale: torch.Tensor, steps: int) -> torch.Tensor:
    m = (2 * log_scale.exp()).sqrt().repeat(1, X.shape[1]).requires_grad_()
    w = torch.zeros_like(m).requires_grad_()
    optimizer = torch.optim.SGD([m, w], lr=1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        (0.5 * (((m * w) @ X.T - y) ** 2).sum()).backward()
        optimizer.step()
    return (m * w).detach()


def _rate(settings: Settings) -> float:
    """Return flops a second of square products in float64."""
    size = 256 if settings.tiny else 4096
    A = torch.randn(size, size, dtype=torch.float64, device=settings.device)
    return 2.0 * size**3 / settings.median(lambda: A @ A)


def limits(settings: Settings, left: float) -> Iterator[Row]:
    """Yield how many limits, least L1 norms and LASSO solutions are proved a second, each problem with its own X."""
    n, d = _SHAPE
    part, most = (64, 64) if settings.tiny else (_PART, _LIMITS)
    torch.manual_seed(0)
    draw = partial(torch.randn, dtype=torch.float64, device=settings.device)
    solvers: dict[str, Any] = {
        "limits at log b = -20": lambda X, y: lm.limits(X, y, log_scale=-20.0),
        "minimum_l1s": lm.minimum_l1s,
        "lassos of weight 1": lambda X, y: lm.lassos(X, y, 1.0),
    }
    for name, solve in solvers.items():
        seconds, done, singly, worst = 0.0, 0, 0, 0.0
        while done < most and seconds < min(_SECONDS, left / 4):
            X, y = draw(part, n, d), draw(part, n)
            settings.wait()
            started = time.perf_counter()
            found = solve(X, y)
            settings.wait()
            seconds += time.perf_counter() - started
            done, singly, worst = done + part, singly + found.singly, max(worst, float(found.error.max()))
        yield {
            "solver": name, "problems": done, "seconds": seconds, "seconds for a million": 1e6 * seconds / done,
            "one by one": singly, "largest error bar": worst, "right": worst < 1e-6,
        }  # fmt: skip


def scores(settings: Settings, _: float) -> Iterator[Row]:
    """Yield the time to choose 5 % of as many weights as ResNet-50 has, on the device and on the CPU."""
    size = 100_000 if settings.tiny else _SCORES
    torch.manual_seed(0)
    there = torch.rand(size, device=settings.device)
    here = there.cpu()
    for select in (sketching.top_k, sketching.with_replacement, sketching.bernoulli):
        row: Row = {"selection": select.__name__, "weights": size}
        for place, values in (("device", there), ("cpu", here)):
            row[f"seconds, {place}"] = settings.median(
                lambda values=values, select=select: select(values, size // 20, np.random.default_rng(0)), repeats=3
            )
        masks = [select(values, size // 20, np.random.default_rng(0)) for values in (there, here)]
        row["right"] = bool((masks[0].cpu() == masks[1]).all())
        yield row
