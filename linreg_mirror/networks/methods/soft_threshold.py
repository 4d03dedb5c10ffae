"""STR: soft thresholds that are learned."""

import math

import torch

from linreg_mirror._tools.arguments import check_range
from linreg_mirror.networks._tools.pairs import pairs_of
from linreg_mirror.networks.methods._held import Chosen
from linreg_mirror.networks.methods.dense import Dense
from sketching.removable import Removable, register, remove


class SoftThreshold(Removable):
    """The parametrization (w, s) -> sign(w) max(|w| - sigmoid(s), 0), with one s. It starts with x unchanged.

    Parameters
    ----------
    s_init : float
        s at the start.
    """

    def __init__(self, s_init: float) -> None:
        super().__init__()
        self.s_init = s_init

    def forward(self, w: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        """Return x."""
        return w.sign() * torch.relu(w.abs() - s.sigmoid())

    def right_inverse(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return w, which is farther from 0 than x by the threshold, and s."""
        s = x.new_full((), self.s_init)
        return x + x.sign() * s.sigmoid(), s


class STR(Dense):
    """Weights x = sign(w) max(|w| - sigmoid(s), 0), with one s for each layer; w and s are trained with weight decay.

    Weight decay draws s to 0, and so the threshold to 1/2: it is the decay that decides how sparse the end is. Weights
    below the threshold have no gradient, as has one that starts at exactly 0.

    Parameters
    ----------
    s_init : float
        s at the start. Where sigmoid(s) rounds to 0, training is dense.

    Raises
    ------
    ValueError
        If s_init is not finite.

    Warns
    -----
    UserWarning
        By `finish`: if fewer weights are left than shall be kept, a layer has none, or none has been pruned.

    Notes
    -----
    Kusupati et al., Soft Threshold Reparameterization (arXiv 2002.03231). There w starts at the initial weights; here
    x does, so that w is farther from 0 by the first threshold.
    """

    cites = ("kusupati2020soft",)
    takes_shards = False
    denser = "take a lower s_init, or less weight_decay"
    sparser = "take a higher s_init, or more weight_decay"

    def __init__(self, s_init: float) -> None:
        super().__init__()
        check_range("s_init", s_init, -math.inf, math.inf, "-10 or the like")
        self.s_init = float(s_init)

    def _parameters_of(self, model: torch.nn.Module, weights: Chosen) -> list[torch.Tensor]:
        for name in weights:
            register(model, name, SoftThreshold(self.s_init))
        return [parameter for pair in pairs_of(model, SoftThreshold).values() for parameter in pair]

    def _make_plain(self, model: torch.nn.Module) -> None:
        remove(model, SoftThreshold, "thresholded")
