"""The command line, one command a file."""

from typing import Annotated

import typer

from linreg_mirror import __version__
from linreg_mirror.cli import (
    check,
    cite,
    claims,
    doctor,
    export,
    falsify,
    masks,
    prove,
    recipes,
    solve,
    theorems,
    train,
    verify,
)
from linreg_mirror.cli._shared import console

__all__ = ["app", "console"]

app = typer.Typer(
    help="Verify the theory of mirror flows on linear regression, and train sparse networks.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"linreg-mirror {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the options that belong to no command."""


app.command()(check.check)
app.command()(falsify.falsify)
app.command()(prove.prove)
app.command()(solve.solve)
app.command()(verify.verify)
app.command()(masks.masks)
app.command()(train.train)
app.command()(train.compare)
app.command()(export.export)
app.command(name="theorems")(theorems.list_theorems)
app.command(name="recipes")(recipes.list_recipes)
app.command(name="claims")(claims.list_claims)
app.command()(cite.cite)
app.command()(doctor.doctor)
