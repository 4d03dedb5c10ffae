"""Dep-L0: L0 gates on channels whose logits are generated from those of the neighbouring layer."""

from collections.abc import Sequence

import numpy as np
import torch

from linreg_mirror.networks.gates import gate_channels
from linreg_mirror.networks.gates.generator import Direction, check_direction, generator_of
from linreg_mirror.networks.gates.penalty import sizes_of, slopes_of_expected_weights
from linreg_mirror.networks.methods._held import Chosen
from linreg_mirror.networks.methods.l0 import L0


class DepL0(L0):
    """`L0` on channels with loga_l = log(100) tanh(W_l loga_{l-1} + c_l), of which Adam trains W and c.

    Gates stay independent given the logits; these move together, through the generator that they share. They lie
    between -4.6 and 4.6, so that P(z > 0) lies between 0.05 and 0.998.

    Parameters
    ----------
    epochs : int
        Of the whole run.
    lam : float
        lambda, as in `L0` on channels.
    direction : {"forward", "backward"}
        Whether logits are generated from the first layer to the last, or from the last to the first.
    gate_lr : float
        Learning rate of Adam, which no schedule changes. A step can move a logit by gate_lr times the sum of the
        absolute logits before it, hundreds in a wide layer: with too large a one all tanh are saturated at once, and
        gates stay where chance has put them.
    finetune : int
        In how many epochs at the end the gates are those for testing, and stay as they are.
    seed : int
        Of the generator's first parameters.

    Raises
    ------
    ValueError
        If a number is out of range, or the direction neither of the two.

    Warns
    -----
    UserWarning
        As `L0`.

    Notes
    -----
    Li and Ji, Dep-L0 (arXiv 2107.00070); starts as in `gates.Generator`. In the authors' code for CIFAR the penalty
    moves logits during fine-tuning too; here nothing does.
    """

    cites = ("li2021dep", *L0.cites)

    def __init__(
        self,
        *,
        epochs: int,
        lam: float,
        direction: Direction = "forward",
        gate_lr: float = 1e-3,
        finetune: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__(epochs=epochs, lam=lam, on="channels", gate_lr=gate_lr, finetune=finetune, seed=seed)
        check_direction(direction)
        self.direction: Direction = direction

    def _gate(self, model: torch.nn.Module, weights: Chosen, rng: np.random.Generator) -> None:
        gate_channels(model, rng, self.direction)

    def _penalty_gradients(self, logits: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
        model = self._attached()
        sizes = sizes_of(model)
        return generator_of(model).pulled_back(lambda logits: slopes_of_expected_weights(logits, sizes))
