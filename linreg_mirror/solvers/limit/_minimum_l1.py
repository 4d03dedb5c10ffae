"""The limit of vanishing scale: the interpolator of least L1 norm, exactly."""

import time as clock
from contextlib import suppress
from dataclasses import replace
from typing import Literal

import numpy as np

from linreg_mirror._tools import double_double, matrices
from linreg_mirror._tools.blas import one_thread
from linreg_mirror._tools.cites import cited, cites
from linreg_mirror._tools.double_double import Pair
from linreg_mirror._types import Array
from linreg_mirror.problems import Problem
from linreg_mirror.problems.calls import takes_problem
from linreg_mirror.solvers.certificates import l1_certificate, l1_unique, outcome, with_error
from linreg_mirror.solvers.error_bars import SEVERAL, UNDECIDED, Rows, VertexBar, proving_rows, vertex_bar
from linreg_mirror.solvers.independent import ROUTES
from linreg_mirror.solvers.limit.crossover import pivot_to_optimum
from linreg_mirror.solvers.limit.dual_newton import DualNewton
from linreg_mirror.solvers.limit.graded import graded_limit
from linreg_mirror.solvers.limit.vertices import LARGEST_L, central, entropy, excess, heavy_basis, least_vertex
from linreg_mirror.solvers.results import Certificate, Solution, Stats

_PROVED = 1e-10  # relative error of x with which one rests content


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


@one_thread()
def _through_the_mirror(problem: Problem) -> Solution:
    started = clock.perf_counter()
    matrices.require_entries(problem.X, "minimum_l1", "limit(problem, Hadamard.from_scale(1e-6, d=problem.d))")
    matrices.require_gram(problem.X, "minimum_l1", 'minimum_l1(problem, method="highs")')
    rows = proving_rows(problem)
    reduced, lift = problem.reduced() if isinstance(rows, str) else (rows.computed, rows.step)
    newton = DualNewton.of(reduced)
    best = least_vertex(reduced, newton)
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
            found = min(found, plain, key=lambda vertex: excess(_certificate(problem, rows, vertex)))
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


def _proved(rows: Rows, newton: DualNewton, x: Array, s: Pair) -> VertexBar:
    """Bound the error of a vertex; where nothing comes of it, find the vertex that rounding of y leads to."""
    support = np.flatnonzero(x)
    found = vertex_bar(rows, support, s)
    if not np.isfinite(found.error) and len(support) < len(rows.y):
        dual = central(rows.M, support, np.sign(x[support]))
        found = min(found, vertex_bar(rows, support, Pair.of(rows.step(dual))), key=lambda vertex: vertex.error)
    if found.error <= _PROVED * float(np.abs(found.x).sum()):
        return found
    # The last weights are what rounding has left of y; in float64 there is no telling them from zero.
    rows = rows.sharpened()
    found = min(found, vertex_bar(rows, np.flatnonzero(x), s), key=lambda vertex: vertex.error)
    for L in (LARGEST_L, 1e-1 * LARGEST_L, 1e-2 * LARGEST_L):
        if found.error <= _PROVED * float(np.abs(found.x).sum()):
            break
        limit = graded_limit(rows, entropy(newton, L), 0.0, 1e-6)
        if not np.isfinite(limit.error):
            continue
        size = np.abs(limit.x)
        slopes = float(np.abs(double_double.transposed_product(rows.X, limit.s).hi).max()) or 1.0
        s = Pair(limit.s.hi / -slopes, limit.s.lo / -slopes)
        basis = heavy_basis(rows.M, size)
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
