"""Iterative pruning: cycles of training, each on fewer weights."""

import copy
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from linreg_mirror.networks.pruning.magnitude import largest
from linreg_mirror.networks.recipes import Iterative, Recipe
from linreg_mirror.networks.training import checkpoints
from linreg_mirror.networks.training.runs import Record, Run
from linreg_mirror.runtime.files import write_text
from sketching.allocation import places
from sketching.weights import prunable

EARLY, FINAL = "early.safetensors", "final.safetensors"


@dataclass(frozen=True)
class Start:
    """What a run starts from, and which weights it trains.

    Attributes
    ----------
    state : mapping of str to torch.Tensor, optional
        State of the model. Default: as the recipe's seed draws it.
    masks : mapping of str to torch.Tensor, optional
        Of the weights that are trained. Default: those of the method.
    early : int, optional
        The epoch after which the state of the model is kept beside the run, in early.safetensors, its weights plain.
    """

    state: Mapping[str, torch.Tensor] | None = None
    masks: Mapping[str, torch.Tensor] | None = None
    early: int | None = None


@dataclass(frozen=True)
class Cycles(Run):
    """A finished run of several cycles: `model` and `history` are those of the last."""

    @property
    def shares(self) -> list[float]:
        """The share of the weights that each cycle has."""
        return _shares(self.recipe)

    def cycle(self, number: int) -> Run:
        """Return one of the cycles, from 0: its model, and its history."""
        folder, model = _folder(self.folder, number), copy.deepcopy(self.model)
        tensors, state = checkpoints.load(folder / FINAL)
        model.load_state_dict(tensors)
        return Run(self.recipe, folder, model, self.data, state["history"], self.leads)

    def ends(self) -> list[Record]:
        """Return what `pruned` says of the end of every cycle, with exactly the weights that it has."""
        return [{"cycle": k, **self.cycle(k).pruned(share)} for k, share in enumerate(self.shares)]

    def pruned(self, keep: float) -> Record:
        """Return what `Run.pruned` does, for the sparsest cycle that has as many weights as are kept, and its number.

        So the share of a cycle is answered by the end of that cycle as it is, a share in between by the next denser
        cycle, pruned further, and one below all of them by the last. To compare cycles ask for their own `shares`.
        """
        shapes = {
            name: tuple(weight.shape) for name, weight in prunable(self.model, self.recipe.weights or None).items()
        }
        wanted = places(shapes, keep)
        cycle = max(number for number, share in enumerate(self.shares) if places(shapes, share) >= wanted)
        return {"cycle": cycle, **self.cycle(cycle).pruned(keep)}


def train_cycles(recipe: Recipe, folder: Path, train: Callable[[Path, Start, int], Run]) -> Cycles:
    """Train a recipe cycle by cycle, pruning by magnitude in between, all layers together.

    Cycle k has exactly `sketching.allocation.places` of keep^k of the weights, and what is pruned once stays pruned.
    It is a whole run, in a folder of its own, folder/cycle-00 and so on: all epochs, the learning rate and the
    method's penalty from their beginning, the optimiser without momentum, the examples in the same order. It starts

    - "initialisation": as the first cycle did, weights, biases and batch norm;
    - "weights": as the first cycle was after the early epoch, in all of these;
    - "learning-rate": where the cycle before ended, in all of these.

    In all three it is the weights x themselves that a cycle takes over, times the mask. A method that trains x = m*w
    makes new factors of them, with m^2 - w^2 = beta.

    Parameters
    ----------
    recipe : Recipe
        With `iterative`.
    folder : Path
        Of all cycles.
    train : callable
        (folder, start, number of the cycle) -> Run, which is read, not trained, if the folder holds it finished.

    Returns
    -------
    Cycles
        What it says of the `ends` is kept in folder/cycles.json.

    Raises
    ------
    ValueError
        If the method takes no masks, or the folder holds a run without cycles. Then nothing has been written.

    Warns
    -----
    UserWarning
        If a layer is left without weights.

    Notes
    -----
    Frankle & Carbin (arXiv 1803.03635) and, for the other two, Renda, Frankle & Carbin (arXiv 2003.02389). There
    rewound weights go on with what is left of the schedule; here with a whole one, so that all have equal budgets.
    """
    plan, shares = _plan(recipe), _shares(recipe)
    if (folder / "recipe.json").exists():
        raise ValueError(f"{folder} holds a run without cycles: give this one another folder")
    # An empty mapping, not None: a method that takes no masks refuses it before anything is done.
    run, masks = train(_folder(folder, 0), Start(masks={}, early=plan.epoch), 0), None
    for cycle, share in enumerate(shares[1:], start=1):
        masks = _masks(run, share, masks)
        run = train(_folder(folder, cycle), Start(_rewound(plan, run, _folder(folder, 0)), masks), cycle)
    done = Cycles(run.recipe, folder, run.model, run.data, run.history, run.leads)
    if done.leads:
        write_text(folder / "cycles.json", json.dumps(done.ends(), indent=1) + "\n")
    return done


def _plan(recipe: Recipe) -> Iterative:
    if recipe.iterative is None:
        raise ValueError('the recipe has no cycles: write iterative = {rewind = "weights"}')
    return recipe.iterative


def _shares(recipe: Recipe) -> list[float]:
    plan = _plan(recipe)
    return [plan.keep**cycle for cycle in range(plan.cycles)]


def _folder(folder: Path, cycle: int) -> Path:
    return folder / f"cycle-{cycle:02}"


def _masks(run: Run, share: float, before: Mapping[str, torch.Tensor] | None) -> dict[str, torch.Tensor]:
    """Return masks of the largest weights."""
    weights = prunable(run.model, run.recipe.weights or None)
    masks = largest({name: weight.detach() for name, weight in weights.items()}, share, before)
    empty = [name for name, mask in masks.items() if not mask.any()]
    if empty:
        warnings.warn(
            f"at a share of {share:.4g} no weight is left in {', '.join(empty)}: take fewer cycles, or a larger "
            "iterative.keep",
            stacklevel=3,
        )
    return masks


def _rewound(plan: Iterative, run: Run, first: Path) -> Mapping[str, torch.Tensor] | None:
    """Return the state from which the next cycle starts."""
    if plan.rewind == "initialisation":
        return None
    if plan.rewind == "weights":
        return checkpoints.load(first / EARLY)[0]
    return run.model.state_dict()
