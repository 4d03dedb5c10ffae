"""Hyperbolic and Euclidean potentials against textbook formulas, at scales far beyond float64 too."""

import numpy as np
import pytest
from array_api_compat import array_namespace

from linreg_mirror.mirrors import Euclidean, Hyperbolic

EPS = np.finfo(float).eps
RNG = np.random.default_rng(0)
X = np.concatenate([RNG.standard_normal(20), [0.0, 1e-12, -1e-12, 1e6, -1e6]])
Z = np.concatenate([RNG.standard_normal(20), [0.0, 1e-12, -1e-12, 9.0, -9.0]])
LOG_SCALES = [np.log(1e300), 200 * np.log(10), 23.0, 0.0, -1.0, -18.0, -300.0, -700.0, -745.0, -2e3, -1e5]


def hyperbolic(log_b, tilt=0.0, like=X):
    return Hyperbolic(np.full(like.shape, float(log_b)), np.full(like.shape, float(tilt)))


def wide_arcsinh(x, log_b):
    """arcsinh(x / exp(log_b)) in extended precision; where b underflows even there, its asymptote log(2|x|/b)."""
    x, log_b = np.asarray(x, np.longdouble), np.longdouble(log_b)
    if log_b > -10_000:
        return np.arcsinh(x / np.exp(log_b))
    size = np.where(x == 0, 1, np.abs(x))
    return np.where(x == 0, 0, np.sign(x) * (np.log(2 * size) - log_b))


@pytest.mark.parametrize("b", [1e-6, 0.3, 1.0, 50.0])
@pytest.mark.parametrize("A", [0.0, 0.7])
def test_hyperbolic_is_what_textbooks_say(b, A):
    mirror, scale = hyperbolic(np.log(b), 0.4), b * np.exp(-4 * A)
    np.testing.assert_allclose(mirror.primal(Z, A), scale * np.sinh(2 * Z), rtol=1e-13)
    np.testing.assert_allclose(mirror.dual(X, A), 0.5 * np.arcsinh(X / scale), rtol=1e-13)
    np.testing.assert_allclose(mirror.metric(Z, A), 2 * scale * np.cosh(2 * Z), rtol=1e-13)
    np.testing.assert_allclose(mirror.conjugate(Z, A), scale * np.cosh(2 * Z) / 2, rtol=1e-13)
    potential = (X * np.arcsinh(X / scale) - np.sqrt(X**2 + scale**2) - 0.4 * X) / 2
    np.testing.assert_allclose(mirror.potential(X, A), potential, rtol=1e-13)
    np.testing.assert_allclose(mirror.initial_dual, 0.2)
    assert mirror.dual_rate(A) == 1
    np.testing.assert_allclose(mirror.log_scale_at(A), np.log(scale), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("log_b", LOG_SCALES)
def test_dual_at_every_scale(log_b):
    expected = 0.5 * wide_arcsinh(X, log_b)
    np.testing.assert_allclose(hyperbolic(log_b).dual(X, 0.0), expected.astype(float), rtol=1e-13)


@pytest.mark.parametrize("log_b", LOG_SCALES)
def test_primal_at_every_scale(log_b):
    exact = wide_arcsinh(X, log_b) / 2  # rounded to float64, it stands for an x that differs by eps |2z|
    x = hyperbolic(log_b).primal(exact.astype(float), 0.0)
    if log_b > 400:
        np.testing.assert_allclose(x, X, rtol=1e-12, atol=1e-323 * np.exp(log_b))  # z itself underflows for small x
    else:
        np.testing.assert_allclose(x, X, rtol=4 * EPS * max(10.0, 2 * np.abs(exact).max()), atol=0)


@pytest.mark.parametrize("log_b", [s for s in LOG_SCALES if s <= 23])
def test_primal_and_dual_are_inverse_of_each_other(log_b):
    mirror = hyperbolic(log_b, 0.1)
    for A in (0.0, 1.3):
        rounding = 8 * EPS * max(10.0, abs(log_b))
        np.testing.assert_allclose(mirror.primal(mirror.dual(X, A), A), X, rtol=rounding, atol=0)
        x = mirror.primal(Z, A)
        seen = np.abs(x) > 1e-300
        assert (x[Z == 0] == 0).all()
        np.testing.assert_allclose(mirror.dual(x, A)[seen], Z[seen], rtol=1e-12)


@pytest.mark.parametrize("log_b", [120 * np.log(10), 5.0, 0.0, -30.0, -600.0])
def test_metric_is_the_derivative_of_primal(log_b):
    mirror, h = hyperbolic(log_b, like=Z[:20]), 1e-5
    numerical = (mirror.primal(Z[:20] + h, 0.5) - mirror.primal(Z[:20] - h, 0.5)) / (2 * h)
    np.testing.assert_allclose(mirror.metric(Z[:20], 0.5), numerical, rtol=1e-9, atol=0)
    numerical = (mirror.conjugate(Z[:20] + h, 0.5) - mirror.conjugate(Z[:20] - h, 0.5)) / (2 * h)
    size = mirror.metric(Z[:20], 0.5)
    np.testing.assert_allclose(mirror.primal(Z[:20], 0.5) / size, numerical / size, atol=1e-9)
    numerical = (mirror.primal(Z[:20], 0.5 + h) - mirror.primal(Z[:20], 0.5 - h)) / (2 * h)
    np.testing.assert_allclose(mirror.primal_rate(Z[:20], 0.5), numerical, rtol=1e-8, atol=0)


@pytest.mark.parametrize("log_b", [5.0, 0.0, -3.0])
def test_dual_minus_start_is_the_derivative_of_the_potential(log_b):
    mirror, h = hyperbolic(log_b, 0.8, like=X[:20]), 1e-5
    numerical = (mirror.potential(X[:20] + h, 0.2) - mirror.potential(X[:20] - h, 0.2)) / (2 * h)
    np.testing.assert_allclose(mirror.dual(X[:20], 0.2) - 0.4, numerical, atol=1e-8)


@pytest.mark.parametrize("log_b", [5.0, 0.0, -30.0, -700.0, -2e3, -1e5])
@pytest.mark.parametrize("tilt", [0.0, -2.5])
def test_fenchel_equality(log_b, tilt):
    mirror, A = hyperbolic(log_b, tilt), 0.3
    z = mirror.dual(X, A)
    gap = mirror.potential(X, A) + tilt / 2 * X + mirror.conjugate(z, A) - X * z
    size = np.abs(X * z) + mirror.conjugate(z, A)
    np.testing.assert_array_less(np.abs(gap), 8 * EPS * max(10.0, abs(log_b)) * size + 1e-300)
    # ... and an inequality at any other dual point.
    other = z + np.where(z < 0, 0.3, -0.3)
    gap = mirror.potential(X, A) + tilt / 2 * X + mirror.conjugate(other, A) - X * other
    assert (gap >= -1e-12 * size).all()
    assert (gap[np.abs(X) > 0.01] > 0).all()


def test_tiny_scale_metric_and_conjugate():
    # Where b is nothing, the metric is 2|x| and the conjugate |x|/2.
    mirror = hyperbolic(-1e5)
    z = mirror.dual(X, 0.0)
    np.testing.assert_allclose(mirror.metric(z, 0.0), 2 * np.abs(X), rtol=1e-10)
    np.testing.assert_allclose(mirror.conjugate(z, 0.0), np.abs(X) / 2, rtol=1e-10)
    # potential: |x| (log(2|x|) + 1e5 - 1) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = np.where(X == 0, 0, np.abs(X) * (np.log(2 * np.abs(X)) + 1e5 - 1) / 2)
    np.testing.assert_allclose(mirror.potential(X, 0.0), expected, rtol=1e-12)


def test_huge_scale_is_quadratic():
    # R_b(x) + b/2 -> x^2 / (4b): dual x/(2b), metric 2b.
    b = 1e300
    mirror = hyperbolic(np.log(b), like=X[:20])
    np.testing.assert_allclose(mirror.dual(X[:20] * 1e290, 0.0), X[:20] * 0.5e-10, rtol=1e-12)
    np.testing.assert_allclose(mirror.primal(X[:20], 0.0) / b, np.sinh(2 * X[:20]), rtol=1e-12)
    np.testing.assert_allclose(mirror.metric(X[:20], 0.0) / b, 2 * np.cosh(2 * X[:20]), rtol=1e-12)


def test_steps_far_too_long_stay_finite():
    mirror = hyperbolic(0.0, like=np.ones(2))
    z = np.array([1e6, -1e6])
    for value in (mirror.primal(z, 0.0), mirror.metric(z, 0.0), mirror.conjugate(z, 0.0)):
        assert np.isfinite(value).all()
    assert np.sign(mirror.primal(z, 0.0)).tolist() == [1, -1]


def test_continuation_ends_at_the_target_and_never_rises():
    mirror = Hyperbolic(np.array([-1e5, -50.0, -3.0]), np.array([0.0, 3.0, -1.0]))
    for A in (0.0, 2.0):
        stages = list(mirror.continuation(A, 0.7))
        assert [stage.last for stage in stages] == [False] * (len(stages) - 1) + [True]
        assert (stages[-1].z0 == mirror.initial_dual).all()
        assert stages[-1].A == A
        assert all(stage.growth >= 1 for stage in stages)
        scales = np.array([mirror.log_scale_at(stage.A) for stage in stages])
        assert (np.diff(scales, axis=0) <= 0).all()
        # Scales that differ begin together.
        np.testing.assert_allclose(scales[0], np.log(0.7), atol=1e-9)


@pytest.mark.parametrize("A", [0.0, 2.0])
def test_starts_on_the_way_are_no_larger_than_the_last_one_and_no_further_tilted(A):
    size, log_b, tilt = 0.7, np.array([-1e5, -50.0, -3.0, -9e4]), np.array([0.0, 52.0, -1.0, 1e4])

    def log_start(log_b):  # log |x0| = log(b sinh |tilt|)
        with np.errstate(divide="ignore"):
            return log_b + np.abs(tilt) + np.log(-np.expm1(-2 * np.abs(tilt))) - np.log(2)

    mirror = Hyperbolic(log_b, tilt)
    largest = np.maximum(log_start(log_b - 4 * A), np.log(size))
    for stage in mirror.continuation(A, size):
        expected = np.sign(tilt) * np.exp(np.minimum(log_start(log_b - 4 * stage.A), largest))
        np.testing.assert_allclose(mirror.primal(stage.z0, stage.A), expected, rtol=1e-9)
        assert (stage.z0 * np.sign(tilt) <= np.abs(tilt) / 2).all()


def test_exponents_on_the_way_grow_as_announced():
    mirror, size = Hyperbolic(np.array([-1e5, -3.0]), np.zeros(2)), 0.7
    stages = list(mirror.continuation(0.0, size))
    ahead = np.array([np.log(size) - mirror.log_scale_at(stage.A).min() for stage in stages])
    # arcsinh(size/b) of a weight of this size; 1 + log(size/b), of which the announced are ratios, is 0.1 to 0.3 more.
    exponents = ahead + np.log1p(np.sqrt(1 + np.exp(-2 * ahead)))
    np.testing.assert_allclose([stage.growth for stage in stages[1:]], exponents[1:] / exponents[:-1], rtol=0.06)
    assert stages[0].growth == 1
    steps = np.diff(ahead)
    assert (np.diff(steps[:-1]) > 0).all()
    assert len(stages) < 30  # steps that grow by half reach 1e5 after 25


def test_continuation_of_large_scales_is_the_target_alone():
    mirror = hyperbolic(0.0, 0.8)
    for size in (1.0, 0.7):
        (only,) = mirror.continuation(0.0, size)
        np.testing.assert_array_equal(only.z0, 0.4)
        assert only == (only.z0, 0.0, 1.0, True)


def test_resolution_is_how_far_weights_follow_their_duals():
    mirror = Hyperbolic(np.array([-3.0, -1e4]), np.zeros(2))
    relative, absolute = mirror.resolution(1.0, 0.0)
    z = mirror.dual(np.ones(2), 0.0)
    moved = mirror.primal(z * (1 + relative), 0.0)
    assert moved[1] == pytest.approx(np.e, rel=1e-3)  # by a factor e where b is smallest, and by less elsewhere
    assert moved[0] < 1.01
    assert absolute == 1
    for log_b in (0.0, 0.5, -0.9):  # weights that are no larger than the scale are proportional to their duals
        assert Hyperbolic(np.array([log_b]), np.zeros(1)).resolution(1e-3, 0.0) == (1, 1)
    assert Hyperbolic(np.array([500.0]), np.zeros(1)).resolution(1.0, 0.0)[0] == pytest.approx(1 / 500)
    assert Euclidean(X).resolution(0.3, 0.1) == (1, 1)


@pytest.mark.parametrize("A", [0.0, 0.7])
def test_euclidean(A):
    start = RNG.standard_normal(X.shape)
    mirror, shrink = Euclidean(start), np.exp(-2 * A)
    np.testing.assert_allclose(mirror.primal(Z, A), shrink * Z, rtol=1e-14)
    np.testing.assert_allclose(mirror.dual(X, A), X / shrink, rtol=1e-14)
    np.testing.assert_allclose(mirror.metric(Z, A), np.full(Z.shape, shrink), rtol=1e-14)
    np.testing.assert_allclose(mirror.primal_rate(Z, A), -2 * shrink * Z, rtol=1e-14)
    np.testing.assert_allclose(mirror.conjugate(Z, A), shrink * Z**2 / 2, rtol=1e-14)
    np.testing.assert_allclose(mirror.potential(X, A), X**2 / shrink / 2 - X * start, rtol=1e-13, atol=1e-15)
    assert mirror.dual_rate(A) == pytest.approx(1 / shrink, rel=1e-14)
    assert mirror.initial_dual is start
    (only,) = mirror.continuation(A, 1.0)
    assert only.last
    assert only.z0 is start
    assert only.A == A
    assert only.growth == 1


def test_batches_have_leading_dimensions():
    log_b = np.array([[0.0], [-5.0], [-900.0]]) + np.zeros(4)
    mirror, A = Hyperbolic(log_b, np.zeros((3, 4))), np.array([[0.0], [0.5], [1.0]])
    x = RNG.standard_normal((3, 4))
    z = mirror.dual(x, A)
    for k in range(3):
        np.testing.assert_array_equal(z[k], Hyperbolic(log_b[k], np.zeros(4)).dual(x[k], A[k, 0]))
    np.testing.assert_allclose(mirror.primal(z, A), x, rtol=1e-12)


METHODS = ["primal", "dual", "metric", "conjugate", "potential", "primal_rate"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("log_b", [50.0, 0.0, -18.0, -2e3, -1e5])
def test_hyperbolic_on_torch_agrees_with_numpy(method, log_b):
    torch = pytest.importorskip("torch")
    mirror = hyperbolic(log_b, 0.4)
    argument = X if method in ("dual", "potential") else mirror.dual(X, 0.3)
    ours = getattr(Hyperbolic(torch.tensor(mirror.log_scale), torch.tensor(mirror.tilt)), method)(
        torch.tensor(argument), 0.3
    )
    assert ours.dtype == torch.float64
    expected = getattr(mirror, method)(argument, 0.3)
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_euclidean_on_torch_agrees_with_numpy(method, dtype):
    torch = pytest.importorskip("torch")
    argument = torch.tensor(X[:20], dtype=getattr(torch, dtype))
    ours = getattr(Euclidean(argument / 2), method)(argument, 0.3)
    assert ours.dtype == argument.dtype
    assert array_namespace(ours) is array_namespace(argument)
    expected = getattr(Euclidean(X[:20] / 2), method)(X[:20], 0.3)
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-6 if dtype == "float32" else 1e-13)
