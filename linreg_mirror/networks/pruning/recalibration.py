"""Batch norm after pruning: means and variances of the network that is left."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm


@torch.no_grad()
def recalibrate(model: torch.nn.Module, loader: Iterable[Any]) -> int:
    """Measure the running statistics of batch norm anew, in place, as averages over all batches.

    Statistics that a network gathered before it was pruned are those of other activations. Accuracy after pruning in
    one shot then mostly tells how stale they are.

    Parameters
    ----------
    model : torch.nn.Module
        Its weights, and whether it is in training mode, stay as they are.
    loader : iterable
        Batches of training examples, of the size that they had in training: tensors; or tuples and lists, whose first
        entry is the model's argument; or mappings, whose entries but "labels" are keyword arguments. They are moved to
        the device of the model.

    Returns
    -------
    int
        How many batch norms have new statistics. Without any, the loader is not looked at.

    Raises
    ------
    ValueError
        If there is no batch. Then nothing has been changed.
    TypeError
        If the loader is no iterable. Neither then.

    Notes
    -----
    As `torch.optim.swa_utils.update_bn`, which also turns dropout on, and takes no mappings.

    Examples
    --------
    >>> import torch
    >>> from linreg_mirror.networks.pruning import recalibrate
    >>> model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    >>> recalibrate(model, [torch.ones(8, 3), torch.zeros(8, 3)])
    1
    """
    batches = _batches(model, loader)
    norms = _norms(model)
    if not norms:
        return 0
    modes = [(module, module.training) for module in model.modules()]
    momenta = [norm.momentum for norm in norms]
    try:
        model.eval()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # for torch this is the average over all batches
            norm.train()
        for batch in batches:
            called(model, batch)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        _restore(modes)
    return len(norms)


@torch.no_grad()
def checked(model: torch.nn.Module, loader: Iterable[Any]) -> Iterable[Any]:
    """Return the batches of a loader, once the model has taken the first; none if it has nothing to recalibrate.

    Parameters
    ----------
    model : torch.nn.Module
        It stays as it is.
    loader : iterable
        As of `recalibrate`, which raises as this does. What the model raises of a batch comes through.
    """
    batches = _batches(model, loader)
    for first in batches:
        modes = [(module, module.training) for module in model.modules()]
        try:
            called(model.eval(), first)
        finally:
            _restore(modes)
        return chain([first], batches)
    return ()


def _batches(model: torch.nn.Module, loader: Iterable[Any]) -> Iterator[Any]:
    if not _norms(model):
        return iter(())
    try:
        batches = iter(loader)
    except TypeError:
        raise TypeError(
            f"batch norm is recalibrated by batches of training examples, got {loader!r}: give a loader of them"
        ) from None
    for first in batches:
        return chain([first], batches)
    raise ValueError(
        "there is no batch to recalibrate batch norm by: give a loader of training examples that is not used up"
    )


def _norms(model: torch.nn.Module) -> list[_BatchNorm]:
    return [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]


def _restore(modes: list[tuple[torch.nn.Module, bool]]) -> None:
    for module, mode in modes:
        module.training = mode


def called(model: torch.nn.Module, batch: Any) -> Any:
    """Return what a model makes of the inputs of a batch, moved to its device."""
    device = next(model.parameters()).device
    if isinstance(batch, Mapping):
        return model(**{name: value.to(device) for name, value in batch.items() if name != "labels"})
    inputs = batch[0] if isinstance(batch, list | tuple) else batch
    return model(inputs.to(device))
