"""Newton's method on the convex dual of a Bregman projection onto {Xx = y}."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh

from linreg_mirror import _matrices
from linreg_mirror.losses import Array
from linreg_mirror.mirrors import Mirror
from linreg_mirror.problem import Problem


@dataclass
class DualNewton:
    """Solves X primal(z_0 + X'nu, A) = y for nu in R^n.

    The Hessian X diag(metric) X' is never formed where d is large. Columns are ranked by their weight in it; the
    heaviest enter exactly, all others with the mean of their weights, which costs no more than a multiple of the Gram
    matrix XX' that is computed once. That matrix preconditions conjugate gradients on the true Hessian, two
    matrix-vector products a step.

    Parameters
    ----------
    X : array, shape (n, d)
        Full row rank.
    y : array, shape (n,)
        Targets.
    gram : array, shape (n, n)
        XX'.

    Attributes
    ----------
    iterations, products, factorizations : int
        Newton steps, products with the true Hessian, and preconditioners made so far.
    """

    X: _matrices.Matrix
    y: Array
    gram: Array | None
    iterations: int = 0
    products: int = 0
    factorizations: int = 0

    @classmethod
    def of(cls, problem: Problem) -> "DualNewton":
        """Return the method for a reduced problem, with XX' where that is cheap."""
        return cls(problem.X, problem.y, problem.gram if problem.rank_is_cheap else None)

    @cached_property
    def column_weights(self) -> Array:
        """Squared norms of the columns, shape (d,)."""
        weights = _matrices.column_weights(self.X)
        return np.ones(self.X.shape[1]) if weights is None else weights

    @property
    def exact_columns(self) -> int:
        """How many columns enter the preconditioner exactly."""
        n, d = self.X.shape
        return d if d <= 4 * n else 2 * n

    def minimum_norm(self, residual: Array) -> tuple[Array, Array]:
        """Return nu and x = X'nu, the smallest x with Xx = residual."""
        nu = _inverse(self.gram)(residual)
        return nu, self.X.T @ nu

    def solve(
        self, mirror: Mirror, z0: Array, A: float, nu: Array, tolerance: float, max_iterations: int = 40
    ) -> tuple[Array, float]:
        """Return nu with |X primal(z_0 + X'nu, A) - y|_inf <= tolerance, or where progress ended, and that residual."""
        best, best_residual, stale = nu, np.inf, 0
        for _ in range(max_iterations):
            z = z0 + self.X.T @ nu
            r = self.y - self.X @ mirror.primal(z, A)
            residual = float(np.abs(r).max())
            # Rounding in the exponents ends the quadratic convergence; three steps without progress mean it is reached.
            stale = 0 if residual < 0.5 * best_residual else stale + 1
            if residual < best_residual:
                best, best_residual = nu, residual
            if residual <= tolerance or (stale >= 3 and residual < 1e-6 * np.abs(self.y).max()):
                break
            self.iterations += 1
            nu = self.towards(mirror, z0, A, nu, self.inverse(mirror.metric(z, A))(r))
        return best, best_residual

    def towards(self, mirror: Mirror, z0: Array, A: float, nu: Array, step: Array) -> Array:
        """Return nu + t step, t shortened from 1 until the dual objective no longer rises steeply at the end.

        The objective is convex and its slope costs O(d) a trial.
        """
        z, dz = z0 + self.X.T @ nu, self.X.T @ step
        y_step = float(self.y @ step)
        descent = abs(float(mirror.primal(z, A) @ dz) - y_step)
        t = 1.0
        for _ in range(60):
            if float(mirror.primal(z + t * dz, A) @ dz) - y_step <= 0.5 * descent:
                return nu + t * step
            t *= 0.5
        return nu

    def predict(self, mirror: Mirror, z: Array, A: float, dz0: Array, dA: float, guess: Array) -> Array:
        """Return the change of nu, to first order, when z_0 and A change by dz0 and dA.

        The guess is kept in directions that only columns with vanishing weight see: there the Hessian is below
        rounding and has no say.
        """
        metric = mirror.metric(z, A)
        error = self.X @ (mirror.primal_rate(z, A) * dA + metric * (dz0 + self.X.T @ guess))
        return guess - self.inverse(metric)(error)

    def inverse(self, metric: Array) -> Callable[[Array], Array]:
        """Return v -> (X diag(metric) X')^-1 v."""
        X = self.X
        d = X.shape[1]
        if self.exact_columns == d:
            hessian = _matrices.gram(X, metric)
        else:
            weight = metric * self.column_weights
            heavy = np.argpartition(weight, d - self.exact_columns)[d - self.exact_columns :]
            rest = weight.sum() - weight[heavy].sum()
            mean = max(rest, 0.0) / max(self.column_weights.sum() - self.column_weights[heavy].sum(), 1e-300)
            columns = _matrices.columns(X, heavy)
            hessian = mean * self.gram + (columns * (metric[heavy] - mean)) @ columns.T
        self.factorizations += 1
        solve = _inverse(hessian)
        if self.exact_columns == d:
            return solve
        return lambda v: self._conjugate_gradients(metric, v, solve)

    def _conjugate_gradients(self, metric: Array, v: Array, precondition: Callable[[Array], Array]) -> Array:
        X = self.X
        x, r = np.zeros_like(v), v.copy()
        p = z = precondition(r)
        rz = first = float(r @ z)
        for _ in range(40):
            Hp = X @ (metric * (X.T @ p))
            self.products += 1
            curvature = float(p @ Hp)
            if not curvature > 0:
                break
            alpha = rz / curvature
            x, r = x + alpha * p, r - alpha * Hp
            z = precondition(r)
            rz, previous = float(r @ z), rz
            if not rz > 1e-6 * first:
                break
            p = z + rz / previous * p
        return x if x.any() else precondition(v)


def _inverse(hessian: Array) -> Callable[[Array], Array]:
    """Return v -> H^-1 v, restricted to the directions in which H is above rounding.

    Where a vertex has fewer weights than there are samples, H loses rank as b falls. Steps along what is lost would
    be rounding errors divided by rounding errors, and wake weights that are asleep; there nu keeps its predicted value.
    """
    try:
        factor = cho_factor(hessian, lower=True, check_finite=False)
        pivots = np.diag(factor[0])
        if pivots.min() ** 2 > 1e-11 * pivots.max() ** 2:
            return lambda v: cho_solve(factor, v, check_finite=False)
    except LinAlgError:
        pass
    values, vectors = eigh(hessian, check_finite=False)
    seen = values > 1e-12 * values[-1]
    values, vectors = values[seen], vectors[:, seen]
    return lambda v: vectors @ ((vectors.T @ v) / values)
