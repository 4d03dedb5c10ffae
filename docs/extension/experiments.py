"""Tables of stored comparisons: mean accuracies with their 95 % intervals, pasted into the page on experiments."""

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from docs.extension.rst import table
from linreg_mirror.claims.effect import paired

_RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
COMPARISONS = ("fashion_lenet", "fashion_lenet_beta", "fashion_lenet_masks", "fashion_lenet_cycles", "fashion_resnet")


def pages() -> dict[str, str]:
    """Return the text of each table."""
    found = {}
    for name in COMPARISONS:
        columns, rows = accuracies(name)
        widths = (24, *[10] * (len(columns) - 1))
        found[f"parts/{name}.rst"] = table(columns, widths, rows, "results")
    return found


def accuracies(name: str, shares: Sequence[float] | None = None) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return columns and rows of a comparison: a row a method, a column a share of the weights that is kept.

    Parameters
    ----------
    name : str
        Of the file in `benchmarks/results`.
    shares : sequence of float, optional
        Those that are shown. Default: all.
    """
    rows = json.loads((_RESULTS / f"{name}.json").read_text(encoding="utf-8"))["rows"]
    shown = [keep for keep in dict.fromkeys(row["keep"] for row in rows) if shares is None or keep in shares]
    clock = any(row["decay"] for row in rows)
    columns = ("kept", *(f"{100 * keep:.3g} %" for keep in shown), *["A"] * clock)
    return columns, [
        (label, *(_cell(rows, label, keep) for keep in shown), *_clock(rows, label, clock))
        for label in dict.fromkeys(row["label"] for row in rows)
    ]


def as_markdown(name: str, shares: Sequence[float] | None = None) -> str:
    """Return the same table in Markdown, for README."""
    columns, rows = accuracies(name, shares)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (columns, ["---"] * len(columns), *rows))


def _cell(rows: Sequence[dict[str, Any]], label: str, keep: float) -> str:
    found = [row["accuracy"] for row in rows if row["label"] == label and row["keep"] == keep]
    trained = [accuracy for accuracy in found if accuracy is not None]
    if not trained:
        return ""
    effect = paired(trained, [0.0] * len(trained))
    half = effect.high - effect.mean
    return f"{100 * effect.mean:.1f}" + (f" ± {100 * half:.1f}" if math.isfinite(half) else "")


def _clock(rows: Sequence[dict[str, Any]], label: str, clock: bool) -> Iterator[str]:
    if clock:
        spent = [row["decay"] for row in rows if row["label"] == label and row["accuracy"] is not None]
        yield f"{sum(spent) / len(spent):.2f}" if spent else ""
