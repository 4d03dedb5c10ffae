"""Arguments of the solvers of many problems: checked, and given a row for each problem."""

from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from linreg_mirror._tools.arguments import as_real_array
from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.problems.problem import check_largest
from linreg_mirror.solvers.batches.norms import largest


def features(X: Any) -> Any:
    """Return X as a stack of float64, shape (B, n, d), or (1, n, d) for one design."""
    X = like(None, "X", X)
    if X.ndim not in (2, 3) or 0 in X.shape:
        raise ValueError(f"X must be one design (n, d) or one for each problem (B, n, d), got shape {tuple(X.shape)}")
    X = X[None] if X.ndim == 2 else X
    _check_sizes("X", largest(X)[..., 0])
    return np.ascontiguousarray(X) if type(X) is np.ndarray else X.contiguous()


def like(of: Any, name: str, value: Any) -> Any:
    """Return a value as a finite float64 array of the kind and on the device of another, or raise.

    Parameters
    ----------
    of : array or None
        The other; None for the value's own kind.
    name : str
        Of the argument.
    value : array_like
        Real numbers.
    """
    if not is_torch_array(value):
        value = as_real_array(name, value)
        return value if of is None else namespace(of).asarray(value, device=of.device)
    if value.is_complex():
        raise TypeError(f"{name} must hold real numbers, got {value.dtype}: write {name}.real")
    value = value.detach()
    if type(of) is np.ndarray:
        return like(of, name, value.cpu().numpy())
    xp = namespace(value)
    array = xp.asarray(value, dtype=xp.float64, device=value.device if of is None else of.device)
    if not bool(xp.all(xp.isfinite(array))):
        as_real_array(name, array.cpu().numpy())  # which says where it is not
    return array


def targets(X: Any, y: Any) -> Any:
    """Return y with a row for each problem, shape (B, n) or (1, n).

    Parameters
    ----------
    X : array, shape (B, n, d) or (1, n, d)
        Features.
    y : array_like, shape (n,) or (B, n)
        Targets.
    """
    y, n = like(X, "y", y), X.shape[-2]
    if y.ndim not in (1, 2) or y.shape[-1] != n or not len(y):
        raise ValueError(f"y must be (n,) or (B, n), and X has n = {n} rows, got shape {tuple(y.shape)}")
    y = y[None] if y.ndim == 1 else y
    _check_sizes("y", y)
    return y


def _check_sizes(name: str, array: Any) -> None:
    """Raise ValueError unless the largest entry of each row is one that `Problem` takes."""
    xp, sizes = namespace(array), largest(array)[:, 0]
    for extreme in (xp.max(sizes), xp.min(xp.where(sizes > 0, sizes, 1.0))):
        check_largest(name, float(extreme))


def per_entry(X: Any, name: str, value: Any) -> Any:
    """Return numbers for each problem and column, shape (B, d) or (1, d).

    Parameters
    ----------
    X : array, shape (B, n, d) or (1, n, d)
        Features.
    name : str
        Of the argument.
    value : array_like, shape (), (d,), (B, 1) or (B, d)
        What it is.
    """
    array, d = like(X, name, value), X.shape[-1]
    if array.ndim > 2 or (array.ndim and array.shape[-1] not in (1, d)):
        raise ValueError(
            f"{name} must be one number, (d,), (B, 1) or (B, d), and X has d = {d} columns, got shape "
            f"{tuple(array.shape)}: for one number a problem write {name}[:, None]"
        )
    rows = array if array.ndim == 2 else array[None] if array.ndim else array[None, None]
    return namespace(X).broadcast_to(rows, (len(rows), d))


def per_problem(X: Any, name: str, value: Any) -> Any:
    """Return a number for each problem, shape (B, 1) or (1, 1).

    Parameters
    ----------
    X : array, shape (B, n, d) or (1, n, d)
        Features.
    name : str
        Of the argument.
    value : array_like, shape () or (B,)
        What it is.
    """
    array = like(X, name, value)
    if array.ndim > 1:
        raise ValueError(f"{name} must be one number, or one for each problem (B,), got shape {tuple(array.shape)}")
    return array[:, None] if array.ndim else array[None, None]


def alike(X: Any, **arrays: Any) -> list[Any]:
    """Return arrays with as many rows as there are problems.

    Parameters
    ----------
    X : array, shape (B, n, d) or (1, n, d)
        Features.
    **arrays : array, shape (B, width) or (1, width)
        What else there is, by name.
    """
    xp, rows = namespace(X), {name: len(array) for name, array in {"X": X, **arrays}.items()}
    counts = {count for count in rows.values() if count != 1}
    if len(counts) > 1 or 0 in counts:
        told = ", ".join(f"{count} by {name}" for name, count in rows.items() if count != 1)
        raise ValueError(
            f"{', '.join(rows)} must be of one number of problems, got {told}: give as many, or one for all"
        )
    B = max(counts, default=1)
    return [xp.broadcast_to(array, (B, array.shape[1])) for array in arrays.values()]
