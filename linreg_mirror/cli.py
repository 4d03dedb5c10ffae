"""The command line: check, solve, theorems, doctor."""

import json
import time as clock
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

app = typer.Typer(
    help="Verify the theory of mirror flows on linear regression.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
console = Console()
if not console.is_terminal:
    console.width = 130  # a log has no width of its own; the ledger needs this much


class _Refused(typer.Exit):
    """Ends the command with a message and exit code 2."""

    def __init__(self, message: object) -> None:
        Console(stderr=True).print(f"[bold red]error:[/] {escape(str(message))}", highlight=False, soft_wrap=True)
        super().__init__(code=2)


@app.command()
def check(
    theorems: Annotated[
        list[str] | None, typer.Argument(help="Ids or beginnings of ids; default: the whole ledger.")
    ] = None,
    instance: Annotated[
        list[str] | None, typer.Option(help="family/setting/seed or special/name; may be repeated. Default: the grid.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds of the grid.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    output: Annotated[
        Path | None,
        typer.Option(help="Directory of the report. Default: results/check, for a part of it results/check/selected."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Compute everything anew, whatever is stored.")] = False,
) -> None:
    """Check theorems: table, report.html and report.json.

    Exit code 0 only if every verdict is the expected one and every control fails on its witness; 1 otherwise; 2 for bad
    arguments. Results of single instances are stored, and read again as long as the code is the same.
    """
    # Everything heavy is imported late, so that --help answers at once.
    from linreg_mirror import report as reports
    from linreg_mirror.store import Store, results_directory
    from linreg_mirror.theorems.check import check as check_ledger

    started = clock.perf_counter()
    whole = not theorems and not instance
    # A check of a part must not take the place of the report on the whole.
    directory = output or results_directory() / "check" / ("" if whole else "selected")
    store = Store((output or results_directory() / "check") / "instances")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with Progress(*columns, console=console, transient=True) as bar:
            line = bar.add_task("instances", total=None)
            findings = check_ledger(
                theorems or (),
                instances=instance or None,
                seeds=seeds,
                jobs=jobs,
                store=store,
                fresh=fresh,
                progress=lambda task, done, total: bar.update(
                    line, completed=done, total=total, description=task.instance
                ),
            )
            bar.update(line, description="pictures")
            pictures = _pictures(findings) if whole else {}
        run = {
            "theorems": list(theorems or ()),
            "instances": list(instance or ()),
            "seeds": list(range(seeds)),
            "jobs": jobs,
            "seconds": round(clock.perf_counter() - started, 1),
        }
        data = reports.as_json(findings, run)
        console.print(reports.as_table(data))
        console.print(reports.legend(data), highlight=False)
        _print_details(data)
        console.print(reports.summary(data), style="bold green" if data["passed"] else "bold red")
        paths = reports.write(data, directory, pictures)
    except (ValueError, OSError) as error:
        raise _Refused(error) from None
    console.print(f"{', '.join(map(str, paths))}; {run['seconds']} s", highlight=False, soft_wrap=True)
    raise typer.Exit(0 if data["passed"] else 1)


def _pictures(findings: list) -> dict[str, bytes]:
    from linreg_mirror.pictures import draw_all

    return draw_all(findings)


def _print_details(data: dict) -> None:
    """For what is not as expected: which instances, what was measured, and how to repeat it."""
    for entry in data["theorems"]:
        if entry["as_expected"]:
            continue
        console.print(f"\n[bold red]{entry['id']}[/]: {escape(entry['statement'])}", highlight=False)
        for failure in entry["failing"][:5]:
            measured = failure["error"] or f"margin {failure['margin']}"
            console.print(f"  {escape(measured)}\n  repeat: {failure['repeat']}", highlight=False, soft_wrap=True)
        if entry["instances"] == 0:
            needed = escape(", ".join(entry["hypotheses"]))
            console.print(f"  no instance met the hypotheses: {needed}", highlight=False, soft_wrap=True)
        if not entry["control"]["failed"]:
            control = entry["control"]
            detail = escape(control["detail"])
            console.print(f"  control did not fail on {control['witness']}: {detail}", highlight=False)


@app.command(name="theorems")
def list_theorems() -> None:
    """List the ledger: ids, statements, sources, controls."""
    from linreg_mirror.theorems import REGISTRY

    table = Table(pad_edge=False, show_lines=True)
    for name in ("theorem", "statement", "source", "control"):
        table.add_column(name, overflow="fold")
    for theorem in REGISTRY.values():
        table.add_row(theorem.id, *map(escape, (theorem.statement, str(theorem.source), theorem.control.description)))
    console.print(table)


@app.command()
def solve(
    data: Annotated[Path, typer.Argument(help="npz with X and y, or X as CSV.")],
    targets: Annotated[Path | None, typer.Argument(help="y as CSV, if X is one.")] = None,
    scale: Annotated[float, typer.Option(help="Scale b of the mirror limit.")] = 1e-6,
    log_scale: Annotated[float | None, typer.Option(help="log b, for scales that no float64 holds.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Where to save solutions and certificates: .npz or .json.")
    ] = None,
) -> None:
    """Solve Xx = y: mirror limit at a scale, minimum-L1, minimum-L2, each with its certificate."""
    from linreg_mirror import instances, references
    from linreg_mirror.limits import limit
    from linreg_mirror.minimum_l1 import minimum_l1
    from linreg_mirror.parametrizations import Hadamard

    if output is not None and output.suffix not in (".npz", ".json"):
        raise _Refused(f"--output must end in .npz or .json, got {output}")
    if log_scale is None:
        if not scale > 0:
            raise _Refused(f"--scale must be positive, got {scale:g}: for a very small one write --log-scale -1000")
        log_scale = float(np.log(scale))
        name = f"b = {scale:g}"
    else:
        name, scale = f"log b = {log_scale:g}", float(np.exp(log_scale))
    try:
        problem = instances.from_file(data, targets)
        solutions = {
            f"mirror limit, {name}": limit(problem, Hadamard.from_scale(log_b=log_scale, d=problem.d)),
            "minimum L1": minimum_l1(problem),
            "minimum L2": references.minimum_l2(problem),
        }
    except (ValueError, TypeError, OSError) as error:
        raise _Refused(error) from None
    table = Table(
        title=f"X: {problem.n} samples x {problem.d} features, rank {problem.rank}",
        title_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )
    table.add_column("solution", no_wrap=True)
    for name in ("|x|_1", "|x|_2", "nonzero", "unique", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("certificate", no_wrap=True)
    for name, solution in solutions.items():
        x = solution.x
        nonzero = np.count_nonzero(np.abs(x) > 1e-9 * np.abs(x).max())
        table.add_row(
            name, f"{np.abs(x).sum():.7g}", f"{np.linalg.norm(x):.7g}", str(nonzero),
            {True: "yes", False: "no", None: "undecided"}[solution.unique], f"{solution.stats.seconds:.2g}",
            solution.status.name, "\n".join(map(str, solution.certificate.checks)),
        )  # fmt: skip
    console.print(table)
    console.print("nonzero: entries above 1e-9 of the largest", highlight=False)
    for status in {s.status for s in solutions.values() if s.status.name != "converged"}:
        console.print(str(status), highlight=False, soft_wrap=True)
    if output is not None:
        try:
            _save(output, scale, log_scale, solutions)
        except OSError as error:
            raise _Refused(f"{error}: name another --output") from None
    raise typer.Exit(0 if all(s.certificate.valid for s in solutions.values()) else 1)


def _save(output: Path, scale: float, log_scale: float, solutions: dict) -> None:
    keys = dict(zip(("limit", "minimum_l1", "minimum_l2"), solutions.values(), strict=True))
    if output.suffix == ".npz":
        arrays = {f"{key}_{part}": getattr(s, part) for key, s in keys.items() for part in ("x", "dual")}
        checks = {f"{key}_certified": s.certificate.valid for key, s in keys.items()}
        np.savez(output, scale=scale, log_scale=log_scale, **arrays, **checks)
        return
    content = {
        key: {
            "x": s.x.tolist(),
            "dual": s.dual.tolist(),
            "status": s.status.name,
            "unique": s.unique,
            "certificate": [vars(check) | {"passed": check.passed} for check in s.certificate.checks],
        }
        for key, s in keys.items()
    }
    head = {"scale": scale, "log_scale": log_scale}
    output.write_text(json.dumps(head | content, indent=1), encoding="utf-8")


@app.command()
def doctor() -> None:
    """Show versions, BLAS threads, GPU, and what is missing and how to get it."""
    from linreg_mirror.doctor import examine

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("part", no_wrap=True)
    table.add_column("found", overflow="fold")
    table.add_column("remedy", overflow="fold")
    for finding in examine():
        table.add_row(finding.name, escape(finding.value), escape(finding.remedy or ""))
    console.print(table)


if __name__ == "__main__":
    app()
