"""L1 on the weights themselves."""

import torch

from linreg_mirror.networks._tools.lists import add_scaled, lists
from linreg_mirror.networks.methods._clock import Rate
from linreg_mirror.networks.methods.base import BaseMethod


class L1(BaseMethod):
    """Penalty alpha |x|_1 on the weights x: by its subgradient, or by a proximal step, which makes weights zero.

    Parameters
    ----------
    alpha : float
        Strength of the penalty. On a linear model with loss |Xx - y|^2/2 training ends at LASSO(alpha).
    proximal : bool
        Shrink every weight by lr/(1 - momentum) alpha after each step, down to zero at the most, instead of adding
        alpha sign(x) to its gradient. Momentum does not carry this shrinking on as it does a gradient, so that with lr
        alpha a step training would end at LASSO((1 - momentum) alpha). For SGD: the steps of Adam have other lengths.

    Raises
    ------
    ValueError
        If alpha is negative or not finite, or proximal no bool.
    """

    cites = ("tibshirani1996regression",)
    takes_shards = True
    takes_graph = True

    def __init__(self, alpha: float, *, proximal: bool = False) -> None:
        super().__init__(alpha)
        if not isinstance(proximal, bool):
            raise ValueError(f"proximal must be true or false, got {proximal!r}")
        self.proximal = proximal

    @torch.no_grad()
    def before_step(self, lr: Rate) -> None:
        """Add alpha sign(x) to the gradients, unless the step is proximal."""
        x, gradients = self.theta_and_gradients()
        if not self.proximal:
            self.count_penalty(lr)
            add_scaled(gradients, lists._foreach_sign(x), self.strength(lr))

    @torch.no_grad()
    def after_step(self, lr: Rate) -> None:
        """Move every weight towards zero, if the step is proximal."""
        if self.proximal:
            threshold = self.count_penalty(lr)
            low, high = -threshold, threshold
            if isinstance(threshold, torch.Tensor):  # one for each: there is no such list operation with one for all
                low, high = [-threshold] * len(self._theta), [threshold] * len(self._theta)
            near = lists._foreach_clamp_min(self._theta, low)
            lists._foreach_clamp_max_(near, high)
            lists._foreach_sub_(self._theta, near)
