"""Errors about values that a user did not set: where they come from."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from linreg_mirror.networks.recipes.reading import changed, settings_in


def with_origin(error: Exception, recipe: str | Path, changes: Sequence[str], *, allow_code: bool = False) -> Exception:
    """Return an error about a key of a recipe that no change sets with where its value comes from.

    Parameters
    ----------
    error : Exception
        Whose message begins with the key, such as "finetune must be ..."; any other is returned as it is.
    recipe : str or Path
        What was read.
    changes : sequence of str
        What the user set, "KEY=VALUE".
    allow_code : bool
        As in `read`.

    Returns
    -------
    Exception
        To be raised, or shown.
    """
    found = re.match(r"([\w.]+) (?:must|is|falls)\b", str(error))
    if found is None or not isinstance(error, ValueError):
        return error
    try:
        settings = changed(settings_in(recipe, allow_code), changes)
    except (ValueError, OSError):
        return error
    word, mine = found[1], {change.partition("=")[0] for change in changes}
    if any(word in (key, key.rpartition(".")[2]) for key in mine):
        return error
    for key, value in _flat(settings):
        # What is compared has keys of its own, which their errors name in full.
        if word == key or (word == key.rpartition(".")[2] and not key.startswith("compare.")):
            return ValueError(f"{error}; {key} = {value!r} comes from the recipe {recipe}: --set {key}=... changes it")
    return error


def _flat(settings: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from ((f"{key}.{name}", one) for name, one in value.items())
        else:
            yield key, value
