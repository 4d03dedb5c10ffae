"""PILoT as mirror descent."""

from typing import Any

import torch

from linreg_mirror.networks.methods._clock import Rate
from linreg_mirror.networks.methods._held import Chosen
from linreg_mirror.networks.methods.pilot import PILoT
from linreg_mirror.networks.optimizers.mirror_descent import MirrorDescent


class MirrorPILoT(PILoT):
    """PILoT on the weights x themselves, whose geometry and penalty the optimiser has: no m and w.

    As the learning rate goes to 0 the path is that of PILoT.

    Parameters
    ----------
    epochs, alpha, K, delta
        As in `PILoT`, and errors too.
    beta : float
        As in `PILoT`, but positive, which the optimiser asks for.

    Notes
    -----
    Mask in the Mirror (arXiv 2408.09966), Algorithm 1, with the optimiser `MirrorDescent`.
    """

    takes_shards = False
    _optimizer: MirrorDescent | None = None

    def _parameters_of(self, model: torch.nn.Module, weights: Chosen) -> list[torch.Tensor]:
        return list(weights.values())

    def groups(self, model: torch.nn.Module, *, momentum: float, weight_decay: float) -> list[dict[str, Any]]:
        """Return parameter groups for `MirrorDescent` alone; use `optimizer`, which moves alpha in them too."""
        x, *rest = super().groups(model, momentum=momentum, weight_decay=weight_decay)
        return [x | {"beta": self.beta, "alpha": self.alpha}, *(group | {"beta": None} for group in rest)]

    def optimizer(
        self, model: torch.nn.Module, *, lr: Rate, momentum: float, weight_decay: float
    ) -> torch.optim.Optimizer:
        """Return mirror descent on the weights, and SGD on the rest."""
        groups = self.groups(model, momentum=momentum, weight_decay=weight_decay)
        self._optimizer = MirrorDescent(groups, lr, momentum)
        return self._optimizer

    def before_step(self, lr: Rate) -> None:
        """Tell the optimiser the penalty.

        Parameters
        ----------
        lr : float or torch.Tensor
            Learning rate of the step.

        Raises
        ------
        RuntimeError
            If the optimiser is not one of this method.
        """
        self.theta_and_gradients()
        if self._optimizer is None:
            raise RuntimeError("the optimiser has the penalty: make it by method.optimizer(model, lr=..., ...)")
        self.count_penalty(lr)
        self._optimizer.param_groups[0]["alpha"] = self.strength(lr)
