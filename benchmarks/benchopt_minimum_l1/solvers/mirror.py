from benchopt import BaseSolver

from linreg_mirror import Problem, minimum_l1


class Solver(BaseSolver):
    """The mirror limit as its scale vanishes, then a vertex."""

    name = "linreg-mirror"
    sampling_strategy = "run_once"
    requirements = ["pip::linreg-mirror"]

    def set_objective(self, X, y):
        self.X, self.y = X, y

    def run(self, _):
        self.solution = minimum_l1(Problem(self.X, self.y))  # a new problem each time: nothing is known of it

    def get_result(self):
        return {"x": self.solution.x, "dual": self.solution.dual}
