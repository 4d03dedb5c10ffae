"""The command `doctor`."""

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from linreg_mirror.cli._shared import console


def doctor() -> None:
    """Show versions, BLAS threads, GPU, and what is missing and how to get it."""
    from linreg_mirror.runtime.environment import examine

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("part", no_wrap=True)
    table.add_column("found", overflow="fold")
    table.add_column("remedy", overflow="fold")
    for finding in examine():
        table.add_row(finding.name, escape(finding.value), escape(finding.remedy or ""))
    console.print(table)
