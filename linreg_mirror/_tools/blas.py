"""One BLAS thread for small matrices."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep BLAS on the calling thread.

    Matrices here are small and products many: handing each to several threads costs more than it gains, up to five
    times as much where other processes compete for the cores.
    """
    with _controller().limit(limits=1, user_api="blas"):
        yield
