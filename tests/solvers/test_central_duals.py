"""Dual vectors away from the thresholds: against the linear programme, and what minimum_l1 proves by them."""

import numpy as np
import pytest
from scipy.optimize import linprog

import linreg_mirror as lm
from linreg_mirror import Status
from linreg_mirror.solvers.error_bars import central_duals

SHAPES = [(10, 30, 3), (10, 120, 2), (20, 60, 10), (40, 100, 5), (40, 100, 17)]


def least_height(X, signs):
    """The least max |X_j's| off the support over s with X_i's = sign x_i on it."""
    n, on = len(X), signs != 0
    off = X[:, ~on].T
    one, none = np.ones((len(off), 1)), np.zeros((on.sum(), 1))
    answer = linprog(
        np.append(np.zeros(n), 1), A_ub=np.block([[off, -one], [-off, -one]]), b_ub=np.zeros(2 * len(off)),
        A_eq=np.hstack([X[:, on].T, none]), b_eq=signs[on], bounds=(None, None), method="highs",
    )  # fmt: skip
    return answer.fun


def met(X, signs, s):
    """The nearest dual vector that meets the signs."""
    columns = X[:, signs != 0].T
    return s + np.linalg.lstsq(columns, signs[signs != 0] - columns @ s)[0]


def instances(n, d, k, B=8):
    rng = np.random.default_rng(n + k)
    X, signs = rng.standard_normal((B, n, d)), np.zeros((B, d))
    for row in signs:
        row[rng.permutation(d)[:k]] = rng.choice([-1, 1], k)
    return X, signs


@pytest.mark.parametrize("shape", SHAPES)
def test_against_the_linear_programme(shape):
    X, signs = instances(*shape)
    for one, sign, s in zip(X, signs, central_duals(X, signs), strict=True):
        assert np.abs(one[:, sign != 0].T @ s - sign[sign != 0]).max() < 0.01
        height = np.abs(one[:, sign == 0].T @ met(one, sign, s)).max()
        assert 1 <= height / least_height(one, sign) < 1.02


def test_powers_that_bring_little_are_left_out():
    """Each problem for itself: its dual vector is the same whatever others are beside it."""
    X, signs = instances(*SHAPES[3])
    together = central_duals(X, signs, worthwhile=0.1)
    for one, sign, s in zip(X, signs, together, strict=True):
        height = np.abs(one[:, sign == 0].T @ met(one, sign, s)).max()
        assert 1 - height > 0.5 * (1 - least_height(one, sign)) > 0
        np.testing.assert_allclose(central_duals(one[None], sign[None], worthwhile=0.1)[0], s, rtol=1e-9, atol=1e-12)


def test_one_design_for_all_and_tensors():
    torch = pytest.importorskip("torch")
    X, signs = instances(*SHAPES[0])
    shared = central_duals(X[:1], signs)
    np.testing.assert_allclose(shared, central_duals(np.broadcast_to(X[:1], X.shape), signs), rtol=1e-9)
    found = central_duals(torch.as_tensor(X), torch.as_tensor(signs))
    np.testing.assert_allclose(found.numpy(), central_duals(X, signs), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("X", [np.zeros((1, 2, 4)), np.ones((1, 2, 4)), np.full((1, 2, 4), np.nan)])
def test_designs_without_rank(X):
    """There is no such dual vector; the answer is any, or not finite, but no error."""
    assert central_duals(X, np.array([[1.0, 0, 0, 0]])).shape == (1, 2)


def planted(seed, slack, n=20, d=60, k=7):
    """A sparse problem; the best dual vector keeps so far from the thresholds, or is so far beyond."""
    rng = np.random.default_rng(seed)
    X, x = rng.standard_normal((n, d)), np.zeros(d)
    x[rng.permutation(d)[:k]] = rng.choice([-1, 1], k) * rng.uniform(0.5, 2, k)
    X[:, x == 0] *= (1 - slack) / least_height(X, np.sign(x))
    return X, x


@pytest.mark.parametrize("slack", [0.5, 0.1, 0.01, 0.003])
def test_sparse_interpolators_with_little_slack_are_proved(slack):
    for seed in range(6):
        X, x = planted(seed, slack)
        problem = lm.Problem(X, X @ x)
        batch = lm.minimum_l1s(problem.X, problem.y)
        assert batch.singly == 0
        for found in (lm.minimum_l1(problem), batch[0]):
            assert found.status is Status.converged
            assert found.unique
            assert np.count_nonzero(found.x) == 7
            assert np.abs(found.x - x).sum() <= found.error + 1e-13  # y is rounded
            assert np.abs(X.T @ found.dual)[found.x == 0].max() < 1


def test_beyond_the_thresholds_another_interpolator_is_the_least():
    for seed in range(6):
        X, x = planted(seed, -0.1)
        found = lm.minimum_l1(lm.Problem(X, X @ x))
        assert found.status is Status.converged
        assert np.abs(found.x).sum() < np.abs(x).sum() - found.error
