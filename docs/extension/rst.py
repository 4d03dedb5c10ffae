"""Pieces of reStructuredText."""

import re
from collections.abc import Iterable, Sequence


def escape(text: str) -> str:
    """Return text that is read as it is written."""
    marked = re.sub(r"([\\*`|_<>])", r"\\\1", text)
    # A paragraph that begins with (a), 1. or a dash would be a list.
    return f"\\{marked}" if re.match(r"\(?\w+[.)]\s|[-+]\s", marked) else marked


def formula(text: str) -> str:
    """Return text whose formulas are set, by the role `formula`."""
    return f":formula:`{escape(text)}`" if text.strip() else ""


def plain(text: str) -> str:
    """Return a line of a docstring: code in backquotes, all else as it is written."""
    pieces = re.split(r"`+([^`]+)`+", " ".join(text.split()))
    marked = escape(pieces[0])
    for code, after in zip(pieces[1::2], pieces[2::2], strict=True):
        # Code ends only where no letter follows.
        marked += f"``{code}``" + ("\\ " if after[:1].isalnum() else "") + escape(after)
    return marked


def heading(text: str, underline: str = "=") -> str:
    """Return a title."""
    return f"{text}\n{underline * len(text)}\n"


def table(columns: Sequence[str], widths: Sequence[int], rows: Iterable[Sequence[str]], kind: str) -> str:
    """Return a table of a CSS class; cells are reStructuredText of one paragraph."""
    lines = [".. list-table::", f"   :class: {kind}", "   :header-rows: 1", f"   :widths: {' '.join(map(str, widths))}"]
    for cells in (columns, *rows):
        lines.append("")
        lines += [f"   {'* -' if k == 0 else '  -'} {cell}" for k, cell in enumerate(cells)]
    return "\n".join(lines) + "\n"


def prose(text: str) -> str:
    """Return paragraphs of plain text; lines that are indented more than the first stay as they are."""
    blocks = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        if block.startswith(" "):
            blocks.append("::\n\n" + "\n".join(f"   {line}" for line in block.splitlines()))
        else:
            blocks.append(plain(block))
    return "\n\n".join(blocks) + "\n"
