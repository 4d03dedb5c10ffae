"""Logits of gates that depend on those of the layer before: Dep-L0's generator."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, Literal, get_args

import numpy as np
import torch
from torch.autograd.function import once_differentiable

from linreg_mirror.networks.gates.gate import as_parameter

Direction = Literal["forward", "backward"]
_LARGEST = math.log(100)  # absolute logit


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
        self._last: tuple[list[tuple[int, int]], torch.Tensor] | None = None

    def forward(self) -> list[torch.Tensor]:
        """Return the logits of all layers, in the order of computation."""
        row = _Generated.apply(*self.parameters())
        self._last = self._stamps(), row.detach()
        return self._parts(row)

    @torch.no_grad()
    def pulled_back(self, slopes: Callable[[list[torch.Tensor]], Sequence[torch.Tensor]]) -> list[torch.Tensor]:
        """Return the derivatives, in the parameters, of a function of the logits.

        Parameters
        ----------
        slopes : callable
            Logits of all layers -> derivatives of the function in these, both in the order of computation. It is given
            the logits of the last pass through the model, if the parameters have not changed since.

        Returns
        -------
        list of torch.Tensor
            As many as there are `parameters()`, in their order.
        """
        last, self._last = self._last, None
        row = last[1] if last is not None and last[0] == self._stamps() else _generated(list(self.parameters()))
        found = list(slopes(self._parts(row)))
        ordered = found if self.direction == "forward" else found[::-1]
        return _pulled_back(row, list(self.parameters()), torch.cat(ordered))

    def _parts(self, row: torch.Tensor) -> list[torch.Tensor]:
        parts = list(row.split([len(bias) for bias in list(self.parameters())[1::2]]))
        return parts if self.direction == "forward" else parts[::-1]

    def _stamps(self) -> list[tuple[int, int]]:
        """Return what differs after a parameter has been written to."""
        return [(parameter.data_ptr(), parameter._version) for parameter in self.parameters()]

    def logits(self) -> list[torch.Tensor]:
        """Return the logits of all layers: within one pass through the model, those that its start has generated."""
        return self() if self._held is None else self._held


class _Generated(torch.autograd.Function):
    """(W_1, c_1, W_2, ...) -> logits of all layers in a row, in the order of generation.

    Derivatives by hand, so that layers cost two operations forwards and three backwards, not four and eight.
    """

    @staticmethod
    def forward(ctx: Any, *parameters: torch.Tensor) -> torch.Tensor:
        row = _generated(parameters)
        ctx.save_for_backward(row, *parameters)
        return row

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *slopes: torch.Tensor) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        row, *parameters = ctx.saved_tensors
        return tuple(_pulled_back(row, parameters, slopes[0].clone()))


def _generated(parameters: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return log(100) tanh(W_l loga_{l-1} + c_l) of all layers in a row."""
    row = torch.cat(list(parameters[1::2]))
    last, scale = torch.ones_like(parameters[0][0]), 1.0
    for weight, part in zip(parameters[::2], row.split([len(bias) for bias in parameters[1::2]]), strict=True):
        last, scale = part.addmv_(weight, last, alpha=scale).tanh_(), _LARGEST
    return row.mul_(_LARGEST)


def _pulled_back(row: torch.Tensor, parameters: Sequence[torch.Tensor], slopes: torch.Tensor) -> list[torch.Tensor]:
    """Return derivatives in the parameters from those in the logits, in a row, which are used up."""
    widths = [len(bias) for bias in parameters[1::2]]
    inner = (row.square() / -_LARGEST).add_(_LARGEST).split(widths)
    before = [torch.ones_like(parameters[0][0]), *row.split(widths)[:-1]]
    parts, found = slopes.split(widths), []
    for layer in reversed(range(len(widths))):
        own = parts[layer].mul_(inner[layer])
        found += [own, torch.outer(own, before[layer])]
        if layer:
            parts[layer - 1].addmv_(parameters[2 * layer].T, own)
    return found[::-1]


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


def generator_of(model: torch.nn.Module) -> Generator:
    """Return the generator of a model with gates that have one."""
    (generator,) = _generators(model)
    return generator


def _generators(model: torch.nn.Module) -> list[Generator]:
    return [module for module in model.modules() if isinstance(module, Generator)]
