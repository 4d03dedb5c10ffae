"""The flow against integrations by SciPy alone, closed forms, the LASSO and linear programming."""

import dataclasses

import numpy as np
import pytest
import scipy.integrate

from linreg_mirror import schedules
from linreg_mirror.parametrizations import Direct, Hadamard, NoMirror, SharedHadamard
from linreg_mirror.problems import Problem
from linreg_mirror.problems.losses import EntrywiseCauchy, JointCauchy, LogCosh, Squared
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.solvers.continuous.systems import parameter_system
from linreg_mirror.solvers.stationarity import stationarity
from tests.helpers.plain import LOSSES, least_l1
from tests.helpers.zoo import BY_NAME, CASES, gaussian

SCALES = [1.0, 1e-2, 1e-4, 1e-6, 1e-8]
SCHEDULES = {
    "none": None,
    "number": 0.05,
    "geometric": schedules.Geometric(0.3, ratio=0.5),
    "quadratic": schedules.Quadratic(0.3, period=2.0),
    "harmonic": schedules.Harmonic(0.2, period=0.7),
    "switched off": schedules.SwitchedOff(0.3, at=1.0),
    "piecewise": schedules.Piecewise((0, 1, 2), (0.1, 0.3, 0)),
}
# The same penalties, written out once more.
PENALTIES = {
    "none": lambda t: 0.0,
    "number": lambda t: 0.05,
    "geometric": lambda t: 0.3 * 0.5**t,
    "quadratic": lambda t: 0.3 / (1 + t / 2) ** 2,
    "harmonic": lambda t: 0.2 / (1 + t / 0.7),
    "switched off": lambda t: 0.3 if t < 1 else 0.0,
    "piecewise": lambda t: 0.1 if t < 1 else 0.3 if t < 2 else 0.0,
}


def integrate_factors(problem, m, w, penalty, until, slope=lambda r: r, jumps=(1.0, 2.0)):
    """x at the end of m' = -w g - 2 alpha m, w' = -m g - 2 alpha w, piece by piece, with SciPy's DOP853 alone."""
    X, y, d = problem.X, problem.y, problem.d
    state, start = np.concatenate([m, w]), 0.0
    for end in [*(jump for jump in jumps if jump < until), until]:
        inside = np.nextafter(end, 0)

        def field(t, s, inside=inside):
            m, w = s[:d], s[d:]
            g, alpha = X.T @ slope(X @ (m * w) - y), penalty(min(t, inside))
            return np.concatenate([-w * g - 2 * alpha * m, -m * g - 2 * alpha * w])

        answer = scipy.integrate.solve_ivp(field, (start, end), state, "DOP853", rtol=1e-12, atol=1e-18)
        assert answer.success
        state, start = answer.y[:, -1], end
    return state[:d] * state[d:]


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("scale", SCALES)
def test_dual_and_parameters_agree_with_an_integration_of_our_own(scale, schedule):
    problem, rng = gaussian(3, 6, 0), np.random.default_rng(1)
    x0 = 0.5 * rng.standard_normal(6) * (scale in (1.0, 1e-4))  # two scales start away from zero
    beta, until = 2 * scale, 3 * max(1.0, -np.log(scale))
    m = np.sqrt((np.sqrt(4 * x0**2 + beta**2) + beta) / 2)
    expected = integrate_factors(problem, m, x0 / m, PENALTIES[schedule], until)
    assert np.abs(expected).max() > 0.1  # past the plateau at zero
    network = Hadamard.at(x0, beta, d=6)
    dual = flow(problem, network, SCHEDULES[schedule], until=until)
    parameters = flow(problem, network, SCHEDULES[schedule], until=until, method="parameters", accuracy=1e-12)
    for run, source in ((dual, "dual"), (parameters, "parameters")):
        assert run.source == source
        assert run.status is Status.until_reached
        assert run.t[0] == 0
        assert run.t[-1] == until
        np.testing.assert_allclose(run.x[-1], expected, atol=2e-9)
        np.testing.assert_allclose(run.x[0], x0, atol=1e-12)
    np.testing.assert_allclose(dual.dual[-1], parameters.dual[-1], atol=1e-8)
    np.testing.assert_allclose(
        dual.decay[-1], scipy.integrate.quad(PENALTIES[schedule], 0, until, points=(1, 2), epsabs=1e-13)[0], atol=1e-11
    )
    assert dual.parameters is None
    np.testing.assert_array_equal(parameters.parameters[:, :6] * parameters.parameters[:, 6:], parameters.x)


@pytest.mark.parametrize("schedule", ["none", "geometric"])
def test_unequal_scales(schedule):
    problem = gaussian(3, 5, 4)
    b, x0 = np.array([1.0, 1e-3, 1e-6, 10.0, 0.1]), np.array([0.0, 0.3, -0.2, 1.0, 0.0])
    m = np.sqrt(np.sqrt(x0**2 + b**2) + b)
    expected = integrate_factors(problem, m, x0 / m, PENALTIES[schedule], 9.0)
    run = flow(problem, Hadamard.from_scale(b, x0=x0), SCHEDULES[schedule], until=9.0)
    np.testing.assert_allclose(run.x[-1], expected, atol=1e-9)


@pytest.mark.parametrize(("loss", "slope"), LOSSES.values(), ids=LOSSES)
def test_other_losses(loss, slope):
    problem = dataclasses.replace(gaussian(3, 6, 2), loss=loss)
    expected = integrate_factors(problem, np.ones(6), np.zeros(6), PENALTIES["geometric"], 6.0, slope)
    for method in ("dual", "parameters"):
        run = flow(problem, Hadamard.at(0.0, 1.0, d=6), SCHEDULES["geometric"], until=6.0, method=method)
        np.testing.assert_allclose(run.x[-1], expected, atol=1e-8)


@pytest.mark.parametrize("loss", [Squared(), LogCosh(), JointCauchy(), EntrywiseCauchy()], ids=repr)
@pytest.mark.parametrize("decay_on", ["both", "m"])
def test_the_jacobian_of_the_parameters_is_that_of_their_field(loss, decay_on):
    rng, h = np.random.default_rng(4), 1e-6
    problem = Problem(rng.standard_normal((3, 4)), rng.standard_normal(3), loss)
    network = Hadamard(rng.uniform(1, 2, 4), rng.uniform(-1, 1, 4), decay_on)
    system = parameter_system(problem, network, schedules.Geometric(0.4, ratio=0.5), 1e-8)
    state = rng.uniform(0.5, 1.5, system.start.size)
    steps = h * np.eye(state.size)
    numerical = [(system.field(0.7, state + e) - system.field(0.7, state - e)) / (2 * h) for e in steps]
    np.testing.assert_allclose(system.jacobian(0.7, state), np.transpose(numerical), atol=1e-7)


def test_the_jacobian_saves_evaluations_and_changes_no_path():
    class Own(Hadamard):  # of whose product nothing is known
        pass

    rng = np.random.default_rng(5)
    problem = Problem(rng.standard_normal((6, 20)), rng.standard_normal(6))
    known, other = (
        flow(problem, kind.from_scale(1e-3, d=20), until=300.0, method="parameters", integrators=("LSODA",))
        for kind in (Hadamard, Own)
    )
    saved = other.stats.evaluations - known.stats.evaluations
    assert saved > 0.9 * known.stats.factorizations * (2 * 20 + 6) > 0
    np.testing.assert_allclose(known.x[-1], other.x[-1], atol=1e-6)


def test_decay_on_the_mask_alone():
    problem, (m, w) = gaussian(3, 4, 1), (np.array([1.0, 1.5, 1.0, 2.0]), np.array([0.5, 0.0, -0.5, 0.1]))

    def field(t, s):
        g = problem.X.T @ (problem.X @ (s[:4] * s[4:]) - problem.y)
        return np.concatenate([-s[4:] * g - 2 * 0.1 * s[:4], -s[:4] * g])

    s = scipy.integrate.solve_ivp(field, (0, 5), np.concatenate([m, w]), "DOP853", rtol=1e-12, atol=1e-14).y[:, -1]
    run = flow(problem, Hadamard(m, w, decay_on="m"), 0.1, until=5.0, method="parameters")
    np.testing.assert_allclose(run.parameters[-1], s, atol=2e-8)


def test_shared_masks():
    problem, group = gaussian(3, 4, 1), np.array([0, 0, 1, 1])

    def field(t, s):
        m, w = s[:2], s[2:]
        g = problem.X.T @ (problem.X @ (m[group] * w) - problem.y)
        gm = np.array([w[0] * g[0] + w[1] * g[1], w[2] * g[2] + w[3] * g[3]])
        return np.concatenate([-gm - 0.2 * m, -m[group] * g - 0.2 * w])

    start = np.array([1.0, 0.8, 0.1, -0.2, 0.3, 0.4])
    s = scipy.integrate.solve_ivp(field, (0, 5), start, "DOP853", rtol=1e-12, atol=1e-14).y[:, -1]
    run = flow(problem, SharedHadamard(start[:2], start[2:], group), 0.1, until=5.0, method="parameters")
    np.testing.assert_allclose(run.parameters[-1], s, atol=2e-8)


@pytest.mark.parametrize("alpha", [0.0, 0.1])
def test_direct_is_the_matrix_exponential(alpha):
    problem, x0, until = gaussian(3, 5, 0), np.array([1.0, -1.0, 0.0, 2.0, 0.5]), 1.7
    H = problem.X.T @ problem.X + 2 * alpha * np.eye(5)
    end = np.linalg.lstsq(H, problem.X.T @ problem.y)[0]
    values, vectors = np.linalg.eigh(H)
    null = vectors[:, values < 1e-10]
    end = end + null @ (null.T @ (x0 - end))
    expected = end + vectors @ (np.exp(-until * values) * (vectors.T @ (x0 - end)))
    for method in ("dual", "parameters"):
        run = flow(problem, Direct(x0), alpha, until=until, method=method)
        np.testing.assert_allclose(run.x[-1], expected, atol=1e-8)


@pytest.mark.parametrize("alpha", [0.0, 0.05])
def test_direct_until_convergence(alpha):
    problem, x0 = gaussian(3, 5, 0), np.array([1.0, -1.0, 0.0, 2.0, 0.5])
    run = flow(problem, Direct(x0), alpha)
    assert run.status is (Status.unproved if alpha else Status.converged)
    expected = (
        np.linalg.solve(problem.X.T @ problem.X + 2 * alpha * np.eye(5), problem.X.T @ problem.y)
        if alpha
        else x0 + np.linalg.pinv(problem.X) @ (problem.y - problem.X @ x0)
    )
    np.testing.assert_allclose(run.x[-1], expected, atol=1e-7)


def test_one_dimension_has_a_closed_form():
    # With X = 1, y = 0 and x = b sinh q, x' = -2 sqrt(x^2 + b^2) x is q' = -2 b sinh q.
    b, x0, until = 0.5, 2.0, 0.7
    run = flow(Problem([[1.0]], [0.0]), Hadamard.from_scale(b, x0=[x0]), until=until, accuracy=1e-11)
    q0 = np.arcsinh(x0 / b)
    q = 2 * np.arctanh(np.tanh(q0 / 2) * np.exp(-2 * b * until))
    assert run.x[-1, 0] == pytest.approx(b * np.sinh(q), abs=1e-9)


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_feature_that_is_not_seen_decays_exactly(schedule):
    problem = Problem([[1.0, 0.0]], [1.0])
    run = flow(problem, Hadamard.at([0.0, -3.0], 1.0), SCHEDULES[schedule], until=3.5)
    total = scipy.integrate.quad(PENALTIES[schedule], 0, 3.5, points=(1, 2), epsabs=1e-13)[0]
    assert run.x[-1, 1] == pytest.approx(-3 * np.exp(-4 * total), rel=1e-11)
    run = flow(problem, Direct([0.0, -3.0]), SCHEDULES[schedule], until=3.5)
    assert run.x[-1, 1] == pytest.approx(-3 * np.exp(-2 * total), rel=1e-8)


@pytest.mark.parametrize("method", ["dual", "parameters"])
def test_jumps_are_hit_exactly(method):
    schedule = schedules.Piecewise((0, 0.3, 1.1, 1.7), (0.1, 5.0, 0.0, 0.4))
    run = flow(gaussian(3, 5, 3), Hadamard.at(0.5, 1.0, d=5), schedule, until=2.0, method=method)
    for t, total in ((0.3, 0.03), (1.1, 0.03 + 4.0), (1.7, 4.03), (2.0, 4.15)):
        at = np.flatnonzero(run.t == t)
        assert at.size == 1
        assert run.decay[at[0]] == pytest.approx(total, rel=1e-12)
    assert (np.diff(run.t) > 0).all()


@pytest.mark.parametrize("integrators", [None, ("LSODA",)])
@pytest.mark.parametrize("until", [None, 9.0])
def test_times_that_are_asked_for_are_hit(until, integrators):
    problem, network = gaussian(3, 5, 3), Hadamard.at(0.5, 1.0, d=5)
    schedule = schedules.Piecewise((0, 0.3), (0.1, 0.0))
    at = [1.25, 0.0, 0.2, 1.25, 8.5]
    run = flow(problem, network, schedule, until=until, at=at, integrators=integrators, accuracy=1e-10)
    assert np.isin([*at, 0.3], run.t).all()
    assert (np.diff(run.t) > 0).all()
    for t in (0.2, 1.25, 8.5):
        alone = flow(problem, network, schedule, until=t, integrators=integrators, accuracy=1e-10)
        np.testing.assert_allclose(run.x[run.t == t][0], alone.x[-1], rtol=0, atol=1e-8)
    assert run.t[-1] >= 8.5
    assert run.status is (Status.converged if until is None else Status.until_reached)


def test_a_flow_is_not_over_before_the_last_time_asked_for():
    problem, network = gaussian(3, 5, 3), Hadamard.at(0.5, 1.0, d=5)
    latest = 10 * flow(problem, network).t[-1]
    run = flow(problem, network, at=[latest])
    assert run.t[-1] == latest
    assert run.status is Status.converged


def test_a_short_strong_pulse_is_not_stepped_over():
    pulse = schedules.Piecewise((0, 40.0, 40.001), (0.0, 300.0, 0.0))
    problem = Problem([[1.0, 0.0]], [1.0])
    for method in ("dual", "parameters"):
        run = flow(problem, Hadamard.at([0.0, 2.0], 1.0), pulse, method=method)
        assert run.status is Status.converged
        assert run.t[-1] > 40
        assert run.x[-1, 1] == pytest.approx(2 * np.exp(-1.2), rel=1e-7)
        assert run.x[-1, 0] == pytest.approx(1.0, abs=1e-7)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_zoo_ends_where_squares_are_least(case):
    problem = case.problem
    x0 = 0.3 * np.random.default_rng(0).standard_normal(problem.d)
    run = flow(problem, Hadamard.at(x0, 1.0), schedules.Geometric(0.2, ratio=0.1), tolerance=1e-10)
    assert run.status is case.status
    assert run.certificate.valid, str(run.certificate)
    x = run.x[-1]
    scale = np.abs(problem.X.T @ problem.y).max() or 1.0
    assert np.abs(problem.X.T @ (problem.X @ x - problem.y)).max() <= 1.01e-9 * scale
    # arcsinh(x/b) - tilt is in the row space of X.
    b = 0.5 * np.exp(-4 * run.decay[-1])
    moved = np.arcsinh(x / b) - np.arcsinh(2 * x0)
    off = moved - np.linalg.pinv(problem.X) @ (problem.X @ moved)
    np.testing.assert_allclose(off, 0, atol=1e-8)


def test_runs_until_the_penalty_is_over_even_if_already_stationary():
    problem = Problem([[1.0, 1.0]], [1.0])
    run = flow(problem, Hadamard.at([0.5, 0.5], 1.0), schedules.Geometric(1e-3, ratio=0.5))
    assert run.status is Status.converged
    assert 1e-3 * 0.5 ** run.t[-1] / np.log(2) <= 1e-8
    assert run.certificate["penalty to come"].passed


def test_already_at_the_end():
    for x0, y in (([0.5, 0.5], [1.0]), ([0.0, 0.0], [0.0])):
        run = flow(Problem([[1.0, 1.0]], y), Hadamard.at(x0, 1.0))
        assert run.status is Status.converged
        np.testing.assert_allclose(run.x[-1], x0, rtol=1e-15)
        assert run.t.tolist() == [0.0]


@pytest.mark.parametrize("alpha", [0.3, 0.05])
@pytest.mark.parametrize("scale", [1.0, 1e-4])
@pytest.mark.parametrize("method", ["dual", "parameters"])
def test_constant_penalty_ends_at_lasso_with_twice_the_weight(alpha, scale, method):
    from sklearn.linear_model import Lasso

    problem = gaussian(6, 10, 7)
    model = Lasso(2 * alpha / 6, fit_intercept=False, tol=1e-14, max_iter=100_000).fit(problem.X, problem.y)
    run = flow(problem, Hadamard.from_scale(scale, d=10), alpha, method=method)
    assert run.status is Status.unproved
    assert run.certificate.valid
    assert 0 < np.count_nonzero(model.coef_) < 10
    np.testing.assert_allclose(run.x[-1], model.coef_, atol=1e-6)
    assert stationarity(problem, Hadamard.from_scale(scale, d=10), model.coef_, alpha) < 1e-8


def test_a_penalty_beyond_lambda_max_ends_at_zero():
    problem = gaussian(4, 6, 0)
    alpha = np.abs(problem.X.T @ problem.y).max()  # twice what is needed
    run = flow(problem, Hadamard.at(1.0, 1.0, d=6), alpha)
    assert run.status is Status.unproved
    np.testing.assert_allclose(run.x[-1], 0, atol=1e-6)


@pytest.mark.parametrize("log_b", [-1e3, -1e5])
@pytest.mark.parametrize("seed", [0, 1])
def test_vanishing_scale_ends_at_the_least_l1_norm_of_highs(log_b, seed):
    problem = gaussian(4, 9, seed, nonzeros=2)
    run = flow(problem, Hadamard.from_scale(log_b=log_b, d=9))
    assert run.status is Status.converged
    np.testing.assert_allclose(run.x[-1], least_l1(problem.X, problem.y)[1], atol=1e-7)


@pytest.mark.parametrize("name", ["planted vector is not the least", "orthonormal rows", "rank-deficient", "square"])
def test_vanishing_scale_on_the_zoo(name):
    case = BY_NAME[name]
    run = flow(case.problem, Hadamard.from_scale(log_b=-1e5, d=case.problem.d))
    assert run.status is Status.converged
    np.testing.assert_allclose(run.x[-1], case.minimum_l1, atol=1e-7)


def test_inconsistent_targets_end_at_least_squares():
    case = BY_NAME["tall, inconsistent"]
    for method in ("dual", "parameters"):
        run = flow(case.problem, Hadamard.at(0.0, 1.0, d=2), method=method)
        assert run.status is Status.inconsistent
        np.testing.assert_allclose(run.x[-1], [2 / 3, 2 / 3], atol=1e-8)


@pytest.mark.parametrize("method", ["dual", "parameters"])
def test_budget_that_is_spent(method):
    run = flow(gaussian(3, 6, 0), Hadamard.at(0.0, 1e-4, d=6), max_steps=7, method=method)
    assert run.status is Status.horizon_reached
    assert run.stats.steps == 7
    assert len(run.t) == 8
    assert not run.certificate.valid
    assert "raise max_steps" in str(run.status)


def test_a_balanced_start_cannot_change_its_sign_and_an_unbalanced_one_can():
    problem, x0 = Problem([[1.0, 0.5]], [-1.0]), np.array([1.0, 0.5])
    run = flow(problem, Hadamard.balanced(x0), until=20.0, method="parameters", integrators=("DOP853",))
    assert (run.x >= 0).all()
    np.testing.assert_allclose(run.x[-1], 0, atol=1e-6)
    free = flow(problem, Hadamard.at(x0, 1.0))
    assert (free.x[-1] < 0).any()
    assert free.x[-1] @ [1.0, 0.5] == pytest.approx(-1.0, abs=1e-8)
    with pytest.raises(NoMirror, match="balanced"):
        flow(problem, Hadamard.balanced(x0))


def test_long_histories_are_thinned_and_keep_both_ends():
    # An explicit integrator's steps are bounded by stability: about 3 / (2 b |X|^2) = 1 at the end of this flow.
    run = flow(Problem([[1.0, 1.0]], [0.1]), Hadamard.at(0.0, 1.0, d=2), until=8000.0, integrators=("RK45",))
    assert run.stats.steps > 4096
    assert len(run.t) <= 4097
    assert run.t[0] == 0
    assert run.t[-1] == 8000.0
    assert (np.diff(run.t) > 0).all()
    assert len(run.t) == len(run.x) == len(run.decay) == len(run.dual)


def test_thinned_histories_keep_the_times_that_are_asked_for():
    at = np.linspace(0.5, 7999.5, 40) + 1e-3
    network = Hadamard.at(0.0, 1.0, d=2)
    run = flow(Problem([[1.0, 1.0]], [0.1]), network, until=8000.0, at=at, integrators=("RK45",))
    assert run.stats.steps > 4096
    assert len(run.t) <= 4097 + len(at)
    assert np.isin(at, run.t).all()
    assert (np.diff(run.t) > 0).all()


def test_an_integrator_that_gives_up_is_replaced_or_reported():
    problem, network = gaussian(2, 3, 0), Hadamard.at(0.0, 1.0, d=3)
    broken = dataclasses.replace(problem, loss=_BreaksDown())
    run = flow(broken, network, until=5.0)
    assert run.status is Status.integrator_failed
    assert [note.split()[:3] for note in run.stats.notes[:3]] == [
        [name, "gave", "up"] for name in ("LSODA", "BDF", "Radau")
    ]
    assert "LSODA gave up" in run.stats.notes[0]
    assert np.isfinite(run.x).all()


@dataclasses.dataclass(frozen=True)
class _BreaksDown(LogCosh):
    """A loss whose gradient turns into NaN on the way."""

    def gradient(self, r):
        return np.full_like(r, np.nan) if r @ r < 0.5 else np.tanh(r)


def test_float32_and_integer_input():
    X, y = np.array([[1, 2, 0], [0, 1, 1]]), np.array([2, -1])
    expected = flow(Problem(X.astype(float), y.astype(float)), Hadamard.at(0.0, 1.0, d=3)).x[-1]
    for dtype in (np.int32, np.float32):
        run = flow(Problem(X.astype(dtype), y.astype(dtype)), Hadamard.at(0, 1, d=3), np.float32(0))
        np.testing.assert_array_equal(run.x[-1], expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"network": Hadamard.at(0.0, d=4)}, r"network has 4 effective weights, the problem 3 features: .*d=problem.d"),
        ({"until": 0.0}, r"until must be a positive number, got 0.0: leave it out"),
        ({"until": -1.0}, r"until must be a positive number, got -1.0"),
        ({"until": np.nan}, r"until must be a positive number, got nan"),
        ({"until": np.inf}, r"until must be a positive number, got inf"),
        ({"at": [1.0, -1.0]}, r"at must hold times, at least 0 and finite, got .*: write at=\[0.5, 1.0\]"),
        ({"at": np.nan}, r"at must hold times"),
        ({"at": [3.0], "until": 2.0}, r"at must hold times, at least 0 and at most until=2, got \[3.0\]"),
        ({"method": "primal"}, r"method must be \"dual\" or \"parameters\", got 'primal'"),
        ({"schedule": -0.1}, r"must be .*>= 0, got -0.1"),
        ({"schedule": np.nan}, r"must be .*>= 0, got nan"),
        ({"schedule": np.inf}, r"must be .*>= 0, got inf"),
        ({"schedule": schedules.Harmonic(0.1)}, r"Harmonic\(.*infinite integral .*until=T\), or use Quadratic or Geo"),
        ({"schedule": schedules.Geometric(0.1, 0.9, clock="step")}, r'clock "step", "time" is needed .*on_time\(unit='),
        ({"schedule": schedules.Constant(0.1, clock="epoch")}, r'clock "epoch", "time" is needed'),
        ({"network": Hadamard([1, 1, 1], [0, 0, 0], decay_on="m")}, r"no mirror: the Lie bracket"),
        ({"network": SharedHadamard([1.0], [1.0, 2.0, 3.0], [0, 0, 0])}, r"no mirror: the Lie bracket"),
        ({"network": Hadamard.balanced([1.0, 2.0, 3.0])}, r"the start is balanced .* at index 0"),
        (
            {"network": Hadamard.from_scale(log_b=-1e5, d=3), "method": "parameters"},
            r"parameters at log b = -1e\+05 are zero in float64, .*: write flow\(problem, network\)",
        ),
        ({"tolerance": -1.0}, r"tolerance must be .*got -1.0"),
        ({"tolerance": np.nan}, r"tolerance must be .*got nan"),
        ({"accuracy": -1.0}, r"accuracy must be .*got -1.0"),
        ({"accuracy": np.nan}, r"accuracy must be .*got nan"),
        ({"integrators": ("Euler",)}, r"integrators .*got .*Euler"),
        ({"integrators": ()}, r"integrators .*got \(\)"),
    ],
)
def test_bad_input(arguments, message):
    arguments = {"network": Hadamard.at(0.0, d=3), **arguments}
    with pytest.raises(ValueError, match=message):
        flow(gaussian(2, 3, 0), **arguments)


@pytest.mark.parametrize("schedule", ["constant", [0.1], True, lambda t: 0.1])
def test_what_is_not_a_schedule(schedule):
    with pytest.raises(TypeError, match=r"a schedule, a number or None is expected, got \w+: write schedules.Constant"):
        flow(gaussian(2, 3, 0), Hadamard.at(0.0, d=3), schedule)


def test_stationarity_by_hand():
    problem = Problem([[1.0, 2.0]], [2.0])  # f = (x1 + 2 x2 - 2)^2/2, gradient at 0 (-2, -4)
    network = Hadamard.at(0.0, 1.0, d=2)
    assert stationarity(problem, network, np.zeros(2)) == 1.0
    assert stationarity(problem, network, np.array([2.0, 0.0])) == 0.0
    # LASSO with weight 2 alpha = 1: x = (0, 3/4), where the gradient is -(1/2, 1).
    assert stationarity(problem, network, np.array([0.0, 0.75]), 0.5) == 0.0
    # ... and it is not stationary for another weight, in the condition on the support: |-1 + 0.8|/4.
    assert stationarity(problem, network, np.array([0.0, 0.75]), 0.4) == pytest.approx(0.05)
    assert stationarity(problem, Direct(np.zeros(2)), np.array([0.0, 0.75]), 0.5) == pytest.approx(0.5 / 4)


def test_stationarity_of_networks_without_a_mirror_is_in_the_parameters():
    problem, network = Problem([[1.0, 2.0]], [2.0]), Hadamard.balanced([0.0, 0.0])
    with pytest.raises(ValueError, match=r"Hadamard is stationary in its parameters, not in x: pass theta="):
        stationarity(problem, network, np.zeros(2))
    assert stationarity(problem, network, np.zeros(2), theta=np.zeros(4)) == 0  # a saddle, for the parameters
    # m = (1, 0), w = (1, 0): gradient -(1, 2) at x = (1, 0); with alpha = 1/4 the force on m1 is -1 + 2/4.
    theta = np.array([1.0, 0.0, 1.0, 0.0])
    assert stationarity(problem, network, np.array([1.0, 0.0]), 0.25, theta) == pytest.approx(0.5 / 4)


def test_where_one_integrator_fails_the_next_takes_over_from_there(monkeypatch):
    class GivesUp(scipy.integrate.LSODA):
        def step(self):
            if self.nfev > 100:
                self.status = "failed"
                return "on purpose"
            return super().step()

    problem, network = gaussian(4, 9, 0), Hadamard.at(0.0, d=9)
    expected = flow(problem, network)
    monkeypatch.setattr(scipy.integrate, "LSODA", GivesUp)
    run = flow(problem, network, integrators=("LSODA", "BDF"))
    assert run.status is Status.converged
    assert any("LSODA gave up" in note and "on purpose" in note for note in run.stats.notes)
    np.testing.assert_allclose(run.x[-1], expected.x[-1], atol=1e-7)
