"""The smallest or largest of many weights, chosen on their device; `largest` makes the host wait for each weight."""

from collections.abc import Mapping

import torch

from sketching.allocation import places


def first(values: torch.Tensor, count: float | torch.Tensor) -> torch.Tensor:
    """Return where the smallest values are, as many as `count` says, rounded down; of equal ones the first."""
    order = values.flatten().sort(stable=True).indices
    chosen = torch.arange(1, len(order) + 1, device=values.device) <= count
    return torch.empty_like(chosen).scatter_(0, order, chosen).view_as(values)


def keep_largest(weights: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor], share: float) -> None:
    """Shrink masks to the largest weights of all layers together, a share of them all; of equal ones the first."""
    sizes = torch.cat([x.abs().masked_fill(~masks[name], -1).flatten() for name, x in weights.items()])
    kept = first(-sizes, places({"": sizes.shape}, share))
    for mask, part in zip(masks.values(), kept.split([mask.numel() for mask in masks.values()]), strict=True):
        mask.copy_(part.view_as(mask))
