"""Accuracy of networks by the share of weights that is kept."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from linreg_mirror.plots.axes import picture
from linreg_mirror.plots.style import COLOURS, DASHES, points


@picture
def sparsity(comparison: Any, *, ax: Axes) -> None:
    """Draw test accuracy against the share of weights that is kept.

    Parameters
    ----------
    comparison : sequence of dict, path, or mapping of str to Run
        The rows that `networks.training.compare` returned, the JSON file that it wrote, or runs by name, which are
        pruned to their default shares. Of every method of a comparison the best of its settings is drawn, with 95 %
        intervals over seeds.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        With the picture.

    Raises
    ------
    ValueError
        If there is nothing to draw.
    OSError
        If the file cannot be read.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> rows = [{"label": "L1", "method": "l1", "keep": keep, "accuracy": 0.9 * keep} for keep in (0.5, 0.1)]
    >>> lm.plots.sparsity(rows).get_ylabel()
    'test accuracy in %'
    """
    curves = _curves(comparison)
    if not any(curves.values()):
        raise ValueError("there are no accuracies: give rows of a comparison, its JSON file, or runs by name")
    for k, (name, found) in enumerate(curves.items()):
        look = points(k % len(COLOURS)) | {"linestyle": DASHES[(k + k // len(COLOURS)) % len(DASHES)]}
        shares, means, halves = zip(*found, strict=True) if found else ((), (), ())
        bars = [100 * half if half == half else 0.0 for half in halves]  # NaN of one seed
        ax.errorbar(
            shares,
            [100 * mean for mean in means],
            bars,
            label=name if found else f"{name} (diverged)",
            capsize=1.5,
            **look,
        )
    marked = sorted({share for found in curves.values() for share, *_ in found})
    ax.set(xscale="log", xlabel="weights kept in %", ylabel="test accuracy in %")
    low, high = ax.get_ylim()  # an interval of few seeds may reach beyond what an accuracy can be
    ax.set_ylim(max(low, -2.0), min(high, 102.0))
    ax.minorticks_off()
    ax.set_xticks(marked, [f"{100 * share:g}" for share in marked])
    ax.invert_xaxis()
    ax.legend(loc="lower left")


def _curves(comparison: Any) -> dict[str, list[tuple[float, float, float]]]:
    """Return share, mean accuracy and half an interval of each point, by what is drawn as one line."""
    from linreg_mirror.networks.training import best, intervals  # imports torch

    if isinstance(comparison, Mapping):
        rows: Sequence[dict[str, Any]] = [
            {"label": name, "method": name, **record}
            for name, run in comparison.items()
            for record in run.prune(run.shares)
        ]
    elif isinstance(comparison, str | Path):
        rows = json.loads(Path(comparison).read_text(encoding="utf-8"))["rows"]
    else:
        rows = list(comparison)
    shown = list(best(rows).values())
    found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in shown}
    for row in intervals(rows):
        if row["label"] in found and row["runs"]:
            found[row["label"]].append((row["keep"], row["accuracy"], row["half"]))
    return {name: sorted(points) for name, points in found.items()}
