"""A torch module as a function of its weights, evaluated without leaving a trace in the module."""

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.modules.batchnorm import _BatchNorm

from sketching._arrays import tensor
from sketching.weights import Weights, prunable

Tensors = dict[str, torch.Tensor]


def masked_weights(model: torch.nn.Module, masks: Mapping[str, Any] | None, weights: Weights | None = None) -> Tensors:
    """Return copies of the prunable weights, or of those chosen, multiplied by their masks.

    Raises
    ------
    ValueError
        As `prunable`; or if masks are not finite, or have other names or shapes than the weights.
    """
    copies = {name: weight.detach().clone() for name, weight in prunable(model, weights).items()}
    if masks is not None:
        for name, factors in fitting("masks", masks, copies).items():
            copies[name] *= factors
    return copies


def fitting(what: str, arrays: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> Tensors:
    """Return the arrays as tensors like the weights; raise unless there is one for each, of its shape and finite."""
    if arrays.keys() != weights.keys():
        odd = ", ".join(sorted(arrays.keys() ^ weights.keys()))
        raise ValueError(f"{what} must be those of all prunable weights and of no other, but these differ: {odd}")
    found: Tensors = {}
    for name, weight in weights.items():
        found[name] = tensor(f"{what} of {name}", arrays[name]).to(weight)
        if found[name].shape != weight.shape or not found[name].isfinite().all():
            raise ValueError(
                f"{what} of {name} must be finite in {weight.dtype}, of shape {tuple(weight.shape)}, got shape "
                f"{tuple(found[name].shape)}"
            )
    return found


def left_by(masks: Mapping[str, Any] | None, weights: Tensors) -> Tensors:
    """Return which weights are not removed."""
    if masks is None:
        return {name: torch.ones_like(weight, dtype=torch.bool) for name, weight in weights.items()}
    return {name: tensor("masks", masks[name]).to(weight.device) != 0 for name, weight in weights.items()}


def examples(name: str, batch: Any, like: torch.Tensor) -> torch.Tensor:
    """Return a batch on the device of `like`, and in its precision if it is of floats.

    Raises
    ------
    TypeError
        If it is no tensor.
    ValueError
        If it holds no example.
    """
    if not isinstance(batch, torch.Tensor):
        raise TypeError(f"{name} must be a torch.Tensor, got {type(batch).__name__}: write torch.as_tensor({name})")
    if batch.ndim == 0 or len(batch) == 0:
        raise ValueError(f"{name} must hold one example or more on its first axis, got shape {tuple(batch.shape)}")
    floats = batch.is_floating_point() and like.is_floating_point()
    return batch.detach().to(device=like.device, dtype=like.dtype if floats else None)


def arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the positional and the keyword arguments that inputs stand for."""
    return ((), dict(inputs)) if isinstance(inputs, Mapping) else ((inputs,), {})


def count_of(inputs: torch.Tensor | Mapping[str, torch.Tensor]) -> int:
    """Return how many examples a batch holds; raise ValueError if its arguments hold different numbers of them."""
    if isinstance(inputs, torch.Tensor):
        return len(inputs)
    counts = {name: len(one) for name, one in inputs.items()}
    if len(set(counts.values())) != 1:
        held = ", ".join(f"{count} in {name}" for name, count in counts.items())
        raise ValueError(f"inputs must hold as many examples in each argument, got {held}")
    return next(iter(counts.values()))


def wide(tensor: torch.Tensor) -> torch.Tensor:
    """Return the tensor in single precision or better: products and squares would leave the range of half."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def finite(scores: Tensors) -> Tensors:
    """Return the scores, or raise ValueError if one is not finite."""
    bad = [name for name, score in scores.items() if not score.isfinite().all()]
    if bad:
        raise ValueError(
            f"scores of {', '.join(bad)} are not finite: are the weights and the inputs? If so, derivatives overflow: "
            "try a wider dtype, model.double()"
        )
    return scores


@contextmanager
def modes(model: torch.nn.Module, *, batch_statistics: bool = False) -> Iterator[None]:
    """Put all layers in eval mode, batch norm in train mode if so desired, and all back as they were.

    Attention is computed from plain operations, because fused ones lack second and forward derivatives.
    """
    flags = [(module, module.training) for module in model.modules()]
    fused = torch.backends.mha.get_fastpath_enabled()
    try:
        for module, _ in flags:
            module.training = batch_statistics and isinstance(module, _BatchNorm)
        torch.backends.mha.set_fastpath_enabled(False)
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for module, was in flags:
            module.training = was


class Functional:
    """A module as a function of its weights, on copies of all its parameters and buffers.

    Parameters
    ----------
    model : torch.nn.Module
        The module. Call this object within `modes(model)`.
    masks : mapping of str to array, optional
        By what its weights are multiplied.
    weights : optional
        Which they are, as in `prunable`.

    Attributes
    ----------
    weights : dict of str to torch.Tensor
        Copies of the weights, masked.
    others : dict of str to torch.Tensor
        Copies of the other parameters and of the buffers.
    """

    def __init__(
        self, model: torch.nn.Module, masks: Mapping[str, Any] | None = None, weights: Weights | None = None
    ) -> None:
        self.model = model
        self.weights = masked_weights(model, masks, weights)
        tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
        self.others = {n: tensor.detach().clone() for n, tensor in tensors.items() if n not in self.weights}

    def __call__(self, weights: Tensors, inputs: torch.Tensor | Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Return the outputs of the module with these weights, for inputs or for keyword arguments."""
        positional, named = arguments(inputs)
        try:
            outputs = torch.func.functional_call(self.model, {**self.others, **weights}, positional, named)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            got = ", ".join(f"shape {tuple(one.shape)} and {one.dtype}" for one in (*positional, *named.values()))
            raise ValueError(f"{type(self.model).__name__} does not take inputs of {got}: {error}") from error
        return _tensor_of(outputs, type(self.model).__name__)

    def examples(self, inputs: Any) -> torch.Tensor:
        """Return the inputs on the device and in the precision of the weights."""
        return examples("inputs", inputs, next(iter(self.weights.values())))

    def batch(self, inputs: Any) -> Any:
        """Return what `examples` does, also of a mapping of keyword arguments to tensors."""
        if not isinstance(inputs, Mapping):
            return self.examples(inputs)
        if not inputs:
            raise ValueError("inputs must hold one argument of the model or more, got an empty mapping")
        like = next(iter(self.weights.values()))
        return {name: examples(f"inputs[{name!r}]", value, like) for name, value in inputs.items()}

    def freeze_batch_norm(self, inputs: torch.Tensor | Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Give batch norm the mean and variance of these inputs from now on, and return the outputs.

        So examples do not depend on each other any more, and outputs in eval mode are those of train mode.

        Raises
        ------
        ValueError
            If an output is not finite, there is not one for each input, or a batch norm is passed twice.
        """
        found: Tensors = {}

        def note(prefix: str, module: _BatchNorm, args: tuple[torch.Tensor, ...]) -> None:
            if f"{prefix}.running_mean" in found:
                raise ValueError(f"{prefix} is passed twice: its statistics differ, so that they cannot be frozen")
            x = args[0]
            like = x if module.running_mean is None else module.running_mean
            var, mean = torch.var_mean(wide(x), [axis for axis in range(x.ndim) if axis != 1], correction=0)
            found[f"{prefix}.running_mean"], found[f"{prefix}.running_var"] = mean.to(like), var.to(like)

        with ExitStack() as stack:
            for name, module in self.model.named_modules():
                if isinstance(module, _BatchNorm):
                    stack.enter_context(module.register_forward_pre_hook(partial(note, name)))
            stack.enter_context(modes(self.model, batch_statistics=True))
            outputs = self(self.weights, inputs)
        self.others |= found
        count = count_of(inputs)
        if outputs.ndim == 0 or len(outputs) != count:
            raise ValueError(f"expected one output for each of {count} inputs, got shape {tuple(outputs.shape)}")
        if not outputs.isfinite().all():
            raise ValueError("the model's outputs are not finite: are its weights and the inputs?")
        return outputs


def _tensor_of(outputs: Any, model: str) -> torch.Tensor:
    """Return the outputs, or those called logits, or the only tensor in a mapping or dataclass; or raise TypeError."""
    if isinstance(outputs, torch.Tensor):
        return outputs
    named: Mapping[str, Any] = outputs if isinstance(outputs, Mapping) else {}
    if dataclasses.is_dataclass(outputs) and not named:
        named = {field.name: getattr(outputs, field.name) for field in dataclasses.fields(outputs)}
    tensors = {name: value for name, value in named.items() if isinstance(value, torch.Tensor)}
    if "logits" in tensors:
        return tensors["logits"]
    if len(tensors) == 1:
        return next(iter(tensors.values()))
    got = f"{type(outputs).__name__}{' with ' + ', '.join(tensors) if tensors else ''}"
    raise TypeError(
        f"{model} must return a torch.Tensor, or a mapping or dataclass with logits or with one tensor, got {got}: "
        "wrap it in a module that returns that tensor"
    )
