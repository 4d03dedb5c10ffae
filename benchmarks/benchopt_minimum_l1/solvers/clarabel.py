import cvxpy as cp
import numpy as np
from benchopt import BaseSolver


class Solver(BaseSolver):
    """Interior points through cvxpy."""

    name = "Clarabel"
    sampling_strategy = "run_once"
    requirements = ["pip::cvxpy"]

    def set_objective(self, X, y):
        self.x = cp.Variable(X.shape[1])
        self.constraint = X @ self.x == y
        self.programme = cp.Problem(cp.Minimize(cp.norm1(self.x)), [self.constraint])

    def run(self, _):
        accuracy = {"tol_gap_abs": 1e-11, "tol_gap_rel": 1e-11, "tol_feas": 1e-11}
        self.programme.solve(solver=cp.CLARABEL, max_threads=1, **accuracy)

    def get_result(self):
        return {"x": np.asarray(self.x.value), "dual": -np.asarray(self.constraint.dual_value)}
