"""A vertex of least L1 norm, read off mirror limits of falling scale."""

from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from linreg_mirror._tools import matrices
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.problems import Problem
from linreg_mirror.problems.problem import independent
from linreg_mirror.solvers.certificates import l1_certificate
from linreg_mirror.solvers.error_bars import central_duals
from linreg_mirror.solvers.limit._limit import Stage, continuation_path
from linreg_mirror.solvers.limit.crossover import pivot_to_optimum
from linreg_mirror.solvers.limit.dual_newton import DualNewton
from linreg_mirror.solvers.results import Certificate

# Off the support x_i is about exp(-L (1 - |X_i's|)), L = log(1/b): at this L it vanishes for any slack over 1e-4.
LARGEST_L = 4e5
_DENSE = 10**7  # entries of a sparse X that are made dense at once
_ACCURATE = 1e-9  # residual, relative to y, of weights that may be the answer
_ZERO = 1e-11  # of the largest entry: what a linear solve leaves of an entry that is zero
_HEAVY = 4  # times n columns are enough to find most of a basis among
_PIVOTS = 20  # times n, a budget: from the third scale on a few times n are usual
_CHEAP = 8_000  # of weights with the wrong sign times n: pivots are cheaper than a smaller scale


class Vertex(NamedTuple):
    """Weights, shape (d,), of which at most n are not zero, a dual vector, shape (n,), and how good they are."""

    x: Array
    s: Array
    certificate: Certificate


def least_vertex(problem: Problem, newton: DualNewton) -> Vertex:
    """Follow the mirror limit as its scale falls until a vertex of least L1 norm can be read off; return the best.

    Parameters
    ----------
    problem : Problem
        X of full row rank.
    newton : DualNewton
        Of it.
    """
    best = _certified(problem, np.arange(0), np.zeros(0), np.zeros(problem.n))  # x = 0, the answer for y = 0
    if best.certificate.valid:
        return best
    mirror = entropy(newton, LARGEST_L)
    for count, stage in enumerate(continuation_path(newton, mirror, 0.0, 1e-9)):
        # At the first scales the order of weights says little yet.
        vertex = _vertex(problem, mirror, stage) if count > 1 or stage.potential.last else None
        best = best if vertex is None else min(best, vertex, key=_gap)
        if best.certificate.valid:
            break
    return best


def entropy(newton: DualNewton, L: float) -> Hyperbolic:
    """Return the entropy of scale exp(-L), relative to the size of the minimum-norm interpolator."""
    size = float(np.abs(newton.minimum_norm(newton.y)[1]).max())
    d = newton.X.shape[1]
    return Hyperbolic(np.full(d, np.log(size) - L), np.zeros(d))


def _vertex(problem: Problem, mirror: Hyperbolic, stage: Stage) -> Vertex | None:
    """Read a vertex off the mirror limit at this scale, with a dual vector, and certify it; None if it is too early."""
    try:
        return _read_off(problem, mirror, stage)
    except np.linalg.LinAlgError:  # a basis that is singular but for rounding
        return None


def _read_off(problem: Problem, mirror: Hyperbolic, stage: Stage) -> Vertex | None:
    X, y, n = problem.X, problem.y, problem.n
    z0, A, _, last = stage.potential
    z = z0 + stage.pull
    x = mirror.primal(z, A)
    basis = heavy_basis(X, np.abs(x))
    chosen = matrices.columns(X, basis)
    values = np.linalg.lstsq(chosen, y)[0] if len(basis) < n else np.linalg.solve(chosen, y)
    large = np.abs(values) > _ZERO * np.abs(values).max()
    wrong = np.count_nonzero(values[large] * x[basis[large]] < 0)
    if large.all() and len(basis) == n:
        # Each weight with the wrong sign takes a few pivots, and each of these n^2.
        if wrong > max(1 + n // 20, _CHEAP // n) and not last:
            return None
        likely = np.argpartition(-np.abs(x), min(_HEAVY * n, problem.d) - 1)[: _HEAVY * n]
        return _certified(problem, *pivot_to_optimum(X, y, basis, _PIVOTS * n, likely))
    # Fewer weights than samples: the dual is not unique, and the limit's own, divided by the exponent of a weight of
    # size one, is one of them up to terms of order 1/L. Least squares on the support removes those.
    support, chosen = basis[large], chosen[:, large]
    values = np.linalg.lstsq(chosen, y)[0]
    s = 2 * stage.nu / max(float(np.abs(2 * (z - z0)).max()), np.finfo(float).tiny)
    s = s + np.linalg.lstsq(chosen.T, np.sign(values) - chosen.T @ s)[0]
    vertex = _certified(problem, support, values, s)
    fits = np.abs(chosen @ values - y).max() <= _ACCURATE * np.abs(y).max()
    if fits and not vertex.certificate.valid and matrices.is_dense(X):
        s = central(X, support, np.sign(values))
        vertex = min(vertex, _certified(problem, support, values, s), key=_gap)
    if last and len(basis) == n and not vertex.certificate.valid:
        return _certified(problem, *pivot_to_optimum(X, y, basis, _PIVOTS * n))
    return vertex


def central(X: Array, support: NDArray[np.intp], signs: Array) -> Array:
    """Return a dual vector that meets the signs, away from the thresholds of other columns if there is one."""
    wanted = np.zeros(X.shape[1])
    wanted[support] = signs
    s, transposed = central_duals(X[None], wanted[None], worthwhile=0.1)[0], X[:, support].T
    return s + np.linalg.lstsq(transposed, signs - transposed @ s)[0]


def _certified(problem: Problem, basis: NDArray[np.intp], values: Array, s: Array) -> Vertex:
    large = np.abs(values) > _ZERO * np.abs(values).max(initial=0.0)
    if not large.all():
        basis = basis[large]
        values = np.linalg.lstsq(matrices.columns(problem.X, basis), problem.y)[0]
    x = np.zeros(problem.d)
    x[basis] = values
    return Vertex(x, s, l1_certificate(problem, x, s))


def _gap(vertex: Vertex) -> float:
    return excess(vertex.certificate)


def excess(certificate: Certificate) -> float:
    """Return how far its checks are from where they hold, in their tolerances."""
    return sum(max(0.0, check.value / check.tolerance) for check in certificate.checks)


def heavy_basis(X: matrices.Matrix, size: Array) -> NDArray[np.intp]:
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
