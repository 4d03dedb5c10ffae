"""The command `check`."""

import math
import time as clock
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import Progress

from linreg_mirror.cli._shared import (
    COLUMNS,
    AllowModule,
    AsJson,
    Cluster,
    Jobs,
    Module,
    Refused,
    Verbose,
    console,
    interrupted,
    own,
    print_json,
    store,
    workers,
)


def check(
    theorems: Annotated[
        list[str] | None,
        typer.Argument(help="Ids or beginnings of ids, such as mirror.limit or regimes; default: the whole ledger."),
    ] = None,
    instance: Annotated[
        list[str] | None,
        typer.Option(
            help="family/setting/seed, optionally with :parameter=value,..., or special/name; may be repeated."
        ),
    ] = None,
    instances: Annotated[
        int | None,
        typer.Option(min=1, help="Number of instances of the grid. Default: every family in every setting, once."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(min=1, help="Number of seeds: every family in every setting, once per seed."),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="One instance for each theorem, and all controls: some ten seconds.")
    ] = False,
    jobs: Jobs = 2,
    shard: Annotated[
        str | None, typer.Option(metavar="i/N", help="Evaluate only the i-th of N shares of the instances.")
    ] = None,
    cluster: Cluster = None,
    output: Annotated[
        Path | None,
        typer.Option(help="Directory of the report. Default: results/check; for a part results/check/selected."),
    ] = None,
    module: Module = None,
    allow_code: AllowModule = False,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Your own data: npz with X and y, or X as CSV. Theorems, those that are named or all, are checked on "
            "them wherever they apply: in all settings of start, penalty and loss, or in those of --instance "
            "data/SETTING/SEED."
        ),
    ] = None,
    targets: Annotated[Path | None, typer.Option(help="y as CSV, if --data is CSV.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Compute everything again, ignoring stored results.")] = False,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Check theorems: table, report.html and report.json.

    --json prints the content of report.json.

    Exit code 0 only if every verdict is the expected one and every control fails on its witness; 1 otherwise; 2 for bad
    arguments. On named instances, or in a shard, no verdict may contradict the expected one; some may stay open.
    Results are stored at once, and reused as long as the code they rest on is the same. To resume, give the same
    command again.

    Shards may run on several machines. Put their results/check/instances into one folder: the same command without
    --shard then computes nothing and gives the verdict.
    """
    # Everything heavy is imported late, so that --help answers at once.
    from linreg_mirror.runtime.store import results_directory
    from linreg_mirror.runtime.sweeps import Shard, start_workers

    started = clock.perf_counter()
    if sum(option is not None for option in (instance or None, instances, seeds, quick or None)) > 1:
        raise Refused("--instance, --instances, --seeds and --quick each say what to check on: give one of them")
    if data is not None and quick:
        raise Refused("--data takes the place of the grid that --quick takes one of: leave one of them out")
    if data is not None and instances is not None:
        raise Refused("--data takes the place of the grid that --instances counts: leave one of them out")
    # Named theorems may not be worth the start of a process.
    if quick and not theorems and jobs > 1 and cluster is None:
        start_workers(jobs, _import_what_workers_need)

    from linreg_mirror import claims
    from linreg_mirror.ledger import WHOLE_GRID
    from linreg_mirror.verification import check as check_ledger
    from linreg_mirror.verification import report as reports

    part_of_all = theorems or instance or shard or module or data or quick
    whole = not part_of_all and (instances or WHOLE_GRID) >= WHOLE_GRID
    # A check of a part must not take the place of the report on the whole.
    part = "" if whole else "selected" if not shard else f"shard-{shard.replace('/', '-of-')}"
    base = output or results_directory() / "check"
    # Where the user says, but for shards, which would write all at once.
    directory = base if output and not shard else base / part
    try:
        share, brought = Shard.parse(shard) if shard else None, own(module, allow_code, data, targets)
        with (
            Progress(*COLUMNS, console=console, transient=True, disable=as_json or not console.is_terminal) as bar,
            workers(cluster),
        ):
            line = bar.add_task("instances", total=None)
            findings = check_ledger(
                theorems or (),
                instances=instance or instances,
                seeds=seeds or 1,
                quick=quick,
                jobs=jobs,
                store=store(output),
                fresh=fresh,
                shard=share,
                own=brought,
                progress=lambda task, done, total: bar.update(
                    line, completed=done, total=total, description=task.instance
                ),
            )
            bar.update(line, description="pictures")
            pictures = _pictures(findings) if whole else {}
        grids = math.ceil(instances / WHOLE_GRID) if instances else seeds or 1
        run = {
            "theorems": list(theorems or ()),
            "instances": list(instance or ()),
            "seeds": list(range(grids)),
            "shard": shard,
            "jobs": jobs,
            "seconds": round(clock.perf_counter() - started, 1),
        }
        found = reports.as_json(findings, run)
        paths = reports.write(found, directory, pictures)
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        raise Refused(error) from None
    except KeyboardInterrupt:
        raise interrupted() from None
    if as_json:
        print_json(found)
        raise typer.Exit(0 if found["passed"] else 1)
    console.print(reports.as_table(found))
    console.print(reports.legend(found, papers=verbose), highlight=False)
    for text in reports.as_text(found) if verbose else ():
        console.print(text, highlight=False)
    _print_details(found)
    if whole:
        console.print(f"{claims.summary(found['claims'])}: linreg-mirror claims", highlight=False)
    console.print(reports.summary(found), style="bold green" if found["passed"] else "bold red")
    console.print(f"{', '.join(map(str, paths))}; {run['seconds']} s", highlight=False, soft_wrap=True)
    raise typer.Exit(0 if found["passed"] else 1)


def _import_what_workers_need() -> None:
    import sklearn.linear_model  # noqa: F401

    import linreg_mirror.verification.evaluation  # noqa: F401

    with suppress(ImportError):
        import torch  # noqa: F401


def _pictures(findings: list) -> dict[str, bytes]:
    from linreg_mirror.verification.pictures import draw_all

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
