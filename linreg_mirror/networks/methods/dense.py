"""Plain training, pruned at the end."""

from typing import Any

import torch

from linreg_mirror.networks.methods.base import BaseMethod


class Dense(BaseMethod):
    """One-shot magnitude pruning: train the weights as they are, with weight decay, and keep the largest at the end."""

    takes_shards = True
    takes_graph = True

    def __init__(self) -> None:
        super().__init__(alpha=0.0)

    def groups(self, model: torch.nn.Module, *, momentum: float, weight_decay: float) -> list[dict[str, Any]]:
        """Return all parameters, with weight decay."""
        groups = super().groups(model, momentum=momentum, weight_decay=weight_decay)
        return [group | {"weight_decay": weight_decay} for group in groups]
