"""What is wrong with data: which column, and which row."""

import math
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy.sparse

_NO_VALUE = ("NAType", "NaTType")  # of pandas, which is not imported


def exchanged(X: Any, y: Any) -> str:
    """Return what to write if X and y seem to be exchanged, or nothing."""
    shape_X, shape_y = shape(X), shape(y)
    if shape_X[:1] != shape_y[:1] or len(shape_y) != 2:
        return ""
    if len(shape_X) != 1 and not (shape_X[1:] == (1,) and shape_y[1] > 1):
        return ""
    return (
        f"X has shape {shape_X} and y {shape_y}, as if they were exchanged: write fit(X, y), X with a row for each "
        "sample. Expected 2D array for X"
    )


@contextmanager
def named(X: Any, y: Any = None) -> Any:
    """Raise ValueError with the entry that is no finite number, where scikit-learn refuses the data for one."""
    try:
        yield
    except (ValueError, TypeError) as error:
        if said := _wrong_entry(X, y):
            raise ValueError(said) from error
        raise


def _wrong_entry(X: Any, y: Any) -> str:
    """Return which entry is no finite number, and what to do about it, or nothing."""
    names = list(getattr(X, "columns", ()))
    for name, values in (("X", X), ("y", y)):
        found = _first_wrong(values)
        if found is None:
            continue
        where, value = found
        column = ""
        if len(where) == 2 and name == "X":
            column = f", column {str(names[where[1]])!r}" if names else f", column {where[1]}"
        at = f"at row {where[0]}{column}"
        if isinstance(value, str | bytes):
            advice = "make numbers of the target" if name == "y" else "make columns of 0 and 1 of it, by OneHotEncoder"
            return f"{name} must hold numbers, got {str(value)[:40]!r} {at}: {advice}, or leave it out"
        shown = "NaN" if value != value or value is None else value
        return f"{name} must be finite, got {shown} {at}: remove or impute such entries first, by SimpleImputer"
    return ""


def _first_wrong(values: Any) -> tuple[tuple[int, ...], Any] | None:
    """Return where the first entry is that is no finite number, and what it is."""
    if values is None or scipy.sparse.issparse(values) or not shape(values):
        return None
    array = np.asarray(values)
    if array.dtype.kind == "f":
        wrong = np.argwhere(~np.isfinite(array))
        return (tuple(map(int, wrong[0])), float(array[tuple(wrong[0])])) if len(wrong) else None
    if array.dtype.kind not in "OSU":
        return None
    for where, value in np.ndenumerate(array):
        if isinstance(value, str | bytes):
            try:
                number = float(value)
            except ValueError:
                return where, value
        elif isinstance(value, int | float | np.number):
            number = float(value)
        else:
            number = math.nan if value is None or type(value).__name__ in _NO_VALUE else 0.0
        if not math.isfinite(number):
            return where, number
    return None


def shape(values: Any) -> tuple[int, ...]:
    """Return the shape of an array, or nothing where there is none."""
    try:
        return tuple(getattr(values, "shape", None) or np.asarray(values).shape)
    except (ValueError, TypeError):
        return ()  # scikit-learn says what is wrong
