"""The path from saddle to saddle, against exact arithmetic, an independent solver at each step, and the flow."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, nnls
from scipy.special import ellipk, elliprf

from linreg_mirror._tools.updated_qr import UpdatedQR
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.problems import Problem, coherent, correlated, duplicated, ill_conditioned, planted_sparse
from linreg_mirror.problems.losses import Huber
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.solvers.saddles import saddles, screening, thresholds
from linreg_mirror.solvers.saddles.signed_fit import SignedFit
from tests.helpers.zoo import BY_NAME, CASES, gaussian

DETERMINISTIC = settings(
    max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.fixture(autouse=True, scope="module", params=["all columns", "near columns"])
def _columns(request):
    """Look at all columns at all jumps; or, whatever the size of X, at as few as can be, as long as can be."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(screening, "_WORTH_IT", np.inf if request.param == "all columns" else 0)
        patch.setattr(screening, "_AHEAD", 0.0)
        yield


# The rules of the path in rational arithmetic, by trying all supports


def dot(a, b):
    return sum((p * q for p, q in zip(a, b, strict=True)), Fraction(0))


def solve(A, b):
    """Gauss and Jordan; None where A is singular."""
    rows = [[*row, value] for row, value in zip(A, b, strict=True)]
    for k in range(len(rows)):
        pivot = next((i for i in range(k, len(rows)) if rows[i][k]), None)
        if pivot is None:
            return None
        rows[k], rows[pivot] = rows[pivot], rows[k]
        rows[k] = [value / rows[k][k] for value in rows[k]]
        for i in range(len(rows)):
            if i != k:
                rows[i] = [a - rows[i][k] * b for a, b in zip(rows[i], rows[k], strict=True)]
    return [row[-1] for row in rows]


def exact_fit(columns, y, signs):
    """The sign-constrained least-squares fit on the coordinates of `signs`, and its residual."""
    for size in range(len(signs) + 1):
        for support in combinations(signs, size):
            x = solve([[dot(columns[i], columns[j]) for j in support] for i in support],
                      [dot(columns[i], y) for i in support])  # fmt: skip
            if x is None or any(value * signs[i] <= 0 for i, value in zip(support, x, strict=True)):
                continue
            r = [value - sum((x[k] * columns[i][row] for k, i in enumerate(support)), Fraction(0))
                 for row, value in enumerate(y)]  # fmt: skip
            if all(signs[i] * dot(columns[i], r) <= 0 for i in signs):
                return dict(zip(support, x, strict=True)), r
    raise AssertionError("the optimality conditions have a solution")


def exact_path(X, y, t_plus=None, t_minus=None):
    """Return (time, x, sigma) after each jump, and the last residual, all rational."""
    columns = [[Fraction(value) for value in column] for column in zip(*X, strict=True)]
    y, d = [Fraction(value) for value in y], len(columns)
    t_plus, t_minus = t_plus or [1] * d, t_minus or [1] * d
    s, sigma, time, signs, r, jumps = [Fraction(0)] * d, [Fraction(0)] * len(y), Fraction(0), {}, y, []
    while True:
        c = [dot(column, r) for column in columns]
        signs = {i: sign for i, sign in signs.items() if c[i] == 0}
        steps = {
            i: ((t_plus[i] if c[i] > 0 else -t_minus[i]) - s[i]) / c[i] for i in range(d) if c[i] and i not in signs
        }
        if not steps:
            return jumps, r
        step = min(steps.values())
        time, sigma = time + step, [a + step * b for a, b in zip(sigma, r, strict=True)]
        s = [a + step * b for a, b in zip(s, c, strict=True)]
        signs |= {i: 1 if c[i] > 0 else -1 for i in steps if steps[i] == step}
        x, r = exact_fit(columns, y, signs)
        jumps.append((time, [x.get(i, Fraction(0)) for i in range(d)], sigma))


def floats(values):
    return np.array([float(value) for value in values])


def draw(data):
    n, d = data.draw(st.integers(1, 3), "n"), data.draw(st.integers(1, 5), "d")
    entries = st.integers(-3, 3)
    X = data.draw(st.lists(st.lists(entries, min_size=d, max_size=d), min_size=n, max_size=n), "X")
    return X, data.draw(st.lists(entries, min_size=n, max_size=n), "y")


@DETERMINISTIC
@given(st.data())
def test_exact_arithmetic_agrees_ties_and_lost_rank_included(data):
    X, y = draw(data)
    d = len(X[0])
    weights = None
    if data.draw(st.booleans(), "weighted"):
        sides = st.lists(st.integers(1, 3), min_size=d, max_size=d)
        weights = data.draw(sides, "t_plus"), data.draw(sides, "t_minus")
    jumps, r = exact_path(X, y, *(weights or ()))
    path = saddles(Problem(np.array(X), np.array(y)), weights)
    np.testing.assert_allclose(path.times, floats(time for time, *_ in jumps), rtol=1e-12)
    assert path.certificate.valid, str(path.certificate)
    ended = Status.converged if path.error < np.inf else Status.unproved
    assert path.status is (Status.inconsistent if any(r) else ended)
    A = np.array(X, float)
    if jumps and path.error < np.inf:  # then the end is the only one
        exact = [Fraction(v) for v in jumps[-1][1]]
        assert sum(abs(Fraction(v) - u) for u, v in zip(exact, path.solution.x, strict=True)) <= path.error
    for k, (_, x, sigma) in enumerate(jumps):
        # Which of several fits is taken is a choice where columns depend on each other; what they predict is not.
        np.testing.assert_allclose(A @ path.points[k], A @ floats(x), atol=1e-12)
        np.testing.assert_allclose(A.T @ path.dual[k], A.T @ floats(sigma), atol=1e-12)
        if np.linalg.matrix_rank(A) == d:
            np.testing.assert_allclose(path.points[k], floats(x), atol=1e-11)


# Optimality at every jump, and the end


FAMILIES = {
    "planted": lambda rng: planted_sparse(n=20, d=60, nonzeros=4, rng=rng),
    "random": lambda rng: Problem(rng.standard_normal((20, 60)), rng.standard_normal(20)),
    "correlated": lambda rng: correlated(n=20, d=60, nonzeros=15, rng=rng, rho=0.9),
    "coherent": lambda rng: coherent(n=20, d=60, nonzeros=4, rng=rng, coherence=0.95),
    "duplicated": lambda rng: duplicated(n=20, d=60, nonzeros=15, rng=rng, copies=20),
    "ill-conditioned": lambda rng: ill_conditioned(n=20, d=60, nonzeros=15, rng=rng, condition=1e3),
    "tall": lambda rng: Problem(rng.standard_normal((40, 15)), rng.standard_normal(40)),
    "rank 8": lambda rng: Problem(rng.standard_normal((20, 8)) @ rng.standard_normal((8, 60)), rng.standard_normal(20)),
}


def problems():
    return [pytest.param(make, seed, id=f"{name}-{seed}") for name, make in FAMILIES.items() for seed in range(3)]


def least_cost(X, y, t_plus, t_minus):
    """The value of the linear programme in (x+, x-), over the least-squares solutions."""
    Q = np.linalg.svd(X, full_matrices=False)[0][:, : np.linalg.matrix_rank(X)]
    answer = linprog(np.append(t_plus, t_minus), A_eq=Q.T @ np.hstack([X, -X]), b_eq=Q.T @ y, method="highs")
    assert answer.status == 0, answer.message
    return answer.fun


@pytest.mark.parametrize(("make", "seed"), problems())
@pytest.mark.parametrize("weighted", [False, True])
def test_optimality_at_every_jump_to_1e12(make, seed, weighted):
    rng = np.random.default_rng(seed)
    problem = make(rng)
    X, y, d = problem.X, problem.y, problem.d
    t_plus, t_minus = rng.uniform(0.5, 2, (2, d)) if weighted else np.ones((2, d))
    path = saddles(problem, (t_plus, t_minus) if weighted else None)
    lengths = np.sqrt((X**2).sum(axis=0))
    assert (np.diff(path.times) > 0).all()
    for x, sigma, active in zip(path.points, path.dual, path.active, strict=True):
        slopes, r = X.T @ sigma, y - X @ x
        assert (slopes <= t_plus * (1 + 1e-12)).all()
        assert (slopes >= -t_minus * (1 + 1e-12)).all()
        np.testing.assert_array_equal(active, np.flatnonzero(x))
        thresholds = np.where(x > 0, t_plus, -t_minus)
        np.testing.assert_allclose(slopes[active], thresholds[active], rtol=1e-12)
        size = np.linalg.norm(y) + np.abs(x) @ lengths
        assert np.abs(X[:, active].T @ r / lengths[active]).max() <= 1e-12 * size
        waiting = np.abs(slopes) >= np.where(slopes > 0, t_plus, t_minus) * (1 - 1e-12)
        pushed = np.sign(slopes) * (X.T @ r)
        assert (pushed[waiting] <= 1e-12 * size * lengths[waiting]).all()
    end = path.solution
    # Of coherent columns some are at their thresholds but for rounding: the norm is proved then, and x is not.
    passed = {check.name: check.passed for check in end.certificate.checks}
    assert passed.pop("error of x", True) or (weighted and not np.isfinite(path.error)), str(end.certificate)
    assert all(passed.values()), str(end.certificate)
    cost = t_plus @ np.maximum(end.x, 0) + t_minus @ np.maximum(-end.x, 0)
    assert cost == pytest.approx(least_cost(X, y, t_plus, t_minus), rel=1e-9)
    np.testing.assert_array_equal(end.x, path.points[-1])


@pytest.mark.parametrize(("make", "seed"), problems())
def test_each_saddle_is_the_non_negative_fit_of_another_solver(make, seed):
    problem = make(np.random.default_rng(seed))
    path = saddles(problem)
    for x, sigma in zip(path.points, path.dual, strict=True):
        slopes = problem.X.T @ sigma
        on = np.flatnonzero(np.abs(slopes) >= 1 - 1e-10)
        values, _ = nnls(problem.X[:, on] * np.sign(slopes[on]), problem.y)
        np.testing.assert_allclose(
            problem.X @ x, problem.X[:, on] @ (np.sign(slopes[on]) * values), atol=1e-9 * np.abs(problem.y).max()
        )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_zoo(case):
    path = saddles(case.problem)
    end = path.solution
    assert path.certificate.valid, str(path.certificate)
    assert path.status is case.l1_status
    assert np.abs(end.x).sum() == pytest.approx(case.l1, abs=1e-13)
    assert end.unique is case.unique
    if case.unique:
        np.testing.assert_allclose(end.x, case.minimum_l1, atol=1e-13)
        assert (end.x != 0).tolist() == (np.array(case.minimum_l1) != 0).tolist()


def test_targets_out_of_range_are_in_effect_projected():
    X = np.array([[1.0, 2.0, 0.0], [0.0, 1.0, 1.0], [1.0, 3.0, 1.0]])  # the last row is the sum of the others
    inside, across = X @ [1.0, -1.0, 2.0], np.array([1.0, 1.0, -1.0])
    with_rest, without = saddles(Problem(X, inside + 5 * across)), saddles(Problem(X, inside))
    assert with_rest.status is Status.inconsistent
    assert without.status is Status.unproved
    np.testing.assert_allclose(with_rest.times, without.times, rtol=1e-13)
    np.testing.assert_allclose(with_rest.points, without.points, atol=1e-13)
    np.testing.assert_allclose(with_rest.dual, without.dual, atol=1e-13)
    np.testing.assert_allclose(with_rest.dual @ across, 0, atol=1e-14)


# A path by hand: X'y = (5, 0); x_0 enters at 1/5 with <X_0, y>/5 = 1, which leaves r = (1, -2), X'r = (0, -5)


def square():
    return saddles(BY_NAME["square"].problem)


def test_by_hand():
    path = square()
    np.testing.assert_allclose(path.times, [0.2, 0.4], rtol=1e-15)
    np.testing.assert_allclose(path.points, [[1, 0], [2, -1]], atol=1e-15)
    np.testing.assert_allclose(path.dual, [[0.6, -0.2], [0.8, -0.6]], rtol=1e-14)
    assert [active.tolist() for active in path.active] == [[0], [0, 1]]
    assert [signs.tolist() for signs in path.signs] == [[1], [1, -1]]
    assert path.stats.steps == 2
    assert repr(path).startswith("SaddlePath(n=2, d=2, jumps=2, |x|_1=")


def test_between_the_jumps_by_hand():
    path = square()
    tau = [0.0, 0.1, path.times[0], 0.3, path.times[1], 1.0]
    np.testing.assert_allclose(path.at(tau), [[0, 0], [0, 0], [1, 0], [1, 0], [2, -1], [2, -1]], atol=1e-15)
    np.testing.assert_allclose(
        path.dual_at(tau), [[0, 0], [0.3, -0.1], [0.6, -0.2], [0.7, -0.4], [0.8, -0.6], [0.8, -0.6]], atol=1e-15
    )
    np.testing.assert_allclose(
        path.average(tau), [[0, 0], [0, 0], [0, 0], [1 / 3, 0], [0.5, 0], [1.4, -0.6]], atol=1e-15
    )
    np.testing.assert_allclose(path.at(np.inf), [2, -1], atol=1e-15)
    np.testing.assert_allclose(path.dual_at(np.inf), [0.8, -0.6], atol=1e-15)
    for method in (path.at, path.dual_at, path.average):
        assert method(0.3).shape == (2,)
        np.testing.assert_array_equal(method(0.3), method([0.3])[0])


def test_a_coordinate_that_leaves_by_hand():
    # x_0 stands in for both others, with which y = (0, 1, 1.4): when they are in, it has to go.
    problem = Problem([[0.9, 1.0, 0.0], [0.9, 0.0, 1.0], [0.5, 0.0, 0.0]], [1.0, 1.4, 0.0])
    path = saddles(problem)
    rows = [[Fraction(9, 10), 1, 0], [Fraction(9, 10), 0, 1], [Fraction(1, 2), 0, 0]]
    jumps, _ = exact_path(rows, [1, Fraction(7, 5), 0])
    assert [active.tolist() for active in path.active] == [[0], [0, 2], [1, 2]]
    assert [active.tolist() for active in path.active] == [[i for i in range(3) if x[i]] for _, x, _ in jumps]
    np.testing.assert_allclose(path.points, [floats(x) for _, x, _ in jumps], atol=1e-14)


def test_nothing_to_do():
    for problem in (Problem([[1.0, 2.0]], [0.0]), Problem(np.zeros((1, 2)), [1.0])):
        path = saddles(problem)
        assert path.times.shape == (0,)
        assert path.points.shape == (0, 2)
        assert path.dual.shape == (0, 1)
        for method, width in ((path.at, 2), (path.average, 2), (path.dual_at, 1)):
            np.testing.assert_array_equal(method([0.0, 1.0]), np.zeros((2, width)))
            np.testing.assert_array_equal(method(1.0), np.zeros(width))
        np.testing.assert_array_equal(path.solution.x, [0, 0])


def test_of_equal_columns_the_first_enters():
    path = saddles(Problem([[1.0, 2.0, -2.0, 2.0, 0.0], [0.0, 0.0, 0.0, 0.0, 1.0]], [4.0, 1.0]))
    assert [active.tolist() for active in path.active] == [[1], [1, 4]]
    assert path.solution.unique is False


def test_columns_that_arrive_at_once_make_one_jump():
    path = saddles(Problem(np.eye(4, 3), [2.0, -2.0, 1.0, 0.0]))
    np.testing.assert_allclose(path.times, [0.5, 1.0])
    assert [active.tolist() for active in path.active] == [[0, 1], [0, 1, 2]]


def test_dependent_columns_that_arrive_at_once():
    # The third column is the mean of the others; all three reach 1 together.
    path = saddles(Problem([[2.0, 0.0, 1.0], [0.0, 2.0, 1.0]], [1.0, 1.0]))
    np.testing.assert_allclose(path.times, [0.5])
    np.testing.assert_allclose(path.problem.X @ path.points[0], [1, 1], atol=1e-15)
    assert np.abs(path.points[0]).sum() == pytest.approx(1)
    assert path.solution.unique is False


# The flow


@pytest.mark.parametrize("weighted", [False, True])
def test_the_flow_of_a_tiny_scale_is_there_too(weighted):
    problem = gaussian(6, 15, 3)
    t = np.random.default_rng(0).uniform(0.7, 1.5, 15) if weighted else np.ones(15)
    path = saddles(problem, t)
    L = 2e4
    k = int(np.argmax(path.times[1:] / path.times[:-1]))
    tau = np.sqrt(path.times[k] * path.times[k + 1])
    run = flow(problem, Hadamard.from_scale(log_b=-L * t), until=tau * L / 2)
    np.testing.assert_allclose(run.x[-1], path.at(tau), atol=1e-8)
    np.testing.assert_allclose(-run.dual[-1] / (L / 2), path.dual_at(tau), atol=20 / L)


# Input


def test_units_do_not_matter():
    problem = gaussian(8, 20, 1)
    path = saddles(problem)
    for factor in (1e-150, 1e-5, 1e150):
        scaled = saddles(Problem(problem.X, factor * problem.y))
        assert scaled.status is Status.converged
        np.testing.assert_allclose(scaled.points / factor, path.points, rtol=1e-12)
        np.testing.assert_allclose(scaled.times * factor, path.times, rtol=1e-12)
        np.testing.assert_allclose(scaled.dual, path.dual, rtol=1e-12)
    wide = saddles(Problem(1e60 * problem.X, problem.y))
    np.testing.assert_allclose(1e60 * wide.points, path.points, rtol=1e-12)


def test_weights_are_a_scaling_of_columns():
    problem, t = gaussian(8, 20, 1), np.random.default_rng(0).uniform(0.5, 2, 20)
    weighted, scaled = saddles(problem, t), saddles(Problem(problem.X / t, problem.y))
    np.testing.assert_allclose(weighted.times, scaled.times, rtol=1e-12)
    np.testing.assert_allclose(weighted.points * t, scaled.points, atol=1e-12)


def test_integer_and_float32_input():
    X, y = np.array([[1, 2, 0], [0, 1, 3]]), np.array([2, -1])
    expected = saddles(Problem(X.astype(float), y.astype(float)))
    for dtype in (np.int16, np.float32):
        path = saddles(Problem(X.astype(dtype), y.astype(dtype)), np.ones(3, dtype))
        np.testing.assert_array_equal(path.points, expected.points)


def test_the_path_does_not_change_its_input():
    problem = gaussian(4, 9, 0)
    X, y = problem.X.copy(), problem.y.copy()
    saddles(problem)
    np.testing.assert_array_equal(problem.X, X)
    np.testing.assert_array_equal(problem.y, y)


def test_another_loss_is_refused():
    with pytest.raises(ValueError, match=r"for the squared loss only, got Huber.*write saddles\(Problem\(problem\.X"):
        saddles(Problem([[1.0, 2.0]], [1.0], Huber(0.5)))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones(2), r"weights must have shape \(3,\), one threshold a feature, got \(2,\): write"),
        (1.0, r"weights must have shape \(3,\).*got \(\)"),
        ((np.ones(3), np.ones(2)), r"weights must have shape \(3,\)"),
        ((np.ones(3),), r"one array or a pair of them, got a tuple of 1: write \(t_plus, t_minus\)"),
        ([1.0, 0.0, 1.0], "weights must be positive, got 0"),
        ((np.ones(3), -np.ones(3)), "weights must be positive, got -1"),
        ([1.0, np.inf, 1.0], "weights must be finite"),
        ([1.0, np.nan, 1.0], "weights must be finite"),
    ],
)
def test_bad_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        saddles(Problem([[1.0, 2.0, 3.0]], [1.0]), weights)


@pytest.mark.parametrize("tau", [-1.0, [0.5, -0.1], np.nan])
def test_times_before_the_start_are_refused(tau):
    path = square()
    for method in (path.at, path.dual_at, path.average):
        with pytest.raises(ValueError, match=r"tau, rescaled times, must be >= 0, got .*: the path begins at 0"):
            method(tau)


def test_the_average_over_all_time_is_refused():
    with pytest.raises(ValueError, match=r"tau must be finite for an average, got inf: write path\.at\(np\.inf\)"):
        square().average([1.0, np.inf])


# The parts


def test_updated_factors_are_those_of_a_fresh_factorisation():
    rng = np.random.default_rng(0)
    A, b, columns = rng.standard_normal((12, 60)), rng.standard_normal(12), []
    factors = UpdatedQR(12, 12)
    for step in range(200):
        if columns and (len(columns) == 12 or rng.random() < 0.4):
            position = int(rng.integers(len(columns)))
            factors.delete(position)
            columns.pop(position)
        else:
            i = int(rng.choice(np.setdiff1d(np.arange(60), columns)))
            factors.append(A[:, i])
            columns.append(i)
        x, rest = factors.solve(b)
        np.testing.assert_allclose(rest, b - A[:, columns] @ x, atol=1e-12)
        np.testing.assert_allclose(A[:, columns].T @ rest, 0, atol=1e-12)
        assert factors.k == len(columns), step


@pytest.mark.parametrize("seed", range(5))
def test_signed_fit_is_non_negative_least_squares(seed):
    rng = np.random.default_rng(seed)
    X, y = rng.standard_normal((15, 10)), rng.standard_normal(15)
    fit = SignedFit(X, y)
    while (slopes := X.T @ fit.residual).max() > 1e-12:
        fit.enter(int(np.argmax(slopes)), 1.0)
    expected, _ = nnls(X, y)
    x = np.zeros(10)
    x[fit.support()[0]] = fit.support()[1]
    np.testing.assert_allclose(x, expected, atol=1e-13)
    np.testing.assert_allclose(fit.residual, y - X @ x, atol=1e-13)


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.csc_array], ids=["dense", "sparse"])
def test_columns_out_of_reach_are_not_multiplied(make, monkeypatch):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((30, 600)), rng.standard_normal(30)
    monkeypatch.setattr(screening, "_WORTH_IT", np.inf)
    every = saddles(Problem(make(X), y))
    monkeypatch.setattr(screening, "_WORTH_IT", 0)
    looked_at, narrow = [], screening.Screening._look_at

    def spying(self, which, s, radius):
        looked_at.append(len(which))
        narrow(self, which, s, radius)

    monkeypatch.setattr(screening.Screening, "_look_at", spying)
    near = saddles(Problem(make(X), y))
    assert min(looked_at) <= 600 / 5 + 30
    np.testing.assert_allclose(near.times, every.times, rtol=1e-12)
    np.testing.assert_array_equal(near.points != 0, every.points != 0)
    np.testing.assert_allclose(near.points, every.points, rtol=1e-9, atol=1e-12)


def test_a_radius_that_is_too_large_loses_arrivals(monkeypatch):
    rng = np.random.default_rng(0)
    problem = Problem(rng.standard_normal((30, 600)), rng.standard_normal(30))
    monkeypatch.setattr(screening, "_WORTH_IT", 0)
    right = saddles(problem)
    look_at = screening.Screening._look_at
    monkeypatch.setattr(
        screening.Screening, "_look_at", lambda self, which, s, radius: look_at(self, which, s, 30 * radius)
    )
    wrong = saddles(problem)
    assert len(wrong.times) != len(right.times) or np.abs(wrong.times / right.times - 1).max() > 1e-6


def test_thresholds_of_three_factors_are_elliptic_integrals():
    rng = np.random.default_rng(0)
    factors = np.exp(rng.uniform(-5, 5, (3, 20))) * rng.choice([-1, 1], (3, 20))
    s2, *others = np.sort(factors**2, axis=0)
    beyond = elliprf(s2, *others)
    whole = 2 * elliprf(0.0, *(others - s2))
    up, down = thresholds(factors)
    positive = factors.prod(axis=0) > 0
    np.testing.assert_allclose(np.where(positive, up, down), beyond, rtol=1e-10)
    np.testing.assert_allclose(up + down, whole, rtol=1e-10)


def test_thresholds_from_zero_are_the_same_and_fall_with_the_size():
    up, down = thresholds([[0.0], [1.0], [2.0]])
    np.testing.assert_allclose(up, ellipk(0.75) / 2, rtol=1e-12)
    np.testing.assert_array_equal(up, down)
    np.testing.assert_allclose(thresholds([[0.0], [3.0], [6.0]])[0], up / 3, rtol=1e-12)


def test_thresholds_are_weights_of_saddles():
    X = np.array([[1.0, -1.0]])
    up, down = thresholds([[0.4, 0.4], [1.0, 1.0], [1.0, 1.0]])
    path = saddles(Problem(X, np.ones(1)), weights=(up, down))
    assert path.active[-1].tolist() == [0]  # up < down
    np.testing.assert_allclose(path.times, up[0], rtol=1e-12)


@pytest.mark.parametrize("factors", [np.ones((2, 3)), np.ones(3), np.ones((3, 0))])
def test_thresholds_need_three_factors(factors):
    with pytest.raises(ValueError, match="D >= 3"):
        thresholds(factors)


def test_thresholds_need_one_smallest_factor():
    with pytest.raises(ValueError, match="index 1 have the same size, 1"):
        thresholds([[0.5, 1.0], [1.0, -1.0], [2.0, 2.0]])
