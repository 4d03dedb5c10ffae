"""x = m*w with the penalty on both factors: what spred and PILoT have in common."""

import math

import torch

from linreg_mirror._tools.arguments import check_nonnegative
from linreg_mirror.networks.methods._held import Chosen
from linreg_mirror.networks.methods.base import BaseMethod
from linreg_mirror.networks.parametrizations.hadamard import apply_hadamard, factors_of, remove_hadamard


class Factorized(BaseMethod):
    """Weights x = m*w with penalty alpha (|m|^2 + |w|^2).

    Parameters
    ----------
    alpha : float
        Strength of the penalty.
    beta : float
        m^2 - w^2 at the start.
    """

    takes_graph = True

    def __init__(self, alpha: float, beta: float) -> None:
        super().__init__(alpha)
        check_nonnegative("beta", beta)
        self.beta = float(beta)

    @property
    def log_scale(self) -> float | None:
        """The logarithm of `scale`; None for beta = 0, where it is 0 throughout."""
        return math.log(self.beta / 2) - 4 * self.decay if self.beta else None

    @property
    def scale(self) -> float:
        """The scale b = beta/2 exp(-4A) that the decay A has left, up to terms of the order of the step size.

        x is sparse only where |x| is large against it.
        """
        return self.beta / 2 * math.exp(-4 * self.decay)

    def _parameters_of(self, model: torch.nn.Module, weights: Chosen) -> list[torch.Tensor]:
        apply_hadamard(model, self.beta, weights=lambda name, _: name in weights)
        return [factor for pair in factors_of(model).values() for factor in pair]

    def _make_plain(self, model: torch.nn.Module) -> None:
        remove_hadamard(model)
