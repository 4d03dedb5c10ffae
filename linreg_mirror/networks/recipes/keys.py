"""The keys of a recipe: which there are, and which one was meant."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import fields
from difflib import SequenceMatcher
from typing import Any

from linreg_mirror.networks.recipes.finetune import Finetune
from linreg_mirror.networks.recipes.iterative import Iterative
from linreg_mirror.networks.recipes.recipe import AUGMENTATIONS, Recipe

_NEAR = 0.6  # of all letters of both that are alike; below it is another word
_ELSEWHERE = 0.9  # a key in the same part is nearer
_NAMES = [one.name for one in fields(Recipe)]
_OF_THE_RUN = ("epochs", "steps", "seed", "batch")  # what methods take of the run, unless they are told


def check_tables(settings: Mapping[str, Any]) -> None:
    """Raise ValueError if a table other than data, model and method has an unknown key; say which is nearest."""
    for part, options in _TABLES.items():
        table = settings.get(part)
        wrong = sorted(table.keys() - set(options)) if isinstance(table, Mapping) else []
        if wrong:
            everything = [*_full(part, options), *_NAMES]
            raise ValueError(
                f"unknown options of {part}: {', '.join(meant(f'{part}.{key}', everything) for key in wrong)}; there "
                f"are {', '.join(options)}{_HINTS.get(part, '')}"
            )


def check_keys(settings: Mapping[str, Any]) -> None:
    """Raise ValueError if a key is unknown, or an option of the named data, model or method; say which is nearest."""
    unknown = sorted(settings.keys() - set(_NAMES))
    if unknown:
        everything = [*_NAMES, *_options_of(settings)]
        raise ValueError(
            f"unknown settings: {', '.join(meant(key, everything) for key in unknown)}; there are "
            f"{', '.join(sorted(_NAMES))}"
        )
    for part in ("data", "model", "method"):
        table = settings.get(part)
        options = _options(part, table)
        if options is None or not isinstance(table, Mapping):
            continue
        wrong = sorted(table.keys() - {"name", *options, *_BESIDES[part]})
        if wrong:
            everything = [*_full(part, options), *_NAMES]
            raise ValueError(
                f"unknown options of {part} {table['name']}: "
                f"{', '.join(meant(f'{part}.{key}', everything) for key in wrong)}; there are "
                f"{', '.join(options) or 'none'}"
            )
        if part == "method" and {"alpha", "decay"} <= table.keys():
            raise ValueError(
                "method.alpha and method.decay say the same in two ways: leave out alpha for that which makes this A"
            )


def _options_of(settings: Mapping[str, Any]) -> list[str]:
    """Return the full keys of all options."""
    usual = Recipe()
    parts = {part: _options(part, settings.get(part, getattr(usual, part))) or [] for part in _BESIDES}
    return [key for part, options in {**parts, **_TABLES}.items() for key in _full(part, options)]


def _full(part: str, options: Sequence[str]) -> list[str]:
    return [f"{part}.{option}" for option in options]


_BESIDES: Mapping[str, Sequence[str]] = {"data": (), "model": ("seed",), "method": _OF_THE_RUN}
_TABLES: Mapping[str, Sequence[str]] = {
    "iterative": [one.name for one in fields(Iterative)],
    "finetune": [one.name for one in fields(Finetune)],
    "augment": AUGMENTATIONS,
}
_HINTS = {"finetune": "; for epochs in which l0 and dep-l0 freeze their gates write method.finetune"}


def _options(part: str, table: Any) -> list[str] | None:
    """Return the options of what a table names; None if that is not known, as of a user's own model."""
    # Not above: torch takes its time, and most of what reads recipes does not need it.
    from linreg_mirror.networks.data.registry import DATASETS
    from linreg_mirror.networks.methods import METHODS
    from linreg_mirror.networks.models.registry import MODELS

    name = table.get("name") if isinstance(table, Mapping) else None
    registry: Any = {"data": DATASETS, "model": MODELS, "method": METHODS}[part]
    if name is None or name not in registry:
        return None
    taken = inspect.signature(registry[name]).parameters
    if any(one.kind is one.VAR_KEYWORD for one in taken.values()):
        return None
    of_run = (*_OF_THE_RUN, "directory") if part == "method" else ("directory",)
    besides = [*(["limit"] * (part == "data")), *(["decay"] * hasattr(registry[name], "for_decay"))]
    return [*(name for name in taken if name not in of_run), *besides]


def meant(key: str, known: Sequence[str]) -> str:
    """Return the key, and the nearest one in brackets if one is near."""

    def likeness(other: str) -> float:
        (part, _, own), (theirs, _, last) = key.rpartition("."), other.rpartition(".")
        return SequenceMatcher(None, own, last).ratio() * (1 if part == theirs else _ELSEWHERE)

    nearest = max(known, key=likeness)
    return f"{key} (did you mean {nearest}?)" if likeness(nearest) >= _NEAR else key
