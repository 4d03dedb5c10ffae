"""The ODEs of a flow: of its dual, in n dimensions, and of its parameters."""

from collections.abc import Callable

import numpy as np

from linreg_mirror._tools import matrices
from linreg_mirror._types import Array
from linreg_mirror.parametrizations import Parametrization
from linreg_mirror.problems import Problem
from linreg_mirror.schedules import Schedule
from linreg_mirror.solvers.continuous.compiled import compiled_flow
from linreg_mirror.solvers.continuous.integration import System
from linreg_mirror.solvers.stationarity import require_motion, stationarity

_SMALLEST_RTOL = 100 * float(np.finfo(float).eps)  # SciPy's integrators accept no less
_FINEST = 1e-8  # below this relative change of dual variables, errors of that size stall them


def dual_system(
    problem: Problem, network: Parametrization, schedule: Schedule, accuracy: float, tolerance: float
) -> System:
    """Return s' = kappa(A) l'(Xx - y), x = primal(z_0 - X's, A), as compiled code takes it too where there is any.

    Parameters
    ----------
    problem : Problem
        X is (n, d).
    network : Parametrization
        It has a mirror.
    schedule : Schedule
        The penalty.
    accuracy : float
        Local error per step, of the exponents of x.
    tolerance : float
        Relative error of x at the end: where x is proportional to the dual, steps need about as much.

    Raises
    ------
    ValueError
        If duals are too close to their bound for float64, or X is an operator, or sparse with too many rows.
    """
    mirror = network.mirror()
    instead = "limit(problem, network), descent(problem, network, step_size), or flow(..., method='parameters')"
    matrices.require_entries(problem.X, "flow with its Jacobian", instead)
    matrices.require_gram(problem.X, "flow with its Jacobian", instead)
    X, Xt, y, loss, z0 = problem.X, problem.X.T, problem.y, problem.loss, mirror.initial_dual
    basis = problem.range_basis if problem.inconsistency else None
    gradient_scale = problem.gradient_scale or 1.0
    decay = decay_of(schedule)

    def in_range(r: Array) -> Array:
        # Outside the range of X, s has no effect on x but would grow for ever and drown the rest in rounding.
        return r if basis is None else basis @ (basis.T @ r)

    def field(t: float, s: Array) -> Array:
        A = decay(t)
        return mirror.dual_rate(A) * in_range(loss.gradient(X @ mirror.primal(z0 - Xt @ s, A) - y))

    def jacobian(t: float, s: Array) -> Array:
        A = decay(t)
        z = z0 - Xt @ s
        r = X @ mirror.primal(z, A) - y
        return -mirror.dual_rate(A) * in_range(loss.hessian_product(r, matrices.gram(X, mirror.metric(z, A))))

    def violation(t: float, s: Array) -> float:
        x = mirror.primal(z0 - Xt @ s, decay(t))
        if schedule.limit == 0:  # the common case of `stationarity`, which is asked after every step
            return float(np.abs(Xt @ loss.gradient(X @ x - y)).max()) / gradient_scale
        return stationarity(problem, network, x, schedule.limit)

    def unpack(states: Array, decays: Array) -> tuple[Array, Array, None]:
        return mirror.primal(z0 - states @ X, decays[:, None]), states, None

    if mirror.linear:
        # x is proportional to the dual, and so is its error: f's slope cannot be smaller than that.
        accuracy = min(accuracy, 0.1 * tolerance)
    longest = matrices.longest_column(X) or 1.0
    size = float(np.abs(y).max()) / longest or 1.0  # of the weights that fit y, in order of magnitude
    relative, absolute = mirror.resolution(size, schedule.integral(0.0, np.inf) if schedule.integrable else 0.0)
    if relative < _FINEST:
        raise ValueError(
            f"duals of weights of about {size:.2g} are too close to their bound for an integrator in float64, by "
            f"{relative:.1g} of what they are: write flow(..., method='parameters') or limit(problem, network)"
        )
    # An error of `accuracy` in units of what the mirror resolves is a relative one in x.
    rtol, atol = max(accuracy * relative, _SMALLEST_RTOL), accuracy * absolute / max(1.0, longest)
    return System(
        np.zeros(problem.n), field, jacobian, violation, unpack,
        rtol=rtol, atol=atol, exponent_size=1 / relative,
        compiled=compiled_flow(problem, mirror, in_range(y), schedule, atol, rtol),
    )  # fmt: skip


def parameter_system(problem: Problem, network: Parametrization, schedule: Schedule, accuracy: float) -> System:
    """Return theta' = -grad[f(x(theta)) + alpha_t h(theta)], with s' = l'(Xx - y) beside it.

    Parameters
    ----------
    problem : Problem
        X is (n, d).
    network : Parametrization
        Any.
    schedule : Schedule
        The penalty.
    accuracy : float
        Local error per step, relative to the parameters.
    """
    theta0 = network.theta0
    p = theta0.size
    require_motion(problem, network)
    penalised = not _is_zero(schedule)

    def field(t: float, state: Array) -> Array:
        theta = state[:p]
        slope = problem.loss.gradient(problem.residual(network.effective(theta)))
        force = network.pullback(theta, problem.X.T @ slope)
        if penalised:
            force = force + schedule(t) * network.penalty_gradient(theta)
        return np.concatenate([-force, slope])

    def jacobian(t: float, state: Array) -> Array:
        theta, J = state[:p], np.zeros((len(state), len(state)))
        r = problem.residual(network.effective(theta))
        known = network.second_order(theta, problem.X.T @ problem.loss.gradient(r), schedule(t) if penalised else 0.0)
        assert known is not None
        of_x, hessian = known
        moved = problem.X @ of_x
        J[p:, :p] = problem.loss.hessian_product(r, moved)
        J[:p, :p] = -(moved.T @ J[p:, :p] + hessian)
        return J

    def violation(_: float, state: Array) -> float:
        return stationarity(problem, network, network.effective(state[:p]), schedule.limit, theta=state[:p])

    def unpack(states: Array, _: Array) -> tuple[Array, Array, Array]:
        return np.stack([network.effective(state[:p]) for state in states]), states[:, p:], states[:, :p]

    typical = float(np.abs(theta0).max())
    known = isinstance(problem.X, np.ndarray) and network.second_order(theta0, np.zeros(problem.d), 0.0) is not None
    return System(
        np.concatenate([theta0, np.zeros(problem.n)]), field, jacobian if known else None, violation, unpack,
        rtol=max(accuracy, _SMALLEST_RTOL), atol=accuracy * min(typical, 1.0) * 1e-2, exponent_size=1.0,
    )  # fmt: skip


def decay_of(schedule: Schedule) -> Callable[[float], float]:
    """Return t -> A_t, which is asked several times a step and mostly for no penalty at all."""
    return (lambda _: 0.0) if _is_zero(schedule) else lambda t: float(schedule.integral(0.0, t))


def _is_zero(schedule: Schedule) -> bool:
    return schedule.integrable and schedule.integral(0.0, np.inf) == 0
