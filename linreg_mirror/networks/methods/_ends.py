"""Warnings for methods that end sparse by themselves: sparser or denser than was asked for."""

import warnings
from collections.abc import Mapping
from typing import Any

import torch


def check_end(
    left: Mapping[str, torch.Tensor], masks: Mapping[str, torch.Tensor] | None, *, keep: Any, denser: str, sparser: str
) -> None:
    """Warn if fewer weights are left than shall be kept, a layer has none, or nothing has been pruned.

    Parameters
    ----------
    left : mapping of str to torch.Tensor
        bool, by names of the weights: those that the method has not pruned.
    masks : mapping of str to torch.Tensor or None
        bool: those that shall be kept, if that was asked for.
    keep : object
        What was asked for.
    denser, sparser : str
        What to do to end denser, or sparser; empty where pruning nothing is as asked for.
    """
    total, count = sum(mask.numel() for mask in left.values()), sum(int(mask.sum()) for mask in left.values())
    wanted = 0 if masks is None else sum(int(mask.sum()) for mask in masks.values())
    lacking = 0 if masks is None else sum(int((mask & ~left[name]).sum()) for name, mask in masks.items())
    empty = [name for name, mask in left.items() if not mask.any()]
    said = []
    if lacking:
        said.append(f"keep={keep} asks for {wanted} weights, and {count} of {total} are left: {denser}")
    elif empty:
        said.append(f"no weight is left in {', '.join(empty)}: {denser}")
    if count == total and masks is None and sparser:
        said.append(f"no weight has been pruned: {sparser}")
    for text in said:
        warnings.warn(text, stacklevel=3)
