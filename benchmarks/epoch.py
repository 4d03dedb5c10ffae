"""How long is an epoch of ResNet-20 on images like CIFAR-10's, with PILoT as m*w and as mirror descent, beside SGD?

50,000 images of 32 x 32 lie on the device. Every step shuffles, crops, flips, normalises, goes forward and backward,
and updates with momentum and penalty, as `linreg-mirror train` does. On an accelerator if there is one, in bfloat16 and
with channels last, plain and compiled; else, with 256 images, on one thread of the CPU.
"""

import statistics
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from benchmarks.harness import Answer, Competitor, Judgement, Settings, compare
from benchmarks.mirror_optimizer import METHODS
from linreg_mirror.networks import data, methods, models

_BATCH = 256
_LR = 0.1


def measure(settings: Settings, progress: Callable[[str], None]) -> dict[str, Any]:
    torch.set_num_threads(1)
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    device = accelerator or torch.device("cpu")
    images = 50_000 if accelerator else 32 if settings.quick else 256
    batches = _batches(images, min(_BATCH, images // 2), device, channels_last=accelerator is not None)
    rows, times = [], []
    for compiled in (False, True) if accelerator else (False,):
        runs = [_Run(method, batches, compiled) for method in METHODS]
        case = {"model": "resnet20", "images": images, "batch": batches.size, "compiled": compiled}
        found = compare(case, [run.competitor() for run in runs], partial(_judge, np.log(10)), settings, progress)
        rows += found
        times += _times(case, found)
    return {
        "question": "Time of an epoch",
        "rows": rows,
        "tables": {"Seconds an epoch of 50,000 images, and relative to plain SGD": times},
        "notes": [
            f"device: {device}; on a CPU one thread, and seconds are 50,000 / images of what was measured",
            "right means: all losses are finite, and the last is below that of guessing (on a CPU below ten times "
            "that: there are too few steps to learn anything)",
        ],
    }


def _batches(images: int, size: int, device: torch.device, *, channels_last: bool) -> data.Batches:
    """Return images of ten classes, each brighter in a place of its own."""
    rng = np.random.default_rng(0)
    labels = np.arange(images) % 10
    inputs = rng.integers(200, size=(images, 3, 32, 32), dtype=np.uint8)
    for label in range(10):
        inputs[labels == label, :, 3 * label : 3 * label + 3] += 50
    whole = data.Data.of("like CIFAR-10", train=(inputs, labels), test=(inputs[:10], labels[:10]), classes=10)
    train = whole.to(device).train
    return data.Batches(train, size, seed=0, augment=data.CropFlip(), channels_last=channels_last)


class _Run:
    """A model in training by one of the methods."""

    def __init__(self, method: str, batches: data.Batches, compiled: bool) -> None:
        self.name, options = METHODS[method]
        self.batches, self.ours, self.epochs = batches, method != "dense", 0
        self.device = batches.split.inputs.device
        layout = torch.channels_last if batches.channels_last else torch.contiguous_format
        model = models.create("resnet20", seed=0).to(self.device).to(memory_format=layout)
        self.method = methods.create(method, **options)
        self.method.attach(model)
        self.optimizer = self.method.optimizer(model, lr=_LR, momentum=0.9, weight_decay=1e-4)
        if self.ours:  # plain SGD is torch's alone
            self.method.bind(self.optimizer)
        self.forward: Callable[[torch.Tensor], torch.Tensor] = torch.compile(model) if compiled else model

    def competitor(self) -> Competitor:
        return Competitor(self.name, lambda: Answer(self.train(), True), self.ours, self.begin)

    def begin(self) -> None:
        """Take the first steps, which compile, and make the state of the optimiser."""
        self.train(2)

    def train(self, steps: int | None = None) -> np.ndarray:
        losses = []
        for inputs, labels in self.batches.epoch(self.epochs):
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type != "cpu"):
                loss = cross_entropy(self.forward(inputs), labels)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            losses.append(loss.detach())
            if len(losses) == steps:
                break
        self.epochs += 1
        return torch.stack(losses).cpu().numpy()


def _judge(guessing: float, answer: Answer) -> Judgement:
    learns = len(answer.x) > 10
    return Judgement({}, bool(np.isfinite(answer.x).all() and answer.x[-1] < guessing * (1 if learns else 10)))


def _times(case: dict[str, Any], rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    dense = rows[-1]["runs"]
    for row in rows:
        ratio = statistics.median(a / b for a, b in zip(row["runs"], dense, strict=False))
        seconds = row["seconds"] * 50_000 / case["images"]
        yield {**case, "training": row["competitor"], "seconds": seconds, "of SGD on x": ratio}
