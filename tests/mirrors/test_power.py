"""x = p^D - q^D: its potential, its flow and its limit, against formulas in the factors."""

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize
from scipy.integrate import solve_ivp

from linreg_mirror import schedules
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.mirrors import Power as Potential
from linreg_mirror.parametrizations import Hadamard, Power
from linreg_mirror.problems import Problem
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.certificates import certify_limit
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.solvers.limit import limit
from linreg_mirror.solvers.stationarity import stationarity
from tests.helpers.zoo import BY_NAME, CASES, gaussian

EPS = np.finfo(float).eps
WIDE = np.longdouble
DEPTHS = [3, 4, 5, 9]
RNG = np.random.default_rng(0)
X = np.concatenate([RNG.standard_normal(20), [0.0, 1e-12, -1e-12, 1e6, -1e6]])
W = np.concatenate([RNG.uniform(-0.95, 0.95, 20), [0.0, 1e-12, -1e-12, 0.999, -0.999]])  # z in units of its bound


def potential(log_a, depth, tilt=0.0, like=X):
    return Potential(np.full(like.shape, float(log_a)), np.full(like.shape, float(tilt)), depth)


def distance_to_bound(x, log_a, depth):
    """e = 1 - |w| with e^-k - (2-e)^-k = |x|/a^D, k = D/(D-2), by bisection in extended precision."""
    k, y = WIDE(depth) / (depth - 2), np.abs(x).astype(WIDE) / np.exp(depth * WIDE(log_a))
    low, high = -np.log1p(y) / k, np.zeros(x.shape, WIDE)  # of log e
    for _ in range(90):
        middle = (low + high) / 2
        too_small = np.exp(-k * middle) - (2 - np.exp(middle)) ** -k > y
        low, high = np.where(too_small, middle, low), np.where(too_small, high, middle)
    return np.exp(high)


# The potential


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("a", [1e-2, 0.5, 1.0, 20.0])
@pytest.mark.parametrize("A", [0.0, 0.7])
def test_it_is_what_the_factors_say(depth, a, A):
    mirror, m, scale = potential(np.log(a), depth), depth - 2, a * np.exp(-2 * A)
    z = W / m
    w = m * z.astype(WIDE)
    p, q = scale * (1 - w) ** (-WIDE(1) / m), scale * (1 + w) ** (-WIDE(1) / m)
    size = np.maximum(np.abs(p**depth), scale**depth).astype(float)
    np.testing.assert_allclose(mirror.primal(z, A) / size, ((p**depth - q**depth) / size).astype(float), atol=1e-14)
    expected = (depth * (p ** (2 * depth - 2) + q ** (2 * depth - 2)) / scale ** (depth - 2)).astype(float)
    np.testing.assert_allclose(mirror.metric(z, A), expected, rtol=2e-13)
    np.testing.assert_allclose(mirror.conjugate(z, A), (scale**m * (p**2 + q**2) / 2).astype(float), rtol=1e-13)
    np.testing.assert_allclose(mirror.log_scale_at(A), np.log(scale), atol=1e-14)
    np.testing.assert_allclose(mirror.dual_rate(A), depth * scale**m, rtol=1e-13)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("log_a", [5.0, 0.0, -1.0, -5.0, -30.0, -1e3])
def test_dual_at_every_scale(depth, log_a):
    mirror, e = potential(log_a, depth), distance_to_bound(X, log_a, depth)
    z = (np.sign(X) * (1 - e) / (depth - 2)).astype(float)
    large = np.abs(z) > 1e-3  # 1 - e has no relative precision below
    np.testing.assert_allclose(mirror.dual(X, 0.0)[large], z[large], rtol=1e-14)
    # e itself, although 1 - e is rounded to 1: half the log ratio is log(2/e - 1) / (2(D-2)).
    r = np.log(2 / e[large] - 1) / (2 * (depth - 2))
    np.testing.assert_allclose(np.abs(mirror.half_log_ratio(X, 0.0))[large], r.astype(float), rtol=1e-13)


@pytest.mark.parametrize("depth", DEPTHS)
def test_dual_of_small_weights_is_proportional(depth):
    x = np.array([1e-9, -1e-12, 1e-100, -1e-300, 0.0])
    np.testing.assert_allclose(
        potential(0.3, depth, like=x).dual(x, 0.0), x / (2 * depth * np.exp(0.3 * depth)), rtol=1e-14
    )


@pytest.mark.parametrize("depth", [2, *DEPTHS])
@pytest.mark.parametrize("log_a", [3.0, 0.0, -1.0])
def test_primal_and_dual_are_inverse_of_each_other(depth, log_a):
    x, z = X[:23], 0.9 * W[:23] / max(1, depth - 2)
    mirror = potential(log_a, depth, 0.1, like=x)
    for A in (0.0, 0.3):
        magnified = 1 / mirror.resolution(3.0, A)[0]
        np.testing.assert_allclose(mirror.primal(mirror.dual(x, A), A), x, rtol=8 * EPS * max(10.0, magnified), atol=0)
        np.testing.assert_allclose(mirror.dual(mirror.primal(z, A), A), z, rtol=1e-13)


@pytest.mark.parametrize("depth", [2, *DEPTHS])
@pytest.mark.parametrize("log_a", [2.0, 0.0, -3.0])
def test_derivatives(depth, log_a):
    mirror, h = potential(log_a, depth, 0.8, like=W[:20]), 1e-6
    z, A = W[:20] / max(1, depth - 2), 0.4
    size = mirror.metric(z, A)
    numerical = (mirror.primal(z + h, A) - mirror.primal(z - h, A)) / (2 * h)
    np.testing.assert_allclose(size, numerical, rtol=1e-6)
    numerical = (mirror.conjugate(z + h, A) - mirror.conjugate(z - h, A)) / (2 * h)
    np.testing.assert_allclose(mirror.primal(z, A) / size, numerical / size, atol=1e-8)
    numerical = (mirror.primal(z, A + h) - mirror.primal(z, A - h)) / (2 * h)
    np.testing.assert_allclose(mirror.primal_rate(z, A), numerical, rtol=1e-7)
    x = mirror.primal(z, A)
    step = 1e-6 * np.maximum(np.abs(x), np.exp(depth * log_a))
    numerical = (mirror.potential(x + step, A) - mirror.potential(x - step, A)) / (2 * step)
    np.testing.assert_allclose(mirror.dual(x, A) - mirror.initial_dual, numerical, atol=1e-8)


@pytest.mark.parametrize("depth", [2, *DEPTHS])
@pytest.mark.parametrize("log_a", [5.0, 0.0, -5.0, -1e3])
def test_fenchel(depth, log_a):
    mirror, A = potential(log_a, depth, -2.5), 0.3
    z = mirror.dual(X, A)
    value = mirror.potential(X, A) + X * mirror.initial_dual
    inside = (depth == 2) | (1 - np.abs(z) * (depth - 2) > 1e-8)  # elsewhere z is rounded too close to its bound
    gap = (value + mirror.conjugate(z, A) - X * z)[inside]
    size = (np.abs(X * z) + mirror.conjugate(z, A))[inside]
    np.testing.assert_array_less(np.abs(gap), 1e-12 * size + 1e-300)
    # ... and an inequality at any other dual point.
    assert (value + mirror.conjugate(0.7 * z, A) - 0.7 * X * z >= -1e-12 * (np.abs(value) + np.abs(X * z))).all()


@pytest.mark.parametrize("depth", DEPTHS)
def test_at_vanishing_scale_the_potential_is_the_l1_norm(depth):
    np.testing.assert_allclose(potential(-1e3, depth).potential(X, 0.0), np.abs(X) / (depth - 2), rtol=1e-14)
    # To first order beyond: |x| - (D/2) a^(D-2) |x|^(2/D).
    a, x = 1e-4 ** (1 / (depth - 2)), X[:20]
    expected = np.abs(x) - depth / 2 * 1e-4 * np.abs(x) ** (2 / depth)
    value = (depth - 2) * potential(np.log(a), depth, like=x).potential(x, 0.0)
    np.testing.assert_allclose(value, expected, rtol=0, atol=5 * a**depth)


@pytest.mark.parametrize("log_a", [3.0, 0.0, -30.0, -1e4])
def test_depth_2_is_the_hyperbolic_entropy(log_a):
    mirror = potential(log_a, 2, 0.4)
    entropy = Hyperbolic(np.log(2) + 2 * mirror.log_scale, mirror.tilt)
    A = 0.3
    np.testing.assert_array_equal(mirror.initial_dual, entropy.initial_dual)
    for method in ("dual", "potential"):
        np.testing.assert_allclose(getattr(mirror, method)(X, A), getattr(entropy, method)(X, A), rtol=1e-13)
    z = entropy.dual(X, A)
    for method in ("primal", "metric", "conjugate", "primal_rate"):
        np.testing.assert_allclose(
            getattr(mirror, method)(z, A), getattr(entropy, method)(z, A), rtol=8 * EPS * max(20, -log_a)
        )
    assert mirror.dual_rate(A) == 2 * entropy.dual_rate(A)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("log_a", [60.0, 0.0, -1e3])
def test_steps_out_of_the_domain_meet_huge_finite_weights(depth, log_a):
    mirror, bound = potential(log_a, depth, like=np.ones(4)), 1 / (depth - 2)
    z = np.array([bound, -bound, 1e6, -1e6])
    x = mirror.primal(z, 0.0)
    assert (np.abs(x) > 1e100).all()
    assert np.sign(x).tolist() == [1, -1, 1, -1]
    for value in (mirror.metric(z, 0.0), mirror.conjugate(z, 0.0)):
        assert (value > 1e50).all()
        assert np.isfinite(value).all()


def test_scales_that_differ_share_one_unit():
    log_a, depth = np.array([0.0, -1.0, -3.0]), 4
    mirror, x = Potential(log_a, np.zeros(3), depth), np.array([0.3, -0.4, 0.2])
    single = [Potential(log_a[i : i + 1], np.zeros(1), depth) for i in range(3)]
    unit = np.exp(2 * log_a)
    z = np.concatenate([one.dual(x[i : i + 1], 0.1) for i, one in enumerate(single)])
    np.testing.assert_allclose(mirror.dual(x, 0.1), z / unit, rtol=1e-13)
    np.testing.assert_allclose(mirror.primal(z / unit, 0.1), x, rtol=1e-11)
    np.testing.assert_allclose(mirror.dual_rate(0.1), single[0].dual_rate(0.1))
    # Every entry is moved as alone: dx/dz times the rate of z is the same.
    alone = [one.metric(z[i : i + 1], 0.1) * one.dual_rate(0.1) for i, one in enumerate(single)]
    np.testing.assert_allclose(mirror.metric(z / unit, 0.1) * mirror.dual_rate(0.1), np.concatenate(alone), rtol=1e-11)
    # Conjugate and potential are in this unit: their derivatives are the weights and the duals.
    h = 1e-6
    numerical = (mirror.conjugate((1 + h) * z / unit, 0.1) - mirror.conjugate((1 - h) * z / unit, 0.1)) * unit / (2 * h)
    np.testing.assert_allclose(numerical / z, x, rtol=1e-6)
    numerical = (mirror.potential((1 + h) * x, 0.1) - mirror.potential((1 - h) * x, 0.1)) / (2 * h)
    np.testing.assert_allclose(numerical / x, z / unit, rtol=1e-6)


def test_batches_have_leading_dimensions():
    log_a, A = np.array([[0.0], [-2.0], [-900.0]]) + np.zeros(4), np.array([[0.0], [0.5], [1.0]])
    mirror, x = Potential(log_a, np.zeros((3, 4)), 3), RNG.standard_normal((3, 4))
    z = mirror.dual(x, A)
    assert mirror.dual_rate(A).shape == (3, 1)
    for k in range(3):
        np.testing.assert_array_equal(z[k], Potential(log_a[k], np.zeros(4), 3).dual(x[k], A[k, 0]))


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_continuation_ends_at_the_target_and_never_rises(depth):
    mirror = Potential(np.array([-3.0, -2.0, 0.5]), np.array([0.0, 3.0, -1.0]), depth)
    for A in (0.0, 0.4):
        stages = list(mirror.continuation(A, 0.7))
        assert [stage.last for stage in stages] == [False] * (len(stages) - 1) + [True]
        assert (stages[-1].z0 == mirror.initial_dual).all()
        assert stages[-1].A == A
        assert all(stage.growth >= 1 for stage in stages)
        scales = np.array([mirror.log_scale_at(stage.A) for stage in stages])
        assert (np.diff(scales, axis=0) <= 0).all()


@pytest.mark.parametrize("depth", [3, 5])
@pytest.mark.parametrize("A", [0.0, 0.4])
def test_continuation_is_what_the_factors_say(depth, A):
    log_a, tilt, size, m = np.array([-2.5, -2.0, 0.5]), np.array([0.0, 3.0, -1.0]), 0.7, depth - 2

    def start(log_a):  # 2 a^D c^D sinh(D r)
        return 2 * np.exp(depth * log_a) * np.cosh(m * tilt / 2) ** (depth / m) * np.sinh(depth * tilt / 2)

    mirror = Potential(log_a, tilt, depth)
    stages = list(mirror.continuation(A, size))
    log_scales = np.array([log_a - 2 * stage.A for stage in stages])
    ahead = np.log(size) - depth * log_scales
    behind = log_a - 2 * A < np.log(size) / depth
    np.testing.assert_allclose(ahead[0, behind], 0, atol=1e-12)  # scales that differ begin together
    steps = np.diff(ahead[:, 0])
    np.testing.assert_allclose(steps[:-1], steps[0], rtol=1e-12)
    assert 0 < steps[-1] <= steps[0] < depth / m
    assert steps[0] > 0.5 * depth / m  # and they need not be short
    largest = np.maximum(np.abs(start(log_a - 2 * A)), size)
    for stage, log_scale in zip(stages, log_scales, strict=True):
        expected = np.sign(tilt) * np.minimum(np.abs(start(log_scale)), largest)
        np.testing.assert_allclose(mirror.primal(stage.z0, stage.A), expected, rtol=1e-9)
    # The largest dual of weights of this size, in the unit of the largest scale, grows as announced.
    bounds = np.exp(-m * (log_a - log_a.max())) / m
    duals = [max(bounds * (1 - distance_to_bound(np.full(3, size), scale, depth))) for scale in log_scales]
    assert stages[0].growth == 1
    np.testing.assert_allclose([stage.growth for stage in stages[1:]], np.divide(duals[1:], duals[:-1]), rtol=1e-9)


def test_continuation_of_large_scales_is_the_target_alone():
    (only,) = potential(2.0, 3, 0.3, like=np.ones(2)).continuation(0.1, 0.7)
    assert only.last
    assert only.growth == 1
    assert only.A == 0.1


@pytest.mark.parametrize("A", [0.0, 0.4])
def test_continuation_at_depth_2_is_that_of_the_hyperbolic_entropy(A):
    log_a, tilt = np.array([-3.0, -20.0, 0.5]), np.array([0.0, 3.0, -1.0])
    expected = list(Hyperbolic(np.log(2 * np.exp(2 * log_a)), tilt).continuation(A, 0.7))
    for stage, other in zip(Potential(log_a, tilt, 2).continuation(A, 0.7), expected, strict=True):
        np.testing.assert_allclose(stage.z0, other.z0, rtol=1e-12)
        np.testing.assert_allclose(stage.A, other.A, rtol=1e-12)
        assert stage.growth == pytest.approx(other.growth, rel=1e-12)
        assert stage.last == other.last


@pytest.mark.parametrize("depth", [2, *DEPTHS])
@pytest.mark.parametrize("log_a", [1.0, -0.5, -2.0])
def test_resolution_is_how_far_weights_follow_their_duals(depth, log_a):
    # Of w = (D-2) z, or of r at depth 2, what is left to the bound: (1 - w)/w (D-2)/D, or 1/(2r); 1 where that is more.
    log_scales, size, A = np.array([log_a, log_a + 0.4]), 0.8, 0.1
    if depth == 2:
        duals = np.arcsinh(size / (2 * np.exp(2 * (log_scales - 2 * A)))) / 2
        relative = 1 / (2 * duals)
    else:
        left = distance_to_bound(np.full(2, size), log_scales - 2 * A, depth).astype(float)
        relative = left / (1 - left) * (depth - 2) / depth
        duals = (1 - left) / (depth - 2) * np.exp(-(depth - 2) * (log_scales - log_scales.max()))
    relative = np.minimum(relative, 1)
    found = Potential(log_scales, np.zeros(2), depth).resolution(size, A)
    assert found == pytest.approx((relative.min(), (relative * duals).min()), rel=1e-9)


def test_where_float64_ends():
    with pytest.raises(ValueError, match=r"depth 5 and log alpha = -13.82 are too close to their bound.*minimum_l1"):
        potential(np.log(1e-6), 5).resolution(1.0, 0.0)
    problem = gaussian(3, 6, 0)
    with pytest.raises(ValueError, match=r"write minimum_l1\(problem\), whose L1 norm the limit has to nine digits"):
        limit(problem, Power.from_scale(1e-6, depth=5, d=6))
    with pytest.raises(ValueError, match=r"bound for an integrator in float64.*method='parameters'\) or limit"):
        flow(problem, Power.from_scale(2e-5, depth=4, d=6))
    relative, absolute = potential(np.log(1e-3), 3).resolution(1.0, 0.0)
    assert relative == pytest.approx(1e-3 / 3, rel=1e-2)
    assert absolute == pytest.approx(1e-3 / 3, rel=1e-2)


METHODS = ["primal", "dual", "metric", "conjugate", "potential", "primal_rate"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("log_a", [10.0, 0.0, -3.0, -1e3])
def test_torch_agrees_with_numpy(method, depth, log_a):
    torch = pytest.importorskip("torch")
    mirror = potential(log_a, depth, 0.4)
    argument = X if method in ("dual", "potential") else W / max(1, depth - 2)
    ours = Potential(torch.tensor(mirror.log_scale), torch.tensor(mirror.tilt), depth)
    answer = getattr(ours, method)(torch.tensor(argument), 0.3)
    assert answer.dtype == torch.float64
    np.testing.assert_allclose(answer.numpy(), getattr(mirror, method)(argument, 0.3), rtol=1e-11, atol=1e-300)
    np.testing.assert_allclose(ours.initial_dual.numpy(), mirror.initial_dual, rtol=1e-14)
    np.testing.assert_allclose(ours.dual_rate(0.3).numpy(), mirror.dual_rate(0.3), rtol=1e-14)
    if log_a > -1e3:
        assert ours.resolution(1.0, 0.0) == pytest.approx(mirror.resolution(1.0, 0.0))


# The network


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_pullback_and_penalty_by_finite_differences(depth):
    network, rng, h = Power([1.0, 0.5], [0.7, 0.9], depth), np.random.default_rng(2), 1e-5
    theta, cotangent = rng.uniform(0.3, 1.5, 4), rng.standard_normal(2)
    shifts = h * np.eye(4)
    numerical = [cotangent @ (network.effective(theta + e) - network.effective(theta - e)) / (2 * h) for e in shifts]
    np.testing.assert_allclose(network.pullback(theta, cotangent), numerical, rtol=1e-8)
    assert network.penalty_gradient(theta).tolist() == (2 * theta).tolist()  # of |p|^2 + |q|^2
    assert network.theta0.tolist() == [1.0, 0.5, 0.7, 0.9]
    assert network.d == 2
    np.testing.assert_allclose(network.effective(theta), theta[:2] ** depth - theta[2:] ** depth)


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_scale_and_tilt_of_given_factors(depth):
    p, q = np.array([1.5, 0.2, 1.0]), np.array([0.5, 0.2, 3.0])
    network, m = Power(p, q, depth), depth - 2
    scale = np.sqrt(p * q) if m == 0 else ((p**-m + q**-m) / 2) ** (-1 / m)
    np.testing.assert_allclose(np.exp(network.log_scale), scale, rtol=1e-14)
    np.testing.assert_allclose(network.tilt, np.log(p / q), atol=1e-15)
    mirror = network.mirror()
    np.testing.assert_allclose(mirror.primal(mirror.initial_dual, 0.0), p**depth - q**depth, rtol=1e-12, atol=1e-15)
    built = Power.from_scale(scale, depth=depth, x0=p**depth - q**depth)
    np.testing.assert_allclose(built.p0, p, rtol=1e-13)
    np.testing.assert_allclose(built.q0, q, rtol=1e-13)
    np.testing.assert_allclose(built.tilt, network.tilt, rtol=1e-12, atol=1e-14)


def test_from_scale():
    network = Power.from_scale(0.1, depth=3, d=4)
    np.testing.assert_allclose(network.p0, np.full(4, 0.1), rtol=1e-15)
    assert np.array_equal(network.p0, network.q0)
    assert not network.tilt.any()
    np.testing.assert_allclose(Power.from_scale([0.1, 1.0], depth=4).log_scale, np.log([0.1, 1.0]))
    same = Power.from_scale(log_alpha=np.log(0.1), depth=3, d=4)
    np.testing.assert_allclose(same.p0, network.p0, rtol=1e-14)
    tiny = Power.from_scale(log_alpha=-1e3, depth=3, x0=[1.0, -8.0])
    np.testing.assert_allclose(tiny.p0, [1.0, 0.0], rtol=1e-12)
    np.testing.assert_allclose(tiny.q0, [0.0, 2.0], rtol=1e-12)
    with pytest.raises(ValueError, match=r"at log alpha = -1000 are zero in float64, .*: write flow"):
        flow(gaussian(1, 2, 0), tiny, method="parameters")
    with pytest.raises(ValueError, match="minimum_l1"):
        flow(gaussian(1, 2, 0), tiny)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Power([1.0], [0.0], 3), r"must be positive, got p0 = 1, q0 = 0 at index 0.*write Power.from_scale"),
        (lambda: Power([1.0, -1.0], [1.0, 1.0], 3), r"got p0 = -1, q0 = 1 at index 1"),
        (lambda: Power([1.0, 2.0], [0.5], 3), r"both have shape \(d,\) with d >= 1, got \(2,\) and \(1,\)"),
        (lambda: Power([], [], 3), r"d >= 1, got \(0,\) and \(0,\)"),
        (lambda: Power([np.nan], [1.0], 3), r"p0 must be finite, got nan"),
        (lambda: Power([1.0], [np.inf], 3), r"q0 must be finite, got inf"),
        (lambda: Power([1.0], [1.0], 1), r"depth must be an integer >= 2, got 1"),
        (lambda: Power([1.0], [1.0], 2.5), r"depth must be an integer >= 2, got 2.5"),
        (lambda: Power.from_scale(1.0, depth=0, d=2), r"depth must be an integer >= 2, got 0"),
        (lambda: Power.from_scale(depth=3, d=2), r"exactly one of alpha and log_alpha: Power.from_scale"),
        (lambda: Power.from_scale(1.0, depth=3, log_alpha=0.0, d=2), r"exactly one of alpha and log_alpha"),
        (lambda: Power.from_scale(0.0, depth=3, d=2), r"alpha must be positive, got 0: write log_alpha="),
        (lambda: Power.from_scale(np.nan, depth=3, d=2), r"alpha must be finite"),
        (lambda: Power.from_scale(log_alpha=-np.inf, depth=3, d=2), r"log_alpha must be finite"),
        (lambda: Power.from_scale(1.0, depth=3), r"d, the number of entries, is missing.*write Power.from_scale"),
        (lambda: Power.from_scale([1.0, 1.0], depth=3, d=3), r"scale of shape \(2,\) and d=3"),
        (lambda: Power.from_scale(1.0, depth=3, x0=np.zeros((2, 2))), r"must agree on the number of entries"),
    ],
)
def test_bad_input(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_complex_input():
    with pytest.raises(TypeError, match="p0 must hold real numbers, got dtype complex128"):
        Power([1j], [1.0], 3)


# The flow


SCHEDULES = {
    "none": (None, lambda t: 0.0),
    "geometric": (schedules.Geometric(0.3, ratio=0.5), lambda t: 0.3 * 0.5**t),
    "switched off": (schedules.SwitchedOff(0.3, at=1.0), lambda t: 0.3 if t < 1 else 0.0),
}


def integrate_factors(problem, network, penalty, until, jump=1.0):
    """p, q at the end of p' = -D p^(D-1) g - 2 alpha p, q' = D q^(D-1) g - 2 alpha q, by SciPy alone."""
    d, D, state, start = problem.d, network.depth, np.concatenate([network.p0, network.q0]), 0.0
    for end in (jump, until):

        def field(t, s, end=end):
            p, q, alpha = s[:d], s[d:], penalty(min(t, np.nextafter(end, 0)))
            g = problem.X.T @ (problem.X @ (p**D - q**D) - problem.y)
            return np.concatenate([-D * p ** (D - 1) * g - 2 * alpha * p, D * q ** (D - 1) * g - 2 * alpha * q])

        state = solve_ivp(field, (start, end), state, "LSODA", rtol=1e-12, atol=1e-16).y[:, -1]
        start = end
    return state[:d], state[d:]


@pytest.mark.parametrize("schedule", ["none", "switched off"])
@pytest.mark.parametrize(
    ("depth", "scale"),
    [(D, a) for D in (2, 3, 4, 5) for a in (1.0, 0.1, 1e-2, 1e-4) if a ** (D - 2) > 1e-7],
)
def test_dual_and_parameters_agree_with_an_integration_of_our_own(depth, scale, schedule):
    problem, (alpha, penalty) = gaussian(3, 6, 0), SCHEDULES[schedule]
    x0 = 0.5 * np.random.default_rng(1).standard_normal(6) * (scale < 0.5)
    network = Power.from_scale(scale, depth=depth, x0=x0, d=6)
    p, q = integrate_factors(problem, network, penalty, 3.0)
    expected = p**depth - q**depth
    dual = flow(problem, network, alpha, until=3.0)
    parameters = flow(problem, network, alpha, until=3.0, method="parameters", accuracy=1e-12)
    np.testing.assert_allclose(parameters.parameters[-1], np.concatenate([p, q]), atol=1e-9)
    for run in (dual, parameters):
        assert run.status is Status.until_reached
        np.testing.assert_allclose(run.x[-1], expected, atol=2e-8)
        np.testing.assert_allclose(run.x[0], x0, atol=1e-8)
    if alpha is None:  # s is counted in units of D a^(D-2)
        np.testing.assert_allclose(
            dual.dual[-1] / network.mirror().dual_rate(0.0), parameters.dual[-1], atol=1e-8 / scale ** (depth - 2)
        )


def test_unequal_scales_and_unbalanced_starts():
    problem = gaussian(3, 5, 4)
    network = Power([1.0, 0.1, 0.8, 0.05, 2.0], [0.5, 0.1, 0.02, 0.2, 1.9], 4)
    p, q = integrate_factors(problem, network, SCHEDULES["geometric"][1], 4.0)
    run = flow(problem, network, SCHEDULES["geometric"][0], until=4.0)
    np.testing.assert_allclose(run.x[-1], p**4 - q**4, atol=1e-8)


def test_depth_2_is_m_times_w_at_twice_the_speed():
    problem, x0 = gaussian(3, 6, 0), np.linspace(-0.5, 0.5, 6)
    pair = Hadamard.at(x0, 1.0)
    network = Power((pair.m0 + pair.w0) / 2, (pair.m0 - pair.w0) / 2, 2)
    np.testing.assert_allclose(2 * np.exp(2 * network.log_scale), np.exp(pair.log_scale), rtol=1e-14)
    run = flow(problem, network, schedules.Geometric(0.3, ratio=0.5), until=2.0)
    same = flow(problem, pair, schedules.Geometric(0.15, ratio=0.5, period=2.0), until=4.0)
    np.testing.assert_allclose(run.x[-1], same.x[-1], atol=1e-8)


@pytest.mark.parametrize("depth", [3, 4])
def test_a_feature_that_is_not_seen_decays_exactly(depth):
    network, pulse = Power.from_scale(1.0, depth=depth, x0=[0.0, -3.0]), schedules.SwitchedOff(1.0, at=0.2)
    run = flow(Problem([[1.0, 0.0]], [1.0]), network, pulse)
    assert run.status is Status.converged
    assert run.x[-1, 1] == pytest.approx(-3 * np.exp(-2 * depth * 0.2), rel=1e-9)


@pytest.mark.parametrize("depth", [3, 4])
@pytest.mark.parametrize("alpha", [0.02, 0.2])
def test_a_penalty_that_stays_ends_at_a_bridge_estimate(depth, alpha):
    # min f + alpha sum |x|^(2/D): where x_i is not zero, x_i g_i = -(2 alpha/D) |x_i|^(2/D).
    problem = gaussian(6, 10, 7)
    network = Power.from_scale(1.0, depth=depth, d=10)
    run = flow(problem, network, alpha, method="parameters")
    assert run.status is Status.unproved
    x = run.x[-1]
    force = x * problem.gradient(x) + 2 * alpha / depth * np.abs(x) ** (2 / depth)
    np.testing.assert_allclose(force, 0, atol=1e-6)
    assert 0 < np.count_nonzero(np.abs(x) > 1e-6) <= 6
    # In x alone nothing tells a zero that stays from one that is about to be left.
    with pytest.raises(ValueError, match=r"stationary in its parameters, not in x: pass theta=, or write flow\("):
        flow(problem, network, alpha)


def test_depth_2_under_a_penalty_that_stays_ends_at_lasso():
    from sklearn.linear_model import Lasso

    problem, alpha = gaussian(6, 10, 7), 0.3
    model = Lasso(alpha / 6, fit_intercept=False, tol=1e-14, max_iter=100_000).fit(problem.X, problem.y)
    network = Power.from_scale(0.1, depth=2, d=10)
    for method in ("dual", "parameters"):
        run = flow(problem, network, alpha, method=method)
        assert run.status is Status.unproved
        np.testing.assert_allclose(run.x[-1], model.coef_, atol=1e-6)
    assert stationarity(problem, network, model.coef_, alpha) < 1e-8
    assert stationarity(problem, network, model.coef_, 2 * alpha) > 0.1


# The limit


def primal_reference(problem, a, x0, depth, decay):
    """argmin R_A(x) - <z_0, x> over Xx = y, R' = z from the factors by brentq, minimised over the null space of X."""
    m = depth - 2

    def dual(x, scale):
        """z in units 1/(D-2) a^(D-2): 1 - (p/a)^-m where p^D - q^D = x and p^-m + q^-m = 2 a^-m."""
        size = abs(x) / scale**depth
        e = scipy.optimize.brentq(
            lambda e: e ** (-depth / m) - (2 - e) ** (-depth / m) - size, (1 + size) ** (-m / depth), 1.0, xtol=1e-15
        )
        return np.sign(x) * (1 - e) / scale**m

    z0 = np.array([dual(*pair) for pair in zip(x0, a, strict=True)])
    # The clock: z in units of the scale is what stays, and the scale shrinks.
    tilt, end = z0 * a**m, a * np.exp(-2 * decay)
    N, particular = scipy.linalg.null_space(problem.X), np.linalg.lstsq(problem.X, problem.y)[0]

    def gradient(c):
        x = particular + N @ c
        return N.T @ ((np.array([dual(*pair) for pair in zip(x, end, strict=True)]) * end**m - tilt) / a**m)

    answer = scipy.optimize.root(gradient, np.zeros(N.shape[1]), tol=1e-13)
    assert np.abs(gradient(answer.x)).max() < 1e-9
    return particular + N @ answer.x


@pytest.mark.parametrize("depth", [3, 4, 5])
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_against_minimisation_over_the_null_space(depth, decay, seed):
    problem, rng = gaussian(3, 7, seed), np.random.default_rng(seed)
    a, x0 = np.exp(rng.uniform(-0.5, 0.5, 7)), 0.5 * rng.standard_normal(7) * (seed > 0)
    solution = limit(problem, Power.from_scale(a, depth=depth, x0=x0), decay)
    assert solution.status is Status.converged
    assert solution.certificate.valid, str(solution.certificate)
    np.testing.assert_allclose(solution.log_scale, np.log(a) - 2 * decay)
    np.testing.assert_allclose(solution.x, primal_reference(problem, a, x0, depth, decay), atol=1e-8)


@pytest.mark.parametrize("schedule", ["none", "geometric"])
@pytest.mark.parametrize("scale", [1.0, 0.3])
@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_the_flow_of_the_factors_ends_there(depth, scale, schedule):
    problem, alpha = gaussian(4, 8, 3), SCHEDULES[schedule][0]
    x0 = 0.3 * np.random.default_rng(2).standard_normal(8)
    network = Power.from_scale(scale, depth=depth, x0=x0)
    end = limit(problem, network, 0.0 if alpha is None else alpha.integral(0.0, np.inf))
    for method in ("dual", "parameters"):
        run = flow(problem, network, alpha, method=method)
        assert run.status is Status.converged
        np.testing.assert_allclose(run.x[-1], end.x, atol=1e-7)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_zoo(case, depth):
    problem, x0 = case.problem, 0.3 * np.random.default_rng(0).standard_normal(case.problem.d)
    for start in (0 * x0, x0):
        network = Power.from_scale(0.5, depth=depth, x0=start)
        solution = limit(problem, network, 0.1)
        assert solution.status is case.status
        assert solution.certificate.valid, str(solution.certificate)
        mirror = network.mirror()
        z = mirror.dual(solution.x, 0.1) - mirror.initial_dual
        np.testing.assert_allclose(z - np.linalg.pinv(problem.X) @ (problem.X @ z), 0, atol=1e-9)


@pytest.mark.parametrize("name", ["planted vector is not the least", "orthonormal rows", "rank-deficient", "square"])
@pytest.mark.parametrize("depth", [3, 4, 5])
def test_vanishing_scale_on_the_zoo(name, depth):
    case = BY_NAME[name]
    for closeness in (1e-3, 1e-6, 1e-8):
        alpha = closeness ** (1 / (depth - 2))
        solution = limit(case.problem, Power.from_scale(alpha, depth=depth, d=case.problem.d))
        assert solution.certificate.valid, str(solution.certificate)
        np.testing.assert_allclose(solution.x, case.minimum_l1, atol=1e-7 + 300 * alpha**depth)


@pytest.mark.parametrize("scale", [10.0, 1.0, 1e-2, 1e-4, 1e-6])
def test_depth_3_at_every_scale_against_the_dual_flow(scale):
    problem = gaussian(4, 9, 5)
    network = Power.from_scale(scale, depth=3, d=9)
    solution, run = limit(problem, network), flow(problem, network)
    assert solution.certificate.valid
    assert run.status is Status.converged
    np.testing.assert_allclose(run.x[-1], solution.x, atol=1e-7)


def test_the_l1_bound_with_the_least_norm_alone_needs_every_feature():
    # 300 equal columns beside a slightly better one, at D = 4 and alpha^2 = 1e-3: half of the weight on each side.
    margin = 1e-3 * (600**0.5 - 2**0.5)
    problem, alpha = Problem([[1.0] * 300 + [1 + margin]], [1.0]), 1e-3**0.5
    x = limit(problem, Power.from_scale(alpha, depth=4, d=301)).x
    assert x[:300].sum() == pytest.approx(0.52, abs=0.01)
    excess = x.sum() - 1 / (1 + margin)
    assert 0.8 < excess / (alpha**2 * np.sum(x**0.5)) < 1
    assert excess > 5 * (4 / 2 * alpha**2 * (1 / (1 + margin)) ** 0.5)


# The certificate


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("scale", [3.0, 0.5, 1e-2])
def test_certificate_turns_invalid_when_the_answer_is_moved(depth, scale):
    problem, network = gaussian(4, 9, 2), Power.from_scale(scale, depth=depth, d=9)
    solution, mirror = limit(problem, network), network.mirror()
    x, s, size = solution.x, solution.dual, np.abs(solution.x).max()
    assert certify_limit(problem, mirror, 0.0, x, s).valid
    for i in range(9):
        assert not certify_limit(problem, mirror, 0.0, x + 1e-4 * size * np.eye(9)[i], s).valid
    along = scipy.linalg.null_space(problem.X)[:, 0]
    feasible = certify_limit(problem, mirror, 0.0, x + 1e-2 * size * along, s)
    assert feasible["feasibility"].passed
    assert not feasible["dual representation"].passed
    assert not feasible["primal-dual gap"].passed
    wrong = Potential(mirror.log_scale, mirror.tilt, depth + 1)
    for certificate in (
        certify_limit(problem, mirror, 0.1, x, s),
        certify_limit(problem, mirror, 0.0, x, s * (1 - 1e-3)),
        certify_limit(problem, wrong, 0.0, x, s),
        certify_limit(problem, Potential(mirror.log_scale, mirror.tilt + 0.1, depth), 0.0, x, s),
    ):
        assert not certificate["dual representation"].passed
        assert not certificate["primal-dual gap"].passed


@pytest.mark.parametrize("depth", [3, 5])
def test_the_gap_is_the_bregman_divergence(depth):
    problem, network = gaussian(4, 9, 2), Power.from_scale(0.7, depth=depth, d=9)
    solution, mirror = limit(problem, network), network.mirror()
    other = solution.x + 0.1 * np.cos(np.arange(9))
    value = mirror.potential(other, 0.0) - mirror.potential(solution.x, 0.0)
    divergence = np.sum(value - mirror.dual(solution.x, 0.0) * (other - solution.x))
    certificate = certify_limit(problem, mirror, 0.0, other, solution.dual)
    assert certificate["primal-dual gap"].value == pytest.approx(divergence / np.abs(other).sum(), rel=1e-6)
