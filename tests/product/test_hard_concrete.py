"""The hard-concrete gate, against integrals over its noise, closed forms of special cases, and samples."""

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import expit

from linreg_mirror.hard_concrete import HardConcrete

KINDS = [HardConcrete(), HardConcrete(-0.3, 1.05, 0.5), HardConcrete(-0.05, 1.2, 1.5), HardConcrete(-1e-3, 1.001, 0.1)]
LOGITS = np.array([-12.0, -4.0, -2.4, -0.7, 0.0, 0.3, 1.6, 3.0, 9.0])
METHODS = ["open_probability", "full_probability", "mean", "variance", "deterministic"]


def gate(kind, log_alpha, noise):
    """Return the gate for logistic noise, by definition."""
    s = 1 / (1 + math.exp(-(noise + log_alpha) / kind.temperature))
    return min(1.0, max(0.0, s * (kind.zeta - kind.gamma) + kind.gamma))


def expectation(kind, log_alpha, function):
    """Integrate a function of the gate over its noise; where the gate is cut off the integrand has kinks."""
    kinks = [kind.temperature * math.log((t - kind.gamma) / (kind.zeta - t)) - log_alpha for t in (0, 1)]
    ends = [-45.0, *sorted(kinks), 45.0]

    def integrand(x):
        return function(gate(kind, log_alpha, x)) / (2 + 2 * math.cosh(x))

    return sum(quad(integrand, *pair, epsabs=0, epsrel=1e-12)[0] for pair in pairwise(ends))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("log_alpha", [-4.0, -0.7, 0.3, 3.0])
def test_probabilities_and_moments_are_integrals_over_the_noise(kind, log_alpha):
    assert kind.open_probability(log_alpha) == pytest.approx(expectation(kind, log_alpha, lambda z: z > 0), rel=1e-10)
    assert kind.full_probability(log_alpha) == pytest.approx(expectation(kind, log_alpha, lambda z: z >= 1), rel=1e-10)
    mean = expectation(kind, log_alpha, lambda z: z)
    assert kind.mean(log_alpha) == pytest.approx(mean, rel=1e-10)
    variance = expectation(kind, log_alpha, lambda z: (z - mean) ** 2)
    assert kind.variance(log_alpha) == pytest.approx(variance, rel=1e-9)


def test_defaults_by_hand():
    # log_alpha = 0: 11^(2/3) is the ratio of P(z > 0) to P(z = 0), and of P(z < 1) to P(z = 1).
    kind, ratio = HardConcrete(), 11 ** (2 / 3)
    assert kind.open_probability(0.0) == pytest.approx(ratio / (1 + ratio), rel=1e-14)
    assert kind.full_probability(0.0) == pytest.approx(1 / (1 + ratio), rel=1e-14)
    assert kind.mean(0.0) == pytest.approx(0.5, rel=1e-14)


def test_temperature_1_has_moments_in_closed_form():
    # P(z > t) = (zeta - t)/((zeta - t) + e (t - gamma)), e = exp(-log_alpha); at log_alpha = 0 a polynomial.
    kind = HardConcrete(temperature=1.0)
    assert kind.mean(0.0) == pytest.approx(1 / 2, rel=1e-14)
    assert kind.variance(0.0) == pytest.approx((1.1 - 2 / 3) / 1.2 - 1 / 4, rel=1e-14)
    for log_alpha in (-3.0, 0.5, 2.0):
        e = math.exp(-log_alpha)
        A, B = 1.1 + 0.1 * e, e - 1  # the denominator is A + B t
        logarithm = math.log1p(B / A) / B
        mean = 1.1 * logarithm - (1 - A * logarithm) / B
        square = 2 * (1.1 * (1 - A * logarithm) - (1 / 2 - A * (1 - A * logarithm) / B)) / B
        assert kind.mean(log_alpha) == pytest.approx(mean, rel=1e-13)
        assert kind.variance(log_alpha) == pytest.approx(square - mean**2, rel=1e-12)


def test_temperature_0_is_a_coin():
    cold = HardConcrete(temperature=1e-9)
    for method in ("open_probability", "full_probability", "mean"):
        np.testing.assert_allclose(getattr(cold, method)(LOGITS), expit(LOGITS), rtol=1e-8)
    np.testing.assert_allclose(cold.variance(LOGITS), expit(LOGITS) * expit(-LOGITS), rtol=1e-8)


@pytest.mark.parametrize("kind", [HardConcrete(), HardConcrete(-0.25, 1.25, 0.4)])
def test_symmetry(kind):
    np.testing.assert_allclose(kind.open_probability(LOGITS) + kind.full_probability(-LOGITS), 1, rtol=1e-14)
    np.testing.assert_allclose(kind.mean(LOGITS) + kind.mean(-LOGITS), 1, rtol=1e-14)
    np.testing.assert_allclose(kind.variance(LOGITS), kind.variance(-LOGITS), rtol=1e-14)


@pytest.mark.parametrize("kind", KINDS)
def test_far_away_logits(kind):
    far = np.array([-1e3, 1e3])
    for method in ("open_probability", "full_probability", "mean", "deterministic"):
        np.testing.assert_array_equal(getattr(kind, method)(far), [0, 1])
    np.testing.assert_array_equal(kind.variance(far), 0)
    np.testing.assert_array_equal(kind.cdf(0.5, far), [1, 0])
    np.testing.assert_array_equal(kind.quantile([[0.0], [0.5], [1.0]], far), [[0, 0], [0, 1], [1, 1]])
    np.testing.assert_array_equal(kind.sample(far, np.random.default_rng(0)), [0, 1])
    # Where only the leading order is left, mean and variance are in proportion to exp(log_alpha), and no digit is lost.
    for moment in (kind.mean, kind.variance):
        assert moment(-600.0) / moment(-100.0) == pytest.approx(math.exp(-500), rel=1e-13)
    assert kind.variance(80.0) / kind.variance(60.0) == pytest.approx(math.exp(-20), rel=1e-13)


@pytest.mark.parametrize("kind", KINDS)
def test_distribution_and_quantiles_are_inverse(kind):
    log_alpha = np.array([-2.0, 0.1, 1.4])
    t = np.linspace(0, 0.999, 7)[:, None]
    np.testing.assert_allclose(kind.quantile(kind.cdf(t, log_alpha), log_alpha), t + 0 * log_alpha, rtol=0, atol=1e-12)
    np.testing.assert_allclose(kind.cdf(0.0, log_alpha), 1 - kind.open_probability(log_alpha), rtol=1e-13)
    np.testing.assert_allclose(kind.cdf(1 - 1e-15, log_alpha), 1 - kind.full_probability(log_alpha), rtol=1e-10)
    np.testing.assert_array_equal(kind.cdf([[-1e-300], [-5.0], [1.0], [7.0]], log_alpha), [[0] * 3] * 2 + [[1] * 3] * 2)
    np.testing.assert_array_equal(kind.quantile([0.0, 1.0], 0.1), [0, 1])
    assert kind.quantile(0.99 * kind.cdf(0.0, 0.1), 0.1) == 0
    assert kind.quantile(1 - 0.99 * kind.full_probability(0.1), 0.1) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_samples_have_these_moments(kind):
    log_alpha, count = np.array([-1.5, 0.0, 2.0]), 100_000
    z = kind.sample(np.broadcast_to(log_alpha, (count, 3)), np.random.default_rng(0))
    assert z.shape == (count, 3)
    spread = np.sqrt(kind.variance(log_alpha) / count)
    assert (np.abs(z.mean(axis=0) - kind.mean(log_alpha)) < 4 * spread).all()
    for share, p in (
        ((z > 0).mean(axis=0), kind.open_probability(log_alpha)),
        ((z == 1).mean(axis=0), kind.full_probability(log_alpha)),
        ((z <= 0.3).mean(axis=0), kind.cdf(0.3, log_alpha)),
    ):
        assert (np.abs(share - p) < 4 * np.sqrt(p * (1 - p) / count)).all()
    squares = (z - kind.mean(log_alpha)) ** 2
    assert (np.abs(squares.mean(axis=0) - kind.variance(log_alpha)) < 4 * squares.std(axis=0) / math.sqrt(count)).all()


def test_samples_repeat():
    one, two = (HardConcrete().sample(LOGITS, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_the_gate_of_tests():
    kind, edge = HardConcrete(), math.log(11)
    np.testing.assert_allclose(kind.deterministic([-1.0, 0.0, 1.0]), [1.2 * expit(-1) - 0.1, 0.5, 1.2 * expit(1) - 0.1])
    np.testing.assert_array_equal(kind.deterministic([-edge - 1e-9, edge + 1e-9]), [0, 1])
    assert kind.deterministic(-edge + 1e-3) > 0
    # What its docstring says of a gate that tests have just closed.
    assert kind.open_probability(-edge) == pytest.approx(1 / (1 + 11 ** (1 / 3)), rel=1e-14)
    assert kind.open_probability(-edge) == pytest.approx(0.31, abs=0.005)
    assert kind.mean(-edge) == pytest.approx(0.10, abs=0.005)
    assert kind.quantile(0.5, -edge) == 0


@pytest.mark.parametrize("method", METHODS)
def test_arrays_in_arrays_out(method):
    function = getattr(HardConcrete(), method)
    logits = LOGITS[:6].reshape(2, 3)
    answer = function(logits.astype(np.float32))
    assert answer.shape == (2, 3)
    assert answer.dtype == np.float64
    np.testing.assert_allclose(answer[1, 2], function(float(np.float32(logits[1, 2]))), rtol=1e-14)
    assert np.ndim(function(1)) == 0
    assert function([]).shape == (0,)


def test_broadcasting():
    kind = HardConcrete()
    assert kind.cdf(np.zeros((4, 1)), LOGITS).shape == (4, 9)
    assert kind.quantile(np.full((4, 1), 0.5), LOGITS).shape == (4, 9)


@pytest.mark.parametrize(
    ("parameters", "match"),
    [
        ({"gamma": 0.0}, "gamma must be finite and below 0.*write -0.1"),
        ({"gamma": -math.inf}, "gamma must be finite"),
        ({"gamma": math.nan}, "gamma must be finite"),
        ({"zeta": 1.0}, "zeta must be finite and above 1.*write 1.1"),
        ({"zeta": math.inf}, "zeta must be finite"),
        ({"temperature": 0.0}, "temperature must be positive and at most 100, got 0.0: write 2/3"),
        ({"temperature": math.nan}, "temperature must be"),
    ],
)
def test_parameters_out_of_range(parameters, match):
    with pytest.raises(ValueError, match=match):
        HardConcrete(**parameters)


@pytest.mark.parametrize("method", METHODS)
def test_logits_that_are_no_finite_real_numbers(method):
    with pytest.raises(ValueError, match="log_alpha must be finite, got nan at index"):
        getattr(HardConcrete(), method)([0.0, math.nan])
    with pytest.raises(TypeError, match="log_alpha must hold real numbers"):
        getattr(HardConcrete(), method)([1j])


def test_other_bad_input():
    with pytest.raises(ValueError, match=r"u must hold probabilities in \[0, 1\], got -0.5 to 0.5"):
        HardConcrete().quantile([-0.5, 0.5], 0.0)
    with pytest.raises(ValueError, match="t must be finite"):
        HardConcrete().cdf(math.nan, 0.0)
    with pytest.raises(TypeError, match=r"rng must be a numpy.random.Generator"):
        HardConcrete().sample(LOGITS, 0)


def test_temperatures_at_the_ends_of_their_range():
    hot, cold = HardConcrete(temperature=100.0), HardConcrete(temperature=5e-324)
    assert 0 < hot.variance(0.0) < 0.25
    assert set(cold.sample(np.linspace(-5, 5, 50), np.random.default_rng(0))) <= {0.0, 1.0}
    assert np.isfinite(HardConcrete(gamma=-1e300, zeta=1e300).mean(0.0))
    with pytest.raises(ValueError, match=r"t and log_alpha must have shapes that broadcast, got \(2,\) and \(3,\)"):
        hot.cdf([0.1, 0.2], [1.0, 2.0, 3.0])
