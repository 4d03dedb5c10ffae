"""Errors of prediction along paths of coefficients."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from linreg_mirror.plots.axes import picture
from linreg_mirror.plots.style import COLOURS, DASHES, REFERENCE


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
        With the picture: from left to right less and less regularised, from 0 for the first point of a path to 1.

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
    >>> lm.plots.validation(fitted).get_ylabel()
    'mean squared error'
    """
    errors = getattr(regressor, "cv_errors_", None)
    if errors is None:
        raise TypeError(
            f"{type(regressor).__name__} has no cv_errors_: write validation(MirrorRegressorCV().fit(X, y))"
        )
    mean = errors.mean(axis=-1)
    position = np.linspace(0, 1, mean.shape[1])
    for k, (candidate, values) in enumerate(zip(regressor.candidates_, mean, strict=True)):
        which = k % len(COLOURS), k // len(COLOURS) % len(DASHES)
        ax.plot(position, values, label=str(candidate), color=COLOURS[which[0]], linestyle=DASHES[which[1]])
    which, point = regressor.best_
    ax.plot(position[point], mean[which, point], "o", color="black")
    ax.axvline(float(position[point]), **REFERENCE)
    # Interpolators may be worse than the mean by orders of magnitude: the minimum shall be seen.
    least, first = float(mean.min()), float(mean[:, 0].max())
    ax.set(xlabel="along the path", ylabel="mean squared error", ylim=(0, max(1.6 * first - 0.6 * least, 2 * least)))
    ax.legend()
