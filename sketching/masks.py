"""From the scores of a network to its masks, at once or in rounds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from sketching._arguments import check_count, check_share
from sketching._arrays import flattened, real
from sketching._warnings import warn as warn_user
from sketching.allocation import Allocate, globally
from sketching.selection import top_k

Masks = dict[str, Any]


class Select(Protocol):
    """How entries are chosen by their scores: one of the functions in `selection`, perhaps with arguments bound."""

    def __call__(self, scores: Any, k: int, rng: Any) -> Any:
        """Return a mask, or factors, of the shape of the scores."""
        ...


def select_masks(
    scores: Mapping[str, Any],
    keep: float,
    *,
    select: Select = top_k,
    allocate: Allocate = globally,
    rng: np.random.Generator | None = None,
    within: Mapping[str, Any] | None = None,
    warn: bool = True,
) -> Masks:
    """Choose which weights are kept.

    Parameters
    ----------
    scores : mapping of str to array
        Scores of every layer, NumPy arrays or torch tensors; larger ones are kept.
    keep : float
        Share of all weights that is kept, in [0, 1]; `allocation.places` says how many these are.
    select : callable
        How entries are chosen: `top_k`, `gumbel_top_k`, `systematic`, `bernoulli`, `with_replacement`, or, for factors
        with expectation 1 instead of a mask, such as `functools.partial(gumbel_top_k, rescale=True)`.
    allocate : callable
        Which layers compete, and for how many places: `globally`, `uniform`, `erdos_renyi`, `erk`, `given(densities)`.
    rng : numpy.random.Generator, optional
        Source of all randomness; all selections but `top_k` need it.
    within : mapping of str to array, optional
        Masks that were found before: only what these keep can be kept, all of it if it is no more than asked for, and
        factors are multiplied.
    warn : bool
        Whether to warn if nothing is left of a layer, though keep is above 0.

    Returns
    -------
    dict of str to array
        A mask (bool) or factors (float) for every layer, of the kind, shape and device of its scores.

    Raises
    ------
    ValueError
        If there are no scores, keep is not in [0, 1], the selection refuses the scores (NaN, negative, all zero), or
        `within` has other layers or shapes.
    TypeError
        If the selection needs a generator and gets none.

    Warns
    -----
    UserWarning
        If nothing is left of a layer: what comes after it sees no input. The blind network still trains.

    Examples
    --------
    >>> import numpy as np
    >>> import sketching
    >>> scores = {"first": np.array([[4.0, 1.0], [3.0, 2.0]]), "last": np.array([[6.0, 5.0]])}
    >>> masks = sketching.select_masks(scores, keep=0.5)
    >>> {name: mask.tolist() for name, mask in masks.items()}
    {'first': [[True, False], [False, False]], 'last': [[True, True]]}
    """
    _check_function("select", select, "sketching.top_k")
    _check_function("allocate", allocate, "sketching.erk")
    if not scores:
        raise ValueError("scores are empty: give an array for each weight, such as network_scores.magnitude(model)")
    check_share("keep", keep)
    scores = {name: real(f"scores of {name}", array) for name, array in scores.items()}
    shapes = {name: tuple(array.shape) for name, array in scores.items()}
    if within is not None and {name: np.shape(array) for name, array in within.items()} != shapes:
        raise ValueError("masks to stay within must have the names and shapes of the scores")
    masks: Masks = {}
    for names, k in allocate(shapes, keep).items():
        parts, likes = zip(*(flattened(scores[name]) for name in names), strict=True)
        before = None if within is None else np.concatenate([flattened(within[name])[0] for name in names])
        try:
            chosen = _chosen(np.concatenate(parts), before, k, select, rng)
        except ValueError as error:
            broken = [name for name, part in zip(names, parts, strict=True) if np.isnan(part).any()]
            raise ValueError(f"{_listed(broken or names)}: {error}") from None
        chosen = np.split(chosen, np.cumsum([part.size for part in parts])[:-1])
        masks |= {name: like(part) for name, like, part in zip(names, likes, chosen, strict=True)}
    if warn:
        _warn_of_empty(masks, keep)
    return {name: masks[name] for name in scores}


def _warn_of_empty(masks: Masks, keep: float) -> None:
    empty = [name for name, mask in masks.items() if not mask.any()]
    if keep > 0 and empty:
        warn_user(
            f"keep={keep} leaves nothing of {', '.join(empty)}: write allocate=sketching.erk, keep more, or leave "
            "it out of what is pruned"
        )


def _check_function(name: str, value: Any, example: str) -> None:
    if not callable(value):
        raise TypeError(f"{name} must be a function such as {example}, got {type(value).__name__}")


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{names[0]}, ..., {names[-1]} ({len(names)} layers)"


def _chosen(flat: np.ndarray, before: np.ndarray | None, k: int, select: Select, rng: Any) -> np.ndarray:
    if before is None:
        return select(flat, k, rng)
    left = before != 0
    k = min(k, int(np.count_nonzero(left)))
    picked = select(flat[left], k, rng)
    chosen = np.zeros(flat.size, picked.dtype)
    chosen[left] = picked if picked.dtype == bool else picked * before[left]
    return chosen


def iterative_masks(
    score: Callable[[Masks | None], Mapping[str, Any]],
    keep: float,
    *,
    rounds: int = 100,
    select: Select = top_k,
    allocate: Allocate = globally,
    rng: np.random.Generator | None = None,
    warn: bool = True,
) -> Masks:
    """Prune in rounds, with new scores in each: what is left after round r of R is the share keep^(r/R).

    With SynFlow and 100 rounds this is Tanaka et al. (arXiv 2006.05467), whose scores must be computed again as layers
    thin out. Every round leaves its share to the nearest integer, as `allocation.places` says; in their code the number
    that goes is rounded down.

    Parameters
    ----------
    score : callable
        Masks -> scores of the network that these masks leave; None stands for the whole network. For example
        ``lambda masks: network_scores.synflow(model, inputs, masks=masks)``.
    keep : float
        Share of all weights that is left in the end, in [0, 1].
    rounds : int
        How many, at least 1.
    select, allocate, rng
        As in `select_masks`. What is pruned once stays pruned; so `with_replacement`, which keeps fewer than it draws,
        ends with far fewer than asked for, if with any; and `given` densities leave nothing to prune after round 1.
    warn : bool
        As in `select_masks`, of the masks in the end.

    Returns
    -------
    dict of str to array
        A mask (bool) or factors (float) for every layer, of the kind, shape and device of its scores.

    Raises
    ------
    ValueError, TypeError
        As `select_masks`.

    Warns
    -----
    UserWarning
        As `select_masks`.

    Examples
    --------
    >>> import torch
    >>> import sketching
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> masks = sketching.iterative_masks(
    ...     lambda masks: sketching.network_scores.synflow(model, (4,), masks=masks), keep=0.25, rounds=10
    ... )
    >>> sum(int(mask.sum()) for mask in masks.values())  # of 48
    12
    """
    check_share("keep", keep)
    check_count("rounds", rounds, least=1)
    _check_function("score", score, "lambda masks: network_scores.synflow(model, inputs, masks=masks)")
    scores, masks = score(None), None
    shapes = {name: tuple(real(f"scores of {name}", array).shape) for name, array in scores.items()}
    if not any(allocate(shapes, keep).values()):
        rounds = 1  # a round before the end might leave nothing to score, or nothing that scores above 0
    for number in range(1, rounds):
        masks = select_masks(
            scores,
            keep ** (number / rounds),
            select=select,
            allocate=allocate,
            rng=rng,
            within=masks,
            warn=False,
        )
        scores = score(masks)
    return select_masks(scores, keep, select=select, allocate=allocate, rng=rng, within=masks, warn=warn)
