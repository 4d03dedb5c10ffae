"""The model of a finished run, without the data that it was trained on."""

import json
from dataclasses import dataclass, fields
from pathlib import Path

import torch

from linreg_mirror.networks import models
from linreg_mirror.networks._tools.arguments import names_code
from linreg_mirror.networks.pruning.magnitude import Keep, largest
from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.recipes.reading import made
from linreg_mirror.networks.training import checkpoints
from linreg_mirror.networks.training.cycles import FINAL
from sketching import prunable


@dataclass(frozen=True)
class Finished:
    """A finished run.

    Attributes
    ----------
    recipe : Recipe
        What was run.
    model : torch.nn.Module
        On the CPU, in evaluation mode, with plain weights.
    """

    recipe: Recipe
    model: torch.nn.Module

    @torch.no_grad()
    def prune(self, keep: Keep) -> None:
        """Make all weights but the largest 0, in place.

        Parameters
        ----------
        keep : float, str or mapping
            As in `linreg_mirror.networks.pruning.largest`.
        """
        weights = prunable(self.model, self.recipe.weights or None)
        for name, mask in largest({name: weight.detach() for name, weight in weights.items()}, keep).items():
            weights[name].masked_fill_(~mask, 0)


def read_run(folder: Path, *, allow_code: bool = False) -> Finished:
    """Read a finished run.

    Parameters
    ----------
    folder : Path
        Of the run; of one with cycles, that of a cycle.
    allow_code : bool
        Whether its model may be code from outside the package, which is then run.

    Returns
    -------
    Finished
        With nothing pruned that was not pruned in the end.

    Raises
    ------
    ValueError
        If the run is not finished, damaged, or names code and may not.
    OSError
        If there is no such run.
    """
    path = folder / "recipe.json"
    if not path.is_file():
        cycles = sorted(one.name for one in folder.glob("cycle-*"))
        hint = f"one of {folder / cycles[0]} to {cycles[-1]}" if cycles else "results/runs/NAME"
        raise FileNotFoundError(f"{folder} holds no run: name the folder of one, {hint}")
    if not (folder / FINAL).is_file():
        raise ValueError(f"the run in {folder} is not finished: train it to the end by the same command")
    known = {one.name for one in fields(Recipe)}
    try:
        settings = {
            name: value for name, value in json.loads(path.read_text(encoding="utf-8")).items() if name in known
        }
        recipe = made({name: value for name, value in settings.items() if value is not None})
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({error}): train the run again in another folder") from None
    options = {"seed": recipe.seed, **recipe.model}
    if names_code(options["name"]) and not allow_code:
        raise ValueError(
            f"the model of {folder} is code, {options['name']}, which would be run: look at it, and if you trust it "
            "write --allow-code"
        )
    model = models.create(options.pop("name"), **options)
    model.load_state_dict(checkpoints.load(folder / FINAL)[0])
    return Finished(recipe, model.eval())
