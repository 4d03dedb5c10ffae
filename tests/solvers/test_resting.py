"""Where an exact flow is, from where it was at most a while before: beside SciPy's."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from linreg_mirror.mirrors import HAM
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.solvers.continuous.resting import error_at_rest
from tests.helpers.zoo import gaussian


def flow_of(X, y, mirror, s, T):
    """s' = Xx - y from s on."""
    answer = solve_ivp(
        lambda _, s: X @ mirror.primal(mirror.initial_dual - X.T @ s, 0.0) - y,
        (0, T),
        s,
        "LSODA",
        rtol=1e-12,
        atol=1e-13,
    )
    return answer.y[:, -1]


@pytest.mark.parametrize("side", [-1, 1])
def test_one_weight_goes_as_slowly_as_is_said(side):
    """From below, where the metric is smaller than at the end, and from above."""
    X, y, mirror = np.ones((1, 1)), np.array([2.0]), Hadamard.from_scale(0.5, d=1).mirror()
    rest = -mirror.dual(y, 0.0)
    start, T = rest + 0.4 * side, 1.5
    exact = abs(flow_of(X, y, mirror, start, T) - rest)[0]
    t, states = np.array([0.0, T]), np.stack([start, rest])
    bound = error_at_rest(X, y, mirror, 0.0, t, states, np.array([0.0, np.inf]))
    assert exact <= bound
    # The metric falls by half on the way up, for which the bound has to allow on both sides.
    mu = float(mirror.metric(mirror.dual(y, 0.0), 0.0)[0])
    assert (0.4 * np.exp(-mu * T) < exact) == (side > 0)
    # The same from a path that says it may be this far away.
    states[0] = rest
    assert error_at_rest(X, y, mirror, 0.0, t, states, np.array([0.4, np.inf])) == pytest.approx(bound, rel=0.05)


@pytest.mark.parametrize("seed", range(8))
def test_several_samples(seed):
    rng = np.random.default_rng(seed)
    problem, mirror = gaussian(3, 7, seed), Hadamard.from_scale(0.3, d=7).mirror()
    X, y = problem.X, problem.y
    rest = flow_of(X, y, mirror, np.zeros(3), 1e4)
    slowest = np.linalg.eigh((X * mirror.metric(mirror.initial_dual - X.T @ rest, 0.0)) @ X.T)
    start = rest + 1e-3 * (slowest[1][:, 0] + 0.1 * rng.standard_normal(3))
    T = 8 / slowest[0][0]
    exact = flow_of(X, y, mirror, start, T)
    bound = error_at_rest(X, y, mirror, 0.0, np.array([0.0, T]), np.stack([start, rest]), np.array([0.0, np.inf]))
    assert np.linalg.norm(exact - rest) <= bound <= 3 * np.linalg.norm(exact - rest)


def test_the_last_state_may_be_the_one_that_is_off():
    problem, mirror = gaussian(3, 7, 1), Hadamard.from_scale(0.3, d=7).mirror()
    rest = flow_of(problem.X, problem.y, mirror, np.zeros(3), 1e4)
    off = np.array([1e-3, 0.0, -1e-3])
    t, states = np.array([0.0, 1e4]), np.stack([rest, rest + off])
    bound = error_at_rest(problem.X, problem.y, mirror, 0.0, t, states, np.array([1e-3, np.inf]))
    assert np.linalg.norm(off) <= bound <= 3 * np.linalg.norm(off)


def test_nothing_is_known_far_from_rest_or_of_other_potentials():
    problem = gaussian(3, 7, 0)
    t, states, errors = np.array([0.0, 1.0]), np.zeros((2, 3)), np.zeros(2)
    for mirror in (Hadamard.from_scale(1e-3, d=7).mirror(), HAM(np.zeros(7), 1.0)):
        assert error_at_rest(problem.X, problem.y, mirror, 0.0, t, states, errors) == np.inf
