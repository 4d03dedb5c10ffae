"""Which weights lie on a path of kept weights from the input of a network to its output."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from sketching._functional import arguments

# Names of torch functions and methods, less the underscore at the end of those that work in place.
_PRODUCTS = {
    *("linear", "bilinear", "einsum", "mm", "bmm", "matmul", "conv1d", "conv2d", "conv3d"),
    *("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"),
}
_UNIT_BY_UNIT = {
    *("alpha_dropout", "batch_norm", "celu", "clamp", "clamp_max", "clamp_min", "clip", "dropout", "dropout1d"),
    *("dropout2d", "dropout3d", "elu", "feature_alpha_dropout", "gelu", "group_norm", "hardshrink", "hardsigmoid"),
    *("hardswish", "hardtanh", "instance_norm", "layer_norm", "leaky_relu", "local_response_norm", "log_sigmoid"),
    *("log_softmax", "mish", "normalize", "prelu", "relu", "relu6", "rms_norm", "rrelu", "selu", "sigmoid", "silu"),
    *("softmax", "softmin", "softplus", "softshrink", "softsign", "tanh", "tanhshrink", "_threshold", "threshold"),
}
_CHOICES = ("max", "min", "median", "quantile", "kthvalue", "topk", "sort", "attention")  # parts of names


class Uncountable(Exception):
    """Paths cannot be counted in this network; the message says why."""


def reachable(
    network: torch.nn.Module, kept: Mapping[str, torch.Tensor], inputs: torch.Tensor | Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Return which weights are kept and lie on a path of kept weights from input to output.

    Kept weights become positive numbers and biases 0. Then the derivative of the summed output with respect to a weight
    is a sum over the paths through it, and positive if there is one. Activations and normalisations pass each unit on,
    and the largest of several becomes their mean: any of them may win. After each of these and after each product, what
    is positive is set to a number between 1 and 2, in both directions, so that no depth overflows or underflows.

    Parameters
    ----------
    network : torch.nn.Module
        In eval mode, in double precision on the CPU, where products of zeros are exact zeros (fast convolutions on
        other devices round them). Its parameters are overwritten.
    kept : mapping of str to bool tensor
        The masks of weights that have one.
    inputs : torch.Tensor or mapping of str to torch.Tensor
        A batch of inputs, or of keyword arguments, of which the shape counts.

    Returns
    -------
    dict of str to bool tensor
        As `kept`.

    Raises
    ------
    Uncountable
        If the inputs are no floats, the network contains attention or chooses otherwise than by a maximum, a signal or
        a derivative turns negative (as behind a difference) or not finite, or the pass fails.
    """
    positional, named = arguments(inputs)
    for one in (*positional, *named.values()):
        if not one.is_floating_point():
            raise Uncountable(f"the inputs are {one.dtype}, and select weights instead of flowing through them")
    parameters = dict(network.named_parameters())
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(_stand_in(name, parameter, kept.get(name)))
    try:
        with torch.enable_grad():
            with _Paths():
                output = network(*map(_spread, positional), **{name: _spread(one) for name, one in named.items()})
            total = torch.stack([_Indicator.apply(tensor).sum() for tensor in _tensors(output)]).sum()
            slopes = torch.autograd.grad(total, [parameters[name] for name in kept], allow_unused=True)
    except Uncountable:
        raise
    except Exception as error:  # whatever a network raises that takes such inputs but not such weights
        raise Uncountable(f"the pass with positive weights failed: {error}") from error
    return {
        name: mask & _positive(slope) if slope is not None else torch.zeros_like(mask)
        for (name, mask), slope in zip(kept.items(), slopes, strict=True)
    }


class _Paths(TorchFunctionMode):
    """Replace the functions that do not keep positive signals positive, and even out the products."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.__name__.rstrip("_")
        if name in _UNIT_BY_UNIT:
            return _Indicator.apply(args[0] if args else kwargs["input"])
        if name in _MEANS:
            return _MEANS[name](*args, **kwargs)
        if any(choice in name for choice in _CHOICES):
            raise Uncountable(f"it contains {name}")
        result = func(*args, **kwargs)
        return _Indicator.apply(result) if name in _PRODUCTS else result


class _Indicator(torch.autograd.Function):
    """Where a signal is positive, in both directions; raises where it is negative."""

    @staticmethod
    def forward(ctx: Any, signal: torch.Tensor) -> torch.Tensor:
        # Not in place: the result would be a view, and networks write to their signals.
        return _spread(signal) * _positive(signal)

    @staticmethod
    def backward(ctx: Any, *slopes: torch.Tensor) -> torch.Tensor:
        (slope,) = slopes
        return _spread(slope) * _positive(slope)


def _spread(like: torch.Tensor) -> torch.Tensor:
    """Return numbers in [1, 2), no two alike, so that a difference of signals turns negative somewhere."""
    golden = (5**0.5 - 1) / 2
    places = torch.arange(like.numel(), dtype=like.dtype, device=like.device)
    return places.mul_(golden).frac_().add_(1).reshape(like.shape)


def _positive(signal: torch.Tensor) -> torch.Tensor:
    if not signal.isfinite().all():
        raise Uncountable("a signal or its derivative is not finite")
    if (signal < 0).any():
        raise Uncountable("a positive signal or derivative turns negative, as behind a difference")
    return signal > 0


def _stand_in(name: str, parameter: torch.Tensor, kept: torch.Tensor | None) -> torch.Tensor:
    """Return what is put in the place of a parameter: the mean over the inputs keeps signals near 1."""
    if parameter.ndim < 2:
        return torch.zeros_like(parameter) if "bias" in name.rpartition(".")[2] else torch.ones_like(parameter)
    inputs = parameter.numel() / max(1, len(parameter))
    return _spread(parameter).mul_(parameter != 0 if kept is None else kept).div_(inputs)


def _tensors(output: Any) -> Iterator[torch.Tensor]:
    if isinstance(output, torch.Tensor) and output.is_floating_point():
        yield output
    elif isinstance(output, Mapping):
        yield from _tensors(tuple(output.values()))
    elif dataclasses.is_dataclass(output):
        yield from _tensors([getattr(output, field.name) for field in dataclasses.fields(output)])
    elif isinstance(output, tuple | list):
        for part in output:
            yield from _tensors(part)


def _mean_pool(n: int) -> Any:
    def pool(
        input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> torch.Tensor:  # fmt: skip
        if torch.as_tensor(dilation).ne(1).any():
            raise Uncountable("it contains a dilated max_pool")
        return getattr(F, f"avg_pool{n}d")(input, kernel_size, stride or None, padding, ceil_mode)

    return pool


def _mean_adaptive_pool(n: int) -> Any:
    return lambda input, output_size, return_indices=False: getattr(F, f"adaptive_avg_pool{n}d")(input, output_size)


_MEANS = {
    "amax": torch.mean,
    "maximum": torch.add,
    **{f"max_pool{n}d": _mean_pool(n) for n in (1, 2, 3)},
    **{f"adaptive_max_pool{n}d": _mean_adaptive_pool(n) for n in (1, 2, 3)},
}
