"""Coordinates in which rows of X are nearly orthonormal, and how far from exact they are."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.linalg import LinAlgError

from linreg_mirror._tools import matrices
from linreg_mirror._tools.double_double import Pair, matrix_residual, product
from linreg_mirror._types import Array
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.error_bars.repeats import Repeats, repeats

UNIT = float(np.finfo(float).eps) / 2  # the unit roundoff
_SMALL = 10**6  # entries of a sparse X that is made dense
_WELL = 1e-6  # 1/condition of XX' above which rows stay as they are
_HOPELESS = 1e-14  # below which its Cholesky factor makes no rows that are nearly orthonormal


@dataclass(frozen=True, eq=False)
class Rows:
    """X = R'M with M of nearly orthonormal rows, or M = X where X is well conditioned.

    Dual vectors s' = Rs belong to the rows of M: M's' = X's.

    Attributes
    ----------
    problem : Problem
        The rows and targets as given but for repeats, scaled by powers of two, which is exact.
    computed : Problem
        M and R'^-1 y: what is computed with.
    exponents : array of int, shape (n,)
        Row i of X is 2^exponents[i] times the user's.
    R, inverse : array, shape (n, n), or None
        Upper triangular; None stands for the identity.
    column_error : array, shape (d,)
        Upper bounds of |R'^-1 X_j - M_j|_2.
    condition : float
        Frobenius norm of R times that of its inverse.
    repeats : Repeats or None
        Which of the user's rows repeat others; None stands for none.
    """

    problem: Problem
    computed: Problem
    exponents: Array
    R: Array | None
    inverse: Array | None
    column_error: Array
    condition: float
    repeats: Repeats | None = None

    @property
    def X(self) -> Array:
        """The rows as given, scaled, shape (n, d)."""
        return self.problem.X

    @property
    def y(self) -> Array:
        """Their targets, shape (n,)."""
        return self.problem.y

    @property
    def M(self) -> Array:
        """The rows that are computed with, shape (n, d)."""
        return self.computed.X

    @cached_property
    def lengths(self) -> Array:
        """Norms of the columns of X, shape (d,)."""
        return matrices.lengths(self.X)

    @classmethod
    def of(cls, problem: Problem) -> "Rows":
        """Choose coordinates for a dense X of full row rank.

        Parameters
        ----------
        problem : Problem
            X is an array.

        Raises
        ------
        LinAlgError
            If a row is zero, or X is singular in float64.
        """
        X, (n, d) = problem.X, problem.X.shape
        norms = np.sqrt(np.diag(problem.gram))
        if not norms.all() or n > d:
            raise LinAlgError("rows of X are dependent")
        if _inverse_condition(problem.gram) > _WELL:
            return cls(problem, problem, np.zeros(n, int), None, None, np.zeros(d), 1.0)
        exponents = -np.rint(np.log2(norms)).astype(int)
        problem = Problem(np.ldexp(X, exponents[:, None]), np.ldexp(problem.y, exponents), problem.loss)
        X, y = problem.X, problem.y
        R, M = _orthonormalised(problem)
        inverse = scipy.linalg.solve_triangular(R, np.eye(len(R)), check_finite=False)
        size = float(np.linalg.norm(R))
        condition = size * float(np.linalg.norm(inverse))
        if not n * condition * UNIT < 0.1:
            raise LinAlgError("rows of X are dependent in float64")
        size_of_inverse = _size_of_inverse(inverse, condition)
        left = matrices.lengths(X - R.T @ M)
        rounding = (len(R) + 3) * UNIT * (matrices.lengths(X) + size * matrices.lengths(M))
        computed = Problem(M, scipy.linalg.solve_triangular(R, y, trans=1, check_finite=False), problem.loss)
        error = 1.01 * size_of_inverse * (left + rounding)
        return cls(problem, computed, exponents, R, inverse, error, condition)

    def sharpened(self) -> "Rows":
        """Return the same coordinates with M right to the last place: for Hessians that are nearly singular."""
        if self.R is None or self.inverse is None:
            return self
        M = self.M
        for _ in range(3):
            left = matrix_residual(self.X, self.R, M)
            M = M + scipy.linalg.solve_triangular(self.R, left, trans=1, check_finite=False)
        left = matrices.lengths(matrix_residual(self.X, self.R, M))
        sizes = self.lengths + float(np.linalg.norm(self.R)) * matrices.lengths(M)
        rounding = UNIT * left + (2 * len(self.R) * UNIT) ** 2 * sizes
        computed = Problem(M, self.computed.y, self.problem.loss)
        return replace(
            self,
            computed=computed,
            column_error=1.01 * _size_of_inverse(self.inverse, self.condition) * (left + rounding),
        )

    def on(self, support: NDArray[np.intp]) -> "Rows":
        """Return the same coordinates with some of the columns."""
        problem, computed = (
            Problem(np.ascontiguousarray(of.X[:, support]), of.y, of.loss) for of in (self.problem, self.computed)
        )
        return replace(self, problem=problem, computed=computed, column_error=self.column_error[support])

    def scaled(self, s: Pair) -> Pair:
        """Return the dual vector of the scaled rows for one of the user's, up to rounding where rows repeat others."""
        s = s if self.repeats is None else Pair(*map(self.repeats.merged, s))
        return Pair(np.ldexp(s.hi, -self.exponents), np.ldexp(s.lo, -self.exponents))

    def unscaled(self, s: Pair) -> Pair:
        """Return the dual vector of the user's rows for one of the scaled ones."""
        s = Pair(np.ldexp(s.hi, self.exponents), np.ldexp(s.lo, self.exponents))
        return s if self.repeats is None else Pair(*map(self.repeats.spread, s))

    def residual(self, r: Array) -> tuple[Array, float]:
        """Return R'^-1 r, and a bound on its relative error in the 2-norm."""
        if self.R is None:
            return r, 0.0
        lost = (len(r) + 1) * UNIT * self.condition
        return scipy.linalg.solve_triangular(self.R, r, trans=1, check_finite=False), lost / max(1 - lost, 0.5)

    def inexact_residual(self, x: Pair) -> tuple[Array, float]:
        """Return R'^-1 (y - Xx), and a bound on its error in the 2-norm."""
        r = (Pair.of(self.y) - product(self.X, x)).hi
        inexact = 2 * UNIT * float(np.linalg.norm(r)) + (2 * (self.X.shape[1] + 2) * UNIT) ** 2 * float(
            self.lengths @ np.abs(x.hi) + np.linalg.norm(self.y)
        )
        left, relative = self.residual(r)
        size_of_inverse = 1.0 if self.inverse is None else _size_of_inverse(self.inverse, self.condition)
        return left, relative * float(np.linalg.norm(left)) + 1.01 * size_of_inverse * inexact

    def step(self, dual: Array) -> Array:
        """Return R^-1 times a step of the dual in the rows of M: one in the scaled rows."""
        return dual if self.R is None else scipy.linalg.solve_triangular(self.R, dual, check_finite=False)


def _orthonormalised(problem: Problem) -> tuple[Array, Array]:
    """Return R and M, X = R'M up to rounding, R upper triangular, rows of M orthonormal, or within 1e-4 of it."""
    R, M, gram = np.eye(problem.n), problem.X, problem.gram
    # A second time, where the first has left them as far from orthonormal as u times the condition number of XX'.
    for enough in (1e-12, 1e-4):
        inverse_condition = _inverse_condition(gram)
        if not inverse_condition > _HOPELESS:
            break
        factor = scipy.linalg.cholesky(gram, check_finite=False)
        R, M = factor @ R, scipy.linalg.solve_triangular(factor, M, trans=1, check_finite=False)
        if inverse_condition > enough:
            return R, M
        gram = matrices.gram(M)
    Q, R = np.linalg.qr(problem.X.T)
    return R, np.ascontiguousarray(Q.T)


def _size_of_inverse(inverse: Array, condition: float) -> float:
    """Return an upper bound of the Frobenius norm of the exact inverse: by substitution it is wrong by n u cond."""
    return float(np.linalg.norm(inverse)) / (1 - 2 * len(inverse) * UNIT * condition)


def proving_rows(problem: Problem) -> Rows | str:
    """Return coordinates in which errors of x can be bounded, or why there are none.

    Parameters
    ----------
    problem : Problem
        X of any kind.
    """
    if not matrices.has_entries(problem.X):
        return "no error bar: an operator's products may be wrong by anything"
    if not matrices.is_dense(problem.X):
        X = matrices.dense_if_small(problem.X) if np.prod(problem.X.shape) <= _SMALL else None
        if X is None:
            return "no error bar: X is sparse and large; give it as a dense array"
        problem = Problem(X, problem.y, problem.loss)
    try:
        return Rows.of(problem)
    except LinAlgError as error:
        reason = f"no error bar: {error}, so that rounding decides whether Xx = y has a solution"
    found = repeats(problem.X, problem.y)
    if found is not None:
        try:
            rows = Rows.of(Problem(problem.X[found.kept], problem.y[found.kept], problem.loss))
            return replace(rows, repeats=found)
        except LinAlgError:
            pass
    return reason + _remedy(problem)


def _remedy(problem: Problem) -> str:
    """Say which rows to leave out, where others imply them: of centred data that is one of them."""
    implied = problem.n - problem.rank
    if not 0 < implied <= 3 or problem.inconsistency > 1e-10:
        return ""
    order = scipy.linalg.qr(problem.X.T, mode="r", pivoting=True, check_finite=False)[-1]
    rows = sorted(map(int, order[problem.rank :]))
    return f"; others imply rows {rows}: write Problem(np.delete(X, {rows}, 0), np.delete(y, {rows}))"


def _inverse_condition(gram: Array) -> float:
    """Return LAPACK's estimate of 1/condition; 0 where there is no Cholesky factor."""
    try:
        factor = scipy.linalg.cholesky(gram, check_finite=False)
    except LinAlgError:
        return 0.0
    (estimate,) = scipy.linalg.get_lapack_funcs(("pocon",), (factor,))
    return float(estimate(factor, float(np.abs(gram).sum(axis=0).max()))[0])
