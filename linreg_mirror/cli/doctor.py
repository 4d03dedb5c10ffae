"""The command `doctor`."""

from rich.markup import escape

from linreg_mirror._tools.tables import table
from linreg_mirror.cli._shared import console


def doctor() -> None:
    """Show versions, BLAS threads, GPU, and what is missing and how to get it."""
    from linreg_mirror.runtime.environment import examine

    shown = table("part", "found", "remedy", folded=("found", "remedy"))
    for finding in examine():
        shown.add_row(finding.name, escape(finding.value), escape(finding.remedy or ""))
    console.print(shown)
