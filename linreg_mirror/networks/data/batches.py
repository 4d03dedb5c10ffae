"""Batches of a data set, made on its device: shuffled, augmented, normalised."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import KW_ONLY, dataclass
from itertools import pairwise
from multiprocessing import get_all_start_methods
from typing import Protocol

import torch
from joblib import cpu_count
from torch.utils.data import DataLoader

from linreg_mirror._tools.arguments import check_integer, is_whole
from linreg_mirror._tools.device_generator import DeviceGenerator
from linreg_mirror.networks.data.crops import ResizedCrop
from linreg_mirror.networks.data.dataset import Split
from linreg_mirror.networks.data.images import ImageReader

_FEW = 1000  # images are read before processes for them have started


class Augmentation(Protocol):
    """A random change of images, in two parts: what is drawn for an epoch, and what is done to a batch."""

    def draw(self, examples: int, rng: DeviceGenerator) -> torch.Tensor:
        """Return a tensor with a row for each of so many images.

        Parameters
        ----------
        examples : int
            How many.
        rng : DeviceGenerator
            Source of all randomness; what it draws is on the device of the images.
        """
        ...

    def __call__(self, images: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
        """Return the images changed as their rows of `drawn` say."""
        ...


@dataclass(frozen=True, eq=False)
class Batches:
    """The batches of a split, epoch by epoch.

    Order and augmentation depend on (seed, epoch) alone. They are drawn on the device of the images, the same on every
    one. `epoch(k, start)` goes on after `start` batches of epoch k exactly as if it had never stopped.

    Images in files are read ahead by worker processes, which end with the loop over an epoch.

    `len(batches)` is the number of batches of an epoch, and `for inputs, labels in batches` goes through epoch 0.

    Parameters
    ----------
    split : Split
        Examples; batches are made on their device.
    size : int
        Examples in a batch, 1 to all of them; the last batch may have fewer.
    seed : int, optional
        Of order and augmentation. Default: the order of the data, as for testing.
    augment : Augmentation or ResizedCrop, optional
        Such as `CropFlip()`, or for images in files `ResizedCrop()`; needs a seed. Default: none.
    drop_last : bool
        Leave out the last batch of an epoch if it is smaller than the others.
    dtype : torch.dtype
        Of the inputs, a floating one. Images are normalised in float32, or float64 if that is asked for, and rounded.
    channels_last : bool
        Whether images are laid out with channels last in memory.
    part : pair of int
        (k, m): of every batch the examples k, k + m, k + 2m, ..., for one of m processes. `size` counts all of them.
    workers : int, optional
        Processes that read images from files, 0 for none; batches do not depend on how many. Default: one for each core
        that can be used, shared among the processes of `part`; none for fewer than 1000 images.

    Raises
    ------
    ValueError
        If an argument is out of range; later, if a file is no image.
    """

    split: Split
    size: int
    _: KW_ONLY
    seed: int | None = None
    augment: Augmentation | ResizedCrop | None = None
    drop_last: bool = False
    dtype: torch.dtype = torch.float32
    channels_last: bool = False
    part: tuple[int, int] = (0, 1)
    workers: int | None = None

    def __post_init__(self) -> None:
        n, images = len(self.split), self.split.inputs.dtype == torch.uint8
        if not (is_whole(self.size) and 1 <= self.size <= n):
            raise ValueError(
                f"a batch must have 1..{n} examples, because there are {n} in all, got size={self.size!r}: write "
                f"size={min(n, 128)}"
            )
        if self.seed is not None:
            check_integer("seed", self.seed, 0)
        elif self.augment is not None:
            raise ValueError("augmentation is random and needs a seed: write seed=0")
        if not images and (self.augment is not None or self.channels_last):
            raise ValueError(
                f"augment and channels_last are for images of uint8, but inputs are {self.split.inputs.dtype} of shape "
                f"{tuple(self.split.inputs.shape)}: leave them out"
            )
        if isinstance(self.augment, ResizedCrop) and isinstance(self.split.inputs, torch.Tensor):
            raise ValueError(
                "ResizedCrop is for images in files, these are in memory: write augment=CropFlip(), or make them with "
                'load("folder", ..., lazy=True, size=224)'
            )
        if not self.dtype.is_floating_point:
            raise ValueError(f"dtype must be a floating one, got {self.dtype}: write dtype=torch.float32")
        first, every = self.part
        check_integer("part[1]", every, 1)
        check_integer("part[0]", first, 0, every - 1)
        if self.workers is not None:
            check_integer("workers", self.workers, 0)

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        whole, rest = divmod(len(self.split), self.size)
        return whole + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Iterate over the batches of epoch 0."""
        return self.epoch(0)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Return an iterator over (inputs, labels).

        Parameters
        ----------
        epoch : int
            Which one, from 0.
        start : int
            How many batches of it are left out, 0 to all of them.

        Raises
        ------
        ValueError
            If epoch or start is out of range.
        """
        check_integer("epoch", epoch, 0, 2**63 - 1)
        check_integer("start", start, 0, len(self))
        return self._made(epoch, start)

    def _made(self, epoch: int, start: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        labels, (first, every) = self.split.labels, self.part
        ends = (min(step * self.size, len(self.split)) for step in range(start, len(self) + 1))
        parts = [slice(begin + first, end, every) for begin, end in pairwise(ends)]
        order, drawn = self._drawn(epoch)
        inputs = self._inputs(order, drawn, parts)
        order, drawn = order.to(labels.device), drawn.to(labels.device)
        finish = self._finish()
        for part, batch in zip(parts, inputs, strict=True):
            if self.augment is not None and not isinstance(self.augment, ResizedCrop):
                batch = self.augment(batch, drawn[part])
            yield finish(batch), labels.index_select(0, order[part])

    def _inputs(self, order: torch.Tensor, drawn: torch.Tensor, parts: Sequence[slice]) -> Iterator[torch.Tensor]:
        """Return the inputs of the batches on their device, as they are in memory or are read."""
        inputs, device = self.split.inputs, self.split.labels.device
        if isinstance(inputs, torch.Tensor):
            places = order.to(device)
            return (inputs.index_select(0, places[part]) for part in parts)
        crop = self.augment if isinstance(self.augment, ResizedCrop) else None
        places, workers = range(len(order)), self._workers()
        # A generator of its own: otherwise the loader draws from torch's, which layers such as dropout use. The
        # platform's way of starting processes: within a process of joblib's the default is joblib's own, which fails.
        batches = DataLoader(
            ImageReader(inputs, order, crop, drawn), batch_size=None,
            sampler=[places[part] for part in parts], num_workers=workers, pin_memory=device.type == "cuda",
            generator=torch.Generator(), multiprocessing_context=get_all_start_methods()[0] if workers else None,
        )  # fmt: skip
        return (batch.to(device, non_blocking=True).permute(0, 3, 1, 2) for batch in batches)

    def _workers(self) -> int:
        if self.workers is not None:
            return self.workers
        return cpu_count() // self.part[1] if len(self.split) >= _FEW else 0

    def _drawn(self, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the order of the examples, and what is drawn for the augmentation of each place in it."""
        n, inputs = len(self.split), self.split.inputs
        # Files are read on the CPU.
        here = inputs[:0] if isinstance(inputs, torch.Tensor) else torch.empty(0)
        if self.seed is None:
            return torch.arange(n, device=here.device), torch.empty(0, device=here.device)
        # The first number keeps these streams apart from others with the same seed.
        seed = (0x64617461, self.seed)
        of_order, of_augmentation = (DeviceGenerator(seed, epoch, purpose, here) for purpose in range(2))
        drawn = torch.empty(0, device=here.device) if self.augment is None else self.augment.draw(n, of_augmentation)
        return of_order.permutation(n), drawn

    def _finish(self) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return what makes inputs of a batch."""
        if self.split.inputs.dtype != torch.uint8:
            return lambda batch: batch.to(self.dtype)
        wide = torch.promote_types(self.dtype, torch.float32)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        mean = torch.tensor(self.split.mean, dtype=wide, device=self.split.labels.device)[:, None, None]
        gain = torch.tensor([1 / std for std in self.split.std], dtype=wide, device=mean.device)[:, None, None]
        # One operation after the other, for a fused one may round differently on different devices.
        return lambda batch: batch.to(wide).sub_(mean).mul_(gain).to(self.dtype, memory_format=layout)
