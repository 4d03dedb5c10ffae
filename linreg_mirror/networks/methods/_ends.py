"""Warnings for methods that end sparse by themselves: sparser or denser than was asked for."""

import warnings
from collections.abc import Mapping

import torch

from sketching.allocation import places


def check_end(left: Mapping[str, torch.Tensor], keep: float | None, *, denser: str, sparser: str) -> None:
    """Warn if fewer weights are left than shall be kept, a layer has none, or nothing has been pruned.

    Parameters
    ----------
    left : mapping of str to torch.Tensor
        bool, by names of the weights: those that the method has not pruned.
    keep : float or None
        Share of all weights that shall be kept.
    denser, sparser : str
        What to do to end denser, or sparser; empty where pruning nothing is as asked for.
    """
    total, count = sum(mask.numel() for mask in left.values()), sum(int(mask.sum()) for mask in left.values())
    wanted = 0 if keep is None else places({name: tuple(mask.shape) for name, mask in left.items()}, keep)
    empty = [name for name, mask in left.items() if not mask.any()]
    said = []
    if wanted > count:
        said.append(f"keep={keep} asks for {wanted} weights, and {count} of {total} are left: {denser}")
    elif empty:
        said.append(f"no weight is left in {', '.join(empty)}: {denser}")
    if count == total and keep is None and sparser:
        said.append(f"no weight has been pruned: {sparser}")
    for text in said:
        warnings.warn(text, stacklevel=3)
