"""Whether a loop has made a method's calls: those that were forgotten are told of when training is over."""

import warnings
from collections.abc import Iterable

import torch


class Use:
    """What a method has seen of training, so that `finish` can warn of a loop that has left it out.

    Parameters
    ----------
    moves : bool
        Whether alpha moves from epoch to epoch.
    """

    def __init__(self, *, moves: bool = False) -> None:
        self.moves = moves
        self.stepped = self.counted = False
        self._writes = 0

    def begin(self, theta: Iterable[torch.Tensor]) -> None:
        """Take note of the weights as they are when training begins."""
        self._writes = _writes(theta)

    def resumed(self) -> None:
        """Take note that an earlier process has made the calls."""
        self.stepped = self.counted = True

    def check(self, theta: Iterable[torch.Tensor], alpha: float, *, bound: bool) -> None:
        """Warn if weights were trained and no step had the penalty, or no epoch was told of.

        Parameters
        ----------
        theta : iterable of torch.Tensor
            The parameters behind the weights.
        alpha : float
            The strength of the penalty now.
        bound : bool
            Whether an optimiser is bound.
        """
        theta = list(theta)
        # Loading a checkpoint writes once, steps of all optimisers write more often or leave gradients.
        trained = any(one.grad is not None for one in theta) or _writes(theta) > self._writes + len(theta)
        if alpha and trained and not self.stepped:
            what = "step that optimiser" if bound else "write optimizer = method.bind(optimizer)"
            warnings.warn(f"no step had a penalty, though alpha is {alpha:g}: {what}", stacklevel=3)
        elif alpha and self.moves and self.stepped and not self.counted:
            warnings.warn(
                f"alpha has stayed {alpha:g}, as no epoch was told of: call method.after_epoch(accuracy) after each",
                stacklevel=3,
            )


def _writes(tensors: Iterable[torch.Tensor]) -> int:
    return sum(one._version for one in tensors)
