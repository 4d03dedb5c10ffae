"""The parts of a batch that are solved at once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from linreg_mirror._tools.arguments import check_integer
from linreg_mirror._tools.blas import one_thread
from linreg_mirror.solvers.batches.answers import Answers, joined

_CACHE = 1 << 18  # numbers in the features of a part that is to stay in a core's own cache
_MEMORY = 1 << 27  # of a part on an accelerator


def in_parts(X: Any, B: int, solve: Callable[[slice], Answers], threads: int | None) -> Answers:
    """Return the answers to B problems, solved part by part, of NumPy arrays several parts at a time.

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
    if threads is None:
        from joblib import cpu_count

        threads = cpu_count()
    check_integer("threads", threads, 1)
    on_arrays = type(X) is np.ndarray
    room = _CACHE if on_arrays or X.device.type == "cpu" else _MEMORY
    size = max(1, min(room // (X.shape[-2] * X.shape[-1]), -(-B // threads) if on_arrays else B))
    parts = [slice(first, min(first + size, B)) for first in range(0, B, size)]

    def quietly(part: slice) -> Answers:
        with np.errstate(all="ignore"):  # what overflows has no error bar
            return solve(part)

    with one_thread():
        if not on_arrays or len(parts) == 1 or threads == 1:
            return joined([quietly(part) for part in parts])
        with ThreadPoolExecutor(threads) as pool:
            return joined(list(pool.map(quietly, parts)))
