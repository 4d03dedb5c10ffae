"""Tables for the terminal, all in one style."""

from collections.abc import Collection

from rich.box import SIMPLE_HEAD
from rich.table import Table


def table(
    *columns: str, numbers: Collection[str] = (), folded: Collection[str] = (), title: str | None = None
) -> Table:
    """Return a table without rows.

    Parameters
    ----------
    *columns : str
        Their names.
    numbers : collection of str
        Columns that end at the right.
    folded : collection of str
        Columns of long text, which gets several lines where the terminal is narrow.
    title : str, optional
        Above the table.
    """
    made = Table(box=SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), title=title, title_justify="left")
    for name in columns:
        side = "right" if name in numbers else "left"
        made.add_column(name, justify=side, no_wrap=name not in folded, overflow="fold")
    return made
