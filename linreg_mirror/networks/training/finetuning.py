"""Training what pruning has left, with the zeros held."""

import copy
import math
from collections.abc import Mapping

import torch
from torch.nn.functional import cross_entropy

from linreg_mirror.networks import data
from linreg_mirror.networks.recipes import Recipe
from linreg_mirror.networks.training.augmenting import augmentation_of
from linreg_mirror.networks.training.precision import autocast, dtype_of
from linreg_mirror.networks.training.seeding import seeded
from sketching import apply_masks, remove_masks


def finetuned(
    model: torch.nn.Module, weights: Mapping[str, torch.Tensor], split: data.Split, recipe: Recipe
) -> torch.nn.Module:
    """Return a copy of a model that was trained on with other weights, of which zeros stay zeros.

    By SGD with the momentum and weight decay of the recipe, the latter on all parameters; the learning rate falls from
    that of its `finetune` to 0 along half a cosine.

    Parameters
    ----------
    model : torch.nn.Module
        With plain weights; it is not changed.
    weights : mapping of str to torch.Tensor
        Those that are pruned.
    split : Split
        Training examples.
    recipe : Recipe
        With `finetune`.
    """
    plan = recipe.finetune
    assert plan is not None
    model = copy.deepcopy(model)
    with torch.no_grad():
        for name, weight in weights.items():
            model.get_parameter(name).copy_(weight)
    apply_masks(model, {name: weight != 0 for name, weight in weights.items()})
    batches = data.Batches(
        split, min(recipe.batch, len(split)), seed=recipe.seed,
        augment=augmentation_of(recipe, split), dtype=dtype_of(recipe),
        channels_last=bool(recipe.channels_last),
    )  # fmt: skip
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(parameters, plan.lr, recipe.momentum, weight_decay=recipe.weight_decay)
    device, steps = split.labels.device, plan.epochs * len(batches)
    model.train()
    for epoch in range(plan.epochs):
        # Epochs of their own: those of training have been seen.
        number = recipe.epochs + epoch
        with seeded((recipe.seed, number, 0), device):
            for step, (inputs, labels) in enumerate(batches.epoch(number), start=epoch * len(batches)):
                optimizer.param_groups[0]["lr"] = plan.lr * (1 + math.cos(math.pi * step / steps)) / 2
                optimizer.zero_grad()
                with autocast(recipe, device):
                    loss = cross_entropy(model(inputs), labels)
                loss.backward()
                optimizer.step()
    return remove_masks(model)
