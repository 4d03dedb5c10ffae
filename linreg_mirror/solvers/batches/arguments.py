"""Arguments of the solvers of many problems, checked, and the parts in which they are solved."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from array_api_compat import is_torch_array
from joblib import cpu_count

from linreg_mirror._tools.arguments import check_integer, real_array
from linreg_mirror._tools.blas import one_thread
from linreg_mirror.mirrors.protocol import namespace

_CACHE = 1 << 18  # numbers in the features of a part that is to stay in a core's own cache
_MEMORY = 1 << 27  # of a part on an accelerator


def features(X: Any) -> Any:
    """Return X as a stack of float64, shape (B, n, d), or (1, n, d) for one design."""
    X = like(None, "X", X)
    if X.ndim not in (2, 3) or 0 in X.shape:
        raise ValueError(f"X must be one design (n, d) or one for each problem (B, n, d), got shape {tuple(X.shape)}")
    return X[None] if X.ndim == 2 else X


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
    if is_torch_array(value):
        if value.is_complex():
            raise TypeError(f"{name} must hold real numbers, got {value.dtype}: write {name}.real")
    else:
        value = real_array(name, value)
    of = value if of is None else of
    xp = namespace(of)
    array = xp.asarray(value, dtype=xp.float64, device=of.device)
    if not bool(xp.all(xp.isfinite(array))):
        raise ValueError(f"{name} must be finite: remove or impute what is not")
    return array


def broadcast(X: Any, y: Any, *others: tuple[str, Any, int]) -> list[Any]:
    """Return y of shape (B, n), and others of shape (B, width), for a stack of features.

    Parameters
    ----------
    X : array, shape (B, n, d) or (1, n, d)
        Features.
    y : array_like, shape (n,) or (B, n)
        Targets.
    *others : (name, value, width)
        What else there is for each problem.
    """
    xp, n = namespace(X), X.shape[-2]
    named = [("y", like(X, "y", y), n), *((name, like(X, name, value), width) for name, value, width in others)]
    try:
        rows = np.broadcast_shapes((len(X),), *(array.shape[:-1] for _, array, _ in named if array.ndim))
        if len(rows) != 1:
            raise ValueError
        return [xp.broadcast_to(array, (*rows, width)) for _, array, width in named]
    except (ValueError, RuntimeError):
        got = ", ".join(f"{name} {tuple(array.shape)}" for name, array, _ in named)
        wanted = ", ".join(f"{name} (B, {width})" for name, _, width in named)
        raise ValueError(
            f"{wanted} are expected, or what broadcasts to them, got {got} beside X {tuple(X.shape)}"
        ) from None


def per_problem(value: Any) -> Any:
    """Return one number, or one for each problem, as what broadcasts to (B, 1)."""
    return value[:, None] if np.ndim(value) == 1 and hasattr(value, "shape") else value


def in_parts(X: Any, B: int, solve: Callable[[slice], Any], threads: int | None) -> list[Any]:
    """Return what `solve` returns of each part of B problems, several at a time on NumPy arrays.

    Parameters
    ----------
    X : array, shape (B, n, d) or (1, n, d)
        Features.
    B : int
        How many problems there are.
    solve : callable
        Of a slice of them.
    threads : int or None
        How many parts are solved at once; None for one a core.
    """
    if threads is not None:
        check_integer("threads", threads, 1)
    n, d = X.shape[-2:]
    on_arrays = type(X) is np.ndarray
    room = _CACHE if on_arrays or X.device.type == "cpu" else _MEMORY
    size = max(1, min(room // (n * d), -(-B // (threads or cpu_count())) if on_arrays else B))
    parts = [slice(first, min(first + size, B)) for first in range(0, B, size)]

    def quietly(part: slice) -> Any:
        with np.errstate(all="ignore"):  # what overflows has no error bar
            return solve(part)

    with one_thread():
        if not on_arrays or len(parts) == 1 or threads == 1:
            return [quietly(part) for part in parts]
        with ThreadPoolExecutor(threads or cpu_count()) as pool:
            return list(pool.map(quietly, parts))
