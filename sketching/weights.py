"""Which weights of a torch module can be masked."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils import parametrize

from sketching._warnings import warn

Weights = Callable[[str, torch.nn.Parameter], bool] | str | Sequence[str]

_LAYERS = (
    *(nn.Linear, nn.Bilinear, _ConvNd, nn.Embedding, nn.EmbeddingBag),
    *(nn.RNNBase, nn.RNNCellBase, nn.MultiheadAttention),
)
_BIASES = ("bias_k", "bias_v")  # of attention, with three dimensions


def prunable(model: torch.nn.Module, weights: Weights | None = None) -> dict[str, torch.nn.Parameter]:
    """Return the weights that masks are about: by default those of layers, trainable, with two or more dimensions.

    Biases and the gains of normalisation layers have one dimension and are left as they are, as in the papers; so are
    frozen parameters (`requires_grad` is False). By default so are parameters that no linear, convolution, embedding,
    recurrent or attention layer owns, such as position embeddings, class tokens and the scales of blocks: a mask can
    close all paths through them.

    Parameters
    ----------
    model : torch.nn.Module
        Any module.
    weights : callable, str or sequence of str, optional
        Which of the trainable parameters with two or more dimensions: a function (name, parameter) -> bool; or names,
        or patterns of `fnmatch` such as "blocks.*.weight". A pattern after "!" leaves out what it matches; if the first
        one does, it is left out of the default.

    Returns
    -------
    dict of str to torch.nn.Parameter
        By their names in `model.named_parameters()`, in its order.

    Raises
    ------
    ValueError
        If there is no such weight, a pattern matches none, a lazy layer has not seen its input yet, a weight has two
        names, or one is parametrized, as by a mask that is applied already.
    TypeError
        If `weights` is none of these.

    Warns
    -----
    UserWarning
        If parameters are left out by default because no layer owns them.

    Examples
    --------
    >>> import torch
    >>> import sketching
    >>> model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.BatchNorm1d(8), torch.nn.Linear(8, 2))
    >>> {name: tuple(weight.shape) for name, weight in sketching.prunable(model).items()}
    {'0.weight': (8, 4), '2.weight': (2, 8)}
    >>> list(sketching.prunable(model, "!2.weight"))
    ['0.weight']
    """
    found, layers = maskable(model), set(owned(model))
    if weights is None:
        chosen = {name: parameter for name, parameter in found.items() if name in layers}
        left = [name for name in found if name not in layers]
        if left and chosen:
            warn(
                f"no layer's weights, and left as they are: {', '.join(left)}; silence this with "
                f"weights={[f'!{name}' for name in left]}, or prune them too with weights='*'"
            )
        if not chosen:
            why = f"no layer owns {', '.join(left)}; to prune these write weights={left}" if left else ""
            raise ValueError(
                f"{type(model).__name__} has no trainable weight with two or more dimensions, so that there is nothing "
                f"to prune: {why or 'are all its parameters frozen?'}"
            )
    else:
        chosen = _chosen(found, layers, weights)
    check_untied(model, chosen)
    return chosen


def maskable(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Return the trainable parameters with two or more dimensions, other than biases, also under second names.

    Raises
    ------
    ValueError
        If a lazy layer has not seen its input yet, or a weight is parametrized.
    """
    lazy = [name for name, p in model.named_parameters() if isinstance(p, UninitializedParameter)]
    if lazy:
        raise ValueError(f"not initialised yet: {', '.join(lazy)}: pass one batch through the model first")
    parametrized = [name or "the model" for name, m in model.named_modules() if parametrize.is_parametrized(m)]
    if parametrized:
        raise ValueError(
            f"parametrized already: {', '.join(parametrized)}: first make its weights plain ones; if it carries masks, "
            "sketching.remove_masks(model) does"
        )
    return {
        name: parameter
        for name, parameter in model.named_parameters(remove_duplicate=False)
        if parameter.requires_grad and parameter.ndim >= 2 and name.rpartition(".")[2] not in _BIASES
    }


def check_untied(model: torch.nn.Module, chosen: Iterable[str]) -> None:
    """Raise ValueError if one of the weights has another name too: a mask would hold under one name alone."""
    names: dict[torch.nn.Parameter, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(parameter, []).append(name)
    wanted = set(chosen)
    shared = [several for several in names.values() if len(several) > 1 and wanted & set(several)]
    if shared:
        raise ValueError(
            f"one weight under two names: {'; '.join(' = '.join(several) for several in shared)}: which mask it has "
            f"would be undecided; leave it out by weights={[f'!{name}' for several in shared for name in several]}, or "
            "give one layer a copy of its own: layer.weight = torch.nn.Parameter(layer.weight.detach().clone())"
        )


def owned(model: torch.nn.Module) -> Iterator[str]:
    """Yield the names of parameters that a layer owns."""
    for path, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, _LAYERS):
            for name, _ in module.named_parameters(recurse=False):
                yield f"{path}.{name}" if path else name


def _chosen(found: dict[str, torch.nn.Parameter], layers: set[str], weights: Weights) -> dict[str, torch.nn.Parameter]:
    """Return those that are asked for, or raise ValueError or TypeError."""
    if callable(weights):
        chosen = {name: parameter for name, parameter in found.items() if weights(name, parameter)}
        if not chosen:
            raise ValueError(f"weights chooses none of {', '.join(found) or 'no parameters'}")
        return chosen
    patterns = [weights] if isinstance(weights, str) else weights
    if not isinstance(patterns, list | tuple) or not patterns or not all(isinstance(one, str) for one in patterns):
        raise TypeError(
            f"weights must be a function (name, parameter) -> bool, or names or patterns, got {weights!r}: write "
            "weights=['blocks.*.weight'], or weights=['!head.weight'] to leave out one"
        )
    taken = layers & found.keys() if patterns[0].startswith("!") else set()
    for pattern in patterns:
        matched = {name for name in found if fnmatchcase(name, pattern.removeprefix("!"))}
        if not matched:
            raise ValueError(
                f"weights: {pattern!r} matches no trainable parameter with two or more dimensions; there are "
                f"{', '.join(found) or 'none'}"
            )
        taken = taken - matched if pattern.startswith("!") else taken | matched
    if not taken:
        raise ValueError(f"weights={list(patterns)} leaves nothing to prune of {', '.join(found)}")
    return {name: parameter for name, parameter in found.items() if name in taken}
