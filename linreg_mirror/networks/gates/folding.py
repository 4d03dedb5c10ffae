"""Gates folded into the weights: a plain model that computes what the gated one does in evaluation."""

import torch

from linreg_mirror.networks.gates.channels import channel_gates, remove_channel_gates
from linreg_mirror.networks.gates.gate import freeze_gates
from linreg_mirror.networks.gates.generator import generated
from linreg_mirror.networks.gates.hard_concrete import deterministic
from linreg_mirror.networks.gates.weights import WeightGate
from sketching.removable import chains, registered, remove


@torch.no_grad()
def folded(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Return the parameters that the gates for testing change, as they are with these gates in them.

    A gate on a channel multiplies gain and bias of the batch norm, or weights and bias of a layer without one. Where it
    is 0, the weights that make the channel are 0 too, and those of the one layer that takes it in, if there is one.

    Parameters
    ----------
    model : torch.nn.Module
        With gates; otherwise nothing is changed.

    Returns
    -------
    dict of str to torch.Tensor
        By the names that parameters have without gates.
    """
    values: dict[str, torch.Tensor] = {}
    for name, module, weight, gate in registered(model, WeightGate):
        values[name] = chains(module)[weight].original.detach() * deterministic(gate.logits())

    def multiply(path: str, name: str, factor: torch.Tensor, axis: int = 0) -> None:
        parameter = model.get_submodule(path)._parameters[name]
        if parameter is not None:
            full = f"{path}.{name}" if path else name
            shape = [-1 if own == axis else 1 for own in range(parameter.ndim)]
            values[full] = values.get(full, parameter.detach()) * factor.view(shape).to(parameter.dtype)

    gates = channel_gates(model)
    with generated(model):
        values_of = [deterministic(gate.logits()) for gate in gates]
    for gate, z in zip(gates, values_of, strict=True):
        site = gate.site
        multiply(site.gated, "weight", z)
        multiply(site.gated, "bias", z)
        if site.norm is not None:
            multiply(site.layer, "weight", z > 0)
            multiply(site.layer, "bias", z > 0)
        if site.consumer is not None:
            multiply(site.consumer, "weight", (z > 0).repeat_interleave(site.block), axis=1)
    return values


@torch.no_grad()
def fold_gates(model: torch.nn.Module) -> torch.nn.Module:
    """Multiply the gates for testing into the weights, and take them away, in place.

    Parameters
    ----------
    model : torch.nn.Module
        Without gates nothing happens.

    Returns
    -------
    torch.nn.Module
        `model` itself, with the parameters that it had before it was gated, the same objects.

    Raises
    ------
    ValueError
        If a gated weight carries another parametrization too. Then nothing has been changed.
    """
    if channel_gates(model):
        for name, value in folded(model).items():
            model.get_parameter(name).copy_(value)
        remove_channel_gates(model)
    freeze_gates(model)
    remove(model, WeightGate, "gated")
    return model
