"""What was measured: stored comparisons, shortened to what claims need of them."""

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from linreg_mirror.claims.claim import Claim
from linreg_mirror.claims.entries import CLAIMS

Evidence = dict[str, Any]

_SETTINGS = (
    "data", "model", "method", "epochs", "batch", "lr", "momentum", "weight_decay", "schedule", "warmup", "augment",
    "validation", "iterative",
)  # fmt: skip


def stored() -> Evidence:
    """Return the evidence that comes with the package, made by `collect`.

    Returns
    -------
    dict
        Comparisons by the name of their recipe.
    """
    return json.loads((resources.files("linreg_mirror.claims") / "evidence.json").read_text(encoding="utf-8"))


def collect(folder: Path, claims: Sequence[Claim] = CLAIMS) -> Evidence:
    """Read comparisons, as `linreg-mirror compare` writes them.

    Parameters
    ----------
    folder : Path
        Where RECIPE.json are, with - or _ in their names. A comparison that is not there was not measured.
    claims : sequence of Claim
        Whose recipes and labels are read.

    Returns
    -------
    dict
        By recipe: `command`, `version`, `commit` and `machine`, and by label in `methods`: `settings` (those that all
        of its runs share), `seeds`, and by share that is kept `accuracy`, in the order of seeds, None where a run
        diverged. By method in `curves`, for what is compared at equal cost: `settings`, `seeds`, and in `runs`, for
        each seed, `weights`, `operations` (shares that are left of those of the dense network) and `accuracy` of all
        its settings, not pruned further, but for runs that diverged.

    Raises
    ------
    ValueError
        If there is no such folder, or none of the comparisons in it; or a file holds none, or lacks a label.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: write the one with the results of `linreg-mirror compare`")
    wanted: dict[str, dict[tuple[str, bool], None]] = {}  # sets that keep their order
    for pair in (pair for claim in claims for pair in claim.pairs):
        sides = {(name, pair.cost is not None): None for name in (pair.method, pair.rival)}
        wanted.setdefault(pair.recipe, {}).update(sides)
    paths = {path.stem.replace("_", "-"): path for path in sorted(folder.glob("*.json"))}
    if not wanted.keys() & paths.keys():
        raise ValueError(
            f"{folder} has no comparison that a claim is about: run `linreg-mirror compare` on one of "
            f"{', '.join(wanted)} first"
        )
    return {recipe: _shortened(paths[recipe], list(sides)) for recipe, sides in wanted.items() if recipe in paths}


def _shortened(path: Path, sides: Sequence[tuple[str, bool]]) -> Evidence:
    """Return what is needed of some labels, and of some methods with all their settings."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        for name, whole in sides:
            what = "method" if whole else "label"
            known = list(dict.fromkeys(row[what] for row in content["rows"]))
            if name not in known:
                raise ValueError(f"{path}: no run has the {what} {name!r}, which a claim is about; there are {known}")
        made = content["environment"]
        return {
            "command": content["command"],
            **{name: made[name] for name in ("version", "commit", "machine")},
            "methods": {label: _method(content, label) for label, whole in sides if not whole},
            "curves": {method: _curves(content, method) for method, whole in sides if whole},
        }
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is no comparison as `linreg-mirror compare` writes it now ({error!r}): run it again"
        ) from None


def _method(content: Mapping[str, Any], label: str) -> Evidence:
    rows = [row for row in content["rows"] if row["label"] == label]
    accuracy = {(row["keep"], row["seed"]): _accuracy(row) for row in rows}
    shares, seeds = (list(dict.fromkeys(row[name] for row in rows)) for name in ("keep", "seed"))
    return {
        "settings": _settings(content, "label", label),
        "seeds": seeds,
        "accuracy": {str(keep): [accuracy[keep, seed] for seed in seeds] for keep in shares},
    }


def _accuracy(row: Mapping[str, Any]) -> float | None:
    """Return the last accuracy of those as pruned, with batch norm measured anew, and trained on."""
    found = (row.get(name) for name in ("finetuned", "recalibrated", "accuracy"))
    return next((one for one in found if one is not None), None)


def _curves(content: Mapping[str, Any], method: str) -> Evidence:
    rows = [row for row in content["rows"] if row["method"] == method and row["keep"] == 1]
    seeds = list(dict.fromkeys(row["seed"] for row in rows))
    names = {"weights": "left", "operations": "operations", "accuracy": "accuracy"}
    trained = [row for row in rows if row["accuracy"] is not None]
    return {
        "settings": _settings(content, "method", method),
        "seeds": seeds,
        "runs": [
            {name: [row[own] for row in trained if row["seed"] == seed] for name, own in names.items()}
            for seed in seeds
        ],
    }


def _settings(content: Mapping[str, Any], what: str, name: str) -> Evidence:
    """Return the settings that all runs of a label, or a method, share."""
    settings = _common([entry["recipe"] for entry in content["entries"] if entry[what] == name])
    return {name: settings[name] for name in _SETTINGS if name in settings}


def _common(tables: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the settings that are the same in all, within tables too."""
    found = {}
    for name, value in tables[0].items():
        values = [table.get(name, ...) for table in tables]
        if all(isinstance(one, Mapping) for one in values):
            found[name] = _common(values)
        elif all(one == value for one in values):
            found[name] = value
    return found
