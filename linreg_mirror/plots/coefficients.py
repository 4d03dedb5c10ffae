"""The coefficients of a regressor, by name."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from linreg_mirror.plots.axes import picture
from linreg_mirror.plots.style import COLOURS

_MOST = 20
_SMALL = 1e-3  # of the largest: what is not drawn


@picture
def coefficients(
    regressor: Any, *, names: Sequence[str] | None = None, target: int | None = None, most: int = _MOST, ax: Axes
) -> None:
    """Draw the coefficients of a regressor, the largest first, with the names of their features.

    Parameters
    ----------
    regressor : MirrorRegressor, or any fitted linear model of scikit-learn's
        With `coef_`, and `feature_names_in_` where it was fitted to a frame.
    names : sequence of str, optional
        Of the features, where it was fitted to an array; of a pipeline `pipeline[:-1].get_feature_names_out()`.
    target : int, optional
        Which of several targets.
    most : int
        How many are drawn at the most.
    ax : Axes, optional
        Where to draw. Default: a new figure.

    Returns
    -------
    Axes
        With the picture: none below a thousandth of the largest, and the title says how many are above.

    Raises
    ------
    TypeError
        If it has no coefficients: it has not been fitted, or is no linear model.
    ValueError
        If there are several targets and `target` is none of them, or not as many names as features.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> fitted = lm.MirrorRegressor(fit_intercept=False).fit([[1, 2]], [2])
    >>> lm.plots.coefficients(fitted, names=["height", "age"]).get_xlabel()
    'coefficient'
    """
    values = getattr(regressor, "coef_", None)
    if values is None:
        raise TypeError(f"{type(regressor).__name__} has no coef_: write coefficients(MirrorRegressor().fit(X, y))")
    values = np.asarray(values, float)
    if values.ndim == 2:
        if target is None or not 0 <= target < len(values):
            raise ValueError(f"there are coefficients of {len(values)} targets, got target={target}: write target=0")
        values = values[target]
    elif target is not None:
        raise ValueError(f"there is one target, got target={target}: leave it out")
    if names is not None and len(names) != len(values):
        raise ValueError(f"names must be one for each of {len(values)} features, got {len(names)}")
    known = getattr(regressor, "feature_names_in_", [f"feature {i}" for i in range(len(values))])
    called = known if names is None else names
    large = int(np.count_nonzero(np.abs(values) > _SMALL * np.abs(values).max()))
    shown = np.argsort(-np.abs(values))[: min(most, large)]
    ax.barh(np.arange(len(shown)), values[shown], 0.6, color=COLOURS[1])
    ax.set_yticks(np.arange(len(shown)), [str(called[int(i)]) for i in shown], parse_math=False)
    ax.axvline(0, color="black", lw=0.6)
    more = f"; the {len(shown)} largest" if large > len(shown) else ""
    ax.set(xlabel="coefficient", title=f"{large} of {len(values)} above a thousandth of the largest{more}")
    ax.invert_yaxis()
