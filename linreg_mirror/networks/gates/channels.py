"""Gates on channels: factors of what a batch norm, or a layer without one, puts out."""

from typing import Any

import numpy as np
import torch

from linreg_mirror._tools.arguments import check_rng
from linreg_mirror.networks.gates.gate import Gate, first_logits, gateable, gates_of
from linreg_mirror.networks.gates.generator import Direction, Generator, generate_no_more, generate_once
from linreg_mirror.networks.gates.sites import Site, sites_of


class ChannelGate(Gate):
    """z, one gate for each channel and, in training, each example: the module gated returns z times its output.

    Parameters
    ----------
    site : Site
        Where it is.
    place : int
        Its place among the gates of the model.
    last : bool
        Whether channels are the last dimension of the output, as those of linear layers, or the second.
    """

    def __init__(self, site: Site, place: int, last: bool) -> None:
        super().__init__(site.gated, place)
        self.site, self.last = site, last

    def forward(self, outputs: torch.Tensor) -> torch.Tensor:
        """Return the outputs, shape (batch, channels, ...) or, if channels are last, (..., channels), times z."""
        z = self.values((len(outputs),) if outputs.ndim > 1 else ()).to(outputs.dtype)
        between = [1] * (outputs.ndim - 2)
        shape = (*z.shape[:-1], *between, z.shape[-1]) if self.last else (*z.shape, *between)
        return outputs * z.view(shape)


class FreeGate(ChannelGate):
    """With logits that are parameters of their own."""

    def __init__(self, site: Site, place: int, last: bool, loga: torch.nn.Parameter) -> None:
        super().__init__(site, place, last)
        self.loga = loga

    def logits(self) -> torch.Tensor:
        """Return loga."""
        return self.loga


class GeneratedGate(ChannelGate):
    """With logits from a generator, which belongs to the first gate of the model."""

    def __init__(self, site: Site, place: int, last: bool, generator: Generator) -> None:
        super().__init__(site, place, last)
        self._source = (generator,)  # within a tuple it is no submodule, which it must be of one gate only
        if place == 0:
            self.generator = generator

    def logits(self) -> torch.Tensor:
        """Return loga."""
        return self._source[0].logits()[self.place]


def gate_channels(
    model: torch.nn.Module, rng: np.random.Generator, direction: Direction | None = None
) -> torch.nn.Module:
    """Put a gate on every channel of the layers that `sites_of` finds, in place, until `fold_gates`.

    Each gate is a submodule "gate" of the batch norm, or of the layer without one, and acts by a forward hook.

    Parameters
    ----------
    model : torch.nn.Module
        Without gates, masks or other parametrizations.
    rng : numpy.random.Generator
        Source of the first logits, normal with mean 3 and standard deviation 0.01, or of the generator's parameters.
    direction : {"forward", "backward"}, optional
        Generate the logits of a layer from those of the gated layer before it, or after it. Default: all are free.

    Returns
    -------
    torch.nn.Module
        `model` itself.

    Raises
    ------
    ValueError
        If the model has gates, is none that `sites_of` and `sketching.prunable` accept, or the direction is neither.
        Then nothing has been changed.
    TypeError
        If `rng` is no generator.

    Notes
    -----
    These are the places where Dep-L0 (arXiv 2107.00070) has gates on VGG and residual nets; as there, each example has
    gates of its own in training.
    """
    check_rng(rng)
    gateable(model)
    sites = sites_of(model)
    layers: list[Any] = [model.get_submodule(site.layer) for site in sites]
    source = None
    if direction is not None:
        source = Generator([len(layer.weight) for layer in layers], direction, layers[0].weight, rng)
        generate_once(model)
    for place, (site, layer) in enumerate(zip(sites, layers, strict=True)):
        last = isinstance(layer, torch.nn.Linear)
        if source is None:
            gate = FreeGate(site, place, last, first_logits((len(layer.weight),), layer.weight, rng))
        else:
            gate = GeneratedGate(site, place, last, source)
        gated = model.get_submodule(site.gated)
        gated.add_module("gate", gate.train(gated.training))
        gated.register_forward_hook(_multiplied)
    return model


def channel_gates(model: torch.nn.Module) -> list[ChannelGate]:
    """Return the gates on channels, in the order of computation."""
    return [gate for gate in gates_of(model).values() if isinstance(gate, ChannelGate)]


def remove_channel_gates(model: torch.nn.Module) -> None:
    """Take the gates on channels away, as if all were 1."""
    for gate in channel_gates(model):
        module: Any = model.get_submodule(gate.name)
        del module.gate
        for key in [key for key, hook in module._forward_hooks.items() if hook is _multiplied]:
            del module._forward_hooks[key]
    generate_no_more(model)


def _multiplied(module: Any, inputs: Any, outputs: torch.Tensor) -> torch.Tensor:
    # A function of this file, which copies and pickles of the model share, acts on the gate of each.
    return module.gate(outputs)
