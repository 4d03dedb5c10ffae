"""What commands have in common: the console, errors, options, where results are stored."""

import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

if TYPE_CHECKING:
    from linreg_mirror.runtime.store import Store
    from linreg_mirror.verification.own import Own

console = Console()
if not console.is_terminal:
    console.width = 10_000  # a pipe has no width: nothing is wrapped, so that a row can be searched and cut


class Refused(typer.Exit):
    """Ends the command with a message and exit code 2."""

    def __init__(self, message: object) -> None:
        if isinstance(message, OSError) and message.filename is not None:  # Python puts a number before it
            missing = isinstance(message, FileNotFoundError)
            message = f"there is no file {message.filename}" if missing else f"{message.filename}: {message.strerror}"
        Console(stderr=True).print(
            f"[bold red]error:[/] {escape(str(message))}", highlight=False, soft_wrap=True, emoji=False
        )
        super().__init__(code=2)


Jobs = Annotated[int, typer.Option(min=1, help="Processes.")]
Cluster = Annotated[
    str | None,
    typer.Option(metavar="ADDRESS", help="Dask scheduler whose workers compute instead, such as tcp://host:8786."),
]
Module = Annotated[
    list[Path] | None,
    typer.Option(metavar="FILE.py", help="A file with theorems of your own; may be repeated. Needs --allow-code."),
]
AllowModule = Annotated[bool, typer.Option("--allow-code", help="Run the code of --module. Look at it first.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print what the table has no room for, too.")]
COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())


def print_json(content: object) -> None:
    """Print JSON, not by the console, which would break and colour the lines."""
    typer.echo(json.dumps(content, indent=1))


def store(output: Path | None = None) -> "Store":
    from linreg_mirror.runtime.store import Store, results_directory

    return Store((output or results_directory() / "check") / "instances")


def own(modules: list[Path] | None, allow_code: bool, data: Path | None = None, targets: Path | None = None) -> "Own":
    """Return what the user brings: theorems, data."""
    from linreg_mirror.problems import from_file
    from linreg_mirror.verification.own import Own, OwnData, TheoremFile

    if modules and not allow_code:
        raise ValueError(f"{modules[0]} is code that would run: look at it, and if you trust it write --allow-code")
    if targets is not None and data is None:
        raise ValueError("--targets holds y for the X of --data: give both")
    words = [word for path in modules or () for word in ("--module", str(path))]
    words += ["--allow-code"] if modules else []
    words += ["--data", str(data)] if data else []
    words += ["--targets", str(targets)] if targets else []
    return Own(
        tuple(TheoremFile.read(path) for path in modules or ()),
        OwnData(from_file(data, targets)) if data else None,
        tuple(words),
    )


def workers(address: str | None) -> AbstractContextManager[None]:
    from linreg_mirror.runtime.sweeps import cluster

    return cluster(address) if address else nullcontext()


def interrupted() -> typer.Exit:
    message = "interrupted: finished results are stored; run the same command again to resume"
    Console(stderr=True).print(message, soft_wrap=True)
    return typer.Exit(130)
