"""The limit of vanishing scale: the interpolator of least L1 norm, exactly."""

import time as clock
from contextlib import suppress
from dataclasses import replace
from typing import Literal, NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from linreg_mirror._tools import double_double, matrices
from linreg_mirror._tools.blas import one_thread
from linreg_mirror._tools.cites import cited, cites
from linreg_mirror._tools.double_double import Pair
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.problems import Problem
from linreg_mirror.problems.calls import takes_problem
from linreg_mirror.problems.problem import independent
from linreg_mirror.solvers.certificates import l1_certificate, l1_unique, outcome, with_error
from linreg_mirror.solvers.error_bars import (
    SEVERAL,
    UNDECIDED,
    Rows,
    VertexBar,
    central_duals,
    proving_rows,
    vertex_bar,
)
from linreg_mirror.solvers.independent import ROUTES
from linreg_mirror.solvers.limit._limit import Stage, continuation_path
from linreg_mirror.solvers.limit.crossover import pivot_to_optimum
from linreg_mirror.solvers.limit.dual_newton import DualNewton
from linreg_mirror.solvers.limit.graded import graded_limit
from linreg_mirror.solvers.results import Certificate, Solution, Stats

# Off the support x_i is about exp(-L (1 - |X_i's|)), L = log(1/b): at this L it vanishes for any slack over 1e-4.
_LARGEST_L = 4e5
_DENSE = 10**7  # entries of a sparse X that are made dense at once
_PROVED = 1e-10  # relative error of x with which one rests content
_ACCURATE = 1e-9  # residual, relative to y, of weights that may be the answer
_ZERO = 1e-11  # of the largest entry: what a linear solve leaves of an entry that is zero


@cites("woodworth2020kernel", "jacobs2025mask")
@takes_problem("minimum_l1(problem)")
@np.errstate(all="ignore")  # what overflows fails the certificate
def minimum_l1(problem: Problem, method: Literal["mirror", "highs", "cvxpy"] = "mirror") -> Solution:
    """Return argmin{|x|_1 : Xx = y}, basis pursuit, with exact zeros, a dual vector and a verdict on uniqueness.

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
        the duality gap, relative to |x|_1, and `error` a proved bound on |x - x*|_1, x* being the minimiser for the
        floats X and y, where it is unique; the status is `converged` where that is at most 1e-9 |x|_1. `unique` says
        whether another solution exists: then there is no x* to be near, and the status is `unproved`, though the gap
        still tells |x|_1 from the least. A vertex is returned, so at most rank(X) entries are not zero; with "cvxpy"
        an interior point of the set of solutions may be.

    Raises
    ------
    ValueError
        If there is no such method.
    ArithmeticError
        If HiGHS or Clarabel gives up on X and y.

    See Also
    --------
    linreg_mirror.minimum_l1s : Of many problems of one size at once.
    linreg_mirror.minimum_l2 : Of least L2 norm.
    linreg_mirror.limit : All between the two.

    Notes
    -----
    The scale -> 0 limit of Woodworth et al. (2020) and Mask in the Mirror (arXiv 2408.09966).

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> solution = lm.minimum_l1(lm.Problem([[1, 2]], [2]))
    >>> solution.x.round(6).tolist(), solution.dual.round(6).tolist(), solution.unique
    ([0.0, 1.0], [0.5], True)
    """
    if method == "mirror":
        return _through_the_mirror(problem)
    if method in ROUTES:
        return ROUTES[method](problem)
    raise ValueError(f'method must be "mirror", "highs" or "cvxpy", got {method!r}')


class _Vertex(NamedTuple):
    x: Array
    s: Array
    certificate: Certificate


@one_thread()
def _through_the_mirror(problem: Problem) -> Solution:
    started = clock.perf_counter()
    matrices.require_entries(problem.X, "minimum_l1", "limit(problem, Hadamard.from_scale(1e-6, d=problem.d))")
    matrices.require_gram(problem.X, "minimum_l1", 'minimum_l1(problem, method="highs")')
    rows = proving_rows(problem)
    reduced, lift = problem.reduced() if isinstance(rows, str) else (rows.computed, rows.step)
    newton = DualNewton.of(reduced)
    best = _certified(reduced, np.arange(0), np.zeros(0), np.zeros(reduced.n))  # x = 0, the answer for y = 0
    if not best.certificate.valid:
        mirror = _entropy(newton, _LARGEST_L)
        for stage in continuation_path(newton, mirror, 0.0, 1e-9):
            vertex = _vertex(reduced, mirror, stage)
            best = best if vertex is None else min(best, vertex, key=_gap)
            if best.certificate.valid:
                break
    stats = Stats(
        method="mirror limit as b -> 0, then a vertex",
        steps=newton.iterations,
        evaluations=newton.products,
        factorizations=newton.factorizations,
        cites=cited(minimum_l1),
    )
    if not isinstance(rows, str) and best.x.any():
        plain = VertexBar(best.x, Pair.of(lift(best.s)), np.inf)
        found = _proved(rows, newton, plain.x, plain.s)
        if not found.error < np.inf:
            found = min(found, plain, key=lambda vertex: _excess(_certificate(problem, rows, vertex)))
        return _bounded(problem, rows, found, stats, started)
    s = lift(best.s) if isinstance(rows, str) else rows.unscaled(Pair.of(lift(best.s))).hi
    error = np.inf if problem.y.any() else 0.0  # x = 0 is the answer for y = 0, whatever X is
    certificate = with_error(l1_certificate(problem, best.x, s), error, best.x, 1e-9)
    return Solution(
        x=best.x,
        dual=s,
        log_scale=None,
        status=outcome(certificate, problem, best.x, error),
        stats=replace(
            stats, seconds=clock.perf_counter() - started, notes=(rows,) if isinstance(rows, str) and error else ()
        ),
        certificate=certificate,
        unique=l1_unique(problem, best.x, s) if certificate.valid else None,
        error=error,
    )


def _entropy(newton: DualNewton, L: float) -> Hyperbolic:
    """Return the entropy of scale exp(-L), relative to the size of the minimum-norm interpolator."""
    size = float(np.abs(newton.minimum_norm(newton.y)[1]).max())
    d = newton.X.shape[1]
    return Hyperbolic(np.full(d, np.log(size) - L), np.zeros(d))


def _proved(rows: Rows, newton: DualNewton, x: Array, s: Pair) -> VertexBar:
    """Bound the error of a vertex; where nothing comes of it, find the vertex that rounding of y leads to."""
    support = np.flatnonzero(x)
    found = vertex_bar(rows, support, s)
    if not np.isfinite(found.error) and len(support) < len(rows.y):
        central = _central(rows.M, support, np.sign(x[support]))
        found = min(found, vertex_bar(rows, support, Pair.of(rows.step(central))), key=lambda vertex: vertex.error)
    if found.error <= _PROVED * float(np.abs(found.x).sum()):
        return found
    # The last weights are what rounding has left of y; in float64 there is no telling them from zero.
    rows = rows.sharpened()
    found = min(found, vertex_bar(rows, np.flatnonzero(x), s), key=lambda vertex: vertex.error)
    for L in (_LARGEST_L, 1e-1 * _LARGEST_L, 1e-2 * _LARGEST_L):
        if found.error <= _PROVED * float(np.abs(found.x).sum()):
            break
        limit = graded_limit(rows, _entropy(newton, L), 0.0, 1e-6)
        if not np.isfinite(limit.error):
            continue
        size = np.abs(limit.x)
        slopes = float(np.abs(double_double.transposed_product(rows.X, limit.s).hi).max()) or 1.0
        s = Pair(limit.s.hi / -slopes, limit.s.lo / -slopes)
        basis = _basis(rows.M, size)
        supports = [np.flatnonzero(size), basis]
        if len(basis) == len(s.hi):
            # What is still asleep at this scale may yet replace the smallest of those awake.
            with suppress(np.linalg.LinAlgError):
                supports.append(pivot_to_optimum(rows.M, rows.computed.y, basis, pivots=20)[0])
        for support in supports:
            found = min(found, vertex_bar(rows, support, s), key=lambda vertex: vertex.error)
    return found


def _bounded(problem: Problem, rows: Rows, found: VertexBar, stats: Stats, started: float) -> Solution:
    """Return the solution of least L1 norm that a bar was found for, with its certificate."""
    x, s = found.x, rows.unscaled(found.s)
    certificate = _certificate(problem, rows, found)
    unique = True if found.error < np.inf else l1_unique(problem, x, s.hi) if certificate.valid else None
    notes = () if found.error < np.inf else (SEVERAL if unique is False else UNDECIDED,)
    certificate = with_error(certificate, found.error, x, 1e-9)
    return Solution(
        x=x,
        dual=s.hi,
        log_scale=None,
        status=outcome(certificate, problem, x, found.error),
        stats=replace(stats, seconds=clock.perf_counter() - started, notes=(*stats.notes, *notes)),
        certificate=certificate,
        unique=unique,
        error=found.error,
        dual_rest=s.lo,
    )


def _certificate(problem: Problem, rows: Rows, vertex: VertexBar) -> Certificate:
    s = rows.unscaled(vertex.s)
    return l1_certificate(problem, vertex.x, s.hi, rest=s.lo)


def _vertex(problem: Problem, mirror: Hyperbolic, stage: Stage) -> _Vertex | None:
    """Read a vertex off the mirror limit at this scale, with a dual vector, and certify it; None if it is too early."""
    try:
        return _read_off(problem, mirror, stage)
    except np.linalg.LinAlgError:  # a basis that is singular but for rounding
        return None


def _read_off(problem: Problem, mirror: Hyperbolic, stage: Stage) -> _Vertex | None:
    X, y, n = problem.X, problem.y, problem.n
    z0, A, _, last = stage.potential
    z = z0 + X.T @ stage.nu
    x = mirror.primal(z, A)
    basis = _basis(X, np.abs(x))
    chosen = matrices.columns(X, basis)
    values = np.linalg.lstsq(chosen, y)[0] if len(basis) < n else np.linalg.solve(chosen, y)
    large = np.abs(values) > _ZERO * np.abs(values).max()
    wrong = np.count_nonzero(values[large] * x[basis[large]] < 0)
    if large.all() and len(basis) == n:
        # Many weights with the wrong sign would take many pivots; a smaller scale costs less.
        if wrong > 1 + n // 50 and not last:
            return None
        return _certified(problem, *pivot_to_optimum(X, y, basis, pivots=5 * n if last else 20 + n // 4))
    # Fewer weights than samples: the dual is not unique, and the limit's own, divided by the exponent of a weight of
    # size one, is one of them up to terms of order 1/L. Least squares on the support removes those.
    support, chosen = basis[large], chosen[:, large]
    values = np.linalg.lstsq(chosen, y)[0]
    s = 2 * stage.nu / max(float(np.abs(2 * (z - z0)).max()), np.finfo(float).tiny)
    s = s + np.linalg.lstsq(chosen.T, np.sign(values) - chosen.T @ s)[0]
    vertex = _certified(problem, support, values, s)
    fits = np.abs(chosen @ values - y).max() <= _ACCURATE * np.abs(y).max()
    if fits and not vertex.certificate.valid and matrices.is_dense(X):
        s = _central(X, support, np.sign(values))
        vertex = min(vertex, _certified(problem, support, values, s), key=_gap)
    if last and len(basis) == n and not vertex.certificate.valid:
        return _certified(problem, *pivot_to_optimum(X, y, basis, pivots=5 * n))
    return vertex


def _central(X: Array, support: NDArray[np.intp], signs: Array) -> Array:
    """Return a dual vector that meets the signs, away from the thresholds of other columns if there is one."""
    wanted = np.zeros(X.shape[1])
    wanted[support] = signs
    s, transposed = central_duals(X[None], wanted[None])[0], X[:, support].T
    return s + np.linalg.lstsq(transposed, signs - transposed @ s)[0]


def _certified(problem: Problem, basis: NDArray[np.intp], values: Array, s: Array) -> _Vertex:
    large = np.abs(values) > _ZERO * np.abs(values).max(initial=0.0)
    if not large.all():
        basis = basis[large]
        values = np.linalg.lstsq(matrices.columns(problem.X, basis), problem.y)[0]
    x = np.zeros(problem.d)
    x[basis] = values
    return _Vertex(x, s, l1_certificate(problem, x, s))


def _gap(vertex: _Vertex) -> float:
    return _excess(vertex.certificate)


def _excess(certificate: Certificate) -> float:
    return sum(max(0.0, check.value / check.tolerance) for check in certificate.checks)


def _basis(X: matrices.Matrix, size: Array) -> NDArray[np.intp]:
    """Return linearly independent columns, heavy ones first; of equal columns only one."""
    n, d = X.shape
    by_size = np.argsort(-size)
    if independent(matrices.columns(X, by_size[:n])):
        return by_size[:n]
    basis = by_size[:0]
    # All of them only if copies crowd the heavy ones; of a sparse X as many as are easily made dense.
    most = d if matrices.is_dense(X) else max(2 * n, _DENSE // n)
    for heavy in (by_size[: 2 * n], by_size[:most]):
        # Weights below rounding still have an order, and tell which columns are next to enter.
        weight = np.maximum(size[heavy] / size[heavy[0]], 1e-8)
        factors = scipy.linalg.qr(matrices.columns(X, heavy) * weight, mode="r", pivoting=True, check_finite=False)
        pivots, order = np.abs(np.diag(factors[0])), factors[-1]
        basis = heavy[order[: np.count_nonzero(pivots > 1e-14 * pivots[0])]]
        if len(basis) == min(n, d):
            break
    return basis
