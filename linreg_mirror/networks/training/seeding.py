"""What layers draw, such as dropout: from seeds of a run, and from nowhere else."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(seed: tuple[int, ...], device: torch.device) -> Iterator[None]:
    """Let what layers draw, as dropout does, follow from the seed; torch's own generators are left as they are.

    Parameters
    ----------
    seed : tuple of int
        Numbers >= 0.
    device : torch.device
        Whose generator draws, beside that of the CPU.
    """
    number = int(np.random.SeedSequence(seed).generate_state(1, np.uint64)[0])
    others = [] if device.type == "cpu" else [device]
    with torch.random.fork_rng(others, device_type=device.type):
        torch.default_generator.manual_seed(number)
        if others:
            torch.get_device_module(device).manual_seed(number)
        yield
