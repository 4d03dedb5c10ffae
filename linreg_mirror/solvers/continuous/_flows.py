"""Many flows at once, on all cores."""

import os
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from linreg_mirror._tools.arguments import check_integer
from linreg_mirror._tools.blas import one_thread
from linreg_mirror.parametrizations import Parametrization
from linreg_mirror.problems import Problem
from linreg_mirror.schedules import Schedule
from linreg_mirror.solvers.continuous._flow import begin
from linreg_mirror.solvers.results import Trajectory


@np.errstate(all="ignore")  # what overflows fails the certificate
def flows(
    problems: Problem | Sequence[Problem],
    networks: Parametrization | Sequence[Parametrization],
    schedules: Schedule | float | Sequence[Schedule | float | None] | None = None,
    *,
    until: float | None = None,
    at: ArrayLike = (),
    tolerance: float = 1e-8,
    accuracy: float | None = None,
    max_steps: int = 200_000,
    threads: int | None = None,
) -> list[Trajectory]:
    """Follow many dual flows at once, each as `flow` does.

    Compiled code runs on several threads side by side. What has none runs by itself, one after another.

    Parameters
    ----------
    problems : Problem or sequence of Problem
        One for all runs, or one for each.
    networks : Parametrization or sequence of Parametrization
        One for all runs, or one for each, such as a network for each scale.
    schedules : Schedule or float, or sequence of these, optional
        One penalty for all runs, or one for each. Default: none.
    until, at, tolerance, accuracy, max_steps
        As for `flow`, the same for all runs.
    threads : int, optional
        How many runs are stepped at once. Default: as many as there are cores.

    Returns
    -------
    list of Trajectory
        One for each run, in order; the same as `flow` returns.

    Raises
    ------
    ValueError
        If sequences have different lengths, or where `flow` would.

    See Also
    --------
    linreg_mirror.flow : One flow.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> problem = lm.Problem([[1, 2]], [2])
    >>> runs = lm.flows(problem, [lm.Hadamard.from_scale(b, d=2) for b in (1.0, 1e-2, 1e-4)])
    >>> [run.x[-1].round(3).tolist() for run in runs]
    [[0.379, 0.811], [0.069, 0.965], [0.007, 0.996]]
    """
    threads = os.cpu_count() or 1 if threads is None else threads
    check_integer("threads", threads, 1)
    begun = [
        begin(problem, network, schedule, until, at, "dual", tolerance, accuracy, max_steps, None)
        for problem, network, schedule in zip(*_side_by_side(problems, networks, schedules), strict=True)
    ]
    done: list[Trajectory | None] = [None] * len(begun)
    waiting: dict[Future[tuple[int, int]], int] = {}
    with one_thread(), ThreadPoolExecutor(threads) as pool:

        def go_on(i: int, answer: Any = None) -> None:
            try:
                waiting[pool.submit(begun[i].jobs.send(answer))] = i
            except StopIteration as finished:
                done[i] = begun[i].finish(*finished.value)

        for i in range(len(begun)):
            go_on(i)
        while waiting:
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                go_on(waiting.pop(future), future.result())
    return [run for run in done if run is not None]


def _side_by_side(*arguments: Any) -> list[Sequence[Any]]:
    """Return sequences of one length, of which some were given as what is the same for all."""
    several = [isinstance(one, Sequence) for one in arguments]
    lengths = {len(one) for one, many in zip(arguments, several, strict=True) if many}
    if len(lengths) > 1:
        raise ValueError(
            f"problems, networks and schedules must be one for all or as many as there are runs, got {sorted(lengths)}"
        )
    count = lengths.pop() if lengths else 1
    return [one if many else [one] * count for one, many in zip(arguments, several, strict=True)]
