"""torch's SGD, with learning rates that are numbers or tensors."""

from typing import Any

import torch


def sgd(
    groups: list[dict[str, Any]], lr: float | torch.Tensor, momentum: float, *, nesterov: bool = False
) -> torch.optim.SGD:
    """Return torch's SGD; if lr is a tensor its fused form, the only one that does not make the host wait for it."""
    fused = True if isinstance(lr, torch.Tensor) else None
    return torch.optim.SGD(groups, lr, momentum, nesterov=nesterov, fused=fused)
