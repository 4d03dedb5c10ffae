"""Independent answers: well-kept solvers of other people, imported only here and only when used."""

import time as clock
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress

import numpy as np
import scipy
from scipy.sparse.linalg import lsqr

from linreg_mirror._tools import matrices
from linreg_mirror._tools.cites import cited, cites
from linreg_mirror._tools.double_double import Pair
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Euclidean
from linreg_mirror.problems import Problem
from linreg_mirror.problems.calls import takes_problem
from linreg_mirror.solvers.certificates import (
    feasibility,
    l1_certificate,
    l1_unique,
    nuclear_certificate,
    outcome,
    pull,
    with_error,
)
from linreg_mirror.solvers.error_bars import SEVERAL, error_of, proving_rows, refined
from linreg_mirror.solvers.error_bars.rows import UNIT
from linreg_mirror.solvers.results import Certificate, Check, Solution, Stats

_FINE = 1e-12  # relative error of a minimum-L2 interpolator
_SUPPORT = "no error bar: the support of x is not proved to be that of the least L1 norm"
_SINGULAR = "no error bar: X is too ill-conditioned"
_OPERATOR = "limit(problem, Hadamard.from_scale(1e-6, d=problem.d))"  # what to ask instead of it


@cites("huangfu2018parallelizing", "virtanen2020scipy")
def minimum_l1_highs(problem: Problem, method: str = "highs-ds") -> Solution:
    """Return the minimum-L1 interpolator found by HiGHS, as the linear programme in (x+, x-)."""
    started = clock.perf_counter()
    matrices.require_entries(problem.X, "HiGHS", _OPERATOR)
    reduced, lift = problem.reduced()
    programme = matrices.mirrored(reduced.X)
    answer = scipy.optimize.linprog(np.ones(2 * problem.d), A_eq=programme, b_eq=reduced.y, method=method)
    if answer.status != 0:
        raise ArithmeticError(f"HiGHS gave up on the minimum-L1 programme of these X and y: {answer.message}")
    x, s = _on_support(reduced, answer.x[: problem.d] - answer.x[problem.d :], answer.eqlin.marginals)
    return _l1_solution(problem, x, lift(s), f"HiGHS {method}", cited(minimum_l1_highs), started, answer.nit)


@cites("diamond2016cvxpy", "goulart2024clarabel")
def minimum_l1_cvxpy(problem: Problem) -> Solution:
    """Return the minimum-L1 interpolator found by Clarabel through cvxpy."""
    import cvxpy as cp

    started = clock.perf_counter()
    matrices.require_entries(problem.X, "cvxpy", _OPERATOR)
    reduced, lift = problem.reduced()
    X, y = matrices.as_sparse_matrix(reduced.X), reduced.y
    by = "cvxpy with Clarabel", cited(minimum_l1_cvxpy), started
    if not y.any():
        return _l1_solution(problem, np.zeros(problem.d), np.zeros(problem.n), *by)
    x = cp.Variable(problem.d)
    constraint = X @ x == y
    programme = cp.Problem(cp.Minimize(cp.norm1(x)), [constraint])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "may be inaccurate": the certificate says by how much
        with suppress(cp.SolverError):  # it says no more than that there is no value
            programme.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
    if x.value is None or constraint.dual_value is None:
        raise ArithmeticError(f"Clarabel gave up on the minimum-L1 programme of these X and y: {programme.status}")
    return _l1_solution(problem, np.asarray(x.value), lift(-np.asarray(constraint.dual_value)), *by)


ROUTES: Mapping[str, Callable[[Problem], Solution]] = {"highs": minimum_l1_highs, "cvxpy": minimum_l1_cvxpy}


def minimum_nuclear(problem: Problem, shape: tuple[int, int], *, positive: bool = False) -> Solution:
    """Return an interpolator whose matrix has the least nuclear norm, found by Clarabel through cvxpy.

    Parameters
    ----------
    problem : Problem
        X is (n, rows * columns); row i holds the entries of a matrix A_i, row by row, in y_i = <A_i, M>.
    shape : (int, int)
        (rows, columns) of M.
    positive : bool
        Among the symmetric positive semidefinite matrices, where the nuclear norm is the trace.

    Returns
    -------
    Solution
        With the entries of M as x; its dual s bounds the norm from below, for the largest singular value
        (`positive`: eigenvalue of the symmetric part) of sum s_i A_i is at most 1.

    Raises
    ------
    ValueError
        If the shape does not fit the features, or is not square where it must be.
    ArithmeticError
        If the solver gives up, as it does where there is no such interpolator.
    """
    import cvxpy as cp

    started = clock.perf_counter()
    rows, columns = shape
    if rows * columns != problem.d or (positive and rows != columns):
        raise ValueError(
            f"shape must be {'square' if positive else '(rows, columns)'} with {problem.d} entries, one a feature, got "
            f"{shape}"
        )
    X = matrices.dense(problem.X, "minimum_nuclear", "Problem(X.toarray(), y)")
    reduced, lift = Problem(X, problem.y).reduced()
    X, y = reduced.X, reduced.y
    x, s = np.zeros(problem.d), np.zeros(problem.n)
    if y.any():
        M = cp.Variable((rows, columns), PSD=True) if positive else cp.Variable((rows, columns))
        constraint = X @ cp.vec(M, order="C") == y
        programme = cp.Problem(cp.Minimize(cp.trace(M) if positive else cp.normNuc(M)), [constraint])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "may be inaccurate": the certificate says by how much
            programme.solve(solver=cp.CLARABEL, tol_gap_abs=1e-12, tol_gap_rel=1e-12, tol_feas=1e-12)
        if M.value is None or constraint.dual_value is None:
            raise ArithmeticError(f"Clarabel gave up on the nuclear norm: {programme.status}")
        x, s = np.asarray(M.value).ravel(), lift(-np.asarray(constraint.dual_value))
        x -= np.linalg.lstsq(X, X @ x - y)[0]
    certificate = nuclear_certificate(problem, shape, x, s, positive)
    return Solution(
        x=x,
        dual=s,
        log_scale=None,
        status=outcome(certificate, problem, x),
        stats=Stats(
            method="cvxpy with Clarabel",
            seconds=clock.perf_counter() - started,
            notes=("no error bar: how sharply the nuclear norm grows away from x is not computed",),
            cites=cited(minimum_l1_cvxpy),
        ),
        certificate=certificate,
    )


@takes_problem("minimum_l2(problem)")
@np.errstate(all="ignore")  # what overflows fails the certificate
def minimum_l2(problem: Problem) -> Solution:
    """Return the minimum-L2 interpolator X^+ y, or the smallest least-squares solution where there is none.

    Parameters
    ----------
    problem : Problem
        X is (n, d), of any rank; the loss does not matter.

    Returns
    -------
    Solution
        x = X's with the dual vector s = `dual` + `dual_rest`. `error` is a proved bound on |x - X^+ y|_1 for the floats
        X and y. The status is `converged` where that is at most 1e-12 |x|_1, `inconsistent` where Xx = y has no
        solution, and `unproved` where there is no bar, which `stats.notes` gives the reason for.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> lm.minimum_l2(lm.Problem([[1, 2]], [2])).x.round(6).tolist()
    [0.4, 0.8]
    """
    started = clock.perf_counter()
    rows, error, rest = proving_rows(problem), np.inf, None
    if matrices.is_dense(problem.X):
        x, *_ = np.linalg.lstsq(problem.X, problem.y)
        dual, method = np.linalg.lstsq(problem.X.T, x)[0], "numpy lstsq"
    else:
        x, method = _golub_kahan(problem.X, problem.y), "scipy lsqr"
        dual = _golub_kahan(problem.X.T, x)
    if not (x.any() or problem.y.any()):
        error = 0.0
    elif not isinstance(rows, str):
        # X^+ y is the limit of the Euclidean mirror from zero, which Newton's method with 106 bits encloses.
        zeros = Euclidean(np.zeros(problem.d))
        least = refined(rows, zeros, 0.0, rows.scaled(Pair.of(-dual)), 1e-14)
        error = least.error + float(np.abs(x - least.x).sum()) * (1 + 2 * problem.d * UNIT)
        if error < np.inf:
            dual, rest = -rows.unscaled(least.s)
        if _FINE * float(np.abs(x).sum()) < error < np.inf:  # X is ill-conditioned
            x, error, method = least.x, least.error, f"{method}, refined"
    off_range = np.abs(x - pull(problem, dual, rest)).max() / (np.abs(x).max() or 1.0)
    certificate = Certificate(
        (
            Check("feasibility", feasibility(problem, x), 1e-10),
            Check("distance from row space", float(off_range), 1e-10),
        )
    )
    certificate = with_error(certificate, error, x, _FINE)
    notes = () if error < np.inf else (rows if isinstance(rows, str) else _SINGULAR,)
    return Solution(
        x=x,
        dual=dual,
        log_scale=None,
        status=outcome(certificate, problem, x, error),
        stats=Stats(method=method, seconds=clock.perf_counter() - started, notes=notes),
        certificate=certificate,
        unique=True,
        error=error,
        dual_rest=rest,
    )


def _golub_kahan(X: matrices.Matrix, y: Array) -> Array:
    x = np.zeros(X.shape[1])
    for _ in range(3):  # anew from the residual: its own stopping rules are relative to what rounding has left
        x = x + lsqr(X, y - X @ x, atol=1e-15, btol=1e-15, conlim=0, iter_lim=20 * min(X.shape))[0]
    return x


def weighted_l1_cost(problem: Problem, weights: Array) -> tuple[float, float, Array]:
    """Return bounds of min sum (1 - weights_i) x_i^+ + (1 + weights_i) x_i^- over Xx = y, |x|_1 - <weights, x>.

    HiGHS gives both: the upper one by its point, which is returned too, the lower by its dual vector, made feasible.
    What rounding does to them is added; and to the upper one what Xx = y would cost where the point misses it.
    """
    matrices.require_entries(problem.X, "HiGHS", _OPERATOR)
    reduced, _ = problem.reduced()
    costs, programme = np.concatenate([1 - weights, 1 + weights]), matrices.mirrored(reduced.X)
    answer = scipy.optimize.linprog(costs, A_eq=programme, b_eq=reduced.y, method="highs-ds")
    if answer.status != 0:
        raise ArithmeticError(f"HiGHS gave up on the weighted L1 programme: {answer.message}")
    dual, sizes, eps = answer.eqlin.marginals, abs(programme), float(np.finfo(float).eps)
    slopes = programme.T @ dual + len(dual) * eps * (sizes.T @ np.abs(dual))
    steepest = float(np.max(np.where(costs > 0, slopes / np.where(costs > 0, costs, 1.0), 0.0), initial=1.0))
    lower = (float(reduced.y @ dual) - len(dual) * eps * float(np.abs(reduced.y) @ np.abs(dual))) / steepest
    unmet = np.abs(programme @ answer.x - reduced.y) + len(costs) * eps * (sizes @ answer.x + np.abs(reduced.y))
    upper = float(answer.fun) + float(np.abs(dual) @ unmet)
    return lower, upper, answer.x[: problem.d] - answer.x[problem.d :]


def _on_support(problem: Problem, x: Array, s: Array) -> tuple[Array, Array]:
    """Solve anew for what is not zero: HiGHS leaves residuals of up to 1e-7 in Xx = y and X's = sign x."""
    support = np.flatnonzero(np.abs(x) > 1e-9 * np.abs(x).max(initial=0.0))
    if not 0 < len(support) <= problem.n:
        return x, s
    X, signs, solved = matrices.columns(problem.X, support), np.sign(x[support]), np.zeros_like(x)
    solved[support] = np.linalg.lstsq(X, problem.y)[0]
    if (np.sign(solved[support]) != signs).any() or feasibility(problem, solved) > feasibility(problem, x):
        return x, s
    return solved, s + np.linalg.lstsq(X.T, signs - X.T @ s)[0]


def _l1_solution(
    problem: Problem, x: Array, s: Array, method: str, keys: tuple[str, ...], started: float, steps: int = 0
) -> Solution:
    seconds, rows = clock.perf_counter() - started, proving_rows(problem)
    error = np.inf if problem.y.any() or x.any() else 0.0
    if not isinstance(rows, str) and x.any():
        error = error_of(rows, x, rows.scaled(Pair.of(s)))
    certificate = l1_certificate(problem, x, s)
    unique = True if error < np.inf else l1_unique(problem, x, s) if certificate.valid else None
    reason = rows if isinstance(rows, str) else SEVERAL if unique is False else _SUPPORT
    certificate = with_error(certificate, error, x, 1e-9)
    return Solution(
        x=x,
        dual=s,
        log_scale=None,
        status=outcome(certificate, problem, x, error),
        stats=Stats(method=method, steps=steps, seconds=seconds, notes=() if error < np.inf else (reason,), cites=keys),
        certificate=certificate,
        unique=unique,
        error=error,
    )
