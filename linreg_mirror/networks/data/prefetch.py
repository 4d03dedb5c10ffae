"""Batches that threads fill, some ahead of the one in use."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray

_AHEAD = 2


def prefetched(
    fill: Callable[[int, NDArray[np.uint8]], None],
    batches: Iterable[Sequence[int]],
    shape: tuple[int, ...],
    threads: int,
) -> Iterator[torch.Tensor]:
    """Yield a batch of uint8 for each sequence of numbers, with a row for each number.

    Two batches are filled while one is in use, and no more are in memory. However the loop over them ends, by itself,
    by break or by an exception, no thread is left behind.

    Parameters
    ----------
    fill : callable
        Is given a number and its row, an array to write to; in a thread, in no particular order.
    batches : iterable of sequences of int
        The numbers.
    shape : tuple of int
        Of a row.
    threads : int
        How many.

    Raises
    ------
    Exception
        What `fill` raises, for the first number in order, once all batches before are yielded.
    """
    pool = ThreadPoolExecutor(threads, "prefetch")
    begun: deque[tuple[torch.Tensor, list[Future[None]]]] = deque()
    try:
        for numbers in batches:
            batch = torch.empty((len(numbers), *shape), dtype=torch.uint8)
            rows = zip(numbers, batch.numpy(), strict=True)
            begun.append((batch, [pool.submit(fill, number, row) for number, row in rows]))
            if len(begun) > _AHEAD:
                yield _filled(*begun.popleft())
        while begun:
            yield _filled(*begun.popleft())
    finally:
        pool.shutdown(cancel_futures=True)


def _filled(batch: torch.Tensor, rows: list[Future[None]]) -> torch.Tensor:
    for row in rows:
        row.result()
    return batch
