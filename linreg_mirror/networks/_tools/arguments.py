"""What models, methods and recipes require of numbers, options and names."""

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

from linreg_mirror._tools.arguments import is_number


def check_range(name: str, value: Any, least: float, most: float, instead: str) -> None:
    """Raise ValueError unless `value` is a finite number from `least` to `most`, and say what to write instead."""
    if not (is_number(value) and math.isfinite(value) and least <= value <= most):
        bounds = [f">= {least:g}"] * (least > -math.inf) + [f"<= {most:g}"] * (most < math.inf)
        expected = " ".join(["a finite number", " and ".join(bounds)]).strip()
        raise ValueError(f"{name} must be {expected}, got {value!r}: write {name}={instead}")


def check_nonnegative(name: str, value: Any) -> None:
    """Raise ValueError unless `value` is a finite number >= 0."""
    check_range(name, value, 0, math.inf, "0 or more")


def check_keep(share: Any) -> None:
    """Raise ValueError unless this is a share of the weights that can be kept.

    Parameters
    ----------
    share : object
        Above 0 and at most 1.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not (is_number(share) and 0 < share <= 1):
        raise ValueError(
            f"keep is a share of the weights, above 0 and at most 1, got {share!r}: for a sparsity of 95 % write 0.05"
        )


def check_options(name: str, factory: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Raise TypeError unless the factory of that name takes these options, and has all that it needs."""
    signature = inspect.signature(factory)
    try:
        signature.bind_partial(**options)  # of an option that is misspelt, not of the one that is then missing
        signature.bind(**options)
    except TypeError as error:
        takes = ", ".join(map(str, signature.parameters.values())) or "no options"
        raise TypeError(f"{name}: {error}; it takes {takes}") from None


def names_code(text: str) -> bool:
    """Whether `text` is of the form package.module:factory, which `models.create` imports and calls."""
    module, colon, path = text.partition(":")
    return bool(colon) and all(word.isidentifier() for word in (*module.split("."), *path.split(".")))
