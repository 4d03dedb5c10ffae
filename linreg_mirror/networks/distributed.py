"""Several processes as one: what torchrun starts, or a single process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed


@dataclass(frozen=True)
class Team:
    """The processes that share a run.

    Attributes
    ----------
    rank : int
        Which of them this one is.
    size : int
        How many there are.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes the results."""
        return self.rank == 0

    def part(self, batch: torch.Tensor) -> torch.Tensor:
        """Return this process's examples of a joint batch."""
        return batch[self.rank :: self.size]

    def wrapped(self, model: torch.nn.Module) -> torch.nn.Module:
        """Return the model as one that averages gradients over all processes."""
        return model if self.size == 1 else torch.nn.parallel.DistributedDataParallel(model)

    def total(self, sums: torch.Tensor) -> torch.Tensor:
        """Add up over all processes."""
        if self.size > 1:
            distributed.all_reduce(sums)
        return sums

    def wait(self) -> None:
        """Wait for all processes."""
        if self.size > 1:
            distributed.barrier()


@contextmanager
def team(device: torch.device) -> Iterator[Team]:
    """Join the processes that torchrun has started; alone, if it has not."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Team()
        return
    distributed.init_process_group("gloo" if device.type == "cpu" else "nccl")
    try:
        yield Team(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
