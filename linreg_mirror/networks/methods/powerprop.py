"""Powerpropagation: weights as powers of the parameters that are trained."""

import torch

from linreg_mirror.networks.methods._held import Chosen
from linreg_mirror.networks.methods.dense import Dense
from linreg_mirror.networks.parametrizations.power import Power
from sketching.removable import register, remove


class Powerprop(Dense):
    """Weights x = theta |theta|^(exponent - 1), many of which end near 0, to be pruned.

    Weight decay acts on theta, as on the weights in dense training: in x it is the penalty
    weight_decay/2 |x|^(2/exponent), the L1 norm for exponent 2.

    Parameters
    ----------
    exponent : float
        At least 1, which is dense training.

    Raises
    ------
    ValueError
        If the exponent is not from 1 to 100.

    Notes
    -----
    Schwarz et al., Powerpropagation (arXiv 2110.00296), where the exponent is called alpha.
    """

    cites = ("schwarz2021powerpropagation",)
    takes_shards = True

    def __init__(self, exponent: float) -> None:
        super().__init__()
        self.exponent = Power(exponent).exponent

    def _parameters_of(self, model: torch.nn.Module, weights: Chosen) -> list[torch.Tensor]:
        for name in weights:
            register(model, name, Power(self.exponent))
        return list(weights.values())

    def _make_plain(self, model: torch.nn.Module) -> None:
        remove(model, Power, "written as powers")
