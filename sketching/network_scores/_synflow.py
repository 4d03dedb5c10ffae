"""SynFlow: how much of the flow from inputs to outputs passes through each weight."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from sketching._arguments import check_count
from sketching._cites import cites
from sketching._functional import Functional, Tensors, examples, finite, modes
from sketching.weights import Weights


@cites("tanaka2020pruning")
def synflow(
    model: torch.nn.Module,
    inputs: Sequence[int] | torch.Tensor,
    *,
    masks: Mapping[str, Any] | None = None,
    weights: Weights | None = None,
) -> Tensors:
    """Return theta * dR/dtheta, where R is the sum of the outputs for an input of ones if all is made positive.

    Tanaka, Kunin, Yamins, Ganguli (arXiv 2006.05467), meant to be iterated: `iterative_masks` with 100 rounds. In
    double precision. All parameters and buffers are replaced by their absolute values, as in their code, but running
    means of batch norm by 0, as they are at initialisation: what is subtracted is nothing positive. One without running
    statistics gets mean 0 and variance 1. The rest is left as it is: ReLU is then the identity, but tanh is not made
    linear. With layer norm SynFlow's scores mean little; whole layers can be pruned.

    Parameters
    ----------
    model : torch.nn.Module
        What is scored.
    inputs : sequence of int or torch.Tensor
        Shape of one example, such as (3, 32, 32), or a batch of which nothing but this shape is used.
    masks : mapping of str to array, optional
        Masks or factors by which the weights are multiplied first.
    weights : optional
        Which weights are scored, as in `sketching.prunable`. Default: those of layers.

    Returns
    -------
    dict of str to torch.Tensor
        Scores by name of weight, float64, at least 0; 0 for weights on no path from input to output. In a network of
        ReLU layers without biases the scores of each layer add up to R.

    Raises
    ------
    ValueError
        If R overflows; `model` has no weight to score or one that cannot be (`weights.prunable`); masks do not fit; or
        the shape is none.
    TypeError
        If the output is no tensor.

    Examples
    --------
    >>> import torch
    >>> from sketching import network_scores
    >>> model = torch.nn.Linear(2, 1)
    >>> model.weight.data = torch.tensor([[3.0, -1.0]])
    >>> network_scores.synflow(model, (2,))["weight"].tolist()
    [[3.0, 1.0]]
    """
    network = Functional(model, masks, weights)
    positive = {name: _positive(weight).requires_grad_() for name, weight in network.weights.items()}
    network.others = {name: _positive(tensor) for name, tensor in network.others.items()}
    ones = torch.ones((1, *_shape(inputs)), dtype=torch.float64, device=next(iter(positive.values())).device)
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm):
            network.others[f"{name}.running_mean"] = ones.new_zeros(module.num_features)
            network.others.setdefault(f"{name}.running_var", ones.new_ones(module.num_features))
    with torch.enable_grad(), modes(model):
        flow = network(positive, ones).sum()
        if not flow.isfinite():
            raise ValueError(
                f"SynFlow's sum of outputs is {flow.item()}: too large for double precision, unless a weight is not "
                "finite. Divide the weights of a layer by a constant; without biases and skip connections that changes "
                "no order of scores"
            )
        slopes = torch.autograd.grad(flow, list(positive.values()), allow_unused=True, materialize_grads=True)
    return finite(
        {name: weight.detach() * slope for (name, weight), slope in zip(positive.items(), slopes, strict=True)}
    )


def _positive(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.abs().double() if tensor.is_floating_point() else tensor


def _shape(inputs: Sequence[int] | torch.Tensor) -> tuple[int, ...]:
    if isinstance(inputs, torch.Tensor):
        return tuple(examples("inputs", inputs, inputs).shape[1:])
    if not isinstance(inputs, Sequence):
        raise TypeError(f"inputs must be a tensor or the shape of an example, got {type(inputs).__name__}")
    for size in inputs:
        check_count("sizes in the shape of an example", size, least=1)
    return tuple(inputs)
