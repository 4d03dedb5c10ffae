"""What the rows of a comparison come to: means with intervals, and the best settings of each method."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from linreg_mirror._tools.intervals import mean_and_half_width

Row = dict[str, Any]


def compared_accuracy(row: Row) -> float | None:
    """Return the accuracy that counts: the last of those as pruned, with batch norm measured anew, and trained on."""
    found = (row.get(name) for name in ("finetuned", "recalibrated", "accuracy"))
    return next((one for one in found if one is not None), None)


def intervals(rows: Sequence[Row], accuracy: Callable[[Row], float | None] = compared_accuracy) -> Iterator[Row]:
    """Yield mean accuracy and half the width of its 95 % interval (Student's t over seeds) by label and share.

    Runs that diverged are left out, and counted under "diverged"; a mean over none is NaN, and so is an interval from
    one run.
    """
    for label, keep in dict.fromkeys((row["label"], row["keep"]) for row in rows):
        found = [accuracy(row) for row in rows if (row["label"], row["keep"]) == (label, keep)]
        good = [one for one in found if one is not None]
        mean, half = mean_and_half_width(good) if good else (math.nan, math.nan)
        yield {
            "label": label,
            "keep": keep,
            "accuracy": mean,
            "half": half if math.isfinite(half) else math.nan,
            "runs": len(good),
            "diverged": len(found) - len(good),
        }


def best(rows: Sequence[Row]) -> dict[str, str]:
    """Return the label that has the highest mean accuracy over all shares but 1, by method.

    Where a run has diverged that mean is NaN, and such settings are the last to be taken.
    """
    found: dict[str, tuple[float, str]] = {}
    for method, label in dict.fromkeys((row["method"], row["label"]) for row in rows):
        mean = mean_accuracy([row for row in rows if row["label"] == label])
        rank = mean if math.isfinite(mean) else -math.inf
        if method not in found or rank > found[method][0]:
            found[method] = (rank, label)
    return {method: label for method, (_, label) in found.items()}


def mean_accuracy(rows: Sequence[Row]) -> float:
    """Return the mean accuracy over all shares but 1 and all seeds; NaN if a run has diverged."""
    found = [compared_accuracy(row) for row in rows if row["keep"] != 1]
    good = [one for one in found if one is not None]
    return float(np.mean(good)) if good and len(good) == len(found) else math.nan
