"""RigL: a sparse network whose weak connections move to where the gradient is large."""

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import torch

from linreg_mirror._tools.arguments import check_integer, check_range
from linreg_mirror.networks._tools.arguments import check_keep
from linreg_mirror.networks.methods._clock import Rate
from linreg_mirror.networks.methods._held import Chosen, hold, release
from linreg_mirror.networks.methods._ranking import first
from linreg_mirror.networks.methods.base import Readings
from linreg_mirror.networks.methods.dense import Dense
from sketching import erk, select_masks


class RigL(Dense):
    """Weights on a mask that changes: exactly a share `keep` of them all at any time, the others 0.

    It starts as a random mask with Erdos-Renyi-Kernel densities. Every so many steps, instead of a step of the
    optimiser, the smallest weights of each layer are dropped, and as many grown, from 0, where the gradient is largest.
    How many falls as half a cosine, to none after three quarters of the run.

    Parameters
    ----------
    epochs : int
        Of the whole run.
    keep : float
        Share of all prunable weights, above 0 and at most 1. With 1, and `fraction` 0, training is dense.
    every : int
        Steps from one change of the mask to the next.
    fraction : float
        Share of a layer's weights that moves at first; 0 for a mask that stays.
    seed : int
        Of the first mask.
    steps : int, optional
        Of the whole run: the cosine then falls from step to step, as in the paper. Recipes give it. Default: it falls
        from epoch to epoch.

    Raises
    ------
    ValueError
        If a number is out of range. By `attach`, if a layer is to have no weight, as none could ever grow.

    Warns
    -----
    UserWarning
        By `finish`, if more weights shall be kept than there are.

    Notes
    -----
    Evci et al., Rigging the Lottery (arXiv 1911.11134). The mask of "layer.weight" is the buffer "layer.weight_mask" of
    the model, until `finish`. A weight that is active can be exactly 0, as where a pixel is always black.
    """

    cites = ("evci2020rigging",)
    takes_shards = False
    denser = "give RigL itself that keep, or more"
    _begins = "keep"  # the argument that says how many weights are active first
    takes_masks = False

    def __init__(
        self,
        *,
        epochs: int,
        keep: float,
        every: int = 100,
        fraction: float = 0.3,
        seed: int = 0,
        steps: int | None = None,
    ) -> None:
        super().__init__()
        check_integer("epochs", epochs, 1)
        check_keep(keep)
        check_integer("every", every, 1)
        check_range("fraction", fraction, 0, 1, "0.3 or the like")
        check_integer("seed", seed, 0)
        if steps is not None:
            check_integer("steps", steps, 1)
        self.steps = steps
        self.epochs, self.keep, self.every, self.fraction, self.seed = epochs, keep, every, fraction, seed
        self.epoch, self.step = 0, 0
        self._counts: list[Any] = []  # active weights of each layer
        self._optimizer: torch.optim.Optimizer | None = None

    @property
    def share(self) -> float:
        """The share of a layer's weights that moves at once now."""
        return self._share_at(self.step)

    @property
    def left(self) -> float:
        """The share of all weights that is active now."""
        return self.keep

    def _share_at(self, step: int) -> float:
        return self.fraction * (1 + math.cos(math.pi * self._progress(step))) / 2

    def _progress(self, step: int) -> float:
        """How much of the time in which masks move is over: of three quarters of the run."""
        done = self.epoch / self.epochs if self.steps is None else step / self.steps
        return min(done / 0.75, 1)

    def _moves_in(self, step: int) -> bool:
        return step % self.every == 0 and self._share_at(step) > 0

    def phase(self) -> Hashable:
        """Return None where the next step moves the mask."""
        return None if self._moves_in(self.step + 1) else super().phase()

    def replayed(self) -> None:
        """Count the step."""
        super().replayed()
        self.step += 1

    def _parameters_of(self, model: torch.nn.Module, weights: Chosen) -> list[torch.Tensor]:
        rng = np.random.default_rng(self.seed)
        masks = select_masks(
            {name: rng.random(w.shape) for name, w in weights.items()}, self.left, allocate=erk, warn=False
        )
        empty = [name for name, mask in masks.items() if not mask.any()]
        if empty:
            raise ValueError(f"{self._begins}={self.left} leaves no weight in {', '.join(empty)}: take a larger one")
        hold(model, weights, masks)
        # What moves leaves the numbers as they are, and to ask for them would make the host wait.
        self._counts = [int(mask.sum()) for mask in masks.values()]
        return list(weights.values())

    def masks(self) -> dict[str, torch.Tensor]:
        """Return the masks by the names of the weights, True where one is active."""
        return {name: self._attached().get_buffer(f"{name}_mask") for name in self._names}

    def optimizer(
        self, model: torch.nn.Module, *, lr: Rate, momentum: float, weight_decay: float
    ) -> torch.optim.Optimizer:
        """Return SGD with heavy-ball momentum, which is forgotten where a weight is dropped or grown."""
        self._optimizer = super().optimizer(model, lr=lr, momentum=momentum, weight_decay=weight_decay)
        return self._optimizer

    @torch.no_grad()
    def before_step(self, lr: Rate) -> None:
        """Move weights, if it is time, and take all gradients away; else take away those of weights not active.

        Parameters
        ----------
        lr : float or torch.Tensor
            Learning rate of the step.

        Raises
        ------
        RuntimeError
            If the optimiser is not one of this method.
        """
        super().before_step(lr)
        if self._optimizer is None:
            raise RuntimeError("moved weights lose their momentum: make the optimiser by method.optimizer(model, ...)")
        self.step += 1
        now = self._moves_in(self.step)
        masks = self.masks()
        if now:
            before = [mask.clone() for mask in masks.values()]
            self._thin()
            for x, mask, active in zip(self._theta, masks.values(), self._counts, strict=True):
                if x.grad is not None:
                    self._move(x, x.grad, mask, self.share * active)
            for x, mask, was in zip(self._theta, masks.values(), before, strict=True):
                x.masked_fill_(~mask, 0)
                for entry in self._optimizer.state[x].values():
                    if isinstance(entry, torch.Tensor) and entry.shape == x.shape:
                        entry.masked_fill_(mask != was, 0)
            self._attached().zero_grad()
        else:
            for x, mask in zip(self._theta, masks.values(), strict=True):
                if x.grad is not None:
                    x.grad.masked_fill_(~mask, 0)

    def _thin(self) -> None:
        """Prune for good, before weights move."""

    def _move(self, x: torch.Tensor, gradient: torch.Tensor, mask: torch.Tensor, count: float | torch.Tensor) -> None:
        """Drop so many, the smallest, and grow as many."""
        mask &= ~first(x.abs().masked_fill(~mask, torch.inf), count)
        # What has just been dropped may come back, and is then as it was.
        mask |= first(-gradient.abs().masked_fill(mask, -1), count)

    def after_epoch(self, accuracy: float, readings: Readings | None = None) -> None:
        """Count the epoch."""
        super().after_epoch(accuracy, readings)
        self.epoch += 1

    def _left(self, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return self.masks() if self._theta else super()._left(weights)

    def _make_plain(self, model: torch.nn.Module) -> None:
        if self._theta:
            release(model, self._names)

    def state_dict(self) -> dict[str, Any]:
        """Return what `Dense` returns, and the epochs and steps done."""
        return super().state_dict() | {"epoch": self.epoch, "step": self.step}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""
        super().load_state_dict(state)
        self.epoch, self.step = state["epoch"], state["step"]
