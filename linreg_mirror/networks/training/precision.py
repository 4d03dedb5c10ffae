"""The floating-point types that a recipe computes in."""

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from linreg_mirror.networks.recipes import Recipe

_STORED = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.float32}


def dtype_of(recipe: Recipe) -> torch.dtype:
    """Return the type of weights and inputs."""
    return _STORED[recipe.precision or "float32"]


def autocast(recipe: Recipe, device: torch.device) -> AbstractContextManager[Any]:
    """Return the context of a forward pass: within layers bfloat16 is used if the recipe asks for it."""
    return torch.autocast(device.type, torch.bfloat16) if recipe.precision == "bfloat16" else nullcontext()
