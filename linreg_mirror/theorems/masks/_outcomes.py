"""Masks and gates in symbols, enumerated: a list of outcomes, each a probability and a mask; and the linear model.

What `draws` has in numbers, for derivations.
"""

from collections.abc import Callable, Sequence
from itertools import product
from math import prod
from typing import Any

Outcomes = list[tuple[Any, tuple[Any, ...]]]


def tosses(q: Sequence[Any], rescale: bool = False) -> Outcomes:
    """Return all outcomes of independent tosses: 1, or 1/q_i, with probability q_i, else 0."""
    ways = [((q_i, 1 / q_i if rescale else 1), (1 - q_i, 0)) for q_i in q]
    return [(prod(p for p, _ in way), tuple(one for _, one in way)) for way in product(*ways)]


def draws(p: Sequence[Any], k: int, rescale: bool = True) -> Outcomes:
    """Return all outcomes of k draws with replacement: (times drawn)/(k p_i), or 1 if drawn at all."""
    found = []
    for order in product(range(len(p)), repeat=k):
        counts = [order.count(i) for i in range(len(p))]
        mask = tuple(n / (k * p_i) if rescale else min(n, 1) for n, p_i in zip(counts, p, strict=True))
        found.append((prod(p[i] for i in order), mask))
    return found


def mean(outcomes: Outcomes, value: Callable[[tuple[Any, ...]], Any]) -> Any:
    """Return the expectation of a function of the mask."""
    return sum(probability * value(mask) for probability, mask in outcomes)


def positive(sp: Any, d: int = 3, name: str = "a") -> tuple[Any, ...]:
    """Return positive symbols."""
    return sp.symbols(f"{name}1:{d + 1}", positive=True)


def products(sp: Any, a: Sequence[Any]) -> Any:
    """Return all w_i w_j X_i'X_j: a_i^2 on the diagonal, a_i a_j times cosines off it. Samples may be any number."""
    d = len(a)
    return sp.Matrix(d, d, lambda i, j: a[i] * a[j] * (1 if i == j else sp.Symbol(f"c{min(i, j) + 1}{max(i, j) + 1}")))


def error_of(inner: Any, outcomes: Outcomes) -> Any:
    """Return E|X(w*m) - Xw|^2 from the products of `products`."""
    d = range(inner.rows)
    return mean(outcomes, lambda m: sum((m[i] - 1) * (m[j] - 1) * inner[i, j] for i in d for j in d))


def shares(scores: Sequence[Any]) -> list[Any]:
    """Return scores divided by their sum."""
    return [one / sum(scores) for one in scores]
