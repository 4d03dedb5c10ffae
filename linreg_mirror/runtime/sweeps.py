"""Many results at once: in processes or on a Dask cluster, read where stored already, stored as soon as they arrive."""

import hashlib
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Self

from joblib import Parallel, delayed, parallel_config

from linreg_mirror.runtime.store import Store, code_fingerprint

Settings = Mapping[str, Any]
Record = dict[str, Any]

# Fortran integrators are not reentrant, and a Dask worker may have several threads.
_ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class Failure:
    """Why there is no result, in one line. It may be of the moment, such as a lack of memory, and is not stored."""

    error: str

    @classmethod
    def of(cls, error: Exception) -> Self:
        """Tell an exception and the function that raised it."""
        where = traceback.extract_tb(error.__traceback__)[-1].name
        return cls(f"{type(error).__name__}: {' '.join(str(error).split())} (in {where})")


@dataclass(frozen=True)
class Shard:
    """The i-th of N shares of a sweep, counted from 1. Shares do not overlap and leave nothing out.

    Parameters
    ----------
    index, count : int
        i and N.

    Raises
    ------
    ValueError
        Unless 1 <= i <= N.
    """

    index: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.index <= self.count:
            raise ValueError(f"there is no shard {self}: shares are counted from 1, as in 1/16 to 16/16")

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "i/N"."""
        index, _, count = text.partition("/")
        if not (index.isdecimal() and count.isdecimal()):
            raise ValueError(f"a shard is written i/N with 1 <= i <= N, such as 3/16, got {text!r}")
        return cls(int(index), int(count))

    def holds(self, name: str) -> bool:
        """Whether a group of this name is in the share; it stays there, whatever other groups there are."""
        return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % self.count == self.index - 1


def sweep(
    compute: Callable[[Sequence[Settings]], Sequence[Record | Failure]],
    groups: Mapping[str, Sequence[Settings]],
    *,
    jobs: int = 1,
    store: Store | None = None,
    fresh: bool = False,
    shard: Shard | None = None,
    code_of: Callable[[Settings], str] | None = None,
) -> Iterator[tuple[str, list[Record | Failure | None]]]:
    """Yield every group of results as it is complete, computing only what is not stored.

    A caller that leaves early waits for the groups that have begun, which are stored too. An exception such as
    KeyboardInterrupt ends everything at once, and loses only these.

    Parameters
    ----------
    compute : callable
        Takes settings of one group and returns a result for each: a record that the store can hold, or a Failure. A
        function of a module, so that other processes find it. If it raises, all of these results are failures.
    groups : mapping of str
        Name: settings of results that share work and are therefore computed together. Each result is stored for itself,
        under its settings and the fingerprint of the code that it rests on.
    jobs : int
        Processes. Inside `with cluster(address)` the workers of the cluster are used instead.
    store : Store, optional
        Where results are read from and kept.
    fresh : bool
        Compute everything, whatever is stored.
    shard : Shard, optional
        Compute only groups of this share. Others are only read; None takes the place of what is not stored.
    code_of : callable, optional
        The fingerprint for a result's settings. Default: that of all code of this package.

    Yields
    ------
    name : str
        Of the group.
    results : list of dict, Failure or None
        One for each of its settings, in their order.

    Raises
    ------
    RuntimeError
        If a worker runs other code than this process.
    OSError
        If a result cannot be stored.
    """
    code = code_fingerprint()

    def identified(part: Settings) -> Settings:
        return {**part, "code": code_of(part) if code_of else code}

    known: dict[str, list[Record | Failure | None]] = {}
    kept = store if store is not None and not store.is_empty() else None
    missing: list[tuple[str, list[Settings]]] = []
    for name, parts in groups.items():
        mine = shard is None or shard.holds(name)
        known[name] = [kept.load(identified(part)) if kept and not (fresh and mine) else None for part in parts]
        left = [part for part, record in zip(parts, known[name], strict=True) if record is None]
        if mine and left:
            missing.append((name, left))
        else:
            yield name, known[name]
    if not missing:
        return
    left_early = False

    def calls() -> Iterator[Any]:
        for name, parts in missing:
            if left_early:
                return
            yield delayed(_compute)(compute, name, parts, code)

    def keep(name: str, results: Sequence[Record | Failure]) -> None:
        new = iter(results)
        for k, part in enumerate(groups[name]):
            if known[name][k] is None:
                known[name][k] = result = next(new)
                if store and not isinstance(result, Failure):
                    store.save(identified(part), result)

    # A worker that has grown, as by importing torch, is replaced by joblib, whose thread says so in a warning; where
    # warnings are errors that thread would end, and nobody hand out work any more.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    # One group is not worth the start of a process.
    answers: Any = Parallel(n_jobs=min(jobs, len(missing)), return_as="generator_unordered")(calls())
    try:
        for name, results in answers:
            keep(name, results)
            yield name, known[name]
    except GeneratorExit:
        left_early = True
        with suppress(Exception):  # whoever left cannot be told
            for name, results in answers:
                keep(name, results)
        raise


def start_workers(jobs: int, get_ready: Callable[[], None]) -> threading.Thread:
    """Let processes start and get ready, while this one prepares a sweep with as many jobs.

    joblib replaces a worker that grows after its first task: so all that is large should be imported in this one.

    Parameters
    ----------
    jobs : int
        Processes.
    get_ready : callable
        What each does.

    Returns
    -------
    Thread
        Over when they are ready.
    """
    tasks = [delayed(get_ready)() for _ in range(jobs)]
    thread = threading.Thread(target=Parallel(n_jobs=jobs), args=(tasks,), daemon=True)
    thread.start()
    return thread


def _compute(
    compute: Callable[..., Sequence[Record | Failure]], name: str, parts: list[Settings], code: str
) -> tuple[str, Sequence[Record | Failure]]:
    if code_fingerprint() != code:
        raise RuntimeError(
            "a worker runs another version of this package than this process: install the same one everywhere, "
            "and run the command again if files have changed since it began"
        )
    with _ONE_AT_A_TIME:
        try:
            return name, compute(parts)
        except Exception as error:
            return name, [Failure.of(error)] * len(parts)


@contextmanager
def cluster(address: str, timeout: float = 10.0) -> Iterator[None]:
    """Let sweeps inside the block run on the workers of a Dask scheduler.

    Workers need this package, not the file system of this process: results come back, and are stored here. A worker
    computes one group at a time, so start one for each core: `dask worker ADDRESS --nworkers 8 --nthreads 1`. When a
    worker dies, another one takes over its group; a group whose workers die at every attempt (Dask's setting
    `distributed.scheduler.allowed-failures`) is a Failure. Workers may come and go. A sweep hands out twice as many
    groups at once as there were threads when it began, so start most workers before it.

    Parameters
    ----------
    address : str
        Of the scheduler, such as "tcp://host:8786".
    timeout : float
        Seconds to wait for the scheduler, and for its first worker.

    Raises
    ------
    ImportError
        If Dask is not installed.
    OSError
        If the scheduler does not answer or has no workers; within a sweep, if it is gone.
    RuntimeError
        If a worker does not have this package, or other code of it.
    """
    try:
        from distributed import Client  # pyright: ignore[reportMissingImports]
    except ImportError:
        raise ImportError("a cluster needs Dask, which is missing: pip install 'linreg-mirror[cluster]'") from None
    from linreg_mirror.runtime.dask_backend import Backend, check_workers

    with Client(address, timeout=timeout, set_as_default=False) as client:
        try:
            client.wait_for_workers(1, timeout)
        except TimeoutError:
            raise TimeoutError(
                f"the scheduler at {address} has no workers: start one for each core by "
                f"dask worker {address} --nworkers 8 --nthreads 1"
            ) from None
        check_workers(client, code_fingerprint())
        with parallel_config(Backend(client=client, give_up=_given_up)):
            yield


def _given_up(error: Exception, compute: Any, name: str, parts: list[Settings], code: str) -> tuple[str, list[Failure]]:
    """Return what takes the place of _compute's answer to the same arguments."""
    failure = Failure(f"{type(error).__name__}: its worker died at every attempt; it may have run out of memory")
    return name, [failure] * len(parts)
