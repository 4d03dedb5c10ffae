"""Accuracy of networks by the share of weights that is kept."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes

from linreg_mirror.plots.axes import picture
from linreg_mirror.plots.style import looks

_FEW_SEEDS = 4  # below it an interval of Student's t says more of the seeds than of the method
_BESIDE = 8  # curves, up to which neighbours are shifted sideways
_APART = 1.035  # by which, where the axis is logarithmic
_WORTH_IT = 0.4  # of the range of all means: if fewer do, low ones are left below the axis


@picture
def sparsity(comparison: Any, *, ax: Axes) -> None:
    """Draw test accuracy against the share of weights that is kept.

    Parameters
    ----------
    comparison : sequence of dict, path, or mapping of str to Run
        The rows that `networks.training.compare` returned, the JSON file that it wrote, or runs by name, which are
        pruned to their default shares. Of every method of a comparison the best of its settings is drawn.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        With the picture: means, joined, and with fewer than four seeds a point for each, else 95 % intervals. They are
        a little aside, so that methods do not hide each other. The axis shows the methods that work; the legend says
        which go below it, and which diverged.

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
    from linreg_mirror.networks.training.summaries import best, intervals  # imports torch

    rows = _rows(comparison)
    shown = list(best(rows).values())
    means = {label: [row for row in intervals(rows) if row["label"] == label and row["runs"]] for label in shown}
    if not shown:
        raise ValueError("there are no accuracies: give rows of a comparison, its JSON file, or runs by name")
    low = _floor(means)
    for k, (label, look) in enumerate(looks(shown).items()):
        own = sorted(means[label], key=lambda row: row["keep"])
        aside = _APART ** (k - (len(shown) - 1) / 2) if len(shown) <= _BESIDE else 1.0
        shares, heights = [row["keep"] for row in own], [100 * row["accuracy"] for row in own]
        ax.plot(shares, heights, label=_said(label, own, low), **look)
        _draw_spread(ax, rows, own, aside, look)
    _set_axes(ax, {row["keep"] for own in means.values() for row in own}, low)
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)


def _rows(comparison: Any) -> Sequence[dict[str, Any]]:
    """Return the rows of a comparison, of its file, or of runs."""
    if isinstance(comparison, Mapping):
        return [
            {"label": name, "method": name, **record}
            for name, run in comparison.items()
            for record in run.prune(run.shares)
        ]
    if isinstance(comparison, str | Path):
        return json.loads(Path(comparison).read_text(encoding="utf-8"))["rows"]
    return list(comparison)


def _draw_spread(ax: Axes, rows: Sequence[dict], own: Sequence[dict], aside: float, look: Mapping[str, Any]) -> None:
    """Draw the seeds of each mean if they are few, else its interval."""
    from linreg_mirror.networks.training.summaries import compared_accuracy

    for mean in own:
        x = mean["keep"] * aside
        if mean["runs"] >= _FEW_SEEDS:
            ax.errorbar([x], [100 * mean["accuracy"]], [100 * mean["half"]], color=look["color"], capsize=1.5, lw=0.8)
        elif mean["runs"] > 1:
            same = [row for row in rows if (row["label"], row["keep"]) == (mean["label"], mean["keep"])]
            found = [one for one in map(compared_accuracy, same) if one is not None]
            ax.plot([x] * len(found), [100 * one for one in found], ls="none", marker=".", ms=2.5, color=look["color"])


def _floor(means: Mapping[str, Sequence[dict]]) -> float:
    """Return the least accuracy that is shown, in %: of the better half of the methods at each share, if that helps."""
    by_share: dict[float, list[float]] = {}
    for own in means.values():
        for row in own:
            by_share.setdefault(row["keep"], []).append(100 * row["accuracy"])
    if not by_share:
        return 0.0
    everything = [one for found in by_share.values() for one in found]
    least, most = min(everything), max(everything)
    good = min(sorted(found, reverse=True)[(len(found) - 1) // 2] for found in by_share.values())
    if most - good > _WORTH_IT * (most - least):
        good = least
    return max(-2.0, good - 0.08 * max(most - good, 1.0))


def _said(label: str, own: Sequence[dict], low: float) -> str:
    if not own:
        return f"{label} (diverged)"
    return f"{label} (goes below)" if any(100 * row["accuracy"] < low for row in own) else label


def _set_axes(ax: Axes, shares: set[float], low: float) -> None:
    ax.set(xscale="log", xlabel="weights kept in %", ylabel="test accuracy in %")
    high = ax.dataLim.ymax if shares else 100.0
    ax.set_ylim(low, min(high + 0.04 * max(high - low, 1.0), 102.0))
    ax.minorticks_off()
    marked = sorted(shares)
    ax.set_xticks(marked, [f"{100 * share:g}" for share in marked])
    ax.invert_xaxis()
