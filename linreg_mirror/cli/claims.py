"""The command `claims`."""

from pathlib import Path
from typing import Annotated

import typer

from linreg_mirror.cli._shared import Refused, console


def list_claims(
    results: Annotated[
        Path | None,
        typer.Option(help="Folder of comparisons, such as results/compare. Default: those of the package."),
    ] = None,
) -> None:
    """List what papers claim of experiments: where it was measured here, gain, verdict.

    --results judges claims by comparisons of your own, as `linreg-mirror compare` writes them.
    """
    from linreg_mirror import claims

    try:
        found = claims.as_json(claims.evaluate(None if results is None else claims.collect(results)))
    except (ValueError, OSError) as error:
        raise Refused(error) from None
    console.print(claims.as_table(found))
    console.print(claims.RULE, highlight=False)
    console.print(claims.summary(found), style="bold")
