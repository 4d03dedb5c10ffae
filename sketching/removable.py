"""Parametrizations of weights that can be taken away again without a trace, and that survive copies of the model."""

from collections.abc import Iterator
from typing import Any, TypeVar

import torch
from torch.nn.utils import parametrize


class Removable(torch.nn.Module):
    """A parametrization for `register` and `remove`.

    Attributes
    ----------
    order : tuple of str
        Names of the layer's parameters before this parametrization.
    """

    order: tuple[str, ...] = ()


Kind = TypeVar("Kind", bound=Removable)


def register(model: torch.nn.Module, name: str, parametrization: Removable) -> None:
    """Parametrize one weight of a model, in place.

    Parameters
    ----------
    model : torch.nn.Module
        What the weight belongs to.
    name : str
        Name of the weight in `model.named_parameters()`.
    parametrization : Removable
        What stands for the weight from now on.
    """
    path, _, weight = name.rpartition(".")
    module = model.get_submodule(path)
    first = not parametrize.is_parametrized(module)
    parametrization.order = tuple(module._parameters)
    parametrize.register_parametrization(module, weight, parametrization)
    if first:
        _set_copies_apart(type(module))


def registered(model: torch.nn.Module, kind: type[Kind]) -> Iterator[tuple[str, torch.nn.Module, str, Kind]]:
    """Yield the parametrizations of a kind: name of the weight in the model, layer, name in the layer, parametrization.

    Parameters
    ----------
    model : torch.nn.Module
        Where to look.
    kind : type
        Class of the parametrizations; others are passed over.
    """
    for path, module in model.named_modules():
        if parametrize.is_parametrized(module):
            for weight, chain in chains(module).items():
                if isinstance(chain[0], kind):
                    yield f"{path}.{weight}" if path else weight, module, weight, chain[0]


def remove(model: torch.nn.Module, kind: type[Removable], done: str) -> None:
    """Make weights with parametrizations of a kind plain parameters again, in place, in their old order.

    A weight with one parameter behind it is that parameter again, one with several a new parameter.

    Parameters
    ----------
    model : torch.nn.Module
        Without such parametrizations nothing happens.
    kind : type
        Class of the parametrizations that go.
    done : str
        What they have done to the weights, such as "masked", for the error.

    Raises
    ------
    ValueError
        If one of these weights carries another parametrization too. Then nothing has been removed.
    """
    found = list(registered(model, kind))
    several = [name for name, module, weight, _ in found if len(chains(module)[weight]) > 1]
    if several:
        raise ValueError(
            f"parametrized after they were {done}: {', '.join(several)}: remove everything from each by "
            "torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight')"
        )
    for _, module, weight, parametrization in reversed(found):
        with torch.enable_grad():
            trainable = getattr(module, weight).requires_grad
            chains(module)[weight].requires_grad_(True)  # torch makes a buffer of a product that needs no gradient
            parametrize.remove_parametrizations(module, weight)
            getattr(module, weight).requires_grad_(trainable)
        # Registered last, it would change places with the bias for optimiser states and flattened parameters.
        for name in parametrization.order:
            if name in module._parameters:
                module._parameters[name] = module._parameters.pop(name)


def chains(module: torch.nn.Module) -> Any:
    """Return the parametrizations of a module by the names of its weights, first applied first."""
    return module.parametrizations


def _set_copies_apart(cls: Any) -> None:
    """Give deep copies of a parametrized module a class of their own.

    torch puts the property `weight` on a class made for the one module, and lets copies share it: removal from a copy
    breaks the original, and under `cached()` both read the weight of whichever is asked first.
    """
    deepcopy = cls.__deepcopy__

    def apart(module: torch.nn.Module, memo: dict[int, Any]) -> torch.nn.Module:
        copy, shared = deepcopy(module, memo), type(module)
        body = {name: value for name, value in vars(shared).items() if name not in copy.parametrizations}
        copy.__class__ = type(shared.__name__, shared.__bases__, body)
        for name in copy.parametrizations:
            parametrize._inject_property(copy, name)
        return copy

    cls.__deepcopy__ = apart
