"""What a recipe leaves open, and the device decides."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from linreg_mirror.networks.recipes import Recipe

_FAST = {"precision": "bfloat16", "channels_last": True, "cudnn_benchmark": True}
_PLAIN = {"precision": "float32", "channels_last": False, "cudnn_benchmark": False}


def settled(recipe: Recipe, device: torch.device, folder: Path | None = None, *, images: bool = True) -> Recipe:
    """Return a recipe with values for the settings that it leaves open.

    Parameters
    ----------
    recipe : Recipe
        What it says itself stays.
    device : torch.device
        On CUDA the fast settings are the defaults: bfloat16 within layers, channels last, and cuDNN's benchmark.
    folder : Path, optional
        Of a run that goes on: its own settings come first.
    images : bool
        Whether the data are images, as else there are no channels.

    Returns
    -------
    Recipe
        Without any None among these.
    """
    usual: dict[str, Any] = (_FAST if device.type == "cuda" else _PLAIN) | ({} if images else {"channels_last": False})
    usual |= {name: value for name, value in _stored(folder).items() if name in usual and value is not None}
    return replace(recipe, **{name: value for name, value in usual.items() if getattr(recipe, name) is None})


def _stored(folder: Path | None) -> dict[str, Any]:
    """Return the settings of the run in a folder; none if they are not there, or damaged, which others say."""
    try:
        found = json.loads((folder / "recipe.json").read_text(encoding="utf-8")) if folder else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def tuned(recipe: Recipe) -> Iterator[None]:
    """Let cuDNN try its algorithms, if the recipe says so, and leave torch's setting as it was in the end."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = bool(recipe.cudnn_benchmark)
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before
