"""What every data set is once it is read: inputs and labels, for training and for testing."""

import hashlib
import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from linreg_mirror._tools.arguments import check_integer, check_rng
from linreg_mirror.networks.data.augment import CropFlip
from linreg_mirror.networks.data.checks import checked_arrays, checked_device
from linreg_mirror.networks.data.crops import ResizedCrop
from linreg_mirror.networks.data.images import ImageFiles


@dataclass(frozen=True, eq=False)
class Split:
    """Examples, and how their inputs are normalised.

    Attributes
    ----------
    inputs : torch.Tensor or ImageFiles
        Images (n, channels, height, width) of uint8, in memory or in files; or (n, ...) of floats, which are used as
        they are.
    labels : torch.Tensor
        Classes (n,) of int64; or targets (n, ...) of floats.
    mean, std : tuple of float
        Of every channel, on the scale of the bytes, over all pixels of the training images; for images in files those
        of ImageNet, whatever they show; empty for floats.
    """

    inputs: torch.Tensor | ImageFiles
    labels: torch.Tensor
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.inputs)

    def to(self, device: torch.device | str) -> "Split":
        """Return the same examples on another device, files as they are.

        Parameters
        ----------
        device : torch.device or str
            Such as "cuda".

        Raises
        ------
        ValueError
            If there is no such device.
        """
        device = checked_device(device)
        inputs = self.inputs.to(device) if isinstance(self.inputs, torch.Tensor) else self.inputs
        return replace(self, inputs=inputs, labels=self.labels.to(device))

    def augmentation(self, **options: Any) -> CropFlip | ResizedCrop:
        """Return the default augmentation of such images: `ResizedCrop` if they are in files, or `CropFlip`.

        Parameters
        ----------
        **options
            Arguments of that class.

        Raises
        ------
        ValueError
            If an option is out of range.
        TypeError
            If that one has no such option.
        """
        return ResizedCrop(**options) if isinstance(self.inputs, ImageFiles) else CropFlip(**options)


@dataclass(frozen=True, eq=False)
class Data:
    """A data set; `Data.of` makes one of arrays.

    Attributes
    ----------
    name : str
        What it is called.
    train, test : Split
        Its examples, both normalised alike.
    classes : int or None
        Labels are 0..classes - 1; None if they are targets.
    unverified : tuple of str
        Files whose contents are not those that are published, by their MD5. Empty if all are, or none were read.
    """

    name: str
    train: Split
    test: Split
    classes: int | None
    unverified: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        *,
        train: tuple[Any, Any],
        test: tuple[Any, Any],
        classes: int | None,
        unverified: tuple[str, ...] = (),
    ) -> "Data":
        """Return a data set on the CPU, with the statistics of its training images.

        Parameters
        ----------
        name : str
            What it is called.
        train, test : pair of arrays
            Inputs and labels, NumPy or torch, as in `Split`. Labels may be of any integer type.
        classes : int or None
            How many, or None if labels are targets.
        unverified : tuple of str
            Files that are not those that are published.

        Returns
        -------
        Data
            A channel that is constant over the training images has a standard deviation of 1, so that it becomes 0.

        Raises
        ------
        ValueError
            If shapes or types do not fit, there are no examples, or a label is out of range.
        """
        inputs, labels = checked_arrays(f"{name}, training set", *train, classes)
        others, their_labels = checked_arrays(f"{name}, test set", *test, classes)
        if inputs.shape[1:] != others.shape[1:] or inputs.dtype != others.dtype:
            raise ValueError(
                f"{name}: an example has shape {tuple(inputs.shape[1:])} of {inputs.dtype} in the training set, "
                f"{tuple(others.shape[1:])} of {others.dtype} in the test set: make them alike"
            )
        mean, std = _statistics(inputs)
        return cls(name, Split(inputs, labels, mean, std), Split(others, their_labels, mean, std), classes, unverified)

    def to(self, device: torch.device | str) -> "Data":
        """Return the same data on another device.

        Parameters
        ----------
        device : torch.device or str
            Such as "cuda".

        Raises
        ------
        ValueError
            If there is no such device.
        """
        return replace(self, train=self.train.to(device), test=self.test.to(device))

    def digest(self) -> str:
        """Return the SHA-256 of all inputs and labels, in hexadecimal; of files, their names and sizes stand for them.

        So it stays the same when files are copied to another place.
        """
        digest = hashlib.sha256()
        for split in (self.train, self.test):
            for part in (split.inputs, split.labels):
                digest.update(part.listing() if isinstance(part, ImageFiles) else part.cpu().numpy().tobytes())
        return digest.hexdigest()


def hold_out(data: Data, examples: int, rng: np.random.Generator) -> Data:
    """Return the training set cut in two: what is left of it, and a test set to choose settings by.

    Parameters
    ----------
    data : Data
        Its test set is not looked at.
    examples : int
        How many are held out, 1 to all but one; of every class in proportion, up to rounding.
    rng : numpy.random.Generator
        Source of all randomness.

    Returns
    -------
    Data
        On the CPU, normalised by what is left for training; images in files as before.

    Raises
    ------
    ValueError
        If examples is out of range.
    TypeError
        If rng is no generator.
    """
    check_rng(rng)
    check_integer("examples", examples, 1, len(data.train) - 1)
    inputs, labels, out = data.train.inputs, data.train.labels.cpu(), _chosen(data, examples, rng)
    left = ~out
    if isinstance(inputs, ImageFiles):
        train, test = (replace(data.train, inputs=inputs[part], labels=labels[part]) for part in (left, out))
        return replace(data, train=train, test=test)
    inputs = inputs.cpu()
    return Data.of(
        data.name,
        train=(inputs[left], labels[left]),
        test=(inputs[out], labels[out]),
        classes=data.classes,
        unverified=data.unverified,
    )


def limited(data: Data, examples: int) -> Data:
    """Return the data with fewer training examples, always the same ones, and the whole test set.

    Parameters
    ----------
    data : Data
        On the CPU.
    examples : int
        How many are left, from one to all; of every class in proportion, up to rounding.

    Returns
    -------
    Data
        Normalised by the training examples that are left; images in files as before.

    Raises
    ------
    ValueError
        If examples is out of range.
    """
    check_integer("limit", examples, 1, len(data.train))
    inputs, labels, left = data.train.inputs, data.train.labels, _chosen(data, examples, np.random.default_rng(0))
    if isinstance(inputs, ImageFiles):
        return replace(data, train=replace(data.train, inputs=inputs[left], labels=labels[left]))
    train, test = (inputs[left], labels[left]), (data.test.inputs, data.test.labels)
    return Data.of(data.name, train=train, test=test, classes=data.classes, unverified=data.unverified)


def _chosen(data: Data, examples: int, rng: np.random.Generator) -> torch.Tensor:
    """Return a mask of a stratified sample of the training set."""
    labels = data.train.labels.cpu()
    strata = labels if data.classes is not None else torch.zeros(len(labels))
    mask = np.zeros(len(labels), bool)
    mask[stratified(strata.numpy(), examples, rng)] = True
    return torch.as_tensor(mask)


def stratified(labels: np.ndarray, examples: int, rng: np.random.Generator) -> np.ndarray:
    """Return the indices of a random sample: of a class with a share p of all labels, p examples up to rounding."""
    shuffled = rng.permutation(len(labels))
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    # Evenly spaced places in this order; how far the first is from its beginning is chance.
    places = (np.arange(examples) * len(labels) + rng.integers(len(labels))) // examples
    return by_class[places]


def _statistics(inputs: torch.Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of every channel, from exact sums."""
    mean, std = [], []
    for channel in inputs.unbind(1) if inputs.dtype == torch.uint8 else ():
        counts = torch.bincount(channel.flatten(), minlength=256).tolist()
        n = channel.numel()
        first = sum(value * count for value, count in enumerate(counts))
        second = sum(value**2 * count for value, count in enumerate(counts))
        mean.append(first / n)
        std.append(math.sqrt((n * second - first**2) / n**2) or 1.0)
    return tuple(mean), tuple(std)
