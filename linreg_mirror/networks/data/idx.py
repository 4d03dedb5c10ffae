"""MNIST and Fashion-MNIST, from their IDX files."""

import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._tools.cites import cites
from linreg_mirror.networks.data.checks import check_labels
from linreg_mirror.networks.data.dataset import Data
from linreg_mirror.networks.data.files import Contents, Release, md5, read

_SIDE, _CLASSES = 28, 10
_RELEASES = {
    "mnist": Release(
        "MNIST/raw",
        {
            "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
            "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
            "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
            "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
        },
    ),
    "fashion-mnist": Release(
        "FashionMNIST/raw",
        {
            "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
            "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
            "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
        },
    ),
}
_PAGES = {
    "mnist": "http://yann.lecun.com/exdb/mnist",
    "fashion-mnist": "https://github.com/zalandoresearch/fashion-mnist",
}


@cites("lecun1998gradient")
def mnist(directory: str | Path | None) -> Data:
    """Return MNIST (LeCun et al.): 60,000 + 10,000 gray images of 28 x 28, digits in 10 classes.

    Parameters
    ----------
    directory : path
        With the files {train,t10k}-{images-idx3,labels-idx1}-ubyte, gzipped or not, in it or in MNIST/raw.

    Raises
    ------
    ValueError
        If a file is truncated or another one.
    OSError
        If a file is missing or cannot be read.
    """
    return _read("mnist", directory)


@cites("xiao2017fashion")
def fashion_mnist(directory: str | Path | None) -> Data:
    """Return Fashion-MNIST (Xiao, Rasul, Vollgraf, arXiv 1708.07747): as MNIST, with articles of clothing.

    Parameters
    ----------
    directory : path
        With the files {train,t10k}-{images-idx3,labels-idx1}-ubyte, gzipped or not, in it or in FashionMNIST/raw.

    Raises
    ------
    ValueError
        If a file is truncated or another one.
    OSError
        If a file is missing or cannot be read.
    """
    return _read("fashion-mnist", directory)


def _read(name: str, directory: str | Path | None) -> Data:
    found = read(name, directory, [_RELEASES[name]], _PAGES[name])
    for file in found.unverified:
        _check_origin(found.paths[file], found.contents[file])
    train, test = (_part(part, found) for part in ("train", "t10k"))
    return Data.of(name, train=train, test=test, classes=_CLASSES, unverified=found.unverified)


def _part(part: str, found: Contents) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return images and labels, having checked that they fit each other."""
    of_images, of_labels = f"{part}-images-idx3-ubyte", f"{part}-labels-idx1-ubyte"
    images = _array(found.paths[of_images], found.contents[of_images], 3)
    labels = _array(found.paths[of_labels], found.contents[of_labels], 1)
    if images.shape[1:] != (_SIDE, _SIDE):
        raise ValueError(f"{found.paths[of_images]} holds images of {images.shape[1:]}, {(_SIDE, _SIDE)} is expected")
    if len(labels) != len(images):
        raise ValueError(
            f"{found.paths[of_labels]} holds {len(labels)} labels for {len(images)} images: take both files from one "
            "set"
        )
    check_labels(found.paths[of_labels], labels, _CLASSES)
    return images[:, None], labels


def _array(path: Path, content: bytes, dimensions: int) -> NDArray[np.uint8]:
    """Return what an IDX file holds: two zeros, 8 for bytes, how many dimensions, these in big endian, the bytes."""
    magic, header = bytes((0, 0, 8, dimensions)), 4 + 4 * dimensions
    if len(content) < header or not content.startswith(magic):
        raise ValueError(
            f"{path} is not an IDX file of bytes with {dimensions} dimensions: it begins with {content[:4].hex()!r}, "
            f"{magic.hex()!r} is expected: get it again"
        )
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    if math.prod(shape) != len(content) - header:
        raise ValueError(
            f"{path} is truncated or damaged: {len(content) - header} bytes follow its header, which announces "
            f"{' x '.join(map(str, shape))}: get it again"
        )
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _check_origin(path: Path, content: bytes) -> None:
    """Raise ValueError if it is another file in truth: names and shapes are the same in both sets."""
    checksum = md5(content)
    for other, release in _RELEASES.items():
        for file, known in release.md5.items():
            if checksum == known:
                raise ValueError(f"{path} is {file} of {other}: keep each set in a directory of its own")
