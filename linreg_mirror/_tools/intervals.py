"""Confidence intervals."""

import math

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit


def mean_and_half_width(values: ArrayLike) -> tuple[float, float]:
    """Return the mean, and half the width of its 95 % interval by Student's t.

    Parameters
    ----------
    values : array_like, shape (n,)
        Independent, such as one for each seed; n >= 1.

    Returns
    -------
    mean, half : float
        `half` is infinite for a single value, which says nothing about the next.
    """
    values = np.asarray(values, float)
    n = len(values)
    # At n = 1 neither the quantile nor the deviation exists.
    half = float(stdtrit(n - 1, 0.975) * values.std(ddof=1)) / math.sqrt(n) if n > 1 else math.inf
    return float(values.mean()), half
