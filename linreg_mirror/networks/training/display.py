"""A comparison as a table for the terminal, as a figure, and as files."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from linreg_mirror._tools.counting import counted
from linreg_mirror._tools.tables import FittingTable, table
from linreg_mirror.networks.recipes import Comparison
from linreg_mirror.networks.training.picture import draw
from linreg_mirror.networks.training.summaries import Row, best, mean_accuracy
from linreg_mirror.networks.training.summaries import intervals as averages
from linreg_mirror.runtime.environment import environment
from linreg_mirror.runtime.files import explained, write_text


def as_table(rows: Sequence[Row]) -> Table:
    """Return means and intervals for the terminal: a row for each label, a column for each share.

    More columns hold the mean over all shares but 1, by which the best row of a method has a star; A at the end, and
    log b where there is a scale; and how many runs have diverged, which do not count, if any have. Where the terminal
    is too narrow A and log b are left out, and then intervals.
    """
    shown, shown.shorter = _table(rows, intervals=True), _table(rows, intervals=False)
    return shown


def _table(rows: Sequence[Row], *, intervals: bool) -> FittingTable:
    means, chosen = list(averages(rows)), set(best(rows).values())
    shares = sorted({row["keep"] for row in means}, reverse=True)
    lost = {row["label"]: row["diverged"] for row in means if row["diverged"]}
    averaged = "mean below 100%" if 1 in shares else "mean"
    columns = [f"{100 * share:.3g}%" for share in shares]
    numbers = (*columns, averaged, "A", "log b")
    numbers += ("diverged",) if lost else ()
    widest = max((row["half"] for row in means if math.isfinite(row["half"])), default=math.nan)
    said = "; 95 % interval" if intervals else f"; 95 % intervals up to ± {100 * widest:.1f}"
    shown = table(
        *("method", *numbers),
        numbers=numbers,
        folded=("method", averaged),
        least={"method": 12, averaged: 5},
        dropped=("log b", "A", *(() if intervals else (*columns[1::2], *columns[2::4]))),
        title="test accuracy in %, by share of weights kept" + (said if intervals or math.isfinite(widest) else ""),
    )
    several = len(chosen) < len({row["label"] for row in rows})
    shown.caption = f"{averaged}: over shares and seeds" + "; *: the best settings of a method by it" * several
    shown.caption += (
        "\nA: the sum of lr/(1 - momentum) alpha over the steps; b: beta/2 exp(-4A), weights large against it stay"
    )
    shown.caption_justify = "left"
    for label in dict.fromkeys(row["label"] for row in means):
        line = {row["keep"]: row for row in means if row["label"] == label}
        own = [row for row in rows if row["label"] == label]
        mean = mean_accuracy(own)
        ends = [_mean_of(own, name) for name in ("decay", "log_scale")]
        cells = [_cell(line[share], intervals) if share in line else "" for share in shares]
        shown.add_row(
            label + " *" * (several and label in chosen), *cells, f"{100 * mean:.1f}" if math.isfinite(mean) else "",
            *("" if end is None else f"{end:.2f}" for end in ends),
            *([str(lost.get(label, ""))] if lost else []), style="bold" if several and label in chosen else "",
        )  # fmt: skip
    return shown


def as_lines(rows: Sequence[Row]) -> Iterator[str]:
    """Yield what the table may have no room for: of each label and share the accuracy, its interval, and the runs."""
    for row in averages(rows):
        yield f"{row['label']}, {100 * row['keep']:.3g} % kept: {_cell(row, True)} ({counted(row['runs'], 'run')})"


def _mean_of(rows: Sequence[Row], name: str) -> float | None:
    """Return the mean of what runs have under this name; None if none has it."""
    found = [row[name] for row in rows if row.get(name) is not None]
    return sum(found) / len(found) if found else None


def _cell(row: Row, interval: bool) -> str:
    half = f" ± {100 * row['half']:.1f}" if interval and math.isfinite(row["half"]) else ""
    return f"{100 * row['accuracy']:.1f}{half}" if row["runs"] else "-"


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a table that `write` wrote, none if there is no such file; or raise ValueError."""
    if not path.exists():
        return []
    try:
        return list(json.loads(path.read_text(encoding="utf-8"))["rows"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no comparison, or damaged ({error!r}): delete it to start again") from None


def write_rows(rows: Sequence[Row], comparison: Comparison, path: Path, command: str = "") -> None:
    """Write a JSON file with all rows and settings, and the command that made them."""
    content = {
        "command": command,
        "best": best(rows),
        "entries": [asdict(entry) for entry in comparison.entries],
        "rows": list(rows),
        "environment": environment(),
    }
    try:
        write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")
    except OSError as error:
        raise explained(error, "write a table", path) from error


def write(
    rows: Sequence[Row], comparison: Comparison, folder: Path, name: str, command: str = "", title: str | None = None
) -> list[Path]:
    """Write NAME.json, with all rows and settings and the command that made them, .png and .pdf; return all.

    The title of the picture is NAME unless there is another.
    """
    paths = [folder / f"{name}.{kind}" for kind in ("json", "png", "pdf")]
    write_rows(rows, comparison, paths[0], command)
    figure = draw(rows, name if title is None else title)
    for path in paths[1:]:
        figure.savefig(path, dpi=200)
    return paths
