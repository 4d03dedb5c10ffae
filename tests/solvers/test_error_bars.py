"""True errors, from arithmetic with 500 bits, never exceed what was proved."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.sparse.linalg import LinearOperator

import linreg_mirror as lm
from linreg_mirror import Status
from linreg_mirror.solvers.error_bars import Rows, bar, proving_rows
from linreg_mirror.solvers.error_bars.repeats import repeats
from linreg_mirror.solvers.results import proved_digits
from tests.helpers.zoo import CASES

flint = pytest.importorskip("flint")
from benchmarks.conditioning import exact_limit, problem  # noqa: E402

KINDS = ["planted", "dense", "random"]


def distance(x, exact):
    return float(sum(abs(v - float(u)) for u, v in zip(x, exact, strict=True)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("log_b", [3.0, 0.0, -10.0, -100.0, -1e4])
def test_errors_of_limits_stay_below_their_bars(kind, log_b):
    rng = np.random.default_rng(int(abs(log_b)) + len(kind))
    ratios = []
    for _ in range(8):
        n = int(rng.integers(2, 7))
        of = problem(n, int(rng.integers(2, 5)) * n, 10 ** rng.uniform(0, 10), kind, rng)
        found = lm.limit(of, lm.Hadamard.from_scale(log_b=log_b, d=of.d))
        exact = exact_limit(of, log_b, found)
        error = distance(found.x, exact)
        assert error <= found.error <= 1e-9 * np.abs(found.x).sum()
        assert all(abs(v - float(u)) <= e for u, v, e in zip(found.x, exact, found.entry_errors, strict=True))
        ratios.append(found.error / max(error, 1e-18 * np.abs(found.x).sum()))
    assert np.median(ratios) <= 100


@pytest.mark.parametrize("cut", [1e-2, 1e-5, 1e-9])
def test_the_bar_of_a_dual_vector_that_is_wrong(cut):
    rng = np.random.default_rng(5)
    for kind in KINDS:
        of = problem(6, 20, 1e3, kind, rng)
        network = lm.Hadamard.from_scale(1e-3, d=20)
        found = lm.limit(of, network)
        exact = exact_limit(of, np.log(1e-3), found)
        rows = Rows.of(of)
        s = rows.scaled(lm._tools.double_double.Pair.of(found.dual * (1 + cut * rng.uniform(-1, 1, 6))))
        wrong = bar(rows, network.mirror(), 0.0, s)
        error = distance(wrong.x, exact)
        assert error <= wrong.error
        assert wrong.error <= 100 * error or not np.isfinite(wrong.error)


def test_a_penalty_a_start_and_unequal_scales():
    rng = np.random.default_rng(6)
    of = problem(5, 15, 1e5, "random", rng)
    network = lm.Hadamard.from_scale(np.exp(rng.uniform(-20, 1, 15)), x0=rng.standard_normal(15), d=15)
    found = lm.limit(of, network, decay=1.5)
    assert found.status is Status.converged
    assert found.digits > 12
    again = lm.limit(of, network, decay=1.5, tolerance=1e-3)
    assert np.abs(found.x - again.x).sum() <= found.error + again.error


@pytest.mark.parametrize(
    "network", [lm.Direct.at(0.3, d=30), lm.Power.from_scale(1e-3, depth=3, d=30), lm.HAM.at(0.3, a=50.0, d=30)]
)
def test_other_potentials(network):
    of = problem(8, 30, 1e6, "random", np.random.default_rng(7))
    found, rough = lm.limit(of, network), lm.limit(of, network, tolerance=1e-4)
    assert found.status is Status.converged
    assert np.abs(found.x - rough.x).sum() <= found.error + rough.error
    if isinstance(network, lm.Direct):
        x = network.theta0 + np.linalg.pinv(of.X) @ (of.y - of.X @ network.theta0)
        np.testing.assert_allclose(found.x, x, rtol=0, atol=1e-8 * np.abs(x).max())


@pytest.mark.parametrize("log_b", [-60.0, -1000.0, -1e5])
def test_integers_whose_last_weights_vanish(log_b):
    X = np.array([[5, 2, 0, -1, 3, 1], [1, 1, 1, 2, -1, 2], [-3, 0, 1, 1, 1, -3.0]])  # |X_j'X_0| < |X_0|^2
    x = np.array([3.0, 0, 0, 0, 0, 0])
    found = lm.limit(lm.Problem(X, X @ x), lm.Hadamard.from_scale(log_b=log_b, d=6))
    assert found.digits > 12
    least = lm.minimum_l1(lm.Problem(X, X @ x))
    assert least.unique
    assert least.error >= np.abs(least.x - x).sum()
    if log_b < -900:  # then the limit is the vertex, but for exp(-100)
        assert np.abs(found.x - x).sum() <= found.error


def test_an_answer_that_is_exact_has_no_error():
    found = lm.limit(lm.Problem([[1, 2, 3], [0, 1, 1]], [0, 0]), lm.Hadamard.from_scale(1e-3, d=3))
    assert found.error == 0
    assert found.digits == np.inf
    assert lm.minimum_l1(lm.Problem([[1, 2]], [0])).error == 0


def test_what_cannot_be_reached_says_how_much_is_proved():
    of = problem(6, 20, 1e4, "random", np.random.default_rng(8))
    found = lm.limit(of, lm.Hadamard.from_scale(1e-3, d=20), tolerance=1e-18)
    assert found.status is Status.not_certified
    assert 14 < found.digits < 17


def test_where_nothing_is_proved_the_reason_is_given():
    of = problem(4, 12, 10, "random", np.random.default_rng(9))
    operator = LinearOperator(of.X.shape, matvec=lambda v: of.X @ v, rmatvec=lambda v: of.X.T @ v)
    network = lm.Hadamard.from_scale(1e-2, d=12)
    twice = lm.Problem(np.vstack([of.X, of.X[0] + of.X[1]]), np.append(of.y, of.y[0] + of.y[1]))
    for unproved, reason in ((lm.Problem(operator, of.y), "operator"), (twice, "dependent")):
        found = lm.limit(unproved, network)
        assert found.error == np.inf
        assert found.digits == 0
        assert found.status is Status.unproved
        assert any(reason in note for note in found.stats.notes)
        least = lm.minimum_l2(unproved)
        assert least.status is Status.unproved
        assert any(reason in note for note in least.stats.notes)
        assert found.status.solved
    assert isinstance(proving_rows(twice), str)


def test_centred_data_are_told_which_row_to_leave_out():
    rng = np.random.default_rng(10)
    X, y = 3 + rng.standard_normal((8, 20)), rng.standard_normal(8)
    X, y = X - X.mean(axis=0), y - y.mean()
    (note,) = lm.minimum_l1(lm.Problem(X, y)).stats.notes
    advice = note.partition("write ")[2]
    found = lm.minimum_l1(eval(advice, {"Problem": lm.Problem, "np": np, "X": X, "y": y}))
    assert found.status is Status.converged
    assert np.abs(X @ found.x - y).max() < 1e-13
    y[0] += 1.0  # no row is implied where Xx = y has no solution
    assert "write" not in str(proving_rows(lm.Problem(X, y)))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("condition", [1.0, 1e4, 1e8, 1e11])
def test_least_norms_are_proved(kind, condition):
    of = problem(8, 30, condition, kind, np.random.default_rng(10))
    ours = lm.minimum_l1(of)
    assert ours.status is Status.converged
    assert ours.unique
    assert ours.digits >= 9
    path = lm.saddles(of)
    assert np.abs(path.solution.x - ours.x).sum() <= path.error + ours.error
    if condition <= 1e4:
        highs = lm.minimum_l1(of, method="highs")
        assert np.abs(highs.x - ours.x).sum() <= highs.error + ours.error
        assert highs.digits > 9


def test_a_vertex_against_fractions():
    rng = np.random.default_rng(11)
    for _ in range(20):
        X = rng.integers(-9, 10, (2, 6)).astype(float)
        y = rng.integers(-9, 10, 2).astype(float)
        if np.linalg.matrix_rank(X) < 2:
            continue
        found = lm.minimum_l1(lm.Problem(X, y))
        if not np.isfinite(found.error):
            assert found.unique is not True
            continue
        costs = {}
        for i in range(6):
            for j in range(i):
                (a, b), (c, d) = ([Fraction(int(X[k, m])) for m in (i, j)] for k in (0, 1))
                if determinant := a * d - b * c:
                    u, v = Fraction(int(y[0])), Fraction(int(y[1]))
                    costs[i, j] = ((d * u - b * v) / determinant, (a * v - c * u) / determinant)
        (i, j), (xi, xj) = min(costs.items(), key=lambda item: sum(map(abs, item[1])))
        exact = [Fraction(0)] * 6
        exact[i], exact[j] = xi, xj
        assert sum(abs(Fraction(float(a)) - b) for a, b in zip(found.x, exact, strict=True)) <= found.error


def test_several_least_norms_have_no_bar():
    found = lm.minimum_l1(lm.Problem([[1, 1]], [1]))
    assert found.unique is False
    assert found.error == np.inf
    assert found.status is Status.unproved
    assert "same L1 norm" in found.stats.notes[-1]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("condition", [1.0, 1e3, 1e6, 1e10])
def test_errors_of_other_routes_stay_below_their_bars(kind, condition):
    for seed in range(3):
        of = problem(8, 30, condition, kind, np.random.default_rng(seed))
        exact = exact_vertex(of)
        for method in ("highs", "cvxpy"):
            try:
                found = lm.minimum_l1(of, method=method)
            except ArithmeticError:  # they give up on the worst-conditioned ones
                assert condition == 1e10
                continue
            assert distance(found.x, exact) <= found.error
            assert (found.status is Status.converged) == found.certificate.valid
            if condition <= 1e3:
                assert found.unique
                assert found.digits > 9
                assert found.error <= 1e-9 * np.abs(found.x).sum()


def exact_vertex(of):
    """The interpolator of least L1 norm with 25 digits, from a proof that shares no code with the bars."""
    proof = lm.prove(of, lm.minimum_l1(of), digits=25)
    assert proof.kind == "vertex"
    exact = [Fraction(0)] * of.d
    for place, value in zip(proof.content["basis"], proof.content["x"], strict=True):
        exact[place] = Fraction(value)
    return exact


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("condition", [1.0, 1e3, 1e6, 1e10])
def test_errors_of_least_l2_norms_stay_below_their_bars(kind, condition):
    rng = np.random.default_rng(14)
    for _ in range(5):
        n = int(rng.integers(2, 7))
        of = problem(n, int(rng.integers(2, 5)) * n, condition, kind, rng)
        found, exact = lm.minimum_l2(of), exact_l2(of)
        assert sum(abs(Fraction(v) - u) for u, v in zip(exact, found.x, strict=True)) <= found.error
        assert found.error <= 1e-12 * np.abs(found.x).sum()
        assert found.status is Status.converged
        assert found.stats.method == ("numpy lstsq, refined" if condition > 1e5 else "numpy lstsq")


def exact_l2(of):
    """X'(XX')^-1 y in rational arithmetic."""
    X = flint.fmpq_mat(of.n, of.d, [flint.fmpq(*float(v).as_integer_ratio()) for v in of.X.ravel()])
    y = flint.fmpq_mat(of.n, 1, [flint.fmpq(*float(v).as_integer_ratio()) for v in of.y])
    x = X.transpose() * (X * X.transpose()).solve(y)
    return [Fraction(int(x[i, 0].p), int(x[i, 0].q)) for i in range(of.d)]


@pytest.mark.parametrize("condition", [1.0, 1e8])
def test_rows_that_repeat_others_are_left_out(condition):
    """Zeros, copies, and multiples by powers of two say nothing new; other multiples are so only but for rounding."""
    of = problem(5, 15, condition, "random", np.random.default_rng(15))
    copies, factors = [0, 1, 2, 3, 4, 2, 0, 3], np.array([1, 1, 1, 1, 1, -4, 0.5, 1])
    X, y = np.vstack([0 * of.X[0], of.X[copies] * factors[:, None]]), np.append(0, of.y[copies] * factors)
    more, network = lm.Problem(X, y), lm.Hadamard.from_scale(1e-2, d=15)
    for solve in (
        lambda p: lm.limit(p, network), lm.minimum_l1, lm.minimum_l2, lambda p: lm.saddles(p).solution,
        lambda p: lm.minimum_l1(p, method="highs"),
    ):  # fmt: skip
        found, expected = solve(more), solve(of)
        assert np.abs(found.x - expected.x).sum() <= found.error + expected.error
        assert found.error <= 1e-6 * np.abs(found.x).sum()
        assert found.dual.shape == (9,)
        assert found.certificate["feasibility"].passed
    run = lm.flow(more, lm.Hadamard.at(0.0, 1.0, d=15)) if condition == 1 else None
    assert run is None or run.status is Status.converged
    for spoilt, why in ((np.append(X, [3 * X[1]], axis=0), "dependent"), (X, "dependent")):
        targets = np.append(y, 3 * y[1]) if len(spoilt) > len(y) else np.append(1.0, y[1:])
        assert why in proving_rows(lm.Problem(spoilt, targets))


def test_dual_vectors_of_rows_that_repeat_others():
    rng = np.random.default_rng(16)
    X, y = rng.standard_normal((3, 7)), rng.standard_normal(3)
    factors = np.array([1, -1, 0, 8, 1, -0.25])
    more = X[[0, 1, 0, 1, 2, 0]] * factors[:, None]
    found = repeats(more, y[[0, 1, 0, 1, 2, 0]] * factors)
    kept, s = more[found.kept], rng.standard_normal(6)
    np.testing.assert_allclose(kept.T @ found.merged(s), more.T @ s, rtol=1e-13)
    np.testing.assert_array_equal(found.factors[:, None] * kept[found.of], more)
    np.testing.assert_allclose(more.T @ found.spread(s[:3]), kept.T @ s[:3], rtol=1e-13)


def test_entries_that_scaling_would_lose_are_no_repeats():
    X = np.array([[1e-300, 1e100, 0.0], [2e-300, 2e100, 0.0]])
    assert repeats(X, np.array([1.0, 2.0])) is None
    assert repeats(np.zeros((2, 3)), np.zeros(2)) is None
    assert repeats(np.eye(3), np.ones(3)) is None


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_statuses_say_what_is_proved(case):
    network = lm.Hadamard.from_scale(0.1, d=case.problem.d)
    for solve in (
        lambda p: lm.limit(p, network), lm.minimum_l2, lambda p: lm.saddles(p).solution,
        *(lambda p, method=method: lm.minimum_l1(p, method) for method in ("mirror", "highs", "cvxpy")),
    ):  # fmt: skip
        found = solve(case.problem)
        assert found.status.solved == found.certificate.valid
        assert (found.status is Status.converged) == (found.error < np.inf)
        assert found.error < np.inf or found.stats.notes
        assert found.error == np.inf or found.certificate["error of x"].passed
    run = lm.flow(case.problem, network)
    assert run.status.solved
    assert (run.status is Status.converged) == (run.to_limit < np.inf)
    assert any("no " in note for note in run.stats.notes) == (run.status is not Status.converged)


def test_digits():
    assert proved_digits(1e-9, np.array([1.0, -9.0])) == pytest.approx(10)
    assert proved_digits(np.inf, np.ones(2)) == proved_digits(20.0, np.ones(2)) == 0


def test_where_no_vertex_is_proved_the_answer_stays(monkeypatch):
    """A support that no bar comes of must not cost the answer that was there before."""
    from linreg_mirror.solvers.error_bars import VertexBar
    from linreg_mirror.solvers.limit import _minimum_l1

    monkeypatch.setattr(
        _minimum_l1, "vertex_bar", lambda rows, support, s: VertexBar(np.zeros(rows.X.shape[1]), s, np.inf)
    )
    of = problem(6, 20, 10, "random", np.random.default_rng(12))
    found = lm.minimum_l1(of)
    assert found.status is Status.unproved
    assert found.error == np.inf
    assert all(check.passed for check in found.certificate.checks if check.name != "error of x")
    assert any("thresholds" in note for note in found.stats.notes)
