"""The command `theorems`."""

from rich.markup import escape
from rich.table import Table

from linreg_mirror.cli._shared import console


def list_theorems() -> None:
    """List the ledger: ids, statements, sources, controls."""
    from linreg_mirror.theorems import REGISTRY

    table = Table(pad_edge=False, show_lines=True)
    for name in ("theorem", "statement", "source", "control"):
        table.add_column(name, overflow="fold")
    for theorem in REGISTRY.values():
        table.add_row(theorem.id, *map(escape, (theorem.statement, str(theorem.source), theorem.control.description)))
    console.print(table)
