"""The picture of a comparison, beside its other files."""

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.figure import Figure

from linreg_mirror.networks.training.summaries import Row, best
from linreg_mirror.plots import sparsity
from linreg_mirror.plots.style import RC


def draw(rows: Sequence[Row], title: str = "") -> Figure:
    """Draw `linreg_mirror.plots.sparsity` in a figure of its own, with room for the legend."""
    with mpl.rc_context(RC):
        figure = Figure(figsize=(5, 3.3 + 0.15 * -(-len(best(rows)) // 2)), layout="constrained")
        sparsity(rows, ax=figure.subplots()).set_title(title)
    return figure
