"""PILoT: x = m*w with a penalty that grows and then fades."""

from collections.abc import Callable, Mapping
from typing import Any, Self

import torch

from linreg_mirror._tools.arguments import check_integer, check_momentum, check_positive
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
        Initial alpha; with 0 there is never a penalty. What counts is the decay A that it sums up to: `for_decay` finds
        the alpha for one.
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

    def __init__(
        self, *, epochs: int, alpha: float = 1e-3, K: float = 100.0, delta: float = 1.02, beta: float = 1.0
    ) -> None:
        super().__init__(alpha, beta)
        self.rule = AlphaRule(epochs, K, delta)
        self._use.moves = delta > 1 and epochs > 1

    @classmethod
    def for_decay(
        cls,
        decay: float,
        *,
        epochs: int,
        steps: int,
        lr: float | Callable[[float], float],
        momentum: float,
        K: float = 100.0,
        delta: float = 1.02,
        beta: float = 1.0,
    ) -> Self:
        """Return the method with the alpha whose penalty sums up to a decay A over the run.

        The scale that is left is beta/2 exp(-4A). Recipes of this package have A = 1.9 for digits and, tuned on
        held-out examples, 4.5 for LeNet-300-100 and 17 for ResNet-8 on Fashion-MNIST: batch norm takes back what the
        penalty does to the size of weights.

        Parameters
        ----------
        decay : float
            A, the sum of lr alpha / (1 - momentum) over all steps; positive.
        epochs : int
            T, of the whole run.
        steps : int
            Of an epoch: batches.
        lr : float or callable
            Learning rate, or what it is after so many epochs, such as ``recipe.learning_rate``.
        momentum : float
            Of the optimiser, in [0, 1).
        K, delta, beta
            As above. The decay is that of a run whose accuracy never falls and whose norm stays above K, and less
            otherwise.

        Returns
        -------
        PILoT
            Its `alpha` is what was found.

        Raises
        ------
        ValueError
            If a number is out of range.

        Examples
        --------
        >>> from linreg_mirror.networks.methods import PILoT
        >>> method = PILoT.for_decay(2.0, epochs=15, steps=469, lr=0.1, momentum=0.9)
        >>> round(method.alpha, 6)
        0.000266
        """
        check_positive("decay", decay, "write decay=2.0")
        check_integer("epochs", epochs, 1)
        check_integer("steps", steps, 1)
        check_momentum(momentum)
        rate = lr if callable(lr) else lambda _: lr
        rule, alpha, clock = AlphaRule(epochs, 0.0, delta), 1.0, 0.0
        for epoch in range(epochs):
            clock += alpha * sum(rate(epoch + step / steps) for step in range(steps))
            alpha = rule(alpha, 1.0, 1.0)
        clock /= 1 - momentum
        if not clock > 0:
            raise ValueError(f"lr must be positive on the way, got a sum of {clock:g}: write lr=0.1")
        return cls(epochs=epochs, alpha=decay / clock, K=K, delta=delta, beta=beta)

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
