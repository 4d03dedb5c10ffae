"""The exponential race: entry i arrives after an exponential time with rate s_i, and the k first are kept.

Integrals over time are sums over equal steps of its logarithm. Integrands are analytic there and vanish at both ends,
so that the sums converge exponentially; probabilities are sums and products of positive numbers throughout.
"""

import math
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_NEGLIGIBLE = 40.0  # -log of what is left out at either end
_BLOCK = 2**22  # numbers held at once, twice
_WIDEST = 250  # orders of magnitude between rates


def inclusions(rates: Array, k: int) -> tuple[Array, Array]:
    """Return the probabilities to be kept of entries, shape (d,), and of pairs, shape (d, d), for 0 < k < d.

    Entry i is kept if fewer than k of the others arrive before it; i and j both are if fewer than k - 1 of the others
    arrive before the later of them. The diagonal of the pairs holds the entries.
    """
    d = rates.size
    rates, arrived, absent, measure = _times(rates)
    density = rates * absent * measure[:, None]
    first = np.sum(density * _others_at_most(arrived, absent, k - 1), axis=0)
    pairs = np.diag(first / 2)
    for i in range(d):
        rest = np.arange(d) != i
        few = _others_at_most(arrived[:, rest], absent[:, rest], k - 2)
        pairs[i, rest] = density[:, i] @ (arrived[:, rest] * few)
    return first, pairs + pairs.T


def threshold_variances(rates: Array, k: int) -> Array:
    """Return E 1/(exp(s_i tau) - 1), tau the k-th arrival among the others, shape (d,), for 0 < k < d.

    By parts it is the integral of s_i e/(e - 1)^2, e = exp(s_i t), times the probability that k of the others arrive
    before t, which is about t^k: infinite for k = 1.
    """
    d = rates.size
    if k == 1:
        return np.full(d, np.inf)
    rates, arrived, absent, measure = _times(rates)
    # That k or more of d - 1 have arrived is that d - 1 - k or fewer are absent.
    many = _others_at_most(absent, arrived, d - 1 - k)
    return measure @ ((rates / arrived) * absent * (many / arrived))


def _times(rates: Array) -> tuple[Array, Array, Array, Array]:
    """Return rates in units of their sum, who has arrived or is absent at many times, (T, d), and dt, (T,)."""
    if rates.max() > 10.0**_WIDEST * rates.min():
        raise ValueError(
            f"scores from {rates.min():.3g} to {rates.max():.3g} differ by more than a factor 1e{_WIDEST}: set those "
            "that are negligible to 0"
        )
    rates = rates / rates.max()
    rates /= rates.sum()
    # The count of arrivals moves from 0 to d within a few times 1/sqrt(d), where d is large.
    step = min(0.25, 0.5 / math.sqrt(rates.size))
    t = np.exp(np.arange(-_NEGLIGIBLE, math.log(_NEGLIGIBLE / rates.min()), step))
    exponents = np.multiply.outer(-t, rates)
    return rates, -np.expm1(exponents), np.exp(exponents), step * t


def _others_at_most(yes: Array, no: Array, most: int) -> Array:
    """Return the probability that at most so many of the others say yes, leaving out each in turn, (T, d) -> (T, d)."""
    T, d = yes.shape
    if most < 0:
        return np.zeros((T, d))
    room = min(most, d - 1) + 1
    rows = max(1, _BLOCK // (d * room))
    return np.concatenate([_left_out(yes[i : i + rows], no[i : i + rows], room) for i in range(0, T, rows)])


def _left_out(yes: Array, no: Array, room: int) -> Array:
    """Return the probability that fewer than `room` of the others say yes, leaving out each in turn."""

    def counts(order: Iterable[int]) -> Iterator[Array]:
        """Yield the distribution of how many of the entries before each one say yes, as far as there is room."""
        p = np.zeros((len(yes), room))
        p[:, 0] = 1.0
        for j in order:
            yield p
            moved = p * no[:, j, None]
            moved[:, 1:] += p[:, :-1] * yes[:, j, None]
            p = moved

    d = yes.shape[1]
    before, after = list(counts(range(d))), list(counts(reversed(range(d))))
    at_most = [
        np.sum(left * np.cumsum(right, axis=1)[:, ::-1], axis=1)
        for left, right in zip(before, reversed(after), strict=True)
    ]
    return np.stack(at_most, axis=1)
