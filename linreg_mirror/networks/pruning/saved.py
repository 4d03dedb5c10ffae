"""Masks in files, by the names of their weights."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from linreg_mirror.runtime.files import replacing


def save_masks(path: str | Path, masks: Mapping[str, torch.Tensor], settings: Mapping[str, Any] | None = None) -> Path:
    """Write masks, so that whoever reads finds the old file or the new one, whole.

    Parameters
    ----------
    path : str or Path
        A safetensors file; its folder is made.
    masks : mapping of str to torch.Tensor
        As `finish` of a method or `sketching.select_masks` return them, on any device; or factors.
    settings : mapping of str, optional
        JSON values: how they came about, for the header.

    Returns
    -------
    Path
        Of the file.

    Raises
    ------
    ValueError
        If the file's name does not end in .safetensors.
    OSError
        If it cannot be written.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"masks are kept in safetensors files, got {path}: write {path.with_suffix('.safetensors')}")
    own = {name: mask.detach().cpu().contiguous() for name, mask in masks.items()}
    with replacing(path) as partial:
        save_file(own, partial, metadata={"settings": json.dumps(dict(settings or {}))})
    return path


def load_masks(path: str | Path) -> dict[str, torch.Tensor]:
    """Return the masks of a file, on the CPU: for `sketching.apply_masks`, or `attach` of a method.

    Parameters
    ----------
    path : str or Path
        From `save_masks` or `linreg-mirror masks`.

    Returns
    -------
    dict of str to torch.Tensor
        Of bool, or factors.

    Raises
    ------
    ValueError
        If it is no safetensors file, or damaged.
    OSError
        If it cannot be read.
    """
    try:
        with safe_open(path, "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ValueError(f"{path} holds no masks, or is damaged ({error}): save them again") from None
