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
    """Return the evidence that comes with the package, made by `collect`."""
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
        diverged.

    Raises
    ------
    ValueError
        If there is no such folder, or none of the comparisons in it; or a file holds none, or lacks a label.
    """
    if not folder.is_dir():
        raise ValueError(f"there is no folder {folder}: write the one with the results of `linreg-mirror compare`")
    labels: dict[str, dict[str, None]] = {}  # a set that keeps its order
    for pair in (pair for claim in claims for pair in claim.pairs):
        labels.setdefault(pair.recipe, {}).update({pair.method: None, pair.rival: None})
    paths = {path.stem.replace("_", "-"): path for path in sorted(folder.glob("*.json"))}
    if not labels.keys() & paths.keys():
        raise ValueError(
            f"{folder} has no comparison that a claim is about: run `linreg-mirror compare` on one of "
            f"{', '.join(labels)} first"
        )
    return {recipe: _shortened(paths[recipe], list(wanted)) for recipe, wanted in labels.items() if recipe in paths}


def _shortened(path: Path, labels: Sequence[str]) -> Evidence:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        known = list(dict.fromkeys(row["label"] for row in content["rows"]))
        for label in labels:
            if label not in known:
                raise ValueError(f"{path}: no run has the label {label!r}, which a claim is about; there are {known}")
        made = content["environment"]
        return {
            "command": content["command"],
            **{name: made[name] for name in ("version", "commit", "machine")},
            "methods": {label: _method(content, label) for label in labels},
        }
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is no comparison as `linreg-mirror compare` writes it now ({error!r}): run it again"
        ) from None


def _method(content: Mapping[str, Any], label: str) -> Evidence:
    rows = [row for row in content["rows"] if row["label"] == label]
    accuracy = {(row["keep"], row["seed"]): row["accuracy"] for row in rows}
    shares, seeds = (list(dict.fromkeys(row[name] for row in rows)) for name in ("keep", "seed"))
    settings = _common([entry["recipe"] for entry in content["entries"] if entry["label"] == label])
    return {
        "settings": {name: settings[name] for name in _SETTINGS if name in settings},
        "seeds": seeds,
        "accuracy": {str(keep): [accuracy[keep, seed] for seed in seeds] for keep in shares},
    }


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
