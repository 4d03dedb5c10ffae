"""Masks of a network by the names of their parts: which score, allocation and selection, on which data."""

import copy
import math
from collections.abc import Callable, Mapping
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.functional import cross_entropy

import sketching
from linreg_mirror._tools.arguments import check_integer, check_rng
from linreg_mirror.networks.models import input_shape
from sketching import network_scores
from sketching.masks import Masks
from sketching.weights import Weights

SELECTIONS: Mapping[str, Callable[..., Any]] = {
    "top-k": sketching.top_k,
    "gumbel": sketching.gumbel_top_k,
    "systematic": sketching.systematic,
    "bernoulli": sketching.bernoulli,
    "with-replacement": sketching.with_replacement,
}
ALLOCATIONS: Mapping[str, Callable[..., Any]] = {
    "global": sketching.globally,
    "uniform": sketching.uniform,
    "erdos-renyi": sketching.erdos_renyi,
    "erk": sketching.erk,
}
SIGNED: Mapping[str, Callable[..., Any]] = {"positive": sketching.positive_part, "absolute": sketching.absolute}


class Batch(NamedTuple):
    """What scores see of a task.

    Attributes
    ----------
    inputs, targets : torch.Tensor, shapes (n, ...)
        Examples. Inputs can be a mapping of keyword arguments.
    loss : callable
        (outputs, targets) -> one number.
    """

    inputs: torch.Tensor | Mapping[str, torch.Tensor]
    targets: torch.Tensor
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


# Called with masks, and with those of model, inputs, targets, loss and rng that they take.
SCORES: Mapping[str, Callable[..., dict[str, torch.Tensor]]] = {
    "magnitude": network_scores.magnitude,
    "random": network_scores.random,
    "synflow": network_scores.synflow,
    "jacobian-norm": network_scores.jacobian_norm,
    "snip": network_scores.snip,
    "grasp": network_scores.grasp,
    "rms-snip": network_scores.rms_snip,
}
BLIND = tuple(name for name, score in SCORES.items() if "inputs" not in signature(score).parameters)


def masks_at_initialization(
    model: torch.nn.Module,
    batch: Batch | None,
    *,
    score: str,
    keep: float,
    select: str = "top-k",
    allocate: str = "global",
    rescale: bool = False,
    rounds: int | None = None,
    signed: str = "positive",
    softmax_temperature: float | None = None,
    weights: Weights | None = None,
    parts: int = 1,
    rng: np.random.Generator,
) -> Masks:
    """Return the masks that a score, an allocation and a selection give.

    Parameters
    ----------
    model : torch.nn.Module
        What is to be pruned; it is not changed.
    batch : Batch or None
        Of data (`read_batch`), or without any (`random_batch`). None will do for magnitude and random scores, which do
        not look at it.
    score : {"magnitude", "random", "snip", "grasp", "synflow", "jacobian-norm", "rms-snip"}
        As in `sketching.network_scores`.
    keep : float
        Share of the weights that is kept, in [0, 1].
    select : {"top-k", "gumbel", "systematic", "bernoulli", "with-replacement"}
        As in `sketching.selection`.
    allocate : {"global", "uniform", "erdos-renyi", "erk"}
        As in `sketching.allocation`.
    rescale : bool
        Return factors with expectation 1 instead of masks; not with top-k.
    rounds : int, optional
        How often scores are taken, with masks ever sparser. Default: 100 for SynFlow, unless it is drawn with
        replacement, where every round would lose entries again; 1 for all others.
    signed : {"positive", "absolute"}
        How GraSP's scores become probabilities: `sketching.positive_part` or `sketching.absolute`. Not used by top-k.
    softmax_temperature : float, optional
        What outputs are divided by before the cross-entropy sees them, for scores; other losses see them as they are.
        Default: 200 for GraSP, as in its authors' code, and 1 for all others.
    weights : optional
        Which weights, as in `sketching.prunable`. Default: those of layers.
    parts : int
        Into how many parts GraSP cuts the batch, as in `sketching.network_scores.grasp`.
    rng : numpy.random.Generator
        Source of all randomness. Scores and selection draw from streams of their own.

    Returns
    -------
    dict of str to torch.Tensor
        Masks (bool) or factors, by the names and of the shapes of the weights.

    Raises
    ------
    ValueError
        If a name is unknown, top-k is to be rescaled, the temperature is not positive, the score needs a batch and
        there is none, or score or selection refuse what they get.
    """
    check_rng(rng)
    scored, allocated = named("score", score, SCORES), named("allocate", allocate, ALLOCATIONS)
    chosen, nonnegative = named("select", select, SELECTIONS), named("signed", signed, SIGNED)
    if rescale and select == "top-k":
        raise ValueError("top-k keeps the same weights always, so no factor makes it unbiased: select another way")
    if batch is None and score not in BLIND:
        raise ValueError(
            f"{score} needs a batch, of data or of random_batch(model, examples, rng) (in a recipe method.data=false): "
            f"without one there are {' and '.join(BLIND)}"
        )
    if softmax_temperature is None:
        softmax_temperature = 200.0 if score == "grasp" else 1.0
    if not 0 < softmax_temperature < math.inf:
        raise ValueError(
            f"softmax_temperature must be positive and finite, got {softmax_temperature}: write 1 for none"
        )
    if batch is not None and batch.loss is cross_entropy:
        batch = batch._replace(loss=lambda outputs, labels: cross_entropy(outputs / softmax_temperature, labels))
    of_scores, of_selection = rng.spawn(2)
    given = {
        "model": model,
        "rng": of_scores,
        "weights": weights,
        "parts": parts,
        **({} if batch is None else batch._asdict()),
    }
    taken = {name: value for name, value in given.items() if name in signature(scored).parameters}
    usual = 100 if score == "synflow" and select != "with-replacement" else 1

    def scores(masks: Masks | None) -> dict[str, torch.Tensor]:
        found = scored(**taken, masks=masks)
        return nonnegative(found) if score == "grasp" and select != "top-k" else found

    return sketching.iterative_masks(
        scores,
        keep,
        rounds=usual if rounds is None else rounds,
        select=partial(chosen, rescale=True) if rescale else chosen,
        allocate=allocated,
        rng=of_selection,
        warn=False,
    )


def random_batch(model: torch.nn.Module, examples: int, rng: np.random.Generator) -> Batch:
    """Return what stands for data where there is none: normal inputs, and normal residuals of the outputs.

    Parameters
    ----------
    model : torch.nn.Module
        With an attribute `input_shape`.
    examples : int
        How many, at least 1.
    rng : numpy.random.Generator
        Source of all randomness.

    Returns
    -------
    Batch
        Whose loss is `sketching.network_scores.inner_product`.
    """
    like = next(model.parameters())
    inputs = network_scores.random_inputs(examples, input_shape(model), rng, dtype=like.dtype, device=like.device)
    residuals = network_scores.random_inputs(examples, _output_shape(model, inputs), rng)
    return Batch(inputs, residuals, network_scores.inner_product)


def read_batch(model: torch.nn.Module, file: Path, examples: int, rng: np.random.Generator) -> Batch:
    """Return examples from a file, drawn without replacement.

    Parameters
    ----------
    model : torch.nn.Module
        With an attribute `input_shape`; examples may be flat.
    file : Path
        npz with the arrays X, (n, ...) numbers, and y, (n,): integers are classes, from 0, under cross-entropy; floats
        are targets of a model with one output, under 1/2 of the mean square.
    examples : int
        How many; all of them if there are no more.
    rng : numpy.random.Generator
        Source of all randomness.

    Returns
    -------
    Batch
        With cross-entropy or half the mean square as its loss.

    Raises
    ------
    ValueError
        If the file is none such, an example does not have the size that the model takes, or y are no classes or targets
        of its outputs.
    OSError
        If it cannot be read.
    """
    check_integer("examples", examples, 1)
    if file.suffix != ".npz":
        raise ValueError(f'{file} is no npz: write one by np.savez("batch.npz", X=X, y=y)')
    with np.load(file, allow_pickle=False) as arrays:
        if not {"X", "y"} <= set(arrays):
            raise ValueError(f"{file} must hold the arrays X and y, got {', '.join(arrays) or 'none'}")
        X, y = arrays["X"], arrays["y"]
    shape = input_shape(model)
    if X.ndim < 2 or y.shape != (len(X),) or len(X) == 0 or X[0].size != np.prod(shape):
        raise ValueError(
            f"{file} holds X of shape {X.shape} and y of shape {y.shape}; the model takes {shape}, so X must be "
            f"(n, ...) with {int(np.prod(shape))} numbers an example, and y (n,)"
        )
    axes = [[size for size in one if size > 1] for one in (X.shape[1:], shape)]
    if axes[0] != axes[1] and min(map(len, axes)) > 1:
        raise ValueError(
            f"{file} holds X of shape {X.shape}, the model takes {shape}: to reshape would mix up the axes; for images "
            "with channels last write X = np.moveaxis(X, -1, 1)"
        )
    drawn = np.sort(rng.permutation(len(X))[:examples])
    inputs = torch.as_tensor(X[drawn].reshape(-1, *shape), dtype=torch.get_default_dtype())
    outputs = _output_shape(model, inputs)
    if y.dtype.kind in "iu":
        if len(outputs) != 1 or y.min() < 0 or y.max() >= outputs[0]:
            raise ValueError(
                f"{file} holds classes from {y.min()} to {y.max()}, the model has outputs of shape {outputs} for an "
                "example: classes are numbered from 0, one for each output; targets that are no classes must be floats"
            )
        return Batch(inputs, torch.as_tensor(y[drawn].astype(np.int64)), cross_entropy)
    if np.prod(outputs) != 1:
        raise ValueError(
            f"{file} holds one target of {y.dtype} for each example, the model has outputs of shape {outputs}: take a "
            "model with one output, or, if they are classes, write them as integers"
        )
    return Batch(inputs, torch.as_tensor(y[drawn], dtype=inputs.dtype), _half_mean_square)


def _output_shape(model: torch.nn.Module, inputs: torch.Tensor) -> tuple[int, ...]:
    """Return the shape of the outputs for one example."""
    with torch.no_grad():
        return tuple(copy.deepcopy(model).eval()(inputs[:1]).shape[1:])


def _half_mean_square(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    return (outputs.reshape(targets.shape) - targets).square().mean() / 2


def named(what: str, name: str, known: Mapping[str, Any]) -> Any:
    """Return what has this name, or raise ValueError that says what it names and which names there are."""
    if name not in known:
        raise ValueError(f"{what} must be one of {', '.join(known)}, got {name!r}")
    return known[name]
