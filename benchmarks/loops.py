"""Loops over many problems by one process a core, which is there and has the data before time counts."""

import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from joblib import cpu_count

from benchmarks.harness import Answer

One = Callable[[int], Answer]
_task: One


@contextmanager
def pooled(loops: Mapping[str, One], B: int) -> Iterator[dict[str, Callable[[], Answer]]]:
    """Give what solves problem k of B a pool, in which each process has solved one; yield what solves them all."""
    cores, context = cpu_count(), multiprocessing.get_context("fork")
    pools = {}
    try:
        for name, one in loops.items():
            pools[name] = context.Pool(cores, _begin, (one,))
            pools[name].map(_solve, range(cores), chunksize=1)
        yield {name: partial(_all, pool, B, max(1, B // (8 * cores))) for name, pool in pools.items()}
    finally:
        for pool in pools.values():
            pool.terminate()
            pool.join()


def _begin(one: One) -> None:
    global _task
    _task = one


def _solve(k: int) -> Answer:
    return _task(k)


def _all(pool: Any, B: int, chunk: int) -> Answer:
    """Stack the answers; of their counts the least stays."""
    found = pool.map(_solve, range(B), chunksize=chunk)
    x, dual = (np.stack([getattr(one, name) for one in found]) for name in ("x", "dual"))
    least = {name: min(one.counts[name] for one in found) for name in found[0].counts}
    return Answer(x, all(one.success for one in found), dual=dual, counts=least)
