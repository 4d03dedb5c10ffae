"""The command line: check, falsify, solve, theorems, doctor."""

import json
import math
import time as clock
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from linreg_mirror.store import Store

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


_Jobs = Annotated[int, typer.Option(min=1, help="Processes.")]
_Cluster = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Dask scheduler whose workers compute instead, such as tcp://host:8786."),
]
_COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


@app.command()
def check(
    theorems: Annotated[
        list[str] | None, typer.Argument(help="Ids or beginnings of ids; default: the whole ledger.")
    ] = None,
    instance: Annotated[
        list[str] | None,
        typer.Option(
            help="family/setting/seed, with :parameter=value,... if need be, or special/name; may be repeated."
        ),
    ] = None,
    instances: Annotated[
        int | None,
        typer.Option(min=1, help="How many instances of the grid. Default: every family in every setting, once."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="The same, counted in whole grids: every family in every setting per seed."),
    ] = None,
    jobs: _Jobs = 2,
    shard: Annotated[
        str | None, typer.Option(metavar="i/N", help="Evaluate only the i-th of N shares of the instances.")
    ] = None,
    cluster: _Cluster = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Directory of the report. Default: results/check, for a part of it results/check/selected."),
    ] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Compute everything anew, whatever is stored.")] = False,
) -> None:
    """Check theorems: table, report.html and report.json.

    Exit code 0 only if every verdict is the expected one and every control fails on its witness; 1 otherwise; 2 for bad
    arguments. On named instances, or in a shard, nothing may contradict what is expected, but not everything need be
    decided. Results of single instances are stored at once, and read again as long as the code is the same: a command
    that was interrupted goes on where it was.

    Shards may run on several machines. Once their results/check/instances are put together in one folder, the same
    command without --shard computes nothing and gives the verdict.
    """
    # Everything heavy is imported late, so that --help answers at once.
    from linreg_mirror import report as reports
    from linreg_mirror.store import results_directory
    from linreg_mirror.sweeps import Shard
    from linreg_mirror.theorems import FAMILIES, SETTINGS
    from linreg_mirror.theorems.check import check as check_ledger

    started = clock.perf_counter()
    if sum(option is not None for option in (instance or None, instances, seeds)) > 1:
        raise _Refused("--instance, --instances and --seeds each say what to check on: give one of them")
    whole = not theorems and not instance and not shard
    # A check of a part must not take the place of the report on the whole.
    part = "" if whole else "selected" if not shard else f"shard-{shard.replace('/', '-of-')}"
    directory = output or results_directory() / "check" / part
    try:
        share = Shard.parse(shard) if shard else None
        with Progress(*_COLUMNS, console=console, transient=True) as bar, _workers(cluster):
            line = bar.add_task("instances", total=None)
            findings = check_ledger(
                theorems or (),
                instances=instance or instances,
                seeds=seeds or 1,
                jobs=jobs,
                store=_store(output),
                fresh=fresh,
                shard=share,
                progress=lambda task, done, total: bar.update(
                    line, completed=done, total=total, description=task.instance
                ),
            )
            bar.update(line, description="pictures")
            pictures = _pictures(findings) if whole else {}
        grids = math.ceil(instances / (len(FAMILIES) * len(SETTINGS))) if instances else seeds or 1
        run = {
            "theorems": list(theorems or ()),
            "instances": list(instance or ()),
            "seeds": list(range(grids)),
            "shard": shard,
            "jobs": jobs,
            "seconds": round(clock.perf_counter() - started, 1),
        }
        data = reports.as_json(findings, run)
        console.print(reports.as_table(data))
        console.print(reports.legend(data), highlight=False)
        _print_details(data)
        console.print(reports.summary(data), style="bold green" if data["passed"] else "bold red")
        paths = reports.write(data, directory, pictures)
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        raise _Refused(error) from None
    except KeyboardInterrupt:
        raise _interrupted() from None
    console.print(f"{', '.join(map(str, paths))}; {run['seconds']} s", highlight=False, soft_wrap=True)
    raise typer.Exit(0 if data["passed"] else 1)


def _store(output: Path | None = None) -> "Store":
    from linreg_mirror.store import Store, results_directory

    return Store((output or results_directory() / "check") / "instances")


def _workers(address: str | None) -> AbstractContextManager[None]:
    from linreg_mirror.sweeps import cluster

    return cluster(address) if address else nullcontext()


def _interrupted() -> typer.Exit:
    message = "interrupted: what was computed is stored, and the same command goes on from there"
    Console(stderr=True).print(message, soft_wrap=True)
    return typer.Exit(130)


def _pictures(findings: list) -> dict[str, bytes]:
    from linreg_mirror.pictures import draw_all

    return draw_all(findings)


def _print_details(data: dict) -> None:
    """For what is not as expected: which instances, what was measured, and how to repeat it."""
    nothing = not any(entry["instances"] or entry["missing"] for entry in data["theorems"])
    for entry in data["theorems"]:
        if entry["as_expected"] and not nothing:
            continue
        console.print(f"\n[bold red]{entry['id']}[/]: {escape(entry['statement'])}", highlight=False)
        for failure in entry["failing"][:5]:
            measured = failure["error"] or f"margin {failure['margin']}"
            console.print(f"  {escape(measured)}\n  repeat: {failure['repeat']}", highlight=False, soft_wrap=True)
        if entry["instances"] == 0:
            needed = escape(", ".join(entry["hypotheses"]))
            console.print(f"  no instance met the hypotheses: {needed}", highlight=False, soft_wrap=True)
        if not entry["control"]["failed"] and not entry["as_expected"]:
            control = entry["control"]
            detail = escape(control["detail"])
            console.print(f"  control did not fail on {control['witness']}: {detail}", highlight=False)


@app.command()
def falsify(
    theorems: Annotated[list[str], typer.Argument(help="Ids or beginnings of ids; all for the whole ledger.")],
    seconds: Annotated[
        float | None,
        typer.Option(min=0.001, help="Budget for each theorem. Default: 20, if --evaluations is not given."),
    ] = None,
    evaluations: Annotated[
        int | None,
        typer.Option(min=1, help="Budget in instances; with this one alone the same seed finds the same everywhere."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the search.")] = 0,
    jobs: _Jobs = 2,
    cluster: _Cluster = None,
) -> None:
    """Search for instances on which theorems fail: random ones, then neighbours of the worst.

    Prints the worst case found, and the command that repeats it. A search ends with a counterexample, or with its
    budget. Exit code 0 only if misprinted statements are refuted and all others survive; 1 otherwise; 2 for bad
    arguments.
    """
    from linreg_mirror.falsify import as_table, as_text
    from linreg_mirror.falsify import falsify as search
    from linreg_mirror.theorems.check import select

    if seconds is None and evaluations is None:
        seconds = 20.0
    outcomes = []
    try:
        chosen = select([] if theorems == ["all"] else theorems)
        with Progress(*_COLUMNS, console=console, transient=True) as bar, _workers(cluster):
            for theorem in chosen:
                line = bar.add_task(theorem.id, total=evaluations)
                outcome = search(
                    theorem.id,
                    seconds=seconds,
                    evaluations=evaluations,
                    seed=seed,
                    jobs=jobs,
                    store=_store(),
                    progress=lambda tried, _, line=line: bar.update(line, completed=tried),
                )
                bar.remove_task(line)
                console.print(as_text(outcome), highlight=False, soft_wrap=True)
                outcomes.append(outcome)
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        raise _Refused(error) from None
    except KeyboardInterrupt:
        raise _interrupted() from None
    if len(outcomes) > 1:
        console.print(as_table(outcomes))
    raise typer.Exit(0 if all(outcome.as_expected for outcome in outcomes) else 1)


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
    scale: Annotated[float | None, typer.Option(help="Scale b of the mirror limit. Default: 1e-6.")] = None,
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
    if scale is not None and log_scale is not None:
        raise _Refused("--scale and --log-scale say the same: give one of them")
    if log_scale is None:
        scale = 1e-6 if scale is None else scale
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
