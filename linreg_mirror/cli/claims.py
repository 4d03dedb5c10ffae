"""The command `claims`."""

from pathlib import Path
from typing import Annotated

import typer

from linreg_mirror.cli._shared import AsJson, Refused, Verbose, console, print_json


def list_claims(
    results: Annotated[
        Path | None,
        typer.Option(help="Folder of comparisons, such as results/compare. Default: those of the package."),
    ] = None,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """List what papers claim of experiments: where it was measured here, gain, verdict.

    --results judges claims by comparisons of your own, as `linreg-mirror compare` writes them.
    """
    from linreg_mirror import claims

    try:
        found = claims.as_json(claims.evaluate(None if results is None else claims.collect(results)))
    except (ValueError, OSError) as error:
        raise Refused(error) from None
    if as_json:
        print_json(found)
        return
    console.print(claims.as_table(found))
    for line in claims.as_text(found) if verbose else ():
        console.print(line, highlight=False)
    console.print(claims.RULE, highlight=False)
    console.print(claims.summary(found), style="bold")
