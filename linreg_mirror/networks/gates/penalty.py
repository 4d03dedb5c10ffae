"""What gates cost: expected numbers of open gates, and of weights between open gates."""

from typing import Any

import torch

from linreg_mirror.networks.gates.channels import channel_gates
from linreg_mirror.networks.gates.gate import gates_of
from linreg_mirror.networks.gates.generator import generated
from linreg_mirror.networks.gates.hard_concrete import open_probability


def expected_open(model: torch.nn.Module) -> torch.Tensor:
    """Return the expected number of gates that are open, sum P(z > 0), over all gates of a model.

    With gates on weights this is the expected number of weights that are not zero.

    Parameters
    ----------
    model : torch.nn.Module
        With gates.

    Returns
    -------
    torch.Tensor
        One number, through which gradients flow to the logits.

    Raises
    ------
    ValueError
        If the model has no gates.
    """
    gates = gates_of(model)
    if not gates:
        raise ValueError(
            "the model has no gates: gate_weights(model, rng) or gate_channels(model, rng) puts them there"
        )
    with generated(model):
        total: Any = sum(open_probability(gate.logits()).sum() for gate in gates.values())
    return total


def expected_weights(model: torch.nn.Module) -> torch.Tensor:
    """Return the expected number of weights between open channels, in the layers with gates on their channels.

    That is sum_l E[active inputs of l] E[active channels of l] k_l^2, with k_l^2 the pixels of the kernel. Inputs are
    counted as active with the probability of the gated layer before: so neighbouring layers are coupled. Those of the
    first are all active. Layers without gates of their own, as the last, do not count.

    Parameters
    ----------
    model : torch.nn.Module
        With gates on channels.

    Returns
    -------
    torch.Tensor
        One number, through which gradients flow to the logits.

    Raises
    ------
    ValueError
        If it has none.

    Notes
    -----
    Dep-L0 (arXiv 2107.00070) on CIFAR, where the gated layer before is taken in residual nets too, although the inputs
    of a block are sums. Where that layer has another width, as in bottlenecks, its mean probability counts; the
    authors' code for ImageNet couples no layers.
    """
    gates = channel_gates(model)
    if not gates:
        raise ValueError("the model has no gates on channels: gate_channels(model, rng) puts them there")
    total: Any = 0
    active: Any = 1
    with generated(model):
        for gate in gates:
            weight = model.get_submodule(gate.site.layer).get_parameter("weight")
            probability = open_probability(gate.logits())
            total = total + active * probability.sum() * weight[0].numel()
            active = probability.mean()
    return total
