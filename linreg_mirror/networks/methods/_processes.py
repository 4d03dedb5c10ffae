"""Training in several processes: numbers that all must share, and weights of which each has a part."""

from typing import Any

import torch
from torch import distributed


def shared_mean(value: float, like: torch.Tensor) -> float:
    """Return the mean over all processes, the same in each; the value itself if there is one process.

    Parameters
    ----------
    value : float
        What this process has.
    like : torch.Tensor
        On the device that the processes talk through.
    """
    if not (distributed.is_available() and distributed.is_initialized()) or distributed.get_world_size() == 1:
        return value
    sums = torch.tensor(value, dtype=torch.float64, device=like.device)
    distributed.all_reduce(sums)
    return sums.item() / distributed.get_world_size()


def sharded(tensor: torch.Tensor) -> bool:
    """Whether this process has a part of the tensor only, as after `torch.distributed.fsdp.fully_shard`."""
    return hasattr(tensor, "full_tensor")


def whole(tensor: Any) -> torch.Tensor:
    """Return the tensor with the parts of all processes."""
    return tensor.full_tensor() if sharded(tensor) else tensor
