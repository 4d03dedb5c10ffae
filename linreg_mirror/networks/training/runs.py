"""A finished run, and what is left of it once it is pruned."""

import copy
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from linreg_mirror.networks import data
from linreg_mirror.networks.pruning.magnitude import largest
from linreg_mirror.networks.pruning.recalibration import recalibrate
from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.training.augmenting import augmentation_of
from linreg_mirror.networks.training.evaluation import accuracy
from linreg_mirror.networks.training.finetuning import finetuned
from linreg_mirror.networks.training.precision import autocast, dtype_of
from linreg_mirror.runtime.files import write_text
from linreg_mirror.runtime.store import key, results_directory
from sketching import diagnosis, prunable

Record = dict[str, Any]


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

    @property
    def shares(self) -> list[float]:
        """Default shares of the weights to keep at the end."""
        return [1.0, 0.1, 0.05, 0.02, 0.01, 0.005]

    def pruned(self, keep: float) -> Record:
        """Return test accuracy, and what is left of the network, once all but this share of the weights is zero.

        The smallest weights go, wherever they are; exactly `sketching.allocation.places` stay.

        Parameters
        ----------
        keep : float
            Share of all prunable weights, in [0, 1].

        Returns
        -------
        dict
            keep; accuracy, with the statistics of batch norm as training left them; recalibrated, accuracy once they
            are measured anew on batches as in training, or None without batch norm; finetuned,
            accuracy once what is left has been trained on, or None if the recipe has no `finetune`; kept, by layer, and
            nonzero, those of them all that are not 0 by themselves; weights, how many there are; effective, weights on
            a path from input to output of such, or None if that cannot be counted; flops of the dense network for one
            example, and flops_kept, what is left if zeros cost nothing.
        """
        weights = {name: weight.detach() for name, weight in prunable(self.model, self.recipe.weights or None).items()}
        masks = largest(weights, keep)
        tensors = {name: weight * masks[name] for name, weight in weights.items()}
        example, _ = next(iter(data.Batches(self.data.test, 1, workers=0)))
        # What a method has made zero costs no operations either.
        left = {name: tensor != 0 for name, tensor in tensors.items()}
        found = diagnosis(self.model, left, inputs=example, weights=lambda name, _: name in left)
        return {
            "keep": keep,
            "accuracy": accuracy(self.model, self.data.test, self.recipe, tensors),
            "recalibrated": self._recalibrated(tensors),
            "finetuned": self._finetuned(tensors),
            "kept": {name: int(mask.sum()) for name, mask in masks.items()},
            "nonzero": found.kept,
            "weights": found.weights,
            "effective": found.effective,
            "flops": found.flops,
            "flops_kept": found.flops_kept,
        }

    def _recalibrated(self, tensors: Mapping[str, torch.Tensor]) -> float | None:
        """Return test accuracy with other weights, and statistics of batch norm that go with them."""
        recipe = self.recipe
        if not recipe.recalibrate:
            return None
        model = copy.deepcopy(self.model)
        with torch.no_grad():
            for name, tensor in tensors.items():
                model.get_parameter(name).copy_(tensor)
        with autocast(recipe, next(model.parameters()).device):
            found = recalibrate(model, self._training_batches())
        return accuracy(model, self.data.test, recipe) if found else None

    def _finetuned(self, tensors: Mapping[str, torch.Tensor]) -> float | None:
        """Return test accuracy once what is left has been trained on, if the recipe says so."""
        if self.recipe.finetune is None:
            return None
        return accuracy(finetuned(self.model, tensors, self.data.train, self.recipe), self.data.test, self.recipe)

    def _training_batches(self) -> Iterator[torch.Tensor]:
        """Return as many examples as recipe.recalibrate says, in batches as in training, augmented as there.

        With images that are not augmented, statistics of the dense network would change too, and its accuracy fall.
        """
        recipe = self.recipe
        count = min(recipe.recalibrate, len(self.data.train))
        size = min(recipe.batch, count)
        batches = data.Batches(
            self.data.train, size, seed=recipe.seed, augment=augmentation_of(recipe, self.data.train), drop_last=True,
            dtype=dtype_of(recipe), channels_last=bool(recipe.channels_last),
        )  # fmt: skip
        return (inputs for inputs, _ in islice(batches, count // size))

    def prune(self, shares: Iterable[float]) -> list[Record]:
        """Return what `pruned` does for every share, and keep it beside the run, in pruned.json.

        What is there is read, where training went on after pruning.
        """
        path = self.folder / "pruned.json"
        known = {} if self.recipe.finetune is None or not path.exists() else _known(path)
        records = [known.get(keep) or self.pruned(keep) for keep in shares]
        if self.leads:
            write_text(path, json.dumps(records, indent=1) + "\n")
        return records


def _known(path: Path) -> dict[float, Record]:
    """Return the records of a file by their shares; none if it is damaged, for they can be made again."""
    try:
        return {record["keep"]: record for record in json.loads(path.read_text(encoding="utf-8"))}
    except (ValueError, KeyError, TypeError):
        return {}


def run_folder(recipe: Recipe, results: Path | None = None, *, name: str = "") -> Path:
    """Return the folder of a run: one that is there, or else a new one.

    Parameters
    ----------
    recipe : Recipe
        All settings. The folder's name ends with a key of those that differ from the defaults, and by it is found.
    results : Path, optional
        Folder of results. Default: `results_directory()`.
    name : str
        What a new folder's name begins with, such as that of the recipe. Default: method, data and model.

    Returns
    -------
    Path
        It need not exist.
    """
    runs, ending = (results or results_directory()) / "runs", key(recipe.unusual)[:12]
    parts = (name,) if name else (recipe.method["name"], recipe.data["name"], recipe.model["name"])
    beginning = "-".join(parts).replace("/", "-").replace(":", "-")
    new = runs / f"{beginning}-{ending}"
    return new if new.exists() else next(iter(sorted(runs.glob(f"*-{ending}"))), new)
