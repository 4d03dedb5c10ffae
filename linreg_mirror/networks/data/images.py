"""Images in files: how one is read, and many that are not kept in memory."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset

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

    def listing(self) -> bytes:
        """Return the names of the files, without their folders, and their sizes in bytes, a line for each.

        Raises
        ------
        OSError
            If a file is missing.
        """
        return b"".join(os.fsencode(f"{os.path.basename(path)} {os.path.getsize(path)}\n") for path in self.paths)


@dataclass(frozen=True, eq=False)
class ImageReader(Dataset[torch.Tensor]):
    """Images in an order of their own: for places in it a batch of uint8, (n, size, size, 3), on the CPU.

    Attributes
    ----------
    files : ImageFiles
        Where they are.
    order : torch.Tensor
        Their numbers.
    crop : ResizedCrop or None
        How rectangles are drawn. None is the middle.
    seeds : torch.Tensor
        Of the crop at each place in the order.
    """

    files: ImageFiles
    order: torch.Tensor
    crop: ResizedCrop | None
    seeds: torch.Tensor

    def __getitem__(self, index: Sequence[int]) -> torch.Tensor:
        """Read a batch; ValueError if a file is no image, ModuleNotFoundError if there is no Pillow."""
        batch = torch.empty((len(index), *self.files.shape[2:], 3), dtype=torch.uint8)
        for place, row in zip(index, batch.numpy(), strict=True):
            row[:] = self._read(place)
        return batch

    def _read(self, place: int) -> NDArray[np.uint8]:
        files = self.files
        image = opened(files.paths[int(self.order[place])])
        if self.crop is None:
            return np.asarray(cut(image, middle(*image.size, files.size / files.resize), files.size))
        box, mirrored = self.crop.place(*image.size, int(self.seeds[place]))
        pixels = np.asarray(cut(image, box, files.size))
        return pixels[:, ::-1] if mirrored else pixels


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
