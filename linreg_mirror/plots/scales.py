"""Limits by scale: how their norms exceed the least ones, and their weights."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from linreg_mirror._types import Array
from linreg_mirror.parametrizations import Parametrization
from linreg_mirror.plots.axes import picture
from linreg_mirror.plots.paths import lines
from linreg_mirror.plots.style import line
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.limit import Ladder
from linreg_mirror.solvers.limit import ladder as solve

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
    _by_scale(ax)


@picture
def ladder(
    problem: Problem,
    network: Parametrization,
    scales: Any = None,
    *,
    names: Sequence[str] | None = None,
    most: int = 8,
    ax: Axes,
) -> None:
    """Draw the weights of the limit by scale: black those that are not zero at the smallest one, grey all others.

    Parameters
    ----------
    problem : Problem
        X is (n, d).
    network : Hadamard or Power
        Whose start, and depth, all flows have.
    scales : array_like, shape (K,), optional
        As for `linreg_mirror.ladder`.
    names : sequence of str, optional
        Of the weights: the largest ones at the smallest scale get theirs.
    most : int
        How many names are written at the most.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        With the picture: the scale falls from left to right.

    Raises
    ------
    TypeError, ValueError
        As `linreg_mirror.ladder`; ValueError also if there are not as many names as weights.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> ax = lm.plots.ladder(lm.Problem([[1, 2]], [2]), lm.Hadamard.at(0.0, d=2), [1.0, 0.1, 0.01])
    >>> ax.get_ylabel()
    'weights $x_i$'
    """
    if names is not None and len(names) != problem.d:
        raise ValueError(f"names must be one for each of {problem.d} weights, got {len(names)}")
    found = solve(problem, network, scales)
    lines(ax, found.log_scales / np.log(10), found.x, found.x[-1])
    ax.set(ylabel="weights $x_i$")
    _by_scale(ax)
    if names is not None:
        _write_names(ax, float(found.log_scales[-1] / np.log(10)), found.x[-1], names, most)


def _write_names(ax: Axes, at: float, x: Array, names: Sequence[str], most: int) -> None:
    """Write names at the end of the lines of the largest weights, apart from each other."""
    largest = sorted((i for i in np.argsort(-np.abs(x))[:most] if x[i]), key=lambda i: x[i])
    low, high = ax.get_ylim()
    place = -np.inf
    for i in largest:
        place = max(float(x[i]), place + 0.06 * (high - low))
        up = (place - float(x[i])) / (high - low) * ax.get_window_extent().height * 72 / ax.figure.dpi
        ax.annotate(
            str(names[i]), (at, float(x[i])), (4, up), textcoords="offset points", fontsize=6, va="center",
            annotation_clip=False,
        )  # fmt: skip


def _by_scale(ax: Axes) -> None:
    ax.set(xlabel=r"$\log_{10}$ scale")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.invert_xaxis()
