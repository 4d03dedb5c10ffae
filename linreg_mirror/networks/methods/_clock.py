"""The strength alpha of a penalty and its clock A: numbers, and tensors where the learning rate is one."""

import torch

from linreg_mirror._tools.arguments import check_nonnegative
from linreg_mirror.networks._tools.capturing import check_made_before, check_rate

Rate = float | torch.Tensor


class Clock:
    """alpha, and A, the sum of lr/(1 - momentum) alpha over the steps.

    Where lr is a tensor, both are tensors of its device too: steps then wait for nothing, and a graph that has captured
    a step goes on with what alpha has become since. Only who asks for A makes the host wait.

    Parameters
    ----------
    alpha : float
        At the start, where A is 0.
    """

    def __init__(self, alpha: float) -> None:
        self._alpha, self._decay = float(alpha), 0.0
        self._tensors: tuple[torch.Tensor, torch.Tensor] | None = None  # of both, in double precision
        self._behind = False  # whether the number A is older than its tensor

    @property
    def alpha(self) -> float:
        """alpha, which the host alone changes."""
        return self._alpha

    @alpha.setter
    def alpha(self, value: float) -> None:
        self._alpha = value
        if self._tensors is not None:
            self._tensors[0].fill_(value)

    @property
    def decay(self) -> float:
        """A."""
        if self._tensors is not None and self._behind:
            self.read(self._tensors[1].item())
        return self._decay

    @decay.setter
    def decay(self, value: float) -> None:
        if self._tensors is not None:
            self._tensors[1].fill_(value)
        self.read(value)

    def strength(self, lr: Rate) -> Rate:
        """Return alpha as what lr is: a number, or a tensor of the same device."""
        check_rate(lr)
        return self._alpha if not isinstance(lr, torch.Tensor) else self._on(lr.device)[0]

    def count(self, lr: Rate, momentum: float) -> Rate:
        """Add lr/(1 - momentum) alpha to A, and return it; raise ValueError if lr is a number out of range."""
        if isinstance(lr, torch.Tensor):
            alpha, decay = self._on(lr.device)
            step = lr.double() / (1 - momentum) * alpha
            decay.add_(step)
            self.moved()
            return step
        check_rate(lr)
        check_nonnegative("lr", lr)
        step = lr / (1 - momentum) * self._alpha
        self.decay += step
        return step

    def moved(self) -> None:
        """Take note that the device may have counted a step."""
        self._behind = self._tensors is not None

    def unread(self) -> torch.Tensor | None:
        """Return A where the host does not know it."""
        return self._tensors[1] if self._tensors is not None and self._behind else None

    def read(self, decay: float) -> None:
        """Take note of what `unread` was."""
        self._decay, self._behind = decay, False

    def _on(self, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
        if self._tensors is None or self._tensors[0].device != device:
            check_made_before("the clock of the penalty")
            alpha, decay = (
                torch.full((), value, dtype=torch.float64, device=device) for value in (self._alpha, self.decay)
            )
            self._tensors = alpha, decay
        return self._tensors
