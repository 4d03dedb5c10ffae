"""Image folders: one folder for each class, as ImageNet and Tiny ImageNet are laid out."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._arguments import check_integer
from linreg_mirror.networks.data.dataset import Data

_ENDINGS = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}


def folder(directory: str | Path | None, *, size: int | None = None, train: str = "train", test: str = "val") -> Data:
    """Return the images of DIRECTORY/train/CLASS and DIRECTORY/val/CLASS, all of them in memory.

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
    train, test : str
        Names of the two folders.

    Raises
    ------
    ValueError
        If sizes differ and none is asked for, an image cannot be read, or a class is unknown in training.
    OSError
        If a folder is missing or holds no images.
    ModuleNotFoundError
        If there is no Pillow, which reads the images.

    Notes
    -----
    All images become RGB. A million of them at 64 x 64 take 12 GB; larger sets need a loader of your own.
    """
    if size is not None:
        check_integer("size", size, 1)
    if directory is None:
        raise ValueError(f"images are read from files: name the directory that holds {train}/CLASS and {test}/CLASS")
    listed = {part: _listed(Path(directory, part)) for part in (train, test)}
    classes = sorted({label for _, label in listed[train]})
    unknown = sorted({label for _, label in listed[test]}.difference(classes))
    if unknown:
        raise ValueError(
            f"{Path(directory, test)} has classes that {Path(directory, train)} has not: {', '.join(unknown[:5])}; "
            "name another folder with test=..."
        )
    numbers = {label: number for number, label in enumerate(classes)}
    arrays = {
        part: (_read([path for path, _ in files], size), np.array([numbers[label] for _, label in files]))
        for part, files in listed.items()
    }
    return Data.of("folder", train=arrays[train], test=arrays[test], classes=len(classes))


def _listed(place: Path) -> list[tuple[Path, str]]:
    """Return the images in a folder, and their classes."""
    annotations = place / "val_annotations.txt"
    if annotations.is_file():
        lines = (line.split("\t") for line in annotations.read_text(encoding="utf-8").splitlines())
        files = [(place / "images" / line[0], line[1]) for line in lines if len(line) > 1]
    else:
        inside = sorted(place.iterdir()) if place.is_dir() else []
        files = [(path, label.name) for label in inside if label.is_dir() for path in sorted(label.rglob("*"))]
        files = [(path, label) for path, label in files if path.suffix.lower() in _ENDINGS]
    if not files:
        state = "holds no images" if place.is_dir() else "does not exist"
        raise FileNotFoundError(
            f"{place} {state}: expected are images in folders named after their classes, such as "
            f"{place / 'cat' / '1.png'}"
        )
    return files


def _read(paths: Sequence[Path], size: int | None) -> NDArray[np.uint8]:
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


def _pixels(path: Path, size: int | None) -> NDArray[Any]:
    """Return an image, (3, height, width)."""
    try:
        from PIL import Image, ImageOps
    except ModuleNotFoundError:
        raise ModuleNotFoundError("images are read by Pillow: pip install pillow", name="PIL") from None
    try:
        with Image.open(path) as image:
            pixels = image.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} cannot be read as an image ({error}): get it again, or remove it") from None
    if size is not None:
        pixels = ImageOps.fit(pixels, (size, size), Image.Resampling.BICUBIC)
    return np.asarray(pixels).transpose(2, 0, 1)
