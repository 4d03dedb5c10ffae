"""The command line, one command a file."""

import typer

from linreg_mirror.cli._shared import console
from linreg_mirror.cli.check import check
from linreg_mirror.cli.cite import cite
from linreg_mirror.cli.claims import list_claims
from linreg_mirror.cli.doctor import doctor
from linreg_mirror.cli.falsify import falsify
from linreg_mirror.cli.masks import masks
from linreg_mirror.cli.solve import solve
from linreg_mirror.cli.theorems import list_theorems
from linreg_mirror.cli.train import compare, train

__all__ = ["app", "console"]

app = typer.Typer(
    help="Verify the theory of mirror flows on linear regression.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(check)
app.command()(falsify)
app.command()(solve)
app.command()(masks)
app.command()(train)
app.command()(compare)
app.command(name="theorems")(list_theorems)
app.command(name="claims")(list_claims)
app.command()(cite)
app.command()(doctor)
