"""What masks leave of a network: weights, units, paths and floating-point operations."""

import copy
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.modules.conv import _ConvNd

from sketching._diagnosis_table import COLUMNS, html_table, table
from sketching._flops import flops_of
from sketching._functional import arguments
from sketching._paths import Uncountable, reachable
from sketching.application import check_masks, masks_of, remove_masks
from sketching.weights import Weights, maskable, owned, prunable


@dataclass(frozen=True)
class LayerDiagnosis:
    """What a mask leaves of one weight.

    Attributes
    ----------
    name : str
        As in `prunable(model)`.
    shape : tuple of int
        Of the weight.
    kept : int
        How many of its numbers are kept.
    dead_outputs, dead_inputs : int
        Output and input channels (rows and columns of a matrix) without a kept weight.
    effective : int or None
        Kept weights on a path of kept weights from the network's input to its output; None if not counted.
    flops : int or None
        Floating-point operations with this weight, dense, in a forward pass of one example, two for each
        multiply-add; None if not counted.
    """

    name: str
    shape: tuple[int, ...]
    kept: int
    dead_outputs: int
    dead_inputs: int
    effective: int | None
    flops: int | None

    @property
    def weights(self) -> int:
        """How many there are."""
        return math.prod(self.shape)

    @property
    def density(self) -> float:
        """Share of the weights that is kept."""
        return self.kept / max(1, self.weights)

    @property
    def collapsed(self) -> bool:
        """Whether nothing is kept."""
        return self.kept == 0

    @property
    def flops_kept(self) -> int | None:
        """Operations with kept weights: each weight of a layer is used equally often."""
        return None if self.flops is None else round(self.flops * self.density)


@dataclass(frozen=True)
class Diagnosis:
    """What masks leave of a network; `str` of it is a table, its attributes are the totals.

    Attributes
    ----------
    layers : tuple of LayerDiagnosis
        One for each weight of `prunable(model)`.
    other_flops : int or None
        Operations that use none of these weights as it is, such as products of activations: kept in full.
    uncounted : str or None
        Why `effective` is None, if it is.

    Examples
    --------
    >>> import torch
    >>> import sketching
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2, bias=False))
    >>> found = sketching.diagnosis(model, {"0.weight": torch.eye(2, dtype=torch.bool)})
    >>> found.kept, found.weights
    (2, 4)
    """

    layers: tuple[LayerDiagnosis, ...]
    other_flops: int | None
    uncounted: str | None

    @property
    def weights(self) -> int:
        """How many weights there are."""
        return sum(layer.weights for layer in self.layers)

    @property
    def kept(self) -> int:
        """How many are kept."""
        return sum(layer.kept for layer in self.layers)

    @property
    def density(self) -> float:
        """Share of the weights that is kept."""
        return self.kept / max(1, self.weights)

    @property
    def dead_outputs(self) -> int:
        """Output channels without a kept weight."""
        return sum(layer.dead_outputs for layer in self.layers)

    @property
    def dead_inputs(self) -> int:
        """Input channels without a kept weight."""
        return sum(layer.dead_inputs for layer in self.layers)

    @property
    def effective(self) -> int | None:
        """Kept weights on a path of kept weights from input to output; None if not counted."""
        return _total(layer.effective for layer in self.layers)

    @property
    def flops(self) -> int | None:
        """Operations of the dense network for one example; None if not counted."""
        return _total([self.other_flops, *(layer.flops for layer in self.layers)])

    @property
    def flops_kept(self) -> int | None:
        """Operations that are left of them if zeros cost nothing."""
        return _total([self.other_flops, *(layer.flops_kept for layer in self.layers)])

    @property
    def collapsed(self) -> tuple[str, ...]:
        """Names of layers of which nothing is kept."""
        return tuple(layer.name for layer in self.layers if layer.collapsed)

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON-ready data: totals, and under "layers" one flat row for each."""
        return {
            **_counts(self),
            "other_flops": self.other_flops,
            "uncounted": self.uncounted,
            "collapsed": list(self.collapsed),
            "layers": [
                {"name": layer.name, "shape": list(layer.shape), **_counts(layer), "collapsed": layer.collapsed}
                for layer in self.layers
            ],
        }

    def to_text(self, width: int | None = None) -> str:
        """Return the table that is printed.

        Parameters
        ----------
        width : int, optional
            Characters in a line: columns are left out, the less important ones first, and sentences wrapped. Default:
            all columns, and nothing is wrapped.
        """
        return table(self.to_dict(), width)

    def __str__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        return html_table(self.to_dict())


def diagnosis(
    model: torch.nn.Module,
    masks: Mapping[str, Any] | None = None,
    *,
    inputs: torch.Tensor | Mapping[str, torch.Tensor] | tuple[int, ...] | None = None,
    weights: Weights | None = None,
) -> Diagnosis:
    """Say what masks leave of a model: kept per layer, dead units, collapsed layers, effective weights, operations.

    Parameters
    ----------
    model : torch.nn.Module
        With masks applied or without; it is not changed. What runs is a copy, in eval mode, in double precision on the
        CPU.
    masks : mapping of str to torch.Tensor or NumPy array, optional
        As for `apply_masks`, in place of any that are applied; weights that are not named count as dense. By default
        the masks that are applied; of other weights, zeros count as pruned, so that `remove_masks` changes nothing
        (and a layer that begins at zero counts as collapsed).
    inputs : torch.Tensor, mapping of str to torch.Tensor, or tuple of int, optional
        A batch of examples, of which the first is taken, by keyword arguments if it is a mapping; or the shape of one
        example, without the batch dimension. Without it, neither effective weights nor operations are counted.
    weights : optional
        Which weights it is about, as in `prunable`. Default: those that masks name, and those of layers.

    Returns
    -------
    Diagnosis
        `print` it for a table.

    Raises
    ------
    ValueError
        If the model is none that `prunable` accepts, masks do not fit it as in `apply_masks`, or it does not take
        inputs of this shape.
    TypeError
        If `inputs` is neither a tensor nor a tuple of integers, or a mask neither of bool nor of floats.

    Notes
    -----
    Effective weights are those left when what no signal reaches, and what reaches no output, goes too (Vysogorets and
    Kempe, "Connectivity Matters: Neural Network Pruning Through the Lens of Effective Sparsity", arXiv 2107.02306).
    Paths go through sums and products of positive signals, through activations, normalisations (unit by unit) and
    pooling, for inputs of the given shape. Biases begin none; other parameters that are added, such as position
    embeddings, do. With differences, minima or torch's attention functions there is no such count: `effective` is None
    and `uncounted` says why. What cannot be noticed from outside: a function of one's own that drops positive signals,
    behind which the count is too low.

    Examples
    --------
    >>> import torch
    >>> import sketching
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.ReLU(), torch.nn.Linear(2, 1))
    >>> masks = {"0.weight": torch.tensor([[True, True], [False, False]]), "2.weight": torch.tensor([[True, True]])}
    >>> found = sketching.diagnosis(model, masks, inputs=torch.ones(1, 2))
    >>> [(layer.name, layer.kept, layer.effective) for layer in found.layers]  # one weight of the last is fed by none
    [('0.weight', 2, 2), ('2.weight', 2, 1)]
    """
    example = None if inputs is None else _example(inputs)
    network = remove_masks(copy.deepcopy(model)).to("cpu", torch.double).eval()
    applied = masks_of(model) if masks is None else check_masks(maskable(network), masks)
    chosen = _chosen(network, applied, weights)
    if masks is None:
        kept = {name: (applied.get(name, weight.detach()) != 0).cpu() for name, weight in chosen.items()}
    else:
        kept = {name: applied.get(name, torch.ones_like(weight)) != 0 for name, weight in chosen.items()}
    flops, effective, uncounted = None, {}, "no inputs were given"
    if example is not None:
        with torch.random.fork_rng(devices=[]):  # functions that draw even in eval mode
            flops = _flops(network, chosen, example)
            try:
                effective, uncounted = reachable(network, kept, example), None
            except Uncountable as why:
                uncounted = str(why)
    layers = []
    for name, mask in kept.items():
        alive = _by_unit(network.get_submodule(name.rpartition(".")[0]), mask)
        layers.append(
            LayerDiagnosis(
                name=name,
                shape=tuple(mask.shape),
                kept=int(mask.sum()),
                dead_outputs=int((~alive.any(dim=(2, 3))).sum()),
                dead_inputs=int((~alive.any(dim=(1, 3))).sum()),
                effective=int(effective[name].sum()) if effective else None,
                flops=None if flops is None else flops[name],
            )
        )
    return Diagnosis(tuple(layers), None if flops is None else flops[None], uncounted)


def _chosen(
    network: torch.nn.Module, masks: Mapping[str, Any], weights: Weights | None
) -> dict[str, torch.nn.Parameter]:
    """Return the weights that are asked for, by default those of masks and layers."""
    if weights is not None or not masks:
        return prunable(network, weights)
    wanted = {*masks, *owned(network)}
    return prunable(network, lambda name, _: name in wanted)


def _example(inputs: Any) -> Any:
    """Return a batch of one example, in double precision if it holds floats."""
    if isinstance(inputs, Mapping):
        return {name: _example(one) for name, one in inputs.items()}
    if isinstance(inputs, torch.Tensor):
        if inputs.ndim == 0 or len(inputs) == 0:
            raise ValueError(f"inputs must hold at least one example, got shape {tuple(inputs.shape)}")
        one = inputs[:1].detach().cpu()
        return one.double() if one.is_floating_point() else one
    if not (isinstance(inputs, tuple) and all(isinstance(size, int) for size in inputs)):
        raise TypeError(
            f"inputs must be a tensor, a batch of examples, or the shape of one, got {inputs!r}: write "
            "inputs=(3, 32, 32) for colour images of 32 x 32 pixels"
        )
    if any(size < 1 for size in inputs):
        raise ValueError(f"inputs, the shape of an example, must have positive sizes, got {inputs}")
    return torch.ones((1, *inputs), dtype=torch.double, device="cpu")


def _flops(network: torch.nn.Module, weights: Mapping[str, torch.Tensor], example: Any) -> Counter[str | None]:
    try:
        return flops_of(network, weights, example)
    except Exception as error:
        positional, named = arguments(example)
        shapes = ", ".join(str(tuple(one.shape)) for one in (*positional, *named.values()))
        raise ValueError(
            f"the model cannot take inputs of shape {shapes}, a batch of one, in double precision on the "
            f"CPU: {error}. As inputs give a batch of examples, or the shape of one without the batch dimension"
        ) from error


def _by_unit(layer: torch.nn.Module, mask: torch.Tensor) -> torch.Tensor:
    """Return a mask as (groups, outputs, inputs, rest) of its layer."""
    mask, groups = mask.reshape(*mask.shape[:2], -1), 1
    transposed = isinstance(layer, torch.nn.Embedding | torch.nn.EmbeddingBag)
    if isinstance(layer, _ConvNd):
        groups, transposed = layer.groups, layer.transposed
    mask = mask.reshape(groups, -1, *mask.shape[1:])
    return mask.transpose(1, 2) if transposed else mask


def _counts(found: LayerDiagnosis | Diagnosis) -> dict[str, Any]:
    return {name: getattr(found, name) for name in COLUMNS}


def _total(counts: Iterable[int | None]) -> int | None:
    known = tuple(counts)
    return None if None in known else sum(count for count in known if count is not None)
