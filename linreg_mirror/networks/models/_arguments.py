"""What the models for images require of their options."""

from typing import Any

from linreg_mirror._tools.arguments import check_integer


def check_images(classes: Any, channels: Any, small_images: Any = False) -> None:
    """Raise ValueError unless classes and channels are integers >= 1 and `small_images` is True or False."""
    check_integer("classes", classes, 1)
    check_integer("channels", channels, 1)
    if not isinstance(small_images, bool):
        raise ValueError(
            f"small_images must be True, for images of 32 x 32 or 64 x 64, or False, got {small_images!r}: write "
            "small_images=True"
        )
