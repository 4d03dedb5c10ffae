"""Tables for the terminal, all in one style: they fit its width, and are plain and whole in a pipe."""

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

_ENOUGH = 100_000  # columns: no table is wider


class FittingTable(Table):
    """A table that leaves out columns, or gives way to a shorter one, where the console is too narrow for it.

    In a pipe it has all columns, a line for each row, and no rules, so that it can be searched and cut.

    Attributes
    ----------
    dropped : sequence of str
        Columns that are left out if need be, the first one first.
    least : mapping of str to int
        How wide folded columns must be at least.
    shorter : FittingTable, optional
        What is shown if that is not enough.
    """

    dropped: Sequence[str] = ()
    least: Mapping[str, int] = MappingProxyType({})
    shorter: "FittingTable | None" = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield what fits."""
        if not console.is_terminal:
            shown = copy.copy(self)
            shown.box, shown.padding = None, (0, 2, 0, 0)
        else:
            shown = self._without_some(console, options)
            if self.shorter is not None and shown._room(console, options) < 0:
                yield from self.shorter.__rich_console__(console, options)
                return
            shown = shown._sized(console, options)
        # Rich breaks title and caption where the table is narrow, though there is room.
        shown.title = shown.caption = None
        if self.title:
            yield Text(str(self.title), "table.title")
        yield from Table.__rich_console__(shown, console, options)
        if self.caption:
            yield Text(str(self.caption), "table.caption")

    def _without_some(self, console: Console, options: ConsoleOptions) -> "FittingTable":
        shown = self
        for name in self.dropped:
            if shown._room(console, options) >= 0:
                break
            shown = shown.without(name)
        return shown

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return that it takes what it gets."""
        return Measurement(1, options.max_width)

    def without(self, name: str) -> "FittingTable":
        """Return the table without a column.

        Parameters
        ----------
        name : str
            Its header.
        """
        return self._of([column for column in self.columns if column.header != name])

    def _of(self, columns: Sequence[Column]) -> "FittingTable":
        made = copy.copy(self)
        made.columns = [replace(column, _index=k) for k, column in enumerate(columns)]
        return made

    def _widths(self, console: Console, options: ConsoleOptions) -> list[tuple[int, int]]:
        """Return the least width of each column, and that of all its text in one line."""
        wide, found = options.update(max_width=_ENOUGH), []
        for column in self.columns:
            cells = [Measurement.get(console, wide, cell) for cell in (column.header, *column.cells)]
            most, word = max(cell.maximum for cell in cells), max(cell.minimum for cell in cells)
            least = max(word, self.least.get(str(column.header), 1))
            found.append((most if column.no_wrap else min(most, least), most))
        return found

    def _room(self, console: Console, options: ConsoleOptions) -> int:
        """Return how many characters are left once all columns have their least width."""
        gaps = 2 * (len(self.columns) - 1)
        return options.max_width - gaps - sum(least for least, _ in self._widths(console, options))

    def _sized(self, console: Console, options: ConsoleOptions) -> "FittingTable":
        """Return the table with what room is left given to the columns that want it, in proportion."""
        widths, room = self._widths(console, options), max(0, self._room(console, options))
        wanted = sum(most - least for least, most in widths)
        share = min(1.0, room / wanted) if wanted else 0.0
        sizes = [least + int(share * (most - least)) for least, most in widths]
        return self._of([replace(column, width=size) for column, size in zip(self.columns, sizes, strict=True)])


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
    made.dropped, made.least = tuple(dropped), least or {}
    for name in columns:
        side = "right" if name in numbers else "left"
        made.add_column(name, justify=side, no_wrap=name not in folded, overflow="fold")
    return made
