"""Many runs of gradient descent on x = m*w at once: seeds x scales x penalties x step sizes in one batched call."""

from typing import Any

import numpy as np
from array_api_compat import is_torch_array

from linreg_mirror._tools.arguments import check_integer, check_momentum, check_number
from linreg_mirror._tools.blas import one_thread
from linreg_mirror._tools.cites import cites
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.parametrizations.many_starts import starts
from linreg_mirror.solvers.discrete.batch_weights import batch_weights
from linreg_mirror.solvers.discrete.descents_result import Descents
from linreg_mirror.solvers.discrete.many_problems import ManyProblems
from linreg_mirror.solvers.discrete.per_run import PerRun
from linreg_mirror.solvers.discrete.runs import Runs

_CHECK_EVERY = 64  # steps between two looks at which runs are over; a device takes them without waiting for the host
_GRAPH = {"cpu": 8}  # steps: launching them costs little there, and 64 take a minute to compile
_DRAWN = {"cpu": 1 << 18}  # weights of samples drawn ahead, at the most, so that they stay in a cache
_DRAWN_ELSEWHERE = 1 << 26


@cites(*Descents.cites)
@one_thread()
@np.errstate(all="ignore")  # what overflows has diverged
def descents(
    X: Any,
    y: Any,
    network: Hadamard | None = None,
    *,
    log_scale: Any = None,
    tilt: Any = None,
    step_size: Any,
    penalty: Any = 0.0,
    steps: int,
    momentum: float = 0.0,
    batch_size: int | None = None,
    replacement: bool = False,
    tolerance: float = 1e-9,
    rng: np.random.Generator | None = None,
    compiled: bool = False,
) -> Descents:
    """Run B descents on x = m*w with squared loss side by side, on NumPy arrays or torch tensors.

    Parameters
    ----------
    X : array, shape (n, d) or (B, n, d)
        One design for all runs, or one for each. float64 or float32; decides kind, device and precision of everything.
    y : array, shape (n,) or (B, n)
        Targets.
    network : Hadamard, optional
        One start for all runs, as `descent` takes it.
    log_scale, tilt : array, broadcast to (B, d), optional
        In place of a network a start for each run, as log b and log(u0/v0): Hadamard's attributes of these names. Tilt
        is 0, and the start x = 0, where it is left out.
    step_size, penalty : number, array of shape (B,), or function of the step number that returns one of these
        eta_k and alpha_k.
    steps : int
        Step budget of each run.
    momentum, batch_size, replacement
        As in `descent`. Every run draws batches of its own.
    tolerance : float
        Relative stationarity max|X'r| / max|X'y| at which runs stop whose penalty is the number 0; looked at every 64
        steps. 0, or any other penalty, for all steps.
    rng : numpy Generator, optional
        Gives the key of all batches; required with `batch_size`. They are drawn on the device of X, the same on every
        one, and those of a run do not depend on how many others there are.
    compiled : bool
        Let torch.compile make graphs of steps on tensors: of 64 on CUDA, launched at once, of 8 on a CPU. Worth their
        compilation for long runs. On NumPy arrays steps are compiled anyway.

    Returns
    -------
    Descents
        Ends, and the Bregman problem that each run solved.

    Raises
    ------
    ValueError
        If shapes do not fit together, or a number is not finite or out of range.
    TypeError
        If X and y are not arrays, X holds no floats, there is neither a network nor a log_scale, or both, or `rng` is
        missing where it is needed.

    See Also
    --------
    linreg_mirror.descent : One run, with its error bar.

    Notes
    -----
    Even, Pesme, Gunasekar, Flammarion (arXiv 2302.08982) for the implicit bias of finite steps.

    Examples
    --------
    Three scales at once:

    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> X, y = np.array([[1.0, 2.0]]), np.array([2.0])
    >>> runs = lm.descents(X, y, log_scale=np.log([[1e-1], [1e-2], [1e-3]]), step_size=0.05, steps=5000)
    >>> [status.name for status in runs.status]
    ['converged', 'converged', 'converged']
    >>> bool((np.diff(abs(runs.x).sum(axis=1)) < 0).all())  # the smaller the scale, the smaller the L1 norm
    True
    """
    check_integer("steps", steps, 1)
    check_momentum(momentum)
    check_number("tolerance", tolerance)
    if not tolerance >= 0:
        raise ValueError(f"tolerance must be a number >= 0, got {tolerance!r}: write tolerance=1e-9")
    problems = ManyProblems.of(X, y, *starts(network, log_scale, tilt, "descents"))
    eta, alpha = PerRun("step_size", step_size, problems.y), PerRun("penalty", penalty, problems.y)
    weights = None if batch_size is None else batch_weights(problems.y, batch_size, replacement, rng, compiled)
    piece = _piece(problems.y, compiled, drawn=weights is not None)
    runs = Runs(problems, piece, compiled)
    if tolerance == 0 or alpha.function is not None or bool((alpha.constant != 0).any()):
        tolerance = -1.0  # the end of a run with a penalty is not where X'r = 0
    for first in range(0, steps, _CHECK_EVERY):
        if not runs.look(tolerance, at_rest_too=momentum > 0):
            break
        count = min(_CHECK_EVERY, steps - first)
        runs.take(eta(first, count), alpha(first, count), momentum, first, weights)
    runs.look(tolerance, at_rest_too=momentum > 0)
    return runs.result(momentum)


def _piece(y: Any, compiled: bool, drawn: bool) -> int:
    """Return how many steps are taken at a time."""
    (B, n), device = y.shape, str(y.device)
    piece = _GRAPH.get(device, _CHECK_EVERY) if compiled and is_torch_array(y) else _CHECK_EVERY
    while drawn and piece > 1 and piece * B * n > _DRAWN.get(device, _DRAWN_ELSEWHERE):
        piece //= 2
    return piece
