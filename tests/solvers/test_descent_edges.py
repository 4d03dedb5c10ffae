"""Descent that diverges, what is kept of a run, the compiled twin, unusual arrays and bad input."""

import numpy as np
import pytest

from linreg_mirror import schedules
from linreg_mirror.parametrizations import DeepLinear, Direct, Hadamard, Power, SharedHadamard
from linreg_mirror.problems import Problem
from linreg_mirror.problems.losses import Huber
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.solvers.discrete import descent, largest_stable_step
from linreg_mirror.solvers.limit import limit
from tests.helpers.zoo import gaussian

METHODS = ["compiled", "numpy"]
NETWORKS = {
    "b = 1/2": Hadamard.at(0.0, 1.0, d=12),
    "small b": Hadamard.from_scale(1e-4, d=12),
    "direct": Direct.at(0.0, d=12),
    "depth 3": Power.from_scale(0.3, depth=3, d=12),
}


def rng(seed=0):
    return np.random.default_rng(seed)


def scaled(problem, X=1.0, y=1.0):
    return Problem(X * problem.X, X * y * problem.y)


# Divergence


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("name", NETWORKS)
def test_divergence_is_a_result(name, batch_size, momentum, method):
    problem, network = gaussian(5, 12, 0), NETWORKS[name]
    stable = largest_stable_step(problem, network, momentum, batch_size)
    run = descent(
        problem, network, 1000 * stable, momentum=momentum, batch_size=batch_size, rng=rng(), method=method, steps=900
    )
    assert run.status is Status.diverged
    assert run.step.tolist() == [0]  # after 64 steps it is out of bounds
    assert run.x.shape == (1, 12)
    assert run.bias is None
    assert not run.certificate.valid


@pytest.mark.parametrize("method", METHODS)
def test_divergence_keeps_the_last_point_in_bounds(method):
    problem, network = gaussian(5, 12, 0), NETWORKS["b = 1/2"]
    arguments = {"keep": range(1000), "method": method}
    run = descent(problem, network, lambda k: 0.01 if k < 200 else 1e3, steps=1000, **arguments)
    assert run.status is Status.diverged
    assert run.step.tolist() == list(range(193))  # looked at after 64, 128, 192, ... steps
    np.testing.assert_array_equal(run.x, descent(problem, network, 0.01, steps=192, tolerance=0, **arguments).x)
    late = descent(problem, network, lambda k: 0.01 if k < 200 else 1e3, steps=199, tolerance=0, **arguments)
    assert late.status is Status.until_reached


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("name", NETWORKS)
def test_steps_below_the_largest_stable_one(name, momentum):
    network, ended = NETWORKS[name], []
    for seed, scales in enumerate([(1, 1), (1e-8, 1), (1e8, 1), (1, 1e-3), (1, 1e3), (1, 1)]):
        problem = scaled(gaussian(5, 12, seed), *scales)
        stable = largest_stable_step(problem, network, momentum)
        safe = 0.9 * stable * (1 - momentum) / (1 + momentum)  # on the way velocity piles up
        ended.append(descent(problem, network, safe, momentum=momentum, steps=1000).status)
        # Far above it no point is stable; a product of three may go round for long before it diverges.
        status = descent(problem, network, 4 * stable, momentum=momentum, steps=1000).status
        assert status is Status.diverged or (name == "depth 3" and status is Status.horizon_reached)
    assert Status.diverged not in ended


def test_largest_stable_step_by_hand():
    problem = gaussian(5, 12, 0)
    curvature = np.linalg.norm(problem.X, 2) ** 2
    assert largest_stable_step(problem, NETWORKS["direct"]) == pytest.approx(2 / curvature)
    assert largest_stable_step(problem, NETWORKS["direct"], 0.9) == pytest.approx(3.8 / curvature)
    assert largest_stable_step(problem, NETWORKS["direct"], 0.9, 2) == pytest.approx(0.2 / curvature * 2 / 5)
    # m^2 + w^2 = 2 sqrt(x^2 + b^2), at the start with x = 0, at the end with the limit's.
    end = limit(problem, NETWORKS["b = 1/2"]).x
    steepest = [np.linalg.norm(problem.X * np.sqrt(2 * np.hypot(x, 0.5)), 2) ** 2 for x in (0 * end, end)]
    assert largest_stable_step(problem, NETWORKS["b = 1/2"]) == pytest.approx(2 / max(steepest))
    huge = Hadamard.at(100.0, 1.0, d=12)  # the start is the steeper one
    assert largest_stable_step(problem, huge) == pytest.approx(2 / (2 * np.hypot(100, 0.5) * curvature))
    assert largest_stable_step(Problem(np.zeros((2, 12)), [1.0, 2.0]), huge) == np.inf
    shared = SharedHadamard([1.0], np.zeros(12), np.zeros(12, dtype=int))  # no mirror: J = (w, m) = (0, 1)
    assert largest_stable_step(problem, shared) == pytest.approx(2 / curvature)
    assert largest_stable_step(Problem(problem.X, problem.y, Huber(0.1)), NETWORKS["direct"]) == pytest.approx(
        2 / curvature
    )


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_the_edge_of_stability_of_plain_weights(momentum):
    problem, network = gaussian(5, 12, 0), NETWORKS["direct"]
    stable = largest_stable_step(problem, network, momentum)
    assert descent(problem, network, 0.99 * stable, momentum=momentum).status is Status.converged
    assert descent(problem, network, 1.01 * stable, momentum=momentum).status is Status.diverged


def test_a_penalty_asks_for_shorter_steps():
    problem, network = scaled(gaussian(5, 12, 0), 1e-3), Hadamard.at(0.5, 1.0, d=12)
    assert descent(problem, network, 3.0, 1.0).status is Status.diverged
    assert largest_stable_step(problem, network, penalty=1.0) < 3.0 < largest_stable_step(problem, network)


@pytest.mark.parametrize("penalty", [0.0, 0.7, 40.0])
def test_the_largest_stable_step_with_a_penalty_by_hand(penalty):
    problem, network = Problem([[1.0, 2.0], [0.0, 0.0]], [2.0, 0.0]), Direct.at(0.0, d=2)  # X'X has 5, |x|^2 has 2
    curvature = 5 + 2 * penalty
    assert largest_stable_step(problem, network, penalty=penalty) == pytest.approx(2 / curvature)
    assert largest_stable_step(problem, network, 0.5, penalty=penalty) == pytest.approx(3 / curvature)
    noisy = largest_stable_step(problem, network, 0.5, 1, penalty=penalty)  # of two samples, one with all the curvature
    assert noisy == pytest.approx(1 / (10 + 2 * penalty))
    flat = Problem(np.zeros((1, 2)), [1.0])
    assert largest_stable_step(flat, network, penalty=penalty) == (1 / penalty if penalty else np.inf)


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_the_edge_of_stability_of_plain_weights_with_a_penalty(momentum):
    problem, network, penalty = gaussian(5, 12, 0), NETWORKS["direct"], 30.0
    stable = largest_stable_step(problem, network, momentum, penalty=penalty)
    below, above = (descent(problem, network, f * stable, penalty, momentum=momentum).status for f in (0.99, 1.01))
    assert (below, above) == (Status.converged, Status.diverged)


def test_divergence_solves_no_limit(monkeypatch):
    monkeypatch.setattr("linreg_mirror.solvers.limit._limit.follow", None)
    assert descent(gaussian(5, 12, 0), Hadamard.at(0.5, 1.0, d=12), 1e3).status is Status.diverged


# What is kept


def test_default_history():
    problem, network = gaussian(5, 12, 0), NETWORKS["b = 1/2"]
    for steps in (1, 2, 100, 255, 20_000):
        run = descent(problem, network, 0.01, 0.1, steps=steps, tolerance=0)
        assert run.step[0] == 0
        assert run.step[-1] == steps
        assert (np.diff(run.step) > 0).all()
        assert min(steps + 1, 128) <= len(run.step) <= 257
        np.testing.assert_allclose(run.t, 0.01 * run.step, rtol=1e-11)
        np.testing.assert_allclose(run.decay, 0.001 * run.step, rtol=1e-11)
        m, w = run.parameters[:, :12], run.parameters[:, 12:]
        np.testing.assert_array_equal(run.x, m * w)
        assert {len(a) for a in (run.t, run.x, run.decay, run.dual, run.parameters)} == {len(run.step)}
        if steps == 100:
            assert run.step.tolist() == list(range(101))


@pytest.mark.parametrize("method", METHODS)
def test_keep(method):
    problem, network = gaussian(5, 12, 0), NETWORKS["b = 1/2"]
    every = descent(problem, network, 0.01, steps=300, tolerance=0, keep=range(301), method=method)
    for keep, expected in [
        ((), [0, 300]),
        ((7, 3, 3, 64, 65, 999), [0, 3, 7, 64, 65, 300]),
        (np.array([128, 129]), [0, 128, 129, 300]),
    ]:
        run = descent(problem, network, 0.01, steps=300, tolerance=0, keep=keep, method=method)
        assert run.step.tolist() == expected
        for name in ("t", "x", "dual", "parameters"):
            np.testing.assert_array_equal(getattr(run, name), getattr(every, name)[expected])


# Two ways to take the same steps


@pytest.mark.parametrize("log_b", [-0.7, -60.0])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("schedule", [None, schedules.Geometric(0.1, 0.9)], ids=["none", "geometric"])
@pytest.mark.parametrize("share", [0.2, 0.9])
def test_compiled_and_numpy_agree(share, schedule, batch_size, momentum, log_b):
    problem = gaussian(4, 9, 0)
    network = Hadamard.from_scale(log_b=log_b, d=9)
    eta = share * largest_stable_step(problem, network, momentum, batch_size) * (0.1 if momentum else 1.0)
    compiled, plain = (
        descent(problem, network, eta, schedule, momentum=momentum, batch_size=batch_size, rng=rng(), steps=400,
                keep=range(401), method=method)
        for method in METHODS
    )  # fmt: skip
    assert (compiled.stats.method, plain.stats.method) == ("descent: compiled", "descent: numpy")
    assert compiled.status is plain.status
    assert compiled.step.tolist() == plain.step.tolist()
    np.testing.assert_array_equal(compiled.t, plain.t)
    np.testing.assert_array_equal(compiled.decay, plain.decay)
    size = np.abs(plain.x).max()
    np.testing.assert_allclose(compiled.x, plain.x, atol=1e-12 * size, rtol=0)
    np.testing.assert_allclose(compiled.dual, plain.dual, atol=1e-12, rtol=1e-12)
    np.testing.assert_allclose(compiled.implicit.log_scale, plain.implicit.log_scale, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(compiled.implicit.tilt, plain.implicit.tilt, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_they_agree_across_changes_of_sign(momentum):
    problem, network = gaussian(4, 9, 0), Hadamard.at(0.3, 1.0, d=9)
    stable = largest_stable_step(problem, network)
    compiled, plain = (
        descent(problem, network, lambda k: (0.3 if k else 4.0) * stable, momentum=momentum, method=method)
        for method in METHODS
    )
    m, w = np.split(plain.parameters[-1], 2)
    assert (np.minimum(m + w, m - w) < 0).any()  # they were positive
    assert compiled.status is plain.status is Status.converged
    assert compiled.stats.steps == plain.stats.steps
    np.testing.assert_allclose(compiled.x, plain.x, atol=1e-12)
    np.testing.assert_allclose(compiled.implicit.log_scale, plain.implicit.log_scale, atol=1e-12)
    np.testing.assert_allclose(compiled.implicit.tilt, plain.implicit.tilt, atol=1e-12)


# Unusual arrays


@pytest.mark.parametrize("method", METHODS)
def test_layout_and_kind_of_the_arrays_do_not_matter(method):
    X, y = np.array([[1, 2, 0, -1, 1], [0, 1, 1, 2, 0], [1, 0, 0, 0, 3]]), np.array([2, -1, 1])
    network, arguments = Hadamard.at(0.0, 1.0, d=5), {"steps": 200, "tolerance": 0, "method": method}
    expected = descent(Problem(X.astype(float), y.astype(float)), network, 0.01, **arguments).x[-1]
    wide = np.repeat(np.repeat(X, 2, axis=0), 2, axis=1).astype(float)
    for array in (X, X.astype(np.float32), np.asfortranarray(X, dtype=float), wide[::2, ::2], X[::-1, ::-1]):
        flip = array.strides[0] < 0
        problem = Problem(array, y[::-1] if flip else y.astype(array.dtype))
        run = descent(problem, network, np.float32(0.01), **arguments)
        np.testing.assert_allclose(run.x[-1][::-1] if flip else run.x[-1], expected, rtol=1e-6, atol=1e-9)
    run = descent(Problem(np.asfortranarray(X), y), network, 0.01, batch_size=2, rng=rng(), **arguments)
    again = descent(Problem(X, y), network, 0.01, batch_size=2, rng=rng(), **arguments)
    np.testing.assert_allclose(run.x[-1], again.x[-1], rtol=1e-13)


# Bad input


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"network": Hadamard.at(0.0, d=4)}, ValueError, r"network has 4 effective weights, the problem 3 features"),
        ({"network": Hadamard.from_scale(log_b=-1e5, d=3)}, ValueError,
         r"parameters at log b = -1e\+05 are zero in float64, and no step moves them: write flow\(.*saddles"),
        ({"network": DeepLinear([np.zeros((2, 3)), np.zeros((1, 2))])}, ValueError, r"start is a saddle point"),
        ({"step_size": 0}, ValueError, r"step_size must be a positive number, got 0: write step_size=0.01"),
        ({"step_size": -0.1}, ValueError, r"step_size must be a positive number, got -0.1"),
        ({"step_size": np.nan}, ValueError, r"step_size must be a positive number, got nan"),
        ({"step_size": np.inf}, ValueError, r"step_size must be a positive number, got inf"),
        ({"step_size": True}, (TypeError, ValueError), r"step_size must be a .*number.*, got (True|bool)"),
        ({"step_size": "0.1"}, TypeError, r"step_size must be a number, a schedule or a function.*, got str"),
        ({"step_size": [0.1]}, TypeError, r"step_size must be a number, a schedule or a function.*, got list"),
        ({"step_size": None}, TypeError, r"step_size must be .*, got NoneType"),
        ({"step_size": schedules.Constant}, TypeError, r"step_size must be"),
        ({"step_size": lambda k: "long"}, (TypeError, ValueError), r"step_size .*step 0"),
        ({"step_size": lambda k: np.nan if k == 70 else 0.01}, ValueError, r"step_size must be .*got nan at step 70"),
        ({"step_size": lambda k: -1.0 if k == 3 else 0.01}, ValueError, r"step_size must be .*got -1.0 at step 3"),
        ({"step_size": lambda k: np.inf}, ValueError, r"step_size must be .*got inf at step 0"),
        ({"step_size": schedules.Constant(0.1)}, ValueError, r'clock "time", "step" is needed here: write .*per step'),
        ({"step_size": schedules.Constant(0.1, clock="epoch")}, ValueError, r'clock "epoch", "step" is needed here'),
        ({"schedule": -0.1}, ValueError, r">= 0, got -0.1"),
        ({"schedule": np.nan}, ValueError, r">= 0, got nan"),
        ({"schedule": lambda k: 0.1}, TypeError, r"a schedule, a number or None is expected, got function: write"),
        ({"steps": 0}, ValueError, r"steps must be a whole number >= 1, got 0: write steps=100_000"),
        ({"steps": 2.5}, ValueError, r"steps must be a whole number >= 1, got 2.5"),
        ({"steps": True}, ValueError, r"steps must be .*, got True"),
        ({"until": 0.0}, ValueError, r"until must be a positive number, got 0.0: leave it out"),
        ({"until": -1.0}, ValueError, r"until must be a positive number, got -1.0"),
        ({"until": np.inf}, ValueError, r"until must be a positive number, got inf"),
        ({"until": np.nan}, ValueError, r"until must be a positive number, got nan"),
        ({"momentum": 1.0}, ValueError, r"momentum must be in \[0, 1\), got 1.0: write momentum=0.9"),
        ({"momentum": -0.1}, ValueError, r"momentum must be in \[0, 1\), got -0.1"),
        ({"momentum": np.nan}, ValueError, r"momentum must be in \[0, 1\), got nan"),
        ({"momentum": "0.9"}, (TypeError, ValueError), r"momentum must be .*, got"),
        ({"tolerance": -1.0}, ValueError, r"tolerance must be a number >= 0, got -1.0: write tolerance=1e-9"),
        ({"tolerance": np.nan}, ValueError, r"tolerance must be a number >= 0, got nan"),
        ({"method": "fast"}, ValueError, r"method must be \"compiled\" or \"numpy\", got 'fast'"),
        ({"keep": [1.5]}, (TypeError, ValueError), r"keep must .*got"),
    ],
)  # fmt: skip
def test_bad_input(arguments, error, message):
    arguments = {"network": Hadamard.at(0.0, d=3), "step_size": 0.01, **arguments}
    with pytest.raises(error, match=message):
        descent(gaussian(2, 3, 0), **arguments)


def test_a_balanced_start_may_have_zeros():
    problem, x0 = gaussian(3, 5, 0), np.array([0.0, 1.0, -1.0, 0.5, 2.0])
    run = descent(problem, Hadamard.balanced(x0), 0.01, steps=100, tolerance=0)
    assert (run.x[:, 0] == 0).all()
    assert (run.x[:, 1:] * x0[1:] > 0).all()
    assert run.bias is None


def test_short_steps_follow_the_flow():
    problem, network = gaussian(4, 9, 0), Hadamard.at(0.2, 1.0, d=9)
    exact = flow(problem, network, 0.1, until=1.0).x[-1]
    errors = [np.abs(descent(problem, network, eta, 0.1, until=1.0).x[-1] - exact).max() for eta in (2e-3, 1e-3)]
    assert 1.9 < errors[0] / errors[1] < 2.1
    assert errors[1] < 1e-2
