"""Largest margins against cvxpy and by hand, and flows on separable data against their own definition."""

import cvxpy as cp
import numpy as np
import pytest
import scipy.sparse

import linreg_mirror as lm
from linreg_mirror.solvers.separable import _margin_flow


def samples(n=12, d=20, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, d))
    return lm.Problem(X, np.sign(X @ rng.standard_normal(d)))


@pytest.mark.parametrize("norm", [1, 2, np.inf])
@pytest.mark.parametrize("shape", [(12, 20), (60, 5), (1, 3), (40, 1)])
def test_the_margin_is_that_of_cvxpy(norm, shape):
    problem = samples(*shape)
    if shape == (40, 1):
        problem = lm.Problem(problem.X, np.sign(problem.X[:, 0]))
    best = lm.max_margin(problem, norm)
    x = cp.Variable(problem.d)
    programme = cp.Problem(cp.Minimize(cp.norm(x, norm)), [cp.multiply(problem.y, problem.X @ x) >= 1])
    programme.solve(solver=cp.CLARABEL)
    assert np.linalg.norm(best.x, norm) == pytest.approx(programme.value, rel=1e-7)
    assert best.certificate.valid
    assert best.status is lm.Status.unproved
    assert (problem.y * (problem.X @ best.x)).min() == pytest.approx(1.0, rel=1e-12)
    dual = {1: np.inf, 2: 2, np.inf: 1}[norm]
    assert np.linalg.norm(problem.X.T @ (problem.y * best.dual), dual) <= 1 + 1e-12
    assert best.dual.sum() == pytest.approx(programme.value, rel=1e-7)
    assert (best.dual >= 0).all()


@pytest.mark.parametrize("scale", [1e-150, 1e-9, 1e9, 1e150])
@pytest.mark.parametrize("norm", [1, 2, np.inf])
def test_units_do_not_matter(scale, norm):
    problem = samples()
    expected = lm.max_margin(problem, norm)
    found = lm.max_margin(lm.Problem(scale * problem.X, problem.y), norm)
    assert found.certificate.valid
    np.testing.assert_allclose(scale * found.x, expected.x, rtol=1e-9, atol=1e-12)


def test_sparse_samples_are_taken():
    problem = samples()
    found = lm.max_margin(lm.Problem(scipy.sparse.csr_array(problem.X), problem.y))
    np.testing.assert_allclose(found.x, lm.max_margin(problem).x)


@pytest.mark.parametrize("norm", [1, 2, np.inf])
@pytest.mark.parametrize(
    "problem",
    [
        lm.Problem([[1.0, 0.0], [1.0, 0.0]], [1, -1]),
        lm.Problem([[1.0], [2.0], [3.0]], [1, -1, 1]),
        lm.Problem(np.zeros((2, 2)), [1, 1]),
        lm.Problem([[1.0, 1.0], [0.0, 0.0]], [1, 1]),
    ],
)
def test_what_is_not_separable_says_so(norm, problem):
    with pytest.raises(ValueError, match="not linearly separable"):
        lm.max_margin(problem, norm)


@pytest.mark.parametrize("solve", [lm.max_margin, lambda p: lm.margin_flow(p, lm.Hadamard.at(0.0, d=1))])
def test_labels_are_1_and_minus_1(solve):
    with pytest.raises(ValueError, match="takes labels, y = 1 or -1, got 0 at index 1"):
        solve(lm.Problem([[1.0], [2.0]], [1, 0]))


@pytest.mark.parametrize("norm", [0, 3, "1", True, None])
def test_other_norms_are_refused(norm):
    with pytest.raises(ValueError, match="norm must be 1, 2 or inf"):
        lm.max_margin(samples(), norm)


def test_a_certificate_fails_where_the_dual_is_of_another_point(monkeypatch):
    module = lm.solvers.separable._max_margin
    right = module._least_l1
    monkeypatch.setitem(module._SOLVERS, 1, lambda Z: (right(Z)[0] + 1e-3 * Z[0], right(Z)[1]))
    found = lm.max_margin(samples())
    assert found.status is lm.Status.not_certified
    assert not found.certificate["primal-dual gap"].passed


# The flow


def plain(path, loss):
    """Return log L of the path's points, in extended precision and without care."""
    q = path.margins.astype(np.longdouble)
    return np.log(np.exp(-q).sum(axis=1) if loss == "exponential" else np.log1p(np.exp(-q)).sum(axis=1))


@pytest.mark.parametrize("loss", ["exponential", "logistic"])
@pytest.mark.parametrize(
    "network", [lm.Hadamard.at(0.0, d=20), lm.Power.from_scale(0.5, depth=3, d=20), lm.Direct.at(0.0, d=20)]
)
def test_a_path_is_the_flow_of_its_loss(loss, network):
    problem = samples()
    path = lm.margin_flow(problem, network, loss, until=-30.0)
    assert path.log_loss[-1] == pytest.approx(-30.0, abs=1e-9)
    np.testing.assert_allclose(path.log_loss, plain(path, loss).astype(float), rtol=1e-9, atol=1e-12)
    assert (np.diff(path.log_loss) < 0).all()
    np.testing.assert_allclose(path.margins, problem.y * (path.x @ problem.X.T), rtol=1e-12)
    # d log L/ds = -|grad log L|^2, by the trapezoidal rule.
    slopes = []
    for theta, q in zip(path.parameters, path.margins, strict=True):
        weights = np.exp(-q) if loss == "exponential" else 1 / (1 + np.exp(q))
        L = np.exp(-q).sum() if loss == "exponential" else np.log1p(np.exp(-q)).sum()
        slopes.append((network.pullback(theta, (problem.y * weights / L) @ problem.X) ** 2).sum())
    fallen = np.cumsum(0.5 * (np.array(slopes)[1:] + np.array(slopes)[:-1]) * np.diff(path.s))
    np.testing.assert_allclose(path.log_loss[0] - path.log_loss[1:], fallen, rtol=1e-2)


@pytest.mark.parametrize("loss", ["exponential", "logistic"])
def test_depth_2_tends_to_the_l1_margin_and_plain_weights_to_that_of_l2(loss):
    problem = samples()
    best = {norm: 1 / np.linalg.norm(lm.max_margin(problem, norm).x, norm) for norm in (1, 2)}
    path = lm.margin_flow(problem, lm.Hadamard.at(0.0, d=20), loss)
    assert 0.95 < path.margin()[-1] / best[1] <= 1 + 1e-12
    path = lm.margin_flow(problem, lm.Direct.at(0.0, d=20), loss)
    assert 0.95 < path.margin(2)[-1] / best[2] <= 1 + 1e-12
    assert path.margin()[-1] < 0.95 * best[1]
    assert path.log_loss[-1] == pytest.approx(-400)


def test_logarithms_of_the_logistic_loss_are_right_at_any_margin():
    q = np.array([-800.0, -5.0, 0.0, 3.0, 35.9, 36.1, 700.0, 1e6])
    losses, slopes = _margin_flow._logistic(q)
    wide = q.astype(np.longdouble)[1:6]
    np.testing.assert_allclose(losses[1:6], np.log(np.log1p(np.exp(-wide))).astype(float), rtol=1e-14)
    np.testing.assert_allclose(slopes[1:6], -np.log1p(np.exp(wide)).astype(float), rtol=1e-14)
    np.testing.assert_allclose(losses[[0, -2, -1]], [np.log(800), -700, -1e6], rtol=1e-15)
    np.testing.assert_allclose(slopes[[-2, -1]], [-700, -1e6], rtol=1e-15)


def test_margins_where_nothing_has_moved_are_none():
    path = lm.margin_flow(samples(), lm.Hadamard.at(0.0, d=20), until=2.0)
    assert path.margin()[0] == -np.inf
    assert "log_loss=2" in repr(path)


def test_bad_starts_and_ends_are_named():
    problem = samples()
    with pytest.raises(ValueError, match="saddle point"):
        lm.margin_flow(problem, lm.Hadamard.balanced(np.zeros(20)))
    with pytest.raises(ValueError, match=r"below that of the start, 2\.48491"):
        lm.margin_flow(problem, lm.Hadamard.at(0.0, d=20), until=3.0)
    with pytest.raises(ValueError, match="loss must be one of exponential, logistic, got 'hinge'"):
        lm.margin_flow(problem, lm.Hadamard.at(0.0, d=20), "hinge")


def test_a_budget_that_is_spent_says_where(monkeypatch):
    monkeypatch.setattr(_margin_flow, "_EVALUATIONS", 50)
    with pytest.raises(ArithmeticError, match="LSODA gave up at log L"):
        lm.margin_flow(samples(), lm.Hadamard.at(0.0, d=20))
