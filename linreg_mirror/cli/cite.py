"""The command `cite`."""

from typing import Annotated

import typer

from linreg_mirror.cli._shared import Refused


def cite(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Theorems or beginnings of ids, methods, scores, models, data sets, solvers; folders of runs, "
            "report.json, files of compare. Default: the package alone."
        ),
    ] = None,
) -> None:
    """Print BibTeX of this package, and of the papers that theorems, methods or runs rest on.

    Comments before an entry say what it is cited for.
    """
    from linreg_mirror.citations import citation

    try:
        text = citation(*(names or ()))
    except (ValueError, OSError, ImportError) as error:
        raise Refused(error) from None
    typer.echo(text)  # not by the console, which would break and colour the lines
