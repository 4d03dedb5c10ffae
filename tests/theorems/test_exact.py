"""Exact references of theorems: against FLINT, and against what they are to solve."""

from fractions import Fraction

import numpy as np
import pytest

import linreg_mirror as lm
from linreg_mirror.theorems import _exact

pytest.importorskip("flint")
from tests.helpers.stacks import exact_lasso, exact_vertex


def draw(seed, n=2, d=5):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)), rng.standard_normal(n)


@pytest.mark.parametrize("seed", range(5))
def test_least_norms_and_the_lasso_are_those_of_flint(seed):
    X, y = draw(seed)
    assert _exact.least_l1(X, y).tolist() == exact_vertex(X, y)
    for weight in (0.01, 0.3, 1.0, 100.0):
        assert _exact.lasso(X, y, weight).tolist() == exact_lasso(X, y, weight)


def test_linear_systems():
    A, b = _exact.fractions([[0.0, 2.0], [4.0, 1.0]]), _exact.fractions([1.0, 1.0])
    assert _exact.solved(A, b).tolist() == [Fraction(1, 8), Fraction(1, 2)]
    with pytest.raises(ZeroDivisionError, match="no inverse"):
        _exact.solved(A * 0, b)


@pytest.mark.parametrize("log_b", [1.0, -10.0, -80.0])
def test_limits(log_b):
    X, y = draw(0, n=2, d=4)
    tilt = np.array([0.5, -0.5, 0.0, 1.0])
    x, s = _exact.hyperbolic_limit(X, y, np.full(4, log_b), tilt)
    found = lm.limit(lm.Problem(X, y), lm.Hadamard.from_tilt(np.full(4, log_b), tilt))
    assert 0 < found.error < 1e-10
    assert _exact.distances(found.x, x).sum() <= found.error
    hi, lo = _exact.pair(s)
    np.testing.assert_array_equal(hi, s.astype(float))
    assert (np.abs(lo) <= 1e-16 * np.abs(hi)).all()


def test_targets_out_of_range_have_no_limit():
    with pytest.raises(ZeroDivisionError, match="no inverse"):
        _exact.hyperbolic_limit(np.ones((2, 1)), np.array([1.0, 2.0]), np.zeros(1), np.zeros(1))


def test_the_root_of_a_fraction():
    assert float(_exact.root(Fraction(9, 16))) == 0.75
    assert str(_exact.root(Fraction(1, 10**800))) == "1E-400"
