"""Images in files: how one is read, and many that are not kept in memory."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from linreg_mirror.networks.data.crops import Box, ResizedCrop

if TYPE_CHECKING:  # Pillow is imported once there is an image to read
    from PIL import Image


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """Images that stay files until a batch needs them: what a split has in place of a tensor too large for memory.

    Attributes
    ----------
    paths : sequence of str
        Where they are, in the order of the examples.
    size : int
        Height and width of the images in batches.
    resize : int
        What the shorter side is brought to before the middle is cut out, at least `size`.
    """

    paths: Sequence[str]
    size: int
    resize: int
    dtype: ClassVar[torch.dtype] = torch.uint8

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.paths)

    def __getitem__(self, chosen: torch.Tensor) -> "ImageFiles":
        """Return some of the images, by a mask (n,) of bool."""
        return replace(self, paths=tuple(compress(self.paths, chosen.tolist())))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The shape that a tensor of all images would have."""
        return len(self), 3, self.size, self.size

    def read(self, i: int, crop: ResizedCrop | None = None, seed: int = 0) -> NDArray[np.uint8]:
        """Return an image, (size, size, 3): its middle, or a crop.

        Parameters
        ----------
        i : int
            Which.
        crop : ResizedCrop, optional
            How rectangles are drawn. Default: the middle.
        seed : int
            Of the crop.

        Raises
        ------
        ValueError
            If the file is no image.
        ModuleNotFoundError
            If there is no Pillow, which reads it.
        """
        image = opened(self.paths[i])
        if crop is None:
            return np.asarray(cut(image, middle(*image.size, self.size / self.resize), self.size))
        box, mirrored = crop.place(*image.size, seed)
        pixels = np.asarray(cut(image, box, self.size))
        return pixels[:, ::-1] if mirrored else pixels

    def listing(self) -> bytes:
        """Return the names of the files, without their folders, and their sizes in bytes, a line for each.

        Raises
        ------
        OSError
            If a file is missing.
        """
        return b"".join(os.fsencode(f"{os.path.basename(path)} {os.path.getsize(path)}\n") for path in self.paths)


def opened(path: str) -> "Image.Image":
    """Return an image in RGB; ValueError if the file is none, ModuleNotFoundError if there is no Pillow."""
    try:
        from PIL import Image
    except ModuleNotFoundError:
        raise ModuleNotFoundError("images are read by Pillow: pip install pillow", name="PIL") from None
    # Otherwise threads that open their first images at once may find that formats are not all registered yet.
    Image.init()
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as an image ({error}): get it again, or remove it") from None


def middle(width: int, height: int, share: float = 1.0) -> Box:
    """Return the square in the middle of an image of this size, whose side is a share of the image's shorter one."""
    side = share * min(width, height)
    left, top = (width - side) / 2, (height - side) / 2
    return left, top, left + side, top + side


def cut(image: "Image.Image", box: Box, size: int) -> "Image.Image":
    """Return what is in the box, brought to (size, size) with antialiasing."""
    from PIL import Image

    return image.resize((size, size), Image.Resampling.BICUBIC, box=box)
