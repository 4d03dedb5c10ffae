"""Image folders: one folder for each class, as ImageNet and Tiny ImageNet are laid out."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from linreg_mirror._tools.arguments import check_integer
from linreg_mirror.networks.data.dataset import Data, Split
from linreg_mirror.networks.data.images import ImageFiles, cut, middle, opened

_ENDINGS = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
# Of ImageNet's training images, as is usual, on the scale of bytes.
_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)


def folder(
    directory: str | Path | None,
    *,
    size: int | None = None,
    lazy: bool = False,
    resize: int | None = None,
    train: str = "train",
    test: str = "val",
) -> Data:
    """Return the images of DIRECTORY/train/CLASS and DIRECTORY/val/CLASS, in memory or, if they are lazy, in files.

    Classes are numbered in the order of the names of the training folders. Images may lie in folders within these, and
    what does not end like an image is passed over. Where the test folder has a file val_annotations.txt, as in
    Tiny ImageNet, this says which class each of its images is of.

    Parameters
    ----------
    directory : path
        With the two folders.
    size : int, optional
        Height and width that images are brought to: the largest square in the middle is resized, with antialiasing.
        Default: as they are, if all have one size.
    lazy : bool
        Whether images stay files, which `Batches` reads when they are needed; then `size` is needed, such as 224.
        Training images may be of any size for `ResizedCrop`; without augmentation they are treated as test images are.
    resize : int, optional
        What the shorter side of test images is brought to before the middle, (size, size), is cut out, both in one
        step with antialiasing; at least `size`. For lazy images alone. Default: size * 256 / 224, so 256 for 224.
    train, test : str
        Names of the two folders.

    Raises
    ------
    ValueError
        If sizes differ and none is asked for, an image cannot be read, a class is unknown in training, or options do
        not go together. Whether lazy images can be read shows in their batches.
    OSError
        If a folder is missing or holds no images.
    ModuleNotFoundError
        If there is no Pillow, which reads the images.

    Notes
    -----
    All images become RGB. A million of them at 64 x 64 take 12 GB, at 224 x 224 150 GB; lazy, of any size, 0.2 GB.

    Images in memory are normalised by their own statistics, lazy ones by the constants that are usual for ImageNet,
    mean 0.485, 0.456, 0.406 and standard deviation 0.229, 0.224, 0.225 of 1: to compute others all would be read.
    """
    if size is not None:
        check_integer("size", size, 1)
    if not isinstance(lazy, bool):
        raise ValueError(f"lazy must be true or false, got {lazy!r}")
    if resize is not None and not lazy:
        raise ValueError(f"resize is for lazy images, got resize={resize!r}: write lazy=True, or leave it out")
    if directory is None:
        raise ValueError(
            f"images are read from files: name the directory that holds {train}/CLASS and {test}/CLASS, by --data-dir "
            "or directory="
        )
    listed = {part: _listed(Path(directory, part)) for part in (train, test)}
    classes = sorted({label for _, label in listed[train]})
    unknown = sorted({label for _, label in listed[test]}.difference(classes))
    if unknown:
        raise ValueError(
            f"{Path(directory, test)} has classes that {Path(directory, train)} has not: {', '.join(unknown[:5])}; "
            "name another folder with test=..."
        )
    numbers = {label: number for number, label in enumerate(classes)}
    paths = {part: [path for path, _ in files] for part, files in listed.items()}
    labels = {part: np.array([numbers[label] for _, label in files]) for part, files in listed.items()}
    if lazy:
        splits = {
            part: Split(_unread(paths[part], size, resize), torch.as_tensor(labels[part]), _MEAN, _STD)
            for part in listed
        }
        return Data("folder", splits[train], splits[test], len(classes))
    arrays = {part: (_read(paths[part], size), labels[part]) for part in listed}
    return Data.of("folder", train=arrays[train], test=arrays[test], classes=len(classes))


def _listed(place: Path) -> list[tuple[str, str]]:
    """Return the paths of the images in a folder, and their classes."""
    annotations = place / "val_annotations.txt"
    if annotations.is_file():
        lines = (line.split("\t") for line in annotations.read_text(encoding="utf-8").splitlines())
        files = [(str(place / "images" / line[0]), line[1]) for line in lines if len(line) > 1]
    else:
        inside = sorted(place.iterdir()) if place.is_dir() else []
        files = [(path, label.name) for label in inside if label.is_dir() for path in _within(label)]
    if not files:
        state = "holds no images" if place.is_dir() else "does not exist"
        raise FileNotFoundError(
            f"{place} {state}: expected are images in folders named after their classes, such as "
            f"{place / 'cat' / '1.png'}"
        )
    return files


def _within(folder: Path) -> list[str]:
    """Return the paths of the images in a folder and in those within it, in order."""
    found = (os.path.join(inside, name) for inside, _, names in os.walk(folder) for name in names)
    images = (path for path in found if os.path.splitext(path)[1].lower() in _ENDINGS)
    return sorted(images, key=lambda path: path.split(os.sep))


def _unread(paths: Sequence[str], size: int | None, resize: int | None) -> ImageFiles:
    if size is None:
        raise ValueError("lazy images are brought to one size when they are read: write size=224")
    resize = round(size * 256 / 224) if resize is None else resize
    check_integer("resize", resize, size)
    return ImageFiles(paths, size, resize)


def _read(paths: Sequence[str], size: int | None) -> NDArray[np.uint8]:
    first = _pixels(paths[0], size)
    images = np.empty((len(paths), *first.shape), np.uint8)

    def fill(i: int) -> None:
        image = _pixels(paths[i], size)
        if image.shape != first.shape:
            raise ValueError(
                f"{paths[i]} has {image.shape[1]} x {image.shape[2]} pixels, {paths[0]} has {first.shape[1]} x "
                f"{first.shape[2]}: write size={min(first.shape[1:])} to bring all to one size"
            )
        images[i] = image

    with ThreadPoolExecutor() as threads:  # Pillow decodes without holding the interpreter's lock
        for _ in threads.map(fill, range(len(paths))):
            pass
    return images


def _pixels(path: str, size: int | None) -> NDArray[Any]:
    """Return an image, (3, height, width)."""
    image = opened(path)
    if size is not None:
        image = cut(image, middle(*image.size), size)
    return np.asarray(image).transpose(2, 0, 1)
