"""Bars of batches against exact answers: true errors never exceed them, also of duals and supports that are wrong."""

import numpy as np
import pytest

import linreg_mirror as lm
from linreg_mirror._tools.double_double import Pair
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.solvers.batches import active_sets, few_weights, linear_algebra, pythagoras, supports, vertices
from linreg_mirror.solvers.batches.bars import bars, point_of
from linreg_mirror.solvers.batches.factors import factors
from linreg_mirror.solvers.batches.pairs import exact
from linreg_mirror.solvers.batches.stack import Stack

pytest.importorskip("flint")
from benchmarks.conditioning import exact_limit
from tests.helpers.stacks import KINDS, distance, exact_lasso, exact_vertex, limit_of, stack

pytestmark = pytest.mark.usefixtures("quiet")
CUTS = [0.0, 1e-14, 1e-9, 1e-4, 1e-2, 0.1]  # relative errors of what bars are given


def wrong(rng, array, cut):
    """The array with errors of this relative size, another for each row, some of them far smaller."""
    if isinstance(array, Pair):
        return Pair(*(wrong(rng, part, cut) for part in array))
    rows = (len(array), *[1] * (array.ndim - 1))
    return array * (1 + cut * 10 ** rng.uniform(-3, 0, rows) * rng.uniform(-1, 1, array.shape))


def stacked(X, y, log_scale=0.0, tilt=0.0, decay=0.0):
    B, _, d = X.shape
    wide = (np.broadcast_to(one, (B, d)).astype(float) for one in (log_scale, tilt))
    return Stack(X, y, Hyperbolic(*wide), np.broadcast_to(decay, (B, 1)).astype(float))


def judged(ratios, of, at_least, most):
    """Assert that there were enough bars, and that they are not far from the errors."""
    assert len(ratios) >= at_least * of
    assert np.median(ratios) <= most


# Limits


def exact_limits(X, y, log_scale, tilt, decay):
    """The limits with 500 bits, and dual vectors of 106; log_scale - 4 decay must be exact."""
    singles = [limit_of(X[k], y[k], log_scale[k], tilt[k], decay[k]) for k in range(len(y))]
    exactly = [
        exact_limit(lm.Problem(X[k], y[k]), log_scale[k] - 4 * decay[k], one, tilt[k]) for k, one in enumerate(singles)
    ]
    return exactly, Pair(*(np.stack([getattr(one, name) for one in singles]) for name in ("dual", "dual_rest")))


@pytest.mark.parametrize("log_scale", [3.0, 0.0, -10.0, -100.0])
@pytest.mark.parametrize("kind", KINDS)
def test_of_limits(kind, log_scale):
    rng, B, n, d = np.random.default_rng(len(kind)), 20, 3, 9
    X, y = stack(B, n, d, (1, 1e6), kind, rng)
    start = np.full((B, d), log_scale), 0.5 * rng.standard_normal((B, d)), 0.25 * rng.integers(0, 4, B)
    exactly, s = exact_limits(X, y, *start)
    seen = {cut: [] for cut in CUTS}
    for cut in CUTS:
        found = bars(stacked(X, y, *start[:2], start[2][:, None]), Pair(wrong(rng, s.hi, cut), s.lo))
        for k in np.flatnonzero(found.error < np.inf):
            error = distance(found.x[k], exactly[k])
            assert error <= found.error[k]
            assert all(abs(v - u) <= e for v, u, e in zip(found.x[k], exactly[k], found.entries[k], strict=True))
            seen[cut].append(found.error[k] / max(error, 1e-18 * np.abs(found.x[k]).sum()))
    judged(seen[0.0], B, 0.4, 1e3)
    judged(seen[1e-9], B, 0.4, 30)


@pytest.mark.parametrize("log_scale", [3.0, 0.0, -10.0, -100.0, -1e4])
@pytest.mark.parametrize("kind", KINDS)
def test_of_the_limits_of_a_batch(kind, log_scale):
    rng, B = np.random.default_rng(1), 20
    X, y = stack(B, 3, 9, (1, 1e6), kind, rng)
    start = np.full((B, 9), log_scale), 0.5 * rng.standard_normal((B, 9)), 0.25 * rng.integers(0, 4, B)
    exactly, _ = exact_limits(X, y, *start)
    found = lm.limits(X, y, log_scale=start[0], tilt=start[1], decay=start[2])
    assert all(distance(found.x[k], exactly[k]) <= found.error[k] for k in range(B))


def sparse_stack(B, n, d, nonzeros, rng):
    """Targets of few weights, of different sizes."""
    X = rng.standard_normal((B, n, d))
    x = np.where(np.arange(d) < nonzeros, rng.standard_normal((B, d)), 0.0)
    return X, np.einsum("bnd,bd->bn", X, x)


@pytest.mark.parametrize("log_scale", [-60.0, -100.0, -1000.0])  # at -60 weights off the support may be seen
def test_of_limits_with_few_weights(monkeypatch, log_scale):
    """Also of weights, and of dual vectors off the support, that are wrong."""
    rng, B, n, d = np.random.default_rng(3), 8, 4, 9
    X, y = sparse_stack(B, n, d, 1, rng)
    start = np.full((B, d), log_scale), 0.5 * rng.standard_normal((B, d)), 0.25 * rng.integers(0, 4, B)
    exactly, _ = exact_limits(X, y, *start)
    central, weights_on = few_weights.central_duals, few_weights.weights_on
    for cut in (0.0, 1e-9, 1e-2, 0.3):
        monkeypatch.setattr(few_weights, "central_duals", lambda *of, cut=cut: wrong(rng, central(*of), cut))
        for off in (0.0, 1e-13, 1e-7):
            monkeypatch.setattr(few_weights, "weights_on", lambda *of, off=off: wrong(rng, weights_on(*of), off))
            at, found = few_weights.few_weights(stacked(X, y, *start[:2], start[2][:, None]), 1e-12)
            proved = np.flatnonzero(found.error < np.inf)
            assert len(proved) >= (B // 2 if log_scale < -60 else 1)
            for k in proved:
                assert distance(found.x[k], exactly[at[k]]) <= found.error[k]


@pytest.mark.parametrize("log_scale", [0.0, -20.0, -45.0, -60.0, -100.0])
@pytest.mark.parametrize("nonzeros", [1, 2, 4])
def test_of_interpolators(log_scale, nonzeros):
    """Close to weights of dual vectors that are wrong, also in directions that tiny weights alone see."""
    rng, B, n, d = np.random.default_rng(nonzeros), 10, 4, 9
    X, y = sparse_stack(B, n, d, nonzeros, rng)
    start = np.full((B, d), log_scale), 0.5 * rng.standard_normal((B, d)), 0.25 * rng.integers(0, 4, B)
    exactly, s = exact_limits(X, y, *start)
    of = stacked(X, y, *start[:2], start[2][:, None])
    for rounds in (0, 4):  # without them weights are what they were, and do not fit
        seen = {cut: [] for cut in CUTS}
        for cut in CUTS:
            x, error = pythagoras.interpolator(of, point_of(of, Pair(wrong(rng, s.hi, cut), s.lo)), rounds)
            for k in np.flatnonzero(error < np.inf):
                off = distance(x[k], exactly[k])
                assert off <= error[k]
                seen[cut].append(error[k] / max(off, 1e-16 * np.abs(x[k]).sum()))
        assert len(seen[1e-4]) >= B // 2
    judged(seen[0.0], B, 0.9, 100)


def assert_entries(found, exactly):
    assert all(abs(v - u) <= e for v, u, e in zip(found.x[0], exactly, found.entries[0], strict=True))


def test_of_limits_where_the_way_is_long():
    """Steps so long that the metric changes by a factor."""
    rng, ratios = np.random.default_rng(2), []
    for _ in range(200):
        n, d = 1, int(rng.integers(1, 4))
        X, y = rng.standard_normal((1, n, d)), rng.standard_normal((1, n))
        log_scale, tilt = rng.uniform(-4, 1, (1, d)), rng.standard_normal((1, d))
        (exactly,), s = exact_limits(X, y, log_scale, tilt, np.zeros(1))
        far = s.hi + rng.uniform(-1, 1) / np.abs(X).max()
        found = bars(stacked(X, y, log_scale, tilt), exact(far))
        if found.error[0] < np.inf:
            error = distance(found.x[0], exactly)
            assert error <= found.error[0]
            assert_entries(found, exactly)
            ratios.append(found.error[0] / error)
    judged(ratios, 200, 0.2, 2)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.3, 0.45, 0.6, 0.9])
def test_of_limits_attained(share):
    """Of two opposite columns one has nearly all weight, and falls by a share; the other grows as fast as it can."""
    X, y = np.array([[[1.0, -1.0]]]), np.array([[1.0 - share]])
    log_scale = np.array([[-30.0, -30.0]])
    tilt = np.array([[30 + np.log(2), 10.0]])  # weights of 1 and e^-20/2 at s = 0
    (exactly,), _ = exact_limits(X, y, log_scale, tilt, np.zeros(1))
    found = bars(stacked(X, y, log_scale, tilt), exact(np.zeros((1, 1))))
    if share < 0.5:
        assert_entries(found, exactly)
        grown = abs(float(exactly[1]) - found.x[0, 1])
        assert grown <= found.entries[0, 1] <= 1.5 * grown
    else:
        assert found.error[0] == np.inf


def test_of_limits_by_one_column():
    """x is in its linear regime, and both bounds are attained."""
    X, y = np.array([[[2.0]]]), np.array([[0.02]])
    (exactly,), _ = exact_limits(X, y, np.zeros((1, 1)), np.zeros((1, 1)), np.zeros(1))
    found = bars(stacked(X, y), exact(np.zeros((1, 1))))
    error = distance(found.x[0], exactly)
    assert error <= found.error[0] <= 1.1 * error


def test_of_limits_whose_exponents_are_lost():
    """Of log b = -1e30 two numbers of float64 say little, and x = b sinh(1e30) of b = e^-1e30 may be anything."""
    X, y = np.array([[[1.0]]]), np.array([[1.0]])
    found = bars(stacked(X, y, -1e30), exact(np.array([[-0.5e30]])))
    assert found.error[0] == np.inf


# Least L1 norms


def least_norms(rng, B, n, d, kind):
    X, y = stack(B, n, d, (1, 1e6), kind, rng)
    return X, y, [exact_vertex(X[k], y[k]) for k in range(B)]


def whole_of(of):
    return factors(of.hessian(np.ones_like(of.mirror.log_scale)), of.X.shape[2])


@pytest.mark.parametrize("kind", KINDS)
def test_of_vertices(kind):
    rng, B, n, d = np.random.default_rng(3), 40, 3, 8
    X, y, exactly = least_norms(rng, B, n, d, kind)
    of, ratios = stacked(X, y), []
    best = np.argsort([[-abs(float(v)) for v in x] for x in exactly], axis=1, stable=True)[:, :n]
    swapped = best.copy()
    swapped[:, -1] = np.argsort([[-abs(float(v)) for v in x] for x in exactly], axis=1, stable=True)[:, n]
    for basis in (best, swapped):
        for guess in (np.zeros((B, n)), rng.standard_normal((B, n))):
            found = vertices.vertices(of, whole_of(of), basis, guess)
            for k in np.flatnonzero(found.error < np.inf):
                error = float(distance(found.x[k], exactly[k]))
                assert error <= found.error[k]
                ratios += [found.error[k] / max(error, 1e-18 * np.abs(found.x[k]).sum())] * (basis is best)
    judged(ratios, 2 * B, 0.4, 1e3)


def error_of(X, y, basis, p, s):
    """The bar of weights and dual vectors as they are."""
    of = stacked(X, y)
    return vertices.errors(of, whole_of(of), vertices.bases_of(of, basis), exact(p), exact(s))


@pytest.mark.parametrize("cut", [1e-9, 1e-4, 1e-2])
def test_of_vertices_that_are_wrong(cut):
    rng, B, n, d = np.random.default_rng(4), 60, 3, 8
    X, y, exactly = least_norms(rng, B, n, d, "random")
    basis = np.argsort([[-abs(float(v)) for v in x] for x in exactly], axis=1, stable=True)[:, :n]
    s = lm.minimum_l1s(X, y).dual
    p = np.take_along_axis(np.array([[float(v) for v in x] for x in exactly]), basis, axis=1)
    p, s, ratios = wrong(rng, p, cut), wrong(rng, s, cut * 10 ** rng.uniform(-9, 0)), []
    found = error_of(X, y, basis, p, s)
    for k in np.flatnonzero(found < np.inf):
        x = np.zeros(d)
        x[basis[k]] = p[k]
        error = float(distance(x, exactly[k]))
        assert error <= found[k]
        ratios.append(found[k] / error)
    judged(ratios, B, 0.2, 1e4)


@pytest.mark.parametrize("by", [1e-12, 1e-6, 1e-2])
def test_of_a_vertex_with_a_better_one_beside_it(by):
    """Of columns 1 and 1 + by the second is the better; a dual vector 1 - 2 by meets the first one only nearly."""
    X, y = np.array([[[1.0, 1.0 + by]]]), np.array([[1.0]])
    found = error_of(X, y, np.array([[0]]), np.array([[1.0]]), np.array([[1 - 2 * by]]))
    assert distance(np.array([1.0, 0.0]), exact_vertex(X[0], y[0])) <= found[0] < 10


@pytest.mark.parametrize("short", [1e-1, 1e-3, 1e-5])
def test_of_a_vertex_of_columns_that_are_nearly_parallel(short):
    """What weights leave of y is little for the third column, and much for the first two."""
    X, y = np.array([[[1.0, 1.0, 0.0], [0.0, short, 1.0]]]), np.array([[2.0, short]])
    p = np.array([[1.0 - 1e-6, 1.0 + 1e-6]])
    found = error_of(X, y, np.array([[0, 1]]), p, np.array([[1.0, 0.0]]))
    error = float(distance(np.append(p, 0), exact_vertex(X[0], y[0])))
    assert error <= found[0] <= 10 * error


def test_of_vertices_that_are_nearly_as_good():
    """Weights that fit to eps, of a column that is worse by 1e-9 than the best: their bars reach to the best."""
    rng, reached = np.random.default_rng(5), 0
    for _ in range(100):
        a, by = rng.uniform(0.5, 2), 10 ** rng.uniform(-12, -1)
        X = np.array([[[a, a * (1 + by), 0.3], [0.0, 0.0, 1.0]]])
        y = np.array([[1.0, 1e-30 * rng.standard_normal()]])
        of = stacked(X, y)
        for basis in ([0, 2], [1, 2], [0, 0], [1, 1]):
            found = vertices.vertices(of, whole_of(of), np.array([basis]), rng.standard_normal((1, 2)))
            if found.error[0] < np.inf:
                assert distance(found.x[0], exact_vertex(X[0], y[0])) <= found.error[0]
                reached += 1
    assert reached > 50


@pytest.mark.parametrize("kind", KINDS)
def test_of_the_least_norms_of_a_batch(kind):
    X, y, exactly = least_norms(np.random.default_rng(6), 60, 3, 8, kind)
    found = lm.minimum_l1s(X, y)
    assert all(distance(found.x[k], exactly[k]) <= found.error[k] for k in range(60))


# The LASSO


def lassos(rng, B, n, d, kind, low=-5):
    X, y = stack(B, n, d, (1, 1e6), kind, rng)
    weight = 10 ** rng.uniform(low, 0, B) * np.abs(np.einsum("bnd,bn->bd", X, y)).max(axis=1)
    exactly = [exact_lasso(X[k], y[k], weight[k]) for k in range(B)]
    there = [k for k in range(B) if exactly[k] is not None]
    assert len(there) >= 0.9 * B
    return X[there], y[there], weight[there, None], [exactly[k] for k in there]


@pytest.mark.parametrize("kind", KINDS)
def test_of_supports(kind):
    rng, n, d, ratios = np.random.default_rng(7), 4, 10, []
    X, y, weight, exactly = lassos(rng, 60, n, d, kind)
    right = np.array([[float(v) for v in x] for x in exactly])
    B = len(y)
    fewer, more, flipped = right.copy(), right.copy(), right.copy()
    rows, place = np.arange(B), np.abs(right).argmax(axis=1)
    fewer[rows, place], flipped[rows, place] = 0, -right[rows, place]
    more[rows, np.abs(right).argmin(axis=1)] = 1
    for x in (right, fewer, more, flipped, np.zeros((B, d)), rng.standard_normal((B, d))):
        found = supports.proved(stacked(X, y), weight, x)
        for k in np.flatnonzero(found.error < np.inf):
            error = float(distance(found.x[k], exactly[k]))
            assert error <= found.error[k]
            ratios += [found.error[k] / max(error, 1e-18 * np.abs(found.x[k]).sum(), 1e-300)] * (x is right)
    judged(ratios, B, 0.5, 10)


@pytest.mark.parametrize("cut", [1e-9, 1e-4, 1e-2, 0.3])
def test_of_supports_by_factors_that_are_wrong(monkeypatch, cut):
    """Weights are left as wrong as the solve makes them: slopes that hide a column, and signs, must not count."""
    rng = np.random.default_rng(8)
    X, y, weight, exactly = lassos(rng, 300, 2, 5, "random", low=-2)
    right, ratios = linear_algebra.solve, []
    monkeypatch.setattr(linear_algebra, "solve", lambda L, v: wrong(rng, right(L, v), cut))
    monkeypatch.setattr(supports, "_ROUNDS", 1)
    # Signs as they are, and after one more column or one less: what is nearly right.
    for x in (np.array([[float(v) for v in x] for x in exactly]), lm.lassos(X, y, 0.9 * weight[:, 0]).x):
        found = supports.proved(stacked(X, y), weight, x)
        for k in np.flatnonzero(found.error < np.inf):
            error = float(distance(found.x[k], exactly[k]))
            assert error <= found.error[k]
            ratios.append(found.error[k] / max(error, 1e-18 * np.abs(found.x[k]).sum(), 1e-300))
    judged(ratios, len(y), 0.3, 100)


@pytest.mark.parametrize("kind", KINDS)
def test_of_the_lassos_of_a_batch(kind):
    X, y, weight, exactly = lassos(np.random.default_rng(9), 60, 4, 10, kind)
    found = lm.lassos(X, y, weight[:, 0])
    assert all(distance(found.x[k], exactly[k]) <= found.error[k] for k in range(len(y)))
    corrected = active_sets.corrected(stacked(X, y), weight, np.zeros_like(found.x))  # from nothing at all
    right = np.array([[float(v) for v in x] for x in exactly])
    assert (np.sign(corrected) == np.sign(right)).all(axis=1).mean() > 0.5
