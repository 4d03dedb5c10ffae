"""Logits of gates that depend on those of the layer before: Dep-L0's generator."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
import torch

from linreg_mirror.networks.gates.gate import as_parameter

Direction = Literal["forward", "backward"]


def check_direction(direction: Any) -> None:
    """Raise ValueError unless this is one of the directions in which logits are generated."""
    if direction not in get_args(Direction):
        raise ValueError(f"direction must be one of {', '.join(get_args(Direction))}, got {direction!r}")


class Generator(torch.nn.Module):
    """loga_l = log(100) tanh(W_l loga_{l-1} + c_l), with ones for loga_0, as many as the first layer generated has.

    Parameters
    ----------
    widths : sequence of int
        How many gates each layer has, in the order of computation.
    direction : {"forward", "backward"}
        Whether logits are generated from the first layer to the last, or from the last to the first.
    like : torch.Tensor
        Parameters follow its device and dtype.
    rng : numpy.random.Generator
        Source of the first parameters: c is normal with mean 3 and standard deviation 0.01, W uniform between
        -+ 1/sqrt(width of the layer before), as torch's linear layers are.

    Attributes
    ----------
    maps : torch.nn.ModuleList
        W and c of each layer, in the order of generation.

    Raises
    ------
    ValueError
        If the direction is neither.

    Notes
    -----
    Li and Ji, Dep-L0 (arXiv 2107.00070), with the starts of the authors' published code. There the ones before
    VGG-16's last layer, in the backward direction, are 64 for any width; here they are as many as the layer has gates.
    At the start some 13 % of the logits after the first layer are negative: W loga_{l-1} has standard deviation 2.6.
    """

    def __init__(self, widths: Sequence[int], direction: Direction, like: torch.Tensor, rng: np.random.Generator):
        super().__init__()
        check_direction(direction)
        self.direction = direction
        order = [*widths] if direction == "forward" else [*reversed(widths)]
        self.maps = torch.nn.ModuleList()
        for before, width in pairwise([order[0], *order]):
            linear = torch.nn.Linear(before, width, device="meta")  # where nothing is drawn
            reach = 1 / math.sqrt(before)
            linear.weight = as_parameter(rng.uniform(-reach, reach, (width, before)), like)
            linear.bias = as_parameter(rng.normal(3, 0.01, width), like)
            self.maps.append(linear)
        self._held: list[torch.Tensor] | None = None

    def forward(self) -> list[torch.Tensor]:
        """Return the logits of all layers, in the order of computation."""
        maps: Any = self.maps
        logits, last = [], torch.ones_like(maps[0].weight[0])
        for linear in maps:
            last = math.log(100) * torch.tanh(linear(last))
            logits.append(last)
        return logits if self.direction == "forward" else logits[::-1]

    def logits(self) -> list[torch.Tensor]:
        """Return the logits of all layers: within one pass through the model, those that its start has generated."""
        return self() if self._held is None else self._held


@contextmanager
def generated(model: torch.nn.Module) -> Iterator[None]:
    """Generate the logits of a model once for all that is done within."""
    new = [generator for generator in _generators(model) if generator._held is None]
    for generator in new:
        generator._held = generator()
    try:
        yield
    finally:
        for generator in new:
            generator._held = None


def generate_once(model: torch.nn.Module) -> None:
    """Let the logits be generated once in each pass through a model, not once for each of its gates."""
    model.register_forward_pre_hook(_hold)
    model.register_forward_hook(_release, always_call=True)


def generate_no_more(model: torch.nn.Module) -> None:
    """Undo `generate_once`."""
    hooks: Any = model
    for registered in (hooks._forward_pre_hooks, hooks._forward_hooks):
        for key in [key for key, hook in registered.items() if hook in (_hold, _release)]:
            del registered[key]
            hooks._forward_hooks_always_called.pop(key, None)


def _hold(model: torch.nn.Module, inputs: Any) -> None:
    for generator in _generators(model):
        generator._held = generator()


def _release(model: torch.nn.Module, inputs: Any, outputs: Any) -> None:
    for generator in _generators(model):
        generator._held = None


def _generators(model: torch.nn.Module) -> list[Generator]:
    return [module for module in model.modules() if isinstance(module, Generator)]
