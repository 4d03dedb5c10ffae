"""The commands `train` and `compare`."""

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress

from linreg_mirror._tools.tables import table
from linreg_mirror.cli._shared import COLUMNS, AsJson, Jobs, Refused, Verbose, console, interrupted, print_json

if TYPE_CHECKING:
    from linreg_mirror.networks.training import Run

_Recipe = Annotated[str, typer.Argument(help="A recipe of the package, such as pilot-digits, or a TOML file.")]
_Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, such as epochs=20 or method.alpha=1e-3."),
]
_Data = Annotated[Path | None, typer.Option("--data-dir", help="Directory of data sets that come with no package.")]
_AllowCode = Annotated[
    bool,
    typer.Option("--allow-code", help="Run the code that the TOML file names as module:factory. Look at it first."),
]
_Device = Annotated[str, typer.Option(help="Where to train, such as cpu or cuda.")]


def train(
    recipe: _Recipe,
    changes: _Changes = None,
    data_directory: _Data = None,
    device: _Device = "cpu",
    allow_code: _AllowCode = False,
    keep: Annotated[
        list[float] | None,
        typer.Option(
            help="Share of weights to keep at the end; may be repeated. Default: 1 to 0.005; for cycles, theirs."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder of the run. Default: in results/runs/, named after recipe and settings.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a network, then prune it, and draw its curve, training.png in the folder of the run.

    An interrupted run resumes after its last epoch; a finished run is only shown. Exit code 1 if training diverges, 2
    for bad arguments.
    """
    try:
        from linreg_mirror.networks import recipes
        from linreg_mirror.networks.training import run_folder
        from linreg_mirror.networks.training import train as run

        settings = recipes.read(recipe, changes or (), allow_code=allow_code)
        for share in keep or ():
            recipes.check_keep(share, "--keep")
        # Of the processes of torchrun, the first one speaks.
        silent = as_json or os.environ.get("RANK", "0") != "0"
        with Progress(*COLUMNS, console=console, transient=True, disable=silent or not console.is_terminal) as bar:
            cycles = settings.iterative.cycles if settings.iterative else 1
            line = bar.add_task(recipe, total=cycles * settings.epochs)

            def told(record: dict[str, Any]) -> None:
                completed = record.get("cycle", 0) * settings.epochs + record["epoch"]
                bar.update(line, completed=completed, description=_described(record))
                if not (console.is_terminal or as_json):  # where a bar is not seen
                    _print(f"epoch {completed} of {cycles * settings.epochs}: {_described(record)}")

            folder = output or run_folder(settings, name=Path(recipe).stem)
            done = run(settings, folder=folder, data_directory=data_directory, device=device, progress=told)
        if done.leads:
            _finish(done, keep or done.shares, as_json)
    except ArithmeticError as error:
        console.print(f"diverged: {error}", style="bold red", highlight=False, soft_wrap=True, markup=False)
        raise typer.Exit(1) from None
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise Refused(_explained(error, recipe, changes, allow_code)) from None
    except KeyboardInterrupt:
        raise interrupted() from None


def _explained(error: Exception, recipe: str, changes: list[str] | None, allow_code: bool) -> Exception:
    """Return the error with where its value comes from, if the user did not set it."""
    try:
        from linreg_mirror.networks.recipes import with_origin
    except ImportError:  # without torch the error is that
        return error
    return with_origin(error, recipe, changes or (), allow_code=allow_code)


def _print(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)


def _described(record: dict[str, Any]) -> str:
    return (
        f"loss {record['loss']:.3f}, accuracy {record['accuracy']:.1%} ({record['test_accuracy']:.1%} in the test), "
        f"|x|_1 {record['l1_norm']:.4g}, near zero {record['near_zero']:.0%}, alpha {record['alpha']:.2g}"
    )


def _finish(run: "Run", shares: list[float], as_json: bool) -> None:
    """Prune, draw and show a run."""
    from linreg_mirror.networks.training import save_curve

    records = run.prune(shares)
    picture = save_curve(run)
    if as_json:
        print_json({"folder": str(run.folder), "picture": str(picture), "history": run.history, "pruned": records})
    else:
        _show(run, records)


def _show(run: "Run", records: list[dict[str, Any]]) -> None:
    columns = ["kept", "allowed", "not zero", "of", "layers lost", "operations", "test accuracy"]
    more = [name for name in ("recalibrated", "finetuned") if any(pruned[name] is not None for pruned in records)]
    columns += more
    shown = table(*columns, numbers=columns, dropped=("of", "layers lost", "operations"))
    for pruned in records:
        kept = pruned["kept"].values()
        shown.add_row(
            f"{pruned['keep']:.1%}", f"{sum(kept):,}", f"{pruned['nonzero']:,}", f"{pruned['weights']:,}",
            str(sum(not one for one in kept)), f"{pruned['flops_kept'] / pruned['flops']:.1%}",
            f"{pruned['accuracy']:.2%}",
            *("" if pruned[name] is None else f"{pruned[name]:.2%}" for name in more),
        )  # fmt: skip
    console.print(shown)
    last = run.history[-1]
    scale = "" if last["log_scale"] is None else f", scale b = exp({last['log_scale']:.3g})"
    console.print(f"{_described(last)}; decay A = {last['decay']:.3g}{scale}", highlight=False, markup=False)
    _print(f"{run.folder}, with the curve in training.png")


def compare(
    recipe: _Recipe,
    changes: _Changes = None,
    data_directory: _Data = None,
    device: _Device = "cpu",
    allow_code: _AllowCode = False,
    methods: Annotated[
        list[str] | None,
        typer.Option(metavar="LABEL", help="Method of the recipe to compare; may be repeated. Default: all."),
    ] = None,
    keep: Annotated[
        list[float] | None, typer.Option(help="Share of weights to keep; may be repeated. Default: the recipe's.")
    ] = None,
    seeds: Annotated[list[int] | None, typer.Option(help="Seed; may be repeated. Default: the recipe's.")] = None,
    jobs: Jobs = 2,
    output: Annotated[Path | None, typer.Option(help="Folder of table and picture. Default: results/compare.")] = None,
    verbose: Verbose = False,
    as_json: AsJson = False,
) -> None:
    """Train by several methods and seeds, prune each run to every sparsity, and draw accuracy against sparsity.

    The recipe needs a table `compare`. Finished runs are not trained again, be they in results/runs or in the table of
    an earlier comparison, which is written anew after each run.
    """
    try:
        from linreg_mirror.networks import recipes
        from linreg_mirror.networks.training import as_lines, as_table, read_rows, write, write_rows
        from linreg_mirror.networks.training import compare as run_all
        from linreg_mirror.runtime.store import key, results_directory

        for share in keep or ():
            recipes.check_keep(share, "--keep")
        given = [f"compare.keep={keep}"] * bool(keep) + [f"compare.seeds={seeds}"] * bool(seeds)
        changes = [*(changes or ()), *given]
        comparison = recipes.read_comparison(recipe, changes, allow_code=allow_code, methods=methods or ())
        command = shlex.join(
            [
                *("linreg-mirror", "compare", Path(recipe).name, *["--allow-code"] * allow_code),
                *(f"--methods={label}" for label in methods or ()),
                *(f"--set={change}" for change in changes),
            ]
        )
        # What is compared with other settings than the recipe's does not take the place of that.
        differing = {"changes": changes} | ({"methods": methods} if methods else {})
        name = "-".join([Path(recipe).stem, *([key(differing)[:8]] if changes or methods else [])])
        folder = output or results_directory() / "compare"
        path = folder / f"{name}.json"
        with Progress(*COLUMNS, console=console, transient=True, disable=as_json or not console.is_terminal) as bar:
            line = bar.add_task(recipe, total=None)

            def told(done: int, total: int, label: str) -> None:
                bar.update(line, completed=done, total=total, description=label)
                if not (console.is_terminal or as_json):
                    _print(f"run {done} of {total}: {label}")

            rows = run_all(
                comparison,
                jobs=jobs,
                data_directory=data_directory,
                device=device,
                progress=told,
                stored=read_rows(path),
                save=lambda rows: write_rows(rows, comparison, path, command),
            )
        paths = write(rows, comparison, folder, name, command, Path(recipe).stem)
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise Refused(_explained(error, recipe, changes, allow_code)) from None
    except KeyboardInterrupt:
        raise interrupted() from None
    if as_json:
        print_json(rows)
        return
    console.print(as_table(rows))
    for text in as_lines(rows) if verbose else ():
        console.print(text, highlight=False, markup=False)
    console.print(", ".join(map(str, paths)), highlight=False, soft_wrap=True, markup=False)
