"""The least L1 norm against linear programming, by three methods; and the other references."""

import dataclasses

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from linreg_mirror.ledger import instance
from linreg_mirror.problems import Problem
from linreg_mirror.solvers import Status, independent
from linreg_mirror.solvers.limit import minimum_l1
from tests.helpers.plain import least_l1
from tests.helpers.zoo import BY_NAME, CASES, gaussian

METHODS = ["mirror", "highs", "cvxpy"]
DETERMINISTIC = settings(
    max_examples=200, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)


def widest(X, y, norm):
    """The largest extent, in any coordinate, of the set of minimum-L1 interpolators: 0 if there is one only."""
    d, spans = X.shape[1], []
    A = np.hstack([X, -X])
    for i in range(d):
        c = np.zeros(2 * d)
        c[i], c[d + i] = 1, -1
        ends = [
            linprog(sign * c, A_ub=[np.ones(2 * d)], b_ub=[norm * (1 + 1e-9)], A_eq=A, b_eq=y, method="highs")
            for sign in (1, -1)
        ]
        assert all(end.status == 0 for end in ends)
        spans.append(-ends[1].fun - ends[0].fun)
    return max(spans)


def check_optimal(problem, solution, norm):
    """Feasible, as short as the linear programme says, and with a dual vector that proves it."""
    x, s = solution.x, solution.dual
    assert solution.certificate.valid, str(solution.certificate)
    assert np.abs(x).sum() == pytest.approx(norm, rel=1e-9, abs=1e-12)
    slope = problem.X.T @ s
    assert np.abs(slope).max(initial=0) <= 1 + 1e-9
    assert (problem.X @ x) @ s == pytest.approx(norm, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("method", METHODS)
def test_zoo(case, method):
    problem = case.problem
    solution = minimum_l1(problem, method)
    check_optimal(problem, solution, case.l1)
    assert solution.status is case.l1_status
    assert solution.unique is case.unique
    np.testing.assert_allclose(problem.X.T @ problem.residual(solution.x), 0, atol=1e-9)
    if case.unique:
        np.testing.assert_allclose(solution.x, case.minimum_l1, atol=1e-9)
    if method != "cvxpy":
        assert np.count_nonzero(solution.x) <= case.rank  # a vertex: all other entries are exactly zero
    if case.unique and method == "mirror":
        assert (solution.x != 0).tolist() == (np.array(case.minimum_l1) != 0).tolist()
    assert solution.log_scale is None


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    ("n", "d", "nonzeros"), [(5, 12, None), (10, 40, 2), (10, 100, 8), (20, 60, None), (30, 31, 3)]
)
def test_three_methods_agree(n, d, nonzeros, seed):
    problem = gaussian(n, d, seed, nonzeros)
    norm, x = least_l1(problem.X, problem.y)
    for method in METHODS:
        solution = minimum_l1(problem, method)
        if method == "cvxpy" and solution.status is Status.not_certified:
            # Clarabel may stop short of a gap of 1e-10 where X is badly conditioned, and the certificate says so.
            assert 1e-10 < solution.certificate["duality gap"].value < 1e-7
        else:
            check_optimal(problem, solution, norm)
            assert solution.status is Status.converged
            assert solution.unique is True
        np.testing.assert_allclose(solution.x, x, atol=1e-8)
    ours = minimum_l1(problem)
    assert (ours.x != 0).tolist() == (np.abs(x) > 1e-9).tolist()
    slope, support = problem.X.T @ ours.dual, ours.x != 0
    np.testing.assert_allclose(slope[support], np.sign(ours.x[support]), atol=1e-9)
    if support.sum() == n:  # then the dual vector is unique too, and strict complementarity generic
        assert np.abs(slope[~support]).max() < 1 - 1e-6


def test_before_the_phase_transition_it_is_the_planted_vector_and_after_it_is_not():
    before, after = gaussian(40, 80, 0, nonzeros=5), gaussian(20, 80, 0, nonzeros=15)
    np.testing.assert_allclose(minimum_l1(before).x, before.truth, atol=1e-9)
    solution = minimum_l1(after)
    norm, x = least_l1(after.X, after.y)
    check_optimal(after, solution, norm)
    assert np.abs(solution.x).sum() < 0.95 * np.abs(after.truth).sum()
    assert np.abs(solution.x - after.truth).max() > 0.1
    np.testing.assert_allclose(solution.x, x, atol=1e-9)


def test_planted_by_hand_is_not_the_answer():
    case = BY_NAME["planted vector is not the least"]
    problem = dataclasses.replace(case.problem, truth=case.planted)
    assert np.abs(problem.X @ problem.truth - problem.y).max() == 0
    np.testing.assert_allclose(minimum_l1(problem).x, case.minimum_l1, atol=1e-10)


def draw_problem(data):
    """A small problem with integer entries, so that ties, zero and equal columns and lost rank are common."""
    n, d = data.draw(st.integers(1, 5), "n"), data.draw(st.integers(1, 8), "d")
    entries = st.integers(-2, 2)
    X = np.array(data.draw(st.lists(st.lists(entries, min_size=d, max_size=d), min_size=n, max_size=n), "X"), float)
    planted = np.array(data.draw(st.lists(entries, min_size=d, max_size=d), "planted"), float)
    return X, X @ planted


@DETERMINISTIC
@given(st.data())
def test_degenerate_integer_matrices(data):
    X, y = draw_problem(data)
    assume(y.any())
    norm, _ = least_l1(X, y)
    problem = Problem(X, y)
    unique = widest(X, y, norm) < 1e-5 * max(1.0, norm)
    for method in METHODS:
        solution = minimum_l1(problem, method)
        check_optimal(problem, solution, norm)
        assert solution.unique is unique, method
        if method == "mirror":
            assert np.count_nonzero(solution.x) <= np.linalg.matrix_rank(X)


@DETERMINISTIC
@given(st.integers(1, 8), st.integers(1, 20), st.integers(0, 2**32 - 1), st.integers(-6, 6))
def test_random_shapes_and_units(n, d, seed, power):
    rng = np.random.default_rng(seed)
    X = 10.0**power * rng.standard_normal((n, d))
    y = X @ rng.standard_normal(d)
    norm, _ = least_l1(X / 10.0**power, y / 10.0**power)
    problem = Problem(X, y)
    solution = minimum_l1(problem)
    assert solution.certificate.valid, str(solution.certificate)
    assert np.abs(solution.x).sum() == pytest.approx(norm, rel=1e-8)
    assert np.abs(X.T @ solution.dual).max() <= 1 + 1e-9
    assert np.count_nonzero(solution.x) <= min(n, d)


@pytest.mark.parametrize("factor", [1e-150, 1e-20, 1e20, 1e150])
def test_units_of_the_targets_do_not_matter(factor):
    problem = gaussian(5, 12, 0)
    x = minimum_l1(problem).x
    solution = minimum_l1(Problem(problem.X, factor * problem.y))
    assert solution.status is Status.converged, str(solution.certificate)
    np.testing.assert_allclose(solution.x / factor, x, rtol=1e-9, atol=1e-12)


def test_columns_of_very_different_length():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((5, 15)) * np.logspace(-4, 4, 15)
    y = rng.standard_normal(5)
    norm, x = least_l1(X, y)
    solution = minimum_l1(Problem(X, y))
    assert solution.certificate.valid, str(solution.certificate)
    assert np.abs(solution.x).sum() == pytest.approx(norm, rel=1e-8)
    np.testing.assert_allclose(solution.x, x, rtol=1e-6, atol=1e-9 * np.abs(x).max())


def test_nearly_equal_columns():
    # Two columns that differ by 1e-6: the longer one is the better one, and the answer is unique.
    solution = minimum_l1(Problem([[1.0, 1.0 + 1e-6, 0.1]], [1.0]))
    np.testing.assert_allclose(solution.x, [0, 1 / (1 + 1e-6), 0], atol=1e-12)
    assert solution.certificate.valid
    assert solution.unique is True


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_rank_deficient_and_inconsistent(noise):
    rng = np.random.default_rng(1)
    X = rng.standard_normal((6, 3)) @ rng.standard_normal((3, 10))
    y = X @ rng.standard_normal(10) + noise * rng.standard_normal(6)
    Q = np.linalg.svd(X)[0][:, :3]
    norm, x = least_l1(Q.T @ X, Q.T @ y)
    for method in METHODS:
        solution = minimum_l1(Problem(X, y), method)
        assert solution.status is (Status.inconsistent if noise else Status.unproved)
        assert np.abs(solution.x).sum() == pytest.approx(norm, rel=1e-8)
        np.testing.assert_allclose(solution.x, x, atol=1e-8)


def test_integer_and_float32_input():
    X, y = np.array([[1, 2, 0], [0, 1, 3]]), np.array([2, -1])
    _, x = least_l1(X, y)
    for dtype in (np.int16, np.float32):
        np.testing.assert_allclose(minimum_l1(Problem(X.astype(dtype), y.astype(dtype))).x, x, atol=1e-10)


@pytest.mark.parametrize("method", ["simplex", "", None])
def test_unknown_method(method):
    with pytest.raises(ValueError, match=r'method must be "mirror", "highs" or "cvxpy", got '):
        minimum_l1(gaussian(2, 3, 0), method)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_minimum_l2(case):
    solution = independent.minimum_l2(case.problem)
    np.testing.assert_allclose(solution.x, case.minimum_l2, atol=1e-13)
    assert solution.status is (case.status if any(case.y) else Status.converged)
    assert solution.certificate.valid


def test_weighted_l1_cost_by_hand():
    problem = Problem([[1.0, 2.0]], [3.0])
    assert independent.weighted_l1_cost(problem, np.zeros(2))[:2] == pytest.approx((1.5, 1.5))
    assert independent.weighted_l1_cost(problem, np.array([1.0, 0.0]))[:2] == pytest.approx((0.0, 0.0))
    assert independent.weighted_l1_cost(problem, np.array([-1.0, 0.5]))[:2] == pytest.approx((0.75, 0.75))


@pytest.mark.parametrize("case", ["dense", "sparse", "copies", "graded"])
def test_many_more_columns_than_samples(case):
    """Columns that are light at an early scale are not looked at, and come back where the answer needs them."""
    rng = np.random.default_rng(4)
    X, x = rng.standard_normal((20, 600)), np.zeros(600)
    x[rng.choice(600, 20 if case == "dense" else 6, replace=False)] = rng.standard_normal(20 if case == "dense" else 6)
    if case == "copies":  # so many of the heaviest column that those taken for heavy have no full rank
        X[:, :120], x[0] = X[:, [0]], 5.0
    if case == "graded":
        X = X * np.exp(2 * rng.standard_normal(600))
    problem = Problem(X, X @ x if case != "dense" else rng.standard_normal(20))
    found = minimum_l1(problem)
    check_optimal(problem, found, np.abs(minimum_l1(problem, method="highs").x).sum())
    assert found.status == (Status.unproved if case == "copies" else Status.converged)


def test_bounds_of_weighted_l1_costs_enclose_what_rounding_hides():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        U, V = np.linalg.qr(rng.standard_normal((2, 2)))[0], np.linalg.qr(rng.standard_normal((4, 2)))[0]
        problem = Problem(U @ np.diag([1.0, 0.01]) @ V.T, 10 * rng.standard_normal(2))
        lower, upper, _ = independent.weighted_l1_cost(problem, np.zeros(4))
        proved = minimum_l1(problem)
        assert proved.error < 1e-12 * upper
        assert lower - proved.error <= np.abs(proved.x).sum() <= upper + proved.error
        assert upper - lower < 1e-11 * upper


def test_what_highs_finds_is_solved_for_anew():
    """Its own dual vector exceeds 1 by 1e-10 here."""
    solution = instance("breast_cancer/plain/307:targets=10").least_l1
    assert solution.status is Status.converged
    assert max(check.value for check in solution.certificate.checks) < 1e-13
