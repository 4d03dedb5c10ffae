"""Data sets by name."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from linreg_mirror.networks._tools.arguments import check_options
from linreg_mirror.networks.data.cifar import cifar10, cifar100
from linreg_mirror.networks.data.dataset import Data, limited
from linreg_mirror.networks.data.digits import digits
from linreg_mirror.networks.data.folders import folder
from linreg_mirror.networks.data.idx import fashion_mnist, mnist
from linreg_mirror.networks.data.teacher import teacher

_MADE: Mapping[str, Callable[..., Data]] = {"digits": digits, "teacher": teacher}
_READ: Mapping[str, Callable[..., Data]] = {
    "mnist": mnist,
    "fashion-mnist": fashion_mnist,
    "cifar10": cifar10,
    "cifar100": cifar100,
    "folder": folder,
}
DATASETS: Mapping[str, Callable[..., Data]] = {**_MADE, **_READ}


def load(name: str, directory: str | Path | None = None, limit: int | None = None, **options: Any) -> Data:
    """Return a data set, on the CPU.

    Parameters
    ----------
    name : str
        One of DATASETS: digits, which scikit-learn brings; teacher, which is computed; mnist, fashion-mnist, cifar10,
        cifar100 and folder, which are read from files. Nothing is downloaded.
    directory : path, optional
        Where the files are; not looked at by digits and teacher.
    limit : int, optional
        Training examples to take: of every class in proportion, and always the same ones. Default: all of them.
    **options
        Of the set: digits has `seed`; folder has `size`, `lazy`, `resize`, `train`, `test`; teacher has `model`,
        `train`, `test`, `keep`, `outputs`, `seed` and the options of its model.

    Returns
    -------
    Data
        Whose `unverified` lists files that are not those that are published.

    Raises
    ------
    ValueError
        If the name is unknown, there should be a directory, a file is damaged or another one, or an option is out of
        range.
    OSError
        If the directory or a file is missing: the message says which files are expected, and where they are published.
    TypeError
        If the set has no such option.
    """
    if name not in DATASETS:
        raise ValueError(f"unknown data set {name!r}: known are {', '.join(DATASETS)}")
    if name in _READ:
        options = {"directory": directory, **options}
    check_options(name, DATASETS[name], options)
    found = DATASETS[name](**options)
    return found if limit is None else limited(found, limit)
