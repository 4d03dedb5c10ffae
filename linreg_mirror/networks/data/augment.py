"""Augmentation of a batch of images, on the device where it is."""

from dataclasses import dataclass

import torch

from linreg_mirror._tools.arguments import check_integer
from linreg_mirror._tools.device_generator import DeviceGenerator


@dataclass(frozen=True)
class CropFlip:
    """Crop images at random out of a frame of zeros, and mirror half of them, as usual for CIFAR.

    The frame is of zero bytes, so black, and is normalised with the image.

    Attributes
    ----------
    padding : int
        Width of the frame in pixels: images move by up to so many in every direction.
    flip : bool
        Whether images are mirrored, left to right, with probability 1/2. Not for digits.
    """

    padding: int = 4
    flip: bool = True

    def __post_init__(self) -> None:
        check_integer("padding", self.padding, 0)

    def draw(self, examples: int, rng: DeviceGenerator) -> torch.Tensor:
        """Return what is done to so many images, (examples, 3) of int64: top, left, mirrored (0 or 1)."""
        moves = 2 * self.padding + 1
        return rng.integers((moves, moves, 1 + self.flip), size=(examples, 3))

    def __call__(self, images: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
        """Return the images changed.

        Parameters
        ----------
        images : torch.Tensor, shape (n, channels, height, width)
            Of any type.
        drawn : torch.Tensor, shape (n, 3)
            From `draw`, on the device of the images.

        Returns
        -------
        torch.Tensor, of the shape, type and device of `images`
        """
        channels, height, width = images.shape[1:]
        padded = torch.nn.functional.pad(images, (self.padding,) * 4)
        top, left, mirrored = drawn[:, :, None].unbind(1)
        across = torch.arange(width, device=images.device)
        rows = top + torch.arange(height, device=images.device)
        columns = left + torch.where(mirrored == 1, across.flip(0), across)
        # One gather does both.
        places = (rows[:, :, None] * padded.shape[-1] + columns[:, None, :]).flatten(1)
        return padded.flatten(2).gather(2, places[:, None].expand(-1, channels, -1)).view_as(images)
