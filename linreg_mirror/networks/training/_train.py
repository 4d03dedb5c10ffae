"""The training loop: a run from a recipe, which can be killed at any moment and resumes after its last epoch."""

import json
import math
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from linreg_mirror.networks import data, models
from linreg_mirror.networks._tools.norms import l1_norms, near_zero
from linreg_mirror.networks._tools.reading import read
from linreg_mirror.networks.data.checks import checked_device
from linreg_mirror.networks.methods.registry import create_for
from linreg_mirror.networks.pruning.masking import Batch
from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.training import checkpoints
from linreg_mirror.networks.training.augmenting import augmentation_of
from linreg_mirror.networks.training.balanced import balanced
from linreg_mirror.networks.training.checks import check_fit, check_settings, settings_of
from linreg_mirror.networks.training.cycles import EARLY, FINAL, Start, train_cycles
from linreg_mirror.networks.training.defaults import settled, tuned
from linreg_mirror.networks.training.distributed import Team, team
from linreg_mirror.networks.training.evaluation import right_answers
from linreg_mirror.networks.training.graph import prepared
from linreg_mirror.networks.training.precision import dtype_of
from linreg_mirror.networks.training.runs import Record, Run, run_folder
from linreg_mirror.networks.training.seeding import seeded
from linreg_mirror.runtime.environment import environment
from linreg_mirror.runtime.files import clear, write_text


class Diverged(ArithmeticError):
    """The loss or a parameter is not finite; the last good checkpoint is kept."""


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
        Where the run keeps its files. Default: `run_folder(recipe)`. A run that is there resumes after its last epoch,
        or is read if it is finished.
    data_directory : Path, optional
        Where datasets are that do not come with a package.
    device : str or torch.device
        Such as "cpu" or "cuda".
    progress : callable
        Called after every epoch with what was measured, and the number of the cycle under "cycle" if there are any.

    Returns
    -------
    Run
        Of a recipe with `iterative` all cycles: `linreg_mirror.networks.training.cycles.Cycles`.

    Warns
    -----
    UserWarning
        If files of the data set are others than those that are published; the run's environment.jsonl lists them.

    Raises
    ------
    Diverged
        If the loss or a parameter is not finite.
    ValueError
        If a part of the recipe is unknown or out of range, model and data do not go together, the folder holds a run
        with other settings, or the device is not there. Then nothing has been written.
    TypeError
        If data, model or method take no option of that name, or lack one. Then nothing has been written either.
    OSError
        If files of the data set are missing, or the run's cannot be written, or another process is at it.
    """
    device = checked_device(device)
    folder = folder or run_folder(recipe)
    with team(device) as processes:

        def run(folder: Path, start: Start, **note: int) -> Run:
            loop = _Loop(recipe, folder, data_directory, processes.own(device), processes, start)
            with loop.opened(), tuned(loop.recipe):
                for record in loop.epochs():
                    if processes.leads:
                        progress({**note, **record})
                return loop.finished()

        if recipe.iterative is None:
            return run(folder, Start())
        return train_cycles(recipe, folder, lambda own, start, cycle: run(own, start, cycle=cycle))


class _Loop:
    """A run in training."""

    def __init__(
        self, recipe: Recipe, folder: Path, directory: Path | None, device: torch.device, processes: Team, start: Start
    ) -> None:
        self.folder, self.device, self.team, self.start = folder, device, processes, start
        whole = data.load(directory=directory, **recipe.data)
        self.recipe = recipe = settled(recipe, device, folder, images=whole.train.inputs.dtype == torch.uint8)
        if recipe.validation:
            # The same examples for all seeds, so that runs can be compared.
            whole = data.hold_out(whole, recipe.validation, np.random.default_rng(0))
        self.unverified = list(whole.unverified)
        if self.unverified and processes.leads:
            warnings.warn(
                f"{whole.name}: by their checksums {', '.join(self.unverified)} are other files than those that are "
                "published: results may differ from those of others",
                stacklevel=2,
            )
        self.data = whole.to(device)
        self.batches = data.Batches(
            self.data.train,
            recipe.batch,
            seed=recipe.seed,
            augment=augmentation_of(recipe, self.data.train),
            dtype=dtype_of(recipe),
            channels_last=bool(recipe.channels_last),
            part=(processes.rank, processes.size),
        )
        layout = torch.channels_last if recipe.channels_last else torch.preserve_format
        options = {"seed": recipe.seed, **recipe.model}
        model: Any = models.create(options.pop("name"), **options)
        model = model.to(device, dtype_of(recipe)).to(memory_format=layout)
        example = data.Batches(
            self.data.test, 1, dtype=self.batches.dtype, channels_last=bool(recipe.channels_last), workers=0
        )
        check_fit(model, next(iter(example))[0], self.data, recipe.model["name"])
        self.settings = settings_of(recipe, whole)
        self.model: torch.nn.Module = processes.joined(model)
        self.history: list[Record] = []
        self.checkpoint, self.final = folder / "checkpoint.safetensors", folder / FINAL
        self.done = self.final.exists()
        if not self.done:
            self._attach()

    def _attach(self) -> None:
        recipe, start = self.recipe, self.start
        if start.state is not None:
            self.model.load_state_dict(start.state)
        self.names = list(self.model.state_dict())
        self.method = create_for(
            recipe.method["name"],
            {name: value for name, value in recipe.method.items() if name != "name"},
            epochs=recipe.epochs,
            steps=len(self.batches),
            lr=recipe.learning_rate,
            momentum=recipe.momentum,
            seed=recipe.seed,
            batch=self._first,
        )
        self.method.attach(self.model, start.masks, weights=recipe.weights or None)
        self.step, self.take = prepared(recipe, self.method, self.model, self.team, self.device)
        self.optimizer = self.step.optimizer

    def _first(self, examples: int, evenly: bool = False) -> Batch:
        """Return the examples that training begins with, not augmented; evenly the first of each class."""
        size = self.batches.size if evenly else examples
        batches = replace(self.batches, size=size, augment=None, part=(0, 1), workers=0)
        found = balanced(batches, examples, self.data.classes or 1) if evenly else next(iter(batches))
        return Batch(*found, cross_entropy)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Resume from what the folder holds, and keep other processes from it."""
        if self.done:
            check_settings(self.folder, self.settings)
            tensors, state = checkpoints.load(self.final)
            self.model.load_state_dict(tensors)
            self.history = state["history"]
            yield
            return
        with checkpoints.alone(self.folder) if self.team.leads else nullcontext():
            check_settings(self.folder, self.settings)
            if self.final.exists():
                raise BlockingIOError(f"another process has just finished {self.folder}: start again to read it")
            if self.checkpoint.exists():
                self._restore()
            if self.team.leads:
                clear(self.folder)
                write_text(self.folder / "recipe.json", json.dumps(self.settings, indent=1) + "\n")
                with (self.folder / "environment.jsonl").open("a", encoding="utf-8") as file:
                    noted = {"device": str(self.device)} | ({"unverified": self.unverified} if self.unverified else {})
                    file.write(json.dumps(environment() | noted) + "\n")
            yield

    def _restore(self) -> None:
        tensors, state = checkpoints.load(self.checkpoint)
        parts: dict[str, dict[str, torch.Tensor]] = {"model": {}, "optimizer": {}}
        for name, tensor in tensors.items():
            part, _, rest = name.partition(".")
            parts[part][rest] = tensor
        self.model.load_state_dict(parts["model"])
        checkpoints.restore_optimizer(self.optimizer, parts["optimizer"], state["optimizer"])
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
        with seeded((self.recipe.seed, epoch, self.team.rank), self.device):
            lr = self._steps(epoch)
        # The last step can break weights whose loss nobody has seen, and m*w can overflow where m and w do not.
        numbers = (*self.model.parameters(), *self.method.weights().values())
        readings = read(
            {
                "sums": self.team.total(self.step.sums),
                "finite": torch.stack([one.isfinite().all() for one in numbers]),
                **self.method.readings(),
            }
        )
        loss, answered = (total / len(self.data.train) for total in readings.pop("sums"))
        finite = all(readings.pop("finite"))
        if not (finite and math.isfinite(loss)):
            raise Diverged(
                f"the loss of epoch {epoch + 1} is {loss:g}{'' if finite else ', and weights are not finite'}; the run "
                f"is kept as it was before, in {self.folder}: take a smaller lr than {self.recipe.lr:g}, or a weaker "
                "penalty"
            )
        self.method.after_epoch(answered, readings)
        return {
            "epoch": epoch + 1,
            "loss": loss,
            "accuracy": answered,
            **self._measured(),
            "alpha": self.method.alpha,
            "decay": self.method.decay,
            "log_scale": self.method.log_scale,
            "lr": lr,
            "seconds": time.perf_counter() - started,
            **self.method.report(),
        }

    def _measured(self) -> Record:
        """Return what the network and its weights are measured by, each process on its share of the test examples."""
        right = right_answers(self.model, self.data.test, self.recipe, part=(self.team.rank, self.team.size))
        weights = self.method.weights().values()
        found = read({"right": self.team.total(right), "l1": l1_norms(weights), "small": near_zero(weights)})
        return {
            "test_accuracy": found["right"][0] / len(self.data.test),
            "l1_norm": sum(found["l1"]),
            "near_zero": sum(found["small"]) / sum(weight.numel() for weight in weights),
        }

    def _steps(self, epoch: int) -> float:
        """Go through the training examples; return the last learning rate."""
        recipe = self.recipe
        self.model.train()
        self.step.begin()
        lr = 0.0
        for step, (inputs, labels) in enumerate(self.batches.epoch(epoch)):
            lr = recipe.learning_rate(epoch + step / len(self.batches))
            self.step.set_rate(lr)
            self.take(inputs, labels, min(recipe.batch, len(self.data.train) - step * recipe.batch))
        return lr

    def _save(self) -> None:
        """Keep what the next epoch needs. A run that is killed meanwhile resumes from the epoch before."""
        if not self.team.leads:
            return
        # Before the checkpoint, so that a finished run lacks no record. One whose checkpoint is not written any more is
        # measured again when the run resumes.
        write_text(self.folder / "metrics.jsonl", "".join(json.dumps(record) + "\n" for record in self.history))
        if len(self.history) == self.start.early:
            checkpoints.save(self.folder / EARLY, self._plain_state(), {})
        tensors, state = checkpoints.optimizer_state(self.optimizer)
        named = {f"model.{name}": tensor for name, tensor in self.model.state_dict().items()}
        named |= {f"optimizer.{name}": tensor for name, tensor in tensors.items()}
        checkpoints.save(
            self.checkpoint, named, {"optimizer": state, "method": self.method.state_dict(), "history": self.history}
        )

    def _plain_state(self) -> dict[str, torch.Tensor]:
        """Return the state of the model as if its weights were plain parameters."""
        state = {**self.model.state_dict(), **self.method.weights()}
        return {name: state[name] for name in self.names}

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
