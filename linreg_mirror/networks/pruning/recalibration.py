"""Batch norm after pruning: means and variances of the network that is left."""

from collections.abc import Iterable, Mapping
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
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    batches = iter(loader) if norms else iter(())
    first = next(batches, None)
    if not norms:
        return 0
    if first is None:
        raise ValueError(
            "there is no batch to recalibrate batch norm by: give a loader of training examples that is not used up"
        )
    modes = [(module, module.training) for module in model.modules()]
    momenta = [norm.momentum for norm in norms]
    try:
        model.eval()
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # for torch this is the average over all batches
            norm.train()
        called(model, first)
        for batch in batches:
            called(model, batch)
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        for module, mode in modes:
            module.training = mode
    return len(norms)


def called(model: torch.nn.Module, batch: Any) -> Any:
    """Return what a model makes of the inputs of a batch, moved to its device."""
    device = next(model.parameters()).device
    if isinstance(batch, Mapping):
        return model(**{name: value.to(device) for name, value in batch.items() if name != "labels"})
    inputs = batch[0] if isinstance(batch, list | tuple) else batch
    return model(inputs.to(device))
