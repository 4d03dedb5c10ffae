"""The command `verify`."""

from pathlib import Path
from typing import Annotated

import typer

from linreg_mirror.cli._shared import AsJson, Refused, console, print_json


def verify(
    proof: Annotated[Path, typer.Argument(help="A file that `solve --prove` wrote.")],
    data: Annotated[Path, typer.Argument(help="The data it is about: npz with X and y, or X as CSV.")],
    targets: Annotated[Path | None, typer.Argument(help="y as CSV, if X is CSV.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a proof by exact and ball arithmetic; nothing of the solvers is used. Exit code 1 if it does not hold."""
    from linreg_mirror import problems, proofs

    try:
        problem = problems.from_file(data, targets)
        if not proof.exists():
            raise FileNotFoundError(f"there is no file {proof}: write a proof by linreg-mirror solve {data} --prove")
        found = proofs.verify(proof, problem)
    except proofs.ProofError as error:
        if as_json:
            print_json({"holds": False, "reason": str(error)})
        else:
            console.print(f"does not hold: {error}", highlight=False, markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except (ValueError, TypeError, OSError, ModuleNotFoundError) as error:
        raise Refused(error) from None
    if as_json:
        print_json({"holds": True, "kind": found.kind, "proved": str(found)})
    else:
        console.print(f"proved: {found}", highlight=False, markup=False, soft_wrap=True)
