"""Residual networks (He et al., arXiv 1512.03385): those for CIFAR and those for ImageNet.

Parameters have the names that torchvision gives them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from linreg_mirror._tools.arguments import check_integer
from linreg_mirror._tools.cites import cites
from linreg_mirror.networks._tools.arguments import check_images
from linreg_mirror.networks.models.initialisation import initialised

# The convolutions of a block: kernel, and output channels as a multiple of the width of the stage.
_BASIC = ((3, 1), (3, 1))
_BOTTLENECK = ((1, 1), (3, 1), (1, 4))
_IMAGENET = {18: (_BASIC, (2, 2, 2, 2)), 34: (_BASIC, (3, 4, 6, 3)), 50: (_BOTTLENECK, (3, 4, 6, 3))}


@cites("he2016deep")
def cifar_resnet(
    blocks: int, *, classes: int = 10, channels: int = 3, stride: int = 1, projection: bool = False
) -> nn.Module:
    """Return a ResNet of depth 6 blocks + 2 for images of 32 x 32, with shortcuts of option A (section 4.2).

    It has three stages, each of so many blocks of two convolutions. The first convolution has stride 1; with 2 a pass
    costs a quarter. With `projection` shortcuts between stages are of option B, convolutions of 1 x 1.
    """
    check_images(classes, channels)
    if not isinstance(projection, bool):
        raise ValueError(f"projection must be true or false, got {projection!r}")
    check_integer("stride", stride, 1)
    model = _ResNet(
        (blocks,) * 3, 16, _BASIC, _projection if projection else _ZeroPadded, classes, channels, (3, stride)
    )
    return initialised(model, (channels, 32, 32))


@cites("he2016deep")
def imagenet_resnet(depth: int, *, classes: int = 1000, channels: int = 3, small_images: bool = False) -> nn.Module:
    """Return the ResNet of depth 18, 34 or 50 of section 4.1, with shortcuts of option B.

    As in torchvision, the stride of a bottleneck is in its 3 x 3 convolution. For small images, of 32 x 32 or 64 x 64,
    the first convolution is 3 x 3 with stride 1, and no pooling follows it.
    """
    check_images(classes, channels, small_images)
    layout, blocks = _IMAGENET[depth]
    stem = (3, 1) if small_images else (7, 2)
    model = _ResNet(blocks, 64, layout, _projection, classes, channels, stem)
    return initialised(model, (channels, 32, 32) if small_images else (channels, 224, 224))


class _ResNet(nn.Module):
    """A convolution, stages of blocks, the mean over all pixels, a linear layer.

    Each stage is twice as wide as the one before, on images of half its height and width.
    """

    def __init__(
        self,
        blocks: Sequence[int],
        width: int,
        layout: Sequence[tuple[int, int]],
        shortcut: Callable[[int, int, int], nn.Module],
        classes: int,
        channels: int,
        stem: tuple[int, int],
    ) -> None:
        super().__init__()
        kernel, stride = stem
        self.conv1 = nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, 2, padding=1) if kernel == 7 else nn.Identity()
        self.stages = [f"layer{i + 1}" for i in range(len(blocks))]
        inputs, stride = width, 1
        for name, count in zip(self.stages, blocks, strict=True):
            stage = nn.Sequential()
            for _ in range(count):
                stage.append(_Block(inputs, width, stride, layout, shortcut))
                inputs, stride = width * layout[-1][1], 1
            self.add_module(name, stage)
            width, stride = 2 * width, 2
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x: Any) -> Any:
        """Return logits, shape (batch, classes), for images of shape (batch, channels, height, width)."""
        x = self.maxpool(torch.relu(self.bn1(self.conv1(x))))
        for name in self.stages:
            x = getattr(self, name)(x)
        return self.fc(x.mean((-2, -1)))


class _Block(nn.Module):
    """relu(F(x) + shortcut(x)), F being convolutions, each with batch norm, and ReLU between them."""

    def __init__(
        self,
        inputs: int,
        width: int,
        stride: int,
        layout: Sequence[tuple[int, int]],
        shortcut: Callable[[int, int, int], nn.Module],
    ) -> None:
        super().__init__()
        self.depth = len(layout)
        before, left = inputs, stride
        for i, (kernel, multiple) in enumerate(layout, start=1):
            # The first 3 x 3 convolution takes the whole stride.
            mine, left = (left, 1) if kernel == 3 else (1, left)
            after = width * multiple
            self.add_module(f"conv{i}", nn.Conv2d(before, after, kernel, mine, padding=kernel // 2, bias=False))
            self.add_module(f"bn{i}", nn.BatchNorm2d(after))
            before = after
        same = inputs == before and stride == 1
        self.downsample = nn.Identity() if same else shortcut(inputs, before, stride)

    def forward(self, x: Any) -> Any:
        """Return an array of shape (batch, outputs, height / stride, width / stride), rounded up."""
        out = x
        for i in range(1, self.depth + 1):
            out = getattr(self, f"bn{i}")(getattr(self, f"conv{i}")(out))
            if i < self.depth:
                out = torch.relu(out)
        return torch.relu(out + self.downsample(x))


class _ZeroPadded(nn.Module):
    """Option A: every stride-th pixel, and channels of zeros after those that there are."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride, self.extra = stride, outputs - inputs

    def forward(self, x: Any) -> Any:
        """Return an array of shape (batch, outputs, height / stride, width / stride), rounded up."""
        return nn.functional.pad(x[..., :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))


def _projection(inputs: int, outputs: int, stride: int) -> nn.Module:
    """Return option B: a 1 x 1 convolution with batch norm."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
