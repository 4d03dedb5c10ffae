"""Masks on a torch module, as parametrizations of its weights: a pruned weight stays pruned whatever trains it."""

from collections.abc import Mapping
from typing import Any

import torch

from sketching._arrays import tensor
from sketching.removable import Removable, register, registered, remove
from sketching.weights import check_untied, maskable


class Mask(Removable):
    """The parametrization weight -> masked weight; the mask is a buffer, part of the state dict.

    Parameters
    ----------
    mask : torch.Tensor
        bool, False = pruned; or factors of the weight's dtype, zero = pruned. A pruned weight is 0 and has gradient 0,
        also where the number behind it is NaN or infinite.

    Examples
    --------
    >>> import torch
    >>> import sketching
    >>> sketching.Mask(torch.tensor([True, False]))(torch.tensor([2.0, 3.0])).tolist()
    [2.0, 0.0]
    """

    mask: torch.Tensor

    def __init__(self, mask: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the masked weight."""
        if self.mask.dtype == torch.bool:
            return torch.where(self.mask, weight, 0)
        return torch.where(self.mask != 0, self.mask * weight, 0)

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any, **named: Any) -> None:
        # load_state_dict would turn the factors into True and False without a word.
        saved = state_dict.get(f"{prefix}mask")
        if self.mask.dtype == torch.bool and saved is not None and saved.dtype != torch.bool:
            raise ValueError(
                f"{prefix}mask: the state holds factors, this model a 0/1 mask: before loading, apply masks of floats, "
                "such as {name: mask.float() for name, mask in masks.items()}"
            )
        super()._load_from_state_dict(state_dict, prefix, *rest, **named)


def apply_masks(model: torch.nn.Module, masks: Mapping[str, Any]) -> torch.nn.Module:
    """Mask weights of a model, in place, until `remove_masks`.

    The trainable parameter of a masked "layer.weight" is the same object as before, so that an optimiser made before
    goes on with it, but its name is now "layer.parametrizations.weight.original"; what a pruned place of it holds no
    longer matters. `layer.weight` is the product with the mask, computed at each access; within
    `torch.nn.utils.parametrize.cached()` once. Whole modules with parametrizations cannot be pickled: save the state
    dict, which holds the masks, and load it into a model with any masks of the same kind on the same weights.

    Parameters
    ----------
    model : torch.nn.Module
        Without masks or other parametrizations.
    masks : mapping of str to torch.Tensor or NumPy array
        For names of trainable parameters with two or more dimensions, as `prunable(model)` has, arrays of their
        shapes: bool, or float factors >= 0 by which the
        weights are multiplied. They are copied, to the device of the weight, factors to its dtype. Weights that are not
        named stay dense.

    Returns
    -------
    torch.nn.Module
        `model` itself.

    Raises
    ------
    ValueError
        If the model carries masks or other parametrizations already, a layer is lazy, a name is that of no weight, or
        of one that has two names, a shape is wrong, or a factor negative, NaN, infinite or too large for the weight's
        dtype. Then nothing has been masked.
    TypeError
        If `masks` is no mapping, or a mask neither of bool nor of floats.

    Examples
    --------
    >>> import torch
    >>> import sketching
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 1))
    >>> model = sketching.apply_masks(model, {"0.weight": torch.tensor([[True, False]])})
    >>> (model[0].weight != 0).tolist()
    [[True, False]]
    """
    fitting = check_masks(maskable(model), masks)
    check_untied(model, fitting)
    for name, mask in fitting.items():
        register(model, name, Mask(mask))
    return model


def remove_masks(model: torch.nn.Module) -> torch.nn.Module:
    """Make the masked weights plain parameters again, in place, multiplied by their masks: zero where pruned.

    They are the same parameter objects, in their old order. From here on nothing holds the zeros: an optimiser that
    goes on lets pruned weights grow again.

    Parameters
    ----------
    model : torch.nn.Module
        Without masks nothing happens.

    Returns
    -------
    torch.nn.Module
        `model` itself.

    Raises
    ------
    ValueError
        If a masked weight carries another parametrization too.

    Examples
    --------
    >>> import torch
    >>> import sketching
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 1))
    >>> model = sketching.apply_masks(model, {"0.weight": torch.tensor([[True, False]])})
    >>> model = sketching.remove_masks(model)
    >>> list(model.state_dict()), (model[0].weight != 0).tolist()
    (['0.weight', '0.bias'], [[True, False]])
    """
    remove(model, Mask, "masked")
    return model


def masks_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return copies of the masks that a model carries, by the names that the weights have without them.

    Parameters
    ----------
    model : torch.nn.Module
        With masks, from `apply_masks`, or without.

    Returns
    -------
    dict of str to torch.Tensor
        Of the shapes of the weights; empty where there are none.

    Examples
    --------
    >>> import torch
    >>> import sketching
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 1))
    >>> model = sketching.apply_masks(model, {"0.weight": torch.tensor([[True, False]])})
    >>> {name: mask.tolist() for name, mask in sketching.masks_of(model).items()}
    {'0.weight': [[True, False]]}
    """
    return {name: mask.mask.clone() for name, _, _, mask in registered(model, Mask)}


def check_masks(weights: Mapping[str, torch.Tensor], masks: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Return copies of masks that fit to weights, on their devices, factors in their dtype; raise as `apply_masks`."""
    if not isinstance(masks, Mapping):
        raise TypeError(f"masks must map names of weights to arrays, got {type(masks).__name__}: {{'0.weight': mask}}")
    unknown = [str(name) for name in masks if name not in weights]
    if unknown:
        raise ValueError(
            f"masks for what is no prunable weight of the model: {', '.join(unknown)}: the names are "
            f"{', '.join(weights)}"
        )
    return {name: _fitting(name, weights[name], mask) for name, mask in masks.items()}


def _fitting(name: str, weight: torch.Tensor, mask: Any) -> torch.Tensor:
    mask = tensor(f"the mask of {name}", mask).detach().clone()
    if mask.shape != weight.shape:
        raise ValueError(f"{name}: the mask has shape {tuple(mask.shape)}, the weight {tuple(weight.shape)}")
    if mask.dtype == torch.bool:
        return mask.to(weight.device)
    if not mask.is_floating_point():
        raise TypeError(f"{name}: a mask holds bool or float factors, got {mask.dtype}: for 0 and 1, write mask != 0")
    mask = mask.to(weight.device, weight.dtype)
    if not ((mask >= 0) & mask.isfinite()).all():
        raise ValueError(f"{name}: factors must be finite in {weight.dtype} and >= 0, zero where a weight is pruned")
    return mask
