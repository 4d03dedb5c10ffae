"""ResNet-20 on CIFAR-10: seconds an epoch by each method, as they are and as one graph, and a run of PILoT."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.gpu.visit import Row, Settings
from linreg_mirror.networks.recipes import Recipe, read
from linreg_mirror.networks.training import Run, train
from linreg_mirror.networks.training.runs import Record

_EPOCHS = 4  # the first of which compiles, and the second captures
_PILOT = {"alpha": 1e-4, "K": 2000.0, "delta": 1.01}
_METHODS: dict[str, dict[str, Any]] = {
    "dense": {"name": "dense"},
    "m*w": {"name": "pilot", **_PILOT},
    "mirror descent": {"name": "pilot-mirror", **_PILOT},
}
_PER_FILE = 10_000


def epochs(settings: Settings, _: float) -> Iterator[Row]:
    """Yield seconds of the last epoch, evaluation on the test images included, and relative to dense training."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = settings.data or _random_images(Path(scratch), settings.tiny)
        for compiled in (False, True, "graph"):
            if settings.tiny and compiled is True:
                continue  # it takes a compiler, and a minute
            dense = 0.0
            for name, method in _METHODS.items():
                recipe = _recipe(settings, {"method": method, "compile": compiled})
                run = _trained(recipe, settings, Path(scratch) / f"{name}-{compiled}".replace("*", ""), folder)
                seconds = run.history[-1]["seconds"]
                dense = dense or seconds
                yield {
                    "method": name, "compile": str(compiled).lower(), "seconds an epoch": seconds,
                    "of dense": seconds / dense, "loss": run.history[-1]["loss"],
                    "right": run.history[-1]["loss"] < run.history[0]["loss"],
                }  # fmt: skip


def pilot(settings: Settings, left: float) -> Iterator[Row]:
    """Yield the epochs of the recipe pilot-cifar10 for which there is time."""
    deadline = time.perf_counter() + left
    rows: list[Row] = []

    def note(record: Record) -> None:
        shown = ("epoch", "loss", "accuracy", "test_accuracy", "decay", "seconds")
        rows.append({name: record[name] for name in shown})
        if time.perf_counter() + record["seconds"] > deadline or (settings.tiny and len(rows) == _EPOCHS):
            raise _NoTimeLeft

    with tempfile.TemporaryDirectory() as scratch:
        folder = settings.data or _random_images(Path(scratch), settings.tiny)
        recipe = read("pilot-cifar10")
        changes = {"compile": "graph"} | ({} if not settings.tiny else _TINY)
        with suppress(_NoTimeLeft):
            train(
                replace(recipe, **changes), folder=Path(scratch) / "run", data_directory=folder,
                device=settings.device, progress=note,
            )  # fmt: skip
    yield from rows


class _NoTimeLeft(Exception):
    pass


_TINY: dict[str, Any] = {
    "data": {"name": "digits"}, "model": {"name": "mlp"}, "augment": False, "channels_last": None, "batch": 64,
}  # fmt: skip


def _recipe(settings: Settings, options: dict[str, Any]) -> Recipe:
    usual: dict[str, Any] = {
        "data": {"name": "cifar10"}, "model": {"name": "resnet20"}, "augment": True, "batch": 256,
    }  # fmt: skip
    return Recipe(epochs=_EPOCHS, **{**usual, **(_TINY if settings.tiny else {}), **options})


def _trained(recipe: Recipe, settings: Settings, folder: Path, images: Path) -> Run:
    return train(recipe, folder=folder, data_directory=images, device=settings.device)


def _random_images(scratch: Path, tiny: bool) -> Path:
    """Write images of ten classes, each brighter in a place of its own, in the layout of CIFAR-10."""
    target = scratch / "images" / "cifar-10-batches-bin"
    if tiny or target.exists():
        return target.parent
    target.mkdir(parents=True)
    rng = np.random.default_rng(0)
    labels = np.arange(_PER_FILE, dtype=np.uint8) % 10
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"):
        images = rng.integers(200, size=(_PER_FILE, 3, 32, 32), dtype=np.uint8)
        for label in range(10):
            images[labels == label, :, 3 * label : 3 * label + 3] += 50
        rows = np.concatenate([labels[:, None], images.reshape(_PER_FILE, -1)], axis=1)
        (target / f"{name}.bin").write_bytes(rows.tobytes())
    return target.parent
