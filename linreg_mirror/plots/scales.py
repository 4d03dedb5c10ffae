"""Norms of limits by scale: how they exceed the least ones."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from linreg_mirror._types import Array
from linreg_mirror.plots.axes import picture
from linreg_mirror.plots.style import COLOURS, line
from linreg_mirror.solvers.limit import Ladder

_LEAST = 1e-10  # excess that is drawn: below, digits of the norms run out


@picture
def excess(limits: Ladder | Mapping[str, Ladder], *, ax: Axes) -> None:
    """Draw how far the norms of limits are above the least ones of all interpolators, by scale.

    Parameters
    ----------
    limits : Ladder, or mapping of str to Ladder
        What `linreg_mirror.ladder` returned, or several of these by name, each in a colour of its own.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        With the picture: the scale falls from left to right. Open triangles at the lower edge stand for excess below
        1e-10. Where depths differ, the scale is that of weights: b of x = m*w, 2 alpha^D of
        p^D - q^D, which is the same number at depth 2.

    Raises
    ------
    TypeError
        If `limits` has something else than ladders, or `ax` is none.
    ValueError
        If there is no ladder, or are more than colours.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> problem = lm.Problem([[1, 2]], [2])
    >>> depth_2, depth_3 = (lm.ladder(problem, lm.Power.from_scale(1.0, depth=D, d=2)) for D in (2, 3))
    >>> ax = lm.plots.excess({"depth 2": depth_2, "depth 3": depth_3})
    >>> ax.get_ylabel()
    'excess of the norm'
    """
    ladders = dict(limits) if isinstance(limits, Mapping) else {"": limits}
    for one in ladders.values():
        if not isinstance(one, Ladder):
            raise TypeError(
                f"limits must be what lm.ladder(problem, network) returns, or several by name, got {type(one).__name__}"
            )
    if not 0 < len(ladders) <= len(COLOURS):
        raise ValueError(f"limits must be 1 to {len(COLOURS)} ladders, got {len(ladders)}")
    common = len({one.depth for one in ladders.values()}) > 1
    below = False
    ax.set(yscale="log", ylabel="excess of the norm")
    for k, (name, one) in enumerate(ladders.items()):
        at = one.log_weight_scales if common else one.log_scales
        for j, (values, norm) in enumerate(((one.l1_excess, "$|x|_1$"), (one.l2_excess, "$|x|_2$"))):
            look = line(j, color=COLOURS[k]) if name else line(j)
            label = f"{name}, {norm}" if name else norm
            low = values < _LEAST
            ax.plot(at / np.log(10), np.where(low, np.nan, values), label=label, **look)
            _mark_below(ax, at[low] / np.log(10), look["color"])
            below = below or bool(low.any())
    if below:
        ax.plot([], [], "v", color="0.3", markerfacecolor="white", label=f"below {_LEAST:.0e}")
        ax.set_ylim(bottom=_LEAST)
    ax.legend()
    alone = "scale b" if next(iter(ladders.values())).depth is None else r"scale $\alpha$"
    by_scale(ax, r"scale b, or $2\alpha^D$" if common else alone)


def _mark_below(ax: Axes, at: Array, colour: str) -> None:
    """Draw open triangles at the lower edge, for values that are below it."""
    ax.plot(at, np.full(at.shape, _LEAST), "v", color=colour, markerfacecolor="white", clip_on=False)


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
    ax.xaxis.set_inverted(True)  # however often something is drawn on these axes
