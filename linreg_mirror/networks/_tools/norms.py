"""What weights are measured by, layer by layer and on their device."""

from collections.abc import Iterable

import torch


def l1_norms(weights: Iterable[torch.Tensor]) -> torch.Tensor:
    """Return |x|_1 of each of the weights, shape (number of weights,) in double precision."""
    wide = (x.to(torch.promote_types(x.dtype, torch.float32)) for x in weights)
    return torch.stack([x.abs().sum().double() for x in wide])


def near_zero(weights: Iterable[torch.Tensor]) -> torch.Tensor:
    """Return how many of each weight are at most a thousandth of the largest of it, shape (number of weights,)."""
    return torch.stack([(x.abs() <= 1e-3 * x.abs().max()).sum() for x in weights])
