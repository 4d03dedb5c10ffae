"""Continuous Sparsification: soft gates that become hard ones."""

import math
from collections.abc import Mapping
from typing import Any

import torch

from linreg_mirror._tools.arguments import check_integer, check_range
from linreg_mirror.networks._tools.lists import add_scaled
from linreg_mirror.networks._tools.pairs import pairs_of
from linreg_mirror.networks.methods._clock import Rate
from linreg_mirror.networks.methods._held import Chosen
from linreg_mirror.networks.methods.base import BaseMethod, Readings
from linreg_mirror.networks.optimizers._sgd import sgd
from sketching.removable import Removable, register, registered, remove


class SoftGate(Removable):
    """The parametrization (w, s) -> w sigmoid(beta s), entry by entry. It starts with beta = 1 and x unchanged.

    Parameters
    ----------
    s_init : float
        s at the start.
    scale : float
        By what the gate is multiplied.
    like : torch.Tensor
        The weight; beta has its device and dtype, and is part of the state dict.
    """

    beta: torch.Tensor

    def __init__(self, s_init: float, like: torch.Tensor, scale: float = 1.0) -> None:
        super().__init__()
        self.s_init, self.scale = s_init, scale
        self.register_buffer("beta", like.new_ones(()))

    def forward(self, w: torch.Tensor, s: torch.Tensor) -> torch.Tensor:
        """Return x."""
        return w * ((self.beta * s).sigmoid() * self.scale)

    def right_inverse(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return w and s."""
        s = torch.full_like(x, self.s_init)
        return x / ((self.beta * s).sigmoid() * self.scale), s


class ContinuousSparsification(BaseMethod):
    """Weights x = w sigmoid(beta s) with penalty alpha |sigmoid(beta s)|_1; in the end x = w where s > 0, else 0.

    beta is 1 in the first epoch and grows by a factor after each, up to the last. Weight decay acts on w as in dense
    training, and not on s. Measured on the way is what soft gates leave, not the hard ones of the end.

    Parameters
    ----------
    epochs : int
        Of the whole run.
    alpha : float
        Strength of the penalty.
    s_init : float
        s at the start, from -10 to 10^4. Where sigmoid(s) rounds to 1, training is dense.
    steepness : float
        beta in the last epoch, at least 1.
    published : bool
        Train as the authors' code does: x = w sigmoid(beta s)/sigmoid(s_init), the penalty on these quotients, and
        Nesterov momentum. There the classifier has no gates: leave it out by `weights`.

    Raises
    ------
    ValueError
        If a number is out of range or not finite, or `epochs` no integer >= 1.

    Warns
    -----
    UserWarning
        By `finish`: if fewer weights are left than shall be kept, a layer has none, or none has been pruned.

    Notes
    -----
    Savarese, Silva & Maire, Winning the Lottery with Continuous Sparsification (arXiv 1912.04427), one round; alpha is
    called lambda there. The authors' code divides x by sigmoid(s_init) throughout; here w starts divided by it, unless
    `published`: at s_init = 0 steps of w are then four times as long, and the penalty is twice as strong.
    """

    cites = ("savarese2020winning",)
    denser = "take a smaller alpha, or a larger s_init"
    sparser = "take a larger alpha, or a smaller s_init"
    takes_graph = True

    def __init__(
        self, *, epochs: int, alpha: float, s_init: float = 0.0, steepness: float = 200.0, published: bool = False
    ) -> None:
        super().__init__(alpha)
        if not isinstance(published, bool):
            raise ValueError(f"published must be true or false, got {published!r}")
        check_integer("epochs", epochs, 1)
        check_range("s_init", s_init, -10, 1e4, "0 or the like")  # half precision holds no more
        check_range("steepness", steepness, 1, math.inf, "200 or the like")
        self.epochs, self.s_init, self.steepness = epochs, float(s_init), float(steepness)
        self.published, self.epoch = published, 0

    @property
    def scale(self) -> float:
        """By what gates are multiplied: 1/sigmoid(s_init) as published."""
        return 1 + math.exp(-self.s_init) if self.published else 1.0

    def optimizer(
        self, model: torch.nn.Module, *, lr: Rate, momentum: float, weight_decay: float
    ) -> torch.optim.Optimizer:
        """Return SGD with heavy-ball momentum, or Nesterov's as published."""
        groups = self.groups(model, momentum=momentum, weight_decay=weight_decay)
        return sgd(groups, lr, momentum, nesterov=self.published and momentum > 0)

    @property
    def beta(self) -> float:
        """The steepness of this epoch."""
        last = self.epochs - 1
        return self.steepness ** (min(self.epoch, last) / last) if last else 1.0

    def _parameters_of(self, model: torch.nn.Module, weights: Chosen) -> list[torch.Tensor]:
        for name, weight in weights.items():
            register(model, name, SoftGate(self.s_init, weight, self.scale))
        return [s for _, s in pairs_of(model, SoftGate).values()]

    @torch.no_grad()
    def before_step(self, lr: Rate) -> None:
        """Add the gradient of the penalty to those of s."""
        gates, gradients = self.theta_and_gradients()
        self.count_penalty(lr)
        beta: Any = self.beta
        if isinstance(lr, torch.Tensor):  # as the gates have it, in which it grows where a graph finds it
            beta = next(registered(self._attached(), SoftGate))[-1].beta
        factor = self.strength(lr) * beta * self.scale
        for s, gradient in zip(gates, gradients, strict=True):
            open_ = (beta * s).sigmoid()
            add_scaled([gradient], [open_ * (1 - open_)], factor)

    def after_epoch(self, accuracy: float, readings: Readings | None = None) -> None:
        """Make the gates steeper."""
        super().after_epoch(accuracy, readings)
        self.epoch += 1
        for *_, gate in registered(self._attached(), SoftGate):
            gate.beta.fill_(self.beta)

    def _final(self) -> dict[str, torch.Tensor]:
        hard = {
            name: (w * ((s > 0) * self.scale)).detach() for name, (w, s) in pairs_of(self._attached(), SoftGate).items()
        }
        return super()._final() | hard

    @torch.no_grad()
    def _make_plain(self, model: torch.nn.Module) -> None:
        for _, s in pairs_of(model, SoftGate).values():
            s.copy_(torch.where(s > 0, torch.inf, -torch.inf))
        remove(model, SoftGate, "gated")

    def state_dict(self) -> dict[str, Any]:
        """Return alpha, its integral, and the epochs done."""
        return super().state_dict() | {"epoch": self.epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""
        super().load_state_dict(state)
        self.epoch = state["epoch"]
