"""The command `prove`."""

from contextlib import nullcontext
from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from linreg_mirror._tools.counting import counted
from linreg_mirror._tools.tables import table
from linreg_mirror.cli._shared import AsJson, Refused, console, print_json


def prove(
    theorems: Annotated[
        list[str] | None,
        typer.Argument(help="Ids or beginnings of ids; default: all that algebra can prove."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Derive theorems from their definitions by computer algebra, for all numbers at once.

    What is left of a theorem must be 0, what is left of its control must not. Exit code 1 if it is not so. Answers on
    data are proved by `solve --prove`.
    """
    from linreg_mirror.ledger import REGISTRY
    from linreg_mirror.verification import derive

    try:
        with nullcontext() if as_json else console.status("deriving: all of them take a quarter of a minute"):
            found = derive(theorems or ())
    except (ValueError, ImportError) as error:
        raise Refused(error) from None
    good = sum(one.as_expected for one in found)
    if as_json:
        print_json([{**asdict(one), "as_expected": one.as_expected} for one in found])
    else:
        shown = table("theorem", "left", "left of the control", folded=("left",))
        room = max(20, console.width - max(len(one.theorem) for one in found) - len("left") - 6)
        for one in found:
            tone = "green" if one.as_expected else "bold red"
            shown.add_row(
                one.theorem, f"[{tone}]{escape(one.left.text)}[/]", escape(_beginning(one.control.text, room))
            )
        console.print(shown)
        console.print(
            f"{good} of {counted(len(found), 'derivation')} as expected; the ledger has {len(REGISTRY)} theorems",
            style="bold green" if good == len(found) else "bold red",
        )
    raise typer.Exit(0 if good == len(found) else 1)


def _beginning(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."
