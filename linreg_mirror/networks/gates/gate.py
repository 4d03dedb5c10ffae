"""What all gates have in common, and how they are found in a model."""

import numpy as np
import torch

from linreg_mirror.networks.gates.hard_concrete import deterministic, sample
from sketching.weights import Weights, prunable


class Gate(torch.nn.Module):
    """Hard concrete gates: drawn at each pass in training, fixed in evaluation and where they are frozen.

    Parameters
    ----------
    name : str
        What it gates: a weight, or the module whose output it multiplies.
    place : int
        Its place among the gates of the model, in the order of computation.

    Attributes
    ----------
    frozen : bool
        Whether the gates are those for testing in training too. Like training mode, no part of the state dict.
    """

    def __init__(self, name: str, place: int) -> None:
        super().__init__()
        self.name, self.place, self.frozen = name, place, False

    def logits(self) -> torch.Tensor:
        """Return loga."""
        raise NotImplementedError

    def values(self, batch: tuple[int, ...] = ()) -> torch.Tensor:
        """Return the gates z, (*batch, *loga.shape) where they are drawn, and of the shape of loga otherwise.

        Parameters
        ----------
        batch : tuple of int
            How many times, where gates are drawn.
        """
        if self.training and not self.frozen:
            return sample(self.logits(), batch)
        return deterministic(self.logits())


def gates_of(model: torch.nn.Module) -> dict[str, Gate]:
    """Return the gates of a model by what they gate, in the order of computation.

    Parameters
    ----------
    model : torch.nn.Module
        With gates on weights or on channels, or with none.

    Returns
    -------
    dict of str to Gate
        By the name of the layer or weight; empty where there are none.
    """
    gates = (module for module in model.modules() if isinstance(module, Gate))
    return {gate.name: gate for gate in sorted(gates, key=lambda gate: gate.place)}


def freeze_gates(model: torch.nn.Module) -> torch.nn.Module:
    """Fix all gates, for fine-tuning: from now on each is clip(sigmoid(loga) (zeta - gamma) + gamma, 0, 1).

    Logits still get gradients, so that wrappers for several processes find every parameter in use: keep them from the
    optimiser, as the methods do.

    Parameters
    ----------
    model : torch.nn.Module
        Without gates nothing happens.

    Returns
    -------
    torch.nn.Module
        `model` itself.
    """
    for gate in gates_of(model).values():
        gate.frozen = True
    return model


def gateable(model: torch.nn.Module, weights: Weights | None = None) -> dict[str, torch.nn.Parameter]:
    """Return the prunable weights of a model that has no gates; raise ValueError if it has some."""
    gates = gates_of(model)
    if gates:
        raise ValueError(
            f"the model has gates already, on {', '.join(gates)}: first fold them into the weights, fold_gates(model)"
        )
    return prunable(model, weights)


def first_logits(shape: tuple[int, ...], like: torch.Tensor, rng: np.random.Generator) -> torch.nn.Parameter:
    """Draw logits, with mean 3 and standard deviation 0.01."""
    return as_parameter(rng.normal(3, 0.01, shape), like)


def as_parameter(values: np.ndarray, like: torch.Tensor) -> torch.nn.Parameter:
    """Make numbers a parameter on the device and in the dtype of a weight."""
    return torch.nn.Parameter(torch.as_tensor(values, device="cpu").to(like.device, like.dtype))
