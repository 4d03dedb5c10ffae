"""What it costs to sample with other probabilities than the optimal ones: score temperature, data-free scores."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sketching._arguments import check_number
from sketching._arrays import flattened
from sketching._linear import column_norms, in_range, linear_model


def tempered(scores: Any, power: float) -> Any:
    """Return scores^power, relative to the largest such power: below 1 sampling is closer to uniform, at 0 uniform.

    Parameters
    ----------
    scores : array
        At least 0, finite. Zeros stay zeros, whatever the power.
    power : float
        Any finite number.

    Returns
    -------
    array
        In [0, 1], of the shape of `scores`.

    Raises
    ------
    ValueError
        If a score is negative, NaN or infinite, or the power is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> sketching.temperature.tempered(np.array([4.0, 1.0, 0.0]), 0.5).round(6).tolist()
    [1.0, 0.5, 0.0]
    """
    check_number("power", power)
    if not np.isfinite(power):
        raise ValueError(f"power must be a finite number, got {power!r}: for the largest score alone take top_k")
    flat, like = flattened(scores)
    positive = _checked("scores", flat) > 0
    exponents = power * np.log(flat[positive].astype(float))
    answer = np.zeros(flat.size)
    answer[positive] = np.exp(exponents - exponents.max(initial=-np.inf))
    return like(answer)


def excess(importance: Any, scores: Any) -> float:
    """Return how far sampling by these scores is from the optimal: sum(a^2/p)/(sum a)^2, a the importance, p ~ scores.

    The expected squared error of k draws is [excess (sum a)^2 - |Xw|^2]/k with a_i = |X_i||w_i|; p ~ a has excess 1.
    It is 1 plus the chi-square divergence of the optimal p from p. Scores a^g and a^(2-g) have the same: squares,
    g = 2, are as bad as uniform sampling, g = 0.

    Parameters
    ----------
    importance : array
        a, such as rms_snip(X, w).
    scores : array, same number of entries
        What is sampled in proportion to.

    Returns
    -------
    float
        At least 1; inf where something of importance has score 0.

    Raises
    ------
    ValueError
        If the numbers of entries differ, an entry is negative, NaN or infinite, or all are 0.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> importance = np.array([3.0, 1.0])
    >>> [round(float(sketching.temperature.excess(importance, scores)), 6) for scores in (importance, np.ones(2))]
    [1.0, 1.25]
    """
    (a, _), (p, _) = flattened(importance, "importance"), flattened(scores)
    if a.size != p.size:
        raise ValueError(f"as many scores as entries are expected, got {p.size} scores for {a.size} entries")
    a, p = _distribution("importance", a), _distribution("scores", p)
    if np.any((a > 0) & (p == 0)):
        return np.inf
    used = a > 0
    return max(float(np.sum(a[used] * (a[used] / p[used]))), 1.0)


@dataclass(frozen=True)
class DataFree:
    """What is lost by sampling in proportion to |w| instead of |X_i||w_i|, without a look at the data.

    Attributes
    ----------
    excess : float
        1 + CV^2, CV the standard deviation of |X_i| under weights |w_i| over its mean: `excess` of |w|.
    cap : float
        (r + 1)^2/(4r) with r the largest |X_i| over the least: the excess for the worst w (Kantorovich). inf if a
        column is 0.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> print(sketching.temperature.data_free(np.eye(2), np.array([3.0, 1.0])))
    second moment 1 of the optimal one, 1 for the worst weights
    """

    excess: float
    cap: float

    def __str__(self) -> str:
        return f"second moment {self.excess:.4g} of the optimal one, {self.cap:.4g} for the worst weights"


@np.errstate(over="ignore", divide="ignore", invalid="ignore")  # what overflows is refused, or infinite
def data_free(X: Any, w: Any) -> DataFree:
    """Return what it costs that magnitude and SynFlow do not know X: nothing where all columns have the same length.

    Parameters
    ----------
    X : array, shape (n, d)
        Samples.
    w : array, shape (d,)
        Weights.

    Returns
    -------
    DataFree
        The excess of the second moment over the least one, and its worst case.

    Raises
    ------
    ValueError
        If a shape does not fit, an entry is not finite, or every |X_i||w_i| is 0.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> X = np.diag([1.0, 3.0])  # columns three times as long as others cost at most 4/3
    >>> round(float(sketching.temperature.data_free(X, np.array([3.0, 1.0])).cap), 6)
    1.333333
    """
    xp, X, w = linear_model(X, w=w)
    norms = column_norms(xp, X)
    weights = xp.abs(w)
    least, largest = float(norms.min()), float(norms.max())
    r = largest / least if least > 0 else np.inf
    cap = (r + 2 + 1 / r) / 4  # squares may be beyond float64 where their ratio is not
    if not bool(xp.any(norms * weights > 0)):
        raise ValueError("every |X_i||w_i| is 0, so that Xw = 0 whatever is kept: there is nothing to sample for")
    return DataFree(excess(in_range(norms * weights), weights), cap)


def _checked(name: str, flat: np.ndarray) -> np.ndarray:
    if not (np.isfinite(flat).all() and (flat >= 0).all()):
        raise ValueError(f"{name} must be finite numbers >= 0, got {flat.min():.3g} to {flat.max():.3g}")
    return flat


def _distribution(name: str, flat: np.ndarray) -> np.ndarray:
    largest = _checked(name, flat).max(initial=0.0)
    if largest == 0:
        raise ValueError(f"{name} must not all be 0: there is nothing to sample from")
    flat = flat.astype(float) / largest
    return flat / flat.sum()
