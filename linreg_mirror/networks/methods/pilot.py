"""PILoT: x = m*w with a penalty that grows and then fades."""

from collections.abc import Mapping
from typing import Any

import torch

from linreg_mirror.networks._tools.norms import l1_norms
from linreg_mirror.networks.methods._factorized import Factorized
from linreg_mirror.networks.methods._processes import shared_mean
from linreg_mirror.networks.methods.base import Readings
from linreg_mirror.networks.methods.controllers import AlphaRule


class PILoT(Factorized):
    """Weights x = m*w with m^2 - w^2 = beta at the start and penalty alpha (|m|^2 + |w|^2), alpha moved every epoch.

    Parameters
    ----------
    epochs : int
        T, of the whole run: alpha grows in the first half at the most.
    alpha : float
        Penalty of the first epoch; 0 stays 0.
    K : float
        L1 norm of the weights below which alpha falls.
    delta : float
        Factor >= 1 by which alpha grows or falls after every epoch; 1 keeps it constant.
    beta : float
        m^2 - w^2 at the start. With 1 a weight of 0 is moved as in plain training, and signs can change.

    Raises
    ------
    ValueError
        If a number is negative or not finite, delta below 1, or `epochs` no integer >= 1.

    Notes
    -----
    Mask in the Mirror (arXiv 2408.09966), Algorithm 1.

    Examples
    --------
    >>> import torch
    >>> from linreg_mirror.networks.methods import PILoT
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    >>> method = PILoT(epochs=2, alpha=1e-3, delta=1.02, K=10.0)
    >>> method.attach(model)
    >>> optimizer = method.bind(method.optimizer(model, lr=0.1, momentum=0.9, weight_decay=0.0))
    >>> for epoch in range(2):
    ...     optimizer.zero_grad()
    ...     model(torch.ones(3, 4)).square().sum().backward()
    ...     optimizer.step()
    ...     method.after_epoch(accuracy=0.5)
    >>> masks = method.finish(keep=0.25)  # of 48 weights
    >>> sum(int(mask.sum()) for mask in masks.values())
    12
    """

    cites = ("jacobs2025mask",)
    takes_shards = True

    def __init__(self, *, epochs: int, alpha: float, K: float, delta: float, beta: float = 1.0) -> None:
        super().__init__(alpha, beta)
        self.rule = AlphaRule(epochs, K, delta)

    def readings(self) -> dict[str, torch.Tensor]:
        """Return A and the L1 norms of the weights."""
        return super().readings() | {"l1_norms": l1_norms(self.weights().values())}

    def after_epoch(self, accuracy: float, readings: Readings | None = None) -> None:
        """Move alpha by the training accuracy of the epoch, its mean over all processes, and the L1 norm."""
        super().after_epoch(accuracy, readings)
        norm = self.l1_norm() if readings is None else sum(readings["l1_norms"])
        self.alpha = self.rule(self.alpha, shared_mean(accuracy, self._theta[0]), norm)

    def state_dict(self) -> dict[str, Any]:
        """Return alpha, its integral, and the epochs done with the accuracy of the last."""
        return super().state_dict() | {"epoch": self.rule.epoch, "accuracy": self.rule.accuracy}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""
        super().load_state_dict(state)
        self.rule.epoch, self.rule.accuracy = state["epoch"], state["accuracy"]
