"""Products of matrices: the parametrizations, their problems, the nuclear norm, and what the ledger says of them."""

import re

import numpy as np
import pytest
from scipy.integrate import solve_ivp

import linreg_mirror as lm
from linreg_mirror import problems
from linreg_mirror.ledger import instance
from linreg_mirror.mirrors import Euclidean, Hyperbolic
from linreg_mirror.parametrizations import DeepLinear, Factorized, Hadamard, NoMirror, lie_bracket
from linreg_mirror.problems import Problem
from linreg_mirror.solvers import independent
from linreg_mirror.solvers.certificates import nuclear_certificate
from linreg_mirror.solvers.stationarity import stationarity
from linreg_mirror.theorems.matrices.linear_networks import _WithTanh
from linreg_mirror.verification import check


def generator(seed=0):
    return np.random.default_rng(seed)


def networks():
    rng = generator(1)
    return {
        "one layer": DeepLinear.gaussian((4, 3), 1.0, rng),
        "two layers": DeepLinear.gaussian((4, 2, 3), 1.0, rng),
        "three layers": DeepLinear.gaussian((4, 2, 5, 3), 1.0, rng),
        "four layers, one input": DeepLinear.gaussian((1, 2, 3, 2, 2), 1.0, rng),
        "with tanh": _WithTanh(DeepLinear.gaussian((4, 2, 3), 1.0, rng).weights),
        "U V'": Factorized(rng.standard_normal((3, 2)), rng.standard_normal((4, 2))),
        "U U'": Factorized.symmetric(rng.standard_normal((3, 2))),
    }


each_network = pytest.mark.parametrize("network", networks().values(), ids=networks())


def everything(Y):
    """Return the problem that measures each entry of M: f = |M - Y|_F^2 / 2."""
    return Problem(np.eye(Y.size), Y.ravel())


def matrix(seed, shape=(3, 4)):
    return generator(seed).standard_normal(shape)


# Parametrizations


@each_network
def test_pullback_and_penalty_by_finite_differences(network):
    rng, h = generator(2), 1e-5
    theta, cotangent = rng.standard_normal(network.theta0.size), rng.standard_normal(network.d)
    shifts = h * np.eye(theta.size)
    slopes = [cotangent @ (network.effective(theta + e) - network.effective(theta - e)) / (2 * h) for e in shifts]
    np.testing.assert_allclose(network.pullback(theta, cotangent), slopes, atol=1e-7)
    penalties = [((theta + e) @ (theta + e) - (theta - e) @ (theta - e)) / (2 * h) for e in shifts]
    np.testing.assert_allclose(network.penalty_gradient(theta), penalties, atol=1e-8)


def test_effective_weights_are_the_entries_of_the_product_row_by_row():
    first, second, third = matrix(1, (2, 4)), matrix(2, (5, 2)), matrix(3, (3, 5))
    network = DeepLinear([first, second, third])
    assert (network.shape, network.d, network.degree) == ((3, 4), 12, 3)
    np.testing.assert_allclose(network.effective(network.theta0), (third @ second @ first).ravel(), rtol=1e-13)
    for given, layer in zip((first, second, third), network.layers(network.theta0), strict=True):
        np.testing.assert_array_equal(given, layer)
    lower, upper = network.imbalance(network.theta0)
    np.testing.assert_allclose(lower, second.T @ second - first @ first.T)
    np.testing.assert_allclose(upper, third.T @ third - second @ second.T)


def test_factorized_is_a_network_of_two_layers():
    U, V = matrix(1, (3, 2)), matrix(2, (4, 2))
    network, layers = Factorized(U, V), DeepLinear([V.T, U])
    assert network.shape == layers.shape == (3, 4)
    x = layers.effective(layers.theta0)
    np.testing.assert_allclose(network.effective(network.theta0), x)
    np.testing.assert_allclose(network.imbalance(network.theta0), layers.imbalance(layers.theta0))
    g = generator().standard_normal(12)
    dV, dU = layers.layers(layers.pullback(layers.theta0, g))
    np.testing.assert_allclose(network.pullback(network.theta0, g), np.concatenate([dU.ravel(), dV.T.ravel()]))


def test_symmetric_product_by_hand():
    network = Factorized.symmetric([[1.0], [2.0]])
    assert (network.shape, network.d, network.V0) == ((2, 2), 4, None)
    assert network.effective(network.theta0).tolist() == [1.0, 2.0, 2.0, 4.0]
    # G = [[1, 2], [3, 4]]: (G + G')U = [[2, 5], [5, 8]] (1, 2)'.
    assert network.pullback(network.theta0, np.array([1.0, 2.0, 3.0, 4.0])).tolist() == [12.0, 21.0]
    assert np.array_equal(network.imbalance(network.theta0), [[[0.0]]])


@pytest.mark.parametrize("widths", [(4, 3), (4, 3, 3), (4, 7, 3, 5, 3), (4, 2, 3)])
def test_balanced_start_of_a_given_product(widths):
    left, right = matrix(1, (3, 2)), matrix(2, (4, 2))
    M = left @ right.T
    network = DeepLinear.balanced(M, widths, generator())
    assert [W.shape for W in network.weights] == list(zip(widths[1:], widths, strict=False))
    np.testing.assert_allclose(network.effective(network.theta0), M.ravel(), atol=1e-13)
    for difference in network.imbalance(network.theta0):
        np.testing.assert_allclose(difference, 0, atol=1e-14)


def test_balanced_start_of_a_given_size():
    network = DeepLinear.balanced(1e-3, (5, 4, 4), generator())
    M = network.effective(network.theta0).reshape(4, 5)
    np.testing.assert_allclose(np.linalg.svd(M)[1], 1e-3)
    np.testing.assert_allclose(network.imbalance(network.theta0), 0, atol=1e-16)
    other = DeepLinear.balanced(1e-3, (5, 4, 4), generator(1))
    assert not np.isclose(network.theta0, other.theta0).any()


def test_gaussian_and_identity_starts():
    sizes = np.concatenate([W.ravel() for W in DeepLinear.gaussian((60, 50, 40), 0.1, generator()).weights])
    assert sizes.size == 60 * 50 + 50 * 40
    assert sizes.std() == pytest.approx(0.1, rel=0.05)
    network = DeepLinear.identity(0.5, 3, 4)
    assert network.degree == 4
    np.testing.assert_allclose(network.effective(network.theta0).reshape(3, 3), 0.5**4 * np.eye(3))


# Mirrors


def test_one_layer_has_the_mirror_of_plain_weights():
    network = DeepLinear([matrix(1)])
    mirror = network.mirror()
    assert isinstance(mirror, Euclidean)
    np.testing.assert_array_equal(mirror.primal(mirror.initial_dual, 0.0), matrix(1).ravel())


def test_one_hidden_unit_between_one_input_and_one_output_is_m_times_w():
    deep, flat = DeepLinear([[[1.5]], [[-0.5]]]).mirror(), Hadamard([1.5], [-0.5]).mirror()
    assert isinstance(deep, Hyperbolic)
    np.testing.assert_allclose([deep.log_scale, deep.tilt], [flat.log_scale, flat.tilt], atol=1e-15)


@pytest.mark.parametrize("schedule", [None, lm.schedules.Geometric(0.5, 0.6)])
def test_the_mirror_of_a_single_entry_leads_where_the_parameters_do(schedule):
    problem = Problem([[1.0], [2.0]], [0.7, 1.0])
    network = DeepLinear([matrix(1, (5, 1)), matrix(2, (1, 5))])
    pair = Factorized(network.weights[1], network.weights[0].T)
    for one in (network, pair):
        dual = lm.flow(problem, one, schedule, until=0.3, accuracy=1e-11)
        slow = lm.flow(problem, one, schedule, until=0.3, method="parameters", accuracy=1e-11)
        np.testing.assert_allclose(dual.x[-1], slow.x[-1], atol=1e-9)
        assert abs(dual.x[-1] - dual.x[0]) > 0.1


def test_lie_bracket_of_two_entries_of_a_row_by_hand():
    first, second = np.array([[1.0, 2.0], [0.0, -3.0]]), np.array([[5.0, 7.0]])
    bracket = lie_bracket(DeepLinear([first, second]), 0, 1, DeepLinear([first, second]).theta0)
    # dW_1 = (W_1 e_0) e_1' - (W_1 e_1) e_0', whatever W_2 is.
    np.testing.assert_allclose(np.abs(bracket), [2.0, 1.0, 3.0, 0.0, 0.0, 0.0])


@pytest.mark.parametrize("network", [DeepLinear.gaussian((2, 3, 1), 1.0, generator()),
                                     DeepLinear.gaussian((1, 2, 2, 3), 1.0, generator()),
                                     Factorized(np.eye(2), np.eye(2)), Factorized.symmetric(np.eye(2)),
                                     DeepLinear.identity(1.0, 2, 2)])  # fmt: skip
def test_products_with_several_entries_name_a_bracket_of_two_of_them(network):
    with pytest.raises(NoMirror, match=r"several entries .* gradients of x_\d and x_\d has norm \S+ near") as raised:
        network.mirror()
    assert float(re.search(r"norm (\S+) near", str(raised.value))[1]) > 0
    with pytest.raises(NoMirror):
        lm.flow(everything(matrix(1, network.shape)), network)


def test_three_factors_of_one_entry_name_the_bracket_with_the_penalty():
    with pytest.raises(
        NoMirror, match="three factors or more: the Lie bracket of the gradients of the penalty and x_0"
    ):
        DeepLinear([[[1.0]], [[2.0]], [[3.0]]]).mirror()


@pytest.mark.parametrize("network", [DeepLinear.identity(1.0, 1, 2), Factorized([[2.0]], [[-2.0]])])
def test_a_balanced_single_entry_has_no_mirror(network):
    with pytest.raises(NoMirror, match=r"balanced .*scale b = 0"):
        network.mirror()
    with pytest.raises(NoMirror, match=r"balanced: .*scale b = 0"):
        Factorized.symmetric([[1.0]]).mirror()


# The flow and descent


def test_flow_of_three_layers_against_an_integrator_of_ones_own():
    problem = problems.matrix_sensing(n=5, shape=(3, 4), rank=1, rng=generator())
    A = problem.X.reshape(5, 3, 4)
    network = DeepLinear.gaussian((4, 3, 2, 3), 0.7, generator(1))
    alpha = 0.05

    def slope(_, theta):
        a, b, c = theta[:12].reshape(3, 4), theta[12:18].reshape(2, 3), theta[18:].reshape(3, 2)
        G = sum((np.sum(A_i * (c @ b @ a)) - y_i) * A_i for A_i, y_i in zip(A, problem.y, strict=True))
        steps = [b.T @ c.T @ G, c.T @ G @ a.T, G @ a.T @ b.T]
        return -np.concatenate([step.ravel() for step in steps]) - 2 * alpha * theta

    expected = solve_ivp(slope, (0, 1.0), network.theta0, method="Radau", rtol=1e-11, atol=1e-13).y[:, -1]
    run = lm.flow(problem, network, alpha, until=1.0, method="parameters", accuracy=1e-10)
    np.testing.assert_allclose(run.parameters[-1], expected, atol=1e-8)


def test_descent_against_steps_by_hand():
    problem = problems.multi_output(n=3, inputs=4, outputs=2, rank=1, rng=generator())
    Z, Y = problem.X[:3, :4], problem.y.reshape(2, 3)
    network = DeepLinear.gaussian((4, 3, 2), 0.5, generator(1))
    first, second = network.weights
    for _ in range(20):
        G = (second @ first @ Z.T - Y) @ Z
        first, second = (
            first - 0.01 * (second.T @ G + 0.2 * first),
            second - 0.01 * (G @ first.T + 0.2 * second),
        )
    run = lm.descent(problem, network, 0.01, 0.1, steps=20, tolerance=0)
    np.testing.assert_allclose(run.x[-1], (second @ first).ravel(), rtol=1e-12)


@pytest.mark.parametrize(("layers", "scale"), [(2, 1e-2), (2, 1e-10), (3, 1e-4)])
def test_a_small_start_is_not_taken_for_the_end(layers, scale):
    problem = problems.matrix_sensing(n=5, shape=(3, 3), rank=2, rng=generator())
    network = DeepLinear.gaussian((3,) * (layers + 1), scale, generator(1))
    assert stationarity(problem, network, network.effective(network.theta0), theta=network.theta0) > 0.1
    run = lm.flow(problem, network, method="parameters")
    assert run.status is lm.Status.unproved
    assert np.abs(problem.residual(run.x[-1])).max() < 1e-7


def test_full_observation_with_a_penalty_ends_at_the_soft_thresholded_singular_values():
    Y = matrix(3)
    P, values, Qt = np.linalg.svd(Y, full_matrices=False)
    alpha = 0.25 * values[1]
    expected = P * np.maximum(values - 2 * alpha, 0) @ Qt
    for network in (
        DeepLinear.gaussian((4, 3, 3), 1e-2, generator()),
        Factorized(1e-2 * matrix(4, (3, 3)), 1e-2 * matrix(5, (4, 3))),
    ):
        run = lm.flow(everything(Y), network, alpha, method="parameters", tolerance=1e-7)
        assert run.status is lm.Status.unproved
        np.testing.assert_allclose(run.x[-1].reshape(3, 4), expected, atol=1e-5)


@pytest.mark.parametrize("alpha", [None, 0.3])
def test_full_observation_of_a_symmetric_matrix_keeps_its_positive_part(alpha):
    basis = np.linalg.qr(matrix(1, (4, 4)))[0]
    values = np.array([2.0, 1.0, 0.2, -1.0])
    run = lm.flow(
        everything(basis * values @ basis.T), Factorized.symmetric(1e-2 * np.eye(4)), alpha, method="parameters",
        tolerance=1e-7,
    )  # fmt: skip
    assert run.status is lm.Status.unproved
    # f + alpha |U|^2 is |M - Y|^2/2 + alpha tr M.
    kept = np.maximum(values - (alpha or 0.0), 0)
    np.testing.assert_allclose(run.x[-1].reshape(4, 4), basis * kept @ basis.T, atol=1e-5)


def test_a_narrow_network_ends_at_the_best_approximation_of_its_rank():
    Y = matrix(6)
    P, values, Qt = np.linalg.svd(Y, full_matrices=False)
    run = lm.flow(everything(Y), DeepLinear.gaussian((4, 1, 3), 1e-3, generator()), method="parameters")
    assert run.status is lm.Status.unproved
    np.testing.assert_allclose(run.x[-1].reshape(3, 4), values[0] * np.outer(P[:, 0], Qt[0]), atol=1e-7)


def test_a_rank_that_the_start_does_not_have_is_not_gained_and_the_flow_says_it_is_over():
    U = np.diag([0.5, 0.0])
    run = lm.flow(everything(np.eye(2)), Factorized(U, U), method="parameters")
    assert run.status is lm.Status.unproved
    np.testing.assert_allclose(run.x[-1], [1, 0, 0, 0], atol=1e-9)


@pytest.mark.parametrize(
    "network",
    [
        DeepLinear([np.zeros((3, 4)), np.zeros((3, 3))]),
        DeepLinear([np.zeros((3, 4)), np.eye(3), np.zeros((3, 3))]),
        Factorized(np.zeros((3, 2)), np.zeros((4, 2))),
    ],
)
def test_a_start_at_a_saddle_is_refused(network):
    problem = everything(matrix(1))
    with pytest.raises(ValueError, match=r"a saddle point that nothing ever leaves: .* DeepLinear\.gaussian"):
        lm.flow(problem, network, method="parameters")
    # Where f is stationary in x too there is nothing to leave.
    assert lm.flow(everything(np.zeros((3, 4))), network, method="parameters").status is lm.Status.unproved


# Problems


def test_multi_output_is_the_regression_it_says():
    problem = problems.multi_output(n=5, inputs=4, outputs=3, rank=2, rng=generator())
    assert problem.X.shape == (15, 12)
    M, Z = problem.truth.reshape(3, 4), problem.X[:5, :4]
    np.testing.assert_allclose(np.linalg.svd(M)[1][2:], 0, atol=1e-14)
    np.testing.assert_allclose(problem.y.reshape(3, 5), M @ Z.T, atol=1e-13)
    other = matrix(1)
    np.testing.assert_allclose((problem.X @ other.ravel()).reshape(3, 5), other @ Z.T, atol=1e-13)


@pytest.mark.parametrize("commuting", [False, True])
@pytest.mark.parametrize("rank", [0, 1, 3])
def test_matrix_sensing_measures_a_matrix_of_low_rank(rank, commuting):
    shape = (5, 5) if commuting else (4, 5)
    problem = problems.matrix_sensing(n=6, shape=shape, rank=rank, rng=generator(), commuting=commuting)
    M, A = problem.truth.reshape(shape), problem.X.reshape(6, *shape)
    np.testing.assert_allclose([np.sum(A_i * M) for A_i in A], problem.y, atol=1e-13)
    values = np.linalg.svd(M)[1]
    assert ((values[:rank] >= 1) & (values[:rank] <= 2)).all()
    np.testing.assert_allclose(values[rank:], 0, atol=1e-14)
    if commuting:
        assert np.linalg.eigvalsh(M).min() > -1e-14
        for A_i in (*A, M):
            np.testing.assert_allclose(A_i, A_i.T, atol=1e-14)
            np.testing.assert_allclose(A_i @ A[0], A[0] @ A_i, atol=1e-13)


def test_the_generator_determines_the_matrices():
    one, same, other = (
        problems.matrix_sensing(n=2, shape=(3, 3), rank=1, rng=generator(seed), commuting=True) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.X, same.X)
    assert not np.isclose(one.X, other.X).any()


# The nuclear norm


def test_least_nuclear_norm_of_one_measurement_by_hand():
    A = matrix(1)
    P, values, Qt = np.linalg.svd(A)
    solution = independent.minimum_nuclear(Problem(A.reshape(1, -1), [-2.0]), (3, 4))
    assert solution.certificate.valid
    np.testing.assert_allclose(solution.x.reshape(3, 4), -2 / values[0] * np.outer(P[:, 0], Qt[0]), atol=1e-7)


def test_least_trace_of_one_measurement_by_hand():
    A = np.diag([1.0, -3.0])
    positive = independent.minimum_nuclear(Problem(A.reshape(1, -1), [2.0]), (2, 2), positive=True)
    free = independent.minimum_nuclear(Problem(A.reshape(1, -1), [2.0]), (2, 2))
    assert positive.certificate.valid
    assert free.certificate.valid
    np.testing.assert_allclose(positive.x, [2, 0, 0, 0], atol=1e-7)
    np.testing.assert_allclose(free.x, [0, 0, 0, -2 / 3], atol=1e-7)


def test_a_diagonal_problem_has_the_least_l1_norm():
    spectra = matrix(2, (3, 6))
    y = matrix(3, (3,))
    X = np.stack([np.diag(spectrum).ravel() for spectrum in spectra])
    solution = independent.minimum_nuclear(Problem(X, y), (6, 6))
    least = independent.minimum_l1_highs(Problem(spectra, y))
    np.testing.assert_allclose(solution.x.reshape(6, 6), np.diag(least.x), atol=1e-7)


@pytest.mark.parametrize("seed", range(4))
def test_reference_is_certified_and_the_certificate_refuses_other_points(seed):
    problem = problems.matrix_sensing(n=7, shape=(4, 3), rank=1, rng=generator(seed))
    solution = independent.minimum_nuclear(problem, (4, 3))
    assert solution.certificate.valid
    assert solution.status is lm.Status.unproved
    for x, s, failing in (
        (np.linalg.pinv(problem.X) @ problem.y, solution.dual, "duality gap"),
        (1.001 * solution.x, solution.dual, "feasibility"),
        (solution.x, 1.001 * solution.dual, "dual feasibility"),
        (solution.x, 0.999 * solution.dual, "duality gap"),
    ):
        assert not nuclear_certificate(problem, (4, 3), x, s)[failing].passed
    negative = nuclear_certificate(problem, (3, 4), -solution.x, solution.dual)
    assert not negative.valid


def test_positive_certificate_refuses_negative_and_asymmetric_matrices():
    problem = Problem(np.eye(4), [1.0, 0.0, 0.0, 1.0])
    for M in ([[1.0, 0.0], [0.0, -1.0]], [[1.0, 0.5], [-0.5, 1.0]]):
        checks = nuclear_certificate(problem, (2, 2), np.ravel(M), np.zeros(4), positive=True)
        assert not checks["positive semidefinite"].passed


def test_dependent_measurements_and_zero_targets():
    A = matrix(1)
    twice = Problem(np.stack([A.ravel(), 2 * A.ravel()]), [1.0, 2.0])
    solution = independent.minimum_nuclear(twice, (3, 4))
    assert solution.certificate.valid
    assert np.linalg.norm(solution.x.reshape(3, 4), "nuc") == pytest.approx(1 / np.linalg.svd(A)[1][0])
    zero = independent.minimum_nuclear(Problem(twice.X, [0.0, 0.0]), (3, 4))
    np.testing.assert_allclose(zero.x, 0, atol=1e-9)
    assert zero.certificate.valid


def test_no_positive_interpolator():
    with pytest.raises(ArithmeticError, match="gave up on the nuclear norm: infeasible"):
        independent.minimum_nuclear(Problem(np.eye(2).reshape(1, 4), [-1.0]), (2, 2), positive=True)


# The ledger


def test_the_instance_that_refutes_the_conjecture_by_hand():
    it = instance("special/not-commuting")
    v = np.array([1.0, 1.0, -2.0])
    smaller = np.array([[1.0, 2, -1], [2, 4, -2], [-1, -2, 15]]) / 5
    for M in (np.outer(v, v), smaller):
        np.testing.assert_allclose(it.problem.X @ M.ravel(), it.problem.y, atol=1e-14)
        assert np.linalg.eigvalsh(M).min() > -1e-14
    assert (np.trace(np.outer(v, v)), np.trace(smaller)) == (6.0, 4.0)
    # 4 is least: tr M >= <sum s_i A_i, M> = <y, s> = 4 for s = (-2, 2, 3), as I - sum s_i A_i >= 0.
    dual = np.array([-2.0, 2, 3])
    assert it.problem.y @ dual == 4
    assert np.linalg.eigvalsh(np.eye(3) - np.tensordot(dual, it.problem.X.reshape(3, 3, 3), 1)).min() > -1e-14
    found = independent.minimum_nuclear(it.problem, (3, 3), positive=True)
    np.testing.assert_allclose(found.x.reshape(3, 3), smaller, atol=1e-7)
    np.testing.assert_allclose(it.path.x[-1].reshape(3, 3), np.outer(v, v), atol=1e-2)


def test_theorems_hold_and_their_controls_fail():
    names = ["planted/plain/0", "dense/geometric/0", "special/commuting-1", "special/not-commuting"]
    for finding in check(["networks"], instances=names):
        assert finding.as_expected, finding


# Bad input


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: DeepLinear([]), r"at least one layer is needed, got none: write DeepLinear\(\[W_1, W_2\]\)"),
        (lambda: DeepLinear([[1.0, 2.0]]), r"layers are matrices .* got W_1 of shape \(2,\)"),
        (lambda: DeepLinear([np.ones((2, 3)), np.ones((0, 2))]), r"at least one entry, got W_2 of shape \(0, 2\)"),
        (lambda: DeepLinear([np.ones((2, 3)), np.ones((2, 3))]), r"W_1 of shape \(2, 3\) and W_2 of shape \(2, 3\)"),
        (lambda: DeepLinear([[[np.nan]]]), r"W_1 must be finite, got nan"),
        (lambda: DeepLinear.balanced(np.ones((2, 3)), (2, 2, 3), generator()), r"shape \(3, 2\), .* got \(2, 3\)"),
        (lambda: DeepLinear.balanced(np.eye(3), (3, 2, 3), generator()), r"rank 3 needs widths of 3 or more, got .* 2"),
        (lambda: DeepLinear.balanced(1.0, (3,), generator()), r"two or more integers >= 1, got \(3,\)"),
        (lambda: DeepLinear.gaussian((3, 0, 2), 1.0, generator()), r"two or more integers >= 1, got \(3, 0, 2\)"),
        (lambda: DeepLinear.gaussian((3, 2.0), 1.0, generator()), r"two or more integers >= 1, got \(3, 2.0\)"),
        (lambda: DeepLinear.gaussian((3, 2), 0.0, generator()), r"scale must be a positive number, got 0.0"),
        (lambda: DeepLinear.identity(np.nan, 2, 2), r"scale must be a positive number, got nan"),
        (lambda: DeepLinear.identity(1.0, 2, 0), r"depth must be an integer >= 1, got 0"),
        (lambda: Factorized([1.0], [[1.0]]), r"U0 must be a matrix with at least one entry, got shape \(1,\)"),
        (lambda: Factorized(np.ones((2, 1)), np.ones((0, 1))), r"V0 must be a matrix .* got shape \(0, 1\)"),
        (lambda: Factorized(np.ones((2, 1)), np.ones((2, 3))), r"as many columns, .* got shapes \(2, 1\) and \(2, 3\)"),
        (lambda: Factorized([[np.inf]]), r"U0 must be finite"),
        (lambda: problems.multi_output(n=0, inputs=2, outputs=2, rank=1, rng=generator()), r"n must be an integer"),
        (lambda: problems.multi_output(n=2, inputs=2, outputs=3, rank=3, rng=generator()), r"rank must .* 0 to 2"),
        (lambda: problems.matrix_sensing(n=2, shape=(2, 3), rank=1, rng=generator(), commuting=True), r"are square"),
        (lambda: problems.matrix_sensing(n=2, shape=(0, 3), rank=0, rng=generator()), r"rows must be an integer >= 1"),
        (lambda: independent.minimum_nuclear(everything(matrix(1)), (3, 3)), r"with 12 entries, .* got \(3, 3\)"),
        (lambda: independent.minimum_nuclear(everything(matrix(1)), (3, 4), positive=True), r"must be square with 12"),
        (lambda: lm.flow(everything(np.eye(2)), DeepLinear([np.eye(3)])), r"9 effective weights, the problem 4"),
    ],
)  # fmt: skip
def test_bad_input(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_bad_types():
    with pytest.raises(TypeError, match="W_1 must hold real numbers"):
        DeepLinear([[[1j]]])
    for build in (
        lambda: problems.matrix_sensing(n=2, shape=(2, 2), rank=1, rng=0),
        lambda: problems.multi_output(n=2, inputs=2, outputs=2, rank=1, rng=0),
        lambda: DeepLinear.gaussian((2, 2), 1.0, 0),
        lambda: DeepLinear.balanced(1.0, (2, 2), 0),
    ):
        with pytest.raises(TypeError, match=r"rng must be a numpy\.random\.Generator, got int"):
            build()


@pytest.mark.parametrize("dtype", [np.int64, np.float32])
def test_other_types_become_float64(dtype):
    assert DeepLinear([np.ones((2, 2), dtype)]).weights[0].dtype == np.float64
    assert Factorized(np.ones((2, 2), dtype), np.ones((2, 2), dtype)).theta0.dtype == np.float64


def test_the_potential_of_layers_whose_squares_overflow():
    large, small = (
        DeepLinear((c * np.array([[3.0], [1.0]]), c * np.array([[1.0, 2.0]]))).mirror() for c in (1e200, 1.0)
    )
    np.testing.assert_allclose(large.log_scale, small.log_scale + 2 * np.log(1e200), rtol=1e-14)
    np.testing.assert_allclose(large.tilt, small.tilt, rtol=1e-12)


# What weights near zero could still make use of


def test_unused_slope_by_hand():
    g = np.diag([3.0, -4.0]).ravel()
    square, thin = np.eye(2), np.ones((1, 2))
    two, three = DeepLinear((square, square)), DeepLinear((square, square, square))
    assert [two.unused_slope(g, alpha) for alpha in (0.0, 0.5, 2.0, 3.0)] == [4.0, 3.0, 0.0, 0.0]
    assert [three.unused_slope(g, alpha) for alpha in (0.0, 0.5)] == [4.0, 0.0]  # zero is a minimum of the penalty
    assert DeepLinear((square,)).unused_slope(g, 0.0) == 0.0
    # A hidden width of one limits the rank: of all products, or of a column vector none.
    assert DeepLinear((thin, thin.T)).unused_slope(g, 0.0) == 0.0
    assert DeepLinear((thin, np.ones((1, 1)))).unused_slope(np.array([3.0, -4.0]), 0.5) == 4.0
    # U V' can make use of 3 and of -4, U U' of -4 alone, as nothing else lowers f.
    assert [Factorized(square, square).unused_slope(g, alpha) for alpha in (0.0, 0.5, 2.0)] == [4.0, 3.0, 0.0]
    symmetric = Factorized.symmetric(square)
    assert [symmetric.unused_slope(g, alpha) for alpha in (0.0, 0.5, 4.0)] == [8.0, 7.0, 0.0]
    assert symmetric.unused_slope(-g, 0.0) == 6.0
    assert symmetric.unused_slope(np.array([0.0, -6.0, 0.0, 0.0]), 0.0) == pytest.approx(6.0)
    assert Factorized(thin.T, thin.T).unused_slope(g, 0.0) == 0.0
    assert Factorized.symmetric(thin.T).unused_slope(g, 0.0) == 0.0
