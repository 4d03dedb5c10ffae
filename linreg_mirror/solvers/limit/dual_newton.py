"""Newton's method on the convex dual of a Bregman projection onto {Xx = y}."""

from dataclasses import dataclass

import numpy as np

from linreg_mirror._tools import matrices
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Mirror, Potential
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.limit.preconditioners import Inverse, Preconditioner, preconditioner

_BUDGET = 20_000  # products, of which some hundreds are usual


@dataclass
class DualNewton:
    """Solves X primal(z_0 + X'nu, A) = y for nu in R^n.

    The Hessian X diag(metric) X' is never formed where d is large: conjugate gradients take two matrix-vector products
    a step, and a preconditioner that is close to the Hessian makes them few.

    Parameters
    ----------
    X : array, sparse array or operator, shape (n, d)
        Full row rank.
    y : array, shape (n,)
        Targets.
    precondition : Preconditioner
        What takes the Hessian's place.

    Attributes
    ----------
    iterations, products, factorizations : int
        Newton steps, products with the true Hessian, and preconditioners made so far.
    """

    X: matrices.Matrix
    y: Array
    precondition: Preconditioner
    iterations: int = 0
    products: int = 0
    factorizations: int = 0

    @classmethod
    def of(cls, problem: Problem) -> "DualNewton":
        """Return the method for a reduced problem."""
        return cls(problem.X, problem.y, preconditioner(problem))

    @property
    def exhausted(self) -> bool:
        """Whether more products were taken than a problem needs that can be solved."""
        return self.products > _BUDGET

    def minimum_norm(self, residual: Array) -> tuple[Array, Array]:
        """Return nu and x = X'nu, the smallest x with Xx = residual, or about so."""
        solve = self.precondition.minimum_norm() or self.inverse(np.ones(self.X.shape[1]))
        nu = solve(residual)
        return nu, self.X.T @ nu

    def objective(self, mirror: Mirror, potential: Potential, nu: Array) -> float:
        """Return what is minimised over nu."""
        return float(mirror.conjugate(potential.z0 + self.X.T @ nu, potential.A).sum() - self.y @ nu)

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
            if residual <= tolerance or (stale >= 3 and residual < 1e-6 * np.abs(self.y).max()) or self.exhausted:
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

    def inverse(self, metric: Array) -> Inverse:
        """Return v -> (X diag(metric) X')^-1 v."""
        self.factorizations += 1
        solve = self.precondition(metric)
        return solve if self.precondition.exact else lambda v: self._iterated(metric, v, solve)

    def _iterated(self, metric: Array, v: Array, precondition: Inverse) -> Array:
        x, finished = self._conjugate_gradients(metric, v, precondition)
        if finished or self.precondition.stronger is None:
            return x
        self.precondition = self.precondition.stronger()
        return self.inverse(metric)(v)

    def _conjugate_gradients(self, metric: Array, v: Array, precondition: Inverse) -> tuple[Array, bool]:
        """Return H^-1 v, and whether that was reached within the preconditioner's rounds."""
        X = self.X
        x, r = np.zeros_like(v), v.copy()
        p = z = precondition(r)
        rz = first = float(r @ z)
        for _ in range(self.precondition.rounds):
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
        return (x if x.any() else precondition(v)), not rz > 1e-6 * first
