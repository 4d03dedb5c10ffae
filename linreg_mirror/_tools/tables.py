"""Tables for the terminal, all in one style: they fit its width, and are plain and whole in a pipe."""

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table

_ENOUGH = 100_000  # columns: no table is wider


class FittingTable(Table):
    """A table that leaves out columns, or gives way to a shorter one, where the console is too narrow for it.

    In a pipe it has all columns, a line for each row, and no rules, so that it can be searched and cut.

    Attributes
    ----------
    dropped : sequence of str
        Columns that are left out if need be, the first one first.
    shorter : Table, optional
        What is shown if that is not enough.
    """

    dropped: Sequence[str] = ()
    shorter: Table | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield what fits."""
        if not console.is_terminal:
            plain = copy.copy(self)
            plain.box, plain.padding, plain.title_justify = None, (0, 2, 0, 0), "left"
            yield from Table.__rich_console__(plain, console, options.update(max_width=_ENOUGH))
            return
        shown = self
        for name in self.dropped:
            if shown._fits(console, options):
                break
            shown = shown.without(name)
        if self.shorter is not None and not shown._fits(console, options):
            yield from self.shorter.__rich_console__(console, options)
        else:
            yield from Table.__rich_console__(shown, console, options)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return that it takes what it gets."""
        return Measurement(1, options.max_width)

    def _fits(self, console: Console, options: ConsoleOptions) -> bool:
        least = Table.__rich_measure__(self, console, options.update(max_width=_ENOUGH)).minimum
        return least <= options.max_width

    def without(self, name: str) -> "FittingTable":
        """Return the table without a column.

        Parameters
        ----------
        name : str
            Its header.
        """
        made = copy.copy(self)
        kept = [column for column in self.columns if column.header != name]
        made.columns = [replace(column, _index=k) for k, column in enumerate(kept)]
        return made


def table(
    *columns: str,
    numbers: Collection[str] = (),
    folded: Collection[str] = (),
    least: Mapping[str, int] | None = None,
    dropped: Sequence[str] = (),
    title: str | None = None,
) -> FittingTable:
    """Return a table without rows.

    Parameters
    ----------
    *columns : str
        Their names.
    numbers : collection of str
        Columns that end at the right.
    folded : collection of str
        Columns of long text, which gets several lines where the terminal is narrow.
    least : mapping of str to int, optional
        How wide folded columns must be at least: where they cannot, others are dropped.
    dropped : sequence of str
        Columns that are left out where the terminal is too narrow, the first one first.
    title : str, optional
        Above the table.
    """
    made = FittingTable(
        box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), title=title, title_justify="left"
    )
    made.dropped = tuple(dropped)
    for name in columns:
        side = "right" if name in numbers else "left"
        width = (least or {}).get(name)
        made.add_column(name, justify=side, no_wrap=name not in folded, overflow="fold", min_width=width)
    return made
