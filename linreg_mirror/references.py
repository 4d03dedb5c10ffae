"""Independent answers: well-kept solvers of other people, imported only here and only when used."""

import time as clock
import warnings

import numpy as np
from scipy.optimize import linprog

from linreg_mirror.certificates import l1_certificate, l1_unique, lasso_certificate
from linreg_mirror.losses import Array
from linreg_mirror.problem import Problem
from linreg_mirror.trajectory import Certificate, Check, Solution, Stats, Status


def minimum_l1_highs(problem: Problem, method: str = "highs-ds") -> Solution:
    """Return the minimum-L1 interpolator found by HiGHS, as the linear programme in (x+, x-)."""
    started = clock.perf_counter()
    X, y = _consistent(problem)
    answer = linprog(np.ones(2 * problem.d), A_eq=np.hstack([X, -X]), b_eq=y, method=method)
    if answer.status != 0:
        raise ArithmeticError(f"HiGHS gave up on the minimum-L1 programme: {answer.message}")
    x = answer.x[: problem.d] - answer.x[problem.d :]
    return _l1_solution(problem, x, _lifted(problem, answer.eqlin.marginals), f"HiGHS {method}", started, answer.nit)


def minimum_l1_cvxpy(problem: Problem) -> Solution:
    """Return the minimum-L1 interpolator found by Clarabel through cvxpy."""
    import cvxpy as cp

    started = clock.perf_counter()
    X, y = _consistent(problem)
    x = cp.Variable(problem.d)
    constraint = X @ x == y
    programme = cp.Problem(cp.Minimize(cp.norm1(x)), [constraint])
    programme.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    if x.value is None or constraint.dual_value is None:
        raise ArithmeticError(f"Clarabel gave up on the minimum-L1 programme: {programme.status}")
    return _l1_solution(
        problem,
        np.asarray(x.value),
        _lifted(problem, -np.asarray(constraint.dual_value)),
        "cvxpy with Clarabel",
        started,
    )


def minimum_l2(problem: Problem) -> Solution:
    """Return the minimum-L2 interpolator X^+ y, or the smallest least-squares solution where there is none."""
    started = clock.perf_counter()
    x, *_ = np.linalg.lstsq(problem.X, problem.y)
    dual = np.linalg.lstsq(problem.X.T, x)[0]
    r = problem.residual(x)
    if problem.inconsistency <= 1e-10:
        violation = np.abs(r).max() / (np.abs(problem.y).max() or 1.0)
    else:
        violation = np.abs(problem.X.T @ r).max() / (np.abs(problem.X.T @ problem.y).max() or 1.0)
    off_range = np.abs(x - problem.X.T @ dual).max() / (np.abs(x).max() or 1.0)
    certificate = Certificate(
        (Check("feasibility", float(violation), 1e-10), Check("distance from row space", float(off_range), 1e-10))
    )
    consistent = problem.inconsistency <= 1e-10
    return Solution(
        x=x,
        dual=dual,
        log_scale=None,
        status=Status.not_certified
        if not certificate.valid
        else Status.converged
        if consistent
        else Status.inconsistent,
        stats=Stats(method="numpy lstsq", seconds=clock.perf_counter() - started),
        certificate=certificate,
        unique=True,
    )


def lasso(problem: Problem, weight: float) -> Solution:
    """Return argmin |Xx - y|^2/2 + weight |x|_1 by scikit-learn's coordinate descent, polished on its support.

    Parameters
    ----------
    problem : Problem
        With the squared loss.
    weight : float
        Not divided by n, unlike scikit-learn's alpha.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import Lasso

    started = clock.perf_counter()
    if weight <= 0:
        raise ValueError(f"weight must be positive, got {weight!r}: for weight 0 ask minimum_l1 or minimum_l2")
    model = Lasso(weight / problem.n, fit_intercept=False, tol=1e-15, max_iter=20_000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the certificate says whether it is good enough
        x = np.array(model.fit(problem.X, problem.y).coef_)
    support = np.flatnonzero(x)
    if support.size:
        columns = problem.X[:, support]
        values = np.linalg.lstsq(columns.T @ columns, columns.T @ problem.y - weight * np.sign(x[support]))[0]
        if (values * x[support] > 0).all():
            x[support] = values
    certificate = lasso_certificate(problem, x, weight)
    return Solution(
        x=x,
        dual=-problem.residual(x),
        log_scale=None,
        status=Status.converged if certificate.valid else Status.not_certified,
        stats=Stats(method="scikit-learn Lasso", seconds=clock.perf_counter() - started),
        certificate=certificate,
    )


def weighted_l1_cost(problem: Problem, weights: Array) -> float:
    """Return min sum (1 - weights_i) x_i^+ + (1 + weights_i) x_i^- over Xx = y by HiGHS: |x|_1 - <weights, x>."""
    X, y = _consistent(problem)
    answer = linprog(np.concatenate([1 - weights, 1 + weights]), A_eq=np.hstack([X, -X]), b_eq=y, method="highs-ds")
    if answer.status != 0:
        raise ArithmeticError(f"HiGHS gave up on the weighted L1 programme: {answer.message}")
    return float(answer.fun)


def _consistent(problem: Problem) -> tuple[Array, Array]:
    """Reduce X and y to the range of X, where equality constraints are independent and can be met."""
    if problem.rank == problem.n:
        return problem.X, problem.y
    return problem.range_basis.T @ problem.X, problem.range_basis.T @ problem.y


def _lifted(problem: Problem, s: Array) -> Array:
    return s if problem.rank == problem.n else problem.range_basis @ s


def _l1_solution(problem: Problem, x: Array, s: Array, method: str, started: float, steps: int = 0) -> Solution:
    certificate = l1_certificate(problem, x, s)
    consistent = problem.inconsistency <= 1e-10
    return Solution(
        x=x,
        dual=s,
        log_scale=None,
        status=Status.not_certified
        if not certificate.valid
        else Status.converged
        if consistent
        else Status.inconsistent,
        stats=Stats(method=method, steps=steps, seconds=clock.perf_counter() - started),
        certificate=certificate,
        unique=l1_unique(problem, x, s) if certificate.valid else None,
    )
