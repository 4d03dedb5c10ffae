"""Problems without targets, with columns or rows of zeros, or solved at the start: no theorem errs on them."""

import warnings

import numpy as np
import pytest

from linreg_mirror import Hadamard, Problem, limit, schedules
from linreg_mirror._types import Array
from linreg_mirror.ledger import Instance, Verdict
from linreg_mirror.theorems import REGISTRY


def _instances() -> list[Instance]:
    rng = np.random.default_rng(0)
    X, x0, planted = rng.standard_normal((3, 5)), 0.5 * rng.standard_normal(5), np.array([1.0, 0, 0, -0.5, 0])
    no_column, no_rows = X.copy(), X.copy()
    no_column[:, 1], no_rows[1:] = 0, 0
    problems = {
        "y = 0": Problem(X, np.zeros(3)),
        "y = 0 but for rounding": Problem(X, 1e-17 * rng.standard_normal(3)),
        "a column of zeros": Problem(no_column, no_column @ planted),
        "a column of zeros, y = 0": Problem(no_column, np.zeros(3)),
        "two rows of zeros": Problem(no_rows, no_rows @ planted),
        "X = 0 and y = 0": Problem(0 * X, np.zeros(3)),
        "solved at the start": Problem(X, X @ x0),
    }
    geometric = schedules.Geometric(0.3, 0.7)
    settings = [(np.zeros(5), None), (x0, None), (x0, geometric), (np.zeros(5), schedules.Constant(0.1))]
    return [
        Instance(f"{name}, from {start[0]:.2f}", problem, _network(start), schedules.as_schedule(penalty))
        for name, problem in problems.items()
        for start, penalty in settings
    ]


def _network(x0: Array) -> Hadamard:
    return Hadamard.from_scale(0.5, x0=x0)


INSTANCES = _instances()


@pytest.mark.parametrize("id", sorted(REGISTRY))
def test_every_theorem_holds_there_or_says_that_it_does_not_apply(id):
    theorem = REGISTRY[id]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for it in INSTANCES:
            if theorem.applies_to(it):
                evidence = theorem.evidence(it)
                assert np.isfinite(evidence.margin), f"{it.name}: {evidence.detail}"
                assert evidence.holds or theorem.expected is Verdict.refuted, f"{it.name}: {evidence.detail}"


def test_limit_of_no_targets_keeps_only_what_x_does_not_see():
    X = np.random.default_rng(0).standard_normal((3, 5))
    X[:, 1] = 0
    network = Hadamard.from_scale(log_b=-2e4, x0=np.full(5, 0.5))
    found = limit(Problem(X, np.zeros(3)), network)
    assert found.x[1] == pytest.approx(0.5)
    assert np.abs(np.delete(found.x, 1)).max() < 1e-12
