"""Names at the ends of lines: apart from each other, each joined to its line."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from linreg_mirror._types import Array

_POINTS = 7.0  # height of the letters
_APART = 1.25  # of that height: from one name to the next
_LONGEST = 24  # letters of a name
_BESIDE = 1.05  # where names begin, in widths of the axes


def at_right_end(ax: Axes, values: Array, names: Sequence[str], looks: Sequence[dict]) -> None:
    """Write a name beside the right end of each line, as near to it as the others allow, with a leader between.

    Parameters
    ----------
    ax : Axes
        With the lines, which reach its right edge, and its limits.
    values : array, shape (k,)
        Where the lines end. The larger one is in absolute value, the less its name gives way.
    names : sequence of str, length k
        Of the lines; long ones are written without their middle.
    looks : sequence of dict, length k
        Colour and dashes of the lines, which leaders have, too.
    """
    low, high = ax.get_ylim()
    # The layout comes later, and may change the height a little: only the distance between names rests on it.
    height = ax.get_window_extent().height * 72 / ax.figure.dpi
    gap = _APART * _POINTS / height * (high - low)
    places = _apart(values, np.abs(values), gap, low, high)
    for value, place, name, look in zip(values, places, names, looks, strict=True):
        ax.annotate(
            _shortened(str(name)), (1.0, value), (_BESIDE, place), ax.get_yaxis_transform(), ax.get_yaxis_transform(),
            {"arrowstyle": "-", "lw": 0.8, "shrinkA": 0, "shrinkB": 0, "relpos": (0, 0.5)} | look,
            annotation_clip=False, va="center", fontsize=_POINTS, parse_math=False,
        )  # fmt: skip


def _apart(wanted: Array, weights: Array, gap: float, low: float, high: float) -> Array:
    """Return places within limits, `gap` apart, with the least sum of weighted squared distances to those wanted."""
    from scipy.optimize import isotonic_regression

    order, steps = np.argsort(wanted, kind="stable"), gap * np.arange(len(wanted))
    if not len(wanted):
        return np.zeros(0)
    free = isotonic_regression(wanted[order] - steps, weights=np.maximum(weights[order], 1e-9 * weights.max())).x
    found = np.empty(len(wanted))
    found[order] = np.clip(free, low, max(low, high - steps[-1])) + steps
    return found


def _shortened(name: str) -> str:
    half = _LONGEST // 2
    return name if len(name) <= _LONGEST else f"{name[: half - 1]}…{name[-half:]}"
