"""Weights over time, of a flow, of descent, or of the path of saddles."""

from typing import Literal

import numpy as np
from matplotlib.axes import Axes

from linreg_mirror._types import Array
from linreg_mirror.plots.axes import picture
from linreg_mirror.plots.style import COLOURS, line
from linreg_mirror.solvers import Trajectory
from linreg_mirror.solvers.saddles import SaddlePath

_SMALL = 1e-3  # of the largest weight at the end: what counts as zero there


@picture
def path(
    run: Trajectory | SaddlePath, *, ax: Axes, time: Literal["log", "linear"] | None = None, unit: float = 1.0
) -> None:
    """Draw the weights of a run over time: the largest at the end in colour, light grey those that are zero there.

    Parameters
    ----------
    run : Trajectory, Descent or SaddlePath
        What `flow`, `descent` or `saddles` returned.
    ax : Axes, optional
        Where to draw. Default: a new figure.
    time : {"log", "linear"}, optional
        The axis. Default: "log" for runs, "linear" for saddles.
    unit : float
        Divides the times of a run; log(1/b)/2 is that of the path of saddles.

    Returns
    -------
    Axes
        With the picture.

    Raises
    ------
    TypeError
        If it is no run, or `ax` is none.
    ValueError
        If the unit is not positive, or there is no such axis.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> problem = lm.Problem([[1, 2]], [2])
    >>> ax = lm.plots.path(lm.flow(problem, lm.Hadamard.from_scale(1e-3, d=2)))
    >>> ax.get_ylabel()
    'weights $x_i$'
    """
    if not isinstance(run, Trajectory | SaddlePath):
        raise TypeError(f"run must be what flow, descent or saddles return, got {type(run).__name__}")
    if not 0 < unit < np.inf:
        raise ValueError(f"unit must be positive, got {unit!r}: write unit=math.log(1 / b) / 2, or leave it out")
    if time not in (None, "log", "linear"):
        raise ValueError(f'time must be "log" or "linear", got {time!r}')
    if isinstance(run, SaddlePath):
        last = float(run.times[-1]) if len(run.times) else 1.0
        t = np.concatenate([[0.0], np.repeat(run.times, 2), [1.15 * last]])
        x, name = np.repeat(run.at(np.append(0.0, run.times)), 2, axis=0), r"time $/\;\log\sqrt{1/b}$"
    else:
        t, x, name = run.t / unit, run.x, "time" if unit == 1 else f"time / {unit:.3g}"
    lines(ax, t, x, x[-1])
    logarithmic = time == "log" or (time is None and not isinstance(run, SaddlePath))
    if logarithmic and (moving := _moving(t, x)) is not None:
        ax.set(xscale="log", xlim=moving)
    ax.set(xlabel=name, ylabel="weights $x_i$")


def lines(ax: Axes, t: Array, x: Array, end: Array) -> None:
    """Draw a line for each weight, those that are not zero at the end last, so that they are seen.

    Parameters
    ----------
    ax : Axes
        Where. The legend, at its right, names the weights that are largest at the end, one for each colour.
    t : array, shape (T,)
        Times or scales.
    x : array, shape (T, d)
        Weights.
    end : array, shape (d,)
        What they end at.
    """
    sizes = np.abs(end)
    order = np.argsort(-sizes, kind="stable")
    large = order[sizes[order] > _SMALL * sizes.max(initial=0.0)]
    for which, colour, width in ((np.setdiff1d(order, large), "0.8", 0.6), (large[len(COLOURS) :], "0.5", 0.8)):
        if len(which):
            ax.plot(t, x[:, which], color=colour, lw=width)
    named = large[: len(COLOURS)]
    for k, i in reversed(list(enumerate(named))):  # the largest on top
        ax.plot(t, x[:, i], label=f"$x_{{{i}}}$", **line(k))
    if len(named):
        handles = ax.get_lines()[-len(named) :][::-1]
        title = "largest" if len(large) > len(named) else None
        ax.legend(handles=handles, title=title, loc="center left", bbox_to_anchor=(1.0, 0.5), borderpad=0.0)


def _moving(t: Array, x: Array) -> tuple[float, float] | None:
    """Return from when to when something is to be seen on a logarithmic axis; None if never."""
    off = [np.abs(x - at).max(axis=1) for at in (x[0], x[-1])]
    if not off[0].any():
        return None
    seen = 1e-3 * max(one.max() for one in off)
    first, last = t[np.argmax(off[0] > seen)], t[len(t) - np.argmax(off[1][::-1] > seen) - 1]
    return float(max(first / 3, t[1] / 2)), float(min(10 * last, t[-1]))
