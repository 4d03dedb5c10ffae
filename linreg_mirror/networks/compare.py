"""Methods side by side: every run pruned to every sparsity."""

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.table import Table
from scipy import stats

from linreg_mirror.doctor import environment
from linreg_mirror.networks.checkpoints import write_text
from linreg_mirror.networks.recipes import Comparison, Recipe
from linreg_mirror.networks.train import Diverged, run_folder, train

Row = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """One run of a comparison."""

    label: str
    recipe: Recipe
    keep: tuple[float, ...]
    results: Path | None
    data_directory: Path | None
    device: str


def compare(
    comparison: Comparison,
    *,
    jobs: int = 1,
    results: Path | None = None,
    data_directory: Path | None = None,
    device: str = "cpu",
    progress: Callable[[int, int, str], None] = lambda done, total, label: None,
) -> list[Row]:
    """Run all that is to be compared; what is finished already is read.

    Parameters
    ----------
    comparison : Comparison
        Recipes by label, and shares of the weights to keep.
    jobs : int
        Processes, each with one thread.
    results : Path, optional
        Folder of results. Default: the usual one.
    data_directory : Path, optional
        Where datasets are.
    device : str
        Of all runs.
    progress : callable
        Called with (done, total, label) after each run.

    Returns
    -------
    list of dict
        One for each run and share: label, seed, keep, accuracy, loss, decay (A at the end), l1_norm; accuracy NaN and
        the reason under "error" where training diverged.
    """
    tasks = [
        Task(label, recipe, comparison.keep, results, data_directory, device)
        for label, recipes in comparison.recipes.items()
        for recipe in recipes
    ]
    rows: list[Row] = []
    parallel: Any = Parallel(n_jobs=jobs, return_as="generator_unordered")
    for done, found in enumerate(parallel(delayed(_run)(task) for task in tasks), start=1):
        rows += found
        progress(done, len(tasks), found[0]["label"])
    order = {label: number for number, label in enumerate(comparison.recipes)}
    return sorted(rows, key=lambda row: (order[row["label"]], row["seed"], -row["keep"]))


def _run(task: Task) -> list[Row]:
    torch.set_num_threads(1)
    common = {"label": task.label, "seed": task.recipe.seed, "error": ""}
    folder, shares = run_folder(task.recipe, task.results), tuple(dict.fromkeys((1.0, *task.keep)))
    try:
        run = train(task.recipe, folder=folder, data_directory=task.data_directory, device=task.device)
    except Diverged as error:
        return [common | {"keep": keep, "accuracy": math.nan, "error": str(error)} for keep in shares]
    last = {name: run.history[-1][name] for name in ("loss", "l1_norm", "alpha", "decay")}
    return [common | last | {"keep": keep, "accuracy": run.pruned(keep)["accuracy"]} for keep in shares]


def intervals(rows: Sequence[Row]) -> Iterator[Row]:
    """Yield mean accuracy and half the width of its 95 % interval (Student's t over seeds) by label and share."""
    for label in dict.fromkeys(row["label"] for row in rows):
        for keep in dict.fromkeys(row["keep"] for row in rows):
            found = np.array([row["accuracy"] for row in rows if row["label"] == label and row["keep"] == keep])
            n = len(found)
            half = stats.t.ppf(0.975, n - 1) * found.std(ddof=1) / math.sqrt(n) if n > 1 else math.nan
            yield {"label": label, "keep": keep, "accuracy": float(found.mean()), "half": float(half), "runs": n}


def draw(rows: Sequence[Row], title: str = "") -> Figure:
    """Draw accuracy against the share of weights that are kept."""
    labels = list(dict.fromkeys(row["label"] for row in rows))
    figure = Figure(figsize=(5, 3 + 0.2 * math.ceil(len(labels) / 2)), layout="constrained")
    axes = figure.subplots()
    table = list(intervals(rows))
    for label in labels:
        line = [row for row in table if row["label"] == label]
        axes.errorbar(
            [row["keep"] for row in line], [row["accuracy"] for row in line],
            [row["half"] if math.isfinite(row["half"]) else 0 for row in line], label=label, marker="o", capsize=2,
        )  # fmt: skip
    axes.set(xlabel="share of weights kept", ylabel="test accuracy", title=title, xscale="log")
    axes.invert_xaxis()
    figure.legend(loc="outside lower center", ncols=2, fontsize="small", frameon=False)
    return figure


def as_table(table: Sequence[Row]) -> Table:
    """Return means and intervals for the terminal: a row for each label, a column for each share."""
    shares = list(dict.fromkeys(row["keep"] for row in table))
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, title="test accuracy in %, by share of weights kept; 95 % interval")
    shown.add_column("method", no_wrap=True)
    for share in shares:
        shown.add_column(f"{share:.1%}", justify="right", no_wrap=True)
    for label in dict.fromkeys(row["label"] for row in table):
        line = {row["keep"]: row for row in table if row["label"] == label}
        shown.add_row(label, *(_cell(line[share]) for share in shares))
    return shown


def _cell(row: Row) -> str:
    half = f" ± {100 * row['half']:.1f}" if math.isfinite(row["half"]) else ""
    return f"{100 * row['accuracy']:.1f}{half}"


def write(rows: Sequence[Row], comparison: Comparison, folder: Path, name: str, command: str = "") -> list[Path]:
    """Write NAME.json, with all rows and settings and the command that made them, and NAME.png; return both."""
    content = {
        "command": command,
        "recipes": {label: [asdict(one) for one in recipes] for label, recipes in comparison.recipes.items()},
        "rows": list(rows),
        "environment": environment(),
    }
    paths = [folder / f"{name}.json", folder / f"{name}.png"]
    write_text(paths[0], json.dumps(content, indent=1) + "\n")
    draw(rows, name).savefig(paths[1], dpi=200)
    return paths
