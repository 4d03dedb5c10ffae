"""The command `falsify`."""

from typing import Annotated

import typer
from rich.progress import Progress

from linreg_mirror.cli._shared import (
    COLUMNS,
    AllowModule,
    AsJson,
    Cluster,
    Jobs,
    Module,
    Refused,
    console,
    interrupted,
    own,
    print_json,
    store,
    workers,
)


def falsify(
    theorems: Annotated[list[str], typer.Argument(help="Ids or beginnings of ids; 'all' for the whole ledger.")],
    seconds: Annotated[
        float | None,
        typer.Option(min=0.001, help="Budget for each theorem. Default: 20, if --evaluations is not given."),
    ] = None,
    evaluations: Annotated[
        int | None,
        typer.Option(min=1, help="Budget in instances. With this one alone, a seed finds the same on every machine."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the search.")] = 0,
    jobs: Jobs = 2,
    cluster: Cluster = None,
    module: Module = None,
    allow_code: AllowModule = False,
    as_json: AsJson = False,
) -> None:
    """Search for instances on which theorems fail: random ones, then neighbours of the worst.

    Prints the worst case found, and the command that repeats it. A search ends with a counterexample, or with its
    budget. Exit code 0 only if misprinted statements are refuted and all others survive; 1 otherwise; 2 for bad
    arguments.
    """
    from linreg_mirror.verification import falsify as search
    from linreg_mirror.verification import select
    from linreg_mirror.verification.outcomes import REPEAT, as_table, as_text, entry_of

    if seconds is None and evaluations is None:
        seconds = 20.0
    outcomes = []
    try:
        brought = own(module, allow_code)
        brought.install()
        chosen = select([] if theorems == ["all"] else theorems)
        with (
            Progress(*COLUMNS, console=console, transient=True, disable=as_json or not console.is_terminal) as bar,
            workers(cluster),
        ):
            for theorem in chosen:
                line = bar.add_task(theorem.id, total=evaluations)
                outcome = search(
                    theorem.id,
                    seconds=seconds,
                    evaluations=evaluations,
                    seed=seed,
                    jobs=jobs,
                    store=store(),
                    own=brought,
                    progress=lambda tried, _, line=line: bar.update(line, completed=tried),
                )
                bar.remove_task(line)
                for text in () if as_json else as_text(outcome):
                    console.print(text, highlight=False, soft_wrap=text.startswith(REPEAT))
                outcomes.append(outcome)
    except (ValueError, OSError, ImportError, RuntimeError) as error:
        raise Refused(error) from None
    except KeyboardInterrupt:
        raise interrupted() from None
    if as_json:
        print_json([entry_of(outcome) for outcome in outcomes])
    elif len(outcomes) > 1:
        console.print(as_table(outcomes))
    raise typer.Exit(0 if all(outcome.as_expected for outcome in outcomes) else 1)
