"""Whether all runs of a comparison can be made, before the first is trained."""

from typing import Any

from linreg_mirror.networks import models
from linreg_mirror.networks._tools.arguments import check_options, names_code
from linreg_mirror.networks.data import DATASETS
from linreg_mirror.networks.methods.registry import create_for
from linreg_mirror.networks.recipes import Comparison, Recipe


def check_entries(comparison: Comparison) -> None:
    """Raise an error that names the table if data, model or method of a run take other options, or other values.

    Raises
    ------
    ValueError, TypeError
        As from the data set, the model or the method.
    """
    seen: list[Any] = []
    for entry in comparison.entries:
        what = entry.recipe.data, entry.recipe.model, entry.recipe.method
        if what in seen:
            continue
        seen.append(what)
        try:
            _check(entry.recipe)
        except (ValueError, TypeError) as error:
            raise type(error)(f"[compare.methods.{entry.method}]: {error}") from None


def _check(recipe: Recipe) -> None:
    data, model, method = (
        {name: value for name, value in part.items() if name != "name"}
        for part in (recipe.data, recipe.model, recipe.method)
    )
    name = recipe.data["name"]
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}: known are {', '.join(DATASETS)}")
    data.pop("limit", None)
    if name != "teacher":  # which has the options of its model, too
        check_options(name, DATASETS[name], data if name == "digits" else {"directory": None, **data})
    if not names_code(recipe.model["name"]):  # what a user's own does when it is made is not ours to do twice
        models.create(recipe.model["name"], **{"seed": 0, **model})
    create_for(
        recipe.method["name"],
        method,
        epochs=recipe.epochs,
        steps=1,
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        seed=recipe.seed,
        batch=None,
    )
