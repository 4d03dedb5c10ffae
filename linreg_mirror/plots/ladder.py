"""Weights of limits by scale."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from linreg_mirror._types import Array
from linreg_mirror.parametrizations import Hadamard, Parametrization, Power
from linreg_mirror.plots.axes import picture
from linreg_mirror.plots.labels import at_right_end
from linreg_mirror.plots.paths import lines
from linreg_mirror.plots.scales import by_scale
from linreg_mirror.plots.style import COLOURS, DASHES
from linreg_mirror.problems import Problem
from linreg_mirror.problems.problem import require_problem
from linreg_mirror.solvers.independent import minimum_l2
from linreg_mirror.solvers.limit import Ladder
from linreg_mirror.solvers.limit import ladder as solve

_SEEN = 0.03  # of the largest weight: below, a line cannot be told from those at 0, and has no name
_ABOVE, _BELOW, _COUNT = 2, 12, 33  # decades around the size of weights that are drawn by default


@picture
def ladder(
    problem: Problem,
    network: Parametrization,
    scales: Any = None,
    *,
    log_scales: Any = None,
    mark: bool = False,
    names: Sequence[str] | None = None,
    target: str | None = None,
    most: int = 8,
    ax: Axes,
) -> None:
    """Draw the weights of the limit by scale.

    Parameters
    ----------
    problem : Problem
        X is (n, d).
    network : Hadamard or Power
        Whose start, and depth, all flows have.
    scales, log_scales : array_like, shape (K,), optional
        As for `linreg_mirror.ladder`. Default: from a hundred times the size of weights to 1e-12 of it, and to the
        scale that is marked.
    mark : bool
        Whether a vertical line marks the scale of `network`.
    names : sequence of str, optional
        Of the weights. The largest at the smallest scale are drawn in colour with their names beside them, all others
        light and thin. Default: the largest five in colour, and their numbers in the legend.
    target : str, optional
        What is predicted, for the title.
    most : int
        How many names are written at the most, none for weights below 3 % of the largest.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        With the picture: the scale falls from left to right.

    Raises
    ------
    TypeError, ValueError
        As `linreg_mirror.ladder`; ValueError also if there are not as many names as weights, or a scale is to be marked
        and the network has several.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> problem, network = lm.Problem([[1, 2]], [2]), lm.Hadamard.from_scale(1e-6, d=2)
    >>> ax = lm.plots.ladder(problem, network, names=["height", "age"], target="weight", mark=True)
    >>> ax.get_xlabel()
    'scale b, falling to the right'
    """
    require_problem(problem, "plots.ladder(Problem(X, y), network)")
    if names is not None and len(names) != problem.d:
        raise ValueError(f"names must be one for each of {problem.d} weights, got {len(names)}")
    own = _own_scale(network) if mark else None
    if scales is None and log_scales is None:
        log_scales = _range(problem, network, own)
    found = solve(problem, network, scales, log_scales=log_scales)
    by_scale(ax, r"scale $\alpha$" if isinstance(network, Power) else "scale b")
    ax.set(ylabel="weights $x_i$")
    if target is not None:
        ax.set_title(f"{target}: weights of the limit, by scale", parse_math=False)
    if names is None:
        lines(ax, found.log_scales / np.log(10), found.x, found.x[-1])
    else:
        _named_lines(ax, found, names, most)
    if own is not None:
        _mark(ax, own, "alpha" if isinstance(network, Power) else "b")


def _named_lines(ax: Axes, found: Ladder, names: Sequence[str], most: int) -> None:
    """Draw the largest weights in colour, with their names, and all others light and thin."""
    at, end = found.log_scales / np.log(10), found.x[-1]
    largest = np.argsort(-np.abs(end), kind="stable")[:most]
    largest = largest[np.abs(end[largest]) > _SEEN * np.abs(end).max()]
    looks = [
        {"color": COLOURS[k % len(COLOURS)], "linestyle": DASHES[k // len(COLOURS) % len(DASHES)]}
        for k in range(len(largest))
    ]
    ax.plot(at, np.delete(found.x, largest, axis=1), color="0.8", lw=0.5)
    for i, look in zip(largest, looks, strict=True):
        ax.plot(at, found.x[:, i], lw=1.4, **look)
    if len(at) > 1:
        ax.set_xlim(at[0], at[-1])  # lines reach the edge, where leaders begin
        at_right_end(ax, end[largest], [names[int(i)] for i in largest], looks)


def _range(problem: Problem, network: Parametrization, own: float | None) -> Array:
    """Return the logarithms of the scales, from where norms are least L2 to where they are least L1."""
    largest = float(np.abs(minimum_l2(problem).x).max())
    size = np.log10(largest or 1.0) / (network.depth if isinstance(network, Power) else 1)
    first, last = np.ceil(size) + _ABOVE, np.floor(size) - _BELOW
    if own is not None:
        first, last = max(first, own), min(last, own)
    return np.log(10) * np.linspace(first, last, _COUNT)


def _own_scale(network: Parametrization) -> float | None:
    """Return log10 of the one scale of a network."""
    if not isinstance(network, Hadamard | Power):
        return None  # the solver says what it takes
    if np.ptp(network.log_scale):
        raise ValueError("each weight of this network has a scale of its own: leave mark out")
    return float(network.log_scale[0] / np.log(10))


def _mark(ax: Axes, power: float, symbol: str) -> None:
    """Draw a vertical line at a scale, and write which it is."""
    ax.axvline(power, color="0.3", lw=0.8, ls=(0, (2, 2)), zorder=1)
    scale = 10**power
    said = f"{symbol} = {scale:.3g}" if scale else f"log {symbol} = {power * np.log(10):.4g}"
    ax.annotate(said, (power, 0), (3, 2), ax.get_xaxis_transform(), "offset points", fontsize=7, color="0.3")
