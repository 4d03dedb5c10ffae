"""Errors of prediction along paths of coefficients."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from linreg_mirror.plots.axes import picture
from linreg_mirror.plots.style import COLOURS, DASHES


@picture
def validation(regressor: Any, *, ax: Axes) -> None:
    """Draw the cross-validated error along each path, and mark the point that was chosen.

    Parameters
    ----------
    regressor : MirrorRegressorCV
        Fitted.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        With the picture: from left to right less and less regularised, flows by their stopping time, the LASSO by its
        penalty, on an axis of its own at the top if flows are there, too. A dot marks the point that was chosen, a band
        one standard error, over folds, along its path. Errors far above that of the mean of y are cut off.

    Raises
    ------
    TypeError
        If it is another regressor, or has not been fitted.

    Examples
    --------
    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> X = np.random.default_rng(0).standard_normal((20, 5))
    >>> fitted = lm.MirrorRegressorCV().fit(X, X[:, 0])
    >>> ax = lm.plots.validation(fitted)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('stopping time of the flow', 'mean squared error of prediction')
    """
    if getattr(regressor, "cv_errors_", None) is None:
        raise TypeError(
            f"{type(regressor).__name__} has no cv_errors_: write validation(MirrorRegressorCV().fit(X, y))"
        )
    mean, candidates = regressor.cv_mean_, regressor.candidates_
    panels = _panels(ax, [not candidate.scale for candidate in candidates])
    for k, (panel, candidate, at, values) in enumerate(zip(panels, candidates, regressor.grids_, mean, strict=True)):
        panel.plot(at, values, label=str(candidate), **_look(k))
    which, point = regressor.best_
    panel, at, name = panels[which], regressor.grids_[which], "time" if candidates[which].scale else "penalty"
    low = high = mean[which]
    if (folds := regressor.cv_errors_.shape[-1]) > 1:
        spread = regressor.cv_errors_[which].std(axis=-1, ddof=1) / np.sqrt(folds)
        low, high = mean[which] - spread, mean[which] + spread
        label = f"± one standard error ({candidates[which]})"
        panel.fill_between(at, low, high, color=_look(which)["color"], alpha=0.15, lw=0, label=label)
    chosen = f"chosen: {candidates[which]}, {name} {at[point]:.3g}"
    panel.plot(at[point], mean[which, point], "o", color="black", markersize=5, label=chosen)
    _limit(ax, float(min(mean.min(), low[point])), float(max(mean[:, 0].max(), high[point])))
    ax.set(ylabel="mean squared error of prediction")
    found = [panel.get_legend_handles_labels() for panel in dict.fromkeys(panels)]
    ax.legend([one for handles, _ in found for one in handles], [one for _, labels in found for one in labels])


def _panels(ax: Axes, penalised: Sequence[bool]) -> list[Axes]:
    """Return the axes of each path: flows have an axis of times below, the LASSO has one of penalties."""
    top = ax
    if any(penalised):
        if not all(penalised):
            top = ax.twiny()
            top.spines.top.set_visible(True)
        top.set(xscale="log", xlabel=r"penalty $\alpha$, falling to the right")
        top.invert_xaxis()
    if not all(penalised):
        ax.set(xscale="log", xlabel="stopping time of the flow")
    return [top if one else ax for one in penalised]


def _limit(ax: Axes, least: float, most: float) -> None:
    """Make the least error seen: interpolators may be worse than the mean by orders of magnitude."""
    if 0 < 10 * least < most:
        ax.set(yscale="log", ylim=(0.8 * least, 1.5 * most))
    else:
        room = 0.1 * (most - least) or 1.0
        ax.set_ylim(least - room, most + 3 * room)


def _look(k: int) -> dict[str, Any]:
    return {"color": COLOURS[k % len(COLOURS)], "linestyle": DASHES[(k + k // len(COLOURS)) % len(DASHES)]}
