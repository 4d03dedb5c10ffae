"""The difference of two methods, with its interval."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from linreg_mirror._tools.intervals import mean_and_half_width


@dataclass(frozen=True)
class Effect:
    """How much more accurate one method is than another.

    Attributes
    ----------
    mean : float
        Mean difference of accuracies, shares of the examples; NaN where a run diverged.
    low, high : float
        Ends of the 95 % interval for it; infinite where there is one seed only.
    """

    mean: float
    low: float
    high: float


def paired(method: ArrayLike, rival: ArrayLike) -> Effect:
    """Return the mean difference with its 95 % interval, by Student's t over seeds.

    Parameters
    ----------
    method, rival : (seeds,) array_like
        Accuracies, those of a seed at the same place.
    """
    differences = np.asarray(method, float) - np.asarray(rival, float)
    mean, half = mean_and_half_width(differences)
    return Effect(mean, mean - half, mean + half)
