"""What does a training step cost with PILoT's geometry, as x = m*w and as mirror descent on x, beside plain SGD?

Each trains on one batch of random images, again and again: forward, backward, and the step with momentum and penalty.
On an accelerator if there is one, else on one thread of the CPU.
"""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from benchmarks.harness import Answer, Competitor, Judgement, Settings, compare
from linreg_mirror.networks import methods, models

_STEPS = {"lenet-300-100": 200, "resnet20": 3}
_BATCH = 128
_LR = 0.02
_PILOT = {"epochs": 1, "alpha": 1e-4, "K": 0.0, "delta": 1.0}
METHODS = {
    "pilot-mirror": ("mirror descent on x (ours)", _PILOT),
    "pilot": ("SGD on m*w (ours)", _PILOT),
    "dense": ("SGD on x", {}),
}


def measure(settings: Settings, progress: Callable[[str], None]) -> dict[str, Any]:
    torch.set_num_threads(1)
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    device = accelerator or torch.device("cpu")
    rows, times, memory = [], [], []
    for model, steps in _STEPS.items():
        size, steps = (8, 2) if settings.quick else (_BATCH, steps)
        batch = _random_batch(model, size, device)
        runs = [_Run(model, method, batch) for method in METHODS]
        case = {"model": model, "batch": size, "steps": steps}
        start = runs[0].loss().item()
        found = compare(case, [run.competitor(steps) for run in runs], partial(_judge, start), settings, progress)
        rows += found
        times += _times(case, found)
        memory += [{"model": model, "training": run.name} | run.memory() for run in runs]
    return {
        "question": "Time and memory of a training step",
        "rows": rows,
        "tables": {"Milliseconds a step, and relative to plain SGD": times, "Memory, in MiB": memory},
        "notes": [
            f"device: {device}; on a CPU one thread",
            "right means: all losses are finite, and the last is below the one at initialisation",
            "graph: what autograd keeps for the backward pass, without the parameters",
        ],
    }


@dataclass(frozen=True)
class _Batch:
    images: torch.Tensor
    labels: torch.Tensor


def _random_batch(name: str, size: int, device: torch.device) -> _Batch:
    rng = np.random.default_rng(0)
    images = rng.standard_normal((size, *models.input_shape(models.create(name, seed=0))), dtype=np.float32)
    labels = rng.integers(10, size=size)
    return _Batch(torch.from_numpy(images).to(device), torch.from_numpy(labels).to(device))


class _Run:
    """A model in training by one of the methods."""

    def __init__(self, model: str, method: str, batch: _Batch) -> None:
        self.name, options = METHODS[method]
        self.batch, self.ours = batch, method != "dense"
        self.model = models.create(model, seed=0).to(batch.images.device)
        self.method = methods.create(method, **options)
        self.method.attach(self.model)
        self.optimizer = self.method.optimizer(self.model, lr=_LR, momentum=0.9, weight_decay=0.0)
        if self.ours:  # plain SGD is torch's alone
            self.method.bind(self.optimizer)

    def competitor(self, steps: int) -> Competitor:
        return Competitor(self.name, lambda: Answer(self.train(steps), True), self.ours, self.begin)

    def begin(self) -> None:
        """Take the first steps, which make the state of the optimiser."""
        self.train(2)

    def loss(self) -> torch.Tensor:
        return cross_entropy(self.model(self.batch.images), self.batch.labels)

    def train(self, steps: int) -> np.ndarray:
        losses = []
        for _ in range(steps):
            self.optimizer.zero_grad()
            loss = self.loss()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
        return torch.stack(losses).cpu().numpy()

    def memory(self) -> dict[str, float]:
        held = {p.untyped_storage().data_ptr() for p in self.model.parameters()}
        kept: dict[int, int] = {}

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in held:
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = self.loss()  # keeps the graph, and with it all storages, until they are counted
            graph = sum(kept.values())
            del loss
        states = (value for state in self.optimizer.state.values() for value in state.values())
        mebibytes = {
            "parameters": sum(p.nbytes for p in self.model.parameters()),
            "gradients": sum(p.grad.nbytes for p in self.model.parameters() if p.grad is not None),
            "optimizer": sum(value.nbytes for value in states if isinstance(value, torch.Tensor)),
            "graph": graph,
        }
        return {name: size / 2**20 for name, size in mebibytes.items()}


def _judge(start: float, answer: Answer) -> Judgement:
    return Judgement({}, bool(np.isfinite(answer.x).all() and answer.x[-1] < start))


def _times(case: dict[str, Any], rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    dense = rows[-1]["runs"]
    for row in rows:
        ratio = statistics.median(a / b for a, b in zip(row["runs"], dense, strict=False))
        milliseconds = 1000 * row["seconds"] / case["steps"]
        yield {**case, "training": row["competitor"], "ms a step": milliseconds, "of SGD on x": ratio}
