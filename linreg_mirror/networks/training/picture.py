"""The picture of a comparison: accuracy against the share of weights that is kept, so that differences can be seen."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linreg_mirror.networks.training.summaries import Row, best, compared_accuracy, intervals
from linreg_mirror.plots.style import COLOURS, DASHES, MARKERS, RC

_FEW_SEEDS = 4  # below it an interval of Student's t says more of the seeds than of the method
_MANY_CURVES = 8  # above it curves of one family have one colour
_APART = 1.035  # by which neighbouring curves are shifted sideways, where the axis is logarithmic
_WORTH_IT = 0.4  # of the range of all means: if fewer do, low ones are left below the axis


def draw(rows: Sequence[Row], title: str = "") -> Figure:
    """Draw accuracy against the share of weights that are kept: of every method with the best of its settings.

    Means are joined. With fewer than four seeds each is a point, else there are 95 % intervals; both are a
    little aside, so that methods do not hide each other. The axis shows the methods that work;
    the legend says which go below it.
    """
    shown = list(best(rows).values())
    means = {label: [row for row in intervals(rows) if row["label"] == label and row["runs"]] for label in shown}
    low = _floor(means)
    with mpl.rc_context(RC):
        figure = Figure(figsize=(5, 3.3 + 0.15 * -(-len(shown) // 2)), layout="constrained")
        ax = figure.subplots()
        for k, (label, look) in enumerate(_looks(shown).items()):
            own = sorted(means[label], key=lambda row: row["keep"])
            aside = _APART ** (k - (len(shown) - 1) / 2) if len(shown) <= _MANY_CURVES else 1.0
            ax.plot(
                [row["keep"] for row in own],
                [100 * row["accuracy"] for row in own],
                label=_said(label, own, low),
                **look,
            )
            _draw_spread(ax, rows, own, aside, look)
        _set_axes(ax, {row["keep"] for own in means.values() for row in own}, low)
        ax.set_title(title)
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=2)
    return figure


def _looks(labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return how each curve is drawn; of many, those whose labels begin with the same word have the same colour."""
    if len(labels) <= _MANY_CURVES:
        return {
            label: {
                "color": COLOURS[k % len(COLOURS)],
                "linestyle": DASHES[(k + k // len(COLOURS)) % len(DASHES)],
                "marker": MARKERS[k % len(MARKERS)],
            }
            for k, label in enumerate(labels)
        }
    families: dict[str, list[str]] = {}
    for label in labels:
        families.setdefault(re.split(r"[ ,]", label)[0], []).append(label)
    colours = [mpl.colormaps["turbo"](x) for x in np.linspace(0.05, 0.95, len(families))]
    return {
        label: {"color": colour, "linestyle": DASHES[k % len(DASHES)], "marker": MARKERS[k % len(MARKERS)]}
        for colour, members in zip(colours, families.values(), strict=True)
        for k, label in enumerate(members)
    }


def _draw_spread(ax: Axes, rows: Sequence[Row], own: Sequence[Row], aside: float, look: Mapping[str, Any]) -> None:
    """Draw the seeds of each mean if they are few, else its interval."""
    for mean in own:
        x = mean["keep"] * aside
        if mean["runs"] >= _FEW_SEEDS:
            ax.errorbar([x], [100 * mean["accuracy"]], [100 * mean["half"]], color=look["color"], capsize=1.5, lw=0.8)
        elif mean["runs"] > 1:
            same = [row for row in rows if (row["label"], row["keep"]) == (mean["label"], mean["keep"])]
            found = [one for one in map(compared_accuracy, same) if one is not None]
            ax.plot([x] * len(found), [100 * one for one in found], ls="none", marker=".", ms=2.5, color=look["color"])


def _floor(means: Mapping[str, Sequence[Row]]) -> float:
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


def _said(label: str, own: Sequence[Row], low: float) -> str:
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
