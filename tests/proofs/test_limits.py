"""Proofs of mirror limits, against Newton's method in mpmath with as many digits as it takes."""

from fractions import Fraction

import numpy as np
import pytest

import linreg_mirror as lm
from tests.helpers.zoo import BY_NAME, gaussian

flint = pytest.importorskip("flint")
mp = pytest.importorskip("mpmath")


def newton(problem, s, log_b, z0, digits=50):
    """Return x = b sinh(2 (z0 - X's)) with Xx = y, by Newton's method from a dual vector near the solution's."""
    with mp.workdps(digits + 30):
        X, y = mp.matrix(problem.X.tolist()), mp.matrix(problem.y.tolist())
        b, start = [mp.exp(mp.mpf(float(value))) for value in log_b], [mp.mpf(float(value)) for value in z0]
        s = mp.matrix([float(value) for value in s])
        for _ in range(60):
            slope = X.T * s
            e = [2 * (start[j] - slope[j]) for j in range(problem.d)]
            x = mp.matrix([b[j] * mp.sinh(e[j]) for j in range(problem.d)])
            left = y - X * x
            D = mp.diag([2 * b[j] * mp.cosh(e[j]) for j in range(problem.d)])
            step = mp.lu_solve(X * D * X.T, left)
            s = s - step
            if mp.norm(step) < mp.mpf(10) ** -digits * (1 + mp.norm(s)):
                return [Fraction(mp.nstr(value, digits)) for value in x]
    raise AssertionError("the reference did not converge")


def check(problem, network, decay=0.0, digits=15):
    solution = lm.limit(problem, network, decay)
    proof = lm.prove(problem, solution, network, decay, digits=digits)
    assert proof.kind == "limit"
    mirror = network.mirror()
    log_b = np.broadcast_to(mirror.log_scale_at(decay), problem.d)
    x = newton(problem, solution.dual, log_b, np.broadcast_to(mirror.initial_dual, problem.d), digits + 35)
    largest = max(map(abs, x))
    for exact, value, error, scale in zip(x, proof.content["x"], proof.content["error"], log_b, strict=True):
        assert abs(Fraction(value) - exact) <= Fraction(error)
        allowed = max(abs(exact), min(largest, Fraction(float(np.exp(scale))) if scale < 700 else largest))
        assert Fraction(error) <= Fraction(102, 100) * allowed / 10**digits
    return proof


@pytest.mark.parametrize("log_b", [10.0, 0.0, -5.0, -100.0, -1e4])
def test_scales(log_b):
    problem = gaussian(5, 15, 0)
    check(problem, lm.Hadamard.from_scale(log_b=log_b, d=15))


@pytest.mark.parametrize("digits", [3, 40])
def test_digits(digits):
    problem = gaussian(4, 10, 1)
    check(problem, lm.Hadamard.from_scale(log_b=-20.0, d=10), digits=digits)


def test_a_start_that_is_not_zero_and_scales_that_differ():
    problem = gaussian(4, 10, 2)
    rng = np.random.default_rng(0)
    network = lm.Hadamard.at(x0=rng.standard_normal(10), beta=rng.uniform(0.1, 2.0, 10))
    check(problem, network)
    check(problem, network, decay=0.5)


def test_fewer_weights_than_samples():
    problem = gaussian(8, 24, 3, nonzeros=2)
    check(problem, lm.Hadamard.from_scale(log_b=-10.0, d=24))


@pytest.mark.parametrize("log_b", [-200.0, -1e4])
def test_weights_that_float64_does_not_see_are_followed_down(log_b):
    """Too far for the reference's start: what is proved is compared with the exact vertex that the scales lead to."""
    problem = gaussian(8, 24, 3, nonzeros=2)
    network = lm.Hadamard.from_scale(log_b=log_b, d=24)
    proof = lm.prove(problem, lm.limit(problem, network), network)
    vertex = lm.prove(problem, lm.minimum_l1(problem))
    exact = dict(zip(vertex.content["basis"], map(float, vertex.content["x"]), strict=True))
    x = np.array(proof.content["x"], float)
    large = [j for j, value in exact.items() if abs(value) > 1e-9]
    np.testing.assert_allclose(x[large], [exact[j] for j in large], atol=1e-14)
    if log_b < -1000:
        small = [j for j, value in exact.items() if abs(value) < 1e-9]
        assert len(small) == 6
        np.testing.assert_allclose(x[small], [exact[j] for j in small], rtol=1e-9)


def test_targets_that_are_met_exactly_leave_exponentially_small_weights():
    problem = lm.Problem([[1, 2, 0], [0, 1, 3]], [2, 1])  # x = e_2
    network = lm.Hadamard.from_scale(log_b=-300.0, d=3)
    proof = lm.prove(problem, lm.limit(problem, network), network)
    x = np.array(proof.content["x"], float)
    assert x[1] == 1
    assert (np.abs(x[[0, 2]]) > 0).all()
    assert (np.abs(x[[0, 2]]) < 1e-30).all()


@pytest.mark.parametrize("name", ["rank-deficient", "tall", "one sample, zero column", "zero targets", "zero row"])
def test_degenerate_data(name):
    case = BY_NAME[name]
    network = lm.Hadamard.from_scale(log_b=-2.0, d=case.problem.d)
    solution = lm.limit(case.problem, network)
    proof = lm.prove(case.problem, solution, network)
    np.testing.assert_allclose(np.array(proof.content["x"], float), solution.x, atol=1e-14)


def test_no_solution_no_limit():
    problem = BY_NAME["inconsistent"].problem
    network = lm.Hadamard.from_scale(log_b=-2.0, d=2)
    assert lm.prove(problem, lm.limit(problem, network), network).kind == "inconsistent"


def test_network_may_be_left_out_where_the_start_is_zero():
    problem = gaussian(4, 10, 4)
    network = lm.Hadamard.from_scale(log_b=-3.0, d=10)
    solution = lm.limit(problem, network, 0.25)
    assert lm.prove(problem, solution).content == lm.prove(problem, solution, network, 0.25).content


def test_another_network_or_mirror_is_refused():
    problem = gaussian(4, 10, 5)
    network = lm.Hadamard.at(x0=np.ones(10), beta=1.0)
    solution = lm.limit(problem, network)
    for others in ((), (lm.Hadamard.from_scale(log_b=0.0, d=10),), (network, 1.0)):
        with pytest.raises(ValueError, match="not the limit of this network and decay"):
            lm.prove(problem, solution, *others)
    euclidean = lm.Direct.at(0.0, d=10)
    with pytest.raises(TypeError, match="Hadamard"):
        lm.prove(problem, lm.limit(problem, euclidean), euclidean)
    with pytest.raises(ValueError, match="give the Solution"):
        lm.prove(problem, solution.x, network)
