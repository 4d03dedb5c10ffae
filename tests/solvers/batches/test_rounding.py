"""What rounding does to products and factors of a stack never exceeds its bounds, by rational arithmetic."""

from fractions import Fraction

import numpy as np
import pytest

from linreg_mirror._tools.double_double import Pair
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.solvers.batches.factors import Factors, factors
from linreg_mirror.solvers.batches.norms import norm, size
from linreg_mirror.solvers.batches.pairs import exact, products, transposed_products
from linreg_mirror.solvers.batches.rounding import of_pull, residual, rounded
from linreg_mirror.solvers.batches.stack import Stack

pytest.importorskip("flint")
from tests.helpers.stacks import fractions, rational

pytestmark = pytest.mark.usefixtures("quiet")
SIZES = [1.0, 1e-140, 1e-300, 1e140]


def stack(X, y):
    zero = np.zeros((len(y), 1))
    return Stack(X, y, Hyperbolic(zero, zero), zero)


def exactly(hi, lo):
    return [Fraction(float(a)) + Fraction(float(b)) for a, b in zip(hi, lo, strict=True)]


def cancelling(rng, X):
    """Pairs s with X's far below |X|'|s|, shape (B, n)."""
    n = X.shape[1]
    hi = np.stack([np.linalg.svd(one[:, : n - 1].T)[2][-1] for one in X]) * 10 ** rng.uniform(-3, 3, (len(X), 1))
    return Pair(hi, hi * 1e-17 * rng.uniform(-1, 1, hi.shape))


@pytest.mark.parametrize("unit", SIZES)
@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (5, 8)])
def test_of_products(shape, unit):
    rng, B = np.random.default_rng(0), 20
    X = unit * rng.standard_normal((B, *shape))
    of, s = stack(X, np.zeros((B, shape[0]))), cancelling(rng, X / unit)
    found, bound, nearest = transposed_products(X, s), of_pull(of, s), 0.0
    for k in range(B):
        expected = [sum(Fraction(x) * v for x, v in zip(X[k, :, j], exactly(*(part[k] for part in s)), strict=True))
                    for j in range(shape[1])]  # fmt: skip
        errors = [abs(a - b) for a, b in zip(exactly(found.hi[k], found.lo[k]), expected, strict=True)]
        assert all(error <= bar for error, bar in zip(errors, bound[k], strict=True))
        nearest = max(nearest, *(float(error / Fraction(bar)) for error, bar in zip(errors, bound[k], strict=True)))
    assert nearest > 1e-4


@pytest.mark.parametrize("left", [0.0, 1.0])
@pytest.mark.parametrize("unit", SIZES)
def test_of_residuals(unit, left):
    """Those that are nothing but rounding, and others."""
    rng, B, n, d = np.random.default_rng(1), 20, 3, 7
    X, x = unit * rng.standard_normal((B, n, d)), rng.standard_normal((B, d))
    y = products(X, exact(x)).hi + left * unit * rng.standard_normal((B, n))
    of, v = stack(X, y), Pair(x, x * 1e-17 * rng.uniform(-1, 1, x.shape))
    r, inexact = residual(of, v)
    rough, more = rounded(r, inexact)
    for k in range(B):
        weights = exactly(v.hi[k], v.lo[k])
        expected = [Fraction(y[k, i]) - sum(Fraction(a) * b for a, b in zip(X[k, i], weights, strict=True))
                    for i in range(n)]  # fmt: skip
        wrong = [a - b for a, b in zip(exactly(r.hi[k], r.lo[k]), expected, strict=True)]
        assert sum(e * e for e in wrong) <= Fraction(inexact[k]) ** 2
        wrong = [Fraction(a) - b for a, b in zip(rough[k], expected, strict=True)]
        assert sum(e * e for e in wrong) <= Fraction(more[k]) ** 2
        assert more[k] <= 1e-10 * unit


def hessians(rng, B, n, d, condition):
    """Columns, metrics and H = X diag(metric) X' as it is rounded, with eigenvalues that fall off."""
    left = np.stack([np.linalg.qr(rng.standard_normal((n, n)))[0] for _ in range(B)])
    right = np.stack([np.linalg.qr(rng.standard_normal((d, n)))[0] for _ in range(B)])
    X = (left * np.geomspace(1, 1 / condition, n)) @ right.transpose(0, 2, 1)
    metric = 10 ** rng.uniform(-1, 1, (B, d))
    return X, metric, (X * metric[:, None, :]) @ X.transpose(0, 2, 1)


def exact_norm(X, metric, v):
    """sqrt(v'H^-1 v), from an H without rounding."""
    H = rational(X * 1.0)
    weighted = rational(X.T * 1.0)
    diagonal = rational(np.diag(metric))
    inner = (H * diagonal * weighted).solve(rational(v[:, None]))
    return float(sum(Fraction(a) * b for a, b in zip(v, fractions(inner), strict=True))) ** 0.5


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e6, 3e6, 1e7, 2e7, 3e7])
def test_of_norms(condition):
    """Also where rounding makes up most of H, and in the direction in which that matters most."""
    rng, B, n, d = np.random.default_rng(2), 300, 2, 2
    X, metric, H = hessians(rng, B, n, d, condition)
    found = factors(H, d)
    v = np.linalg.eigh(H)[1][:, :, 0] + 1e-9 * rng.standard_normal((B, n))
    bound, kept = found.norm(v, np.zeros(B)), found.kept[found.sound]
    ratios = [bound[k] / exact_norm(X[k], metric[k], v[k]) for k in np.flatnonzero(found.sound)]
    assert min(ratios, default=1) >= 1
    assert condition > 1e7 or (len(ratios) > B / 2 and np.median(ratios) < 3.5)
    assert (kept > 0.1).all()
    assert (kept <= 1).all()


def test_factors_prove_nothing_of_what_is_singular_or_beyond_float64():
    plain = np.eye(2)
    for H in (np.ones((2, 2)), np.zeros((2, 2)), -plain, np.full((2, 2), np.nan), 1e-300 * plain, 1e300 * plain):
        found = factors(np.stack([plain, H]), 2)
        assert found.sound.tolist() == [True, False]
        assert found.kept[1] == 1
    assert isinstance(found.part(np.array([0])), Factors)


def test_norms_of_any_size():
    v = np.array([[3.0, 4.0], [3e-200, 4e-200], [3e200, -4e200], [0.0, 0.0]])
    np.testing.assert_allclose(norm(v), [5, 5e-200, 5e200, 0], rtol=1e-15)
    np.testing.assert_allclose(size(v[:, :, None] * np.ones(4)), [10, 1e-199, 1e201, 0], rtol=1e-15)
    assert np.isnan(norm(np.array([[np.nan, 1.0]]))).all()
