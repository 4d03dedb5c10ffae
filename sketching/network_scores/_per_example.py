"""Scores that add up squares over single examples: the Jacobian norm and RMS-SNIP."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch

from sketching._arguments import check_count
from sketching._cites import cites
from sketching._functional import Functional, Tensors, count_of, finite, modes, wide
from sketching.network_scores._gradient import Loss, one_number, paired
from sketching.weights import Weights

# Gradients of single examples are as large as the network: about so many numbers at once, and at most so many examples.
_NUMBERS = 1 << 25
_EXAMPLES = 128


@cites("drineas2006fast")
def jacobian_norm(
    model: torch.nn.Module,
    inputs: torch.Tensor | Mapping[str, torch.Tensor],
    *,
    masks: Mapping[str, Any] | None = None,
    weights: Weights | None = None,
    chunk: int | None = None,
) -> Tensors:
    """Return |theta_i| |J_i|, where J is the Jacobian of all outputs of all examples: exactly, without storing J.

    In proportion to it draws the best sketch of the linearised network J theta, as norms of columns times weights do
    for a matrix (Drineas, Kannan, Mahoney, SIAM J. Comput. 2006); see `ntk`.

    Parameters
    ----------
    model : torch.nn.Module
        What is scored; layers must be such that `torch.func.vmap` can take them, as recurrent ones are not.
    inputs : torch.Tensor, shape (n, ...)
        The examples; they follow the module's device and precision. They can be a mapping of keyword arguments. Of a
        model that returns a mapping or dataclass its `logits` count, or the only tensor in it.
    masks : mapping of str to array, optional
        Masks or factors by which the weights are multiplied first.
    weights : optional
        Which weights are scored, as in `sketching.prunable`. Default: those of layers.
    chunk : int, optional
        How many rows of J are held at once at most, each as large as all weights. One backward pass is taken for each
        of the n x (number of outputs) rows.

    Returns
    -------
    dict of str to torch.Tensor
        Scores by name of weight; 0 for weights that no output depends on.

    Raises
    ------
    ValueError
        If there is no example, or not one output for each; outputs or scores are not finite; `model` has no weight to
        score or one that cannot be (`weights.prunable`), or passes a batch norm twice; masks do not fit; or chunk is
        not positive.
    TypeError
        If inputs or outputs are no tensors.

    Examples
    --------
    >>> import torch
    >>> from sketching import network_scores
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> model.weight.data = torch.tensor([[1.0, -2.0]])
    >>> inputs = torch.tensor([[3.0, 0.0], [4.0, 1.0]])
    >>> network_scores.jacobian_norm(model, inputs)["weight"].tolist()  # |X_i||w_i|
    [[5.0, 2.0]]
    """
    network = Functional(model, masks, weights)
    inputs = network.batch(inputs)
    rows = _at_once(chunk, network.weights)
    outputs = network.freeze_batch_norm(inputs)
    width = outputs[0].numel()

    def rows_of(x: Any, directions: torch.Tensor) -> Tensors:
        pull = torch.func.vjp(lambda weights: network(weights, _alone(x)).flatten(), network.weights)[1]
        return torch.func.vmap(lambda direction: pull(direction)[0])(directions)

    def blocks() -> Iterable[Tensors]:
        for some in _split(inputs, max(1, rows // width)):
            for which in torch.arange(width, device=outputs.device).split(rows):
                directions = torch.nn.functional.one_hot(which, width).to(outputs.dtype)
                found = torch.func.vmap(rows_of, in_dims=(0, None))(some, directions)
                yield {name: block.flatten(0, 1) for name, block in found.items()}

    with modes(model):
        return _times_norm(network.weights, blocks())


@cites("lee2019snip")
def rms_snip(
    model: torch.nn.Module,
    loss: Loss,
    inputs: torch.Tensor | Mapping[str, torch.Tensor],
    targets: torch.Tensor,
    *,
    masks: Mapping[str, Any] | None = None,
    weights: Weights | None = None,
    chunk: int | None = None,
) -> Tensors:
    """Return |theta| times the root of the sum over examples of (dloss/dtheta)^2: SNIP in which no examples cancel.

    Parameters
    ----------
    model : torch.nn.Module
        What is scored; layers and loss must be such that `torch.func.vmap` can take them, as recurrent ones are not.
    loss : callable
        (outputs, targets) -> one number; it is called with batches of one example.
    inputs, targets : torch.Tensor, shapes (n, ...)
        The examples; they follow the module's device and precision. Inputs can be a mapping, as in `jacobian_norm`.
    masks : mapping of str to array, optional
        Masks or factors by which the weights are multiplied first.
    weights : optional
        Which weights are scored, as in `sketching.prunable`. Default: those of layers.
    chunk : int, optional
        How many gradients are held at once at most, each as large as all weights.

    Returns
    -------
    dict of str to torch.Tensor
        Scores by name of weight; 0 for weights that the loss does not reach.

    Raises
    ------
    ValueError, TypeError
        As in `jacobian_norm`; or if there is not one target for each input, or the loss of an example is not one finite
        number.

    Examples
    --------
    >>> import torch
    >>> from sketching import network_scores
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> loss = lambda outputs, targets: (outputs - targets).square().sum() / 2
    >>> network_scores.rms_snip(model, loss, torch.ones(3, 2), torch.zeros(3, 1))["weight"].shape
    torch.Size([1, 2])
    """
    network = Functional(model, masks, weights)
    inputs = network.batch(inputs)
    size = _at_once(chunk, network.weights)
    targets = paired(inputs, targets, network.freeze_batch_norm(inputs))

    def gradient(x: Any, target: torch.Tensor) -> tuple[Tensors, torch.Tensor]:
        def loss_of_one(weights: Tensors) -> torch.Tensor:
            return one_number(loss, network(weights, _alone(x)), target[None])

        return torch.func.grad_and_value(loss_of_one)(network.weights)

    def blocks() -> Iterable[Tensors]:
        for some in zip(_split(inputs, size), targets.split(size), strict=True):
            gradients, values = torch.func.vmap(gradient)(*some)
            if not values.isfinite().all():
                raise ValueError("the loss of an example is not finite: are the weights, inputs and targets?")
            yield gradients

    with modes(model):
        return _times_norm(network.weights, blocks())


def _split(inputs: Any, size: int) -> Iterator[Any]:
    """Yield the examples, so many at once."""
    for start in range(0, count_of(inputs), size):
        part = slice(start, start + size)
        yield {name: one[part] for name, one in inputs.items()} if isinstance(inputs, Mapping) else inputs[part]


def _alone(x: Any) -> Any:
    """Return a batch of one example."""
    return {name: one[None] for name, one in x.items()} if isinstance(x, Mapping) else x[None]


def _at_once(chunk: int | None, weights: Tensors) -> int:
    """Return how many gradients are held at once."""
    if chunk is None:
        return max(1, min(_EXAMPLES, _NUMBERS // sum(weight.numel() for weight in weights.values())))
    check_count("chunk", chunk, least=1)
    return int(chunk)


def _times_norm(weights: Tensors, blocks: Iterable[Tensors]) -> Tensors:
    """Return |theta| times the norm of what the blocks hold one below the other."""
    norms = {name: torch.zeros_like(wide(weight)) for name, weight in weights.items()}
    for block in blocks:
        for name, norm in norms.items():
            here = torch.linalg.vector_norm(block[name], dim=0, dtype=norm.dtype)
            torch.hypot(norm, here, out=norm)
    return finite({name: wide(weight).abs() * norms[name] for name, weight in weights.items()})
