"""The training loop: one run from a recipe, that can be killed at any moment and goes on where it was."""

import inspect
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from linreg_mirror.networks import checkpoints, data, methods, models
from linreg_mirror.networks._identity import check_fit, check_settings, settings_of
from linreg_mirror.networks.checkpoints import write_text
from linreg_mirror.networks.data.checks import checked_device
from linreg_mirror.networks.distributed import Team, team
from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.store import key, results_directory
from sketching import prunable, select_masks

_DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.float32}
Record = dict[str, Any]


class Diverged(ArithmeticError):
    """The loss or a parameter is not finite; the last good checkpoint is kept."""


@dataclass(frozen=True)
class Run:
    """A finished run.

    Attributes
    ----------
    recipe : Recipe
        What was run.
    folder : Path
        Where its files are.
    model : torch.nn.Module
        With plain weights, nothing pruned.
    data : Data
        What it was trained on.
    history : list of dict
        What was measured after every epoch.
    leads : bool
        Whether this process is the one that writes.
    """

    recipe: Recipe
    folder: Path
    model: torch.nn.Module
    data: data.Data
    history: list[Record]
    leads: bool = True

    def pruned(self, keep: float) -> Record:
        """Return test accuracy, and what is kept in each layer, once all but this share of the weights is zero.

        The smallest weights go, wherever they are; exactly `sketching.allocation.places` stay.
        """
        weights = {name: weight.detach() for name, weight in prunable(self.model).items()}
        masks = select_masks({name: weight.abs() for name, weight in weights.items()}, keep)
        tensors = {name: weight * masks[name] for name, weight in weights.items()}
        accuracy = _accuracy(self.model, self.data.test, self.recipe, tensors)
        return {
            "keep": keep,
            "accuracy": accuracy,
            "kept": {name: int(mask.sum()) for name, mask in masks.items()},
            "weights": sum(weight.numel() for weight in weights.values()),
        }


def run_folder(recipe: Recipe, results: Path | None = None) -> Path:
    """Return where a run goes: named after the settings that are not as usual."""
    parts = (recipe.method["name"], recipe.data["name"], recipe.model["name"], key(recipe.unusual)[:12])
    return (results or results_directory()) / "runs" / "-".join(parts).replace("/", "-").replace(":", "-")


def train(
    recipe: Recipe,
    *,
    folder: Path | None = None,
    data_directory: Path | None = None,
    device: str | torch.device = "cpu",
    progress: Callable[[Record], None] = lambda record: None,
) -> Run:
    """Train a network by a recipe.

    Parameters
    ----------
    recipe : Recipe
        All settings.
    folder : Path, optional
        Where the run keeps its files. Default: `run_folder(recipe)`. If there is a run, it goes on from its last epoch,
        or is read if it is finished.
    data_directory : Path, optional
        Where datasets are that do not come with a package.
    device : str or torch.device
        Such as "cpu" or "cuda".
    progress : callable
        Called after every epoch with what was measured.

    Returns
    -------
    Run

    Raises
    ------
    Diverged
        If the loss or a parameter is not finite.
    ValueError
        If a part of the recipe is unknown or out of range, model and data do not go together, the folder holds a run
        with other settings, or the device is not there. Then nothing has been written.
    OSError
        If files of the data set are missing, or the run's cannot be written.
    """
    device = checked_device(device)
    folder = folder or run_folder(recipe)
    with team(device) as processes:
        loop = _Loop(recipe, folder, data_directory, processes.own(device), processes)
        for record in loop.epochs():
            if processes.leads:
                progress(record)
        return loop.finished()


class _Loop:
    """A run on its way."""

    def __init__(
        self, recipe: Recipe, folder: Path, directory: Path | None, device: torch.device, processes: Team
    ) -> None:
        self.recipe, self.folder, self.device, self.team = recipe, folder, device, processes
        whole = data.load(directory=directory, **recipe.data)
        if recipe.validation:
            # The same examples for all seeds, so that runs can be compared.
            whole = data.hold_out(whole, recipe.validation, np.random.default_rng(0))
        self.settings = settings_of(recipe, whole)
        check_settings(folder, self.settings)
        self.data = whole.to(device)
        self.batches = data.Batches(
            self.data.train,
            recipe.batch,
            seed=recipe.seed,
            augment=data.CropFlip() if recipe.augment else None,
            dtype=_DTYPES[recipe.precision],
            channels_last=recipe.channels_last,
        )
        layout = torch.channels_last if recipe.channels_last else torch.preserve_format
        options = {"seed": recipe.seed, **recipe.model}
        model: Any = models.create(options.pop("name"), **options)
        self.model: torch.nn.Module = model.to(device, _DTYPES[recipe.precision]).to(memory_format=layout)
        example = data.Batches(self.data.test, 1, dtype=self.batches.dtype, channels_last=recipe.channels_last)
        check_fit(self.model, next(iter(example))[0], self.data, recipe.model["name"])
        self.history: list[Record] = []
        self.checkpoint, self.final = folder / "checkpoint.safetensors", folder / "final.safetensors"
        self.done = self.final.exists()
        if self.done:
            tensors, state = checkpoints.load(self.final)
            self.model.load_state_dict(tensors)
            self.history = state["history"]
        else:
            self._prepare()
            if processes.leads:
                checkpoints.clear(folder)
                write_text(folder / "recipe.json", json.dumps(self.settings, indent=1) + "\n")

    def _prepare(self) -> None:
        recipe = self.recipe
        self.method = methods.create(recipe.method["name"], **_options(recipe))
        self.method.attach(self.model)
        self.optimizer = self.method.optimizer(
            self.model, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
        forward = self.team.wrapped(self.model)
        self.forward = torch.compile(forward) if recipe.compile else forward
        if self.checkpoint.exists():
            tensors, state = checkpoints.load(self.checkpoint)
            own = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
            others = {
                name.removeprefix("optimizer."): t for name, t in tensors.items() if name.startswith("optimizer.")
            }
            self.model.load_state_dict(own)
            checkpoints.restore_optimizer(self.optimizer, others, state["optimizer"])
            self.method.load_state_dict(state["method"])
            self.history = state["history"]

    def epochs(self) -> Iterator[Record]:
        """Train, and yield what was measured after every epoch."""
        while len(self.history) < self.recipe.epochs:
            record = self._epoch(len(self.history))
            self.history.append(record)
            self._save()
            yield record

    def _epoch(self, epoch: int) -> Record:
        started = time.perf_counter()
        with _seeded((self.recipe.seed, epoch, self.team.rank), self.device):
            loss, accuracy, lr = self._steps(epoch)
        # The last step can break weights whose loss nobody has seen.
        finite = all(parameter.isfinite().all() for parameter in self.model.parameters())
        if not (finite and math.isfinite(loss)):
            raise Diverged(
                f"the loss of epoch {epoch + 1} is {loss:g}{'' if finite else ', and weights are not finite'}; the run "
                f"is kept as it was before, in {self.folder}: take a smaller lr than {self.recipe.lr:g}, or a weaker "
                "penalty"
            )
        self.method.after_epoch(accuracy)
        return {
            "epoch": epoch + 1,
            "loss": loss,
            "accuracy": accuracy,
            "test_accuracy": _accuracy(self.model, self.data.test, self.recipe),
            "l1_norm": self.method.l1_norm(),
            "near_zero": _near_zero(self.method.weights()),
            "alpha": self.method.alpha,
            "decay": self.method.decay,
            "log_scale": self.method.log_scale,
            "lr": lr,
            "seconds": time.perf_counter() - started,
        }

    def _steps(self, epoch: int) -> tuple[float, float, float]:
        """Go through the training examples; return loss and accuracy on the way, and the last learning rate."""
        recipe = self.recipe
        self.model.train()
        sums = torch.zeros(2, dtype=torch.float64, device=self.device)  # of the loss, and of right answers
        lr = 0.0
        for step, (inputs, labels) in enumerate(self.batches.epoch(epoch)):
            lr = recipe.learning_rate(epoch + step / len(self.batches))
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            mine, answers = self.team.part(inputs), self.team.part(labels)
            with _autocast(recipe, self.device):
                outputs = self.forward(mine)
                # Each takes its share of the mean over the joint batch, times their number: gradients are averaged.
                loss = cross_entropy(outputs, answers, reduction="sum") / len(labels) * self.team.size
            self.optimizer.zero_grad()
            loss.backward()
            self.method.before_step(lr)
            self.optimizer.step()
            self.method.after_step(lr)
            with torch.no_grad():
                sums[0] += loss.detach() * len(labels) / self.team.size
                sums[1] += (outputs.argmax(1) == answers).sum()
        loss, accuracy = (self.team.total(sums) / len(self.data.train)).tolist()
        return loss, accuracy, lr

    def _save(self) -> None:
        """Keep what the next epoch needs; whoever is killed while this is done finds the epoch before."""
        if not self.team.leads:
            return
        # First, so that they are complete when the run is: what is in them too early is measured again.
        write_text(self.folder / "metrics.jsonl", "".join(json.dumps(record) + "\n" for record in self.history))
        tensors, state = checkpoints.optimizer_state(self.optimizer)
        named = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        named |= {f"optimizer.{name}": tensor for name, tensor in tensors.items()}
        checkpoints.save(
            self.checkpoint, named, {"optimizer": state, "method": self.method.state_dict(), "history": self.history}
        )

    def finished(self) -> Run:
        """Make the weights plain, and keep them in place of the last checkpoint."""
        if not self.done:
            self.method.finish()
            if self.team.leads:
                checkpoints.save(self.final, self.model.state_dict(), {"history": self.history})
        if self.team.leads and self.checkpoint.exists():
            self.checkpoint.unlink(missing_ok=True)
        self.team.wait()
        self.model.eval()
        return Run(self.recipe, self.folder, self.model, self.data, self.history, self.team.leads)


def _near_zero(weights: Mapping[str, torch.Tensor]) -> float:
    """Return the share of the weights that are at most a thousandth of the largest one of their layer."""
    small = sum(int((weight.abs() <= 1e-3 * weight.abs().max()).sum()) for weight in weights.values())
    return small / sum(weight.numel() for weight in weights.values())


def _options(recipe: Recipe) -> dict[str, Any]:
    """Return the options of the method, the number of epochs among them if it takes that."""
    options = {name: value for name, value in recipe.method.items() if name != "name"}
    method = methods.METHODS.get(recipe.method["name"])
    if method is not None and "epochs" in inspect.signature(method).parameters:
        options = {"epochs": recipe.epochs, **options}
    return options


@contextmanager
def _seeded(seed: tuple[int, ...], device: torch.device) -> Iterator[None]:
    """Let what layers draw, as dropout does, follow from the seed; torch's own generators are left as they are."""
    number = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    others = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(others, device_type=device.type):
        torch.default_generator.manual_seed(number)
        if others:
            torch.get_device_module(device).manual_seed(number)
        yield


def _autocast(recipe: Recipe, device: torch.device) -> AbstractContextManager[Any]:
    return torch.autocast(device.type, torch.bfloat16) if recipe.precision == "bfloat16" else nullcontext()


@torch.no_grad()
def _accuracy(
    model: torch.nn.Module, split: data.Split, recipe: Recipe, weights: Mapping[str, torch.Tensor] | None = None
) -> float:
    """Return the share of right answers, with other weights in place if they are given."""
    model.eval()
    right = torch.zeros((), dtype=torch.int64, device=split.labels.device)
    size = min(1000, len(split))
    for inputs, labels in data.Batches(
        split, size, dtype=_DTYPES[recipe.precision], channels_last=recipe.channels_last
    ):
        with _autocast(recipe, labels.device):
            outputs = torch.func.functional_call(model, dict(weights or {}), inputs)
        right += (outputs.argmax(1) == labels).sum()
    return right.item() / len(split)
