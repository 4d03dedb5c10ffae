"""Allocation: which layers compete for places in the mask, and for how many.

An allocation maps groups of layers, tuples of names, to the number of weights that each group keeps. Every function
takes the shapes of the weights by name and the share to keep; the numbers add up to `places(shapes, keep)` exactly.
"""

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

import numpy as np

from sketching._arguments import check_share
from sketching._cites import cites

Shapes = Mapping[str, tuple[int, ...]]
Allocation = dict[tuple[str, ...], int]


class Allocate(Protocol):
    """How places are shared out."""

    def __call__(self, shapes: Shapes, keep: float) -> Allocation:
        """Return how many weights each group of layers keeps."""
        ...


def places(shapes: Shapes, keep: float) -> int:
    """Return how many of all weights are kept: keep times their number, to the nearest integer.

    Raises
    ------
    ValueError
        If keep is not in [0, 1].
    """
    check_share("keep", keep)
    return math.floor(keep * sum(map(math.prod, shapes.values())) + 0.5)


def globally(shapes: Shapes, keep: float) -> Allocation:
    """Let all layers compete: one group.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Shapes of the weights.
    keep : float
        Share of all weights that is kept, in [0, 1].

    Returns
    -------
    dict of tuple of str to int
        How many the one group, of all names, keeps.

    Raises
    ------
    ValueError
        If keep is not in [0, 1].

    Examples
    --------
    >>> import sketching
    >>> sketching.globally({"first": (10, 4), "last": (2, 10)}, keep=0.1)
    {('first', 'last'): 6}
    """
    return {tuple(shapes): places(shapes, keep)}


def uniform(shapes: Shapes, keep: float) -> Allocation:
    """Let every layer keep the same share.

    Parameters
    ----------
    shapes, keep
        As in `globally`.

    Returns
    -------
    dict of tuple of str to int
        How many each layer keeps, a group for each.

    Raises
    ------
    ValueError
        As in `globally`.

    Examples
    --------
    >>> import sketching
    >>> sketching.uniform({"first": (10, 4), "last": (2, 10)}, keep=0.1)
    {('first',): 4, ('last',): 2}
    """
    return _shared_out(shapes, keep, lambda shape: 1.0)


@cites("mocanu2018scalable")
def erdos_renyi(shapes: Shapes, keep: float) -> Allocation:
    """Let layer densities be in proportion to (outputs + inputs)/(outputs * inputs), none above 1.

    Small layers stay denser.

    Parameters
    ----------
    shapes : mapping of str to tuple of int
        Shapes of the weights; they begin with outputs and inputs.
    keep
        As in `globally`.

    Returns
    -------
    dict of tuple of str to int
        How many each layer keeps, a group for each.

    Raises
    ------
    ValueError
        As in `globally`.

    Notes
    -----
    Mocanu et al., Nature Communications 2018.

    Examples
    --------
    >>> import sketching
    >>> sketching.erdos_renyi({"first": (10, 4), "last": (2, 10)}, keep=0.1)
    {('first',): 3, ('last',): 3}
    """
    return _shared_out(shapes, keep, lambda shape: sum(shape[:2]) / math.prod(shape[:2]))


@cites("evci2020rigging")
def erk(shapes: Shapes, keep: float) -> Allocation:
    """Let layer densities be in proportion to the sum of a shape over its product, none above 1.

    Erdos-Renyi-Kernel, which counts the kernels of convolutions as well.

    Parameters
    ----------
    shapes, keep
        As in `globally`.

    Returns
    -------
    dict of tuple of str to int
        How many each layer keeps, a group for each.

    Raises
    ------
    ValueError
        As in `globally`.

    Notes
    -----
    Evci et al., RigL, arXiv 1911.11134.

    Examples
    --------
    >>> import sketching
    >>> sketching.erk({"convolution": (8, 8, 3, 3), "last": (10, 8)}, keep=0.1)
    {('convolution',): 36, ('last',): 30}
    """
    return _shared_out(shapes, keep, lambda shape: sum(shape) / math.prod(shape))


def given(densities: Mapping[str, float]) -> Allocate:
    """Return an allocation with the densities named.

    Parameters
    ----------
    densities : mapping of str to float
        Share that each layer keeps, in [0, 1]. What `keep` then says is not used: the densities say it.

    Returns
    -------
    callable
        (shapes, keep) -> how many each layer keeps, as `globally` and its like.

    Raises
    ------
    ValueError
        If a density is not in [0, 1] or, when called, if names differ from those of the shapes.

    Examples
    --------
    >>> import sketching
    >>> allocate = sketching.given({"first": 0.1, "last": 0.5})
    >>> allocate({"first": (10, 4), "last": (2, 10)}, keep=0.1)
    {('first',): 4, ('last',): 10}
    """
    for name, density in densities.items():
        check_share(f"densities[{name!r}]", density)
    return partial(_as_given, dict(densities))


def _as_given(densities: Mapping[str, float], shapes: Shapes, keep: float) -> Allocation:
    if densities.keys() != shapes.keys():
        differing = ", ".join(sorted(densities.keys() ^ shapes.keys()))
        raise ValueError(f"densities must be given for exactly the layers that have scores; they differ in {differing}")
    return {(name,): places({name: shape}, densities[name]) for name, shape in shapes.items()}


def _shared_out(shapes: Shapes, keep: float, weight: Callable[[tuple[int, ...]], float]) -> Allocation:
    """Share out the places with densities min(1, c weight), rounded to nearest integers, where c makes the sum right.

    A larger c takes no place from any layer. So with more to keep every layer keeps at least as many (rounding the
    largest remainders would not do that), which pruning in rounds relies on.
    """
    total = places(shapes, keep)
    sizes = np.array([math.prod(shape) for shape in shapes.values()], float)
    wanted = sizes * [weight(shape) if math.prod(shape) else 0.0 for shape in shapes.values()]

    def counts(c: float) -> np.ndarray:
        return np.minimum(np.floor(c * wanted + 0.5), sizes)

    low, high = 0.0, float(np.max(np.divide(sizes, wanted, out=np.zeros_like(sizes), where=wanted > 0), initial=0.0))
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if counts(middle).sum() <= total else (low, middle)
    rounded = counts(low)
    # Equal layers get their next place at the same c: the first of them have it.
    next_in_line = np.flatnonzero(counts(high * (1 + 1e-12)) > rounded)
    rounded[next_in_line[: total - int(rounded.sum())]] += 1
    return {(name,): int(count) for name, count in zip(shapes, rounded, strict=True)}
