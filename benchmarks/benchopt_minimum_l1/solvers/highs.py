import numpy as np
from benchopt import BaseSolver
from scipy.optimize import linprog


class Solver(BaseSolver):
    """The linear programme in x+ and x-."""

    name = "HiGHS"
    sampling_strategy = "run_once"
    parameters = {"method": ["highs-ds", "highs-ipm"]}
    requirements = ["scipy"]

    def set_objective(self, X, y):
        self.X, self.y = X, y

    def run(self, _):
        options = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
        if self.method == "highs-ipm":
            options["ipm_optimality_tolerance"] = 1e-12
        costs = np.ones(2 * self.X.shape[1])
        self.answer = linprog(
            costs, A_eq=np.hstack([self.X, -self.X]), b_eq=self.y, method=self.method, options=options
        )

    def get_result(self):
        positive, negative = np.split(self.answer.x, 2)
        return {"x": positive - negative, "dual": self.answer.eqlin.marginals}
