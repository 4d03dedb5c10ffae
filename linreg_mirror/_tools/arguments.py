"""What functions require of numbers, arrays and generators."""

import math
from collections.abc import Sized
from numbers import Real
from typing import Any, NoReturn, TypeGuard

import numpy as np

from linreg_mirror._tools.counting import counted


def is_number(value: Any) -> TypeGuard[float]:
    """Whether `value` is a real number; True and False are not."""
    return isinstance(value, Real) and not isinstance(value, bool)


def check_number(name: str, value: Any) -> None:
    """Raise TypeError unless `value` is a real number."""
    if not is_number(value):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}: write float(...) around it if it is one")


def check_positive(name: str, value: Any, instead: str) -> None:
    """Raise ValueError unless `value` is a finite number > 0, TypeError unless it is a number; `instead` is advice."""
    check_number(name, value)
    if not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name} must be a positive number, got {value!r}: {instead}")


def check_until(until: Any) -> None:
    """Raise unless `until` is None or a positive finite time."""
    if until is not None:
        check_positive("until", until, "leave it out to run until convergence")


def real_array(name: str, value: Any) -> np.ndarray:
    """Return `value` as a float64 array, infinities and NaN included; raise TypeError unless it holds real numbers."""
    try:
        array = np.asarray(value)
    except ValueError:
        refuse_ragged(name, value)
        raise
    if array.dtype.kind in "OSU":
        refuse_words(name, array)
    if array.dtype == np.float64:
        return array.astype(np.float64)
    check_real(name, array.dtype)
    with np.errstate(over="ignore"):  # what is finite only in a wider type becomes infinite
        return array.astype(np.float64)


def is_whole(value: Any) -> bool:
    """Whether `value` is an integer; True and False are not."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def check_integer(name: str, value: Any, least: int, most: int | None = None) -> None:
    """Raise ValueError unless `value` is an integer from `least` to `most`."""
    expected = f"{name} must be an integer " + (f">= {least}" if most is None else f"from {least} to {most}")
    if not is_whole(value):
        raise ValueError(f"{expected}, got {value!r}: write it without a decimal point, {name}=int(...)")
    if value < least:
        raise ValueError(f"{expected}, got {value}: write {name}={least} or more")
    if most is not None and value > most:
        raise ValueError(f"{expected}, got {value}: write {name}={most} or less")


def check_range(name: str, value: Any, least: float, most: float, instead: str) -> None:
    """Raise ValueError unless `value` is a finite number from `least` to `most`, and say what to write instead."""
    if not (is_number(value) and math.isfinite(value) and least <= value <= most):
        bounds = [f">= {least:g}"] * (least > -math.inf) + [f"<= {most:g}"] * (most < math.inf)
        expected = " ".join(["a finite number", " and ".join(bounds)]).strip()
        raise ValueError(f"{name} must be {expected}, got {value!r}: write {name}={instead}")


def check_nonnegative(name: str, value: Any) -> None:
    """Raise ValueError unless `value` is a finite number >= 0."""
    check_range(name, value, 0, math.inf, "0 or more")


def check_rng(rng: Any) -> None:
    """Raise TypeError unless `rng` is a numpy.random.Generator."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng must be a numpy.random.Generator, got {type(rng).__name__}: write rng=np.random.default_rng(0)"
        )


def check_momentum(momentum: Any) -> None:
    """Raise ValueError unless `momentum` is a number in [0, 1)."""
    if not (isinstance(momentum, int | float | np.number) and 0 <= momentum < 1):
        raise ValueError(f"momentum must be in [0, 1), got {momentum!r}: write momentum=0.9")


def check_batch_size(batch_size: Any, n: int) -> None:
    """Raise ValueError unless `batch_size` is an integer from 1 to n, the number of samples."""
    if not (is_whole(batch_size) and 1 <= batch_size <= n):
        raise ValueError(
            f"batch_size must be a whole number of samples in 1..{n}, got {batch_size!r}: leave it out to use all "
            "samples in every step"
        )


def as_real_array(name: str, value: Any) -> np.ndarray:
    """Return `value` as a float64 array, or say what about `name` is not finite, real and numeric."""
    array = real_array(name, value)  # an array that is finite only in a wider type is refused too
    if not np.isfinite(array).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        refuse_entry(name, array[where], where)
    return array


def check_real(name: str, dtype: Any) -> None:
    """Raise TypeError unless arrays of this dtype hold real numbers."""
    if np.dtype(dtype).kind not in "fiub":
        instead = f"write {name}.real" if np.dtype(dtype).kind == "c" else f"convert it first, {name}.astype(float)"
        raise TypeError(f"{name} must hold real numbers, got dtype {dtype}: {instead}")


def refuse_words(name: str, array: np.ndarray) -> None:
    """Raise TypeError if an entry is a word."""
    for where, entry in np.ndenumerate(array):
        if isinstance(entry, str | bytes):
            try:
                float(entry)
            except ValueError:
                column = f"column {where[1]}" if len(where) == 2 else "it"
                raise TypeError(
                    f"{name} must hold real numbers, got {str(entry)[:40]!r} at index {where}: make numbers of "
                    f"{column}, columns of 0 and 1 for example, or leave it out"
                ) from None


def refuse_ragged(name: str, value: Any) -> None:
    """Raise ValueError if entries are sequences of different lengths, or some are none."""
    lengths = (
        [len(entry) if isinstance(entry, Sized) else None for entry in value] if isinstance(value, list | tuple) else []
    )
    for k, length in enumerate(lengths):
        if length != lengths[0]:
            first, other = (
                "a number" if one is None else counted(one, "entry", "entries") for one in (lengths[0], length)
            )
            raise ValueError(
                f"{name} must be an array, got {first} at index 0 and {other} at index {k}: give all rows as many"
            )


def refuse_entry(name: str, entry: Any, where: tuple[int, ...]) -> NoReturn:
    """Raise ValueError: an entry is not finite."""
    raise ValueError(f"{name} must be finite, got {entry} at index {where}: remove or impute such entries first")
