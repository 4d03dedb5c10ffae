"""Where a picture is drawn: on the axes that are given, or on new ones."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes

from linreg_mirror.plots.style import RC

_SIZE = (6.4, 4.0)  # inches


def picture(draw: Callable[..., None]) -> Callable[..., Axes]:
    """Make of a function that draws on `ax` one that returns it, and makes new axes where none are given.

    Parameters
    ----------
    draw : callable
        (..., ax=Axes) -> None. It runs in this package's style.

    Returns
    -------
    callable
        (..., ax=None) -> Axes, with the name and the text of `draw`.

    Raises
    ------
    TypeError
        From the callable, if `ax` is given and no Axes.
    """

    @wraps(draw)
    def drawn(*arguments: Any, ax: Axes | None = None, **options: Any) -> Axes:
        if ax is not None and not isinstance(ax, Axes):
            raise TypeError(f"ax must be Matplotlib's Axes, got {type(ax).__name__}: write figure, ax = plt.subplots()")
        figure = None
        if ax is None:
            import matplotlib.pyplot as plt  # looks for a screen: not before it has to

            # Outside of the style, at whose end a notebook's backend would forget that it is interactive.
            figure = plt.figure(figsize=_SIZE, layout="constrained")
        with mpl.rc_context(RC):
            panel = figure.add_subplot() if figure else ax
            assert panel is not None
            draw(*arguments, ax=panel, **options)
        return panel

    return drawn
