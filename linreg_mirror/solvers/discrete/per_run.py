"""Step sizes and penalties of many runs, for several steps at once."""

from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from linreg_mirror._tools.arguments import real_array
from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.schedules import Schedule, require_clock


class PerRun:
    """A number for each run at each step.

    Parameters
    ----------
    name : str
        Of the argument.
    value : number, array of shape (B,), or function of the step number that returns one of these
        As it was given.
    like : array, shape (B, n)
        Decides kind, type and device of what is returned.

    Raises
    ------
    ValueError
        If a number is below 0 or not finite, or there are not B of them; for a function, once it says so.
    TypeError
        If these are no real numbers.
    """

    def __init__(self, name: str, value: Any, like: Any) -> None:
        if isinstance(value, Schedule) and not isinstance(value, type):
            require_clock(value, "step")
        self.name, self.like, self.B, self.xp = name, like, like.shape[0], namespace(like)
        self.function = value if callable(value) else None
        if self.function is None:
            self.constant = self._row(as_like(like, name, value), "")
            self._check(self.constant[None, :], None)

    def __call__(self, first: int, count: int) -> Any:
        """Return the numbers of so many steps from the first on, shape (count, B)."""
        if self.function is None:
            return self.xp.broadcast_to(self.constant, (count, self.B))
        values = [self.function(k) for k in range(first, first + count)]
        if any(is_torch_array(value) for value in values):
            rows = [as_like(self.like, self.name, value) for value in values]
            found = self.xp.stack([self._row(row, f" at step {first + k}") for k, row in enumerate(rows)])
        else:
            # They reach the device in one copy, and those that are the same for all runs as one number each.
            rows = [real_array(self.name, value) for value in values]
            if any(row.ndim for row in rows):
                rows = [self._row(row, f" at step {first + k}") for k, row in enumerate(rows)]
            found = as_like(self.like, self.name, np.stack(rows))
            found = self.xp.broadcast_to(found if found.ndim == 2 else found[:, None], (count, self.B))
        self._check(found, first)
        return found

    def _row(self, value: Any, where: str) -> Any:
        if tuple(value.shape) not in ((), (self.B,)):
            self._refuse(where)
        return namespace(value).broadcast_to(value, (self.B,))

    def _check(self, found: Any, first: int | None) -> None:
        right = (found >= 0) & self.xp.isfinite(found)
        if not bool(right.all()):
            wrong = int(np.argmin([bool(row.all()) for row in right]))
            self._refuse("" if first is None else f" at step {first + wrong}")

    def _refuse(self, where: str) -> None:
        raise ValueError(f"{self.name} must be finite and >= 0, one number or one for each of {self.B} runs{where}")


def as_like(X: Any, name: str, value: Any) -> Any:
    """Return `value` as an array of the kind of X, or raise TypeError unless it holds real numbers."""
    if not is_torch_array(value):
        value = real_array(name, value)
    elif value.is_complex():
        raise TypeError(f"{name} must hold real numbers, got {value.dtype}: write {name}.real")
    with np.errstate(over="ignore"):  # beyond single precision is infinite, which is refused
        return namespace(X).asarray(value, dtype=X.dtype, device=X.device)
