"""The command `doctor`."""

from dataclasses import asdict

from rich.markup import escape

from linreg_mirror._tools.tables import table
from linreg_mirror.cli._shared import AsJson, console, print_json


def doctor(as_json: AsJson = False) -> None:
    """Show versions, BLAS threads, GPU, and what is missing and how to get it."""
    from linreg_mirror.runtime.environment import examine

    found = list(examine())
    if as_json:
        print_json([asdict(part) for part in found])
        return
    shown = table("part", "found", folded=("found",))
    for part in found:
        shown.add_row(part.name, escape(part.value))
    console.print(shown)
    for part in found:
        if part.remedy:  # below the table, in one piece, to be copied
            console.print(f"{part.name}: {part.remedy}", highlight=False, soft_wrap=True, markup=False, emoji=False)
