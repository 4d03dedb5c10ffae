"""How all pictures look: small type, no frames, colours that differ in brightness too."""

import re
from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes

RC: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "figure.titlesize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.axisbelow": True,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "legend.frameon": False,
    "legend.handlelength": 2.6,
    "figure.constrained_layout.h_pad": 0.05,
    "figure.constrained_layout.w_pad": 0.05,
    "pdf.fonttype": 42,
    "savefig.dpi": 200,
}

# Safe for the colour-blind, dark to light: 0, .23, .40, .52 and .67 of white in print without colour.
COLOURS = ("#000000", "#1f3b8c", "#c4451c", "#3aa0a8", "#e8a33d")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)), (0, (3, 1, 1, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v")
_MANY = 8  # curves, above which those of one family have one colour
REFERENCE: dict[str, Any] = {"color": "0.8", "lw": 3.0, "zorder": 0}  # what theory says, behind what was measured


def line(k: int, **more: Any) -> dict[str, Any]:
    """Return colour and dashes of the k-th line of a panel."""
    return {"color": COLOURS[k], "linestyle": DASHES[k]} | more


def points(k: int, **more: Any) -> dict[str, Any]:
    """Return colour and marker of the k-th set of points of a panel; every second is hollow."""
    face = "white" if k % 2 else COLOURS[k]
    return {"color": COLOURS[k], "linestyle": "none", "marker": MARKERS[k], "markerfacecolor": face} | more


def band(panel: Axes, x: Any, low: Any, middle: Any, high: Any, *, alpha: float = 0.25, **look: Any) -> None:
    """Draw the middle of repeated measurements, in a band from low to high."""
    panel.fill_between(x, low, high, color=look["color"], alpha=alpha, lw=0)
    panel.plot(x, middle, **look)


def looks(labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return how each curve is drawn; of many, those whose labels begin with the same word have the same colour.

    Parameters
    ----------
    labels : sequence of str
        Of the curves, in order.
    """
    if len(labels) <= _MANY:
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
