"""L0 regularisation through hard concrete gates."""

import math
import warnings
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from linreg_mirror._tools.arguments import check_integer, check_nonnegative
from linreg_mirror.networks._tools.lists import add_scaled
from linreg_mirror.networks._tools.reading import read
from linreg_mirror.networks.gates import (
    SGDAndAdam,
    deterministic,
    expected_open,
    expected_weights,
    fold_gates,
    folded,
    freeze_gates,
    gate_channels,
    gate_weights,
    gates_of,
    open_probability,
)
from linreg_mirror.networks.gates.generator import generated
from linreg_mirror.networks.methods._clock import Rate
from linreg_mirror.networks.methods._held import Chosen, layer_of
from linreg_mirror.networks.methods.base import BaseMethod, Readings


class L0(BaseMethod):
    """Weights or channels times gates that are drawn in each step, and a penalty on the expected number of open ones.

    Weights are trained by SGD, with weight decay, and the logits of the gates by Adam. In the end the gates for testing
    are multiplied into the weights: where they are 0, so are these.

    Parameters
    ----------
    epochs : int
        Of the whole run.
    lam : float
        lambda: times the expected number of weights that are not zero, it is added to the loss. On channels these are
        the weights between open channels, as `gates.expected_weights` counts them.
    on : {"weights", "channels"}
        What is gated: every prunable weight, or the channels of the layers that `gates.sites_of` finds.
    gate_lr : float
        Learning rate of Adam, which no schedule changes.
    finetune : int
        In how many epochs at the end the gates are those for testing, and stay as they are.
    seed : int
        Of the first logits.

    Raises
    ------
    ValueError
        If a number is out of range, or `on` neither of the two.

    Warns
    -----
    UserWarning
        After an epoch, if all gates of a layer are closed; by `finish`, if fewer weights are left than shall be kept,
        a layer has none, or none has been pruned though lam > 0.

    Notes
    -----
    Louizos et al. (arXiv 1712.01312), with the first logits of Dep-L0 (arXiv 2107.00070): normal, with mean 3 and
    standard deviation 0.01. A gate is closed in the end if loga <= -2.4: that takes some 5.4/gate_lr steps at
    least, so that short runs need a gate_lr well above the default.

    Adam divides a gradient by its own size. Logits that the loss does not reach, because nearly all draws of the gate
    are clipped to 0 or 1 or because what it gates has no influence, therefore fall by gate_lr in each step, whatever
    lam > 0 is, as long as lam times the slope of the penalty is well above 1e-8. lam has a scale only against gradients
    of the loss.
    """

    cites = ("louizos2018learning",)
    denser = "take a lower lam or a lower gate_lr"
    sparser = "take a higher lam, a higher gate_lr, or more epochs"
    takes_masks = False
    takes_graph = True

    def __init__(
        self, *, epochs: int, lam: float, on: str = "weights", gate_lr: float = 1e-3, finetune: int = 0, seed: int = 0
    ) -> None:
        check_nonnegative("lam", lam)
        super().__init__(lam)
        check_nonnegative("gate_lr", gate_lr)
        check_integer("epochs", epochs, 1)
        check_integer("finetune", finetune, 0, epochs - 1)
        check_integer("seed", seed, 0)
        if on not in ("weights", "channels"):
            raise ValueError(f'on must be "weights" or "channels", got {on!r}')
        if not lam:
            self.sparser = ""  # dense is then as it shall be
        self.lam, self.on, self.gate_lr, self.seed = float(lam), on, float(gate_lr), seed
        self._frozen_after, self._epoch = epochs - finetune if finetune else math.inf, 0
        self._open: list[float] | None = None  # as `readings` has them, until the next step

    def _parameters_of(self, model: torch.nn.Module, weights: Chosen) -> list[torch.Tensor]:
        self._gate(model, weights, np.random.default_rng(self.seed))
        # A generator is a submodule of one gate, and so found once.
        found = (p for gate in gates_of(model).values() for p in gate.parameters())
        return list(dict.fromkeys(found))

    def _gate(self, model: torch.nn.Module, weights: Chosen, rng: np.random.Generator) -> None:
        if self.on == "channels":
            gate_channels(model, rng)
        else:
            gate_weights(model, rng, weights=lambda name, _: name in weights)

    def groups(self, model: torch.nn.Module, *, momentum: float, weight_decay: float) -> list[dict[str, Any]]:
        """Return the logits, or what generates them, with `adam_lr`, and all other parameters with weight decay."""
        logits, *rest = super().groups(model, momentum=momentum, weight_decay=weight_decay)
        return [logits | {"adam_lr": self.gate_lr}, *rest]

    def optimizer(
        self, model: torch.nn.Module, *, lr: Rate, momentum: float, weight_decay: float
    ) -> torch.optim.Optimizer:
        """Return SGD with heavy-ball momentum, and Adam on the logits."""
        return SGDAndAdam(self.groups(model, momentum=momentum, weight_decay=weight_decay), lr, momentum)

    def before_step(self, lr: Rate) -> None:
        """Add the gradient of the penalty to those of the logits; while gates are frozen, drop these."""
        logits, gradients = self.theta_and_gradients()
        self._open = None
        if self._epoch >= self._frozen_after:
            for parameter in logits:
                parameter.grad = None
            return
        own = self._penalty_gradients(logits)
        with torch.no_grad():
            add_scaled(gradients, own, self.strength(lr))

    def _penalty_gradients(self, logits: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
        """Return the gradients of the expected number of weights in the logits, or in what they are generated by."""
        penalty = (expected_open if self.on == "weights" else expected_weights)(self._attached())
        return torch.autograd.grad(penalty, logits)

    def phase(self) -> Hashable:
        """Return whether there is a penalty, and whether gates are frozen."""
        return super().phase(), self._epoch >= self._frozen_after

    @torch.no_grad()
    def readings(self) -> dict[str, torch.Tensor]:
        """Return A, and of the gates of each place whether all are closed, and the mean of P(z > 0)."""
        model = self._attached()
        with generated(model):
            logits = [gate.logits() for gate in gates_of(model).values()]
        return super().readings() | {
            "closed": torch.stack([(deterministic(loga) == 0).all().double() for loga in logits]),
            "open": torch.stack([open_probability(loga).mean().double() for loga in logits]),
        }

    def after_epoch(self, accuracy: float, readings: Readings | None = None) -> None:
        """Count epochs, and freeze the gates where fine-tuning begins."""
        readings = read(self.readings()) if readings is None else readings
        super().after_epoch(accuracy, readings)
        self._epoch += 1
        self._freeze_in_time()
        self._open = list(readings["open"])
        gates = gates_of(self._attached())
        collapsed = [name for name, closed in zip(gates, readings["closed"], strict=True) if closed]
        if collapsed:
            warnings.warn(
                f"all gates are closed on {', '.join(collapsed)}, at lam={self.lam:g} and gate_lr={self.gate_lr:g}: "
                f"{self.denser}",
                stacklevel=2,
            )

    def replayed(self) -> None:
        """Take note that gates have moved."""
        super().replayed()
        self._open = None

    def report(self) -> dict[str, Any]:
        """Return the mean of P(z > 0) over the gates of each place."""
        found = read(self.readings())["open"] if self._open is None else self._open
        return {"open": dict(zip(gates_of(self._attached()), found, strict=True))}

    def _freeze_in_time(self) -> None:
        if self._epoch >= self._frozen_after:
            freeze_gates(self._attached())
            self.alpha = 0.0

    @torch.no_grad()
    def weights(self) -> dict[str, torch.Tensor]:
        """Return x by name, with the gates for testing in it."""
        model = self._attached()
        changed = folded(model)
        return {
            name: changed[name] if name in changed else getattr(*layer_of(model, name)).detach() for name in self._names
        }

    def _make_plain(self, model: torch.nn.Module) -> None:
        fold_gates(model)

    def state_dict(self) -> dict[str, Any]:
        """Return lambda, and the epochs done; there is no decay, as Adam has a time of its own."""
        return super().state_dict() | {"epoch": self._epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""
        super().load_state_dict(state)
        self._epoch = state["epoch"]
        self._freeze_in_time()
