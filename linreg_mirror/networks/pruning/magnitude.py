"""One-shot magnitude pruning: of all layers together, of layers or patterns apart, or n of every m inputs."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import Any

import torch

from sketching import n_of_m, select_masks

Keep = float | str | Mapping[str, float | str]
Masks = dict[str, torch.Tensor]


def largest(weights: Mapping[str, torch.Tensor], keep: Keep, within: Mapping[str, torch.Tensor] | None = None) -> Masks:
    """Return masks of the largest weights of all layers together, or of groups of layers.

    Parameters
    ----------
    weights : mapping of str to torch.Tensor
        By name. If all are zero, the first are kept.
    keep : float, str or mapping of str to these
        Share of the weights that is kept, in [0, 1]: exactly `sketching.allocation.places`. "2:4" keeps two of every
        four neighbouring inputs, as `sketching.n_of_m`. A mapping has one of these for each name or pattern, such as
        {"head.weight": 1, "*": 0.05}: a weight belongs to the first that it matches, and those of a pattern compete.
    within : mapping of str to torch.Tensor, optional
        Masks outside of which nothing can be kept, not even where there is nothing else.

    Returns
    -------
    dict of str to torch.Tensor
        Of bool.

    Raises
    ------
    ValueError
        If a share is not in [0, 1], a weight is NaN, m does not divide the inputs of a layer, a pattern matches nothing
        that is left to it, or a weight matches none.
    """
    if not isinstance(keep, Mapping):
        return _kept(weights, keep, within)
    masks: Masks = {}
    rest = list(weights)
    for pattern, share in keep.items():
        names = [name for name in rest if fnmatchcase(name, pattern)]
        if not names:
            raise ValueError(
                f"keep: {pattern!r} matches no weight that is left to it of {', '.join(weights)}: a weight belongs to "
                "the first pattern that it matches"
            )
        rest = [name for name in rest if name not in names]
        inner = None if within is None else {name: within[name] for name in names}
        masks |= _kept({name: weights[name] for name in names}, share, inner)
    if rest:
        raise ValueError(f"keep says nothing of {', '.join(rest)}: write '*' for all that is left, with 1 to keep it")
    return {name: masks[name] for name in weights}


def _kept(weights: Mapping[str, torch.Tensor], keep: Any, within: Mapping[str, torch.Tensor] | None) -> Masks:
    scores = {name: weight.detach().abs() for name, weight in weights.items()}
    if isinstance(keep, str):
        return _patterned(scores, keep, within)
    if not any(score.any() for score in scores.values()):
        scores = {name: torch.ones_like(score) for name, score in scores.items()}
    return select_masks(scores, keep, within=within, warn=False)


def _patterned(scores: Masks, pattern: str, within: Mapping[str, torch.Tensor] | None) -> Masks:
    """Return masks of n of every m inputs."""
    found = re.fullmatch(r"(\d+):(\d+)", pattern)
    if found is None:
        raise ValueError(f"keep is a share in [0, 1], or n:m such as '2:4', got {pattern!r}")
    n, m = map(int, found.groups())
    unfit = [name for name, score in scores.items() if score.ndim < 2 or score.shape[1] % max(m, 1)]
    if unfit:
        raise ValueError(
            f"{pattern} needs a multiple of {m} inputs, which {', '.join(unfit)} lack: keep these whole, "
            f"keep={ {**dict.fromkeys(unfit, 1), '*': pattern} }"
        )
    masks = {name: n_of_m(score, n, m) for name, score in scores.items()}
    return masks if within is None else {name: mask & within[name] for name, mask in masks.items()}
