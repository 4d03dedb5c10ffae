"""One step of training, and the sums of an epoch, which stay on the device."""

from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy

from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.training.precision import autocast


class Step:
    """Forward, backward and, by the optimiser and its hooks, penalty and update: nothing in it waits for the device.

    Parameters
    ----------
    forward : callable
        The model in training, perhaps compiled or wrapped for several processes.
    optimizer : torch.optim.Optimizer
        That moves it.
    recipe : Recipe
        For its precision.
    device : torch.device
        Of both.
    processes : int
        How many there are, whose gradients are averaged.

    Attributes
    ----------
    sums : torch.Tensor, shape (2,)
        Of the losses, and of right answers, of all examples since `begin`.
    share : callable or None
        Averages gradients over the processes, where the forward pass has not seen to it.
    """

    def __init__(
        self,
        forward: Callable[[torch.Tensor], torch.Tensor],
        optimizer: torch.optim.Optimizer,
        recipe: Recipe,
        device: torch.device,
        processes: int = 1,
    ) -> None:
        self.forward, self.optimizer, self.recipe, self.device = forward, optimizer, recipe, device
        self.processes = processes
        self.share: Callable[[], None] | None = None
        self.sums = torch.zeros(2, dtype=torch.float64, device=device)

    def begin(self) -> None:
        """Begin an epoch."""
        self.sums.zero_()

    def set_rate(self, lr: float) -> None:
        """Set the learning rate of all groups, in place where it is a tensor, as graphs want it."""
        rates = {id(rate): rate for rate in (group["lr"] for group in self.optimizer.param_groups)}
        tensors = [rate for rate in rates.values() if isinstance(rate, torch.Tensor)]
        for rate in tensors:
            rate.fill_(lr)
        if not tensors:
            for group in self.optimizer.param_groups:
                group["lr"] = lr

    def __call__(self, inputs: torch.Tensor, labels: torch.Tensor, joint: int) -> None:
        """Take a step.

        Parameters
        ----------
        inputs, labels : torch.Tensor
            What this process has of the batch.
        joint : int
            Examples in the whole batch.
        """
        with autocast(self.recipe, self.device):
            outputs = self.forward(inputs)
            # Gradients are averaged over the processes: so these become those of the mean over the joint batch.
            loss = cross_entropy(outputs, labels, reduction="sum") / joint * self.processes
        self.optimizer.zero_grad()
        loss.backward()
        if self.share is not None:
            self.share()
        self.optimizer.step()
        with torch.no_grad():
            self.sums[0] += loss.detach() * joint / self.processes
            self.sums[1] += (outputs.argmax(1) == labels).sum()
