"""Networks without residual connections and batch norm: deep linear, MLP, LeNet-300-100, LeNet-5."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import nn

from linreg_mirror._tools.arguments import is_whole
from linreg_mirror._tools.cites import cites
from linreg_mirror.networks._tools.arguments import check_images
from linreg_mirror.networks.models.initialisation import initialised


@cites("arora2018optimization")
def deep_linear(*, widths: Sequence[int] = (64, 64, 64, 10)) -> nn.Module:
    """Return the product W_L ... W_1 of matrices, without biases; widths are (inputs, h_1, ..., outputs)."""
    widths = _checked(widths)
    layers = [nn.Linear(into, out, bias=False) for into, out in pairwise(widths)]
    return initialised(nn.Sequential(nn.Flatten(), *layers), (widths[0],), nonlinearity="linear")


def mlp(*, widths: Sequence[int] = (64, 128, 64, 10)) -> nn.Module:
    """Return linear layers with ReLU between them; widths are (inputs, h_1, ..., outputs)."""
    widths = _checked(widths)
    return initialised(_perceptron(*widths), (widths[0],))


@cites("lecun1998gradient")
def lenet_300_100(*, classes: int = 10, channels: int = 1) -> nn.Module:
    """Return the MLP with 300 and 100 hidden units of LeCun et al. (1998), with ReLU, for images of 28 x 28."""
    check_images(classes, channels)
    return initialised(_perceptron(channels * 28 * 28, 300, 100, classes), (channels, 28, 28))


@cites("lecun1998gradient")
def lenet_5(*, classes: int = 10, channels: int = 1) -> nn.Module:
    """Return LeNet-5 with the widths of the one that came with Caffe, for images of 28 x 28.

    ReLU follows both convolutions, as in papers on pruning; Caffe's own has it after the first linear layer alone.
    """
    check_images(classes, channels)
    first = (nn.Conv2d(channels, 20, 5), nn.ReLU(), nn.MaxPool2d(2))
    second = (nn.Conv2d(20, 50, 5), nn.ReLU(), nn.MaxPool2d(2))
    return initialised(nn.Sequential(*first, *second, *_perceptron(50 * 4 * 4, 500, classes)), (channels, 28, 28))


def _perceptron(*widths: int) -> nn.Sequential:
    layers = [layer for into, out in pairwise(widths) for layer in (nn.Linear(into, out), nn.ReLU())]
    return nn.Sequential(nn.Flatten(), *layers[:-1])


def _checked(widths: Any) -> tuple[int, ...]:
    """Return widths as a tuple, or say what is wrong with them."""
    listed = isinstance(widths, list | tuple)
    if not (listed and len(widths) >= 2 and all(is_whole(width) and width >= 1 for width in widths)):
        raise ValueError(
            f"widths are (inputs, h_1, ..., outputs), two or more integers >= 1, got {widths!r}: write "
            "widths=(64, 128, 10)"
        )
    return tuple(widths)
