"""Minimum-L1 interpolation: min |x|_1 subject to Xx = y."""

import numpy as np
from benchopt import BaseObjective


class Objective(BaseObjective):
    name = "Minimum-L1 interpolation"
    min_benchopt_version = "1.10"

    def set_data(self, X, y):
        self.X, self.y = X, y

    def get_objective(self):
        return {"X": self.X, "y": self.y}

    def evaluate_result(self, x, dual=None):
        """The value is what is left to do: infeasibility, and the duality gap where there is a dual to judge by."""
        norm = float(np.abs(x).sum())
        infeasibility = float(np.abs(self.X @ x - self.y).max() / (np.abs(self.y).max() or 1.0))
        result = {"infeasibility": infeasibility, "l1_norm": norm}
        if dual is None:
            return result | {"value": infeasibility}
        steepest = max(1.0, float(np.abs(self.X.T @ dual).max()))
        gap = abs(norm - float(self.y @ dual) / steepest) / (norm or 1.0)
        return result | {"duality_gap": gap, "value": max(infeasibility, gap)}

    def get_one_result(self):
        return {"x": np.zeros(self.X.shape[1]), "dual": np.zeros(len(self.y))}
