"""Methods side by side: every run pruned to every sparsity."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import sleep
from typing import Any

import torch
from joblib import Parallel, delayed

from linreg_mirror.networks._tools.arguments import names_code
from linreg_mirror.networks.recipes import Comparison, Entry, Recipe
from linreg_mirror.networks.training._train import Diverged, train
from linreg_mirror.networks.training.entries import check_entries
from linreg_mirror.networks.training.runs import Record, Run, run_folder
from linreg_mirror.networks.training.summaries import Row

_PATIENCE = 1.0  # seconds between two looks at whether another process has finished


def compare(
    comparison: Comparison,
    *,
    jobs: int = 1,
    results: Path | None = None,
    data_directory: Path | None = None,
    device: str = "cpu",
    progress: Callable[[int, int, str], None] = lambda done, total, label: None,
    stored: Sequence[Row] = (),
    save: Callable[[list[Row]], None] = lambda rows: None,
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
    stored : sequence of dict
        Rows that were found before. Runs that have all of theirs among them are not made again, wherever their folders
        are; but those on data of a folder, or of a model from outside the package, which can have changed.
    save : callable
        Called after each run with all rows that are known so far.

    Returns
    -------
    list of dict
        One for each run and share: run (the name of its folder, and so of its settings), method, label, seed, keep,
        accuracy, with statistics of batch norm as training left them, recalibrated (accuracy once they are measured
        anew; None without batch norm), finetuned (after the recipe's `finetune`, if it has one), left (share of the
        weights that are not zero), operations (share of those of the dense network), loss, l1_norm, alpha, decay (A at
        the end) and log_scale (log b, or None). Where training diverged accuracy is None, and the reason is under
        "error".

    Raises
    ------
    ValueError, TypeError
        If data, model or method of a run cannot be made: before the first is trained.

    Warns
    -----
    UserWarning
        What runs warn of, each of it once.
    """
    check_entries(comparison)
    order = {label: number for number, label in enumerate(comparison.labels)}
    known = {(row.get("run"), row["label"], row["keep"]): row for row in stored}
    rows: list[Row] = []
    entries: dict[Path, list[Entry]] = {}
    for entry in comparison.entries:
        folder = run_folder(entry.recipe, results)
        found = [known.get((folder.name, entry.label, keep)) for keep in entry.keep]
        if all(found) and _named_within(entry.recipe):
            rows += [row for row in found if row]
        else:
            entries.setdefault(folder, []).append(entry)
    parallel: Any = Parallel(n_jobs=jobs, return_as="generator_unordered")
    tasks = (delayed(_run)(folder, same, data_directory, device) for folder, same in entries.items())
    said: set[tuple[str, type[Warning]]] = set()
    for done, (found, told) in enumerate(parallel(tasks), start=1):
        for text, category in told:
            if (text, category) not in said:
                warnings.warn(text, category, stacklevel=2)
        said.update(told)
        rows += found
        save(_sorted(rows, order))
        progress(done, len(entries), found[0]["label"])
    return _sorted(rows, order)


def _named_within(recipe: Recipe) -> bool:
    """Return whether data and model are those of the package, so that their names say what they are."""
    names = (recipe.model["name"], str(recipe.data.get("model", "")))
    return recipe.data["name"] != "folder" and not any(map(names_code, names))


def _sorted(rows: Sequence[Row], order: Mapping[str, int]) -> list[Row]:
    return sorted(rows, key=lambda row: (order[row["label"]], row["seed"], -row["keep"]))


def _run(folder: Path, *arguments: Any) -> tuple[list[Row], list[tuple[str, type[Warning]]]]:
    """Return the rows of a run, and its warnings: most runs of a comparison have the same."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        rows = _rows(folder, *arguments)
    return rows, list(dict.fromkeys((str(one.message), one.category) for one in caught))


def _rows(folder: Path, entries: Sequence[Entry], data_directory: Path | None, device: str) -> list[Row]:
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
        last, measured = {}, {keep: {"accuracy": None, "recalibrated": None, "finetuned": None} for keep in shares}
    else:
        last = {name: run.history[-1][name] for name in ("loss", "l1_norm", "alpha", "decay", "log_scale")}
        message, measured = "", {record["keep"]: _measured(record) for record in run.prune(shares)}
    finally:
        torch.set_num_threads(threads)
    return [
        {
            "run": folder.name, "method": entry.method, "label": entry.label, "seed": recipe.seed, "keep": keep,
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
        "recalibrated": record["recalibrated"],
        "finetuned": record["finetuned"],
        "left": record["nonzero"] / record["weights"],
        "operations": record["flops_kept"] / record["flops"],
    }
