"""Whether a step is being captured as a graph, in which nothing may be made that the next step must find."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

_under_way: list[None] = []

_FIRST = "take three steps before the one that is captured, in which states are made, such as momentum"


@contextmanager
def capturing() -> Iterator[None]:
    """Capture a step; raise ValueError if an optimiser makes its state in it, which replays would make anew."""
    before: dict[int, set[tuple[int, str]]] = {}

    def look(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        before[id(optimizer)] = _states(optimizer)

    def compare(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        if _states(optimizer) != before[id(optimizer)]:
            raise ValueError(f"the optimiser has no state yet, and every replay would begin with none: {_FIRST}")

    hooks = register_optimizer_step_pre_hook(look), register_optimizer_step_post_hook(compare)
    _under_way.append(None)
    try:
        yield
    finally:
        _under_way.pop()
        for hook in hooks:
            hook.remove()


def check_made_before(what: str) -> None:
    """Raise ValueError if a step is being captured, in which `what` is made."""
    if _under_way:
        raise ValueError(f"{what} is made in the step that is captured, and every replay would make it anew: {_FIRST}")


def check_rate(lr: Any) -> None:
    """Raise ValueError if a step is being captured with a learning rate that is a number, as replays keep it."""
    if _under_way and not isinstance(lr, torch.Tensor):
        raise ValueError(
            f"the learning rate of the step that is captured is the number {lr}, with which all replays would go on, "
            "and A would stand still: write lr=torch.tensor(0.1, device=...), and change it by lr.fill_(...)"
        )


def _states(optimizer: torch.optim.Optimizer) -> set[tuple[int, str]]:
    return {
        (id(parameter), name)
        for parameter, state in optimizer.state.items()
        for name, value in state.items()
        if value is not None
    }
