"""What gates cost: expected numbers of open gates, and of weights between open gates."""

from collections.abc import Sequence
from typing import Any

import torch

from linreg_mirror.networks._tools.lists import lists
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
        for gate, size in zip(gates, sizes_of(model), strict=True):
            probability = open_probability(gate.logits())
            total = total + active * probability.sum() * size
            active = probability.mean()
    return total


def sizes_of(model: torch.nn.Module) -> list[int]:
    """Return how many weights a channel has in each of the layers with gates on their channels."""
    layers = (model.get_submodule(gate.site.layer) for gate in channel_gates(model))
    return [layer.get_parameter("weight")[0].numel() for layer in layers]


def slopes_of_expected_weights(logits: Sequence[torch.Tensor], sizes: Sequence[int]) -> list[torch.Tensor]:
    """Return the derivatives of `expected_weights` in the logits, of all layers at once.

    In P(z > 0) of layer l of width w_l it is n_l times the share of active inputs, plus the n_{l+1} times active
    channels of the next layer over w_l.

    Parameters
    ----------
    logits : sequence of torch.Tensor
        Of each layer, in the order of computation.
    sizes : sequence of int
        n_l, from `sizes_of`.

    Returns
    -------
    list of torch.Tensor
        Of the shapes of the logits.
    """
    widths = [len(loga) for loga in logits]
    probabilities = open_probability(torch.cat(list(logits)))
    # The sums of the probabilities, all of which are positive.
    active = lists._foreach_norm(probabilities.split(widths), 1)
    shares = [size / width for size, width in zip(sizes[1:], widths, strict=False)]
    inputs, outputs = (lists._foreach_mul(own, shares) if own else [] for own in (active[:-1], active[1:]))
    first, last = torch.full_like(active[0], sizes[0]), torch.zeros_like(active[0])
    each = torch.stack(lists._foreach_add([first, *inputs], [*outputs, last]))
    slopes = (probabilities * (1 - probabilities)).split(widths)
    return lists._foreach_mul(slopes, each.unbind())
