"""Masks that hold while a model is trained, whatever its weights are made of.

A pruned weight is 0 before anything is written as m*w or the like, and what stands behind it gets no gradient of the
loss. That is enough: weight decay, momentum and the penalties of all methods leave a weight of 0 where it is.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.nn.utils import parametrize

from sketching.application import check_masks
from sketching.removable import chains

Chosen = Mapping[str, torch.nn.Parameter]  # the weights that a method acts on, by name


@torch.no_grad()
def hold(model: torch.nn.Module, weights: Chosen, masks: Mapping[str, Any]) -> list[str]:
    """Multiply weights by masks, or factors, and keep where these are not 0; return the names of the weights.

    It is kept in the buffer "layer.weight_mask" of the model: so checkpoints have it, and a run that goes on needs no
    score to be the same again.
    """
    fitting = check_masks(weights, masks)
    for name, mask in fitting.items():
        weights[name].copy_(torch.where(mask != 0, weights[name] * mask, 0))
        layer, weight = layer_of(model, name)
        layer.register_buffer(f"{weight}_mask", mask != 0)
    return list(fitting)


def behind(model: torch.nn.Module, name: str) -> list[torch.Tensor]:
    """Return the parameters of which a weight is made entry by entry: those that have its shape."""
    layer, weight = layer_of(model, name)
    if not parametrize.is_parametrized(layer, weight):
        return [model.get_parameter(name)]
    shape = getattr(layer, weight).shape
    return [parameter for parameter in chains(layer)[weight].parameters() if parameter.shape == shape]


def silence(model: torch.nn.Module, held: Mapping[str, Iterable[torch.Tensor]]) -> None:
    """Make the gradients behind pruned weights 0."""
    for name, parameters in held.items():
        pruned = ~model.get_buffer(f"{name}_mask")
        for parameter in parameters:
            if parameter.grad is not None:
                parameter.grad.masked_fill_(pruned, 0)


def release(model: torch.nn.Module, names: Iterable[str]) -> None:
    """Delete the masks; the zeros stay."""
    for name in names:
        layer, weight = layer_of(model, name)
        delattr(layer, f"{weight}_mask")


def layer_of(model: torch.nn.Module, name: str) -> tuple[torch.nn.Module, str]:
    """Return the layer that a weight belongs to, and the name that the weight has in it."""
    path, _, weight = name.rpartition(".")
    return model.get_submodule(path), weight
