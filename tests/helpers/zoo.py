"""Small problems whose answers are known by hand."""

from dataclasses import dataclass

import numpy as np

from linreg_mirror.problems import Problem
from linreg_mirror.solvers import Status


@dataclass(frozen=True, eq=False)
class Case:
    """One problem and what is known of it without any solver.

    `l1` is the least |x|_1 over the interpolators (over the least-squares solutions if not `consistent`), `minimum_l1`
    one point that attains it, the only one if `unique`. `minimum_l2` is X^+ y. Rows are `independent` if none is a
    combination of others, but for zeros and multiples by powers of two.
    """

    name: str
    X: list
    y: list
    rank: int
    l1: float
    minimum_l1: list
    minimum_l2: list
    unique: bool = True
    consistent: bool = True
    independent: bool = True
    planted: list | None = None

    @property
    def problem(self):
        return Problem(np.array(self.X, dtype=float), np.array(self.y, dtype=float))

    @property
    def status(self):
        """How a solver ends whose answer is unique: with a bar where rows are independent."""
        proved = Status.converged if self.independent else Status.unproved
        return proved if self.consistent else Status.inconsistent

    @property
    def l1_status(self):
        """How solvers of least L1 norms end: with a bar where that is also unique, and where x = 0."""
        if not any(self.y):
            return Status.converged
        return Status.unproved if self.consistent and not self.unique else self.status


CASES = [
    Case("one sample, one feature", [[2]], [3], 1, 1.5, [1.5], [1.5]),
    Case("one sample", [[3, 4]], [12], 1, 3.0, [0, 3], [1.44, 1.92]),
    Case("negative target", [[1, -3, 2]], [-6], 1, 2.0, [0, 2, 0], [-6 / 14, 18 / 14, -12 / 14]),
    Case("orthonormal rows", [[0.6, 0.8, 0], [0, 0, 1]], [0.8, -2], 2, 3.0, [0, 1, -2], [0.48, 0.64, -2]),
    Case(
        "orthonormal rows with a face of solutions",
        [[0.5, 0.5, 0.5, 0.5], [0.5, -0.5, 0.5, -0.5]], [1, 0], 2, 2.0, [1, 1, 0, 0], [0.5] * 4, unique=False,
    ),
    Case("duplicated columns", [[1, 1, 0], [0, 0, 1]], [1, -2], 2, 3.0, [1, 0, -2], [0.5, 0.5, -2], unique=False),
    Case("opposite columns", [[1, -1]], [2], 1, 2.0, [2, 0], [1, -1], unique=False),
    Case("equal columns throughout", [[1, 1, 1]], [1], 1, 1.0, [0, 1, 0], [1 / 3] * 3, unique=False),
    Case(
        "more equal columns than twice the samples, and a light one",
        [[1, 1, 1, 1, 1, 0], [0, 0, 0, 0, 0, 1]], [10, 1], 2, 11.0, [10, 0, 0, 0, 0, 1], [2, 2, 2, 2, 2, 1],
        unique=False,
    ),
    Case(
        "planted vector is not the least",
        [[1, 0, 0.6], [0, 1, 0.6]], [1, 1], 2, 5 / 3, [0, 0, 5 / 3], [1 / 1.72, 1 / 1.72, 1.2 / 1.72],
        planted=[1, 1, 0],
    ),
    Case("fewer weights than samples", [[1, 0, 1], [0, 1, 1]], [1, 1], 2, 1.0, [0, 0, 1], [1 / 3, 1 / 3, 2 / 3]),
    Case("one sample, zero column", [[0, 3, 4]], [12], 1, 3.0, [0, 0, 3], [0, 1.44, 1.92]),
    Case("zero targets", [[1, 2, 3], [0, 1, 1]], [0, 0], 2, 0.0, [0, 0, 0], [0, 0, 0]),
    Case("zero row", [[0, 0], [1, 2]], [0, 2], 1, 1.0, [0, 1], [0.4, 0.8]),
    Case("rank-deficient", [[1, 2, 0], [2, 4, 0], [0, 0, 1]], [2, 4, -1], 2, 2.0, [0, 1, -1], [0.4, 0.8, -1]),
    Case("inconsistent", [[1, 2], [1, 2]], [1, 3], 1, 1.0, [0, 1], [0.4, 0.8], consistent=False),
    Case("inconsistent, wide", [[1, 2, 0], [1, 2, 0]], [1, 3], 1, 1.0, [0, 1, 0], [0.4, 0.8, 0], consistent=False),
    Case("square", [[2, 1], [1, 3]], [3, -1], 2, 3.0, [2, -1], [2, -1]),
    Case("tall", [[1, 0], [0, 1], [1, 1]], [1, -2, -1], 2, 3.0, [1, -2], [1, -2], independent=False),
    Case(
        "tall, inconsistent",
        [[1, 0], [0, 1], [1, 1]], [1, 1, 1], 2, 4 / 3, [2 / 3, 2 / 3], [2 / 3, 2 / 3], consistent=False,
    ),
    Case("zero matrix", [[0, 0]], [0], 0, 0.0, [0, 0], [0, 0], independent=False),
    Case("zero matrix, target out of reach", [[0, 0], [0, 0]], [1, 2], 0, 0.0, [0, 0], [0, 0], consistent=False),
    Case("target orthogonal to the range", [[1, 2], [1, 2]], [1, -1], 1, 0.0, [0, 0], [0, 0], consistent=False),
]  # fmt: skip

BY_NAME = {case.name: case for case in CASES}


def gaussian(n, d, seed, nonzeros=None):
    """Return a problem with standard normal X, and targets from a planted sparse vector or standard normal ones."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    if nonzeros is None:
        return Problem(X, rng.standard_normal(n))
    truth = np.zeros(d)
    truth[rng.choice(d, nonzeros, replace=False)] = rng.choice([-1, 1], nonzeros) * rng.uniform(0.5, 2, nonzeros)
    return Problem(X, X @ truth, truth=truth)
