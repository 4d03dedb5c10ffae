"""The penalty as weight decay of one step of torch's SGD: on a CPU that is one pass over memory in place of four."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

Borrowed = list[tuple[dict[str, Any], dict[str, Any]]]  # groups, and what they had before

_PLAIN = (Tensor, torch.nn.Parameter)
_SMALLEST = 8192  # entries of theta; fewer stay in the cache


def decay_by(optimizer: torch.optim.Optimizer, theta: Sequence[Tensor], strength: Any) -> Borrowed:
    """Let torch's kernel take the step, with strength added to the weight decay of theta; `give_back` ends this.

    Parameters
    ----------
    optimizer : torch.optim.Optimizer
        In its step, with gradients.
    theta : sequence of torch.Tensor
        What the penalty acts on.
    strength : float or torch.Tensor
        The gradient of the penalty is strength times theta.

    Returns
    -------
    list of tuple
        Groups and what they had before. Empty, and nothing has changed, if the step would not be the same to rounding,
        or no faster: of other optimisers, on other devices, of few entries, where a group holds theta and others, in a
        first step, and with tensors that the kernel is not made for.
    """
    if type(optimizer) is not torch.optim.SGD or isinstance(strength, Tensor) or torch.compiler.is_compiling():
        return []
    if sum(map(Tensor.numel, theta)) < _SMALLEST:
        return []
    own, groups = set(theta), optimizer.param_groups
    decaying = [group for group in groups if not own.isdisjoint(group["params"])]
    if not all(own.issuperset(group["params"]) for group in decaying) or not all(_fits(optimizer, g) for g in groups):
        return []
    borrowed = [(group, {name: group[name] for name in ("weight_decay", "fused")}) for group in groups]
    for group in groups:
        group["fused"] = True
    for group in decaying:
        group["weight_decay"] += strength
    return borrowed


def give_back(borrowed: Borrowed) -> None:
    """Let the groups have what they had before."""
    for group, before in borrowed:
        group.update(before)
    borrowed.clear()


def _fits(optimizer: torch.optim.Optimizer, group: dict[str, Any]) -> bool:
    if any(group[name] for name in ("fused", "foreach", "maximize", "differentiable")) or isinstance(
        group["lr"], Tensor
    ):
        return False
    for p in group["params"]:
        buffer = optimizer.state[p].get("momentum_buffer") if group["momentum"] else p
        if p.grad is not None and not (_is_plain(p) and _is_plain(p.grad) and _is_plain(buffer)):
            return False
    return True


def _is_plain(each: Any) -> bool:
    """Whether this is a tensor of the CPU in single or double precision, row by row; a sparse one is not."""
    return (
        type(each) in _PLAIN
        and each.is_cpu
        and each.dtype in (torch.float32, torch.float64)
        and each.layout == torch.strided
        and each.is_contiguous()
    )
