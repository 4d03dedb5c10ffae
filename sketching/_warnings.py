"""Warnings that point at the user's line, however deep within the packages they arise."""

import sys
import warnings

PACKAGES = {"sketching"}  # and those that are built on it, which add themselves


def warn(text: str) -> None:
    """Warn at the innermost line that is in none of the packages."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in PACKAGES:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, stacklevel=level)
