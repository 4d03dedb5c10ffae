"""SGD for the weights and Adam for the logits of gates, as one optimiser."""

from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import torch

from linreg_mirror._tools.arguments import check_momentum, check_nonnegative


class SGDAndAdam(torch.optim.Optimizer):
    """torch.optim.SGD with heavy ball; for groups with `adam_lr`, torch.optim.Adam with that learning rate.

    A schedule that sets `lr` of all groups does not change the learning rate of Adam.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        Parameters or parameter groups; the numbers that follow can be set for each group.
    lr : float or torch.Tensor
        Learning rate of SGD, >= 0. Of a tensor steps are fused, so that they can be captured in a graph.
    momentum : float
        Of SGD, in [0, 1).
    weight_decay : float
        Of either, as torch has it: added to the gradients; >= 0.
    adam_lr : float or None
        Learning rate of Adam, >= 0, with torch's defaults otherwise. None is SGD.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | torch.Tensor,
        momentum: float = 0.0,
        *,
        weight_decay: float = 0.0,
        adam_lr: float | None = None,
    ) -> None:
        own: dict[str, Any] = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "adam_lr": adam_lr}
        if isinstance(lr, torch.Tensor):  # which only fused steps leave where it is
            own |= {"foreach": False, "fused": True, "capturable": lr.is_cuda}
        super().__init__(params, {**self._adam.defaults, **self._sgd.defaults, **own})
        for group in self.param_groups:
            check_momentum(group["momentum"])
            if not isinstance(group["lr"], torch.Tensor):
                check_nonnegative("lr", group["lr"])
            check_nonnegative("weight_decay", group["weight_decay"])
            if group["adam_lr"] is not None:
                check_nonnegative("adam_lr", group["adam_lr"])

    # Neither has parameters of its own: a step lends them groups and state. Copies make theirs anew. Without `foreach`
    # torch steps tensor by tensor on a CPU, in nearly twice the time.
    @cached_property
    def _sgd(self) -> torch.optim.SGD:
        return torch.optim.SGD([{"params": []}], foreach=True)

    @cached_property
    def _adam(self) -> torch.optim.Adam:
        return torch.optim.Adam([{"params": []}], foreach=True)

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step; return what the closure does, which computes loss and gradients anew, or None."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self._sgd.param_groups = [group for group in self.param_groups if group["adam_lr"] is None]
        self._adam.param_groups = [
            {**group, "lr": group["adam_lr"]} for group in self.param_groups if group["adam_lr"] is not None
        ]
        for rule in (self._sgd, self._adam):
            rule.state = self.state
            rule.step()
        return loss
