import numpy as np
from benchopt import BaseDataset

from linreg_mirror import problems


class Dataset(BaseDataset):
    """Neighbouring features are alike."""

    name = "correlated"
    parameters = {"n, d": [(20, 60), (100, 2000)], "seed": [0]}
    requirements = ["pip::linreg-mirror"]

    def get_data(self):
        rng = np.random.default_rng(self.seed)
        problem = problems.correlated(n=self.n, d=self.d, nonzeros=max(2, self.n // 10), rng=rng)
        return {"X": problem.X, "y": problem.y}
