"""Expectations over masks by enumeration: every outcome with its probability, counted without `sketching.mask_moments`.

An ensemble is a pair of probabilities, shape (N,), and masks, (N, d). Those of `code_*` hold what the selections of
`sketching` return when all their random numbers are prescribed.
"""

from functools import cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._types import Array
from linreg_mirror.ledger import Hypothesis, Instance
from linreg_mirror.ledger import hypotheses as h
from sketching import selection

Ensemble = tuple[Array, Array]

# Each problem once.
PAIRED = (
    h.hadamard,
    h.unbalanced,
    h.squared,
    h.biased,
    h.no_penalty,
    h.equal_scales,
    Hypothesis("two features or more", lambda it: it.problem.d >= 2),
    Hypothesis("no |X_i||w_i| is 0", lambda it: bool(lengths(*linear_model(it)[:2]).all())),
)
# Where all columns are parallel they are orthogonal to a residual together, and draws may have no error at all.
SPREAD = Hypothesis("two features that are not parallel", lambda it: np.linalg.matrix_rank(linear_model(it)[0]) >= 2)
MASKED = (*PAIRED, Hypothesis("three features or more", lambda it: it.problem.d >= 3))


def linear_model(it: Instance, features: int = 5) -> tuple[Array, Array, int]:
    """Return X and w of the first few features, and how many are to be kept: 3, or fewer where there are few."""
    X = it.problem.X[:, :features]
    return X, it.network.effective(it.network.theta0)[:features], min(3, X.shape[1] - 1)


def lengths(X: Array, w: Array) -> Array:
    """Return a_i = |X_i||w_i|."""
    return np.sqrt((X**2).sum(axis=0)) * np.abs(w)


def squared_errors(X: Array, w: Array, masks: Array) -> Array:
    """Return |X(w*m) - Xw|^2 for each mask."""
    return (((masks - 1) * w @ X.T) ** 2).sum(axis=1)


def mean_error(X: Array, w: Array, ensemble: Ensemble) -> float:
    """Return E|X(w*m) - Xw|^2."""
    return float(ensemble[0] @ squared_errors(X, w, ensemble[1]))


@cache
def _tuples(d: int, k: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return all d^k outcomes of k draws, shape (d^k, k), and how often each entry is among them, (d^k, d)."""
    drawn = np.array(list(product(range(d), repeat=k)))
    return drawn, (drawn[:, :, None] == np.arange(d)).sum(axis=1)


@cache
def _masks(d: int) -> Array:
    return np.array(list(product([0.0, 1.0], repeat=d)))


def by_draws(p: Array, k: int) -> Ensemble:
    """Return all d^k outcomes of k draws with replacement, rescaled: (times drawn)/(k p)."""
    drawn, counts = _tuples(p.size, k)
    return p[drawn].prod(axis=1), counts / (k * p)


def by_tosses(q: Array) -> Ensemble:
    """Return all 2^d outcomes of independent tosses, as 0 and 1."""
    masks = _masks(q.size)
    return np.where(masks == 1, q, 1 - q).prod(axis=1), masks.copy()


def by_succession(scores: Array, k: int) -> Ensemble:
    """Return all ordered draws of k different entries, each in proportion to the scores of those that are left."""
    drawn, counts = _tuples(scores.size, k)
    once = counts.max(axis=1) == 1
    drawn, masks = drawn[once], counts[once].astype(float)
    # Before the j-th draw those are left that none of the draws before it took.
    which = (drawn[:, :, None] == np.arange(scores.size)).astype(int)
    taken = which.cumsum(axis=1) - which
    return (scores[drawn] / ((1 - taken) @ scores)).prod(axis=1), masks


def filled(scores: Array, k: int) -> Array:
    """Return min(1, c scores) with sum k, trying how many of the largest are cut off."""
    descending = np.sort(scores)[::-1]
    cut = next(j for j in range(k) if (k - j) * descending[j] <= descending[j:].sum())
    return np.minimum(1.0, (k - cut) / descending[cut:].sum() * scores)


class Scripted(np.random.Generator):
    """A generator whose next random numbers are prescribed."""

    def __init__(self, numbers: Any) -> None:
        super().__init__(np.random.PCG64(0))
        self.numbers = np.asarray(numbers, float)

    def random(self, size: Any = None, *_: Any, **__: Any) -> Any:
        """Return the numbers."""
        return self._all(size)

    def standard_exponential(self, size: Any = None, *_: Any, **__: Any) -> Any:
        """Return the numbers."""
        return self._all(size)

    def _all(self, size: Any) -> Any:
        if self.numbers.shape != (() if size is None else tuple(np.atleast_1d(size))):
            raise ArithmeticError(f"{self.numbers.shape} random numbers were prescribed, {size} asked for")
        return self.numbers.copy()[()]


def code_draws(scores: Array, k: int, rescale: bool) -> Ensemble:
    """Let `with_replacement` meet each outcome: partial sums of its exponentials are the places of sorted draws."""
    p = scores / scores.sum()
    middles = np.cumsum(p) - p / 2
    drawn, _ = _tuples(p.size, k)
    sorts, place = np.unique(np.sort(drawn, axis=1), axis=0, return_inverse=True)  # the order makes no difference
    masks = []
    for order in sorts:
        gaps = np.diff(middles[order], prepend=0.0, append=1.0)
        masks.append(selection.with_replacement(scores, k, Scripted(gaps), rescale=rescale))
    return p[drawn].prod(axis=1), np.array(masks, float)[place.ravel()]


def code_tosses(scores: Array, k: int, rescale: bool) -> Ensemble:
    """Let `bernoulli` meet each outcome."""
    probabilities, outcomes = by_tosses(filled(scores, k))
    never = np.nextafter(1.0, 0.0)
    masks = [selection.bernoulli(scores, k, Scripted(never * (1 - one)), rescale=rescale) for one in outcomes]
    return probabilities, np.array(masks, float)


def code_comb(scores: Array, k: int, rescale: bool) -> Ensemble:
    """Let `systematic` meet a uniform number from each interval on which its mask is constant."""
    breaks = np.unique(np.concatenate([[0.0, 1.0], np.cumsum(filled(scores, k)) % 1]))
    middles = (breaks[1:] + breaks[:-1]) / 2
    masks = [selection.systematic(scores, k, Scripted(u), rescale=rescale) for u in middles]
    return np.diff(breaks), np.array(masks, float)
