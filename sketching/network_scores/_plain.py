"""Scores that ask nothing of the network but its weights."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from sketching._arguments import check_rng
from sketching._functional import Tensors, finite, left_by, masked_weights, wide
from sketching.weights import Weights


def magnitude(
    model: torch.nn.Module, *, masks: Mapping[str, Any] | None = None, weights: Weights | None = None
) -> Tensors:
    """Return |theta|.

    Parameters
    ----------
    model : torch.nn.Module
        What is scored.
    masks : mapping of str to array, optional
        Masks or factors by which its weights are multiplied first.
    weights : optional
        Which weights are scored, as in `sketching.prunable`. Default: those of layers.

    Returns
    -------
    dict of str to torch.Tensor
        Scores by name of weight.

    Raises
    ------
    ValueError
        If `model` has no weight to score or one that cannot be (`weights.prunable`), or masks do not fit.

    Examples
    --------
    >>> import torch
    >>> from sketching import network_scores
    >>> model = torch.nn.Linear(2, 1)
    >>> bool((network_scores.magnitude(model)["weight"] == model.weight.abs()).all())
    True
    """
    return finite({name: wide(weight).abs() for name, weight in masked_weights(model, masks, weights).items()})


def random(
    model: torch.nn.Module,
    rng: np.random.Generator,
    *,
    masks: Mapping[str, Any] | None = None,
    weights: Weights | None = None,
) -> Tensors:
    """Return independent uniform numbers in (0, 1].

    Parameters
    ----------
    model : torch.nn.Module
        What is scored.
    rng : numpy.random.Generator
        Source of all randomness; the same one gives the same scores on every device and with all masks.
    masks : mapping of str to array, optional
        What these remove scores 0.
    weights : optional
        Which weights are scored, as in `sketching.prunable`. Default: those of layers.

    Returns
    -------
    dict of str to torch.Tensor
        Scores by name of weight.

    Raises
    ------
    ValueError
        As in `magnitude`.
    TypeError
        If rng is no generator.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from sketching import network_scores
    >>> network_scores.random(torch.nn.Linear(2, 1), np.random.default_rng(0))["weight"].shape
    torch.Size([1, 2])
    """
    check_rng(rng)
    found = masked_weights(model, masks, weights)
    left = left_by(masks, found)
    return {n: torch.from_numpy(1 - rng.random(w.shape)).to(wide(w)) * left[n] for n, w in found.items()}
