"""Gradual magnitude pruning: a mask that shrinks while its weights are trained."""

from collections.abc import Mapping
from typing import Any

import torch

from linreg_mirror._tools.arguments import check_integer, check_range
from linreg_mirror.networks._tools.arguments import check_keep
from linreg_mirror.networks.methods._clock import Rate
from linreg_mirror.networks.methods._held import Chosen, hold, release
from linreg_mirror.networks.methods._ranking import keep_largest
from linreg_mirror.networks.methods.base import Readings
from linreg_mirror.networks.methods.dense import Dense


class GradualMagnitude(Dense):
    """Dense training at first; after every epoch the smallest weights go, of all layers together, and stay 0.

    The share that is left falls as 1 - (1 - keep) (1 - (1 - t)^3), t from 0 at epoch `start` to 1 at epoch `end`: fast
    where there are many to choose from, and slowly near the end.

    Parameters
    ----------
    epochs : int
        Of the whole run.
    keep : float
        Share of all prunable weights that is left from epoch `end` on, above 0 and at most 1.
    start : int
        Epochs before pruning begins.
    end : int, optional
        Epochs after which all is pruned, more than `start`; the rest of the run trains what is left. Default: three
        quarters of the run.

    Raises
    ------
    ValueError
        If a number is out of range.

    Warns
    -----
    UserWarning
        By `finish`, if more weights shall be kept than there are.

    Notes
    -----
    Zhu & Gupta, To prune, or not to prune (arXiv 1710.01878), equation 1, with steps of an epoch; there each layer is
    pruned by itself. The mask of "layer.weight" is the buffer "layer.weight_mask" of the model, until `finish`.
    """

    cites = ("zhu2017prune",)
    denser = "give the method itself that keep, or more"
    takes_masks = False
    takes_shards = False

    def __init__(self, *, epochs: int, keep: float, start: int = 0, end: int | None = None) -> None:
        super().__init__()
        check_integer("epochs", epochs, 1)
        check_keep(keep)
        check_integer("start", start, 0, epochs - 1)
        end = max(start + 1, round(0.75 * epochs)) if end is None else end
        check_range("end", end, start + 1, epochs, f"{epochs}")
        check_integer("end", end, 1)
        self.epochs, self.keep, self.start, self.end = epochs, float(keep), start, end
        self.epoch = 0

    @property
    def share(self) -> float:
        """The share of all weights that is left after so many epochs as are done."""
        t = min(max((self.epoch - self.start) / (self.end - self.start), 0), 1)
        return 1 - (1 - self.keep) * (1 - (1 - t) ** 3)

    def _parameters_of(self, model: torch.nn.Module, weights: Chosen) -> list[torch.Tensor]:
        hold(model, weights, {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in weights.items()})
        return list(weights.values())

    def masks(self) -> dict[str, torch.Tensor]:
        """Return the masks by the names of the weights, True where one is left."""
        return {name: self._attached().get_buffer(f"{name}_mask") for name in self._names}

    @torch.no_grad()
    def after_step(self, lr: Rate) -> None:
        """Take back what momentum moves pruned weights by."""
        for x, mask in zip(self._theta, self.masks().values(), strict=True):
            x.masked_fill_(~mask, 0)

    @torch.no_grad()
    def after_epoch(self, accuracy: float, readings: Readings | None = None) -> None:
        """Prune."""
        super().after_epoch(accuracy, readings)
        self.epoch += 1
        keep_largest(self.weights(), self.masks(), self.share)
        self.after_step(0.0)

    def report(self) -> dict[str, Any]:
        """Return the share that is left."""
        return {"left": self.share}

    def _left(self, weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return self.masks() if self._theta else super()._left(weights)

    def _make_plain(self, model: torch.nn.Module) -> None:
        if self._theta:
            release(model, self._names)

    def state_dict(self) -> dict[str, Any]:
        """Return what `Dense` returns, and the epochs done."""
        return super().state_dict() | {"epoch": self.epoch}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""
        super().load_state_dict(state)
        self.epoch = state["epoch"]
