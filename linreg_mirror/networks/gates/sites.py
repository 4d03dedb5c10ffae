"""Where channels can be gated, and which layer takes them in: found in the graph of the forward pass."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn
from torch.nn.modules.batchnorm import _BatchNorm

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)
_LAYERS = (*_CONVOLUTIONS, nn.Linear)
# They act on each channel alone, and leave a channel of zeros as it is.
_PASSING = (
    *(nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Tanh),
    *(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d),
    *(nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d),
)
_PASSING_FUNCTIONS = (
    *(torch.relu, nn.functional.relu, nn.functional.gelu, nn.functional.silu, nn.functional.dropout, "relu"),
    *(torch.max_pool2d, nn.functional.max_pool2d, nn.functional.avg_pool2d, nn.functional.adaptive_avg_pool2d),
)


@dataclass(frozen=True)
class Site:
    """A layer whose output channels can be gated.

    Attributes
    ----------
    layer : str
        The convolution or linear layer.
    norm : str or None
        The batch norm that follows it at once.
    consumer : str or None
        The one layer that takes its channels in; None where several modules do, as after the stem of a residual net,
        or where the layer is grouped, so that a channel that goes would move the others to other groups.
    block : int
        How many adjacent inputs of the consumer belong to a channel: the pixels, if a convolution is flattened.
    """

    layer: str
    norm: str | None
    consumer: str | None
    block: int = 1

    @property
    def gated(self) -> str:
        """The module whose output is multiplied by the gates: the batch norm, if there is one."""
        return self.norm or self.layer


def sites_of(model: nn.Module) -> list[Site]:
    """Find the layers whose channels can be gated, in the order of computation.

    These are convolutions and linear layers, with or without a batch norm after them, whose output goes on through
    activations that are 0 at 0, dropout, pooling and flattening alone, as modules or as functions of torch: to one
    other layer, or to several modules. So in VGG all convolutions; in residual nets the stem, and of each block all
    convolutions but the last, whose output is added to the shortcut; in an MLP all hidden layers.

    Parameters
    ----------
    model : torch.nn.Module
        Whose forward pass can be traced by torch.fx.

    Returns
    -------
    list of Site
        A layer and who takes its output, for each.

    Raises
    ------
    ValueError
        If the model cannot be traced, or there is no such layer.
    """
    modules = dict(model.named_modules())
    try:
        nodes = list(fx.Tracer().trace(model).nodes)
    except Exception as error:  # the model is called with symbols, at which its own code may fail in any way
        raise ValueError(
            f"the forward pass of {type(model).__name__} cannot be traced, so that its channels are not known "
            f"({error}): gate its weights instead, or rewrite it without branches that depend on the input"
        ) from None
    called = {node: modules[str(node.target)] for node in nodes if node.op == "call_module"}
    times = Counter(called.values())
    # What has parameters and is used twice has gates of no one place; an activation may be used everywhere.
    called = {node: one for node, one in called.items() if times[one] == 1 or isinstance(one, _PASSING)}
    found = (_site(node, called) for node in nodes if isinstance(called.get(node), _LAYERS))
    sites = [site for site in found if site is not None]
    if not sites:
        raise ValueError(
            f"{type(model).__name__} has no channels to gate: what is needed is a convolution or linear layer, then "
            "perhaps an affine batch norm, activations that are 0 at 0 and pooling, and then another layer; gate its "
            "weights instead"
        )
    return sites


def _site(node: fx.Node, called: dict[fx.Node, nn.Module]) -> Site | None:
    layer, norm, flat = called[node], None, False
    width = _outputs(layer)
    name, end = str(node.target), node
    if len(end.users) == 1 and isinstance(called.get(user := next(iter(end.users))), _BatchNorm):
        if called[user].weight is None or called[user].num_features != width:
            return None  # gates could not be folded into it
        norm, end = str(user.target), user
    while len(end.users) == 1:
        end = next(iter(end.users))
        if isinstance(consumer := called.get(end), _LAYERS):
            block = _block(layer, consumer, flat)
            if getattr(layer, "groups", 1) > 1:
                return Site(name, norm, None)
            return Site(name, norm, str(end.target), block) if block else None
        if flattens := _flattens(end, consumer, layer):
            flat = True
        # A submodule may have any name, "relu" too.
        passes = isinstance(consumer, _PASSING) or (end.op != "call_module" and end.target in _PASSING_FUNCTIONS)
        if not (flattens or passes):
            return None
    return Site(name, norm, None) if end.users else None


def _block(layer: nn.Module, consumer: Any, flat: bool) -> int:
    """Return how many adjacent inputs of the consumer a channel has; 0 if they are not so ordered."""
    width, inputs = _outputs(layer), consumer.weight.shape[1]
    if isinstance(consumer, nn.Linear) and isinstance(layer, _CONVOLUTIONS):
        return inputs // width if flat and inputs % width == 0 else 0
    if isinstance(consumer, nn.Linear) or (isinstance(layer, _CONVOLUTIONS) and not flat and consumer.groups == 1):
        return int(inputs == width)
    return 0


def _outputs(layer: Any) -> int:
    return layer.weight.shape[0]


def _flattens(node: fx.Node, module: nn.Module | None, layer: nn.Module) -> bool:
    """Whether a node makes (batch, channels, ...) an array (batch, inputs), channel after channel."""
    if isinstance(module, nn.Flatten):
        return (module.start_dim, module.end_dim) == (1, -1)
    if node.op not in ("call_function", "call_method"):
        return False
    given = (*node.args[1:], *node.kwargs.values())
    if node.target in (torch.flatten, "flatten"):
        return given in ((1,), (1, -1))
    if node.target in (torch.mean, "mean") and isinstance(layer, _CONVOLUTIONS) and len(given) == 1:
        axes: Any = given[0]
        ndim = layer.weight.ndim
        numbers = isinstance(axes, list | tuple) and all(isinstance(axis, int) for axis in axes)
        return numbers and sorted(axis % ndim for axis in axes) == list(range(2, ndim))
    return False
