"""A method's part of each step as hooks of the optimiser, and parameters that optimisers must not go on with."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch

from linreg_mirror.networks.methods._clock import Rate


def theta_groups(optimizer: torch.optim.Optimizer, theta: Sequence[torch.Tensor]) -> list[dict[str, Any]]:
    """Return the groups that hold the parameters behind the weights; raise ValueError if one of these is in none."""
    wanted = set(theta)
    groups = [group for group in optimizer.param_groups if wanted & set(group["params"])]
    held = {parameter for group in groups for parameter in group["params"]}
    missing = len(wanted - held)
    if missing:
        raise ValueError(
            f"the optimiser lacks {missing} of the {len(wanted)} parameters behind the weights: make it after "
            "method.attach(model), by method.optimizer(model, ...) or from method.groups(model, ...)"
        )
    return groups


def rate(groups: Sequence[dict[str, Any]]) -> Rate:
    """Return the learning rate of the groups, or raise ValueError if they have several.

    A tensor is not read: it must be one and the same in all groups.
    """
    if any(isinstance(group["lr"], torch.Tensor) for group in groups):
        if len({id(group["lr"]) for group in groups}) == 1:
            return groups[0]["lr"]
        raise ValueError(
            "the parameters behind the weights have learning rates that are different tensors, and to compare them the "
            "host would wait in every step: leave them in one group, as method.groups(model, ...) does"
        )
    rates = {float(group["lr"]) for group in groups}
    if len(rates) != 1:
        raise ValueError(
            f"the parameters behind the weights have the learning rates {', '.join(map(str, sorted(rates)))}: the "
            "clock of the penalty needs one; leave them in one group, as method.groups(model, ...) does"
        )
    return rates.pop()


def hooked(
    optimizer: torch.optim.Optimizer,
    theta: Sequence[torch.Tensor],
    before_step: Callable[[Rate, torch.optim.Optimizer], None],
    after_step: Callable[[Rate], None],
) -> list[Any]:
    """Make both calls in every step of the optimiser, with its learning rate; return the handles of the hooks.

    A step that GradScaler skips makes neither. In a step with a closure the first call comes after it, when there are
    gradients.
    """

    def penalise() -> None:
        before_step(rate(theta_groups(optimizer, theta)), optimizer)

    def before(optimizer: Any, args: Any, kwargs: Any) -> Any:
        if any(map(callable, (*args, *kwargs.values()))):
            return (
                tuple(_followed(one, penalise) if callable(one) else one for one in args),
                {name: _followed(one, penalise) if callable(one) else one for name, one in kwargs.items()},
            )
        if getattr(optimizer, "found_inf", None) is not None:
            raise RuntimeError(
                "a fused optimiser unscales gradients, and skips steps, where nobody sees it: make it without "
                "fused=True, and GradScaler does so before the step"
            )
        penalise()
        return None

    def after(*_: Any) -> None:
        after_step(rate(theta_groups(optimizer, theta)))

    return [optimizer.register_step_pre_hook(before), optimizer.register_step_post_hook(after)]


def _followed(closure: Callable[[], Any], penalise: Callable[[], None]) -> Callable[[], Any]:
    """Return a closure of one step with the penalty's gradient added to those that it computes."""
    calls = 0

    def followed() -> Any:
        nonlocal calls
        if calls:
            raise RuntimeError(
                "the optimiser computes gradients more than once in a step, as L-BFGS does, and the clock of the "
                "penalty counts one: take torch.optim.SGD or Adam"
            )
        calls += 1
        loss = closure()
        penalise()
        return loss

    return followed


class _Replaced(torch.nn.Parameter):
    """A parameter that no model has any more: optimisers ask for its gradient, and are told."""

    reason: str

    @property
    def grad(self) -> torch.Tensor | None:  # pyright: ignore[reportIncompatibleVariableOverride, reportIncompatibleMethodOverride]
        raise RuntimeError(self.reason)


def retire(parameters: Iterable[torch.Tensor], reason: str) -> None:
    """Let every optimiser that goes on with these parameters raise RuntimeError in `step` and in `zero_grad`."""
    for parameter in parameters:
        if type(parameter) is torch.nn.Parameter:
            replaced: Any = parameter
            replaced.__class__ = _Replaced
            replaced.reason = reason
