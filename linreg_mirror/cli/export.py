"""The command `export`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from linreg_mirror._tools.tables import table
from linreg_mirror.cli._shared import AsJson, Refused, console, print_json
from linreg_mirror.runtime.files import explaining


def export(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run, such as results/runs/pilot-digits-mlp-....")],
    form: Annotated[
        str, typer.Option("--format", help="safetensors (all numbers), csr (compressed sparse rows) or onnx.")
    ] = "safetensors",
    keep: Annotated[
        str | None, typer.Option(help="Share of the weights to keep, or 2:4. Default: as the run has ended.")
    ] = None,
    output: Annotated[Path | None, typer.Option(help="The file. Default: export-KEEP in the run's folder.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Examples in a pass whose time is measured.")] = 1,
    allow_code: Annotated[
        bool, typer.Option("--allow-code", help="Run the code that the run's model is. Look at it first.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the network of a finished run, and say what its sparsity gains: sizes on disk, time of a pass here."""
    try:
        from linreg_mirror.networks import export as exports

        finished = exports.read_run(run, allow_code=allow_code)
        if keep is not None:
            finished.prune(keep if ":" in keep else _share(keep))
        ending = {"csr": "csr.safetensors"}.get(form, form)
        name = f"export-{(keep or 'whole').replace(':', '-of-')}.{ending}"
        path = output or run / name
        with explaining("export a network", path, "name another file by --output"):
            exports.export(finished.model, path, form)
        sizes = exports.sizes_of(finished.model)
        latency = exports.latency_of(finished.model, batch=batch)
    except (ValueError, TypeError, OSError, ImportError) as error:
        raise Refused(error) from None
    if as_json:
        print_json(
            {"file": str(path), "bytes": sizes._asdict(), "seconds": asdict(latency), "verdict": latency.verdict}
        )
        return
    shown = table("", "bytes", "ms a pass", numbers=("bytes", "ms a pass"))
    rows = (
        ("dense", sizes.dense, latency.dense),
        ("compressed", sizes.compressed, None),
        ("sparse rows", sizes.csr, latency.csr),
        ("without empty channels", None, latency.extracted),
    )
    for label, size, seconds in rows:
        shown.add_row(label, "" if size is None else f"{size:,}", "" if seconds is None else f"{1e3 * seconds:.3g}")
    console.print(shown)
    console.print(f"{latency.verdict}\nwritten: {path}", highlight=False, soft_wrap=True, markup=False, emoji=False)


def _share(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"--keep is a share in [0, 1], or n:m such as 2:4, got {text!r}") from None
