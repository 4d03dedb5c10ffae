"""The compiled dual flow against SciPy's integrators, and its error bounds against true errors."""

import dataclasses

import numpy as np
import pytest
import scipy.integrate

from benchmarks.exact_paths import exact_path
from linreg_mirror import schedules
from linreg_mirror.parametrizations import Direct, Hadamard, Power
from linreg_mirror.problems import Problem
from linreg_mirror.problems.losses import LogCosh
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.continuous import flow, flows, kernel
from linreg_mirror.solvers.continuous._flow import begin
from linreg_mirror.solvers.continuous.integration import alone
from linreg_mirror.solvers.continuous.path_error import error_in_x, error_of_point
from linreg_mirror.solvers.continuous.penalties import alpha_at, closed_form, decay_at
from linreg_mirror.solvers.limit import limit
from tests.helpers.plain import least_l1
from tests.helpers.zoo import gaussian

SCIPY = ("LSODA", "BDF", "Radau")
SCHEDULES = {
    "none": None,
    "constant": 0.05,
    "geometric": schedules.Geometric(0.3, ratio=0.5, period=1.5),
    "quadratic": schedules.Quadratic(0.3, period=2.0),
    "harmonic": schedules.Harmonic(0.2, period=0.7),
    "harmonic, switched off": schedules.SwitchedOff(schedules.Harmonic(0.3), at=1.0),
    "piecewise": schedules.Piecewise((0, 1, 2), (0.1, 3.0, 0)),
}


def path(problem, network, schedule, until, accuracy):
    """Times, dual vectors and bounds on their errors."""
    run = begin(problem, network, schedule, until, (), "dual", 1e-9, accuracy, 100_000, ("Rodas5P",))
    status, _ = alone(run.jobs)
    assert status is Status.until_reached
    return run.history.arrays()


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("start", [0.0, 0.4, 1.0, 2.5])
def test_penalties_in_closed_form_are_those_of_the_schedules(schedule, start):
    schedule = schedules.as_schedule(SCHEDULES[schedule])
    piece = closed_form(schedule, start)
    end = min([jump for jump in schedule.breakpoints if jump > start], default=start + 7.0)
    for t in np.linspace(start, np.nextafter(end, 0), 5):
        assert alpha_at(piece, t) == pytest.approx(schedule(t), rel=1e-13, abs=1e-300)
        assert decay_at(piece, t) == pytest.approx(schedule.integral(0, t), rel=1e-13, abs=1e-300)


def test_a_schedule_of_ones_own_has_no_closed_form():
    class Own(schedules.Constant):
        pass

    assert closed_form(Own(0.1), 0.0) is None
    run = flow(gaussian(3, 5, 0), Hadamard.at(0.0, d=5), Own(0.1), until=1.0)
    assert run.stats.method == "dual: LSODA"


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("log_b", [2.0, -5.0, -20.0, -1e4])
def test_the_path_is_that_of_scipy(schedule, log_b):
    problem, d = gaussian(4, 9, 3), 9
    network = Hadamard.from_scale(log_b=log_b, d=d)
    for until in (0.7, 1.9 if log_b > -5 else -0.3 * log_b):
        ours, theirs = (
            flow(problem, network, SCHEDULES[schedule], until=until, accuracy=1e-9, integrators=integrators)
            for integrators in (("Rodas5P",), SCIPY)
        )
        assert ours.stats.method == "dual: Rodas5P"
        assert ours.status is theirs.status is Status.until_reached
        np.testing.assert_allclose(ours.x[-1], theirs.x[-1], rtol=1e-6, atol=2e-7)
        np.testing.assert_array_equal(ours.decay[-1], theirs.decay[-1])


def test_bounds_hold_on_random_problems_and_are_not_vacuous():
    rng = np.random.default_rng(0)
    ratios = []
    for k, (name, schedule) in enumerate(list(SCHEDULES.items()) * 6):
        n, d, b = int(rng.integers(2, 8)), int(rng.integers(2, 14)), 10 ** rng.uniform(-6, 1)
        X = rng.standard_normal((n, d)) * 10 ** rng.uniform(-1, 1) * 10 ** rng.uniform(-1.5 * (k % 4 == 0), 0, d)
        problem = Problem(X, X @ (rng.standard_normal(d) * (np.arange(d) < 3)) + 0.1 * rng.standard_normal(n))
        network = Hadamard.from_scale(b, x0=0.3 * rng.standard_normal(d) * (k % 2), d=d)
        until = 3 * max(1, -np.log(b)) / np.abs(X.T @ problem.y).max()
        t, s, error = path(problem, network, schedule, until, 10 ** rng.uniform(-8, -5))
        for m in (len(t) // 2, len(t) - 1):
            _, reference, finest = path(problem, network, schedule, t[m], 1e-13)
            true = np.linalg.norm(s[m] - reference[-1])
            assert true <= error[m] + finest[-1], name
            ratios.append(error[m] / max(true, finest[-1]))
    assert np.median(ratios) < 20


@pytest.mark.parametrize("b", [1.0, 1e-3])
def test_bounds_on_x_hold_against_scipy_on_the_factors(b):
    problem, d, until = gaussian(4, 8, 5), 8, 6.0
    m0 = np.full(d, np.sqrt(2 * b))

    def field(t, state):
        m, w = state[:d], state[d:]
        g, alpha = problem.X.T @ (problem.X @ (m * w) - problem.y), 0.2 * 0.5**t
        return np.concatenate([-w * g - 2 * alpha * m, -m * g - 2 * alpha * w])

    state = scipy.integrate.solve_ivp(
        field, (0, until), np.concatenate([m0, 0 * m0]), "DOP853", rtol=1e-13, atol=1e-16
    ).y[:, -1]
    for accuracy in (1e-4, 1e-6):
        schedule, network = schedules.Geometric(0.2, ratio=0.5), Hadamard.from_scale(b, d=d)
        _, s, error = path(problem, network, schedule, until, accuracy)
        mirror, A = network.mirror(), schedule.integral(0, until)
        x = mirror.primal(-problem.X.T @ s[-1], A)
        bound = error_in_x(problem.X, x, mirror.log_scale_at(A), error[-1])
        true = np.abs(x - state[:d] * state[d:])
        assert (true <= bound).all()
        assert true.max() > 1e-4 * bound.max()


def test_bounds_on_x_by_hand():
    # b = 1, x = 0: sinh(h) <= e^h - 1 with h = 2 |X_i| error.
    bounds = error_in_x(np.array([[3.0, 0.0], [4.0, 0.0]]), np.zeros(2), np.zeros(2), 0.1)
    np.testing.assert_allclose(bounds, [np.expm1(1.0), 0.0])
    assert error_in_x(np.eye(2), np.ones((3, 2)), np.zeros(2), np.array([0, 1, np.inf])).tolist()[2] == [np.inf] * 2


@pytest.mark.parametrize("seed", [0, 1])
def test_vanishing_scale_ends_at_the_least_l1_norm_of_highs(seed):
    problem = gaussian(4, 9, seed, nonzeros=2)
    run = flow(problem, Hadamard.from_scale(log_b=-1e4, d=9), integrators=("Rodas5P",))
    assert run.status is Status.converged
    np.testing.assert_allclose(run.x[-1], least_l1(problem.X, problem.y)[1], atol=1e-7)


def ill_conditioned(least):
    rng = np.random.default_rng(2)
    left, right = np.linalg.qr(rng.standard_normal((8, 8)))[0], np.linalg.qr(rng.standard_normal((20, 8)))[0]
    X = left @ np.diag(np.geomspace(1, least, 8)) @ right.T
    return Problem(X, X @ rng.standard_normal(20))


def test_ill_conditioned_rows():
    problem, network = ill_conditioned(1e-3), Hadamard.from_scale(1e-2, d=20)
    run = flow(problem, network, integrators=("Rodas5P",), tolerance=1e-11)
    assert run.status is Status.converged
    end = limit(problem, network).x
    assert np.abs(run.x[-1] - end).sum() <= 1e-4 * np.abs(end).sum()


def test_what_rounding_alone_keeps_from_being_stationary_ends():
    problem, network = ill_conditioned(1e-5), Hadamard.from_scale(1e-2, d=20)
    run = flow(problem, network, integrators=("Rodas5P",), tolerance=1e-16, max_steps=5000)
    assert run.status is Status.not_certified
    assert not run.certificate["distance to the limit"].passed
    assert run.limit_digits > 6
    end = limit(problem, network).x
    assert np.abs(run.x[-1] - end).sum() <= 1e-6 * np.abs(end).sum()


def test_depth_two_is_the_same_at_twice_the_speed():
    problem, network = gaussian(4, 9, 1), Power.from_scale(0.1, depth=2, d=9)
    ours, theirs = (
        flow(problem, network, 0.05, until=3.0, integrators=names, accuracy=1e-10) for names in (("Rodas5P",), SCIPY)
    )
    np.testing.assert_allclose(ours.x[-1], theirs.x[-1], atol=1e-8)
    assert ours.stats.method == "dual: Rodas5P"


def test_where_it_applies():
    problem = gaussian(3, 5, 0)
    for refused in (Direct(np.zeros(5)), Power.from_scale(0.5, depth=3, d=5)):
        assert flow(problem, refused, until=0.5).stats.method == "dual: LSODA"
        with pytest.raises(ValueError, match="Rodas5P integrates the dual flow of x = m"):
            flow(problem, refused, until=0.5, integrators=("Rodas5P",))
    other = dataclasses.replace(problem, loss=LogCosh())
    assert flow(other, Hadamard.at(0.0, d=5), until=0.5).stats.method == "dual: LSODA"
    parameters = flow(problem, Hadamard.at(0.0, d=5), until=0.5, method="parameters")
    assert parameters.stats.method == "parameters: LSODA"


def test_where_compiled_code_gives_up_the_next_takes_over(monkeypatch):
    problem, network = gaussian(4, 9, 0), Hadamard.at(0.0, d=9)
    expected, advance, calls = flow(problem, network), kernel.advance, []

    def gives_up(*arguments):
        calls.append(1)
        times, states, errors = arguments[-3:]
        return kernel.STUCK, advance(*arguments[:-3], times[:20], states[:20], errors[:20])[1]

    monkeypatch.setattr(kernel, "advance", gives_up)
    run = flow(problem, network)
    assert run.status is Status.converged
    assert len(calls) == 1
    assert "Rodas5P gave up" in run.stats.notes[0]
    assert run.stats.method == "dual: Rodas5P, then LSODA, then BDF, then Radau"
    np.testing.assert_allclose(run.x[-1], expected.x[-1], atol=1e-7)


def test_it_takes_over_from_another_which_leaves_no_bound():
    problem, network = gaussian(4, 9, 0), Hadamard.at(0.0, d=9)

    class GivesUp(scipy.integrate.LSODA):
        def step(self):
            return "on purpose" if self.nfev > 100 and self._fail() else super().step()

        def _fail(self):
            self.status = "failed"
            return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scipy.integrate, "LSODA", GivesUp)
        run = begin(problem, network, None, None, (), "dual", 1e-9, 1e-8, 10_000, ("LSODA", "Rodas5P"))
        status, stats = alone(run.jobs)
    assert status is Status.converged
    assert "on purpose" in stats["notes"][0]
    assert np.isinf(run.history.arrays()[2][1:]).all()
    np.testing.assert_allclose(run.finish(status, stats).x[-1], limit(problem, network).x, atol=1e-7)


def test_many_flows_are_those_one_by_one():
    problem = gaussian(4, 9, 0)
    networks = [Hadamard.from_scale(b, d=9) for b in (1.0, 1e-3, 1e-6)]
    penalties = [None, 0.05, schedules.Geometric(0.3, ratio=0.5)]
    runs = flows(problem, networks, penalties, threads=2)
    for run, network, penalty in zip(runs, networks, penalties, strict=True):
        alone = flow(problem, network, penalty)
        assert run.status is alone.status is (Status.unproved if penalty == 0.05 else Status.converged)
        assert run.stats.steps == alone.stats.steps
        np.testing.assert_array_equal(run.x, alone.x)
    problems = [gaussian(n, 9, n) for n in (2, 3)]
    for run, other in zip(flows(problems, networks[1]), problems, strict=True):
        np.testing.assert_array_equal(run.x, flow(other, networks[1]).x)
    (run,) = flows(problem, Direct(np.zeros(9)), until=1.0)
    np.testing.assert_array_equal(run.x, flow(problem, Direct(np.zeros(9)), until=1.0).x)


def test_many_flows_refuse_what_does_not_match():
    problem = gaussian(3, 5, 0)
    with pytest.raises(ValueError, match=r"one for all or as many as there are runs, got \[2, 3\]"):
        flows([problem] * 2, [Hadamard.at(0.0, d=5)] * 3)
    with pytest.raises(ValueError, match="threads must be"):
        flows(problem, Hadamard.at(0.0, d=5), threads=0)


def test_bounds_of_the_sum_of_errors_use_that_columns_point_elsewhere():
    X = np.eye(4)
    mirror = Hadamard.from_scale(1.0, d=4).mirror()
    x, error = np.zeros(4), 1e-6
    together = error_of_point(X, mirror, 0.0, x, np.zeros(4), error)
    # metric 2: |x|_1 <= sqrt(4 * 2) * sqrt(2) error, reached where all entries of the dual's error are the same.
    worst = float(np.abs(mirror.primal(-X.T @ np.full(4, error / 2), 0.0)).sum())
    assert worst <= together <= 1.001 * worst
    assert together < 0.51 * error_in_x(X, x, np.zeros(4), error).sum()


def test_exact_paths_of_the_benchmark_are_those_of_scipy():
    problem, b = gaussian(4, 8, 5), 1e-2
    times = np.array([0.3, 1.0])

    def field(_, state):
        m, w = state[:8], state[8:]
        g = problem.X.T @ (problem.X @ (m * w) - problem.y)
        return -np.concatenate([w * g, m * g])

    start = np.concatenate([np.full(8, np.sqrt(2 * b)), np.zeros(8)])
    ends = scipy.integrate.solve_ivp(field, (0, 1.0), start, "DOP853", t_eval=times, rtol=1e-13, atol=1e-16).y.T
    np.testing.assert_allclose(exact_path(problem, b, times), ends[:, :8] * ends[:, 8:], rtol=0, atol=1e-11)
