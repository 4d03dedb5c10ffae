"""The comparison that a recipe describes."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linreg_mirror.networks._tools.arguments import check_keep
from linreg_mirror.networks.recipes.keys import meant
from linreg_mirror.networks.recipes.reading import changed, made, merged, put, settings_in
from linreg_mirror.networks.recipes.recipe import Recipe

_USUAL = {"keep": [0.1, 0.05, 0.02, 0.01, 0.005], "seeds": [0]}


@dataclass(frozen=True)
class Entry:
    """One run of a comparison.

    Attributes
    ----------
    method : str
        The label of the method in the recipe, the same for all settings that are tried.
    label : str
        That of the settings, the same for all seeds.
    recipe : Recipe
        What is run.
    keep : tuple of float
        Shares of the weights to which it is pruned in the end, 1 first unless the method prunes before it trains.
    """

    method: str
    label: str
    recipe: Recipe
    keep: tuple[float, ...]


@dataclass(frozen=True)
class Comparison:
    """Runs to be compared.

    Attributes
    ----------
    entries : tuple of Entry
        The runs, those of a label together.
    """

    entries: tuple[Entry, ...]

    @property
    def labels(self) -> list[str]:
        """The labels, in order."""
        return list(dict.fromkeys(entry.label for entry in self.entries))


def read_comparison(
    name: str | Path, changes: Sequence[str] = (), *, allow_code: bool = False, methods: Sequence[str] = ()
) -> Comparison:
    """Read the runs that a recipe compares.

    Its table `compare` holds `keep`, `seeds`, and in `methods` a table for each label with the settings in which it
    differs. Two entries of such a table are no settings:

    - `grid`, settings to be tried: a table of KEY or "PART.KEY" with a list of values each, of which all combinations
      are runs under labels of their own; or a list of such tables.
    - `keep`, for methods that prune before they train: the setting, such as "method.keep", that takes each of the
      shares in a run of its own.

    Changes hold for all runs, and come last; "compare.seeds=[0, 1]" and "compare.keep=[0.1]" change what is compared.

    Parameters
    ----------
    name : str or Path
        One of `names()`, or a TOML file.
    changes : sequence of str
        As `read` takes them.
    allow_code : bool
        As in `read`.
    methods : sequence of str
        Labels of those that are compared. Default: all of the table.

    Returns
    -------
    Comparison
        The runs, and what is compared of them.

    Raises
    ------
    ValueError
        As `read`; or if there is nothing to compare, a target sparsity is impossible, a seed is there twice or set by a
        change, or a change sets what a grid or `keep` sets.
    """
    settings = settings_in(name, allow_code)
    of_comparison = [change for change in changes if change.startswith("compare.")]
    of_runs = [change for change in changes if change not in of_comparison]
    settings = changed(settings, of_comparison)
    compare = {**_USUAL, **_table(settings.pop("compare", {}))}
    unknown, tables = compare.keys() - {"keep", "seeds", "methods"}, _table(compare.get("methods"))
    if unknown or not tables or not all(isinstance(table, Mapping) for table in tables.values()):
        known = [f"compare.{key}" for key in ("keep", "seeds", "methods")]
        wrong = ", ".join(meant(f"compare.{key}", known) for key in sorted(unknown))
        what = f"has {wrong}" if unknown else "has no methods"
        raise ValueError(
            f"{name}: the table compare {what}; it takes keep, seeds, and in methods a table for each label"
        )
    for entry in ("keep", "seeds"):
        value = compare[entry]
        if not isinstance(value, list) or not value or len(set(map(repr, value))) < len(value):
            raise ValueError(f"{name}: {entry} must be a list of different numbers that is not empty, got {value!r}")
    for share in compare["keep"]:
        check_keep(share, "compare.keep")
    lacking = [label for label in methods if label not in tables]
    if lacking:
        raise ValueError(f"{name} compares no {', '.join(lacking)}: there are {', '.join(tables)}")
    tables = {label: table for label, table in tables.items() if not methods or label in methods}
    keys = [change.partition("=")[0] for change in of_runs]
    for key in ("keep", "seeds"):
        if key in keys:
            raise ValueError(
                f"{key} is no setting of a run (did you mean compare.{key}?): write --set compare.{key}=[0.1]"
            )
    _check_free(name, keys, tables)
    entries = tuple(
        Entry(method, label, _made(method, table, changed(merged(one, {"seed": seed}), of_runs)), keep)
        for method, table in tables.items()
        for label, one, keep in _runs(method, settings, table, tuple(dict.fromkeys((1.0, *compare["keep"]))))
        for seed in compare["seeds"]
    )
    if not entries:
        raise ValueError(f"{name}: no runs are left to compare: keep must hold a share below 1")
    times = Counter((entry.label, entry.recipe.seed, entry.keep) for entry in entries)
    twice = [label for (label, _, _), count in times.items() if count > 1]
    if twice:
        raise ValueError(f"{name}: {twice[0]} is there twice: let the grid name each combination once")
    return Comparison(entries)


def _made(method: str, table: Mapping[str, Any], settings: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a run, or raise ValueError that names its table, if that has settings of its own."""
    try:
        return made(settings)
    except ValueError as error:
        raise ValueError(f"[compare.methods.{method}]: {error}" if table else str(error)) from None


def _check_free(name: str | Path, changed_keys: Sequence[str], methods: Mapping[str, Any]) -> None:
    """Raise ValueError if a setting that tells runs apart is changed for all of them, or seed is set for one label."""
    if "seed" in changed_keys or any("seed" in table for table in methods.values()):
        raise ValueError(f"{name}: seed tells runs apart: write compare.seeds=[0, 1]")
    for method, table in methods.items():
        grids = table.get("grid", {})
        tried = {key for grid in (grids if isinstance(grids, list) else [grids]) for key in _table(grid)}
        taken = sorted(({table.get("keep")} | tried) & set(changed_keys))
        if taken:
            raise ValueError(f"{name}: {taken[0]} tells the runs of {method} apart and cannot be set for all of them")


def _runs(
    method: str, settings: Mapping[str, Any], table: Mapping[str, Any], shares: tuple[float, ...]
) -> Iterator[tuple[str, dict[str, Any], tuple[float, ...]]]:
    """Yield label, settings and shares of all runs of a method, but for seeds."""
    own = {name: value for name, value in table.items() if name not in ("grid", "keep")}
    target = table.get("keep")
    if target is not None and not isinstance(target, str):
        raise ValueError(
            f'{method}: keep must name the setting that takes each share, got {target!r}: write keep = "method.keep"'
        )
    for point in _points(method, table.get("grid", {})):
        label = ", ".join([method, *(f"{name.removeprefix('method.')} {value}" for name, value in point.items())])
        tried = merged(settings, own)
        for name, value in point.items():
            tried = put(tried, name, value)
        if target is None:
            yield label, tried, shares
        else:
            yield from ((label, put(tried, target, share), (share,)) for share in shares if share < 1)


def _points(method: str, grid: Any) -> Iterator[dict[str, Any]]:
    """Yield all combinations of a grid."""
    for table in grid if isinstance(grid, list) else [grid]:
        if not isinstance(table, Mapping) or not all(isinstance(values, list) for values in table.values()):
            raise ValueError(
                f"{method}: grid must be a table of lists, or a list of these, got {grid!r}: write "
                'grid = { lr = [0.1, 0.2], "method.alpha" = [1e-4, 1e-3] }'
            )
        for values in itertools.product(*table.values()):
            yield dict(zip(table, values, strict=True))


def _table(value: Any) -> Mapping[str, Any]:
    """Return the value if it is a table, else an empty table."""
    return value if isinstance(value, Mapping) else {}
