"""Norms of limits by scale: how they exceed the least ones."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from linreg_mirror.plots.axes import picture
from linreg_mirror.plots.style import line
from linreg_mirror.solvers.limit import Ladder

_LEAST = 1e-10  # excess that is drawn: below, digits of the norms run out


@picture
def excess(limits: Ladder, *, ax: Axes) -> None:
    """Draw how far the norms of limits are above the least ones of all interpolators, by scale.

    Parameters
    ----------
    limits : Ladder
        What `linreg_mirror.ladder` returned.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        With the picture: the scale falls from left to right.

    Raises
    ------
    TypeError
        If `limits` is no ladder, or `ax` is none.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> ax = lm.plots.excess(lm.ladder(lm.Problem([[1, 2]], [2]), lm.Hadamard.at(0.0, d=2)))
    >>> ax.get_ylabel()
    'excess of the norm'
    """
    if not isinstance(limits, Ladder):
        raise TypeError(f"limits must be what lm.ladder(problem, network) returns, got {type(limits).__name__}")
    for k, (values, name) in enumerate(((limits.l1_excess, "$|x|_1$"), (limits.l2_excess, "$|x|_2$"))):
        ax.plot(limits.log_scales / np.log(10), np.maximum(values, _LEAST), label=name, **line(k))
    ax.set(yscale="log", ylabel="excess of the norm")
    ax.legend()
    by_scale(ax, "scale")


def by_scale(ax: Axes, name: str) -> None:
    """Make the x axis one of scales, given by their log10, that falls from left to right.

    Parameters
    ----------
    ax : Axes
        With all lines.
    name : str
        Of the scale.
    """
    ax.set(xlabel=f"{name}, falling to the right")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.xaxis.set_major_formatter(lambda power, _: f"$10^{{{power:.0f}}}$")
    ax.invert_xaxis()
