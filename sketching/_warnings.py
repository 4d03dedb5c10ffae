"""Warnings that point at the user's line, however deep within the packages they arise."""

import sys
import warnings

_PACKAGES = ("sketching", "linreg_mirror")  # which calls this one


def warn(text: str) -> None:
    """Warn at the innermost line that is in neither package."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _PACKAGES:
        level, frame = level + 1, frame.f_back
    warnings.warn(text, stacklevel=level)
