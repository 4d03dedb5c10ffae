"""How `MirrorRegressor` solves: a problem for each target, or all targets at once."""

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from linreg_mirror._types import Array
from linreg_mirror.estimator.data import Form
from linreg_mirror.estimator.parameters import network_of, tolerance_of, total_decay
from linreg_mirror.parametrizations import Hadamard, Power
from linreg_mirror.problems import Problem
from linreg_mirror.schedules import Schedule, as_schedule
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.batches import limits
from linreg_mirror.solvers.discrete import descent, largest_stable_step
from linreg_mirror.solvers.limit import limit
from linreg_mirror.solvers.saddles import saddles


class Fit(NamedTuple):
    """The coefficients for one target, what the solver returned, and whether it counted its steps."""

    coef: Array
    intercept: float
    solved: Any
    counted: bool


def fits_of(regressor: Any, ways: list[Form], X: Any, targets: Array, weights: Array | None) -> list[Fit]:
    """Return a fit for each target: together where the solver can, and in another form where the first fails.

    Parameters
    ----------
    regressor : MirrorRegressor
        Whose parameters.
    ways : list of Form
        How to write the data without an intercept, the first that is tried first.
    X, targets : array, shape (n, d) and (n, k)
        Data.
    weights : array, shape (n,), or None
        Of the samples.
    """
    form, *others = ways
    given = [form(X, y, weights) for y in targets.T]
    A = given[0][0]
    several = len(given) > 1 and regressor.solver == "limit" and type(A) is np.ndarray
    network = network_of(regressor, A.shape[1]) if several else None
    together = isinstance(network, Hadamard)
    found: list[tuple[Array, Any]]
    if together:
        y = np.stack([b for _, b, *_ in given])
        solutions = limits(A, y, network, decay=total_decay(regressor), **tolerance_of(regressor))
        found = [(solution.x, solution) for solution in solutions]
    else:
        found = [_solved(regressor, Problem(A, b)) for A, b, *_ in given]
    fits = []
    for k, ((*_, mean_X, mean_y), (coef, solved)) in enumerate(zip(given, found, strict=True)):
        if solved.status is Status.not_certified and others:
            A, b, mean_X, mean_y = others[0](X, targets[:, k], weights)
            coef, solved = _solved(regressor, Problem(A, b))
        fits.append(Fit(coef, float(mean_y - mean_X @ coef), solved, not together))
    return fits


def _solved(regressor: Any, problem: Problem) -> tuple[Array, Any]:
    """Return the coefficients, and what the solver returned."""
    if regressor.solver == "saddles":
        path = saddles(problem)
        return path.solution.x, path
    network = network_of(regressor, problem.d)
    if regressor.solver == "limit":
        solution = limit(problem, network, total_decay(regressor), **tolerance_of(regressor))
        return solution.x, solution
    schedule = as_schedule(regressor.schedule)
    budget: dict[str, Any] = {} if regressor.max_iter is None else {"steps": regressor.max_iter}
    step_size = (
        _stable_step(regressor, problem, network, schedule) if regressor.step_size is None else regressor.step_size
    )
    rng = None
    if regressor.batch_size is not None:
        rng = np.random.default_rng(check_random_state(regressor.random_state).randint(2**31 - 1))
    run = descent(
        problem, network, step_size, schedule, batch_size=regressor.batch_size, momentum=regressor.momentum, rng=rng,
        **tolerance_of(regressor), **budget,
    )  # fmt: skip
    return run.x[-1], run


def _stable_step(regressor: Any, problem: Problem, network: Hadamard | Power, schedule: Schedule) -> float:
    penalty = max(schedule(t) for t in (0.0, *schedule.breakpoints))
    if regressor.batch_size is None:
        problem, _ = problem.reduced()
    step = 0.5 * largest_stable_step(problem, network, regressor.momentum, regressor.batch_size, penalty=penalty)
    if regressor.batch_size is None:  # on the way velocity piles up
        step *= (1 - regressor.momentum) / (1 + regressor.momentum)
    return step if np.isfinite(step) else 1.0


def advice(solved: Any) -> str:
    """Return the advice of a status in the estimator's terms.

    Parameters
    ----------
    solved : Solution, Descent or SaddlePath
        What the solver returned.
    """
    if solved.status is Status.horizon_reached:
        return 'MirrorRegressor has max_iter=, tol= and solver="limit" for these.'
    if solved.status is Status.diverged:
        return "step_size=None chooses one that is."
    return f"The certificate_ is {solved.certificate}."
