"""Recipes read from TOML files, and their settings changed."""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

from linreg_mirror.networks._tools.arguments import names_code
from linreg_mirror.networks.recipes.finetune import finetune
from linreg_mirror.networks.recipes.iterative import iterative
from linreg_mirror.networks.recipes.keys import check_keys, check_tables
from linreg_mirror.networks.recipes.recipe import Recipe


def names() -> list[str]:
    """Return the names of the recipes that come with the package.

    Returns
    -------
    list of str
        In alphabetical order.
    """
    return sorted(file.name.removesuffix(".toml") for file in folder().iterdir() if file.name.endswith(".toml"))


def read(name: str | Path, changes: Sequence[str] = (), *, allow_code: bool = False) -> Recipe:
    """Read a recipe.

    A file that says `like = "NAME"` holds only what differs from that recipe. Its tables are merged with those of the
    other, entry by entry; a table with another name takes the place of the other's as a whole.

    Parameters
    ----------
    name : str or Path
        One of `names()`, or a TOML file.
    changes : sequence of str
        Settings that replace those in the file: "epochs=20", "method.alpha=1e-3".
    allow_code : bool
        Whether the file may name code to run, as `module:factory`. Such names in `changes` are the caller's own.

    Returns
    -------
    Recipe
        All its settings; those that the file does not name have their defaults.

    Raises
    ------
    ValueError
        If there is no such recipe, the file is no TOML or is like itself, it names code and may not, or a setting is
        unknown or out of range.
    """
    settings = settings_in(name, allow_code)
    settings.pop("compare", None)
    return made(changed(settings, changes))


def folder() -> Any:
    """Return the folder of the recipes that come with the package."""
    return resources.files("linreg_mirror.networks.recipes")


def settings_in(name: str | Path, allow_code: bool = False, followed: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return what a TOML file says, on top of what the recipe says that it is like; or raise ValueError.

    Where code is not allowed, neither may name any as module:factory. `followed` are the recipes whose `like` has led
    to this one.
    """
    path = Path(name)
    file = path if path.suffix == ".toml" else folder() / f"{name}.toml"
    if path.suffix == ".toml" and not file.is_file():
        raise ValueError(f"there is no file {name}: write the path of a TOML file, or one of {', '.join(names())}")
    if not file.is_file():
        raise ValueError(f"there is no recipe {str(name)!r}: write a TOML file, or one of {', '.join(names())}")
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{name} is no TOML: {error}") from None
    code = None if allow_code else next(filter(names_code, _texts(settings)), None)
    if code is not None:
        raise ValueError(
            f"{name} names code, {code}, which would be run: look at it, and if you trust it write --allow-code, or "
            "allow_code=True in Python"
        )
    like = settings.pop("like", None)
    if like is None:
        return settings
    if not isinstance(like, str) or like in (*followed, str(name)):
        raise ValueError(f"{name}: like must name another recipe, got {like!r}")
    return merged(settings_in(like, allow_code, (*followed, str(name))), settings)


def _texts(value: Any) -> Iterator[str]:
    """Yield all strings in tables and lists, keys of tables aside."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)


def made(settings: Mapping[str, Any]) -> Recipe:
    """Return the recipe of these settings, or ValueError."""
    check_tables(settings)
    if "iterative" in settings:
        settings = {**settings, "iterative": iterative(settings["iterative"])}
    if "finetune" in settings:
        settings = {**settings, "finetune": finetune(settings["finetune"])}
    for part in ("data", "model"):
        value = settings.get(part)
        if isinstance(value, Mapping):
            # Options without a name are those of the default.
            settings = {**settings, part: {**getattr(Recipe(), part), **value}}
    check_keys(settings)
    return Recipe(**settings)


def changed(settings: Mapping[str, Any], changes: Sequence[str]) -> dict[str, Any]:
    """Return settings with KEY=VALUE in place, or PART.KEY=VALUE; values are JSON, or else text.

    Parameters
    ----------
    settings : mapping
        As a recipe has them; tables are mappings.
    changes : sequence of str
        "epochs=20", "method.alpha=1e-3".

    Returns
    -------
    dict
        A copy; what was given is left as it is.

    Raises
    ------
    ValueError
        If a change is not written so.
    """
    result = dict(settings)
    for change in changes:
        key, equals, text = change.partition("=")
        if not equals or not all(part.isidentifier() for part in key.split(".")):
            raise ValueError(
                f"a setting is changed by KEY=VALUE, such as epochs=20 or method.alpha=1e-3, got {change!r}"
            )
        value: Any = text
        with suppress(json.JSONDecodeError):
            value = json.loads(text)
        result = put(result, key, value)
    return result


def put(settings: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Return settings with a value in place, at "KEY" or "PART.KEY"."""
    for part in reversed(key.split(".")):
        value = {part: value}
    return merged(settings, value)


def merged(settings: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with those of `own` in place; a part of another name brings its own options alone.

    Of method.alpha and method.decay, which say the same in two ways, one takes the place of the other.
    """
    result = dict(settings)
    for name, value in own.items():
        before = result.get(name)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            same = value.get("name", before.get("name")) == before.get("name")
            ways = {"alpha", "decay"} if name == "method" and len({"alpha", "decay"} & value.keys()) == 1 else set()
            value = {**{key: one for key, one in before.items() if key not in ways}, **value} if same else value
        result[name] = value
    return result
