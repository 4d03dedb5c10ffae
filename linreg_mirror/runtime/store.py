"""Results on disk, found again by the settings that produced them. The only module that knows where results go."""

import hashlib
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from linreg_mirror.runtime.files import explained, write_text

# What files say of themselves. Format 0 was this one, without saying so. Whoever changes the format counts on, teaches
# `_read` to tell them apart, and keeps a file of the old one in tests/runtime/stores.
_FORMAT = 1
_LARGEST_EXACT = 2.0**53  # every whole float64 up to here is one integer and no other


def results_directory() -> Path:
    """Return the folder where results go: the environment variable LINREG_MIRROR_RESULTS, or else ./results."""
    return Path(os.environ.get("LINREG_MIRROR_RESULTS") or "results")


@cache
def code_fingerprint() -> str:
    """Return the SHA-256 of this distribution's own Python sources, read once a process.

    As one of the settings it keeps results of other code from being taken for results of this code.
    """
    here = Path(__file__).parents[1]
    digest = hashlib.sha256()
    # Theorems about masks rest on sketching, which is installed beside this package.
    for package in (here, here.parent / "sketching"):
        for source in sorted(package.rglob("*.py")):
            digest.update(f"{source.relative_to(here.parent).as_posix()}\0".encode())
            digest.update(hashlib.sha256(source.read_bytes()).digest())
    return digest.hexdigest()


def key(settings: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the settings, the same for equal settings whatever their order.

    Parameters
    ----------
    settings : mapping of str
        JSON values, tuples, NumPy scalars and arrays, nested. 1 and 1.0 are the same setting; 1 and True are not.

    Raises
    ------
    ValueError
        If a number is NaN or infinite: NaN is not even equal to itself.
    TypeError
        If a value or the name of a setting is of any other type.
    """
    canonical = _plain(settings, "settings", identifies=True)
    return hashlib.sha256(json.dumps(canonical, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Store:
    """A folder of results, one JSON file for each set of settings.

    Many processes may read and write it at once: a file appears whole or not at all, and of two results saved for
    the same settings the later stays. What a killed process was about to write ends in ".partial" and can be deleted.
    Files of earlier versions are read, too. Nothing is ever unpickled.

    Parameters
    ----------
    root : str or path
        The folder; made when the first result is saved.

    Examples
    --------
    >>> store = Store(results_directory() / "check")
    >>> settings = {"theorem": "mirror.flow", "seed": 7, "code": code_fingerprint()}
    >>> if (record := store.load(settings)) is None:
    ...     store.save(settings, record := {"margin": measure(seed=7)})
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root)

    def __repr__(self) -> str:
        return f"Store({str(self.root)!r})"

    def path(self, settings: Mapping[str, Any]) -> Path:
        """Return the file that these settings have or would have."""
        return self.root / f"{key(settings)}.json"

    def save(self, settings: Mapping[str, Any], record: Mapping[str, Any]) -> Path:
        """Write a result in place of any that these settings have, and return its file.

        Parameters
        ----------
        settings : mapping of str
            What produced the result; see `key` for what it may hold.
        record : mapping of str
            The result: what settings may hold, and NaN and infinities besides.

        Raises
        ------
        OSError
            If the folder is read-only or the disk is full, naming the file and what to do.
        """
        path = self.path(settings)
        content = {
            "format": _FORMAT,
            "settings": _plain(settings, "settings", identifies=True),
            "record": _plain(record, "record"),
        }
        try:
            write_text(path, json.dumps(content, indent=1), durable=False)  # one that a power cut empties is absent
        except OSError as error:
            raise explained(error, "save a result", path) from error
        return path

    def load(self, settings: Mapping[str, Any]) -> dict[str, Any] | None:
        """Return the result that was saved for these settings, or None.

        A truncated file, or one that holds something else, counts as absent and is renamed to end in ".corrupt".

        Raises
        ------
        OSError
            If there is a file that cannot be read, naming it and what to do.
        ValueError
            If a newer version of this package wrote the file, in a format of its own.
        """
        entry = _read(self.path(settings))
        return None if entry is None else entry[1]

    def is_empty(self) -> bool:
        """Whether there is no result, so that none need be looked for."""
        return next(self.root.glob("*.json"), None) is None

    def records(self) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """Iterate over (settings, record) of all results, in the order of their keys."""
        for path in sorted(self.root.glob("*.json")):
            if (entry := _read(path)) is not None:
                yield entry


class _Newer(Exception):
    """The format of a file that is whole, but not for us."""


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the settings and the record in a file, or None after setting aside a file that is not whole."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        newer = content.get("format", 0)
        if isinstance(newer, int) and newer > _FORMAT:
            raise _Newer(newer)
        settings, record = content["settings"], content["record"]
        if not isinstance(record, dict) or key(settings) != path.stem:
            raise ValueError("the file holds another result")
        return settings, record
    except FileNotFoundError:
        return None
    except OSError as error:
        raise explained(error, "read a result", path) from error
    except _Newer as error:
        raise ValueError(
            f"{path} has format {error}, and this version of linreg-mirror reads up to {_FORMAT}: install the version "
            "that wrote it, or set LINREG_MIRROR_RESULTS to another folder"
        ) from None
    except (ValueError, TypeError, KeyError, AttributeError):
        # Where it cannot be renamed it is still absent: another process was faster, or the folder is read-only.
        with suppress(OSError):
            os.replace(path, path.with_suffix(".corrupt"))
        return None


def _plain(value: Any, where: str, *, identifies: bool = False) -> Any:
    """Return `value` in JSON's types, or name the part of it that has no such form.

    What `identifies` a result has to be finite, with one spelling for each number.
    """
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise TypeError(f"{where} must have str keys, got {name!r}: write str({name!r})")
        return {name: _plain(item, f"{where}[{name!r}]", identifies=identifies) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(item, f"{where}[{i}]", identifies=identifies) for i, item in enumerate(value)]
    if isinstance(value, np.bool_ | np.integer):
        return value.item()
    if isinstance(value, float | np.floating):
        value = float(value)
        if identifies and not math.isfinite(value):
            raise ValueError(
                f"{where} must be finite to identify a result, got {value}: write None or a str such as 'inf' instead"
            )
        # A step size of 1 from Python is one of 1.0 from the command line.
        return int(value) if identifies and value.is_integer() and abs(value) <= _LARGEST_EXACT else value
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(
        f"{where} must be a number, str, bool, None, or a list, mapping or NumPy array of these, "
        f"got {type(value).__name__}: convert it first, for example with str() or dataclasses.asdict()"
    )
