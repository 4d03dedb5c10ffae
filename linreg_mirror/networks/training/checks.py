"""Checks before a run begins: its folder is its own, and model and data fit each other."""

import hashlib
import json
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from linreg_mirror.networks.data import Data
from linreg_mirror.networks.methods import Method
from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.training.defaults import settled


def settings_of(recipe: Recipe, whole: Data) -> dict[str, Any]:
    """Return the settings as JSON, with hashes of the examples and of a user's module, which have names only."""
    settings = {**_as_json(recipe), "sha256 of the data": whole.digest()}
    module, colon, _ = recipe.model["name"].partition(":")
    spec = find_spec(module) if colon else None
    if spec is not None and spec.origin is not None and Path(spec.origin).is_file():
        settings["sha256 of the module"] = hashlib.sha256(Path(spec.origin).read_bytes()).hexdigest()
    return settings


def check_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Raise ValueError if the folder holds a run with other settings, or on other data.

    Settings that a run of an older version does not name have their defaults.
    """
    path = folder / "recipe.json"
    if (folder / "cycle-00").exists():
        raise ValueError(f"{folder} holds a run of several cycles: give this one another folder")
    if not path.exists():
        return
    try:
        before = {**_as_json(settled(Recipe(), torch.device("cpu"))), **json.loads(path.read_text(encoding="utf-8"))}
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}): give the run another folder, or delete this one") from None
    differing = [
        f"{name} = {before.get(name)!r}, now {settings.get(name)!r}"
        for name in sorted(before.keys() | settings.keys())
        if before.get(name) != settings.get(name)
    ]
    if differing:
        raise ValueError(f"{folder} holds a run with {'; '.join(differing)}: give this one another folder")


def _as_json(recipe: Recipe) -> dict[str, Any]:
    return json.loads(json.dumps(asdict(recipe)))


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


def check_graph(method: Method, recipe: Recipe) -> None:
    """Raise ValueError unless steps of this method can be captured in a graph."""
    name = recipe.method["name"]
    if not getattr(method, "takes_graph", False):
        raise ValueError(
            f'steps of the method {name} are not known to be the same for a graph, compile = "graph": write compile = '
            "true, or takes_graph = True in its class if all that changes in them are tensors"
        )
