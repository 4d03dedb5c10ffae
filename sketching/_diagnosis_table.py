"""A diagnosis as plain text."""

import html
import textwrap
from collections.abc import Mapping
from typing import Any

COLUMNS = {  # what is counted, and its heading
    "weights": "weights",
    "kept": "kept",
    "density": "density",
    "dead_outputs": "dead outputs",
    "dead_inputs": "dead inputs",
    "effective": "effective",
    "flops": "FLOPs",
    "flops_kept": "FLOPs kept",
}


# What is left out where a table gets too wide, the first one first.
_DROPPED = ("FLOPs", "shape", "dead inputs", "dead outputs", "effective", "FLOPs kept")


def table(found: Mapping[str, Any], width: int | None = None) -> str:
    """Return the table of `Diagnosis.to_dict()`: a row for each layer, totals, and what is to be said about them."""
    rows = [_cells(layer["name"], " x ".join(map(str, layer["shape"])), layer) for layer in found["layers"]]
    rows.append(_cells("total", "", found))
    counted = [column for column, cell in rows[-1].items() if cell is not None]
    space = {column: max(len(column), *(len(row[column] or "") for row in rows)) for column in counted}
    for column in _DROPPED:
        if width is not None and sum(space.values()) + 2 * (len(space) - 1) > width:
            space.pop(column, None)
    cells, widths = [list(space), *([row[column] or "" for column in space] for row in rows)], list(space.values())
    head, *layers, total = ("  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in cells)
    rule = "-" * len(head)
    lines = [head, rule, *layers, rule, total, ""]
    if found["collapsed"]:
        lines.append(f"Collapsed, nothing is kept: {', '.join(found['collapsed'])}.")
    if found["effective"] is not None:
        lines.append("Dead: channels without a kept weight. Effective: kept weights on a path from input to output.")
    if found["uncounted"]:
        lines.append(f"Effective weights are not counted: {found['uncounted']}.")
    if found["other_flops"]:
        lines.append(f"The total of FLOPs includes {found['other_flops']:,} of other operations, kept in full.")
    lines.append("A mask by itself gives no speed-up: dense kernels compute the zeros too.")
    return "\n".join(lines if width is None else [_wrapped(line, width) for line in lines])


def html_table(found: Mapping[str, Any]) -> str:
    """Return the same table, without the sentences below it, as HTML for notebooks."""
    rows = [_cells(layer["name"], " x ".join(map(str, layer["shape"])), layer) for layer in found["layers"]]
    rows.append(_cells("total", "", found))
    counted = [column for column, cell in rows[-1].items() if cell is not None]
    head = "".join(f"<th>{column}</th>" for column in counted)
    body = "".join(
        f"<tr>{''.join(f'<td>{html.escape(row[column] or str())}</td>' for column in counted)}</tr>" for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _wrapped(line: str, width: int) -> str:
    """Return a sentence in lines that fit; a row of the table is left as it is."""
    return textwrap.fill(line, width) if len(line) > width and "  " not in line else line


def _cells(name: str, shape: str, counts: Mapping[str, Any]) -> dict[str, str | None]:
    """Return a row, with None for what is not counted."""
    row: dict[str, str | None] = {"layer": name, "shape": shape}
    for key, column in COLUMNS.items():
        number = counts[key]
        row[column] = None if number is None else f"{number:.2%}" if key == "density" else f"{number:,}"
    return row
