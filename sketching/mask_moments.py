"""Mean and covariance of the masks that selections draw, exactly: one function for each selection, by its name.

`mask_moments.f(scores, k, rescale=...)` describes what `selection.f(scores, k, rng, rescale=...)` returns, flattened.
Everything is NumPy float64, whatever the scores are.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sketching import _race, selection
from sketching._arrays import flattened
from sketching._limits import proportional, tiers

Vector = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MaskMoments:
    """The first two moments of a random mask m over d entries.

    The covariance is kept in parts, because most selections need no more than a few vectors to say it.

    Attributes
    ----------
    mean : ndarray, shape (d,)
        E m. For rescaled masks it is 1, but 0 where an entry has no chance at all.
    spread : ndarray, shape (d,) or (d, d)
        The covariance, or in one dimension its diagonal, as far as `shared` does not contain it. inf for a variance
        that does not exist.
    shared : ndarray, shape (d,), optional
        A vector s: the covariance is `spread` - ss'.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> moments = sketching.mask_moments.bernoulli(np.ones(2), 1)
    >>> moments.mean.tolist(), moments.spread.tolist()
    ([0.5, 0.5], [0.25, 0.25])
    """

    mean: Vector
    spread: Vector
    shared: Vector | None = None

    @property
    def covariance(self) -> NDArray[np.float64]:
        """The covariance in full, shape (d, d)."""
        full = self.spread if self.spread.ndim == 2 else np.diag(self.spread)
        return full if self.shared is None else full - np.outer(self.shared, self.shared)


def top_k(scores: object, k: int) -> MaskMoments:
    """Describe `selection.top_k`, which leaves nothing to chance.

    Parameters
    ----------
    scores, k
        As in `selection.top_k`; d scores.

    Returns
    -------
    MaskMoments
        The mask itself, and no covariance.

    Raises
    ------
    ValueError
        As in `selection.top_k`.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> sketching.mask_moments.top_k(np.array([2.0, 1.0]), 1).mean.tolist()
    [1.0, 0.0]
    """
    flat, _ = flattened(scores)
    mask = selection.top_k(flat, k).astype(float)
    return MaskMoments(mask, np.zeros(mask.size))


def with_replacement(scores: object, k: int, *, rescale: bool = False) -> MaskMoments:
    """Describe `selection.with_replacement`: k independent draws.

    Rescaled, the covariance is (diag(1/p) - 11')/k (Drineas, Kannan, Mahoney 2006).

    Parameters
    ----------
    scores, k, rescale
        As in `selection.with_replacement`; d scores.

    Returns
    -------
    MaskMoments
        With d numbers if rescaled, d^2 if not. Entries of score 0 are never drawn: rescaling does not help them, and
        what they carry is a bias.

    Raises
    ------
    ValueError
        As in `selection.with_replacement`.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> sketching.mask_moments.with_replacement(np.ones(2), 2).mean.round(6).tolist()  # 1 - 1/4
    [0.75, 0.75]
    """
    flat, _ = flattened(scores)
    p = proportional(flat, k).astype(float)
    if k == 0:
        return MaskMoments(np.zeros(flat.size), np.zeros(flat.size))
    p /= p.sum()
    if rescale:
        possible = (p > 0).astype(float)
        return MaskMoments(possible, _inverse(k * p), possible / np.sqrt(k))
    with np.errstate(divide="ignore", invalid="ignore"):
        missing = np.log1p(-p)  # one draw, -inf for what is certain
        drawn = -np.expm1(k * missing)
        # Both are missed by a draw with probability 1 - p_i - p_j = (1 - p_i)(1 - p_j)(1 - odds_i odds_j).
        odds = p / (1 - p)
        both = np.exp(k * np.add.outer(missing, missing))
        covariance = both * np.expm1(k * np.log1p(-np.minimum(np.outer(odds, odds), 1.0)))
    covariance[:, p == 1] = covariance[p == 1] = 0.0
    np.fill_diagonal(covariance, drawn * (1 - drawn))
    return MaskMoments(drawn, covariance)


def bernoulli(scores: object, k: int, *, rescale: bool = False) -> MaskMoments:
    """Describe `selection.bernoulli`: independent entries, kept with q = `selection.inclusion_probabilities`.

    The variance is q(1-q), or (1-q)/q rescaled.

    Parameters
    ----------
    scores, k, rescale
        As in `selection.bernoulli`; d scores.

    Returns
    -------
    MaskMoments
        Mean and covariance of the entries.

    Raises
    ------
    ValueError
        As in `selection.bernoulli`.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> sketching.mask_moments.bernoulli(np.array([3.0, 1.0]), 1).mean.round(6).tolist()
    [0.75, 0.25]
    """
    q = _inclusion(scores, k)
    if not rescale:
        return MaskMoments(q, q * (1 - q))
    # Not q(1-q) times 1/q^2, which is beyond float64 where (1-q)/q is not.
    return MaskMoments((q > 0).astype(float), (1 - q) * _inverse(q))


def systematic(scores: object, k: int, *, rescale: bool = False) -> MaskMoments:
    """Describe `selection.systematic`, by the d intervals of its one uniform number between which the mask changes.

    Parameters
    ----------
    scores, k, rescale
        As in `selection.systematic`; d scores.

    Returns
    -------
    MaskMoments
        With d^2 numbers.

    Raises
    ------
    ValueError
        As in `selection.systematic`.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> sketching.mask_moments.systematic(np.array([3.0, 1.0]), 1).mean.round(6).tolist()
    [0.75, 0.25]
    """
    q = _inclusion(scores, k)
    ends = np.cumsum(q)
    starts = ends - q
    breaks = np.unique(np.concatenate([[0.0], ends % 1, [1.0]]))
    lengths, middles = np.diff(breaks), (breaks[1:] + breaks[:-1]) / 2
    # A tooth of the comb, at an integer + u, falls on entry i. Slivers that are rounding have no weight.
    hits = np.floor(ends - middles[:, None]) > np.floor(starts - middles[:, None])
    joint = (hits * lengths[:, None]).T @ hits
    covariance = joint - np.outer(q, q)
    if not rescale:
        return MaskMoments(q, covariance)
    inverse = _inverse(q)
    return MaskMoments((q > 0).astype(float), covariance * inverse[:, None] * inverse)


def gumbel_top_k(scores: object, k: int, *, rescale: bool = False) -> MaskMoments:
    """Describe `selection.gumbel_top_k`: k draws without replacement, the k first of an exponential race.

    Rescaled, different entries are uncorrelated for k >= 2: given the arrivals of all the others, both are kept if they
    come before the (k-1)-th of these, which is then the threshold of both, and the product of their factors is 1 over
    the probability of that. The variance of entry i is E 1/(exp(s_i tau) - 1), tau the k-th arrival among the others;
    for k = 1 it is infinite, and no other covariance is given.

    Parameters
    ----------
    scores, k, rescale
        As in `selection.gumbel_top_k`; d scores.

    Returns
    -------
    MaskMoments
        With d numbers if rescaled, in time d^1.5 k; d^2 if not, in time d^2.5 k.

    Raises
    ------
    ValueError
        As in `selection.gumbel_top_k`, or if scores differ by more than a factor 1e250.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> sketching.mask_moments.gumbel_top_k(np.array([3.0, 1.0]), 1).mean.round(6).tolist()
    [0.75, 0.25]
    """
    flat, _ = flattened(scores)
    certain, free, rates, k = tiers(flat, k)
    among = np.arange(flat.size) if free is None else np.flatnonzero(free)
    among, rates = among[rates > 0], np.asarray(rates[rates > 0], float)
    mean = certain.astype(float)
    if k == rates.size:
        mean[among] = 1.0
    if k in (0, rates.size):
        return MaskMoments(mean, np.zeros(flat.size))
    if rescale:
        mean[among] = 1.0
        spread = np.zeros(flat.size)
        spread[among] = _race.threshold_variances(rates, k)
        return MaskMoments(mean, spread)
    first, pairs = _race.inclusions(rates, k)
    mean[among] = first
    spread = np.zeros((flat.size, flat.size))
    spread[np.ix_(among, among)] = pairs - np.outer(first, first)
    return MaskMoments(mean, spread)


def _inclusion(scores: object, k: int) -> Vector:
    flat, _ = flattened(scores)
    return np.asarray(selection.inclusion_probabilities(flat, k), float)


def _inverse(positive: Vector) -> Vector:
    return np.divide(1.0, positive, out=np.zeros_like(positive), where=positive > 0)
