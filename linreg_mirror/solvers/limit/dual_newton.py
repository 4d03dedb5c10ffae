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
    ) -> tuple[Array, Array, float]:
        """Return nu with |X primal(z_0 + X'nu, A) - y|_inf <= tolerance, or where progress ended.

        Returns
        -------
        nu, pull : array, shapes (n,), (d,)
            nu and X'nu.
        residual : float
            What was left.
        """
        pull = self.X.T @ nu
        best, best_residual, stale = (nu, pull), np.inf, 0
        for _ in range(max_iterations):
            z = z0 + pull
            x = mirror.primal(z, A)
            r = self.y - self.X @ x
            residual = float(np.abs(r).max())
            # Rounding in the exponents ends the quadratic convergence; three steps without progress mean it is reached.
            stale = 0 if residual < 0.5 * best_residual else stale + 1
            if residual < best_residual:
                best, best_residual = (nu, pull), residual
            if residual <= tolerance or (stale >= 3 and residual < 1e-6 * np.abs(self.y).max()) or self.exhausted:
                break
            self.iterations += 1
            step = self.inverse(mirror.metric(z, A))(r)
            nu = nu + self.length(mirror, z, x, A, step) * step
            pull = self.X.T @ nu
        return best[0], best[1], best_residual

    def length(self, mirror: Mirror, z: Array, x: Array, A: float, step: Array) -> float:
        """Return t, shortened from 1 until the dual objective no longer rises steeply at the end of t step.

        The objective is convex and its slope costs O(d) a trial.

        Parameters
        ----------
        mirror : Mirror
            Potential.
        z, x : array, shape (d,)
            Where the step begins, and primal(z, A).
        A : float
            Accumulated penalty.
        step : array, shape (n,)
            Change of nu.
        """
        dz, y_step = self.X.T @ step, float(self.y @ step)
        slope, t = float(x @ dz) - y_step, 1.0
        if slope > 0:  # and rises from there
            return 0.0
        for _ in range(60):
            if float(mirror.primal(z + t * dz, A) @ dz) - y_step <= -0.5 * slope:
                return t
            t *= 0.5
        return 0.0

    def predict(self, mirror: Mirror, z: Array, A: float, dz0: Array, dA: float, guess_pull: Array) -> Array:
        """Return the change of nu, to first order, when z_0 and A change by dz0 and dA, less the guess.

        The guess, of which `guess_pull` is X' times it, is kept in directions that only columns with vanishing weight
        see: there the Hessian is below rounding and has no say.
        """
        metric = mirror.metric(z, A)
        error = self.X @ (mirror.primal_rate(z, A) * dA + metric * (dz0 + guess_pull))
        return -self.inverse(metric)(error)

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
