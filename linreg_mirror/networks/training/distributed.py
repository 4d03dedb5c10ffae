"""Several processes as one: what torchrun starts, or a single process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import distributed

from linreg_mirror.networks._tools.lists import lists


@dataclass(frozen=True)
class Team:
    """The processes that share a run.

    Attributes
    ----------
    rank : int
        Which of them this one is.
    size : int
        How many there are.
    local : int
        Which of those on its machine.
    """

    rank: int = 0
    size: int = 1
    local: int = 0

    @property
    def leads(self) -> bool:
        """Whether this process writes the results."""
        return self.rank == 0

    def own(self, device: torch.device) -> torch.device:
        """Return the device of this process: of several accelerators one each, unless one is named."""
        if self.size == 1 or device.type == "cpu" or device.index is not None:
            return device
        return torch.device(device.type, self.local)

    def joined(self, model: torch.nn.Module) -> torch.nn.Module:
        """Return the model with batch norm over the joint batch; to be called before others change the model.

        Raises
        ------
        ValueError
            If it has batch norm and is on a CPU, where torch has none over several processes.
        """
        norms = [module for module in model.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
        if self.size == 1 or not norms:
            return model
        if next(model.parameters()).device.type == "cpu":
            raise ValueError(
                f"the model has {len(norms)} batch norms, whose statistics over several processes torch computes on "
                "accelerators alone: train in one process, or without batch norm"
            )
        return torch.nn.SyncBatchNorm.convert_sync_batchnorm(model)

    def wrapped(self, model: torch.nn.Module) -> torch.nn.Module:
        """Return the model as one that averages gradients over all processes."""
        return model if self.size == 1 else torch.nn.parallel.DistributedDataParallel(model)

    def averaged(self, model: torch.nn.Module) -> None:
        """Average gradients over all processes, in one call: what `wrapped` does on the way, where graphs cannot."""
        gradients = [parameter.grad for parameter in model.parameters() if parameter.grad is not None]
        if self.size > 1 and gradients:
            joint = torch.cat([gradient.ravel() for gradient in gradients])
            distributed.all_reduce(joint)
            joint /= self.size
            parts = joint.split([gradient.numel() for gradient in gradients])
            lists._foreach_copy_(gradients, [part.view(own.shape) for part, own in zip(parts, gradients, strict=True)])

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
    members = Team(int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), int(os.environ.get("LOCAL_RANK", "0")))
    if device.type == "cpu":
        distributed.init_process_group("gloo")
    else:
        distributed.init_process_group("nccl", device_id=members.own(device))
    try:
        yield members
    finally:
        distributed.destroy_process_group()
