"""Discrete time: gradient descent, stochastic gradient descent and heavy ball."""

import time as clock
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from linreg_mirror._tools.blas import one_thread
from linreg_mirror._tools.cites import cited, cites
from linreg_mirror._types import Array
from linreg_mirror.parametrizations import Parametrization
from linreg_mirror.problems import Problem
from linreg_mirror.problems.calls import takes_problem
from linreg_mirror.schedules import Schedule, as_schedule
from linreg_mirror.solvers.discrete import plan
from linreg_mirror.solvers.discrete.destination import distance_to_limit
from linreg_mirror.solvers.discrete.divergence import Divergence
from linreg_mirror.solvers.discrete.implicit_bias import ImplicitBias
from linreg_mirror.solvers.discrete.record import Descent
from linreg_mirror.solvers.discrete.run_error import BoundedSteps, why_not
from linreg_mirror.solvers.discrete.solved import bias_of
from linreg_mirror.solvers.discrete.steppers import Chunk, CompiledSteps, NumpySteps, ProductSteps, Stepper
from linreg_mirror.solvers.results import Certificate, Check, Stats, Status
from linreg_mirror.solvers.stationarity import require_motion, stationarity

_RUNAWAY = 1e6  # residuals this many times those of the start do not come back
_DRAWN = 1 << 22  # samples drawn ahead, at the most


@cites("even2023sgd")
@takes_problem(
    "descent(problem, network, step_size)", lr="step_size=", learning_rate="step_size=", T="steps=", tol="tolerance=",
    seed="rng=numpy.random.default_rng(seed)", beta="momentum=",
)  # fmt: skip
@np.errstate(all="ignore")  # what overflows has diverged
def descent(
    problem: Problem,
    network: Parametrization,
    step_size: plan.StepSize,
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
    bar: bool = False,
) -> Descent:
    r"""Take steps of gradient descent, also stochastic, with heavy-ball momentum and a penalty.

    theta_{k+1} = theta_k - eta_k [G_k + alpha_k grad h(theta_k)] + momentum (theta_k - theta_{k-1}), with G_k the
    gradient of the problem's loss f(x(theta)), or of a batch, and h the network's penalty, |m|^2 + |w|^2 of x = m*w.

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
    bar : bool
        Whether `error` is to bound what rounding has done to the run: of the compiled method without momentum, on a
        dense X or a sparse one with up to 5000 rows. It takes two to five times as long, with small batches
        five to ten.

    Returns
    -------
    Descent
        `to_limit` bounds the distance of the last x from the limit of `implicit.network`, and the certificate shows it
        relative to |x|_1, without a tolerance: whether a run is over is a matter of stationarity. What is inf has its
        reason in `stats.notes`.
        A run that diverges is a result too: its status is `diverged`, and it ends with the last point that was looked
        at and found in bounds. Its `implicit` says when, and how long steps may be.

    Raises
    ------
    ValueError
        If shapes do not match, a number is out of range, the loss is no sum over samples and `batch_size` is given, or
        the start is a saddle point that no step leaves.
    TypeError
        If `rng` is missing where it is needed, or batches are asked of an operator.

    See Also
    --------
    linreg_mirror.descents : Many runs at once.
    linreg_mirror.flow : The limit of small steps.

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
    >>> bool(abs(run.x[-1] - again.x).sum() <= run.to_limit + again.error < 1e-6)
    True
    """
    started = clock.perf_counter()
    problem.require_network(network)
    require_motion(problem, network)
    plan.check_run(steps, until, momentum, tolerance)
    batches = None if batch_size is None else plan.minibatches(problem, batch_size, replacement, rng)
    sizes = plan.step_sizes(step_size)
    penalty = plan.Penalty(as_schedule(schedule), 1 if batches is None else batches.steps_per_epoch)
    wanted = plan.history(steps, network.theta0.size) if keep is None else plan.kept_steps(keep)
    stepper = _stepper(problem, network, float(momentum), method)
    name = type(stepper).__name__.removesuffix("Steps").lower()
    no_error = why_not(problem, stepper, momentum) if bar else "no bound of error: write bar=True for one"
    if isinstance(stepper, CompiledSteps) and no_error is None:
        stepper = BoundedSteps(stepper, problem)
    here = _Point(0, 0.0, 0.0, float(sizes(0, 1, np.inf)[0]), stepper.theta, stepper.dual.copy())
    points: list[_Point] = [here]
    no_bias: str | Divergence = ""
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
                no_bias = Divergence(
                    problem, network, momentum, batch_size, replacement, here.step + 1, here.step + len(eta),
                    float(eta.max()), float(alpha.max()),
                )  # fmt: skip
                break
            points.extend(map(_Point, *(column[keep_these] for column in (step, t, A, eta)), thetas, duals))
            here = _Point(int(step[-1]), float(t[-1]), float(A[-1]), float(eta[-1]), theta, stepper.dual.copy())
    if points[-1].step != here.step:
        points.append(here)
    step, t, A, _, thetas, duals = (np.array(column) for column in zip(*points, strict=True))
    x = np.stack([network.effective(theta) for theta in thetas])
    diverged = status is Status.diverged
    bias, no_limit, to_limit = None, ("no bound of to_limit: the run diverged",), np.inf
    if not diverged:
        found = bias_of(problem, network, stepper, momentum, here.A)
        if isinstance(found, str):
            no_bias, no_limit = found, (f"no bound of to_limit: {found}",)
        else:
            bias = found
            to_limit, no_limit = distance_to_limit(problem, bias, penalty.schedule, x[-1], here.step, until is None)
    error = np.inf
    if isinstance(stepper, BoundedSteps):
        error = np.inf if diverged else stepper.error
        no_error = None if error < np.inf else "no bound of error: rounding may have grown without bounds"
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
            method=f"descent: {name}",
            steps=here.step,
            evaluations=here.step,
            seconds=clock.perf_counter() - started,
            notes=(*(() if no_error is None else (no_error,)), *no_limit),
            cites=cited(descent),
        ),
        certificate=_certificate(
            problem,
            network,
            penalty,
            here,
            tolerance,
            bias,
            isinstance(stepper, NumpySteps) and stepper.log_factors() is not None,
            to_limit,
        ),
        error=error,
        to_limit=to_limit,
        parameters=thetas,
        step=step,
        l1_lower_bound=_lower_bound(problem, x[-1], duals[-1]),
        bias=bias,
        no_bias=no_bias,
    )


class _Point(NamedTuple):
    step: int
    t: float
    A: float
    eta: float  # of the last step, at the start of the first
    theta: Array
    dual: Array


def _ended(
    problem: Problem, network: Parametrization, stepper: Stepper, penalty: plan.Penalty, here: _Point,
    steps: int, until: float | None, tolerance: float,
) -> Status | None:  # fmt: skip
    """Return how the run ended here, or None if it goes on."""
    if until is not None:
        if here.t >= until - plan.ROUNDING * here.eta:
            return Status.until_reached
    elif tolerance and penalty.to_come(here.step, here.t, here.eta) <= tolerance:
        at_rest = stepper.moved <= tolerance * max(np.abs(here.theta).max(), np.abs(network.theta0).max())
        x = network.effective(here.theta)
        if at_rest and stationarity(problem, network, x, penalty.schedule.limit, here.theta) <= tolerance:
            return Status.converged
    if here.step == steps:
        return Status.horizon_reached if tolerance or until is not None else Status.until_reached
    return None


def _certificate(
    problem: Problem, network: Parametrization, penalty: plan.Penalty, here: _Point, tolerance: float,
    bias: ImplicitBias | None, independent: bool, to_limit: float,
) -> Certificate:  # fmt: skip
    # Only log-products from gradients are independent of the factors, of which x is made.
    x = network.effective(here.theta)
    violation = stationarity(problem, network, x, penalty.schedule.limit, here.theta)
    checks = [
        Check("relative stationarity", violation, tolerance),
        Check("penalty to come", penalty.to_come(here.step, here.t, here.eta), tolerance),
    ]
    if bias is not None and independent:
        difference = np.abs(bias.represented(problem) - x).max() / (np.abs(x).max() or 1.0)
        checks.append(Check("implicit representation", float(difference), 1e-9))
    if to_limit < np.inf:
        # Shown, not judged: it is the tolerance of stationarity times a condition number that nobody has chosen.
        checks.append(Check("distance to the limit", to_limit / (float(np.abs(x).sum()) or 1.0), np.inf))
    return Certificate(tuple(checks))


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
