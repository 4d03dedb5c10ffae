"""x' = -(1 + a|x|) grad f: its potential, its network and its limit, against formulas written out here."""

import numpy as np
import pytest

import linreg_mirror as lm
from linreg_mirror import mirrors
from linreg_mirror.parametrizations import lie_bracket
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.certificates import certify_limit
from tests.helpers.zoo import gaussian

WIDE = np.longdouble
EPS = np.finfo(float).eps
RNG = np.random.default_rng(0)
X = np.concatenate([RNG.standard_normal(20), [0.0, 1e-12, -1e-12, 1e6, -1e6]])
A_VALUES = [1e-3, 0.7, 30.0, 1e4]


@pytest.mark.parametrize("a", A_VALUES)
@pytest.mark.parametrize("A", [0.0, 0.4])
def test_it_is_what_integration_says(a, A):
    mirror, size, grown = mirrors.HAM(0 * X, a), np.abs(X).astype(WIDE), np.exp(2 * WIDE(A))
    z = grown * np.sign(X) * np.log1p(a * size) / a
    np.testing.assert_allclose(mirror.dual(X, A), z.astype(float), rtol=1e-14)
    np.testing.assert_allclose(mirror.primal(z.astype(float), A), X, rtol=1e-13)
    np.testing.assert_allclose(mirror.metric(mirror.dual(X, A), A), ((1 + a * size) / grown).astype(float), rtol=1e-13)
    R = ((size + 1 / WIDE(a)) * np.log1p(a * size) - size) / a * grown
    seen = a * size > 1e-6  # extended precision cancels, too
    np.testing.assert_allclose(mirror.potential(X, A)[seen], R[seen].astype(float), rtol=1e-9)
    np.testing.assert_allclose(mirror.potential(X, A)[~seen], (grown * size**2 / 2)[~seen].astype(float), rtol=1e-6)
    assert mirror.dual_rate(A).tolist() == pytest.approx(np.exp(2 * A))
    np.testing.assert_allclose(mirror.metric_slope(z.astype(float), A, 1.0), float(a / grown), rtol=1e-14)


@pytest.mark.parametrize("a", A_VALUES)
def test_conjugate_and_penalty_by_differences(a):
    z, h, A = RNG.uniform(-3, 3, 50) / max(a, 1.0), 1e-5 / max(a, 1.0), 0.3
    mirror = mirrors.HAM(np.full(50, 0.2), a)
    slope = (mirror.conjugate(z + h, A) - mirror.conjugate(z - h, A)) / (2 * h)
    np.testing.assert_allclose(mirror.primal(z, A), slope, atol=1e-8 * np.abs(slope).max())
    rate = (mirror.primal(z, A + 1e-6) - mirror.primal(z, A - 1e-6)) / 2e-6
    np.testing.assert_allclose(mirror.primal_rate(z, A), rate, atol=1e-8 * np.abs(rate).max())
    x = mirror.primal(z, A)
    gap = mirror.potential(x, A) + x * mirror.initial_dual + mirror.conjugate(z, A) - x * z
    np.testing.assert_array_less(np.abs(gap), 16 * EPS * (np.abs(x * z) + 1e-3 * np.abs(x * z).max()))


def test_conjugate_is_continuous_where_its_series_ends():
    a, mirror = 2.0, mirrors.HAM(np.zeros(2), 2.0)
    z = np.array([0.9999999e-3, 1.0000001e-3]) / a
    low, high = mirror.conjugate(z, 0.0) / z**2
    assert low == pytest.approx(high, rel=1e-8)
    # e^h - 1 - h in extended precision.
    h = a * z.astype(WIDE)
    np.testing.assert_allclose(mirror.conjugate(z, 0.0), ((np.expm1(h) - h) / a**2).astype(float), rtol=1e-11)


@pytest.mark.parametrize("a", A_VALUES)
def test_the_network_starts_at_x0_and_moves_by_the_metric(a):
    network = lm.HAM(X, a)
    theta = network.theta0
    np.testing.assert_allclose(network.effective(theta), X, rtol=4 * EPS)
    np.testing.assert_allclose(network.pullback(theta, np.ones(X.size)) ** 2, 1 + a * np.abs(X), rtol=1e-14)
    # The penalty's gradient is that of 2R in the parameters.
    expected = network.pullback(theta, 2 * network.mirror().dual(X, 0.0))
    np.testing.assert_allclose(network.penalty_gradient(theta), expected, rtol=1e-13)


def test_the_penalty_changes_the_speed_of_its_fields_alone():
    network = lm.HAM([0.5, -1.0, 2.0], 3.0)
    for i in range(3):
        field = network.pullback(network.theta0, np.eye(3)[i])
        bracket = lie_bracket(network, -1, i, network.theta0)
        np.testing.assert_allclose(np.abs(bracket), 2 * field, rtol=1e-5)  # differences over 2^-10


@pytest.mark.parametrize("decay", [None, lm.schedules.Geometric(0.1, ratio=0.8, clock="time")], ids=["none", "fades"])
def test_flow_of_the_network_flow_of_the_dual_and_limit_agree(decay):
    problem, network = gaussian(10, 30, 1, nonzeros=3), lm.HAM.at(0.1, a=20.0, d=30)
    dual = lm.flow(problem, network, decay)
    plain = lm.flow(problem, network, decay, method="parameters")
    end = lm.limit(problem, network, dual.decay[-1])
    assert dual.status is plain.status is end.status is Status.converged
    size = np.abs(end.x).sum()
    assert np.abs(dual.x[-1] - end.x).sum() <= 1.001 * dual.to_limit + end.error
    assert np.abs(plain.x[-1] - end.x).sum() <= 1e-6 * size


def test_limits_are_proved_from_minimum_l2_to_minimum_l1():
    problem = gaussian(12, 40, 3)
    for a in (1e-9, 1e-2, 1.0, 200.0, 1e6, 1e12):
        end = lm.limit(problem, lm.HAM.at(0.0, a=a, d=40))
        assert end.status is Status.converged
        assert end.error < 1e-12 * np.abs(end.x).sum()
        # Optimality, from x alone: Xx = y, and the dual is in the row space.
        z = np.sign(end.x) * np.log1p(a * np.abs(end.x)) / a
        np.testing.assert_allclose(problem.X @ end.x, problem.y, atol=1e-12)
        rest = z - problem.X.T @ np.linalg.lstsq(problem.X.T, z)[0]
        np.testing.assert_allclose(rest, 0, atol=1e-11 * np.abs(z).max())
        if a == 1e-9:
            np.testing.assert_allclose(end.x, lm.minimum_l2(problem).x, atol=1e-7)
    assert np.abs(end.x).sum() == pytest.approx(np.abs(lm.minimum_l1(problem).x).sum(), rel=1e-2)


def test_a_penalty_that_stays_ends_where_f_plus_it_is_least():
    problem, network = gaussian(3, 5, 1), lm.HAM.at(0.2, a=3.0, d=5)
    run = lm.flow(problem, network, 0.3, method="parameters")
    assert run.status is Status.unproved
    slope = np.sign(run.x[-1]) * np.log1p(3 * np.abs(run.x[-1])) / 3
    np.testing.assert_allclose(problem.gradient(run.x[-1]) + 0.6 * slope, 0, atol=1e-6)


def exact_limit(problem, network, decay):
    """Newton's method on the dual with residuals in extended precision, from the answer of the package."""
    X, y, a = problem.X.astype(WIDE), problem.y.astype(WIDE), WIDE(network.a)
    z0 = np.sign(network.x0) * np.log1p(a * np.abs(network.x0.astype(WIDE))) / a
    s, shrink = lm.limit(problem, network, decay).dual.astype(WIDE), np.exp(-2 * WIDE(decay))
    for _ in range(6):
        z = shrink * (z0 - X.T @ s)
        x = np.sign(z) * np.expm1(a * np.abs(z)) / a
        metric = (shrink * np.exp(a * np.abs(z))).astype(float)
        s = s + np.linalg.solve((problem.X * metric) @ problem.X.T, (X @ x - y).astype(float))
    return x


@pytest.mark.skipif(np.finfo(WIDE).eps > 1e-18, reason="extended precision is double precision here")
@pytest.mark.parametrize("decay", [0.0, 0.7])
@pytest.mark.parametrize("a", [1e-2, 1.0, 1e2, 1e5])
def test_bars_hold(a, decay):
    for seed in range(5):
        problem = gaussian(6, 15, seed)
        network = lm.HAM(np.random.default_rng(seed).standard_normal(15), a)
        exact = exact_limit(problem, network, decay)
        for tolerance in (1e-3, 1e-12):
            found = lm.limit(problem, network, decay, tolerance=tolerance)
            assert np.abs(found.x - exact).sum() <= found.error < 1e-12 * np.abs(found.x).sum()
            assert (np.abs(found.x - exact) <= found.entry_errors).all()


def test_with_a_penalty_the_limit_leaves_the_start():
    problem = gaussian(5, 12, 0)
    network = lm.HAM.at(np.linspace(-1, 1, 12), a=5.0)
    far = lm.limit(problem, network, decay=20.0)
    np.testing.assert_allclose(far.x, lm.limit(problem, lm.HAM.at(0.0, a=5.0, d=12)).x, atol=1e-12)
    assert np.abs(lm.limit(problem, network).x - far.x).max() > 0.01


def test_certificates_are_of_the_limit_alone():
    problem, network = gaussian(6, 20, 2), lm.HAM.at(0.3, a=8.0, d=20)
    mirror, end = network.mirror(), lm.limit(problem, network)
    assert certify_limit(problem, mirror, 0.0, end.x, end.dual, end.dual_rest).valid
    other = certify_limit(problem, mirrors.HAM(mirror.start, 8.1), 0.0, end.x, end.dual, end.dual_rest)
    assert not other["primal-dual gap"].passed
    assert not other["dual representation"].passed
    kernel = np.linalg.svd(problem.X)[2][-1]
    moved = certify_limit(problem, mirror, 0.0, end.x + 1e-4 * kernel, end.dual, end.dual_rest)
    assert moved["feasibility"].passed
    assert not moved["primal-dual gap"].passed
    flipped = certify_limit(problem, mirror, 0.0, -end.x, end.dual, end.dual_rest)
    # Weights and duals of opposite signs: the gap is twice x z.
    z = mirror.dual(end.x, 0.0)
    assert flipped["primal-dual gap"].value > np.abs(end.x * z).sum() / (np.abs(end.x).sum() * 8 * np.abs(z).max())


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: lm.HAM(np.zeros((2, 2)), 1.0), r"x0 must have shape \(d,\) .* got \(2, 2\): write HAM.at"),
        (lambda: lm.HAM.at(0.0, a=1.0), r"d, the number of entries, is missing.*write HAM.at"),
        (lambda: lm.HAM.at([1.0, 2.0], a=1.0, d=3), r"x0 of shape \(2,\).*d=3"),
        (lambda: lm.HAM.at(0.0, a=0.0, d=2), r"a must be positive and finite, got 0.0: .*write Direct"),
        (lambda: lm.HAM.at(0.0, a=np.inf, d=2), r"a must be"),
        (lambda: lm.HAM([np.nan], 1.0), r"x0 must be finite"),
    ],
)
def test_bad_input(build, message):
    with pytest.raises(ValueError, match=message):
        build()
