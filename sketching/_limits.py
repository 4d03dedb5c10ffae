"""Scores read as limits: infinite ones go before all others, zeros after all others."""

import numpy as np
from numpy.typing import NDArray

from sketching._arguments import check_count

Flat = NDArray[np.floating]
Mask = NDArray[np.bool_]

_ALL_ZERO = (
    "all scores are zero, so that nothing ranks the entries: find out why, or write scores of 1 for a random choice"
)


def checked(flat: Flat, k: int, signed: bool = True) -> float:
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


def proportional(flat: Flat, k: int) -> Flat:
    """Return what k independent draws are in proportion to: the scores, or whether they are infinite if some are."""
    highest = checked(flat, k, signed=False)
    if highest == 0 and k:
        raise ValueError(_ALL_ZERO)
    return np.isposinf(flat).astype(float) if np.isinf(highest) else _in_range(flat, highest)


def tiers(flat: Flat, k: int) -> tuple[Mask, Mask | None, Flat, int]:
    """Return what is certainly kept, among what is still to choose (None: among all), its scores, and how many."""
    highest = checked(flat, k, signed=False)
    positives = int(np.count_nonzero(flat))
    if k <= positives and np.isfinite(highest):
        return np.zeros(flat.size, bool), None, _in_range(flat, highest), k
    infinite = np.isinf(flat)
    infinities = int(np.count_nonzero(infinite))
    if k <= infinities:
        return np.zeros(flat.size, bool), infinite, np.ones(infinities), k
    if k <= positives:
        finite = (flat > 0) & ~infinite
        rest = flat[finite]
        return infinite, finite, _in_range(rest, float(rest.max())), k - infinities
    return flat > 0, flat == 0, np.ones(flat.size - positives), k - positives


def _in_range(flat: Flat, highest: float) -> Flat:
    """Return scores that double precision can add up and divide; those of single precision it can."""
    if flat.dtype == np.float32 or highest == 0:
        return flat
    scaled = flat if 1e-10 < highest < 1e10 else flat / highest
    vanishing = (scaled < 1e-280) & (flat > 0)  # still before zeros, but no longer in proportion
    return np.where(vanishing, 1e-280, scaled) if vanishing.any() else scaled
