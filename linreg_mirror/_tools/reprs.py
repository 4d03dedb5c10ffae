"""One line for objects that hold arrays."""

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

_FEW = 4  # entries of an array that are all shown


def short_repr(self: Any) -> str:
    """Return the fields of a dataclass in one line: of a long array its shape, and its range.

    Parameters
    ----------
    self : object
        Of a class that says `__repr__ = short_repr`, or derives from one; no dataclass is shown as Python does.
    """
    if not is_dataclass(self):
        return object.__repr__(self)
    shown = ", ".join(f"{one.name}={_shown(getattr(self, one.name))}" for one in fields(self) if one.repr)
    return f"{type(self).__name__}({shown})"


def _shown(value: Any) -> str:
    if isinstance(value, tuple | list) and value and isinstance(value[0], np.ndarray):
        return f"[{', '.join(map(_shown, value))}]"
    if not isinstance(value, np.ndarray):  # a tensor may be on another device
        of_tensor = getattr(value, "shape", ())
        return f"<{' x '.join(map(str, of_tensor))}>" if of_tensor else repr(value)
    if value.size <= _FEW:
        return str(value.tolist())
    shape = " x ".join(map(str, value.shape))
    if value.dtype.kind not in "fiub":
        return f"<{shape}>"
    low, high = float(value.min()), float(value.max())
    return f"<{shape}: {low:.4g}>" if low == high else f"<{shape}: {low:.4g} to {high:.4g}>"
