"""What flows prove of their end: its distance to the limit, and its error as a point of the path."""

import numpy as np
import pytest

from benchmarks.exact_paths import exact_path
from linreg_mirror import schedules
from linreg_mirror.parametrizations import DeepLinear, Direct, Hadamard, Power, SharedHadamard
from linreg_mirror.problems import Problem
from linreg_mirror.problems.losses import Huber, LogCosh
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.continuous import flow, flows
from linreg_mirror.solvers.continuous.path_error import error_of_point
from linreg_mirror.solvers.limit import limit
from tests.helpers.zoo import gaussian

PENALTIES = [None, schedules.Geometric(0.3, ratio=0.5), schedules.SwitchedOff(0.3, at=1.0)]


def l1(x):
    return float(np.abs(x).sum())


def conditioned(condition, seed, n=8, d=20):
    """Rows of a condition number, and targets of a dense vector."""
    rng = np.random.default_rng(seed)
    left, right = np.linalg.qr(rng.standard_normal((n, n)))[0], np.linalg.qr(rng.standard_normal((d, n)))[0]
    X = left @ np.diag(np.geomspace(1, 1 / condition, n)) @ right.T
    return Problem(X, X @ rng.standard_normal(d))


def some(seed):
    """A problem, a network and a penalty."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(1, 8)), int(rng.integers(8, 20))
    X = rng.standard_normal((n, d)) * 10 ** rng.uniform(-1, 1)
    x0 = 0.3 * rng.standard_normal(d) * (seed % 2)
    network = Hadamard.from_scale(10 ** rng.uniform(-6, 1), x0=x0, d=d)
    return Problem(X, X @ rng.standard_normal(d)), network, PENALTIES[seed % 3]


def end(problem, network, penalty=None):
    found = limit(problem, network, 0.0 if penalty is None else penalty.integral(0.0, np.inf), tolerance=1e-12)
    assert found.status is Status.converged
    return found


@pytest.mark.parametrize("seed", range(40))
def test_the_distance_to_the_limit_is_an_upper_bound(seed):
    problem, network, penalty = some(seed)
    found = end(problem, network, penalty)
    run = flow(problem, network, penalty)
    assert run.status is Status.converged
    true = l1(run.x[-1] - found.x)
    assert true - found.error <= run.to_limit <= min(1.01 * true + 1e-13 * l1(found.x), 1e-8 * l1(run.x[-1]))
    assert run.limit_digits >= 8
    assert run.certificate["residual as an error of x"].value * l1(run.x[-1]) <= run.to_limit
    # Also of what stops on the way, far from the limit.
    stopped = flow(problem, network, penalty, until=0.3 * run.t[-1])
    assert l1(stopped.x[-1] - found.x) - found.error <= stopped.to_limit


@pytest.mark.parametrize("seed", range(40))
def test_the_error_of_the_path_is_an_upper_bound(seed):
    problem, network, penalty = some(seed)
    until = 10 ** np.random.default_rng(seed).uniform(-2, 1.5)
    run = flow(problem, network, penalty, until=until, accuracy=10.0 ** -(4 + seed % 4))
    finer = flow(problem, network, penalty, until=until, accuracy=1e-13)
    true = l1(run.x[-1] - finer.x[-1])
    assert true <= run.error + finer.error
    assert finer.error < 1e-5 * l1(finer.x[-1])
    assert run.digits == pytest.approx(max(0, -np.log10(run.error / l1(run.x[-1]))))


def test_the_error_of_the_path_beside_exact_ones():
    """The bar is used up where one sample has just begun to move, and is of the error's size elsewhere."""
    used = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        n, d, b = int(rng.integers(1, 6)), int(rng.integers(6, 16)), 10 ** rng.uniform(-8, 0)
        problem = gaussian(n, d, seed)
        until = 10 ** rng.uniform(-2, 1) / problem.gradient_scale * np.log1p(1 / b)
        run = flow(problem, Hadamard.from_scale(b, d=d), until=until, accuracy=10 ** rng.uniform(-10, -3))
        (x,) = exact_path(problem, b, np.array([until]))
        used.append(l1(run.x[-1] - x) / run.error)
    assert 0.8 < max(used) <= 1
    assert np.median(used) > 0.01


@pytest.mark.parametrize("accuracy", [1e-3, 1e-5])
def test_a_flow_that_comes_to_rest_forgets_errors_of_steps(accuracy):
    for seed in range(6):
        problem, b = gaussian(2 + seed % 3, 8, seed), 10.0 ** -(seed % 4)
        network = Hadamard.from_scale(b, d=8)
        fine = flow(problem, network, tolerance=1e-10)
        rested = fine.t[np.abs(fine.x - fine.x[-1]).sum(axis=1) < 1e-9][0]
        early, late = (flow(problem, network, until=r * rested, accuracy=accuracy) for r in (0.3, 1.0))
        assert late.error < 1e-1 * early.error
        (x,) = exact_path(problem, b, late.t[-1:])
        assert l1(late.x[-1] - x) <= late.error < 1e-6 * l1(x)
        # A penalty that goes on moves what there is to come to rest at.
        assert flow(problem, network, 1e-3, until=float(late.t[-1]), accuracy=accuracy).error > 1e-1 * early.error


@pytest.mark.parametrize("tolerance", [1e-4, 1e-6, 1e-8, 1e-10])
@pytest.mark.parametrize("method", ["dual", "parameters"])
def test_the_tolerance_is_one_of_x(tolerance, method):
    for seed in range(6):
        problem, network, penalty = some(seed)
        run = flow(problem, network, penalty, tolerance=tolerance, method=method)
        assert run.status is Status.converged, str(run.certificate)
        assert l1(run.x[-1] - end(problem, network, penalty).x) <= tolerance * l1(run.x[-1])


@pytest.mark.parametrize("b", [1e-2, 1e-6])
@pytest.mark.parametrize("condition", [1e3, 1e4, 1e5, 1e6])
def test_ill_conditioned_rows(condition, b):
    for seed in range(3):
        problem = conditioned(condition, seed)
        network = Hadamard.from_scale(b, d=problem.d)
        run = flow(problem, network)
        true = l1(run.x[-1] - end(problem, network).x)
        assert run.status is Status.converged, repr(run)
        assert true <= run.to_limit + 1e-12 * l1(run.x[-1])
        assert run.to_limit <= 1e-8 * l1(run.x[-1])


@pytest.mark.parametrize("integrators", [("Rodas5P",), ("LSODA", "BDF", "Radau")])
def test_what_rounding_keeps_from_the_limit_says_how_far_it_got(integrators):
    problem = conditioned(1e6, 0)
    network = Hadamard.from_scale(1e-2, d=problem.d)
    run = flow(problem, network, tolerance=1e-15, max_steps=20_000, integrators=integrators)
    assert run.status is Status.not_certified
    assert not run.certificate["distance to the limit"].passed
    assert 5 < run.limit_digits < 15
    assert l1(run.x[-1] - end(problem, network).x) <= run.to_limit + 1e-12 * l1(run.x[-1])


@pytest.mark.parametrize("method", ["dual", "parameters"])
def test_under_a_penalty_that_forbids_weights_they_come_and_go(method):
    problem = gaussian(4, 9, 2)
    run = flow(problem, Hadamard.from_scale(0.1, d=9), problem.gradient_scale, method=method)  # 0 is the LASSO's
    assert run.status is Status.unproved
    assert l1(run.x[-1]) < 1e-9 < 1e-3 < np.abs(run.x).sum(axis=1).max()


def test_errors_of_steps_stay_in_parameters():
    problem, network, _ = some(3)
    run = flow(problem, network, method="parameters", accuracy=1e-5)
    assert run.status is Status.not_certified
    true = l1(run.x[-1] - end(problem, network).x)
    assert 1e-8 * l1(run.x[-1]) < true <= run.to_limit <= 1.01 * true


def test_other_losses_and_potentials_end_at_their_limits():
    problem = gaussian(4, 9, 2)
    for loss in (LogCosh(), Huber(0.1)):
        other = Problem(problem.X, problem.y, loss)
        network = Hadamard.from_scale(0.1, d=9)
        run = flow(other, network)
        assert run.status is Status.converged
        assert l1(run.x[-1] - end(problem, network).x) <= 1e-8 * l1(run.x[-1])
        assert run.error == np.inf
        assert any("only Rodas5P" in note for note in run.stats.notes)
    for network in (Direct(np.full(9, 0.2)), Power.from_scale(0.5, depth=3, d=9)):
        run = flow(problem, network)
        assert run.status is Status.converged
        assert l1(run.x[-1] - end(problem, network).x) <= 1.001e-8 * l1(run.x[-1])


def test_where_no_limit_is_proved_stationarity_decides_and_notes_say_why():
    tall = Problem([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]], [1.0, 1.0, 2.0])
    wide, network = gaussian(3, 6, 0), Hadamard.at(0.0, d=6)
    for problem, start, penalty, why in (
        (wide, network, 0.05, "a LASSO"),
        (tall, Hadamard.at(0.0, d=2), None, "rows of X are dependent"),
    ):
        run = flow(problem, start, penalty)
        assert run.status is Status.unproved
        assert run.to_limit == np.inf
        assert run.limit_digits == 0
        assert any(why in note for note in run.stats.notes)
        assert run.certificate["relative stationarity"].tolerance == 1e-9
    for problem, start in (
        (Problem(np.eye(2, 3), np.ones(2)), SharedHadamard([1.0, 0.7], [0.3, -0.4, 0.5], [0, 0, 1])),
        (Problem(np.eye(4), np.ones(4)), DeepLinear([0.3 * np.eye(2), 0.4 * np.ones((2, 2))])),
    ):
        run = flow(problem, start, method="parameters", tolerance=1e-6)
        assert any("without a mirror" in note for note in run.stats.notes)
        assert run.certificate["relative stationarity"].tolerance == 1e-7
    run = flow(wide, network, schedules.Harmonic(0.1), until=1.0)
    assert any("infinite" in note for note in run.stats.notes)


def test_a_flow_to_zero_is_over_relative_to_its_start():
    run = flow(Problem([[2.0, 0.0], [0.0, 1.0]], [0.0, 0.0]), Hadamard.at([3.0, -1.0], 1.0))
    assert run.status is Status.converged
    assert l1(run.x[-1]) <= run.to_limit <= 1e-8 * 4.0


def test_a_start_on_a_plateau_is_not_taken_for_the_end():
    # Fits y to 1e-9 by the first column alone, and moves on to the second: the condition number is 1e6.
    problem = Problem([[1.0, 0.0], [1.0, 1e-6]], [1.0, 1.0 + 3e-6])
    network = Hadamard.from_scale(1e-2, d=2)
    run = flow(problem, network)
    assert run.status is Status.converged
    np.testing.assert_allclose(run.x[-1], [1.0, 3.0], rtol=1e-7)


def test_many_flows_prove_as_much_as_one():
    problem = gaussian(4, 9, 0)
    networks = [Hadamard.from_scale(b, d=9) for b in (1.0, 1e-3)]
    for run, network in zip(flows(problem, networks), networks, strict=True):
        alone = flow(problem, network)
        assert (run.to_limit, run.error) == (alone.to_limit, alone.error)


def test_it_is_shown():
    run = flow(Problem([[1.0, 2.0]], [2.0]), Hadamard.at(0.0, d=2))
    assert f"digits={run.digits:.1f}, limit_digits={run.limit_digits:.1f}" in repr(run)
    nowhere = flow(Problem([[1.0, 1.0]], [1.0]), Hadamard.at([0.5, 0.5], 1.0))
    assert nowhere.t.tolist() == [0.0]
    assert nowhere.digits > 15


def test_the_bar_of_tiny_weights_does_not_vanish():
    """The product of two of them is below all floats."""
    X, mirror, decay, error = gaussian(3, 6, 0).X, Hadamard.from_scale(1e-2, d=6).mirror(), 100.0, 1e-8
    s, direction = np.array([0.1, 0.2, 0.3]), np.array([0.6, 0.0, 0.8])
    x, other = (mirror.primal(mirror.initial_dual - X.T @ dual, decay) for dual in (s, s + error * direction))
    assert 0 < l1(x) < 1e-170
    assert l1(x - other) <= error_of_point(X, mirror, decay, x, s, error) < 1e-6 * l1(x)


def test_bars_grow_slowly_under_a_penalty_that_puts_the_metric_to_sleep():
    """Where the metric falls by many orders within a step, no more is added than the defect's size."""
    rng = np.random.default_rng(0)
    problem, network = Problem(rng.standard_normal((3, 6)), rng.standard_normal(3)), Hadamard.from_scale(1e-2, d=6)
    run, fine = (flow(problem, network, schedules.Constant(0.9), until=110.0, accuracy=a) for a in (1e-6, 1e-13))
    assert l1(run.x[-1] - fine.x[-1]) <= run.error + fine.error
    assert run.error < 1e-4 * l1(run.x[-1])
