"""The LASSO: certified whatever the condition of X, and within its bar of the exact solution."""

from fractions import Fraction
from itertools import combinations, product

import numpy as np
import pytest
import scipy.sparse

import linreg_mirror as lm
from linreg_mirror import Problem, Status
from linreg_mirror.solvers.certificates import lasso_certificate
from linreg_mirror.solvers.error_bars import lasso, lasso_bar
from linreg_mirror.solvers.lasso.active_set import active_set

flint = pytest.importorskip("flint")
from benchmarks.conditioning import problem as ill_conditioned  # noqa: E402

KINDS = ["planted", "dense", "random"]


def rational(matrix):
    return flint.fmpq_mat([[flint.fmpq(*float(v).as_integer_ratio()) for v in row] for row in matrix])


def on_support(problem, weight, support, signs):
    """Return x on a support by exact arithmetic, or None if it is not the LASSO solution."""
    X, y = rational(problem.X), rational(problem.y[:, None])
    columns = rational(problem.X[:, support])
    w = flint.fmpq(*float(weight).as_integer_ratio())
    try:
        values = (columns.transpose() * columns).solve(columns.transpose() * y - w * rational(signs[:, None]))
    except ZeroDivisionError:
        return None
    slopes = X.transpose() * (y - columns * values)
    off = np.setdiff1d(np.arange(problem.d), support)
    right = all(values[k, 0] * int(s) > 0 for k, s in enumerate(signs))
    if not (right and all(abs(slopes[int(j), 0]) <= w for j in off)):
        return None
    return [Fraction(int(values[k, 0].p), int(values[k, 0].q)) for k in range(len(support))]


def errors_of(x, support, values):
    """Return |x_i - x*_i| as fractions."""
    exact = dict(zip(support, values, strict=True))
    return [abs(Fraction(float(v)) - exact.get(i, 0)) for i, v in enumerate(x)]


def ratios_to_bars(found, problem, weight):
    """Assert that no error exceeds its bar; return bar over error."""
    support = np.flatnonzero(found.x)
    values = on_support(problem, weight, support, np.sign(found.x[support]))
    assert values is not None
    errors = errors_of(found.x, support, values)
    bars = found.entry_errors if isinstance(found, lm.Solution) else found.entries
    assert sum(errors) <= found.error < np.inf
    assert all(error <= bar for error, bar in zip(errors, bars, strict=True))
    return found.error / max(float(sum(errors)), 1e-18 * np.abs(found.x).sum())


def test_by_hand():
    # Orthonormal columns: soft thresholding.
    problem = Problem(np.eye(3), [3.0, -0.5, -2.0])
    solution = lm.lasso(problem, 1.0)
    np.testing.assert_allclose(solution.x, [2.0, 0.0, -1.0], atol=1e-14)
    assert solution.x[1] == 0
    assert solution.status is Status.converged
    np.testing.assert_allclose(lm.lasso(Problem([[1.0, 2.0]], [2.0]), 1.0).x, [0, 0.75], atol=1e-14)
    for weight in (0.0, -1.0):
        with pytest.raises(ValueError, match=r"weight must be finite and positive, got .*ask minimum_l1 or minimum_l2"):
            lm.lasso(problem, weight)


@pytest.mark.parametrize("share", [1e-1, 1e-3, 1e-5])
@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6])
def test_ill_conditioned_problems_are_certified_and_proved(condition, share):
    for seed, kind in enumerate(KINDS):
        problem = ill_conditioned(20, 60, condition, kind, np.random.default_rng(seed))
        solution = lm.lasso(problem, share * np.abs(problem.X.T @ problem.y).max())
        assert solution.status is Status.converged
        assert solution.digits > 15
        assert solution.unique
        np.testing.assert_allclose(solution.dual, -problem.residual(solution.x), atol=1e-9 * np.abs(problem.y).max())


@pytest.mark.parametrize("kind", KINDS)
def test_errors_stay_below_their_bars(kind):
    rng = np.random.default_rng(len(kind))
    ratios = []
    for _ in range(20):
        n = int(rng.integers(2, 7))
        problem = ill_conditioned(n, int(rng.integers(1, 5)) * n, 10 ** rng.uniform(0, 7), kind, rng)
        weight = 10 ** rng.uniform(-6, -0.5) * np.abs(problem.X.T @ problem.y).max()
        ratios.append(ratios_to_bars(lm.lasso(problem, weight), problem, weight))
    assert np.median(ratios) <= 10


def test_the_bar_of_weights_that_are_wrong(monkeypatch):
    monkeypatch.setattr(lasso, "_ROUNDS", 1)  # weights stay as they are given
    rng, ratios = np.random.default_rng(3), []
    for _ in range(60):
        problem = ill_conditioned(5, 15, 10 ** rng.uniform(0, 3), "random", rng)
        weight = 10 ** rng.uniform(-3, -0.5) * np.abs(problem.X.T @ problem.y).max()
        x = lm.lasso(problem, weight).x * (1 + 10 ** rng.uniform(-9, -5) * rng.uniform(-1, 1, 15))
        bar = lasso_bar(problem, weight, x)
        if bar.error < np.inf:
            np.testing.assert_array_equal(bar.x, x)
            ratios.append(ratios_to_bars(bar, problem, weight))
    assert len(ratios) > 30
    assert np.median(ratios) <= 100


def test_weights_whose_error_hides_a_column_or_a_sign_have_no_bar(monkeypatch):
    monkeypatch.setattr(lasso, "_ROUNDS", 1)
    # At x_1 = 2 the second slope is 1.0004; at 2.001 it is 0.9998.
    hidden = lasso_bar(Problem([[1.0, 0.6], [0.0, 0.8]], [3.0, 0.5005]), 1.0, np.array([2.001, 0.0]))
    assert (hidden.error, hidden.notes) == (np.inf, (lasso.TIED,))
    # With a positive sign x = -1/2, which has none.
    hidden = lasso_bar(Problem([[1.0]], [0.5]), 1.0, np.array([0.1]))
    assert (hidden.error, hidden.notes) == (np.inf, (lasso.VANISHING,))


def test_against_all_supports_and_signs():
    rng = np.random.default_rng(4)
    for _ in range(5):
        problem = Problem(rng.standard_normal((2, 4)), rng.standard_normal(2))
        weight = 0.1 * np.abs(problem.X.T @ problem.y).max()
        solutions = [
            errors_of(lm.lasso(problem, weight).x, support, values)
            for k in (1, 2)
            for support in combinations(range(4), k)
            for signs in product((-1.0, 1.0), repeat=k)
            if (values := on_support(problem, weight, list(support), np.array(signs))) is not None
        ]
        (errors,) = solutions
        assert sum(errors) <= lm.lasso(problem, weight).error


def test_wrong_supports_have_no_bar():
    problem = ill_conditioned(6, 18, 10.0, "random", np.random.default_rng(5))
    weight = 1e-2 * np.abs(problem.X.T @ problem.y).max()
    x = lm.lasso(problem, weight).x
    support = np.flatnonzero(x)
    assert lasso_bar(problem, weight, x).error < np.inf
    fewer, more, flipped = x.copy(), x.copy(), x.copy()
    fewer[support[0]] = 0
    flipped[support[0]] *= -1
    more[np.flatnonzero(x == 0)[0]] = np.abs(x).max()
    for wrong in (fewer, more, flipped, np.zeros(18), np.ones(18)):
        bar = lasso_bar(problem, weight, wrong)
        assert bar.error == np.inf
        assert bar.notes


def test_what_is_decided_by_rounding_has_no_bar_and_says_why():
    X = np.random.default_rng(6).standard_normal((5, 8))
    twice = Problem(np.hstack([X, X]), X @ np.ones(8))
    solution = lm.lasso(twice, 0.1)
    assert solution.status is Status.unproved
    assert (solution.error, solution.unique, solution.entry_errors) == (np.inf, None, None)
    assert solution.stats.notes == (lasso.TIED,)
    assert lm.lasso(Problem([[1.0, 2.0]], [2.0]), 4.0).stats.notes == (lasso.TIED,)  # the weight is max|X'y|
    above = lm.lasso(Problem([[1.0, 2.0]], [2.0]), 4.0 + 1e-12)
    assert (above.error, above.unique, above.digits) == (0.0, True, np.inf)
    assert lasso_bar(twice, 0.1, np.ones(16)).notes == (lasso.DEPENDENT,)
    assert lm.lasso(Problem(X, np.zeros(5)), 0.1).error == 0.0


def test_sparse_problems_too():
    rng = np.random.default_rng(7)
    X = rng.standard_normal((20, 60)) * (rng.uniform(size=(20, 60)) < 0.2)
    y = rng.standard_normal(20)
    dense, sparse = (lm.lasso(Problem(matrix, y), 0.01) for matrix in (X, scipy.sparse.csc_array(X)))
    assert sparse.digits > 15
    assert np.abs(dense.x - sparse.x).sum() <= dense.error + sparse.error


@pytest.mark.parametrize("condition", [1.0, 1e6])
def test_the_active_set_gets_there_from_anywhere(condition):
    rng = np.random.default_rng(8)
    problem = ill_conditioned(15, 60, condition, "random", rng)
    weight = 1e-4 * np.abs(problem.X.T @ problem.y).max()
    right = lm.lasso(problem, weight)
    guesses = (np.zeros(60), rng.standard_normal(60), -right.x, np.ones(60), np.full(60, np.nan), right.x)
    for guess in guesses:
        x, steps = active_set(problem, weight, guess)
        np.testing.assert_array_equal(np.sign(x), np.sign(right.x))
        assert steps < 1000
    assert active_set(problem, weight, right.x)[1] == 0


def test_a_column_that_depends_on_the_others_enters_along_the_kernel():
    # Twice as long, so that it costs half as much: it replaces the other.
    problem = Problem([[1.0, 2.0], [0.0, 0.0]], [3.0, 0.0])
    x, _ = active_set(problem, 0.1, np.array([2.9, 0.0]))
    np.testing.assert_allclose(x, [0.0, 2.95 / 2], rtol=1e-14)
    assert lasso_certificate(problem, x, 0.1).valid
