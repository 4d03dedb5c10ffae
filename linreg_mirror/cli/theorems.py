"""The command `theorems`."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from linreg_mirror.cli._shared import Refused, console


def list_theorems(
    theorems: Annotated[
        list[str] | None, typer.Argument(help="Ids or beginnings of ids; default: the whole ledger.")
    ] = None,
) -> None:
    """List the ledger: ids, statements, sources, controls."""
    from linreg_mirror.theorems.check import select

    try:
        chosen = select(theorems or ())
    except ValueError as error:
        raise Refused(error) from None

    table = Table(pad_edge=False, show_lines=True)
    for name in ("theorem", "statement", "source", "control"):
        table.add_column(name, overflow="fold")
    for theorem in chosen:
        table.add_row(theorem.id, *map(escape, (theorem.statement, str(theorem.source), theorem.control.description)))
    console.print(table)
