"""One-shot magnitude pruning."""

from collections.abc import Mapping

import torch

from sketching import select_masks


def largest(
    weights: Mapping[str, torch.Tensor], keep: float, within: Mapping[str, torch.Tensor] | None = None
) -> dict[str, torch.Tensor]:
    """Return masks of the largest weights of all layers together.

    Parameters
    ----------
    weights : mapping of str to torch.Tensor
        By name. If all are zero, the first are kept.
    keep : float
        Share of them that is kept, in [0, 1]: exactly `sketching.allocation.places`.
    within : mapping of str to torch.Tensor, optional
        Masks outside of which nothing can be kept, not even where there is nothing else.

    Returns
    -------
    dict of str to torch.Tensor
        Of bool.

    Raises
    ------
    ValueError
        If keep is not in [0, 1], or a weight is NaN.
    """
    scores = {name: weight.detach().abs() for name, weight in weights.items()}
    if not any(score.any() for score in scores.values()):
        scores = {name: torch.ones_like(score) for name, score in scores.items()}
    return select_masks(scores, keep, within=within)
