"""Tables of stored comparisons: mean accuracies with their 95 % intervals, pasted into the page on experiments."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from docs.extension.rst import table

_RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
COMPARISONS = (
    "fashion_lenet", "fashion_lenet_beta", "fashion_lenet_masks", "fashion_lenet_cycles", "fashion_resnet",
    "fashion_resnet_cycles", "cifar_resnet",
)  # fmt: skip
AS_LEFT = ("fashion_resnet", "cifar_resnet")  # also with the statistics of batch norm as training left them


def pages() -> dict[str, str]:
    """Return the text of each table."""
    found = {}
    for name, as_left in [*((name, False) for name in COMPARISONS), *((name, True) for name in AS_LEFT)]:
        columns, rows = accuracies(name, as_left)
        widths = (24, *[10] * (len(columns) - 1))
        found[f"parts/{name}{'_as_left' * as_left}.rst"] = table(columns, widths, rows, "results")
    return found


def accuracies(name: str, as_left: bool = False) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return columns and rows of a file in `benchmarks/results`: a row a method, a column a share that is kept.

    `as_left` takes accuracies with the statistics of batch norm as training left them, of the network before pruning.
    """
    from linreg_mirror.networks.training import intervals  # which needs torch

    rows = json.loads((_RESULTS / f"{name}.json").read_text(encoding="utf-8"))["rows"]
    measured = {"accuracy": lambda row: row["accuracy"]} if as_left else {}
    found = {(one["label"], one["keep"]): one for one in intervals(rows, **measured)}
    labels, kept = (list(dict.fromkeys(key[k] for key in found)) for k in (0, 1))
    clock = any(row["decay"] for row in rows)
    columns = ("kept", *(f"{100 * keep:.3g} %" for keep in kept), *["A"] * clock)
    return columns, [
        (label, *(_cell(found.get((label, keep))) for keep in kept), *[_clock(rows, label)] * clock) for label in labels
    ]


def _cell(found: Mapping[str, Any] | None) -> str:
    if found is None or not found["runs"]:
        return ""
    half = f" ± {100 * found['half']:.1f}" if found["runs"] > 1 else ""
    return f"{100 * found['accuracy']:.1f}{half}"


def _clock(rows: Sequence[dict[str, Any]], label: str) -> str:
    spent = [row["decay"] for row in rows if row["label"] == label and row["accuracy"] is not None]
    return f"{sum(spent) / len(spent):.2f}" if spent else ""
