"""Selection: from scores to a mask, by rank or by chance.

Every function takes scores of any shape, NumPy array or torch tensor, and a count k. It returns a mask of the same
kind, shape and device: True where kept. With `rescale=True` it returns the factors instead, 0 where nothing is kept,
whose expectation is 1: masks that are unbiased sketches. Randomness is drawn on the CPU, so that the same generator
gives the same mask on every device.

Scores are read as limits: an infinite one goes before all finite ones, and zeros, as equal and vanishing scores, are
kept only once everything else is; among such equals chance decides.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sketching._arguments import check_rng
from sketching._arrays import flattened
from sketching._cites import cites
from sketching._limits import Flat, Mask, checked, proportional, tiers


def top_k(scores: Any, k: int, rng: np.random.Generator | None = None) -> Any:
    """Keep the k largest scores, of equal ones the first.

    Parameters
    ----------
    scores : array
        Of any sign.
    k : int
        How many are kept: exactly so many.
    rng : numpy.random.Generator, optional
        Not used; there, so that all selections can be called alike.

    Returns
    -------
    array of bool
        The mask, of the shape of `scores`.

    Raises
    ------
    ValueError
        If a score is NaN, k is not in 0..size, or all scores are 0 and some are to be kept but not all.

    Examples
    --------
    >>> import sketching
    >>> sketching.top_k([3.0, 1.0, 2.0, 0.5], 2).tolist()
    [True, False, True, False]
    """
    flat, like = flattened(scores)
    checked(flat, k)
    return like(_largest(flat, k))


@cites("kool2019stochastic", "duffield2007priority")
def gumbel_top_k(scores: Any, k: int, rng: np.random.Generator, *, rescale: bool = False) -> Any:
    """Draw k different entries one after the other, in proportion to the scores of those that are left.

    The k first of a race in which entry i arrives after an exponential time with rate score_i, which is the same as the
    k largest of log score_i plus Gumbel noise (Kool, van Hoof, Welling, arXiv 1903.06059). Rescaled by 1 over the
    probability to arrive before time tau, where tau is the arrival of the (k+1)-th: unbiased, and for k >= 2
    uncorrelated for different entries (Duffield, Lund, Thorup, J. ACM 2007).

    Parameters
    ----------
    scores : array
        At least 0.
    k : int
        How many are kept: exactly so many.
    rng : numpy.random.Generator
        Source of all randomness.
    rescale : bool
        Return factors with expectation 1 instead of a mask.

    Returns
    -------
    array of bool, or of float if rescaled
        The mask, of the shape of `scores`.

    Raises
    ------
    ValueError
        If a score is NaN or negative, k is not in 0..size, all scores are 0 and some are to be kept but not all, or a
        factor is too large for the type of the scores.
    TypeError
        If rng is no generator.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> mask = sketching.gumbel_top_k([3.0, 1.0, 2.0, 0.5], 2, np.random.default_rng(0))
    >>> int(mask.sum())
    2
    """

    def race(flat: Flat, k: int) -> tuple[Mask, Flat | float]:
        times = rng.standard_exponential(flat.size)
        with np.errstate(divide="ignore", invalid="ignore"):
            times /= flat
        np.abs(times, out=times)  # zeros arrive never, whatever their sign
        if k == flat.size:
            return np.ones(k, bool), 1.0
        tau = np.partition(times, k)[k]
        kept = times < tau
        kept[np.flatnonzero(times == tau)[: k - np.count_nonzero(kept)]] = True  # arrivals at the same time
        return kept, -np.expm1(-flat[kept].astype(float) * tau) if rescale else 1.0

    return _drawn(scores, k, rng, race, rescale)


@cites("madow1949theory")
def systematic(scores: Any, k: int, rng: np.random.Generator, *, rescale: bool = False) -> Any:
    """Keep k entries with given probabilities: as a comb with k teeth hits a line on which entry i has length q_i.

    The q are `inclusion_probabilities(scores, k)`; all randomness is the place of the comb (Madow, Ann. Math. Stat.
    1949). Neighbours exclude each other, so the order of entries matters to pairs, but to no single one.

    Parameters
    ----------
    scores, k, rng
        As in `gumbel_top_k`.
    rescale : bool
        Return the factors 1/q instead of a mask.

    Returns
    -------
    array of bool, or of float if rescaled
        As from `gumbel_top_k`.

    Raises
    ------
    ValueError, TypeError
        As in `gumbel_top_k`.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> mask = sketching.systematic(np.ones(6), 3, np.random.default_rng(0))
    >>> int(mask.sum()), mask[::2].tolist() in ([True] * 3, [False] * 3)  # every second
    (3, True)
    """

    def comb(flat: Flat, k: int) -> tuple[Mask, Flat | float]:
        q = _water_filled(flat, k)
        kept = q == 1
        left = k - np.count_nonzero(kept)
        if left:
            free = (q > 0) & ~kept
            everything = bool(free.all())
            line = np.cumsum(q if everything else q[free])
            teeth = np.arange(left) + rng.random()
            teeth *= line[-1] / left
            hit, missed = np.searchsorted(line, teeth, side="right"), line.size - left
            del line, teeth  # as large as the scores, and no longer needed
            # Where rounding lets two teeth hit one entry, or the last one none, the neighbour is taken.
            order = np.arange(left)
            hit -= order
            np.maximum.accumulate(hit, out=hit)
            np.minimum(hit, missed, out=hit)
            hit += order
            kept[hit if everything else np.flatnonzero(free)[hit]] = True
        return kept, q[kept]

    return _drawn(scores, k, rng, comb, rescale)


def bernoulli(scores: Any, k: int, rng: np.random.Generator, *, rescale: bool = False) -> Any:
    """Keep each entry or not, independently of all others, with probabilities that add up to k.

    The probabilities are q = `inclusion_probabilities(scores, k)`.

    Parameters
    ----------
    scores, k, rng
        As in `gumbel_top_k`; but k entries are kept on average.
    rescale : bool
        Return the factors 1/q instead of a mask.

    Returns
    -------
    array of bool, or of float if rescaled
        As from `gumbel_top_k`.

    Raises
    ------
    ValueError, TypeError
        As in `gumbel_top_k`.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> factors = sketching.bernoulli(np.ones(4), 2, np.random.default_rng(0), rescale=True)
    >>> sorted(set(factors.tolist()))
    [0.0, 2.0]
    """

    def toss(flat: Flat, k: int) -> tuple[Mask, Flat | float]:
        q = _water_filled(flat, k)
        kept = rng.random(flat.size) < q
        return kept, q[kept]

    return _drawn(scores, k, rng, toss, rescale)


@cites("drineas2006fast")
def with_replacement(scores: Any, k: int, rng: np.random.Generator, *, rescale: bool = False) -> Any:
    """Draw k times, always from all entries, in proportion to the scores, and keep what was drawn: at most k entries.

    The sketch of Drineas, Kannan, Mahoney (SIAM J. Comput. 2006) if rescaled: (times drawn)/(k p).

    Parameters
    ----------
    scores, k, rng, rescale
        As in `gumbel_top_k`; but k is the number of draws.

    Returns
    -------
    array of bool, or of float if rescaled
        As from `gumbel_top_k`.

    Raises
    ------
    ValueError, TypeError
        As in `gumbel_top_k`; and if all scores are 0 and k is not.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> factors = sketching.with_replacement(np.ones(4), 3, np.random.default_rng(0), rescale=True)
    >>> round(float(factors.sum()), 6)  # 3 draws, each worth 4/3
    4.0
    """
    check_rng(rng)
    flat, like = flattened(scores)
    flat = proportional(flat, k)
    if k == 0:
        return like(np.zeros(flat.size) if rescale else np.zeros(flat.size, bool))
    line = np.cumsum(flat, dtype=float)
    # Uniform draws in rising order, without sorting them: partial sums of exponentials.
    places, total = np.cumsum(rng.standard_exponential(k + 1)), line[-1]
    places *= total / places[-1]
    drawn = np.searchsorted(line, places[:-1], side="right")
    np.minimum(drawn, np.searchsorted(line, total), out=drawn)  # rounding may lead beyond the last entry
    del places, line  # as large as the scores, and no longer needed
    counts = np.bincount(drawn, minlength=flat.size)
    if not rescale:
        return like(counts > 0)
    factors, kept = np.zeros(flat.size), counts > 0
    factors[kept] = counts[kept] * (total / k) / flat[kept]
    return like(factors)


def inclusion_probabilities(scores: Any, k: int) -> Any:
    """Return min(1, c score_i) with the c for which they add up to k.

    With c = k / sum(scores) they would add up to less where some exceed 1.

    Parameters
    ----------
    scores : array
        At least 0; infinities and zeros as in all selections.
    k : int
        Their sum.

    Returns
    -------
    array of float
        Of the shape of `scores`, in [0, 1].

    Raises
    ------
    ValueError
        If a score is NaN or negative, k is not in 0..size, or all scores are 0 and k is neither 0 nor the size.

    Examples
    --------
    >>> import sketching
    >>> sketching.inclusion_probabilities([6.0, 1.0, 1.0], 2).tolist()
    [1.0, 0.5, 0.5]
    """
    flat, like = flattened(scores)
    certain, free, flat, k = tiers(flat, k)
    if free is None:
        return like(_water_filled(flat, k))
    q = certain.astype(float)
    q[free] = _water_filled(flat, k)
    return like(q)


def _largest(flat: Flat, k: int) -> Mask:
    if k == 0:
        return np.zeros(flat.size, bool)
    threshold = np.partition(flat, flat.size - k)[flat.size - k]
    kept = flat > threshold
    kept[np.flatnonzero(flat == threshold)[: k - np.count_nonzero(kept)]] = True
    return kept


def _drawn(scores: Any, k: int, rng: Any, draw: Callable[[Flat, int], tuple[Mask, Flat | float]], rescale: bool) -> Any:
    """Return the mask, or the factors, that `draw` gives: what is kept, and with what probability."""
    check_rng(rng)
    flat, like = flattened(scores)
    kept, free, flat, k = tiers(flat, k)
    chosen, probability = draw(flat, k)
    places = chosen if free is None else np.flatnonzero(free)[chosen]
    if not rescale:
        kept[places] = True
        return like(kept)
    factors = kept.astype(float)
    factors[places] = 1 / probability
    return like(factors)


def _water_filled(flat: Flat, k: int) -> NDArray[np.float64]:
    """Return min(1, c flat) with sum k, for flat >= 0 of which at least k are positive."""
    if k == 0:
        return np.zeros(flat.size)
    rest, left = flat, k
    while True:
        c = left / rest.sum(dtype=float)
        below = rest < np.float64(1 / c)
        full = rest.size - np.count_nonzero(below)
        if full == 0 or full >= left:
            q = np.multiply(flat, c, dtype=float)
            return np.minimum(q, 1.0, out=q)
        rest, left = rest[below], left - full
