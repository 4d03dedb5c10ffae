"""Answers of a network, and how many of them are right."""

from collections.abc import Mapping
from dataclasses import replace

import torch

from linreg_mirror.networks import data
from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.training.precision import autocast, dtype_of


def accuracy(
    model: torch.nn.Module, split: data.Split, recipe: Recipe, weights: Mapping[str, torch.Tensor] | None = None
) -> float:
    """Return the share of right answers, with other weights in place if they are given."""
    return int(right_answers(model, split, recipe, weights)) / len(split)


@torch.no_grad()
def right_answers(
    model: torch.nn.Module,
    split: data.Split,
    recipe: Recipe,
    weights: Mapping[str, torch.Tensor] | None = None,
    part: tuple[int, int] = (0, 1),
) -> torch.Tensor:
    """Return how many answers are right, a number on the device.

    Parameters
    ----------
    model : torch.nn.Module
        It is in evaluation mode then.
    split : Split
        Examples.
    recipe : Recipe
        For batches and precision.
    weights : mapping of str to torch.Tensor, optional
        To take the place of the model's.
    part : pair of int
        (k, m): of the examples k, k + m, k + 2m, ... of each batch, for one of m processes.
    """
    model.eval()
    right = torch.zeros((), dtype=torch.int64, device=split.labels.device)
    size = min(4 * recipe.batch, 1000, len(split))
    batches = data.Batches(split, size, dtype=dtype_of(recipe), channels_last=bool(recipe.channels_last), part=part)
    for inputs, labels in batches:
        if len(labels) == 0:
            # The last batch has fewer examples than there are processes. Of a sharded model all must take part in it.
            inputs, _ = next(iter(replace(batches, size=1, part=(0, 1), workers=0)))
        with autocast(recipe, labels.device):
            outputs = torch.func.functional_call(model, dict(weights or {}), inputs)
        right += (outputs.argmax(1) == labels).sum()
    return right
