"""Rows of X that are zero, or another row times a power of two: what they say of x has been said."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._types import Array


@dataclass(frozen=True, eq=False)
class Repeats:
    """Row i of X, and its target, is exactly factors_i times that of kept[of_i].

    Attributes
    ----------
    kept : array of int, shape (m,)
        Rows that are left.
    of : array of int, shape (n,)
        Places in `kept`.
    factors : array, shape (n,)
        Powers of two, with a sign; 0 for rows of zeros.
    """

    kept: NDArray[np.intp]
    of: NDArray[np.intp]
    factors: Array

    def merged(self, s: Array) -> Array:
        """Return the dual vector of the rows that are kept for one of all of them, up to rounding."""
        return np.bincount(self.of, weights=self.factors * s, minlength=len(self.kept)).astype(float)

    def spread(self, s: Array) -> Array:
        """Return a dual vector of all rows for one of those that are kept, exactly."""
        whole = np.zeros(len(self.of))
        whole[self.kept] = s
        return whole


def repeats(X: Array, y: Array) -> Repeats | None:
    """Find rows that repeat others; None if there are none, or if only zeros would be left.

    Parameters
    ----------
    X : array, shape (n, d)
        Features.
    y : array, shape (n,)
        Targets. A row whose target contradicts that of another is no repeat of it.
    """
    exponents = np.frexp(np.abs(X).max(axis=1))[1]
    signs = np.where(X[np.arange(len(X)), np.argmax(X != 0, axis=1)] < 0, -1.0, 1.0)
    both = signs[:, None] * np.column_stack([X, y]) + 0.0  # no zero is negative
    units = np.ldexp(both, -exponents[:, None])
    if not np.array_equal(np.ldexp(units, exponents[:, None]), both):
        return None  # an entry has underflown
    kept: list[int] = []
    seen: dict[bytes, int] = {}
    of, factors = np.zeros(len(X), int), np.zeros(len(X))
    for i, unit in enumerate(units):
        if unit.any():
            of[i] = seen.setdefault(unit.tobytes(), len(kept))
            kept += [i] if of[i] == len(kept) else []
            first = kept[of[i]]
            factors[i] = signs[i] * signs[first] * np.ldexp(1.0, exponents[i] - exponents[first])
    return Repeats(np.array(kept), of, factors) if 0 < len(kept) < len(X) else None
