"""Random crops of images of any size, made when they are read from files."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from linreg_mirror._tools.device_generator import DeviceGenerator

Box = tuple[float, float, float, float]  # left, top, right, bottom, in pixels

_RATIO = 4 / 3
_ATTEMPTS = 10


@dataclass(frozen=True)
class ResizedCrop:
    """Bring random rectangles of images to one size, and mirror half of them, as usual for ImageNet.

    A rectangle has a uniform share of the area, and a ratio of width to height between 3/4 and 4/3 with a uniform
    logarithm. Of ten that are drawn the first is taken that fits into the image, wherever in it; if none does, the
    largest one in the middle with a ratio in these bounds.

    Attributes
    ----------
    area : float
        The smallest share, above 0 and at most 1; the largest is 1.
    flip : bool
        Whether images are mirrored, left to right, with probability 1/2.

    Raises
    ------
    ValueError
        If the area is out of range.
    """

    area: float = 0.08
    flip: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.area, bool) or not (isinstance(self.area, int | float) and 0 < self.area <= 1):
            raise ValueError(
                f"area is the smallest share of an image, above 0 and at most 1, got {self.area!r}: write area=0.08"
            )

    def draw(self, examples: int, rng: DeviceGenerator) -> torch.Tensor:
        """Return seeds, (examples,) of int64: what follows from them depends on the sizes of the images."""
        return rng.integers(2**63, size=examples)

    def place(self, width: int, height: int, seed: int) -> tuple[Box, bool]:
        """Return the rectangle in an image of this size, of whole pixels, and whether it is mirrored.

        Parameters
        ----------
        width, height : int
            Of the image, in pixels.
        seed : int
            Of the draw.
        """
        rng = np.random.default_rng(seed)
        mirrored = bool(rng.integers(2)) and self.flip
        for _ in range(_ATTEMPTS):
            area = width * height * rng.uniform(self.area, 1)
            ratio = math.exp(rng.uniform(-math.log(_RATIO), math.log(_RATIO)))
            across, down = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
            if 0 < across <= width and 0 < down <= height:
                left, top = int(rng.integers(width - across + 1)), int(rng.integers(height - down + 1))
                break
        else:
            across, down = min(width, round(height * _RATIO)), min(height, round(width * _RATIO))
            left, top = (width - across) // 2, (height - down) // 2
        return (left, top, left + across, top + down), mirrored
