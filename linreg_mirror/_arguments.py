"""What constructors require of numbers and generators."""

from typing import Any

import numpy as np


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


def check_rng(rng: Any) -> None:
    """Raise TypeError unless `rng` is a numpy.random.Generator."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng must be a numpy.random.Generator, got {type(rng).__name__}: write rng=np.random.default_rng(0)"
        )
