"""Command line: which pictures, and where they go."""

import argparse
import os
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
from rich.console import Console

from figures import stored, style, tables
from linreg_mirror.runtime.store import Store, results_directory

PICTURES: dict[str, ModuleType] = {
    name: import_module(f"figures.{name}")
    for name in (
        *("flow_and_limit", "potentials", "diagonal_network", "depth", "saddles", "step_size", "recovery", "momentum"),
        *("sketch_error", "data_independence", "after_training", "temperature", "snip_residuals", "layer_densities"),
        *("sparse_training", "sparsity_curves", "gate_costs", "gate_probabilities"),
    )
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m figures",
        description="Draw pictures of the theory as PDF and PNG: from the tables of figures/results where they are "
        "those of today, else from tables that are computed once and kept beside the pictures.",
    )
    parser.add_argument("name", choices=[*PICTURES, "all"], help="which picture")
    parser.add_argument("--fresh", action="store_true", help="compute tables anew, whatever figures/results holds")
    parser.add_argument("--quick", action="store_true", help="tiny tables: only to see that it works")
    parser.add_argument("--stored", action="store_true", help="draw the tables of figures/results, compute nothing")
    parser.add_argument("--store", action="store_true", help="compute tables anew, and put them into figures/results")
    parser.add_argument("--output", type=Path, metavar="DIR", help="default: figures in the folder of results")
    parser.add_argument(
        "--jobs", type=_positive, default=os.cpu_count() or 1, metavar="N", help="processes (default: one a core)"
    )
    options = parser.parse_args(arguments)
    if options.quick + options.stored + options.store > 1 or (options.fresh and options.stored):
        parser.error("--quick, --stored and --store exclude each other, and so do --fresh and --stored: give one")
    folder = options.output or results_directory() / "figures" / ("quick" if options.quick else "")
    try:
        for name in PICTURES if options.name == "all" else [options.name]:
            table = None if options.fresh or options.quick or options.store else _stored(name, strict=options.stored)
            if table is None:
                table = compute(name, folder, quick=options.quick, jobs=options.jobs, fresh=options.fresh)
            paths = draw(name, table, folder)
            if options.store:
                paths.append(stored.write(PICTURES[name], table))
            print(*paths, sep="\n")
    except stored.Stale as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (OSError, RuntimeError) as error:
        print(f"error: {error}: finished results are stored; run the same command again to resume", file=sys.stderr)
        return 2
    return 0


def _stored(name: str, *, strict: bool) -> tables.Table | None:
    """Return the table in figures/results; None, or Stale where it must be there, if it is not that of today."""
    try:
        return stored.read(PICTURES[name])
    except stored.Stale:
        if strict:
            raise
        return None


def compute(name: str, folder: Path, *, quick: bool = False, jobs: int = 1, fresh: bool = False) -> tables.Table:
    """Return the table of a picture, kept beside it in the folder, and read from there unless fresh."""
    console = Console(stderr=True)
    with console.status(name) as status:
        return tables.rows(
            PICTURES[name],
            Store(folder / "tables" / name),
            quick=quick,
            jobs=jobs,
            fresh=fresh,
            progress=lambda done, of: status.update(f"{name}: {done} of {of}"),
        )


def draw(name: str, table: tables.Table, folder: Path) -> list[Path]:
    """Draw a picture into the folder; return the files: PDF, PNG and caption."""
    picture = PICTURES[name]
    with mpl.rc_context(style.RC):
        paths = style.save(picture.draw(table), folder, name, stored.digest(table))
    caption = folder / f"{name}.txt"
    caption.write_text(picture.caption(table) + "\n", encoding="utf-8")
    return [*paths, caption]


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number >= 1 is expected, got {text!r}")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
