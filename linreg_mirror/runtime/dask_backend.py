"""joblib's Dask backend, with an answer also for what Dask has given up."""

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

from distributed import Client, KilledWorker
from joblib._dask import DaskDistributedBackend

_Callback = Callable[[Any], Any] | None


class Backend(DaskDistributedBackend):
    """Tells whoever waits when there will be no result: joblib's own calls back with results only.

    Parameters
    ----------
    give_up : callable
        Takes an exception and the arguments of a call whose workers died each time it was tried; returns what takes the
        place of its result.
    **options
        Of joblib's backend, such as `client`.
    """

    def __init__(self, *, give_up: Callable[..., Any], **options: Any) -> None:
        super().__init__(**options)
        self._give_up = give_up

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Return how many calls run at once, as far as can be told at the start."""
        # Of one joblib would make none, and compute in this process: others may come.
        return max(2, super().effective_n_jobs(n_jobs))

    def submit(self, func: Any, callback: _Callback = None) -> Future:
        """Start a batch of calls; the callback gets their results or an exception."""
        return self._watched(super().submit(func, callback), func, callback)

    def apply_async(self, func: Any, callback: _Callback = None) -> Future:
        """Do the same: older releases of joblib call it so."""
        return self._watched(super().apply_async(func, callback), func, callback)

    def _watched(self, future: Future, func: Any, callback: _Callback) -> Future:
        def tell(done: Future) -> None:
            error = done.exception()
            if error is None or callback is None:
                return
            # A batch dies as one: which of its calls it was that took the workers along, nobody knows.
            lost = isinstance(error, KilledWorker)
            callback([self._give_up(error, *args) for _, args, _ in func.items] if lost else error)

        future.add_done_callback(tell)
        return future

    def retrieve_result_callback(self, out: Any) -> Any:
        """Return results, or raise what happened."""
        try:
            return super().retrieve_result_callback(out)
        except CancelledError as error:
            raise ConnectionError(
                "the scheduler is gone: finished results are stored; restart it, and the command resumes"
            ) from error


def check_workers(client: Client, code: str) -> None:
    """Raise RuntimeError unless all workers run this code: one without the package would die of what it is asked.

    Parameters
    ----------
    client : distributed.Client
        Connected.
    code : str
        The fingerprint that is expected of them.
    """
    # By source: a function of this package cannot be sent to where the package is missing.
    expression = "__import__('linreg_mirror.runtime.store', fromlist=['*']).code_fingerprint()"
    answers: Any = client.run(eval, expression, on_error="return")
    for worker, answer in answers.items():
        if answer != code:
            found = "other code of it" if isinstance(answer, str) else f"{type(answer).__name__}: {answer}"
            raise RuntimeError(
                f"the worker {worker} cannot run this package ({found}): install the same version there, and restart it"
            )
