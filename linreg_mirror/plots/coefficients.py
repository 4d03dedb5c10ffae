"""The coefficients of a regressor, by name."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from linreg_mirror.plots.axes import picture
from linreg_mirror.plots.style import COLOURS

_MOST = 20
_SMALL = 1e-3  # of the largest: what is not drawn


@picture
def coefficients(regressor: Any, *, ax: Axes, most: int = _MOST) -> None:
    """Draw the coefficients of a regressor, the largest first, with the names of their features.

    Parameters
    ----------
    regressor : MirrorRegressor, or any fitted linear model of scikit-learn's
        With `coef_`, and `feature_names_in_` where features have names.
    ax : Axes, optional
        Where to draw. Default: a new figure.
    most : int
        How many are drawn at the most.

    Returns
    -------
    Axes
        With the picture: none below a thousandth of the largest, and the title says how many are above.

    Raises
    ------
    TypeError
        If it has no coefficients: it has not been fitted, or is no linear model.
    ValueError
        If there is a row of coefficients for each of several targets.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> fitted = lm.MirrorRegressor(fit_intercept=False).fit([[1, 2]], [2])
    >>> lm.plots.coefficients(fitted).get_xlabel()
    'coefficient'
    """
    values = getattr(regressor, "coef_", None)
    if values is None:
        raise TypeError(f"{type(regressor).__name__} has no coef_: write coefficients(MirrorRegressor().fit(X, y))")
    values = np.asarray(values, float)
    if values.ndim != 1:
        raise ValueError(f"coef_ must have shape (n_features,), got {values.shape}: draw one target at a time")
    names = getattr(regressor, "feature_names_in_", [f"feature {i}" for i in range(len(values))])
    large = int(np.count_nonzero(np.abs(values) > _SMALL * np.abs(values).max()))
    shown = np.argsort(-np.abs(values))[: min(most, large)]
    ax.barh(np.arange(len(shown)), values[shown], 0.6, color=COLOURS[1])
    ax.set_yticks(np.arange(len(shown)), [str(names[i]) for i in shown])
    ax.axvline(0, color="black", lw=0.6)
    more = f"; the {len(shown)} largest" if large > len(shown) else ""
    ax.set(xlabel="coefficient", title=f"{large} of {len(values)} above a thousandth of the largest{more}")
    ax.invert_yaxis()
