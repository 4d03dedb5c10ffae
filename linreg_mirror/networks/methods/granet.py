"""GraNet: gradual magnitude pruning of a sparse network, whose weak connections grow anew elsewhere."""

from collections.abc import Mapping
from typing import Any

from linreg_mirror.networks._tools.arguments import check_keep
from linreg_mirror.networks.methods._ranking import keep_largest
from linreg_mirror.networks.methods.rigl import RigL


class GraNet(RigL):
    """RigL with a mask that also shrinks: from a share `start` of all weights to `keep`, as in gradual pruning.

    Every so many steps, instead of a step of the optimiser, the smallest weights of all layers together are pruned, so
    that keep + (start - keep) (1 - t)^3 are left, t from 0 to 1 over three quarters of the run. Then weights of each
    layer move as RigL's do.

    Parameters
    ----------
    epochs : int
        Of the whole run.
    keep : float
        Share of all prunable weights that is left from three quarters of the run on, above 0 and at most `start`.
    start : float
        Share at first, of a random mask with Erdos-Renyi-Kernel densities; 1 for a dense network.
    every, fraction, seed, steps
        As for `RigL`.

    Raises
    ------
    ValueError
        If a number is out of range. By `attach`, if a layer is to have no weight at first.

    Warns
    -----
    UserWarning
        By `finish`, if more weights shall be kept than there are.

    Notes
    -----
    Liu et al., Sparse Training via Boosting Pruning Plasticity with Neuroregeneration (arXiv 2106.10404). Its authors'
    code rounds what moves up, and lets 0.5 % of a layer move to the end.
    """

    cites = ("liu2021sparse",)
    denser = "give GraNet itself that keep, or more"
    _begins = "start"

    def __init__(
        self,
        *,
        epochs: int,
        keep: float,
        start: float = 0.5,
        every: int = 100,
        fraction: float = 0.5,
        seed: int = 0,
        steps: int | None = None,
    ) -> None:
        super().__init__(epochs=epochs, keep=keep, every=every, fraction=fraction, seed=seed, steps=steps)
        check_keep(start, "start")
        if not keep <= start:
            raise ValueError(f"keep must be at most start, got keep={keep} and start={start}: the mask only shrinks")
        self.start, self.thinned = start, 0.0

    @property
    def left(self) -> float:
        """The share of all weights that is active now, up to the next change of the mask."""
        return self.keep + (self.start - self.keep) * (1 - self._progress(self.step)) ** 3

    def _moves_in(self, step: int) -> bool:
        # Once more when the time is over, so that what is left comes to `keep`.
        return step % self.every == 0 and self.thinned < 1

    def _thin(self) -> None:
        masks, self.thinned = self.masks(), self._progress(self.step)
        keep_largest(self.weights(), masks, self.left)
        self._counts = [mask.sum() for mask in masks.values()]

    def state_dict(self) -> dict[str, Any]:
        """Return what `RigL` returns, and how much of the pruning is done."""
        return super().state_dict() | {"thinned": self.thinned}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Resume from a state that `state_dict` returned."""
        super().load_state_dict(state)
        self.thinned = state["thinned"]
