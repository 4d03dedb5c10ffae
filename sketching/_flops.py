"""How many floating-point operations of a forward pass each weight takes part in."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from sketching._functional import arguments


def flops_of(
    network: torch.nn.Module, weights: Mapping[str, torch.Tensor], inputs: torch.Tensor | Mapping[str, torch.Tensor]
) -> Counter[str | None]:
    """Return the operations of one forward pass by the weight that they use, as torch's counter counts them.

    Matrix products and convolutions count, two operations for a multiplication with its addition. A weight is known by
    its memory, so that views of it count and what is computed from it does not.

    Parameters
    ----------
    network : torch.nn.Module
        In double precision on the CPU: for single precision, or other devices, there are recurrent kernels that the
        counter does not know.
    weights : mapping of str to torch.Tensor
        Some of its parameters.
    inputs : torch.Tensor or mapping of str to torch.Tensor
        What it is called with.

    Returns
    -------
    Counter
        By names of weights; None for operations that use none of them, or several.
    """
    counts = _CountByWeight(weights)
    positional, named = arguments(inputs)
    # Without gradients, or with another backend, attention layers run in fused kernels that the counter does not know.
    with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH), counts:
        network(*positional, **named)
    return counts.flops


class _CountByWeight(TorchDispatchMode):
    def __init__(self, weights: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self.owner = {weight.untyped_storage().data_ptr(): name for name, weight in weights.items()}
        self.flops: Counter[str | None] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        with FlopCounterMode(display=False) as counter:
            out = func(*args, **(kwargs or {}))
        pointers = {arg.untyped_storage().data_ptr() for arg in args if isinstance(arg, torch.Tensor)}
        owners = [self.owner[pointer] for pointer in pointers if pointer in self.owner]
        self.flops[owners[0] if len(owners) == 1 else None] += counter.get_total_flops()
        return out
