"""The limit against minimisation over the null space, scalar equations and linear programming."""

import dataclasses
import time

import numpy as np
import pytest
import scipy.linalg
from scipy.optimize import brentq

from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.parametrizations import Direct, Hadamard, NoMirror, SharedHadamard
from linreg_mirror.problems import Problem, coherent, planted_sparse
from linreg_mirror.problems.losses import Huber
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.certificates import certify_limit
from linreg_mirror.solvers.limit import limit
from linreg_mirror.solvers.limit._limit import continuation_path
from linreg_mirror.solvers.limit.dual_newton import DualNewton
from tests.helpers.plain import hyperbolic_limit, least_l1
from tests.helpers.zoo import BY_NAME, CASES, gaussian


def check_status(solution, problem, status=Status.converged):
    assert solution.status is status
    assert solution.certificate.valid, str(solution.certificate)
    assert solution.unique is True
    assert solution.x.shape == (problem.d,)
    assert solution.dual.shape == (problem.n,)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("decay", [0.0, 0.4])
def test_zoo_against_minimisation_over_the_null_space(case, decay):
    problem, rng = case.problem, np.random.default_rng(len(case.name))
    b = np.exp(rng.uniform(-3, 2, problem.d))
    for x0 in (np.zeros(problem.d), rng.standard_normal(problem.d)):
        solution = limit(problem, Hadamard.from_scale(b, x0=x0), decay)
        check_status(solution, problem, case.status)
        expected = hyperbolic_limit(problem.X, problem.y, b, x0, decay)
        np.testing.assert_allclose(solution.x, expected, atol=1e-10)
        np.testing.assert_allclose(solution.log_scale, np.log(b) - 4 * decay, rtol=1e-14, atol=1e-15)
        dual_point = (np.arcsinh(x0 / b) - 2 * problem.X.T @ solution.dual) / 2
        np.testing.assert_allclose(b * np.exp(-4 * decay) * np.sinh(2 * dual_point), solution.x, atol=1e-9)


@pytest.mark.parametrize("scale", [1e3, 1.0, 1e-2])
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(3))
def test_random_problems_against_minimisation_over_the_null_space(scale, decay, seed):
    problem, rng = gaussian(4, 9, seed), np.random.default_rng(seed)
    b, x0 = scale * rng.uniform(0.2, 1, 9), rng.standard_normal(9)
    solution = limit(problem, Hadamard.from_scale(b, x0=x0), decay)
    check_status(solution, problem)
    np.testing.assert_allclose(solution.x, hyperbolic_limit(problem.X, problem.y, b, x0, decay), atol=1e-9)


@pytest.mark.parametrize("log_b", [2.0, -5.0, -30.0, -300.0])
@pytest.mark.parametrize("y", [3.0, -0.2, 0.0])
def test_one_sample_is_one_scalar_equation(log_b, y):
    a = np.array([1.0, -2.0, 0.5, 0.0])
    x0 = np.array([0.0, 0.3, 0.0, -0.7])
    log_b = log_b + np.array([0.0, 0.3, 1.0, 0.0])
    tilt = np.sign(x0) * (np.log(np.abs(x0) + np.sqrt(x0**2 + np.exp(2 * log_b)), where=x0 != 0, out=0 * x0) - log_b)
    tilt[x0 == 0] = 0

    def x_at(q):
        exponent = tilt + a * q
        return (np.exp(exponent + log_b) - np.exp(log_b - exponent)) / 2

    reach = 50 + np.abs(log_b).max()
    q = brentq(lambda q: a @ x_at(q) - y, -reach, reach, xtol=1e-15, rtol=1e-15, maxiter=1000)
    solution = limit(Problem([a], [y]), Hadamard.from_scale(log_b=log_b, x0=x0))
    check_status(solution, Problem([a], [y]))
    np.testing.assert_allclose(solution.x, x_at(q), atol=1e-11)


def test_duplicated_columns_share_in_proportion_to_their_scales():
    problem = Problem([[1.0, 1.0]], [2.0])
    for b in ([1.0, 3.0], [1e-9, 3e-9], [1e-200, 3e-200]):
        np.testing.assert_allclose(limit(problem, Hadamard.from_scale(b)).x, [0.5, 1.5], rtol=1e-12)
    np.testing.assert_allclose(limit(problem, Hadamard.from_scale(log_b=[-1e5, -1e5 + np.log(3)])).x, [0.5, 1.5], 1e-9)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("log_b", [-1e3, -1e5])
def test_vanishing_scale_ends_at_the_least_l1_norm(case, log_b):
    problem = case.problem
    solution = limit(problem, Hadamard.from_scale(log_b=log_b, d=problem.d))
    check_status(solution, problem, case.status)
    assert np.abs(solution.x).sum() == pytest.approx(case.l1, abs=1e-9)
    if case.unique:
        np.testing.assert_allclose(solution.x, case.minimum_l1, atol=1e-9)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("nonzeros", [None, 2])
def test_vanishing_scale_against_highs(seed, nonzeros):
    problem = gaussian(6, 20, seed, nonzeros)
    solution = limit(problem, Hadamard.from_scale(log_b=-1e5, d=20))
    check_status(solution, problem)
    np.testing.assert_allclose(solution.x, least_l1(problem.X, problem.y)[1], atol=1e-9)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_large_scale_ends_at_the_least_l2_norm(case):
    solution = limit(case.problem, Hadamard.from_scale(1e7, d=case.problem.d))
    check_status(solution, case.problem, case.status)
    np.testing.assert_allclose(solution.x, case.minimum_l2, atol=1e-9)


@pytest.mark.parametrize("scale", [1e8, 1e14, 1e100])
def test_huge_scales_are_certified(scale):
    case = BY_NAME["orthonormal rows with a face of solutions"]
    solution = limit(case.problem, Hadamard.from_scale(scale, d=4))
    check_status(solution, case.problem)
    np.testing.assert_allclose(solution.x, case.minimum_l2, atol=1e-12)


def test_large_unequal_scales_weight_the_least_l2_norm():
    b = 1e8 * np.array([1.0, 3.0])
    # min x1^2 + x2^2/3 over x1 + x2 = 4
    np.testing.assert_allclose(limit(Problem([[1.0, 1.0]], [4.0]), Hadamard.from_scale(b)).x, [1, 3], rtol=1e-10)


def test_start_away_from_zero_with_vanishing_scale_is_not_the_least_l1_norm():
    # The limit cost is |x|_1 - <x, sign x0>; with x0 = (1, 0) the first feature is free as long as it is positive.
    problem = Problem([[1.0, 2.0]], [3.0])
    solution = limit(problem, Hadamard.from_scale(log_b=-1e4, x0=[1.0, 0.0]))
    np.testing.assert_allclose(solution.x, [3.0, 0.0], atol=1e-9)
    np.testing.assert_allclose(limit(problem, Hadamard.from_scale(log_b=-1e4, d=2)).x, [0.0, 1.5], atol=1e-9)


def test_decay_takes_any_start_to_the_least_l1_norm():
    problem = gaussian(4, 10, 0)
    x0 = np.random.default_rng(0).standard_normal(10)
    solution = limit(problem, Hadamard.at(x0, 1.0), decay=1e4)
    check_status(solution, problem)
    # At distance 1/log(1/b) in the exponents only: entries with no slack would be off, the others are exactly there.
    np.testing.assert_allclose(solution.x, least_l1(problem.X, problem.y)[1], atol=1e-8)


def test_a_feature_that_is_not_seen_only_decays():
    problem = Problem([[1.0, 0.0, 2.0]], [1.0])
    for network, factor in ((Hadamard.at([0.5, -2.0, 0.1], 1.0), 4), (Direct([0.5, -2.0, 0.1]), 2)):
        for decay in (0.0, 0.6):
            x = limit(problem, network, decay).x
            assert x[1] == pytest.approx(-2.0 * np.exp(-factor * decay), rel=1e-12)
            assert x[0] + 2 * x[2] == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("decay", [0.0, 0.5])
def test_direct_is_the_projection_of_the_shrunken_start(case, decay):
    problem = case.problem
    x0 = np.random.default_rng(3).standard_normal(problem.d)
    start = np.exp(-2 * decay) * x0
    solution = limit(problem, Direct(x0), decay)
    check_status(solution, problem, case.status)
    expected = start + np.linalg.pinv(problem.X) @ (problem.y - problem.X @ start)
    np.testing.assert_allclose(solution.x, expected, atol=1e-12)
    assert solution.log_scale is None


def test_zero_targets_from_zero_stay_there_and_from_elsewhere_do_not():
    problem = Problem([[1.0, 2.0, 3.0], [0.0, 1.0, 1.0]], [0.0, 0.0])
    assert not limit(problem, Hadamard.at(0.0, 1.0, d=3)).x.any()
    x0 = np.array([1.0, 1.0, -1.0])  # in the null space: a solution already, and there the potential is least
    np.testing.assert_allclose(limit(problem, Hadamard.at(x0, 1.0)).x, x0, rtol=1e-12)


@pytest.mark.parametrize("factor", [1e-100, 1e-8, 1e8, 1e100])
def test_units_do_not_matter(factor):
    problem = gaussian(4, 9, 5)
    base = limit(problem, Hadamard.from_scale(0.01, d=9))
    scaled_y = limit(Problem(problem.X, factor * problem.y), Hadamard.from_scale(0.01 * factor, d=9))
    scaled_X = limit(Problem(factor * problem.X, factor * problem.y), Hadamard.from_scale(0.01, d=9))
    for scaled, by in ((scaled_y, factor), (scaled_X, 1.0)):
        assert scaled.status is Status.converged, str(scaled.certificate)
        np.testing.assert_allclose(scaled.x / by, base.x, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("seed", range(3))
def test_many_features_take_the_iterative_path(seed):
    # More than four features a sample: the Hessian is then only preconditioned, not formed.
    problem = gaussian(5, 60, seed)
    x0 = np.random.default_rng(seed).standard_normal(60)
    solution = limit(problem, Hadamard.at(x0, 0.5), 0.1)
    check_status(solution, problem)
    expected = hyperbolic_limit(problem.X, problem.y, np.full(60, 0.25), x0, 0.1)
    np.testing.assert_allclose(solution.x, expected, atol=1e-9)


def test_scales_over_many_orders_at_once():
    problem = gaussian(5, 12, 8)
    log_b = np.linspace(-2000, 0, 12)
    solution = limit(problem, Hadamard.from_scale(log_b=log_b))
    check_status(solution, problem)
    # KKT in logarithms: q = 2 X'nu has q_i = sign x_i (log 2|x_i| - log b_i) where |x_i| >> b_i.
    q = -2 * problem.X.T @ solution.dual
    large = np.abs(solution.x) > 1e-5
    large &= np.log(np.abs(solution.x), where=large, out=np.full(12, -np.inf)) > log_b + 12
    size = np.where(large, np.abs(solution.x), 1.0)
    expected = np.sign(solution.x) * (np.log(2 * size) - log_b)
    assert large.sum() >= 3
    np.testing.assert_allclose(q[large], expected[large], rtol=1e-8)


@pytest.mark.parametrize("log_b", [0.0, -20.0, -1e5])
def test_certificate_turns_invalid_when_the_answer_is_moved(log_b):
    problem = gaussian(4, 9, 2)
    network = Hadamard.from_scale(log_b=log_b, d=9)
    solution, mirror = limit(problem, network), network.mirror()
    assert certify_limit(problem, mirror, 0.0, solution.x, solution.dual).valid
    size = np.abs(solution.x).max()
    for i in range(9):
        moved = solution.x + 1e-6 * size * np.eye(9)[i]
        assert not certify_limit(problem, mirror, 0.0, moved, solution.dual).valid
    along = scipy.linalg.null_space(problem.X)[:, 0]
    feasible = certify_limit(problem, mirror, 0.0, solution.x + 1e-3 * size * along, solution.dual)
    assert feasible["feasibility"].passed
    assert not feasible["dual representation"].passed
    assert not feasible["primal-dual gap"].passed
    assert not certify_limit(problem, mirror, 0.0, solution.x, solution.dual * (1 + 1e-5)).valid
    assert not certify_limit(problem, mirror, 1.0, solution.x, solution.dual).valid


def test_certificate_of_a_wrong_exponent():
    problem, network = gaussian(4, 9, 2), Hadamard.at(np.linspace(-1, 1, 9), 1.0)
    half = limit(problem, network, 0.5)  # what exp(-2A) in place of exp(-4A) would give for A = 1
    assert not certify_limit(problem, network.mirror(), 1.0, half.x, half.dual).valid


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf, -np.inf])
def test_decay_must_be_finite_and_not_negative(bad):
    with pytest.raises(ValueError, match=r"decay must be a finite number >= 0, .* got .*ask minimum_l1\(problem\)"):
        limit(gaussian(2, 3, 0), Hadamard.at(0.0, d=3), bad)


def test_sizes_must_agree():
    with pytest.raises(ValueError, match=r"network has 4 effective weights, the problem 3 features: .*d=problem.d"):
        limit(gaussian(2, 3, 0), Hadamard.at(0.0, d=4))


@pytest.mark.parametrize(
    "network",
    [Hadamard.balanced([1.0, 1.0, 1.0]), Hadamard([1, 1, 1], [0, 0, 0], decay_on="m"),
     SharedHadamard([1.0], [1.0, 1.0, 1.0], [0, 0, 0])],
    ids=["balanced", "decay on m", "shared"],
)  # fmt: skip
def test_networks_without_a_mirror(network):
    with pytest.raises(NoMirror, match=r"no mirror|start is balanced"):
        limit(gaussian(2, 3, 0), network)


def test_other_losses_need_a_solution():
    consistent = dataclasses.replace(gaussian(2, 4, 0), loss=Huber())
    squared = limit(gaussian(2, 4, 0), Hadamard.at(0.0, d=4))
    np.testing.assert_allclose(limit(consistent, Hadamard.at(0.0, d=4)).x, squared.x, rtol=1e-12)
    with pytest.raises(ValueError, match=r"Xx = y has no solution, .* depends on the loss: write flow"):
        limit(Problem([[1.0, 2.0], [1.0, 2.0]], [1.0, 3.0], Huber()), Hadamard.at(0.0, d=2))


def test_ill_conditioned_rows():
    rng = np.random.default_rng(0)
    left, right = np.linalg.qr(rng.standard_normal((6, 6)))[0], np.linalg.qr(rng.standard_normal((15, 15)))[0][:6]
    X = left @ np.diag(np.logspace(0, -4, 6)) @ right
    x0 = rng.standard_normal(15)
    problem = Problem(X, X @ rng.standard_normal(15))
    solution = limit(problem, Hadamard.at(x0, 1.0))
    check_status(solution, problem)
    expected = hyperbolic_limit(problem.X, problem.y, np.full(15, 0.5), x0, 0.0)
    np.testing.assert_allclose(solution.x, expected, atol=1e-8)


def test_a_penalty_beyond_all_measure_is_not_certified():
    problem = gaussian(3, 6, seed=0)
    found = limit(problem, Hadamard.at(x0=0.0, beta=1.0, d=problem.d), decay=1e300)
    assert found.status is Status.not_certified
    assert "no error bar" in found.stats.notes[0]  # and nothing about a sparse X


@pytest.mark.parametrize(("make", "seed"), [(planted_sparse, 412), (coherent, 269), (planted_sparse, 12544)])
def test_where_rough_steps_lead_astray_finer_ones_arrive(make, seed):
    """At log b = -1e5 the way there is taken once more, with residuals of 1e-6 instead of 1e-2 on it."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 15))
    d = int(rng.integers(n, 5 * n + 3))
    difficulty = {"coherence": 0.99} if make is coherent else {}
    problem = make(n=n, d=d, nonzeros=int(rng.integers(1, n + 1)), rng=rng, **difficulty)
    for log_b in (-1e3, -1e5):
        found = limit(problem, Hadamard.from_scale(log_b=log_b, d=d))
        assert found.status is Status.converged
        assert found.stats.method.startswith("Newton on the dual")


@pytest.mark.parametrize("name", ["decay", "tolerance"])
def test_what_must_be_a_number_is_named(name):
    problem = gaussian(3, 6, seed=0)
    with pytest.raises(TypeError, match=rf"^{name} must be a number, got str"):
        limit(problem, Hadamard.from_scale(1.0, d=6), **{name: "1"})


# The way there


class Shy(DualNewton):
    """Newton's method that leaves a residual wherever A has changed by more than `reach` since it last left none.

    It writes down what it is asked for: A and the tolerance of each solution; A, changes and growth of each prediction.
    """

    def walk(self, mirror, reach, residual=np.inf):
        self.reach, self.residual, self.at, self.pending = reach, residual, None, None
        self.asked, self.predicted = [], []
        return list(continuation_path(self, mirror, 0.0, 1e-12))

    def solve(self, mirror, z0, A, nu, tolerance):
        self.asked.append((np.max(A), tolerance))
        nu, pull, residual = super().solve(mirror, z0, A, nu, tolerance)
        failed = self.at is not None and np.max(A) - self.at > self.reach
        self.at, self.nu = (self.at, self.nu) if failed else (np.max(A), nu)
        return nu, pull, self.residual if failed else residual

    def predict(self, mirror, z, A, dz0, dA, guess_pull):
        step, pull = super().predict(mirror, z, A, dz0, dA, guess_pull), self.X.T @ self.nu
        self.predicted.append((np.max(A), np.max(dA), dz0[-1], 1 + guess_pull @ pull / (pull @ pull)))
        self.pending = (z + dz0 + guess_pull, step) if self.reach else None
        return step

    def length(self, mirror, z, x, A, step):
        if self.pending is not None:
            np.testing.assert_allclose(z, self.pending[0])
            np.testing.assert_allclose(step, self.pending[1])
            self.pending = None
        np.testing.assert_array_equal(x, mirror.primal(z, A))
        return super().length(mirror, z, x, A, step)


@pytest.fixture
def one_step():
    """A mirror whose continuation is one step, of 1.5 in log b and 2.5 in growth, and what solves for it."""
    problem = gaussian(3, 7, 1)
    X, tilt = np.column_stack([problem.X, np.zeros(3)]), np.array([0.0] * 7 + [3.0])
    size = np.abs(np.linalg.pinv(X) @ problem.y).max()
    return Hyperbolic(np.full(8, np.log(size) - 1.5), tilt), Shy.of(Problem(X, problem.y))


def test_steps_that_fail_are_halved(one_step):
    mirror, newton = one_step
    first, last = newton.walk(mirror, reach=0.3 * 1.5 / 4)
    z0 = np.array([first.potential.z0[-1], mirror.initial_dual[-1]])
    assert z0[0] < 0.99 * z0[1]  # the start is less tilted at first
    # In units of the whole step: halves fail, quarters do not. Only the end is asked for to the last digit.
    asked = np.array([(0, 0), (1, 1), (0.5, 0), (0.25, 0), (0.5, 0), (1, 1), (0.75, 0), (1, 1)])
    scale = np.abs(newton.y).max()
    np.testing.assert_allclose([A for A, _ in newton.asked], 0.375 * (asked[:, 0] - 1), atol=1e-12)
    np.testing.assert_allclose([t for _, t in newton.asked], scale * np.where(asked[:, 1], 1e-12, 1e-2))
    ways = np.array([(0, 1), (0, 0.5), (0, 0.25), (0.25, 0.5), (0.5, 1), (0.5, 0.75), (0.75, 1)])
    part = ways[:, 1] - ways[:, 0]
    expected = [0.375 * (ways[:, 0] - 1), 0.375 * part, part * (z0[1] - z0[0])]
    np.testing.assert_allclose(np.array(newton.predicted)[:, :3], np.transpose(expected), atol=1e-12)
    np.testing.assert_allclose([growth for *_, growth in newton.predicted], 2.5**part)
    x, b = mirror.primal(mirror.initial_dual + newton.X.T @ last.nu, 0.0), np.exp(mirror.log_scale)
    np.testing.assert_allclose(x, hyperbolic_limit(newton.X, newton.y, b, b * np.sinh(mirror.tilt), 0.0), atol=1e-10)
    assert last.residual <= 1e-12 * scale


def test_steps_are_halved_four_times_and_not_where_the_residual_or_the_effort_is_the_end(one_step):
    mirror, newton = one_step
    newton.walk(mirror, reach=0.0)
    assert len(newton.asked) == 1 + 31  # a whole step, and all halves of halves down to sixteenths
    coarse = 1e-2 * np.abs(newton.y).max()
    # A residual that is good enough on the way leaves the last half to be halved, or nothing where it is tiny.
    for residual, asked in ((1.1e-6 * coarse, 2 + 2 * 4), (0.9e-6 * coarse, 2)):
        newton.walk(mirror, reach=0.0, residual=residual)
        assert len(newton.asked) == asked
    newton.iterations = 1001
    newton.walk(mirror, reach=0.0)
    assert len(newton.asked) == 2


@pytest.mark.parametrize("problem", [*(gaussian(4, 10, seed) for seed in range(8)), *(case.problem for case in CASES)])
def test_predictions_are_so_good_that_steps_are_fewer_than_stages(problem):
    network, started = Hadamard.from_scale(log_b=-1e5, d=problem.d), time.perf_counter()
    stats, elapsed = limit(problem, network).stats, time.perf_counter() - started
    assert stats.steps < len(list(network.mirror().continuation(0.0, 1.0))) == 26
    assert 0 < stats.seconds < elapsed


def test_effort_is_counted():
    network = Hadamard.at(0.0, d=60)
    iterative, direct = limit(gaussian(5, 60, 0), network).stats, limit(gaussian(20, 60, 0), network).stats
    for stats in (iterative, direct):
        assert 0 < stats.steps <= stats.factorizations  # a preconditioner for each step and prediction
    assert iterative.evaluations > 0 == direct.evaluations  # where the Hessian is formed, no products with it are
