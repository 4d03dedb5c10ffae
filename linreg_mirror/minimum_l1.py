"""The limit of vanishing scale: the interpolator of least L1 norm, exactly."""

import time as clock
from typing import Literal

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from linreg_mirror._blas import one_thread
from linreg_mirror.certificates import l1_certificate, l1_unique
from linreg_mirror.dual_newton import DualNewton
from linreg_mirror.limits import continuation_path
from linreg_mirror.losses import Array
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.problem import Problem
from linreg_mirror.trajectory import Certificate, Solution, Stats, Status

# Off the support x_i is about exp(-L (1 - |X_i's|)), L = log(1/b): at this L it vanishes for any slack over 1e-4.
_LARGEST_L = 4e5


def minimum_l1(problem: Problem, method: Literal["mirror", "highs", "cvxpy"] = "mirror") -> Solution:
    """Return argmin{|x|_1 : Xx = y} with exact zeros, a dual vector and a verdict on uniqueness.

    Parameters
    ----------
    problem : Problem
        X is (n, d). If Xx = y has no solution, the minimum is taken over the least-squares solutions and the status is
        `inconsistent`.
    method : {"mirror", "highs", "cvxpy"}
        "mirror": follow the mirror limit as its scale b falls; its dual divided by log(1/b) tends to the dual of the
        linear programme, from which a vertex is read off and certified. "highs" (scipy's dual simplex) and "cvxpy"
        (Clarabel) are independent routes for comparison.

    Returns
    -------
    Solution
        `dual` is s with |X's| <= 1 and X_i's = sign x_i on the support, so that <y, s> = |x|_1. `certificate` holds
        the duality gap, relative to |x|_1. `unique` says whether another solution exists. A vertex is returned, so at
        most rank(X) entries are not zero; with "cvxpy" an interior point of the set of solutions may be.

    Notes
    -----
    The scale -> 0 limit of Woodworth et al. (2020) and Mask in the Mirror (arXiv 2408.09966).
    """
    if method == "mirror":
        return _through_the_mirror(problem)
    from linreg_mirror import references

    if method == "highs":
        return references.minimum_l1_highs(problem)
    if method == "cvxpy":
        return references.minimum_l1_cvxpy(problem)
    raise ValueError(f'method must be "mirror", "highs" or "cvxpy", got {method!r}')


def _through_the_mirror(problem: Problem) -> Solution:
    started = clock.perf_counter()
    X, y, basis = problem.X, problem.y, None
    if problem.rank < problem.n:
        basis = problem.range_basis
        X, y = basis.T @ X, basis.T @ y
    reduced = Problem(X, y)
    newton = DualNewton(np.ascontiguousarray(X), y)
    best: tuple[Array, Array, Certificate] | None = None
    if not y.any():
        best = np.zeros(problem.d), np.zeros(len(y)), l1_certificate(reduced, np.zeros(problem.d), np.zeros(len(y)))
    else:
        with one_thread():
            # Scales are relative to the size of the minimum-norm interpolator.
            size = float(np.abs(newton.minimum_norm(y)[1]).max())
            mirror = Hyperbolic(np.full(problem.d, np.log(size) - _LARGEST_L), np.zeros(problem.d))
            for stage in continuation_path(newton, mirror, 0.0, 1e-9):
                candidate = _vertex(reduced, mirror, stage.z0, stage.A, stage.nu)
                if candidate is not None and (best is None or _gap(candidate) < _gap(best)):
                    best = candidate
                if best is not None and best[2].valid:
                    break
    if best is None:
        raise ArithmeticError("no vertex was found at any scale: try minimum_l1(problem, method='highs')")
    x, s, _ = best
    s = s if basis is None else basis @ s
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
        stats=Stats(
            method="mirror limit as b -> 0, then a vertex",
            steps=newton.iterations,
            evaluations=newton.products,
            factorizations=newton.factorizations,
            seconds=clock.perf_counter() - started,
        ),
        certificate=certificate,
        unique=l1_unique(problem, x, s) if certificate.valid else None,
    )


def _gap(candidate: tuple[Array, Array, Certificate]) -> float:
    return candidate[2]["duality gap"].value + candidate[2]["dual feasibility"].value


def _vertex(
    problem: Problem, mirror: Hyperbolic, z0: Array, A: float, nu: Array
) -> tuple[Array, Array, Certificate] | None:
    """Guess the vertex that the mirror limit at this scale is near to, and certify the guess."""
    X, y = problem.X, problem.y
    z = z0 + X.T @ nu
    x = mirror.primal(z, A)
    basis = _basis(X, np.abs(x))
    values = _solve_on(X, y, basis)
    large = np.abs(values) > 1e-11 * np.abs(values).max()
    if not large.all():  # what vanishes is dropped, and the rest solved again without it
        basis = basis[large]
        values = _solve_on(X, y, basis)
    if np.abs(X[:, basis] @ values - y).max() > 1e-10 * np.abs(y).max() or (values * x[basis] < 0).any():
        return None
    vertex = np.zeros(problem.d)
    vertex[basis] = values
    # The dual of the limit, divided by the exponent of a weight of size one, is the dual of the linear programme up to
    # terms of order 1/L; least squares on the support removes those.
    s = 2 * nu / max(float(np.abs(2 * (z - z0)).max()), np.finfo(float).tiny)
    s = s + np.linalg.lstsq(X[:, basis].T, np.sign(values) - X[:, basis].T @ s)[0]
    return vertex, s, l1_certificate(problem, vertex, s)


def _basis(X: Array, size: Array) -> NDArray[np.intp]:
    """Return linearly independent columns, heavy ones first; of equal columns only one."""
    heavy = np.argsort(-size)[: min(X.shape[1], 2 * X.shape[0])]
    heavy = heavy[size[heavy] > 1e-14 * size[heavy[0]]]
    factors = scipy.linalg.qr(X[:, heavy] * size[heavy], mode="r", pivoting=True, check_finite=False)
    pivots, order = np.abs(np.diag(factors[0])), factors[-1]
    return heavy[order[: np.count_nonzero(pivots > 1e-13 * pivots[0])]]


def _solve_on(X: Array, y: Array, basis: NDArray[np.intp]) -> Array:
    return np.linalg.lstsq(X[:, basis], y)[0]
