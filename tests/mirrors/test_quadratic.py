"""x_i = w'A_i w/2: potential and limits, against those of x = m*w, of x = u^2, and what is written out here."""

import numpy as np
import pytest

import linreg_mirror as lm
from linreg_mirror import mirrors
from linreg_mirror.parametrizations import lie_bracket
from tests.helpers.zoo import gaussian

RNG = np.random.default_rng(0)
X = np.concatenate([3 * RNG.standard_normal(6), [0.0, 1e-9]])


def as_quadratic(network):
    d = network.d
    A, i = np.zeros((d, 2 * d, 2 * d)), np.arange(d)
    A[i, i, d + i] = A[i, d + i, i] = 1.0
    return lm.Quadratic(A, network.theta0)


@pytest.mark.parametrize("log_b", [2.0, -5.0, -300.0])
@pytest.mark.parametrize("A", [0.0, 0.3])
def test_pairs_are_the_hyperbolic_entropy(log_b, A):
    network = lm.Hadamard.from_scale(log_b=log_b, d=X.size)
    mine, known = as_quadratic(network).mirror(), network.mirror()
    z = mine.dual(X, A)
    np.testing.assert_allclose(z, known.dual(X, A) - known.initial_dual, rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(mine.metric(z, A), known.metric(known.dual(X, A), A), rtol=1e-11)
    np.testing.assert_allclose(mine.potential(X, A), known.potential(X, A), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(mine.primal_rate(z, A), known.primal_rate(known.dual(X, A), A), rtol=1e-11, atol=1e-14)


def test_tilted_pairs_are_the_tilted_entropy():
    network = lm.Hadamard.from_scale(log_b=-1.0, x0=X)
    mine, known = as_quadratic(network).mirror(), network.mirror()
    np.testing.assert_allclose(mine.dual(X[::-1], 0.2), known.dual(X[::-1], 0.2) - known.initial_dual, rtol=1e-12)


@pytest.mark.parametrize("log_b", [0.0, -8.0, -200.0])
@pytest.mark.parametrize("decay", [0.0, 0.4])
def test_limits_are_those_of_m_times_w(log_b, decay):
    problem, network = gaussian(4, 10, seed=1), lm.Hadamard.from_scale(log_b=log_b, d=10)
    mine, known = lm.limit(problem, as_quadratic(network), decay), lm.limit(problem, network, decay)
    assert mine.status is known.status is lm.Status.converged
    assert np.abs(mine.x - known.x).sum() <= mine.error + known.error + 1e-13


@pytest.mark.parametrize("method", ["dual", "parameters"])
def test_flows_are_those_of_m_times_w(method):
    problem, network, penalty = (
        gaussian(4, 10, seed=1),
        lm.Hadamard.at(0.1, d=10),
        lm.schedules.Geometric(0.1, ratio=0.5),
    )
    mine = lm.flow(problem, as_quadratic(network), penalty, until=1.0, method=method, accuracy=1e-10)
    known = lm.flow(problem, network, penalty, until=1.0, accuracy=1e-10)
    np.testing.assert_allclose(mine.x[-1], known.x[-1], atol=1e-8)


def test_rates_of_several_sizes_and_decays():
    rates, log_c = np.array([[0.5, 2.0, -1.0], [1.0, 0.0, 0.0]]), np.array([[0.0, -3.0, 1.0], [0.0, 5.0, -np.inf]])
    mirror = mirrors.Quadratic(rates, log_c, np.array([[1.0, -0.5, 2.0], [1.0, 1.0, 0.0]]))
    z, A = np.array([0.7, -0.2]), 0.3
    first = np.exp(log_c[0] + 2 * rates[0] * z[0] - 2 * A * np.array([1.0, -0.5, 2.0]))
    x = np.array([0.5 * rates[0] @ first, 0.5 * np.exp(-0.4 - 0.6)])
    np.testing.assert_allclose(mirror.primal(z, A), x, rtol=1e-14)
    np.testing.assert_allclose(mirror.dual(x, A), z, rtol=1e-13)
    np.testing.assert_allclose(mirror.dual(-x, A)[0] + 0.0, mirror.dual(np.array([-x[0], 1.0]), A)[0])
    assert np.isnan(mirror.dual(-x, A)[1])  # it has one sign
    assert np.isnan(mirror.dual(0 * x, A)[1])
    np.testing.assert_array_equal(mirror.metric_slope(z, A, 1.0), [4.0, 2.0])


@pytest.mark.parametrize("size", [1e-200, 1e-12, 1.0, 1e12, 1e120])
def test_duals_are_enclosed_at_any_size(size):
    mirror = mirrors.Quadratic(
        np.array([[0.01, 3.0, -0.02, -5.0]]), np.array([[-400.0, 0.0, 10.0, -3.0]]), np.zeros((1, 4))
    )
    for x in (size, -size):
        z = mirror.dual(np.array([x]), 0.0)
        # The terms cancel where x is small: what is right is z.
        np.testing.assert_allclose(mirror.primal(z, 0.0), x, rtol=1e-12 * max(1.0, 1e3 / size))


def test_squares_have_an_entropy():
    problem = lm.Problem([[1.0, 2.0]], [2.0])
    network = lm.Quadratic(2 * np.eye(2)[:, :, None] * np.eye(2)[:, None, :], [0.1, 0.1])
    end = lm.limit(problem, network)
    z = np.log(end.x / 0.01) / 4
    assert z[1] == pytest.approx(2 * z[0], rel=1e-10)
    assert end.status is lm.Status.converged


def test_what_shares_an_eigenspace_is_solved_in_eigenvalues():
    A = np.array([np.diag([1.0, 1.0, -1.0]), np.diag([0.0, 2.0, 1.0])])
    network = lm.Quadratic(A, [1.0, 0.5, 2.0])
    with pytest.raises(lm.NoMirror, match=r"x_0 and x_1 share an eigenspace.*in_eigenvalues"):
        network.mirror()
    problem = lm.Problem([[1.0, 0.5]], [1.0])
    q = lm.limit(*network.in_eigenvalues(problem))
    x = network.eigenvalues.rates @ q.x
    path = lm.flow(problem, network, method="parameters", until=60.0, accuracy=1e-10)
    np.testing.assert_allclose(path.x[-1], x, atol=1e-7)


def test_equal_eigenvalues_are_put_together():
    network = lm.Quadratic.sensing([np.diag([1.0, 2.0])], [[1.0, 2.0], [0.0, 3.0]])
    rates, decays, sizes = network.eigenvalues
    order = np.argsort(rates[0])
    np.testing.assert_allclose(rates[0][order], [2.0, 4.0])
    np.testing.assert_allclose(sizes[order], [5.0, 9.0])
    np.testing.assert_allclose(decays, 2.0)
    U = np.array([[1.0, 2.0], [0.0, 3.0]])
    assert network.effective(network.theta0)[0] == pytest.approx(np.trace(np.diag([1.0, 2.0]) @ U @ U.T))


def test_no_mirror_where_matrices_do_not_commute():
    A = np.array([[[1.0, 0.0], [0.0, -1.0]], [[0.0, 1.0], [1.0, 0.0]]])
    network = lm.Quadratic(A, [1.0, 1.0])
    assert np.abs(lie_bracket(network, 0, 1, network.theta0)).max() > 1
    with pytest.raises(lm.NoMirror, match="do not commute: the Lie bracket of the gradients of x_0 and x_1 has norm"):
        network.mirror()
    with pytest.raises(lm.NoMirror, match="the penalty and x_0"):
        lm.Quadratic(A[1:], [1.0, 0.0], np.diag([1.0, 2.0])).mirror()


def test_no_mirror_where_a_weight_cannot_move():
    with pytest.raises(lm.NoMirror, match="x_1 stays 0"):
        lm.Quadratic(np.array([np.diag([1.0, 0.0]), np.diag([0.0, 1.0])]), [1.0, 0.0]).mirror()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1.0]], [1.0]), "shape"),
        ((np.ones((1, 2, 3)), [1.0, 1.0]), "shape"),
        (([[[0.0, 1.0], [0.0, 0.0]]], [1.0, 1.0]), "A must be symmetric"),
        (([np.eye(2)], [1.0, 1.0], [[0.0, 1.0], [0.0, 0.0]]), "B must be symmetric"),
        (([np.eye(2)], [1.0, 1.0], np.eye(3)), "B must have shape"),
    ],
)
def test_bad_matrices_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        lm.Quadratic(*arguments)


def test_sensing_needs_a_square_for_every_row():
    with pytest.raises(ValueError, match="measurements must have shape"):
        lm.Quadratic.sensing(np.ones((2, 3, 3)), np.ones((2, 1)))
