"""Models by name: those written here, and factories of the user's own."""

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from operator import attrgetter
from typing import Any

import torch

from linreg_mirror._tools.arguments import check_integer, is_whole
from linreg_mirror.networks._tools.arguments import check_options, names_code
from linreg_mirror.networks.models.plain import deep_linear, lenet_5, lenet_300_100, mlp
from linreg_mirror.networks.models.resnets import cifar_resnet, imagenet_resnet
from linreg_mirror.networks.models.vgg import vgg_bn

MODELS: Mapping[str, Callable[..., torch.nn.Module]] = {
    "deep-linear": deep_linear,
    "mlp": mlp,
    "lenet-300-100": lenet_300_100,
    "lenet-5": lenet_5,
    "resnet8": partial(cifar_resnet, 1),
    "resnet20": partial(cifar_resnet, 3),
    "resnet32": partial(cifar_resnet, 5),
    "resnet56": partial(cifar_resnet, 9),
    "resnet18": partial(imagenet_resnet, 18),
    "resnet34": partial(imagenet_resnet, 34),
    "resnet50": partial(imagenet_resnet, 50),
    "vgg16-bn": partial(vgg_bn, 16),
    "vgg19-bn": partial(vgg_bn, 19),
}


def create(name: str, /, *, seed: int, **options: Any) -> torch.nn.Module:
    """Build a model: the same weights for the same seed, and torch's own generators left as they are.

    Parameters
    ----------
    name : str
        One of MODELS; or `package.module:factory`, for a function or class of your own that returns the model:
        `package.module` is then imported, which runs its code: take no such name from others without a look at it.
    seed : int
        Of torch's generator on the CPU while the model is built, from 0 to 2^64 - 1.
    **options
        Arguments of the factory. Those of the models here, with their defaults:

        - deep-linear, mlp: `widths`, (inputs, h_1, ..., outputs): (64, 64, 64, 10) and (64, 128, 64, 10), for the
          digits of scikit-learn;
        - lenet-300-100, lenet-5: `classes` 10 and `channels` 1 of images of 28 x 28;
        - resnet8, resnet20, resnet32, resnet56: `classes` 10, `channels` 3, `stride` 1 of the first convolution, and
          `projection` False, True for shortcuts that are convolutions;
        - resnet18, resnet34, resnet50, vgg16-bn, vgg19-bn: `classes` 1000, `channels` 3, and `small_images` False,
          True for images of 32 x 32 or 64 x 64.

    Returns
    -------
    torch.nn.Module
        On the CPU, in torch's default dtype and in training mode.

    Raises
    ------
    ValueError
        If the name is unknown or not found, or seed or an option is out of range.
    TypeError
        If the factory does not take the options, is not one, or returns anything but a torch.nn.Module.

    Notes
    -----
    Weights are normal (He et al., arXiv 1502.01852): of convolutions with variance 2 / fan-out, of linear layers with
    2 / fan-in, or 1 / fan-in in the deep linear network. Biases are 0; batch norm has gain 1 and bias 0. A factory of
    your own initialises as it likes; only what it draws from torch on the CPU follows the seed.

    Examples
    --------
    >>> from linreg_mirror.networks import models
    >>> model = models.create("lenet-300-100", seed=0)
    >>> models.input_shape(model)
    (1, 28, 28)
    """
    check_integer("seed", seed, 0, 2**64 - 1)
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        factory = _find(name)  # in here, because a module may draw while it is imported
        check_options(name, factory, options)
        # torch.manual_seed would seed the generators of accelerators too, which are not put back.
        torch.default_generator.manual_seed(int(seed))
        model = factory(**options)
    if not isinstance(model, torch.nn.Module):
        raise TypeError(
            f"{name} returned {type(model).__name__}, a torch.nn.Module is expected: let it return the model"
        )
    return model


def input_shape(model: torch.nn.Module) -> tuple[int, ...]:
    """Return the shape of one example: (features,) or (channels, height, width).

    Parameters
    ----------
    model : torch.nn.Module
        With an attribute `input_shape`, as models of this package have. Other sizes of images, if the model takes them,
        are asked for by setting that attribute.

    Returns
    -------
    tuple of int
        Without the batch dimension.

    Raises
    ------
    ValueError
        If there is no such attribute, or it holds something else.
    """
    shape = getattr(model, "input_shape", None)
    if not (isinstance(shape, list | tuple) and shape and all(is_whole(size) and size >= 1 for size in shape)):
        raise ValueError(
            f"which input {type(model).__name__} takes is unknown, got input_shape = {shape!r}: let the factory set "
            "model.input_shape = (channels, height, width), or (features,), without the batch"
        )
    return tuple(shape)


def _find(name: str) -> Callable[..., Any]:
    """Return the factory of that name."""
    if name in MODELS:
        return MODELS[name]
    if not names_code(str(name)):
        raise ValueError(
            f"unknown model {name!r}: known are {', '.join(MODELS)}; for one of your own write package.module:factory"
        )
    module, _, path = str(name).partition(":")
    try:
        imported = import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise  # it is there, and lacks a module that it imports itself
        raise ValueError(
            f"{name}: there is no module {error.name}: install it, or put the folder that holds it on PYTHONPATH"
        ) from None
    try:
        factory = attrgetter(path)(imported)
    except AttributeError as error:
        raise ValueError(f"{name}: {error}: write {module}:NAME with a name that is defined there") from None
    if isinstance(factory, torch.nn.Module) or not callable(factory):
        raise TypeError(
            f"{name} is of type {type(factory).__name__}, a function or class that returns a torch.nn.Module is "
            "expected: write def factory(): return model"
        )
    return factory
