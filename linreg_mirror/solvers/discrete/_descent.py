"""Discrete time: gradient descent, stochastic gradient descent and heavy ball."""

import time as clock
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np

from linreg_mirror._tools import matrices
from linreg_mirror._tools.arguments import check_batch_size, check_momentum, check_number, check_until, is_whole
from linreg_mirror._tools.blas import one_thread
from linreg_mirror._tools.cites import cited, cites
from linreg_mirror._types import Array
from linreg_mirror.parametrizations import Parametrization
from linreg_mirror.problems import Problem
from linreg_mirror.schedules import Schedule, as_schedule, require_clock
from linreg_mirror.solvers.continuous.ending import penalty_to_come
from linreg_mirror.solvers.discrete.implicit_bias import ImplicitBias
from linreg_mirror.solvers.discrete.minibatches import Minibatches, Rows
from linreg_mirror.solvers.discrete.steppers import Chunk, CompiledSteps, NumpySteps, ProductSteps, Stepper
from linreg_mirror.solvers.results import Certificate, Check, Stats, Status, Trajectory
from linreg_mirror.solvers.stationarity import require_motion, stationarity

StepSize = float | Schedule | Callable[[int], float]

_RUNAWAY = 1e6  # residuals this many times those of the start do not come back
_ROUNDING = 1e-6  # of a step, in sums of step sizes
_DRAWN = 1 << 22  # samples drawn ahead, at the most
_KEPT = 128  # evenly spaced points of a history, and as many geometrically spaced ones
_HISTORY = 1 << 25  # numbers in a history, at the most: 256 MiB


@dataclass(frozen=True, eq=False, repr=False)
class Descent(Trajectory):
    """A path of discrete steps.

    `t` is the sum of step sizes so far, `decay` that of step size times penalty, and X'`dual` that of step size times
    gradient, which for minibatches is the estimated one.

    Attributes
    ----------
    step : array of int, shape (T,)
        How many steps each point is from the start.
    l1_lower_bound : float
        |<L, x_T>| / |L|_inf with L = X'dual, which min{|x|_1 : Xx = Xx_T} cannot be below: training itself bounds the
        least L1 norm, whatever the start, the steps and the stopping time. (Xx = Xx_T gives <L, x> = <L, x_T>, for L
        is in the row space of X, and |<L, x>| <= |L|_inf |x|_1.)
    implicit : ImplicitBias or None
        For x = m*w from an unbalanced start, the Bregman problem that this run solved; None too where a penalty took a
        factor below what float64 holds.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> run = lm.descent(lm.Problem([[1, 2]], [2]), lm.Hadamard.from_scale(0.1, d=2), step_size=0.05)
    >>> bool(run.l1_lower_bound <= 1.0 <= abs(run.x[-1]).sum())  # 1 is the least L1 norm here
    True
    """

    step: Rows = field(default_factory=lambda: np.zeros(1, dtype=np.int64))
    l1_lower_bound: float = 0.0
    implicit: ImplicitBias | None = None

    def __repr__(self) -> str:
        return super().__repr__().replace("Trajectory", "Descent")


@cites("even2023sgd")
@np.errstate(all="ignore")  # what overflows has diverged
def descent(
    problem: Problem,
    network: Parametrization,
    step_size: StepSize,
    schedule: Schedule | float | None = None,
    *,
    steps: int = 100_000,
    until: float | None = None,
    batch_size: int | None = None,
    replacement: bool = False,
    momentum: float = 0.0,
    tolerance: float = 1e-9,
    rng: np.random.Generator | None = None,
    keep: Sequence[int] | None = None,
    method: Literal["compiled", "numpy"] = "compiled",
) -> Descent:
    r"""Take steps theta_{k+1} = theta_k - eta_k [G_k + alpha_k grad h(theta_k)] + momentum (theta_k - theta_{k-1}).

    Parameters
    ----------
    problem : Problem
        X is (n, d).
    network : Parametrization
        How x depends on parameters, and where they start; d must match.
    step_size : float, Schedule or callable
        eta_k: a number, a schedule on clock "step", or any function of the step number k = 0, 1, ...
    schedule : Schedule or float, optional
        The penalty alpha_k, on any clock: "step" is read at k, "epoch" at the number of completed epochs, "time" at the
        sum of the step sizes so far. A number is a constant. Default: none.
    steps : int
        Step budget; when it is spent the status is `horizon_reached`.
    until : float, optional
        Stop once the step sizes add up to this time. Default: stop when x is stationary for the penalty that remains
        at the end and the penalty still to come is below `tolerance`. This is looked at after 64 steps, and then each
        time a quarter has been added to them.
    batch_size : int, optional
        Samples a step; an operator has none to choose from. G_k is the gradient of the batch's loss times n / (samples
        in the batch): an unbiased estimate of the gradient of f, a sum over samples. Default: all samples, and
        G_k = grad f.
    replacement : bool
        Draw each sample afresh. Default: a new permutation each epoch, the last batch of which may be smaller.
    momentum : float
        Heavy ball, in [0, 1), started at rest. With a constant step size this is torch.optim.SGD's momentum.
    tolerance : float
        Relative stationarity at which a run counts as over, as in `flow`; 0 to take all steps whatever happens.
    rng : numpy Generator, optional
        Draws the batches; required with `batch_size`.
    keep : sequence of int, optional
        Step numbers at which the path is kept, besides the first and the last. Default: up to 128 evenly and 128
        geometrically spaced ones, fewer where their parameters would take more than 256 MiB.
    method : {"compiled", "numpy"}
        "compiled" runs machine code for x = m*w with squared loss (with products by X itself where that is not dense)
        and NumPy for all else; "numpy" runs NumPy always, by the network's own pullback, and takes the log-products of
        `implicit` from the gradients instead of the factors.

    Returns
    -------
    Descent
        A run that diverges is a result too: its status is `diverged`, and it ends with the last point that was looked
        at and found in bounds. `linreg_mirror.largest_stable_step` says what step size to choose.

    Raises
    ------
    ValueError
        If shapes do not match, a number is out of range, the loss is no sum over samples and `batch_size` is given, or
        the start is a saddle point that no step leaves.
    TypeError
        If `rng` is missing where it is needed, or batches are asked of an operator.

    Notes
    -----
    Even, Pesme, Gunasekar, Flammarion (arXiv 2302.08982) for the implicit bias of finite steps.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> problem = lm.Problem([[1, 2]], [2])
    >>> run = lm.descent(problem, lm.Hadamard.from_scale(0.1, d=2), step_size=0.05, momentum=0.9)
    >>> run.status.name
    'converged'
    >>> again = lm.limit(problem, run.implicit.network)  # the problem that these very steps have solved
    >>> bool(abs(run.x[-1] - again.x).max() < 1e-6)
    True
    """
    started = clock.perf_counter()
    problem.require_width(network.d)
    require_motion(problem, network)
    _require(steps, until, momentum, tolerance)
    batches = None if batch_size is None else _batches(problem, batch_size, replacement, rng)
    sizes = _step_sizes(step_size)
    penalty = _Penalty(as_schedule(schedule), 1 if batches is None else batches.steps_per_epoch)
    wanted = _history(steps, network.theta0.size) if keep is None else _kept(keep)
    stepper = _stepper(problem, network, float(momentum), method)
    here = _Point(0, 0.0, 0.0, float(sizes(0, 1, np.inf)[0]), stepper.theta, stepper.dual.copy())
    points = [here]
    with one_thread():
        runaway = _RUNAWAY * (np.abs(problem.y).max() + _largest_residual(problem, network, here.theta))
        while (status := _ended(problem, network, stepper, penalty, here, steps, until, tolerance)) is None:
            ahead = min(max(64, here.step // 4), max(64, _DRAWN // (batch_size or 64)), steps - here.step)
            eta = sizes(here.step, ahead, np.inf if until is None else until - here.t)
            step, t = here.step + 1 + np.arange(len(eta)), here.t + np.cumsum(eta)
            alpha = penalty(step - 1, t - eta)
            A = here.A + np.cumsum(eta * alpha)
            keep_these = np.zeros(len(eta), dtype=bool)
            first, last = np.searchsorted(wanted, (step[0], step[-1] + 1))
            keep_these[wanted[first:last] - step[0]] = True
            drawn = (None, None) if batches is None else batches.draw(len(eta))
            thetas, duals = stepper.advance(Chunk(eta, alpha, keep_these, *drawn))
            theta = stepper.theta
            if not _largest_residual(problem, network, theta) <= runaway:
                status = Status.diverged
                break
            points.extend(map(_Point, *(column[keep_these] for column in (step, t, A, eta)), thetas, duals))
            here = _Point(int(step[-1]), float(t[-1]), float(A[-1]), float(eta[-1]), theta, stepper.dual.copy())
    if points[-1].step != here.step:
        points.append(here)
    step, t, A, _, thetas, duals = (np.array(column) for column in zip(*points, strict=True))
    x = np.stack([network.effective(theta) for theta in thetas])
    implicit = None if status is Status.diverged else _implicit(problem, stepper, momentum)
    if status is Status.converged and problem.inconsistency > 1e-8:
        status = Status.inconsistent
    return Descent(
        t=t,
        x=x,
        decay=A,
        dual=duals,
        source="descent",
        status=status,
        stats=Stats(
            method=f"descent: {type(stepper).__name__.removesuffix('Steps').lower()}",
            steps=here.step,
            evaluations=here.step,
            seconds=clock.perf_counter() - started,
            cites=cited(descent),
        ),
        certificate=_certificate(problem, network, penalty, here, tolerance, implicit, isinstance(stepper, NumpySteps)),
        parameters=thetas,
        step=step,
        l1_lower_bound=_lower_bound(problem, x[-1], duals[-1]),
        implicit=implicit,
    )


class _Point(NamedTuple):
    step: int
    t: float
    A: float
    eta: float  # of the last step, at the start of the first
    theta: Array
    dual: Array


class _Penalty:
    """The penalty as a function of step number and time, whatever its clock."""

    def __init__(self, schedule: Schedule, steps_per_epoch: int) -> None:
        self.schedule, self.steps_per_epoch = schedule, steps_per_epoch

    def __call__(self, step: Array, t: Array) -> Array:
        return self.schedule(self._reading(step, t))

    def _reading(self, step: Any, t: Any) -> Any:
        return {"step": step, "epoch": step // self.steps_per_epoch, "time": t}[self.schedule.clock]

    def to_come(self, here: _Point) -> float:
        """Return about the sum of eta alpha from here on, of what is not constant for ever."""
        schedule = self.schedule
        if not schedule.integrable and schedule.limit == 0:
            return np.inf
        reading = float(self._reading(here.step, here.t))
        left = penalty_to_come(schedule, reading)
        if schedule.clock == "time" or left in (0.0, np.inf):
            return left
        # A sum of decreasing terms is at most the first one and the integral of the rest; step sizes stay as they are.
        return (left + float(schedule(reading))) * here.eta * (self.steps_per_epoch if schedule.clock == "epoch" else 1)


def _ended(
    problem: Problem, network: Parametrization, stepper: Stepper, penalty: _Penalty, here: _Point,
    steps: int, until: float | None, tolerance: float,
) -> Status | None:  # fmt: skip
    """Return how the run ended here, or None if it goes on."""
    if until is not None:
        if here.t >= until - _ROUNDING * here.eta:
            return Status.until_reached
    elif tolerance and penalty.to_come(here) <= tolerance:
        at_rest = stepper.moved <= tolerance * max(np.abs(here.theta).max(), np.abs(network.theta0).max())
        x = network.effective(here.theta)
        if at_rest and stationarity(problem, network, x, penalty.schedule.limit, here.theta) <= tolerance:
            return Status.converged
    if here.step == steps:
        return Status.horizon_reached if tolerance or until is not None else Status.until_reached
    return None


def _certificate(
    problem: Problem, network: Parametrization, penalty: _Penalty, here: _Point, tolerance: float,
    implicit: ImplicitBias | None, independent: bool,
) -> Certificate:  # fmt: skip
    # The compiled steps take the log-products from the factors, of which x is made: there is nothing to be compared.
    x = network.effective(here.theta)
    violation = stationarity(problem, network, x, penalty.schedule.limit, here.theta)
    checks = [
        Check("relative stationarity", violation, tolerance),
        Check("penalty to come", penalty.to_come(here), tolerance),
    ]
    if implicit is not None and independent:
        difference = np.abs(implicit.represented(problem) - x).max() / (np.abs(x).max() or 1.0)
        checks.append(Check("implicit representation", float(difference), 1e-9))
    return Certificate(tuple(checks))


def _implicit(problem: Problem, stepper: Stepper, momentum: float) -> ImplicitBias | None:
    with np.errstate(divide="ignore"):
        factors = stepper.log_factors()
    if factors is None or not np.isfinite(factors).all():
        return None
    log_u, log_v = factors
    dual = stepper.dual / (1 - momentum)
    return ImplicitBias(log_u + log_v, log_u - log_v + 2 * problem.X.T @ dual, dual)


def _lower_bound(problem: Problem, x: Array, dual: Array) -> float:
    L = problem.X.T @ dual
    size = float(np.abs(L).max())
    return abs(float(L @ x)) / size if size else 0.0


def _largest_residual(problem: Problem, network: Parametrization, theta: Array) -> float:
    return float(np.abs(problem.residual(network.effective(theta))).max())


def _stepper(problem: Problem, network: Parametrization, momentum: float, method: str) -> Stepper:
    if method not in ("compiled", "numpy"):
        raise ValueError(f'method must be "compiled" or "numpy", got {method!r}')
    if method == "compiled":
        for steps in (CompiledSteps, ProductSteps):
            if steps.can_do(problem, network):
                return steps(problem, network, momentum)
    return NumpySteps(problem, network, momentum)


def _step_sizes(step_size: StepSize) -> Callable[[int, int, float], Array]:
    """Return (first, count, room) -> the next step sizes, no more than it takes for their sum to fill the room."""
    if isinstance(step_size, type):
        raise TypeError(f"step_size must be a number, a schedule or a function, got the class {step_size.__name__}")
    if isinstance(step_size, int | float | np.number):
        if not (np.isfinite(step_size) and step_size > 0) or isinstance(step_size, bool):
            raise ValueError(f"step_size must be a positive number, got {step_size!r}: write step_size=0.01")
        eta = float(step_size)
        return lambda first, count, room: np.full(int(min(count, np.ceil(room / eta - _ROUNDING))), eta)
    if isinstance(step_size, Schedule):
        require_clock(step_size, "step")
    elif not callable(step_size):
        raise TypeError(
            f"step_size must be a number, a schedule or a function of the step number, got {type(step_size).__name__}"
        )

    def sizes(first: int, count: int, room: float) -> Array:
        found: list[float] = []
        total = 0.0
        while len(found) < count and (not found or total < room - _ROUNDING * found[-1]):
            k = first + len(found)
            eta = step_size(k)
            if not (isinstance(eta, int | float | np.number) and np.isfinite(eta) and eta >= 0):
                raise ValueError(f"step_size must be a finite number >= 0 at every step, got {eta!r} at step {k}")
            found.append(float(eta))
            total += eta
        return np.array(found)

    return sizes


def _history(steps: int, size: int) -> Rows:
    """Return the step numbers that are kept: evenly and geometrically spaced ones, as many as memory is meant for."""
    count = max(2, min(_KEPT, _HISTORY // (2 * size)))
    return np.unique(np.concatenate([np.linspace(0, steps, count), np.geomspace(1, steps, count)]).astype(np.int64))


def _batches(problem: Problem, batch_size: int, replacement: bool, rng: np.random.Generator | None) -> Minibatches:
    check_batch_size(batch_size, problem.n)
    matrices.require_entries(problem.X, "descent in batches", "descent(...) without batch_size, or X as a sparse array")
    if not problem.loss.separable:
        raise ValueError(
            f"{type(problem.loss).__name__} is not a sum over samples, so that minibatches do not estimate its "
            "gradient: leave batch_size out, or choose another loss"
        )
    if not isinstance(rng, np.random.Generator):
        raise TypeError(
            f"batch_size needs a NumPy random generator, got rng={rng!r}: write rng=np.random.default_rng(0)"
        )
    return Minibatches(problem.n, int(batch_size), replacement, rng)


def _kept(keep: Sequence[int]) -> Rows:
    steps = np.unique(np.asarray(keep))
    if steps.size and steps.dtype.kind not in "iu":
        raise ValueError(f"keep must hold step numbers, whole numbers, got {keep!r}: write keep=range(0, steps, 10)")
    return steps.astype(np.int64)


def _require(steps: int, until: float | None, momentum: float, tolerance: float) -> None:
    if not (is_whole(steps) and steps >= 1):
        raise ValueError(f"steps must be a whole number >= 1, got {steps!r}: write steps=100_000")
    check_until(until)
    check_momentum(momentum)
    check_number("tolerance", tolerance)
    if not (np.isfinite(tolerance) and tolerance >= 0):
        raise ValueError(f"tolerance must be a number >= 0, got {tolerance!r}: write tolerance=1e-9")
