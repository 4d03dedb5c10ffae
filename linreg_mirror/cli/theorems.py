"""The command `theorems`."""

import json
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from linreg_mirror.cli._shared import Refused, console


def list_theorems(
    theorems: Annotated[
        list[str] | None, typer.Argument(help="Ids or beginnings of ids; default: the whole ledger.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, a list with one object per theorem.")] = False,
) -> None:
    """List the ledger: ids, statements, sources, controls."""
    from linreg_mirror.verification import select

    try:
        chosen = select(theorems or ())
    except ValueError as error:
        raise Refused(error) from None

    if as_json:
        entries = [
            {
                "id": theorem.id,
                "statement": theorem.statement,
                "source": str(theorem.source),
                "kind": theorem.kind,
                "proof": theorem.proof,
                "hypotheses": [hypothesis.name for hypothesis in theorem.hypotheses],
                "control": theorem.control.description,
                "expected": theorem.expected.name,
            }
            for theorem in chosen
        ]
        typer.echo(json.dumps(entries, indent=1))  # not by the console, which would break and colour the lines
        return
    table = Table(pad_edge=False, show_lines=True)
    for name in ("theorem", "statement", "source", "proof", "control"):
        table.add_column(name, overflow="fold")
    for theorem in chosen:
        cells = (theorem.statement, str(theorem.source), theorem.proof, theorem.control.description)
        table.add_row(theorem.id, *map(escape, cells))
    console.print(table)
