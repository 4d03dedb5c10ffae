"""What a run is known by, and whether its model and data go together."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from linreg_mirror.networks.data import Data
from linreg_mirror.networks.recipes import Recipe


def settings_of(recipe: Recipe, whole: Data) -> dict[str, Any]:
    """Return the settings as JSON, with a hash of the examples: a folder does not say what is in it."""
    return {**json.loads(json.dumps(asdict(recipe))), "sha256 of the data": whole.digest()}


def check_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Raise ValueError if the folder holds a run with other settings, or on other data.

    A setting that an older version did not have is as usual.
    """
    path = folder / "recipe.json"
    if not path.exists():
        return
    before = {**json.loads(json.dumps(asdict(Recipe()))), **json.loads(path.read_text(encoding="utf-8"))}
    differing = [
        f"{name} = {before.get(name)!r}, now {settings.get(name)!r}"
        for name in sorted(before.keys() | settings.keys())
        if before.get(name) != settings.get(name)
    ]
    if differing:
        raise ValueError(f"{folder} holds a run with {'; '.join(differing)}: give this one another folder")


def check_fit(model: torch.nn.Module, inputs: torch.Tensor, whole: Data, name: str) -> None:
    """Raise ValueError unless the model of that name makes a number for each class of one example."""
    if whole.classes is None:
        raise ValueError(f"{whole.name} has targets, and the loss here is for classes: write data.outputs=false")
    what = f"the model {name} does not fit the data {whole.name}"
    try:
        with torch.no_grad():
            found = tuple(model.eval()(inputs).shape)
    except RuntimeError as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(f"{what}, of shape {tuple(inputs.shape[1:])}: {reason}; see its options") from None
    if len(found) != 2 or found[1] < whole.classes:
        raise ValueError(f"{what}: for an example it returns {found}, expected (1, {whole.classes}); see its options")
