"""Gates on weights: x = w*z, as a parametrization of every prunable weight."""

import numpy as np
import torch

from linreg_mirror._tools.arguments import check_rng
from linreg_mirror.networks.gates.gate import Gate, first_logits, gateable
from sketching.removable import Removable, chains, register
from sketching.weights import Weights


class WeightGate(Gate, Removable):
    """The parametrization w -> w*z, with one gate for each entry, drawn at each access in training.

    Parameters
    ----------
    name : str
        Name of the weight in the model.
    place : int
        Its place among the gates of the model.
    loga : torch.nn.Parameter
        Logits, of the shape of w.

    Notes
    -----
    Louizos, Welling, Kingma (arXiv 1712.01312).
    """

    def __init__(self, name: str, place: int, loga: torch.nn.Parameter) -> None:
        super().__init__(name, place)
        self.loga = loga

    def logits(self) -> torch.Tensor:
        """Return loga."""
        return self.loga

    def forward(self, w: torch.Tensor) -> torch.Tensor:
        """Return w*z."""
        return w * self.values()


def gate_weights(
    model: torch.nn.Module, rng: np.random.Generator, *, weights: Weights | None = None
) -> torch.nn.Module:
    """Put a gate on every prunable weight, in place, until `fold_gates`.

    The parameter of "layer.weight" is the same object as before, under the name
    "layer.parametrizations.weight.original"; the logits are "layer.parametrizations.weight.0.loga". Biases and the
    gains of normalisation layers stay as they are.

    Parameters
    ----------
    model : torch.nn.Module
        Without gates, masks or other parametrizations.
    rng : numpy.random.Generator
        Source of the first logits: normal, with mean 3 and standard deviation 0.01.
    weights : optional
        Which weights, as in `sketching.prunable`. Default: those of layers.

    Returns
    -------
    torch.nn.Module
        `model` itself.

    Raises
    ------
    ValueError
        If the model has gates, or is none that `sketching.prunable` accepts. Then nothing has been changed.
    TypeError
        If `rng` is no generator.
    """
    check_rng(rng)
    for place, (name, weight) in enumerate(gateable(model, weights).items()):
        gate = WeightGate(name, place, first_logits(tuple(weight.shape), weight, rng))
        gate.frozen = True
        register(model, name, gate)  # which calls it once: it would draw
        gate.frozen = False
        layer = model.get_submodule(name.rpartition(".")[0])
        chains(layer).train(layer.training)
    return model
