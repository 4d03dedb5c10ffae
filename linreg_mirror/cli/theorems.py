"""The command `theorems`."""

from typing import Annotated

import typer
from rich.markup import escape

from linreg_mirror._tools.tables import table
from linreg_mirror.cli._shared import AsJson, Refused, Verbose, console, print_json


def list_theorems(
    theorems: Annotated[
        list[str] | None, typer.Argument(help="Ids or beginnings of ids; default: the whole ledger.")
    ] = None,
    verbose: Verbose = False,
    as_json: AsJson = False,
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
        print_json(entries)
        return
    if verbose:
        for theorem in chosen:
            conditions = ", ".join(hypothesis.name for hypothesis in theorem.hypotheses) or "none"
            lines = (
                f"[bold]{escape(theorem.id)}[/] ({escape(str(theorem.source))}; {theorem.kind}, {theorem.proof})",
                f"  {escape(theorem.statement)}",
                f"  hypotheses: {escape(conditions)}",
                f"  control: {escape(theorem.control.description)}, on {theorem.control.witness}",
            )
            console.print("\n".join(lines), highlight=False)
        return
    shown = table(
        *("theorem", "source", "kind", "proof", "statement", "control"),
        folded=("source", "statement", "control"),
        least={"source": 12, "statement": 40, "control": 25},
        dropped=("kind", "proof", "control", "source"),
    )
    for theorem in chosen:
        cells = (str(theorem.source), theorem.kind, theorem.proof, theorem.statement, theorem.control.description)
        shown.add_row(theorem.id, *map(escape, cells))
    console.print(shown)
