"""What models, methods and recipes require of shares, options and names."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from linreg_mirror._tools.arguments import check_integer, is_number


def check_keep(share: Any, name: str = "keep") -> None:
    """Raise ValueError unless this is a share of the weights that can be kept.

    Parameters
    ----------
    share : object
        Above 0 and at most 1.
    name : str
        What the user calls it.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not (is_number(share) and 0 < share <= 1):
        raise ValueError(
            f"{name} is a share of the weights, above 0 and at most 1, got {share!r}: for a sparsity of 95 % write 0.05"
        )


def check_options(name: str, factory: Callable[..., Any] | inspect.Signature, options: Mapping[str, Any]) -> None:
    """Raise TypeError unless the factory of that name takes these options, and has all that it needs."""
    signature = factory if isinstance(factory, inspect.Signature) else inspect.signature(factory)
    try:
        signature.bind_partial(**options)  # of an option that is misspelt, not of the one that is then missing
        signature.bind(**options)
    except TypeError as error:
        takes = ", ".join(map(_shown, signature.parameters.values())) or "no options"
        raise TypeError(f"{name}: {error}; it takes {takes}") from None


def _shown(option: inspect.Parameter) -> str:
    """Return an option with its default, not with its type, which is long and Python's."""
    return str(option.replace(annotation=option.empty))


def names_code(text: str) -> bool:
    """Whether `text` is of the form package.module:factory, which `models.create` imports and calls."""
    module, colon, path = text.partition(":")
    return bool(colon) and all(word.isidentifier() for word in (*module.split("."), *path.split(".")))


def check_images(classes: Any, channels: Any, small_images: Any = False) -> None:
    """Raise ValueError unless classes and channels are integers >= 1 and `small_images` is True or False."""
    check_integer("classes", classes, 1)
    check_integer("channels", channels, 1)
    if not isinstance(small_images, bool):
        raise ValueError(
            f"small_images must be True, for images of 32 x 32 or 64 x 64, or False, got {small_images!r}: write "
            "small_images=True"
        )
