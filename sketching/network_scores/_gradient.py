"""Scores by the gradient of the loss of a batch: SNIP and GraSP."""

from collections.abc import Callable, Mapping
from typing import Any

import torch

from sketching._arguments import check_count
from sketching._cites import cites
from sketching._functional import Functional, Tensors, examples, finite, left_by, modes, wide
from sketching.weights import Weights

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@cites("lee2019snip")
def snip(
    model: torch.nn.Module,
    loss: Loss,
    inputs: torch.Tensor | Mapping[str, torch.Tensor],
    targets: torch.Tensor,
    *,
    masks: Mapping[str, Any] | None = None,
    weights: Weights | None = None,
) -> Tensors:
    """Return |theta * dloss/dtheta|: by how much the loss would change per share of the weight that is taken away.

    SNIP: Lee, Ajanthan, Torr (arXiv 1810.02340), without their division by the sum. `iterative_masks` prunes by it in
    rounds.

    Parameters
    ----------
    model : torch.nn.Module
        What is scored.
    loss : callable
        (outputs, targets) -> one number.
    inputs, targets : torch.Tensor, shapes (n, ...)
        One batch; it follows the module's device and precision. Inputs can be a mapping of keyword arguments. Of a
        model that returns a mapping or dataclass the loss gets `logits`, or the only tensor in it.
    masks : mapping of str to array, optional
        Masks or factors by which the weights are multiplied first.
    weights : optional
        Which weights are scored, as in `sketching.prunable`. Default: those of layers.

    Returns
    -------
    dict of str to torch.Tensor
        Scores by name of weight; 0 for weights that the loss does not reach.

    Raises
    ------
    ValueError
        If there is no example, or not one target for each input; the loss is not one finite number, or reaches no
        weight at all; a score is not finite; `model` has no weight to score or one that cannot be (`weights.prunable`);
        or masks do not fit.
    TypeError
        If inputs, targets or outputs are no tensors.

    Examples
    --------
    >>> import torch
    >>> from sketching import network_scores
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> model.weight.data = torch.tensor([[3.0, -1.0]])
    >>> loss = lambda outputs, targets: (outputs - targets).square().sum() / 2
    >>> scores = network_scores.snip(model, loss, torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0]]))
    >>> scores["weight"].tolist()
    [[3.0, 2.0]]
    """
    network = Functional(model, masks, weights)
    with torch.enable_grad(), modes(model, batch_statistics=True):
        gradients = _derivatives(_loss_of_batch(network, loss, inputs, targets), network.weights)
    return finite({name: (wide(w.detach()) * wide(gradients[name])).abs() for name, w in network.weights.items()})


@cites("wang2020picking")
def grasp(
    model: torch.nn.Module,
    loss: Loss,
    inputs: torch.Tensor | Mapping[str, torch.Tensor],
    targets: torch.Tensor,
    *,
    masks: Mapping[str, Any] | None = None,
    weights: Weights | None = None,
    parts: int = 1,
) -> Tensors:
    """Return theta * (H g): half of what the gradient flow |g|^2 loses, to first order, if the weight is taken away.

    g and H are gradient and Hessian of the loss in the weights that are left. GraSP: Wang, Zhang, Grosse (arXiv
    2002.07376), with the opposite sign: they print -theta * (H g) and remove the largest. Their softmax temperature is
    part of the loss: divide the outputs there.

    Scores have signs. `top_k` takes them as they are; for probabilities `signed.positive_part` or `signed.absolute`.

    Parameters
    ----------
    model : torch.nn.Module
        What is scored.
    loss : callable
        (outputs, targets) -> one number, twice differentiable.
    inputs, targets
        As in `snip`.
    masks : mapping of str to array, optional
        Masks or factors by which the weights are multiplied first. What they remove scores -inf: 0 would be kept before
        all weights with negative scores.
    weights : optional
        Which weights are scored, as in `sketching.prunable`. Default: those of layers.
    parts : int
        Into how many parts of equal size the batch is cut. Losses add up over them, and batch norm takes the statistics
        of each. The authors' code has 2, on batches with as many examples of each class.

    Returns
    -------
    dict of str to torch.Tensor
        Scores by name of weight; 0 for weights that the loss does not reach.

    Raises
    ------
    ValueError, TypeError
        As in `snip`.

    Examples
    --------
    >>> import torch
    >>> from sketching import network_scores
    >>> model = torch.nn.Linear(2, 1, bias=False)
    >>> model.weight.data = torch.tensor([[3.0, -1.0]])
    >>> loss = lambda outputs, targets: (outputs - targets).square().sum() / 2
    >>> scores = network_scores.grasp(model, loss, torch.tensor([[1.0, 2.0]]), torch.tensor([[0.0]]))
    >>> scores["weight"].tolist()
    [[15.0, -10.0]]
    """
    network = Functional(model, masks, weights)
    left = left_by(masks, network.weights)
    with torch.enable_grad(), modes(model, batch_statistics=True):
        losses = [_loss_of_batch(network, loss, *part) for part in _cut(inputs, targets, parts)]
        value = torch.stack(losses).sum()
        gradients = _derivatives(value, network.weights, create_graph=True)
        # The derivative of <g, constant> is H times that constant, here g itself.
        flow = torch.stack([(left[name] * g.detach() * g).sum() for name, g in gradients.items()]).sum()
        products = _derivatives(flow, network.weights)
    scores = finite({name: wide(w.detach()) * wide(products[name]) for name, w in network.weights.items()})
    return {name: score.where(left[name], -torch.inf) for name, score in scores.items()}


def _cut(inputs: Any, targets: Any, parts: int) -> list[tuple[Any, Any]]:
    """Return the batch in parts of equal size, or raise ValueError."""
    check_count("parts", parts, least=1)
    if parts == 1:
        return [(inputs, targets)]
    tensors = {**inputs, "": targets} if isinstance(inputs, Mapping) else {"inputs": inputs, "": targets}
    count = len(targets)
    if count % parts or any(len(one) != count for one in tensors.values()):
        raise ValueError(f"{parts} parts of equal size need a multiple of {parts} examples, got {count}")
    chunks = {name: tensor.chunk(parts) for name, tensor in tensors.items()}

    def part(number: int) -> Any:
        cut = {name: chunk[number] for name, chunk in chunks.items() if name}
        return cut if isinstance(inputs, Mapping) else cut["inputs"]

    return [(part(number), chunks[""][number]) for number in range(parts)]


def one_number(loss: Loss, outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the loss, or raise ValueError if it is not one number."""
    value = loss(outputs, targets)
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        got = tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__
        raise ValueError(f"the loss must be a torch.Tensor with one number, got {got}: take its sum or mean")
    return value.reshape(())


def paired(inputs: Any, targets: Any, outputs: torch.Tensor) -> torch.Tensor:
    """Return the targets in the precision of the outputs, or raise ValueError if there are not as many as inputs."""
    targets = examples("targets", targets, outputs)
    count = len(next(iter(inputs.values())) if isinstance(inputs, Mapping) else inputs)
    if len(targets) != count:
        raise ValueError(f"one target for each input expected, got {count} inputs and {len(targets)} targets")
    return targets


def _loss_of_batch(network: Functional, loss: Loss, inputs: Any, targets: torch.Tensor) -> torch.Tensor:
    inputs = network.batch(inputs)
    for weight in network.weights.values():
        weight.requires_grad_()
    outputs = network(network.weights, inputs)
    value = one_number(loss, outputs, paired(inputs, targets, outputs))
    if not value.isfinite():
        raise ValueError(f"the loss is {value.item()}: are the weights, the inputs and the targets finite?")
    if not value.requires_grad:
        raise ValueError("the loss depends on no weight: does the model or the loss detach what it computes?")
    return value


def _derivatives(value: torch.Tensor, weights: Tensors, *, create_graph: bool = False) -> Tensors:
    """Return the derivatives of one number: zeros where it does not depend on a weight."""
    if not value.requires_grad:
        return {name: torch.zeros_like(weight) for name, weight in weights.items()}
    found = torch.autograd.grad(
        value, list(weights.values()), create_graph=create_graph, allow_unused=True, materialize_grads=True
    )
    return dict(zip(weights, found, strict=True))
