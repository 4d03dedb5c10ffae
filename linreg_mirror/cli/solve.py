"""The command `solve`."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from linreg_mirror._tools.tables import table
from linreg_mirror.cli._shared import Refused, console

if TYPE_CHECKING:
    from linreg_mirror.parametrizations import Hadamard
    from linreg_mirror.problems import Problem
    from linreg_mirror.solvers import Solution


def solve(
    data: Annotated[Path, typer.Argument(help="npz with X and y, or X as CSV.")],
    targets: Annotated[Path | None, typer.Argument(help="y as CSV, if X is CSV.")] = None,
    scale: Annotated[float | None, typer.Option(help="Scale b of the mirror limit. Default: 1e-6.")] = None,
    log_scale: Annotated[float | None, typer.Option(help="log b, for scales too small for float64.")] = None,
    output: Annotated[Path | None, typer.Option(help="File for solutions and certificates: .npz or .json.")] = None,
    prove: Annotated[
        bool,
        typer.Option("--prove", help="Write proofs, DATA.limit.proof.json and DATA.minimum_l1.proof.json."),
    ] = False,
) -> None:
    """Solve Xx = y: mirror limit at a scale, minimum-L1, minimum-L2, each with its certificate and proved digits."""
    from linreg_mirror import problems
    from linreg_mirror.parametrizations import Hadamard
    from linreg_mirror.proofs._flint import require_flint
    from linreg_mirror.solvers import independent
    from linreg_mirror.solvers.limit import limit, minimum_l1

    if output is not None and output.suffix not in (".npz", ".json"):
        raise Refused(f"--output must end in .npz or .json, got {output}")
    if scale is not None and log_scale is not None:
        raise Refused("--scale and --log-scale both set the scale: give one of them")
    if log_scale is None:
        scale = 1e-6 if scale is None else scale
        if not scale > 0:
            raise Refused(f"--scale must be positive, got {scale:g}: for a very small one write --log-scale -1000")
        log_scale = float(np.log(scale))
        name = f"b = {scale:g}"
    else:
        name, scale = f"log b = {log_scale:g}", float(np.exp(log_scale))
    try:
        if prove:
            require_flint()
        problem = problems.from_file(data, targets)
        network = Hadamard.from_scale(log_b=log_scale, d=problem.d)
        solutions = {
            f"limit, {name}": limit(problem, network),
            "minimum L1": minimum_l1(problem),
            "minimum L2": independent.minimum_l2(problem),
        }
    except (ValueError, TypeError, OSError, ModuleNotFoundError) as error:
        raise Refused(error) from None
    numbers = ("|x|_1", "|x|_2", "nonzero", "unique", "digits")
    title = f"X: {problem.n} samples x {problem.d} features, rank {problem.rank}"
    shown = table("solution", *numbers, "status", numbers=numbers, title=title)
    for name, solution in solutions.items():
        x = solution.x
        nonzero = np.count_nonzero(np.abs(x) > 1e-9 * np.abs(x).max())
        shown.add_row(
            name, f"{np.abs(x).sum():.7g}", f"{np.linalg.norm(x):.7g}", str(nonzero),
            {True: "yes", False: "no", None: "unknown"}[solution.unique], _digits(solution), solution.status.name,
        )  # fmt: skip
    console.print(shown)
    console.print(
        "nonzero: entries above 1e-9 of the largest; digits of x: proved, by a bound of its error in the L1 norm",
        highlight=False,
    )
    for name, solution in solutions.items():
        console.print(f"{name}, in {solution.stats.seconds:.2g} s: {solution.certificate}", highlight=False)
    for status in dict.fromkeys(s.status for s in solutions.values() if s.status.name != "converged"):
        console.print(str(status), highlight=False, soft_wrap=True)
    for note in dict.fromkeys(note for s in solutions.values() for note in s.stats.notes):
        names = ", ".join(name for name, s in solutions.items() if note in s.stats.notes)
        console.print(f"{names}: {note}", highlight=False, markup=False, soft_wrap=True)
    if output is not None:
        try:
            _save(output, scale, log_scale, solutions)
        except OSError as error:
            raise Refused(f"{error}: name another --output") from None
    proved = True
    if prove:
        by_limit, by_l1, _ = solutions.values()
        for key, solution, of in (("limit", by_limit, network), ("minimum_l1", by_l1, None)):
            proved &= _prove(Path(f"{data.stem}.{key}.proof.json"), problem, solution, of)
    raise typer.Exit(0 if proved and all(s.certificate.valid for s in solutions.values()) else 1)


def _digits(solution: "Solution") -> str:
    """Return how many digits are proved; a dash where there is no bar."""
    if not np.isfinite(solution.error):
        return "-"
    return f"{solution.digits:.1f}" if np.isfinite(solution.digits) else "all"


def _prove(path: Path, problem: "Problem", solution: "Solution", network: "Hadamard | None") -> bool:
    """Write a proof and say what it says; return whether there is one."""
    from linreg_mirror import proofs

    try:
        proof = proofs.prove(problem, solution, network)
        proof.save(path)
    except (ValueError, TypeError) as error:
        console.print(f"{path} is not written: {error}", highlight=False, markup=False, soft_wrap=True)
        return False
    except OSError as error:
        raise Refused(f"{error}: change to a folder that can be written") from None
    console.print(f"{path}: {proof}", highlight=False, markup=False, soft_wrap=True)
    return True


def _save(output: Path, scale: float, log_scale: float, solutions: dict) -> None:
    keys = dict(zip(("limit", "minimum_l1", "minimum_l2"), solutions.values(), strict=True))
    if output.suffix == ".npz":
        arrays = {f"{key}_{part}": getattr(s, part) for key, s in keys.items() for part in ("x", "dual")}
        checks = {f"{key}_certified": s.certificate.valid for key, s in keys.items()}
        errors = {f"{key}_error": s.error for key, s in keys.items()}
        np.savez(output, scale=scale, log_scale=log_scale, **arrays, **checks, **errors)
        return
    content = {
        key: {
            "x": s.x.tolist(),
            "dual": s.dual.tolist(),
            "status": s.status.name,
            "unique": s.unique,
            "error": s.error if np.isfinite(s.error) else None,
            "digits": s.digits if np.isfinite(s.digits) else None,
            "notes": s.stats.notes,
            "certificate": [vars(check) | {"passed": check.passed} for check in s.certificate.checks],
        }
        for key, s in keys.items()
    }
    head = {"scale": scale, "log_scale": log_scale}
    output.write_text(json.dumps(head | content, indent=1), encoding="utf-8")
