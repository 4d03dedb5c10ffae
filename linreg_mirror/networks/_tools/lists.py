"""torch's operations on lists of tensors, `lists._foreach_add_` and the like, and what takes numbers of a device."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch

lists: Any = torch  # they are not among its typed names

_SMALL = 1024  # entries that a CPU treats in less time than the call takes


def add_scaled(into: Sequence[torch.Tensor], tensors: Sequence[torch.Tensor], factor: float | torch.Tensor) -> None:
    """Add factor times each tensor to its partner, in place.

    Parameters
    ----------
    into, tensors : sequence of torch.Tensor
        As many of one as of the other.
    factor : float or torch.Tensor
        One of no dimension is read on its device, not by the host.
    """
    if isinstance(factor, torch.Tensor):
        lists._foreach_add_(into, lists._foreach_mul(tensors, like(factor, tensors)))
    else:
        lists._foreach_add_(into, tensors, alpha=factor)


def like(number: torch.Tensor, tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return a number of a device in the precision of these tensors, in single at least.

    Of another one torch's lists are not multiplied at once, but tensor by tensor.
    """
    return number.to(torch.promote_types(tensors[0].dtype, torch.float32))


def together(tensors: Iterable[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Yield what to treat at once: on a CPU large ones one after the other, which then stay in its cache; else all.

    Launching work costs an accelerator more than memory does, and so it is for small tensors of a CPU.
    """
    devices: dict[tuple[torch.device, torch.dtype], list[torch.Tensor]] = {}
    for tensor in tensors:
        if tensor.device.type == "cpu" and tensor.numel() > _SMALL:
            yield [tensor]
        else:
            devices.setdefault((tensor.device, tensor.dtype), []).append(tensor)
    yield from devices.values()
