"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009), from their binary or their Python release."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._tools.cites import cites
from linreg_mirror.networks.data.checks import check_labels
from linreg_mirror.networks.data.dataset import Data
from linreg_mirror.networks.data.files import Release, read
from linreg_mirror.networks.data.unpickling import arrays_only

_PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"
_IMAGE = (3, 32, 32)
_PIXELS = 3 * 32 * 32


class _Variant(NamedTuple):
    name: str
    classes: int
    label_bytes: int  # before each image of the binary release; the last one is the class
    key: bytes  # of the classes in the Python release
    binary: Release
    python: Release


_CIFAR10 = _Variant(
    "cifar10", 10, 1, b"labels",
    Release(
        "cifar-10-batches-bin",
        {
            "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
            "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
            "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
            "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
            "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
            "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
        },
    ),
    Release(
        "cifar-10-batches-py",
        {
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
        },
    ),
)  # fmt: skip
_CIFAR100 = _Variant(
    "cifar100", 100, 2, b"fine_labels",
    Release(
        "cifar-100-binary",
        {"train.bin": "6172c7755cfe09b2fe270c85cebc1b15", "test.bin": "4499cfba6c016c1be1438163640a0898"},
    ),
    Release(
        "cifar-100-python",
        {"train": "16019d7e3df5f24257cddd939b257f8d", "test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
    ),
)  # fmt: skip


@cites("krizhevsky2009learning")
def cifar10(directory: str | Path | None) -> Data:
    """Return CIFAR-10: 50,000 + 10,000 colour images of 32 x 32 in 10 classes.

    Parameters
    ----------
    directory : path
        With the unpacked files of the binary release (data_batch_1.bin, ...) or the Python release (data_batch_1, ...),
        in it or in the folder that unpacking makes. Of the latter nothing but arrays is unpickled.

    Raises
    ------
    ValueError
        If a file is truncated or another one.
    OSError
        If a file is missing or cannot be read.
    """
    return _read(_CIFAR10, directory)


@cites("krizhevsky2009learning")
def cifar100(directory: str | Path | None) -> Data:
    """Return CIFAR-100: 50,000 + 10,000 colour images of 32 x 32 in 100 classes, the fine ones.

    Parameters
    ----------
    directory : path
        With the unpacked files of the binary release (train.bin, test.bin) or the Python release (train, test), in it
        or in the folder that unpacking makes. Of the latter nothing but arrays is unpickled.

    Raises
    ------
    ValueError
        If a file is truncated or another one.
    OSError
        If a file is missing or cannot be read.
    """
    return _read(_CIFAR100, directory)


def _read(variant: _Variant, directory: str | Path | None) -> Data:
    found = read(variant.name, directory, [variant.binary, variant.python], _PAGE)
    parse = _binary if found.release is variant.binary else _python
    parts = []
    for file, path in found.paths.items():
        pixels, labels = parse(variant, path, found.contents[file])
        check_labels(path, labels, variant.classes)
        parts.append((pixels, labels))
    return Data.of(
        variant.name,
        train=_joined(parts[:-1]),
        test=_joined(parts[-1:]),
        classes=variant.classes,
        unverified=found.unverified,
    )


def _binary(variant: _Variant, path: Path, content: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    row = variant.label_bytes + _PIXELS
    if len(content) == 0 or len(content) % row:
        raise ValueError(
            f"{path} is truncated or another file: it has {len(content)} bytes, a multiple of {row} is expected for "
            f"the binary release of {variant.name}: get it again"
        )
    rows = np.frombuffer(content, np.uint8).reshape(-1, row)
    return rows[:, variant.label_bytes :], rows[:, variant.label_bytes - 1].astype(np.int64)


def _python(variant: _Variant, path: Path, content: bytes) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    try:
        batch = arrays_only(content)
    except ValueError as error:
        raise ValueError(f"{path} is truncated or another file: {error}; get it again") from None
    pixels, labels = (batch.get(b"data"), batch.get(variant.key)) if isinstance(batch, dict) else (None, None)
    if isinstance(pixels, np.ndarray) and isinstance(labels, list) and labels:
        integers = all(type(label) is int and 0 <= label < 2**63 for label in labels)
        if integers and pixels.dtype == np.uint8 and pixels.shape == (len(labels), _PIXELS):
            return pixels, np.array(labels, np.int64)
    raise ValueError(
        f"{path} is not of the Python release of {variant.name}: a dict with the array data, (n, {_PIXELS}) of uint8, "
        f"and the list {variant.key.decode()} of n integers is expected"
    )


def _joined(
    parts: Sequence[tuple[NDArray[np.uint8], NDArray[np.int64]]],
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    pixels, labels = zip(*parts, strict=True)
    return np.concatenate(pixels).reshape(-1, *_IMAGE), np.concatenate(labels)
