"""Stored results of `linreg-mirror compare`, from which some pictures are drawn."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

CEILING, _LEAST = 90, 0.7  # in %: where a stretched axis would end, and how near to it is drawn
_RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"


def rows(name: str) -> list[dict[str, Any]]:
    """Return the rows of a stored comparison."""
    return json.loads((_RESULTS / f"{name}.json").read_text(encoding="utf-8"))["rows"]


def digest(name: str) -> str:
    """Return what changes with the file: part of a cell, so that its result is computed anew."""
    return hashlib.sha256((_RESULTS / f"{name}.json").read_bytes()).hexdigest()


def curve(panel: Axes, table: list[dict[str, Any]], method: str, *, bars: bool = True, **look: Any) -> None:
    """Draw the mean accuracy of one method in % against the share kept, with its 95 % interval as bars."""
    line = [row for row in table if row["label"] == method and row["runs"]]
    means, halves = ([100 * row[name] for row in line] for name in ("accuracy", "half"))
    panel.errorbar([row["keep"] for row in line], means, halves if bars else None, **look)


def kept_axis(panel: Axes, table: list[dict[str, Any]]) -> None:
    """Mark the shares that were kept, in %, from many to few, on an axis that is logarithmic."""
    shares = sorted({row["keep"] for row in table})
    panel.minorticks_off()
    panel.set_xticks(shares, [f"{100 * share:g}" for share in shares])
    panel.invert_xaxis()


def stretched(panel: Axes) -> None:
    """Make the axis of accuracies, in %, logarithmic in what is missing to a little more than the best of them."""
    panel.set_yscale(
        "function",
        functions=(lambda y: -np.log(np.maximum(CEILING - y, _LEAST)), lambda z: CEILING - np.exp(-np.asarray(z))),
    )
    panel.set_ylim(5, CEILING - _LEAST)
    panel.set_yticks([10, 40, 60, 70, 80, 84, 86, 88, 89])
