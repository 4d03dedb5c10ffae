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

from sketching._arguments import check_count, check_rng
from sketching._arrays import flattened

_Flat = NDArray[np.floating]
_Mask = NDArray[np.bool_]


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
    array of bool, shape of `scores`

    Raises
    ------
    ValueError
        If a score is NaN, k is not in 0..size, or all scores are 0 and some are to be kept but not all.
    """
    flat, like = flattened(scores)
    _checked(flat, k)
    return like(_largest(flat, k))


def gumbel_top_k(scores: Any, k: int, rng: np.random.Generator, *, rescale: bool = False) -> Any:
    """Draw k different entries one after the other, in proportion to the scores of those that are left.

    The k first of a race in which entry i arrives after an exponential time with rate score_i, which is the same as the
    k largest of log score_i plus Gumbel noise (Kool, van Hoof, Welling, arXiv 1903.06059). Rescaled by 1 over the
    probability to arrive before time tau, where tau is the arrival of the (k+1)-th: unbiased, and uncorrelated for
    different entries (Duffield, Lund, Thorup, J. ACM 2007).

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
    array of bool, or of float if rescaled, shape of `scores`

    Raises
    ------
    ValueError
        If a score is NaN or negative, k is not in 0..size, or all scores are 0 and some are to be kept but not all.
    TypeError
        If rng is no generator.
    """

    def race(flat: _Flat, k: int) -> tuple[_Mask, _Flat | float]:
        times = rng.standard_exponential(flat.size)
        with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
            times /= flat  # zeros arrive never
        if k == flat.size:
            return np.ones(k, bool), 1.0
        tau = np.partition(times, k)[k]
        kept = times < tau
        kept[np.flatnonzero(times == tau)[: k - np.count_nonzero(kept)]] = True  # arrivals at the same time
        return kept, -np.expm1(-flat[kept].astype(float) * tau) if rescale else 1.0

    return _drawn(scores, k, rng, race, rescale)


def systematic(scores: Any, k: int, rng: np.random.Generator, *, rescale: bool = False) -> Any:
    """Keep k entries with given probabilities: as a comb with k teeth hits a line on which entry i has length q_i.

    The q are `inclusion_probabilities(scores, k)`; all randomness is the place of the comb (Madow, Ann. Math. Stat.
    1949). Neighbours exclude each other, so the order of entries matters to pairs, but to no single one.

    Parameters
    ----------
    scores : array
        At least 0.
    k : int
        How many are kept: exactly so many.
    rng : numpy.random.Generator
        Source of all randomness.
    rescale : bool
        Return factors 1/q with expectation 1 instead of a mask.

    Returns
    -------
    array of bool, or of float if rescaled, shape of `scores`

    Raises
    ------
    ValueError
        If a score is NaN or negative, k is not in 0..size, or all scores are 0 and some are to be kept but not all.
    TypeError
        If rng is no generator.
    """

    def comb(flat: _Flat, k: int) -> tuple[_Mask, _Flat | float]:
        q = _water_filled(flat, k)
        kept = q == 1
        left = k - np.count_nonzero(kept)
        if left:
            free = (q > 0) & ~kept
            line = np.cumsum(q[free])
            teeth = np.arange(left) + rng.random()
            # Where rounding lets two teeth hit one entry, or the last one none, the neighbour is taken.
            order = np.arange(left)
            hit = np.maximum.accumulate(np.searchsorted(line, teeth * (line[-1] / left), side="right") - order) + order
            kept[np.flatnonzero(free)[np.minimum(hit, line.size - left + order)]] = True
        return kept, q[kept]

    return _drawn(scores, k, rng, comb, rescale)


def bernoulli(scores: Any, k: int, rng: np.random.Generator, *, rescale: bool = False) -> Any:
    """Keep each entry or not, independently of all others, with probabilities that add up to k.

    Parameters
    ----------
    scores : array
        At least 0.
    k : int
        How many are kept on average.
    rng : numpy.random.Generator
        Source of all randomness.
    rescale : bool
        Return factors 1/q, with q = `inclusion_probabilities(scores, k)`, instead of a mask.

    Returns
    -------
    array of bool, or of float if rescaled, shape of `scores`

    Raises
    ------
    ValueError
        If a score is NaN or negative, k is not in 0..size, or all scores are 0 and some are to be kept but not all.
    TypeError
        If rng is no generator.
    """

    def toss(flat: _Flat, k: int) -> tuple[_Mask, _Flat | float]:
        q = _water_filled(flat, k)
        kept = rng.random(flat.size) < q
        return kept, q[kept]

    return _drawn(scores, k, rng, toss, rescale)


def with_replacement(scores: Any, k: int, rng: np.random.Generator, *, rescale: bool = False) -> Any:
    """Draw k times, always from all entries, in proportion to the scores, and keep what was drawn: at most k entries.

    The sketch of Drineas, Kannan, Mahoney (SIAM J. Comput. 2006) if rescaled: (times drawn)/(k p).

    Parameters
    ----------
    scores : array
        At least 0.
    k : int
        How many draws, 0 to the number of entries.
    rng : numpy.random.Generator
        Source of all randomness.
    rescale : bool
        Return factors with expectation 1 instead of a mask.

    Returns
    -------
    array of bool, or of float if rescaled, shape of `scores`

    Raises
    ------
    ValueError
        If a score is NaN or negative, k is not in 0..size, or all scores are 0 and k is not.
    TypeError
        If rng is no generator.
    """
    check_rng(rng)
    flat, like = flattened(scores)
    highest = _checked(flat, k, signed=False)
    counts = np.zeros(flat.size, np.int64)
    if k == 0:
        return like(counts.astype(float) if rescale else counts.astype(bool))
    if highest == 0:
        raise ValueError(_ALL_ZERO)
    flat = np.isposinf(flat).astype(float) if np.isinf(highest) else _in_range(flat, highest)
    line = np.cumsum(flat, dtype=float)
    # Uniform draws in rising order, without sorting them: partial sums of exponentials.
    places = np.cumsum(rng.standard_exponential(k + 1))
    drawn = np.searchsorted(line, places[:-1] * (line[-1] / places[-1]), side="right")
    np.minimum(drawn, np.searchsorted(line, line[-1]), out=drawn)  # rounding may lead beyond the last entry
    counts = np.bincount(drawn, minlength=flat.size)
    if not rescale:
        return like(counts > 0)
    factors, kept = np.zeros(flat.size), counts > 0
    factors[kept] = counts[kept] * (line[-1] / k) / flat[kept]
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
    array of float, shape of `scores`

    Raises
    ------
    ValueError
        If a score is NaN or negative, k is not in 0..size, or all scores are 0 and k is neither 0 nor the size.
    """
    flat, like = flattened(scores)
    certain, free, flat, k = _tiers(flat, k)
    if free is None:
        return like(_water_filled(flat, k))
    q = certain.astype(float)
    q[free] = _water_filled(flat, k)
    return like(q)


_ALL_ZERO = (
    "all scores are zero, so that nothing tells the entries apart: look why, or ask for chance by scores that are all 1"
)


def _checked(flat: _Flat, k: int, signed: bool = True) -> float:
    """Return the highest score, having checked all of them, and k."""
    check_count("k", k, most=flat.size)
    if flat.size == 0:
        return 0.0
    low, high = float(flat.min()), float(flat.max())
    if np.isnan(low):
        bad = np.count_nonzero(np.isnan(flat))
        raise ValueError(f"{bad} of {flat.size} scores are NaN: look at what computed them, such as a diverged loss")
    if low < 0 and not signed:
        raise ValueError(
            f"scores must be at least 0 to be read as probabilities, got {low:.3g}: take sketching.positive_part or "
            "sketching.absolute of them, or top_k, which takes any sign"
        )
    if low == high == 0 and 0 < k < flat.size:
        raise ValueError(_ALL_ZERO)
    return high


def _in_range(flat: _Flat, highest: float) -> _Flat:
    """Return scores that double precision can add up and divide; those of single precision it can."""
    if flat.dtype == np.float32 or highest == 0:
        return flat
    scaled = flat if 1e-10 < highest < 1e10 else flat / highest
    vanishing = (scaled < 1e-280) & (flat > 0)  # still before zeros, but no longer in proportion
    return np.where(vanishing, 1e-280, scaled) if vanishing.any() else scaled


def _largest(flat: _Flat, k: int) -> _Mask:
    if k == 0:
        return np.zeros(flat.size, bool)
    threshold = np.partition(flat, flat.size - k)[flat.size - k]
    kept = flat > threshold
    kept[np.flatnonzero(flat == threshold)[: k - np.count_nonzero(kept)]] = True
    return kept


def _tiers(flat: _Flat, k: int) -> tuple[_Mask, _Mask | None, _Flat, int]:
    """Return what is certainly kept, among what is still to choose (None: among all), its scores, and how many."""
    highest = _checked(flat, k, signed=False)
    positive = int(np.count_nonzero(flat))
    if k <= positive and np.isfinite(highest):
        return np.zeros(flat.size, bool), None, _in_range(flat, highest), k
    infinite = np.isinf(flat)
    several = int(np.count_nonzero(infinite))
    if k <= several:
        return np.zeros(flat.size, bool), infinite, np.ones(several), k
    if k <= positive:
        finite = (flat > 0) & ~infinite
        rest = flat[finite]
        return infinite, finite, _in_range(rest, float(rest.max())), k - several
    return flat > 0, flat == 0, np.ones(flat.size - positive), k - positive


def _drawn(
    scores: Any, k: int, rng: Any, draw: Callable[[_Flat, int], tuple[_Mask, _Flat | float]], rescale: bool
) -> Any:
    """Return the mask, or the factors, that `draw` gives: what is kept, and with what probability."""
    check_rng(rng)
    flat, like = flattened(scores)
    kept, free, flat, k = _tiers(flat, k)
    chosen, probability = draw(flat, k)
    places = chosen if free is None else np.flatnonzero(free)[chosen]
    if not rescale:
        kept[places] = True
        return like(kept)
    factors = kept.astype(float)
    factors[places] = 1 / probability
    return like(factors)


def _water_filled(flat: _Flat, k: int) -> NDArray[np.float64]:
    """Return min(1, c flat) with sum k, for flat >= 0 of which at least k are positive."""
    if k == 0:
        return np.zeros(flat.size)
    rest, left = flat, k
    while True:
        c = left / rest.sum(dtype=float)
        below = rest < np.float64(1 / c)
        full = rest.size - np.count_nonzero(below)
        if full == 0 or full >= left:
            return np.minimum(np.multiply(flat, c, dtype=float), 1.0)
        rest, left = rest[below], left - full
