"""Pivots: from any basis to a vertex of least L1 norm, which HiGHS agrees with."""

import numpy as np
import pytest
from scipy import sparse

from linreg_mirror.problems import Problem
from linreg_mirror.solvers.limit import minimum_l1
from linreg_mirror.solvers.limit.crossover import pivot_to_optimum

SHAPES = [(1, 2), (5, 5), (12, 40), (20, 600), (60, 150)]


def instance(n, d, nonzeros=None):
    rng = np.random.default_rng(n)
    X, x = rng.standard_normal((n, d)), np.zeros(d)
    x[rng.permutation(d)[: nonzeros or d]] = rng.standard_normal(nonzeros or d)
    return X, X @ x


def check(X, y, basis, values, s):
    assert len(np.unique(basis)) == len(y)
    np.testing.assert_allclose(X[:, basis] @ values, y, atol=1e-9 * np.abs(y).max())
    assert np.abs(X.T @ s).max() <= 1 + 1e-9
    assert np.abs(values).sum() == pytest.approx(np.abs(minimum_l1(Problem(X, y), method="highs").x).sum(), rel=1e-9)


@pytest.mark.parametrize(("n", "d"), SHAPES)
@pytest.mark.parametrize("likely", [False, True])
def test_any_basis_may_be_the_start(n, d, likely):
    X, y = instance(n, d)
    start = np.random.default_rng(0).permutation(d)[:n]
    before = start.copy()
    first = np.arange(min(d, 2 * n)) if likely else None
    check(X, y, *pivot_to_optimum(X, y, start, 100 * n, first))
    np.testing.assert_array_equal(start, before)


def test_columns_to_look_at_first_may_be_worth_nothing():
    """They are those of the basis: all others are looked at after them."""
    X, y = instance(12, 40)
    check(X, y, *pivot_to_optimum(X, y, np.arange(12), 1000, np.arange(12)))


@pytest.mark.parametrize("nonzeros", [1, 3, 6])
def test_vertices_of_fewer_weights(nonzeros):
    X, y = instance(20, 200, nonzeros)
    check(X, y, *pivot_to_optimum(X, y, np.arange(20), 2000))


def test_sparse_designs():
    X, y = instance(15, 300)
    X = np.where(np.abs(X) > 1, X, 0.0)
    found = pivot_to_optimum(sparse.csr_array(X), y, np.arange(15), 2000)
    np.testing.assert_array_equal(found[0], pivot_to_optimum(X, y, np.arange(15), 2000)[0])
    check(X, y, *found)


def test_columns_that_are_copies():
    X, y = instance(10, 40)
    X[:, 20:] = -X[:, :20]
    check(X, y, *pivot_to_optimum(X, y, np.arange(10), 2000))


def test_a_budget_is_kept():
    X, y = instance(30, 100)
    start = np.arange(30)
    np.testing.assert_array_equal(pivot_to_optimum(X, y, start, 0)[0], start)
    one = pivot_to_optimum(X, y, start, 1)[0]
    assert len(np.setdiff1d(one, start)) == 1
    few = [np.abs(pivot_to_optimum(X, y, start, k)[1]).sum() for k in range(8)]
    assert np.all(np.diff(few) < 0)
