"""What functions require of numbers, arrays and generators."""

from numbers import Real
from typing import Any

import numpy as np


def check_rng(rng: Any) -> None:
    """Raise TypeError unless `rng` is a numpy.random.Generator."""
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"rng must be a numpy.random.Generator, got {type(rng).__name__}: write rng=np.random.default_rng(0)"
        )


def check_number(name: str, value: Any) -> None:
    """Raise TypeError unless `value` is a real number; True and False are not."""
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {type(value).__name__}: write float(...) around it if it is one")


def check_count(name: str, value: Any, most: int | None = None, least: int = 0) -> None:
    """Raise ValueError unless `value` is an integer from `least` to `most`."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not (whole and least <= value and (most is None or value <= most)):
        expected = f"an integer >= {least}" if most is None else f"an integer from {least} to {most}"
        raise ValueError(f"{name} must be {expected}, got {value!r}")


def check_share(name: str, value: Any) -> None:
    """Raise ValueError unless `value` is a number in [0, 1]."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not (number and 0 <= value <= 1):
        raise ValueError(f"{name} must be in [0, 1], got {value!r}: to keep 5 %, write {name}=0.05")
