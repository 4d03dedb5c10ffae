"""Methods side by side: every run pruned to every sparsity."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from time import sleep
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.table import Table
from scipy import stats

from linreg_mirror.networks.recipes import Comparison, Entry, Recipe
from linreg_mirror.networks.training._train import Diverged, train
from linreg_mirror.networks.training.checkpoints import write_text
from linreg_mirror.networks.training.runs import Record, Run, run_folder
from linreg_mirror.runtime.environment import environment

Row = dict[str, Any]

_PATIENCE = 1.0  # seconds between two looks at whether another process has finished


def compare(
    comparison: Comparison,
    *,
    jobs: int = 1,
    results: Path | None = None,
    data_directory: Path | None = None,
    device: str = "cpu",
    progress: Callable[[int, int, str], None] = lambda done, total, label: None,
) -> list[Row]:
    """Run all that is to be compared. Runs that are finished are read, and settings that occur twice are run once.

    Parameters
    ----------
    comparison : Comparison
        Runs by label, and shares of the weights to keep.
    jobs : int
        Processes, each with one thread.
    results : Path, optional
        Folder of results. Default: `results_directory()`.
    data_directory : Path, optional
        Where datasets are.
    device : str
        Of all runs.
    progress : callable
        Called with (done, total, label) after each run. Waits for runs that another process is training.

    Returns
    -------
    list of dict
        One for each run and share: method, label, seed, keep, accuracy, left (share of the weights that are not zero),
        operations (share of those of the dense network), loss, l1_norm, alpha, decay (A at the end) and log_scale
        (log b, or None). Where training diverged accuracy is None, and the reason is under "error".
    """
    entries: dict[Path, list[Entry]] = {}
    for entry in comparison.entries:
        entries.setdefault(run_folder(entry.recipe, results), []).append(entry)
    rows: list[Row] = []
    parallel: Any = Parallel(n_jobs=jobs, return_as="generator_unordered")
    tasks = (delayed(_run)(folder, same, data_directory, device) for folder, same in entries.items())
    for done, found in enumerate(parallel(tasks), start=1):
        rows += found
        progress(done, len(entries), found[0]["label"])
    order = {label: number for number, label in enumerate(comparison.labels)}
    return sorted(rows, key=lambda row: (order[row["label"]], row["seed"], -row["keep"]))


def _run(folder: Path, entries: Sequence[Entry], data_directory: Path | None, device: str) -> list[Row]:
    """Train once for all entries that have the same recipe."""
    recipe = entries[0].recipe
    shares = list(dict.fromkeys(keep for entry in entries for keep in entry.keep))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        run = _trained(recipe, folder=folder, data_directory=data_directory, device=device)
    except Diverged as error:
        # The whole path means nothing to those who read the table on another machine.
        message = str(error).replace(str(folder), folder.name)
        last, measured = {}, {keep: {"accuracy": None} for keep in shares}
    else:
        last = {name: run.history[-1][name] for name in ("loss", "l1_norm", "alpha", "decay", "log_scale")}
        message, measured = "", {record["keep"]: _measured(record) for record in run.prune(shares)}
    finally:
        torch.set_num_threads(threads)
    return [
        {
            "method": entry.method, "label": entry.label, "seed": recipe.seed, "keep": keep,
            **measured[keep], "error": message, **last,
        }
        for entry in entries
        for keep in entry.keep
    ]  # fmt: skip


def _trained(recipe: Recipe, **options: Any) -> Run:
    """Train, once no other process trains the same run: another comparison may want it, too."""
    while True:
        try:
            return train(recipe, **options)
        except BlockingIOError:
            sleep(_PATIENCE)


def _measured(record: Record) -> Row:
    return {
        "accuracy": record["accuracy"],
        "left": record["nonzero"] / record["weights"],
        "operations": record["flops_kept"] / record["flops"],
    }


def intervals(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield mean accuracy and half the width of its 95 % interval (Student's t over seeds) by label and share.

    Runs that diverged are left out, and counted under "diverged"; a mean over none is NaN, and so is an interval from
    one run.
    """
    for label, keep in dict.fromkeys((row["label"], row["keep"]) for row in rows):
        found = [row["accuracy"] for row in rows if (row["label"], row["keep"]) == (label, keep)]
        good = np.array([one for one in found if one is not None])
        n = len(good)
        yield {
            "label": label,
            "keep": keep,
            "accuracy": float(good.mean()) if n else math.nan,
            "half": float(stats.t.ppf(0.975, n - 1) * good.std(ddof=1) / math.sqrt(n)) if n > 1 else math.nan,
            "runs": n,
            "diverged": len(found) - n,
        }


def best(rows: Sequence[Row]) -> dict[str, str]:
    """Return the label that has the highest mean accuracy over all shares but 1, by method.

    Where a run has diverged that mean is NaN, and such settings are the last to be taken.
    """
    found: dict[str, tuple[float, str]] = {}
    for method, label in dict.fromkeys((row["method"], row["label"]) for row in rows):
        mean = _mean_accuracy([row for row in rows if row["label"] == label])
        rank = mean if math.isfinite(mean) else -math.inf
        if method not in found or rank > found[method][0]:
            found[method] = (rank, label)
    return {method: label for method, (_, label) in found.items()}


def _mean_accuracy(rows: Sequence[Row]) -> float:
    """Return the mean accuracy over all shares but 1 and all seeds; NaN if a run has diverged."""
    found = [row["accuracy"] for row in rows if row["keep"] != 1]
    return math.nan if None in found or not found else float(np.mean(found))


def draw(rows: Sequence[Row], title: str = "") -> Figure:
    """Draw accuracy against the share of weights that are kept: of every method with the best of its settings."""
    table, labels = list(intervals(rows)), list(best(rows).values())
    figure = Figure(figsize=(5, 3 + 0.2 * math.ceil(len(labels) / 2)), layout="constrained")
    axes = figure.subplots()
    for label in labels:
        line = [row for row in table if row["label"] == label and row["runs"]]
        axes.errorbar(
            [row["keep"] for row in line], [row["accuracy"] for row in line],
            [row["half"] if math.isfinite(row["half"]) else 0 for row in line], label=label, marker="o", capsize=2,
        )  # fmt: skip
    axes.set(xlabel="share of weights kept", ylabel="test accuracy", title=title, xscale="log")
    axes.invert_xaxis()
    figure.legend(loc="outside lower center", ncols=2, fontsize="small", frameon=False)
    return figure


def as_table(rows: Sequence[Row]) -> Table:
    """Return means and intervals for the terminal: a row for each label, a column for each share.

    More columns hold the mean over all shares but 1, by which the best row of a method is bold; A at the end, and
    log b where there is a scale; and how many runs have diverged, which do not count, if any have.
    """
    table, chosen = list(intervals(rows)), set(best(rows).values())
    shares = sorted({row["keep"] for row in table}, reverse=True)
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, title="test accuracy in %, by share of weights kept; 95 % interval")
    shown.add_column("method", min_width=20)
    lost = {row["label"]: row["diverged"] for row in table if row["diverged"]}
    for name in (*(f"{share:.1%}" for share in shares), "mean", "A", "log b", *(["diverged"] if lost else [])):
        shown.add_column(name, justify="right", no_wrap=True)
    for label in dict.fromkeys(row["label"] for row in table):
        line = {row["keep"]: row for row in table if row["label"] == label}
        own = [row for row in rows if row["label"] == label]
        mean = _mean_accuracy(own)
        ends = [_mean_of(own, name) for name in ("decay", "log_scale")]
        cells = [_cell(line[share]) if share in line else "" for share in shares]
        shown.add_row(
            label, *cells, f"{100 * mean:.1f}" if math.isfinite(mean) else "",
            *("" if end is None else f"{end:.2f}" for end in ends),
            *([str(lost.get(label, ""))] if lost else []), style="bold" if label in chosen else "",
        )  # fmt: skip
    return shown


def _mean_of(rows: Sequence[Row], name: str) -> float | None:
    """Return the mean of what runs have under this name; None if none has it."""
    found = [row[name] for row in rows if row.get(name) is not None]
    return sum(found) / len(found) if found else None


def _cell(row: Row) -> str:
    half = f" ± {100 * row['half']:.1f}" if math.isfinite(row["half"]) else ""
    return f"{100 * row['accuracy']:.1f}{half}" if row["runs"] else "-"


def write(rows: Sequence[Row], comparison: Comparison, folder: Path, name: str, command: str = "") -> list[Path]:
    """Write NAME.json, with all rows and settings and the command that made them, and NAME.png; return both."""
    content = {
        "command": command,
        "best": best(rows),
        "entries": [asdict(entry) for entry in comparison.entries],
        "rows": list(rows),
        "environment": environment(),
    }
    paths = [folder / f"{name}.json", folder / f"{name}.png"]
    write_text(paths[0], json.dumps(content, indent=1, allow_nan=False) + "\n")
    draw(rows, name).savefig(paths[1], dpi=200)
    return paths
