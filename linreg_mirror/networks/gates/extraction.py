"""The truly smaller network: without the channels that are zero whatever the input is."""

import copy
from typing import Any

import torch

from linreg_mirror.networks.gates.folding import fold_gates
from linreg_mirror.networks.gates.sites import Site, sites_of


def extract(model: torch.nn.Module) -> torch.nn.Module:
    """Return a copy without the channels that are zero, whose outputs in evaluation are the same, to rounding.

    A channel goes if gain and bias of its batch norm, or weights and bias of a layer without one, are 0, and one other
    layer takes it in. Where several modules do, as after the stem of a residual net, the channel stays, as zeros,
    because what it is added to has as many channels. A layer whose channels are all zero keeps the first.

    Parameters
    ----------
    model : torch.nn.Module
        With gates on channels, or weights, which are folded in the copy; or plain, as after `fold_gates`.

    Returns
    -------
    torch.nn.Module
        With plain weights, on the device and in the dtype of the model.

    Raises
    ------
    ValueError
        As `sites_of`.
    """
    small = fold_gates(copy.deepcopy(model))
    for site in sites_of(small):
        if site.consumer is not None:
            _shrink(small, site)
    return small


def _shrink(model: torch.nn.Module, site: Site) -> None:
    """Take the channels that are zero out of a layer, its batch norm, and the layer that takes them in."""
    own = model.get_submodule(site.gated)._parameters.values()
    alive = torch.stack([(p != 0).flatten(1).any(1) if p.ndim > 1 else p != 0 for p in own if p is not None]).any(0)
    if alive.all():
        return
    if not alive.any():
        alive[0] = True
    count = int(alive.sum())
    layer: Any = model.get_submodule(site.layer)
    _keep(layer, alive)
    setattr(layer, "out_features" if isinstance(layer, torch.nn.Linear) else "out_channels", count)
    if site.norm is not None:
        norm: Any = model.get_submodule(site.norm)
        _keep(norm, alive)
        norm.num_features = count
    consumer: Any = model.get_submodule(str(site.consumer))
    inputs = alive.repeat_interleave(site.block)
    consumer.weight = torch.nn.Parameter(consumer.weight.detach()[:, inputs], consumer.weight.requires_grad)
    setattr(consumer, "in_features" if isinstance(consumer, torch.nn.Linear) else "in_channels", int(inputs.sum()))


def _keep(module: Any, alive: torch.Tensor) -> None:
    """Keep these rows of the parameters and of the running statistics."""
    for name, parameter in module._parameters.items():
        if parameter is not None:
            setattr(module, name, torch.nn.Parameter(parameter.detach()[alive], parameter.requires_grad))
    for name, buffer in module._buffers.items():
        if buffer is not None and buffer.ndim:
            setattr(module, name, buffer[alive])
