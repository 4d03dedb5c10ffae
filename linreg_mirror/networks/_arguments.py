"""What methods and parametrizations require of numbers."""

import math
from typing import Any

import numpy as np


def check_nonnegative(name: str, value: Any) -> None:
    """Raise ValueError unless `value` is a finite number >= 0."""
    number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    if not (number and math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} must be a finite number >= 0, got {value!r}: write {name}=0 or more")
