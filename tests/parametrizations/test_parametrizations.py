"""x = m*w, plain weights and shared masks: starts, gradients, Lie brackets and mirrors."""

import re

import numpy as np
import pytest

from linreg_mirror.mirrors import Euclidean, Hyperbolic
from linreg_mirror.parametrizations import (
    Direct,
    Hadamard,
    NoMirror,
    Power,
    SharedHadamard,
    commutation_defect,
    lie_bracket,
)

EPS = np.finfo(float).eps
X0 = np.array([0.0, 1.0, -1.0, 1e-9, -3e4, 0.2, 1e-150])


def networks():
    rng = np.random.default_rng(1)
    m0 = rng.uniform(0.5, 1.5, 4)
    w0 = m0 * rng.uniform(-0.9, 0.9, 4)
    return [
        Direct(rng.standard_normal(4)),
        Hadamard(m0, w0),
        Hadamard(m0, w0, decay_on="m"),
        Hadamard.balanced(rng.standard_normal(4)),
        SharedHadamard(m0[:2], w0, [0, 1, 1, 0]),
    ]


def powers():
    rng = np.random.default_rng(3)
    return [Power.from_scale(rng.uniform(0.5, 1, 4), depth=depth, x0=rng.standard_normal(4)) for depth in (3, 4)]


def name(network):
    return type(network).__name__ + getattr(network, "decay_on", "")


@pytest.mark.parametrize("network", networks(), ids=name)
def test_pullback_and_penalty_by_finite_differences(network):
    rng, h = np.random.default_rng(2), 1e-4
    theta = rng.standard_normal(network.theta0.size)
    cotangent = rng.standard_normal(network.d)
    shifts = h * np.eye(theta.size)
    numerical = [cotangent @ (network.effective(theta + e) - network.effective(theta - e)) / (2 * h) for e in shifts]
    # Of quadratic maps, central differences are exact but for rounding.
    np.testing.assert_allclose(network.pullback(theta, cotangent), numerical, atol=1e-11)

    def penalty(point):
        charged = point[: network.d] if getattr(network, "decay_on", "both") == "m" else point
        return charged @ charged

    numerical = [(penalty(theta + e) - penalty(theta - e)) / (2 * h) for e in shifts]
    np.testing.assert_allclose(network.penalty_gradient(theta), numerical, atol=1e-10)


@pytest.mark.parametrize("network", [*networks()[1:4], Power.from_scale(0.5, depth=2, d=4), *powers()], ids=repr)
def test_second_order_by_finite_differences(network):
    rng, h, alpha = np.random.default_rng(2), 1e-6, 0.3
    theta, cotangent = rng.uniform(0.5, 1.5, network.theta0.size), rng.standard_normal(network.d)

    def force(point):
        return network.pullback(point, cotangent) + alpha * network.penalty_gradient(point)

    jacobian, hessian = network.second_order(theta, cotangent, alpha)
    steps = h * np.eye(theta.size)
    of_x = np.stack([network.effective(theta + e) - network.effective(theta - e) for e in steps], axis=1) / (2 * h)
    of_force = np.stack([force(theta + e) - force(theta - e) for e in steps], axis=1) / (2 * h)
    np.testing.assert_allclose(jacobian, of_x, atol=1e-8)
    np.testing.assert_allclose(hessian, of_force, atol=1e-8)


@pytest.mark.parametrize("kind", [Hadamard, Power])
def test_a_product_of_ones_own_has_no_second_order_of_ours(kind):
    class Own(kind):
        pass

    own = Own.from_scale(0.5, d=2) if kind is Hadamard else Own.from_scale(0.5, depth=3, d=2)
    assert own.second_order(own.theta0, np.ones(2), 0.0) is None
    assert Direct(np.ones(2)).second_order(np.ones(2), np.ones(2), 0.0) is None


@pytest.mark.parametrize("beta", [1e300, 2.0, 1.0, 1e-3, 1e-200])
def test_at_starts_where_it_should_with_the_beta_asked_for(beta):
    network = Hadamard.at(X0, beta)
    m0, w0 = network.m0, network.w0
    assert (np.abs(w0) <= m0).all()
    np.testing.assert_allclose(m0 * w0, X0, rtol=1e-12, atol=1e-320 * beta)
    # m^2 - w^2 = (m-w)(m+w) in extended precision; where |x0| >> beta the difference is below rounding of the factors.
    wide_m, wide_w = m0.astype(np.longdouble), w0.astype(np.longdouble)
    difference = ((wide_m - wide_w) * (wide_m + wide_w)).astype(float)
    np.testing.assert_array_less(np.abs(difference - beta), 1e-12 * np.maximum(beta, np.abs(X0)))
    np.testing.assert_allclose(network.log_scale, np.log(beta / 2), rtol=1e-14)
    assert network.d == 7
    assert np.array_equal(network.theta0, np.concatenate([m0, w0]))
    np.testing.assert_array_equal(network.effective(network.theta0), m0 * w0)


def test_at_is_the_closed_form_of_pilot():
    network = Hadamard.at(X0, 1.0)
    m0 = np.sqrt((np.sqrt(4 * X0**2 + 1) + 1) / 2)
    np.testing.assert_allclose(network.m0, m0, rtol=1e-14)
    np.testing.assert_allclose(network.w0, X0 / m0, rtol=1e-13)
    np.testing.assert_allclose(network.tilt, np.arcsinh(2 * X0), rtol=1e-14)


def test_given_factors_and_constructors_agree():
    m0, w0 = np.array([1.5, 1.0, 2.0]), np.array([0.5, 0.0, -1.0])
    given = Hadamard(m0, w0)
    built = Hadamard.at(m0 * w0, m0**2 - w0**2)
    for network in (given, built):
        np.testing.assert_allclose(network.m0, m0, rtol=1e-14)
        np.testing.assert_allclose(network.w0, w0, rtol=1e-14, atol=1e-16)
        np.testing.assert_allclose(network.log_scale, np.log([1.0, 0.5, 1.5]), rtol=1e-14, atol=1e-15)
        np.testing.assert_allclose(network.tilt, [np.log(2), 0, -np.log(3)], rtol=1e-14)


def test_from_scale_and_from_alpha():
    np.testing.assert_allclose(Hadamard.from_scale(0.5, x0=X0).m0, Hadamard.at(X0, 1.0).m0, rtol=1e-15)
    np.testing.assert_allclose(Hadamard.from_scale(log_b=np.log(0.5), x0=X0).w0, Hadamard.at(X0, 1.0).w0, rtol=1e-14)
    network = Hadamard.from_alpha(0.1, d=3)
    np.testing.assert_allclose(np.exp(network.log_scale), 0.02, rtol=1e-14)
    np.testing.assert_allclose(network.m0, np.sqrt(0.04), rtol=1e-14)
    assert not network.w0.any()
    assert not network.tilt.any()


def test_scales_may_differ_between_entries():
    b = np.array([1.0, 1e-4, 1e8])
    network = Hadamard.from_scale(b, x0=[1.0, -2.0, 0.0])
    np.testing.assert_allclose(network.log_scale, np.log(b), rtol=1e-15)
    np.testing.assert_allclose(network.m0**2 - network.w0**2, 2 * b, rtol=1e-10)


@pytest.mark.parametrize("log_b", [-1e5, -2000.0, -700.0, 690.0])
def test_log_scale_far_beyond_float64(log_b):
    x0 = np.array([0.0, 1.0, -2.0, 1e-5])  # x0/b must be a float64
    network = Hadamard.from_scale(log_b=log_b, x0=x0)
    assert np.isfinite(network.m0).all()
    assert np.isfinite(network.tilt).all()
    np.testing.assert_array_equal(network.log_scale, log_b)
    # Rounding of exponents of size |log b| is all that may be lost.
    rounding = 8 * EPS * max(1.0, abs(log_b))
    np.testing.assert_allclose(network.effective(network.theta0), x0, rtol=rounding, atol=0)
    if log_b < 0:
        expected = np.array([0, np.log(2) - log_b, -(np.log(4) - log_b), np.log(2e-5) - log_b])
        np.testing.assert_allclose(network.tilt, expected, rtol=4 * EPS)
        mirror = network.mirror()
        np.testing.assert_allclose(mirror.primal(mirror.initial_dual, 0.0), x0, rtol=rounding, atol=0)


def test_balanced_has_equal_factors_and_no_mirror():
    network = Hadamard.balanced([4.0, -9.0, 0.0])
    assert network.m0.tolist() == [2.0, 3.0, 0.0]
    assert network.w0.tolist() == [2.0, -3.0, 0.0]
    assert np.isneginf(network.log_scale).all()
    with pytest.raises(NoMirror, match=r"balanced \(m0\^2 = w0\^2\) at index 0.*write Hadamard.at\(x0, beta=1.0\)"):
        network.mirror()


def test_one_balanced_entry_is_named():
    with pytest.raises(NoMirror, match="at index 1"):
        Hadamard([2.0, 1.0], [0.5, -1.0]).mirror()


def test_which_networks_have_a_mirror():
    assert isinstance(Hadamard.at(0.0, d=2).mirror(), Hyperbolic)
    assert isinstance(Direct.at(0.0, d=2).mirror(), Euclidean)
    assert issubclass(NoMirror, ValueError)


def test_lie_brackets_by_hand():
    shared = SharedHadamard([2.0], [3.0, 5.0], [0, 0])
    # grad x_0 = (w0, m, 0), grad x_1 = (w1, 0, m); D1 f0 - D0 f1 = (0, 0, w0) - (0, w1, 0).
    assert lie_bracket(shared, 0, 1, shared.theta0).tolist() == [0.0, -5.0, 3.0]
    assert commutation_defect(shared) == (pytest.approx(np.sqrt(34)), 0, 1)
    both = Hadamard([2.0, 3.0], [1.0, -1.0])
    assert commutation_defect(both)[0] == 0
    on_m = Hadamard([2.0, 3.0], [1.0, -1.0], decay_on="m")
    # penalty (2m, 0), grad x_1 = (0, w1, 0, m1): the bracket is (0, -2 w1, 0, 2 m1), norm 2 sqrt(m1^2 + w1^2).
    assert commutation_defect(on_m)[0] == pytest.approx(2 * np.sqrt(10))
    # Plain weights: the fields e_0 and e_1 commute; the penalty 2x does not, it changes the speed of the dual flow.
    assert lie_bracket(Direct([1.0, 2.0]), 0, 1, np.array([1.0, 2.0])).tolist() == [0.0, 0.0]
    assert np.abs(lie_bracket(Direct([1.0, 2.0]), -1, 1, np.array([1.0, 2.0]))).tolist() == [0.0, 2.0]


def test_no_mirror_messages_name_a_bracket():
    with pytest.raises(NoMirror, match=r"Lie bracket of the gradients of x_0 and x_1 has norm 5\.\d+ near the start"):
        SharedHadamard([2.0], [3.0, 5.0], [0, 0]).mirror()
    with pytest.raises(NoMirror, match=r"gradients of the penalty and x_0 has norm \d\.\d+ near the start, not 0"):
        Hadamard([2.0, 3.0], [1.0, -1.0], decay_on="m").mirror()


def named_norm(network):
    with pytest.raises(NoMirror) as raised:
        network.mirror()
    return float(re.search(r"has norm (\S+) near the start", str(raised.value))[1])


def test_no_mirror_names_a_bracket_that_does_not_vanish_even_where_the_first_entries_commute():
    groups = np.arange(20)
    groups[19] = 18  # only the last two weights share a mask
    assert named_norm(SharedHadamard(np.ones(19), np.ones(20), groups)) > 0


def test_no_mirror_at_a_start_where_brackets_vanish():
    assert named_norm(SharedHadamard([2.0], [0.0, 0.0], [0, 0])) > 0


def test_shared_effective_by_hand():
    network = SharedHadamard([2.0, -1.0], [1.0, 10.0, 100.0], [0, 1, 0])
    assert network.d == 3
    assert network.effective(network.theta0).tolist() == [2.0, -10.0, 200.0]
    assert network.pullback(network.theta0, np.array([1.0, 2.0, 3.0])).tolist() == [301.0, 20.0, 2.0, -2.0, 6.0]


def test_direct():
    assert Direct.at(2, d=3).x0.tolist() == [2.0, 2.0, 2.0]
    assert Direct.at([1, 2]).d == 2


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_other_types_become_float64(dtype):
    for array in (
        Hadamard(np.array([2, 3], dtype), np.array([1, -1], dtype)).m0,
        Hadamard.at(np.array([1, 2], dtype), dtype(1)).m0,
        Direct(np.array([1, 2], dtype)).x0,
        SharedHadamard(np.array([1], dtype), np.array([1, 2], dtype), [0, 0]).w0,
    ):
        assert array.dtype == np.float64


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Hadamard([1.0, 1.0], [0.0, -2.0]), r"\|w0\| <= m0 .* got m0 = 1, w0 = -2 at index 1: .*Hadamard.at"),
        (lambda: Hadamard([-1.0], [0.5]), r"\|w0\| <= m0 .* got m0 = -1, w0 = 0.5 at index 0"),
        (lambda: Hadamard([1.0, 2.0], [0.5]), r"both have shape \(d,\) .* got \(2,\) and \(1,\)"),
        (lambda: Hadamard(1.0, 0.5), r"both have shape \(d,\) with d >= 1, got \(\) and \(\)"),
        (lambda: Hadamard([], []), r"d >= 1, got \(0,\) and \(0,\)"),
        (lambda: Hadamard([np.nan], [0.0]), r"m0 must be finite, got nan at index \(0,\)"),
        (lambda: Hadamard([1.0], [np.inf]), r"w0 must be finite, got inf"),
        (lambda: Hadamard([1.0], [0.0], decay_on="w"), r'decay_on must be "both" or "m", got \'w\''),
        (lambda: Hadamard.at(0.0, 0.0, d=2), r"beta must be positive, got 0: write Hadamard.balanced"),
        (lambda: Hadamard.at(0.0, [1.0, -1.0]), r"beta must be positive, got -1"),
        (lambda: Hadamard.at(0.0, np.nan, d=2), r"beta must be finite"),
        (lambda: Hadamard.at(np.inf, 1.0, d=2), r"x0 must be finite"),
        (lambda: Hadamard.at(0.0, 1.0), r"d, the number of entries, is missing .*write Hadamard.at"),
        (lambda: Hadamard.at([0.0, 1.0], 1.0, d=3), r"x0 of shape \(2,\).*d=3"),
        (lambda: Hadamard.at([0.0, 1.0], [1.0, 1.0, 1.0]), r"x0 of shape \(2,\), scale of shape \(3,\)"),
        (lambda: Hadamard.at(np.zeros((2, 2)), 1.0), r"must agree on the number of entries, got x0 of shape \(2, 2\)"),
        (lambda: Hadamard.at(0.0, 1.0, d=0), r"d must be an integer >= 1, got 0"),
        (lambda: Hadamard.from_scale(d=2), r"exactly one of b and log_b"),
        (lambda: Hadamard.from_scale(1.0, log_b=0.0, d=2), r"exactly one of b and log_b"),
        (lambda: Hadamard.from_scale(0.0, d=2), r"scale b must be positive, got 0: write log_b="),
        (lambda: Hadamard.from_scale(-1.0, d=2), r"scale b must be positive, got -1"),
        (lambda: Hadamard.from_scale(log_b=-np.inf, d=2), r"log_b must be finite"),
        (
            lambda: Hadamard.from_alpha(0.0, d=2),
            r"alpha, the initial size .*, must be positive, got 0: write Hadamard.from_scale",
        ),
        (lambda: Hadamard.from_alpha(-1.0, d=2), r"alpha, .*, must be positive, got -1"),
        (lambda: Hadamard.balanced([np.nan]), r"x0 must be finite"),
        (lambda: Direct(np.zeros((2, 2))), r"x0 must have shape \(d,\) with d >= 1, got \(2, 2\): write Direct.at"),
        (lambda: Direct.at(0.0), r"x0 must have shape \(d,\) with d >= 1, got \(\)"),
        (lambda: Direct.at([1.0, 2.0], d=3), r"x0 .*\(2,\).*d=3"),
        (lambda: Direct([np.nan]), r"x0 must be finite"),
        (lambda: SharedHadamard([[1.0]], [1.0], [0]), r"m0 \(groups,\), w0 \(d,\) .* got shapes \(1, 1\)"),
        (lambda: SharedHadamard([1.0], [1.0, 2.0], [0]), r"got shapes \(1,\), \(2,\), \(1,\)"),
        (lambda: SharedHadamard([1.0], [1.0, 2.0], [0, 1]), r"group must hold integers in 0..0, the entries of m0"),
        (lambda: SharedHadamard([1.0], [1.0, 2.0], [0, -1]), r"group must hold integers"),
        (lambda: SharedHadamard([1.0], [1.0, 2.0], [0.0, 0.0]), r"group must hold integers"),
        (lambda: SharedHadamard([1.0], [np.nan], [0]), r"w0 must be finite"),
    ],
)
def test_bad_input(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_complex_input():
    with pytest.raises(TypeError, match="m0 must hold real numbers, got dtype complex128"):
        Hadamard([1j], [0.0])


def test_a_start_at_zero_is_there_whatever_the_scale():
    network = Hadamard.from_tilt([1e4, 1.0], [0.0, 0.0])
    np.testing.assert_array_equal(network.w0, 0.0)
    assert network.m0[0] == np.inf
