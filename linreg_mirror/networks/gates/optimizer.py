"""SGD for the weights and Adam for the logits of gates, as one optimiser."""

from collections.abc import Callable, Iterable
from typing import Any

import torch

from linreg_mirror._tools.arguments import check_momentum
from linreg_mirror.networks._tools.arguments import check_nonnegative
from linreg_mirror.networks._tools.lists import lists

_FIRST, _SECOND, _EPSILON = 0.9, 0.999, 1e-8


class SGDAndAdam(torch.optim.Optimizer):
    """torch.optim.SGD with heavy ball; for groups with `adam_lr`, torch.optim.Adam with that learning rate.

    So whoever sets `lr` of all groups, as schedules do, leaves the learning rate of Adam as it is.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        Parameters or parameter groups; the numbers that follow can be set for each group.
    lr : float
        Learning rate of SGD, >= 0.
    momentum : float
        Of SGD, in [0, 1).
    weight_decay : float
        Of SGD, >= 0.
    adam_lr : float or None
        Learning rate of Adam, >= 0, with its usual other settings: 0.9, 0.999, 1e-8. None is SGD.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        momentum: float = 0.0,
        *,
        weight_decay: float = 0.0,
        adam_lr: float | None = None,
    ) -> None:
        defaults = {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "adam_lr": adam_lr}
        super().__init__(params, defaults)
        for group in self.param_groups:
            check_momentum(group["momentum"])
            check_nonnegative("lr", group["lr"])
            check_nonnegative("weight_decay", group["weight_decay"])
            if group["adam_lr"] is not None:
                check_nonnegative("adam_lr", group["adam_lr"])

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step; return what the closure does, which computes loss and gradients anew, or None."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            gradients = [p.grad for p in parameters]
            if parameters and group["adam_lr"] is None:
                self._sgd(parameters, gradients, group)
            elif parameters:
                self._adam(parameters, gradients, group["adam_lr"])
        return loss

    def _sgd(self, parameters: list[torch.Tensor], gradients: list[Any], group: dict[str, Any]) -> None:
        if group["weight_decay"]:
            gradients = lists._foreach_add(gradients, parameters, alpha=group["weight_decay"])
        if group["momentum"]:
            buffers = self._states(parameters, "momentum_buffer")
            lists._foreach_mul_(buffers, group["momentum"])
            lists._foreach_add_(buffers, gradients)
            gradients = buffers
        lists._foreach_add_(parameters, gradients, alpha=-group["lr"])

    def _adam(self, parameters: list[torch.Tensor], gradients: list[Any], lr: float) -> None:
        first, second = self._states(parameters, "exp_avg"), self._states(parameters, "exp_avg_sq")
        lists._foreach_lerp_(first, gradients, 1 - _FIRST)
        lists._foreach_mul_(second, _SECOND)
        lists._foreach_addcmul_(second, gradients, gradients, 1 - _SECOND)
        sizes = lists._foreach_sqrt(second)
        for parameter, mean, size in zip(parameters, first, sizes, strict=True):
            step = self.state[parameter]["step"] = self.state[parameter].get("step", 0) + 1
            size.div_((1 - _SECOND**step) ** 0.5).add_(_EPSILON)
            parameter.addcdiv_(mean, size, value=-lr / (1 - _FIRST**step))

    def _states(self, parameters: list[torch.Tensor], name: str) -> list[torch.Tensor]:
        """Return what is remembered of each parameter under this name, zeros at first."""
        for parameter in parameters:
            if name not in self.state[parameter]:
                self.state[parameter][name] = torch.zeros_like(parameter)
        return [self.state[parameter][name] for parameter in parameters]
