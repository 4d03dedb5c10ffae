"""Steps of mirror descent by one pass over memory, for what most weights on a CPU are; the rest is left to torch.

The velocity is the same as torch's to the bit; z differs by a rounding, and x by at most four units of the last place.
"""

import math
import os
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

_SMALLEST = 512  # entries; below, torch takes no longer
_LARGEST_LOG_B = 0.5 * math.log(torch.finfo(torch.float32).max)
_MOST_THREADS = 4
_PLAIN = (Tensor, torch.nn.Parameter)


def pays() -> bool:
    """Whether torch has few threads, as the kernel has one. Compilers of torch have no use for it."""
    compiled = os.environ.get("NUMBA_DISABLE_JIT", "0") in ("", "0")
    return compiled and torch.get_num_threads() <= _MOST_THREADS and not torch.compiler.is_compiling()


def fits(*tensors: Tensor) -> bool:
    """Whether the kernel is made for these tensors: large plain ones of the CPU, of one shape, in single precision."""
    return tensors[0].numel() >= _SMALLEST and all(
        type(each) in _PLAIN
        and each.shape == tensors[0].shape
        and each.is_cpu
        and each.dtype == torch.float32
        and each.is_contiguous()
        for each in tensors
    )


def takes(log_b: float | Tensor) -> bool:
    """Whether the host knows this scale, and all that matters are normal numbers."""
    return not isinstance(log_b, Tensor) and abs(log_b) < _LARGEST_LOG_B


def advance(rows: Sequence[tuple[Tensor, ...]], log_b: Sequence[float], lr: float, momentum: float) -> None:
    """Let velocity <- momentum velocity + gradient, z <- z - lr velocity and x <- b sinh(2z), all in place.

    Parameters
    ----------
    rows : sequence of tuple of torch.Tensor
        x, z, velocity and gradient of each parameter; without momentum the velocity is anything.
    log_b : sequence of float
        As many.
    lr, momentum : float
        Of all.
    """
    from linreg_mirror.networks.optimizers import _kernels

    addresses = np.array([[each.data_ptr() for each in row] for row in rows])
    sizes = np.array([row[0].numel() for row in rows])
    scales = np.array([_scale(each) for each in log_b], np.float32)
    _kernels.advance(addresses, sizes, scales, np.float32(lr), np.float32(momentum))
    for row in rows:
        torch.autograd.graph.increment_version(row[0])  # numba writes to memory, which autograd does not see


def primal(z: Tensor, log_b: float) -> Tensor:
    """Return b sinh(2z), as `advance` writes it."""
    from linreg_mirror.networks.optimizers import _kernels

    x = torch.empty_like(z)
    _kernels.primal(x.view(-1).numpy(), z.view(-1).numpy(), *map(np.float32, _scale(log_b)))
    return x


def _scale(log_b: float) -> tuple[float, float, float]:
    """Return factor and exponent with b/2 = factor 2^exponent, and the y beyond which x is infinite in any case.

    With a factor from 4 to 8 no power of two is too large where x is not.
    """
    factor, exponent = math.frexp(math.exp(log_b))
    return 8 * factor, exponent - 4 + 127, (131 - exponent) * math.log(2)
