"""Gradient descent against loops, gradients by complex steps and torch, and where it ends."""

import dataclasses

import numpy as np
import pytest

from linreg_mirror import schedules
from linreg_mirror.parametrizations import DeepLinear, Direct, Factorized, Hadamard, Power, SharedHadamard
from linreg_mirror.problems import Problem
from linreg_mirror.problems.losses import Huber
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.discrete import descent, largest_stable_step
from tests.helpers.plain import LOSSES, slope_by_complex_step, train
from tests.helpers.zoo import CASES, gaussian

METHODS = ["compiled", "numpy"]
RNG = np.random.default_rng(0)
M, W = RNG.uniform(1, 2, 6), RNG.uniform(-1, 1, 6)
GROUP = np.array([0, 0, 1, 1, 1, 0])


def squares(theta):
    return theta @ theta


def product(*shapes):
    """x = the entries of the product of matrices of these shapes, the last one leftmost."""
    sizes = np.cumsum([a * b for a, b in shapes])[:-1]

    def effective(theta):
        x = np.eye(shapes[0][1])
        for part, shape in zip(np.split(theta, sizes), shapes, strict=True):
            x = part.reshape(shape) @ x
        return x.ravel()

    return effective


# Each network, x as a function of its parameters, and the penalty.
NETWORKS = {
    "direct": (Direct(W), lambda t: t, squares),
    "m*w": (Hadamard(M, W), lambda t: t[:6] * t[6:], squares),
    "decay on m": (Hadamard(M, W, decay_on="m"), lambda t: t[:6] * t[6:], lambda t: squares(t[:6])),
    "balanced": (Hadamard.balanced(W), lambda t: t[:6] * t[6:], squares),
    "shared": (SharedHadamard([1.0, 0.7], W, GROUP), lambda t: t[GROUP] * t[2:], squares),
    "depth 2": (Power(M, M[::-1], 2), lambda t: t[:6] ** 2 - t[6:] ** 2, squares),
    "depth 3": (Power(0.5 * M, 0.5 * M[::-1], 3), lambda t: t[:6] ** 3 - t[6:] ** 3, squares),
    "deep linear": (DeepLinear.gaussian((3, 4, 2), 0.7, RNG), product((4, 3), (2, 4)), squares),
    "U V'": (Factorized(0.7 * RNG.standard_normal((2, 2)), 0.7 * RNG.standard_normal((3, 2))),
             lambda t: (t[:4].reshape(2, 2) @ t[4:].reshape(3, 2).T).ravel(), squares),
    "U U'": (Factorized.symmetric(RNG.standard_normal((3, 2))),
             lambda t: (t.reshape(3, 2) @ t.reshape(3, 2).T).ravel(), squares),
}  # fmt: skip


# Steps


@pytest.mark.parametrize("momentum", [0.0, 0.7])
@pytest.mark.parametrize("name", NETWORKS)
def test_any_network_follows_its_gradient(name, momentum):
    network, effective, penalty = NETWORKS[name]
    problem, steps, eta, alpha = gaussian(4, network.d, 1), 60, 0.02 * (1 - momentum), 0.1

    def objective(theta):
        r = problem.X @ effective(theta) - problem.y
        return 0.5 * r @ r + alpha * penalty(theta)

    path = [network.theta0, network.theta0]
    for _ in range(steps):
        push = momentum * (path[-1] - path[-2])
        path.append(path[-1] + push - eta * slope_by_complex_step(objective, path[-1]))
    run = descent(problem, network, eta, alpha, momentum=momentum, steps=steps, tolerance=0, keep=range(steps))
    np.testing.assert_allclose(run.parameters, path[1:], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(run.x, [effective(theta) for theta in path[1:]], rtol=1e-10, atol=1e-12)
    assert run.source == "descent"
    assert run.stats.steps == run.step[-1] == steps
    assert (run.bias is not None) == (name in ("m*w", "depth 2"))
    assert repr(run).startswith("Descent(61 points to t=")


STEP_SIZES = {
    "constant": (0.02, lambda k: 0.02 + 0 * k),
    "schedule": (schedules.Geometric(0.02, 0.99, clock="step"), lambda k: 0.02 * 0.99**k),
    "function": (lambda k: 0.02 / (1 + k / 9) if k % 7 else 0, lambda k: np.where(k % 7, 0.02 / (1 + k / 9), 0)),
}
PENALTIES = {
    "none": (None, lambda k, t: 0.0 * k),
    "number": (0.1, lambda k, t: 0.1 + 0 * k),
    "step": (schedules.Piecewise((0, 5, 90), (0.1, 0.3, 0), clock="step"), lambda k, t: np.select(
        [k < 5, k < 90], [0.1, 0.3], 0.0)),
    "epoch": (schedules.Quadratic(0.3, period=9.0, clock="epoch"), lambda k, t: 0.3 / (1 + k / 9) ** 2),
    "time": (schedules.Harmonic(0.3, period=0.1), lambda k, t: 0.3 / (1 + t / 0.1)),
    "switched off": (schedules.SwitchedOff(0.3, at=0.25), lambda k, t: np.where(t < 0.25, 0.3, 0.0)),
}  # fmt: skip


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("step_size", STEP_SIZES)
def test_step_sizes_and_penalties_are_read_where_they_say(step_size, penalty, method):
    problem, steps, k = gaussian(4, 6, 2), 150, np.arange(150)
    eta = STEP_SIZES[step_size][1](k)
    t = np.concatenate([[0], np.cumsum(eta)])
    alpha = PENALTIES[penalty][1](k, t[:-1])
    run = descent(
        problem, Hadamard(M, W), STEP_SIZES[step_size][0], PENALTIES[penalty][0], momentum=0.5,
        steps=steps, tolerance=0, keep=range(steps), method=method,
    )  # fmt: skip
    path, duals = train(problem, M, W, eta, alpha, momentum=0.5)
    np.testing.assert_allclose(run.parameters, path.reshape(steps + 1, 12), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(run.dual, duals, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(run.t, t, rtol=1e-12)
    np.testing.assert_allclose(run.decay, np.concatenate([[0], np.cumsum(eta * alpha)]), rtol=1e-12)


@pytest.mark.parametrize("method", METHODS)
def test_decay_by_hand(method):
    # A feature that is not seen: each factor loses the share 2 eta alpha.
    schedule = schedules.Piecewise((0, 3), (0.1, 0.05))
    run = descent(
        Problem([[1.0, 0.0]], [0.0]), Hadamard([1.0, 2.0], [0.0, 1.0]), lambda k: k + 1, schedule,
        steps=4, tolerance=0, keep=range(4), method=method,
    )  # fmt: skip
    assert run.t.tolist() == [0, 1, 3, 6, 10]
    np.testing.assert_allclose(run.decay, [0, 0.1, 0.3, 0.45, 0.65], rtol=1e-14)
    np.testing.assert_allclose(run.x[:, 1], 2 * np.cumprod([1, 0.8, 0.6, 0.7, 0.6]) ** 2, rtol=1e-14)


@pytest.mark.parametrize(("loss", "slope"), LOSSES.values(), ids=LOSSES)
def test_other_losses(loss, slope):
    problem = dataclasses.replace(gaussian(4, 6, 0), loss=loss)
    run = descent(problem, Hadamard(M, W), 0.03, 0.05, momentum=0.5, steps=100, tolerance=0)
    path, duals = train(problem, M, W, [0.03] * 100, [0.05] * 100, momentum=0.5, slope=slope)
    np.testing.assert_allclose(run.parameters[-1], path[-1].ravel(), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(run.dual[-1], duals[-1], rtol=1e-12)
    assert run.stats.method == "descent: numpy"  # compiled are squares alone


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("huber", [False, True], ids=["squares", "huber"])
def test_torch_agrees(huber, momentum, method):
    torch = pytest.importorskip("torch")
    problem = dataclasses.replace(gaussian(4, 6, 3), **({"loss": Huber(0.5)} if huber else {}))
    X, y, m, w = (torch.tensor(a) for a in (problem.X, problem.y, M, W))
    m.requires_grad_(), w.requires_grad_()
    optimizer = torch.optim.SGD([m, w], lr=0.01, momentum=momentum, weight_decay=0.1)  # which is alpha = 0.05
    for _ in range(200):
        optimizer.zero_grad()
        r = X @ (m * w) - y
        value = torch.nn.functional.huber_loss(r, 0 * r, reduction="sum", delta=0.5) if huber else 0.5 * r @ r
        value.backward()
        optimizer.step()
    run = descent(problem, Hadamard(M, W), 0.01, 0.05, momentum=momentum, steps=200, tolerance=0, method=method)
    np.testing.assert_allclose(run.parameters[-1], torch.cat([m, w]).detach().numpy(), rtol=1e-11, atol=1e-13)


# Where runs end


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_zoo_ends_where_squares_are_least(case, method):
    problem, x0 = case.problem, 0.3 * np.random.default_rng(0).standard_normal(len(case.minimum_l1))
    network = Hadamard.at(x0, 1.0)
    eta = min(0.5 * largest_stable_step(problem, network), 1.0)
    run = descent(problem, network, eta, schedules.Geometric(0.2, ratio=0.1), method=method)
    assert run.status is (Status.converged if case.consistent else Status.inconsistent)
    assert run.certificate.valid, str(run.certificate)
    scale = np.abs(problem.X.T @ problem.y).max() or 1.0
    assert np.abs(problem.gradient(run.x[-1])).max() <= 1.01e-9 * scale


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("alpha", [0.3, 1.0])
def test_constant_penalty_ends_at_lasso_with_twice_the_weight(alpha, momentum, method):
    problem = gaussian(5, 9, 0)
    run = descent(problem, Hadamard.at(0.2, 1.0, d=9), 0.02, alpha, momentum=momentum, method=method)
    assert run.status is Status.converged
    assert run.certificate.valid
    x, g = run.x[-1], problem.gradient(run.x[-1])
    scale, on = np.abs(problem.X.T @ problem.y).max(), np.abs(x) > 1e-6
    assert 0 < on.sum() < 9
    assert np.abs(g).max() <= 2 * alpha + 1e-8 * scale
    np.testing.assert_allclose(g[on], -2 * alpha * np.sign(x[on]), atol=1e-6)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_direct_with_a_penalty_is_ridge(momentum):
    problem = gaussian(5, 9, 0)
    run = descent(problem, Direct.at(1.0, d=9), 0.02, 0.05, momentum=momentum)
    assert run.status is Status.converged
    ridge = np.linalg.solve(problem.X.T @ problem.X + 0.1 * np.eye(9), problem.X.T @ problem.y)
    np.testing.assert_allclose(run.x[-1], ridge, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("X", "y", "x0"), [([[1, 1]], [1], 0.5), ([[1, 2]], [0], 0), ([[0, 0]], [0], 0.3)])
def test_already_at_the_end(X, y, x0, method):
    run = descent(Problem(X, y), Hadamard.at(x0, 1.0, d=2), 0.1, method=method)
    assert run.status is Status.converged
    assert run.step.tolist() == run.t.tolist() == [0]
    np.testing.assert_allclose(run.x, [[x0, x0]], rtol=1e-15)
    assert run.certificate.valid
    assert run.l1_lower_bound == 0


@pytest.mark.parametrize("clock", ["step", "epoch", "time"])
def test_runs_until_the_penalty_is_over_even_if_already_stationary(clock):
    schedule = schedules.Geometric(0.02, ratio=0.99, clock=clock)
    run = descent(Problem([[1.0, 1.0]], [1.0]), Hadamard.at(0.5, 1.0, d=2), 0.1, schedule)
    assert run.status is Status.converged
    if clock == "time":
        assert 0.02 * 0.99 ** run.t[-1] / np.log(1 / 0.99) <= 1e-9
    else:
        assert run.decay[-1] == pytest.approx(0.1 * 0.02 / (1 - 0.99), abs=2e-9)
    assert run.certificate.valid


@pytest.mark.parametrize("momentum", [0.0, 0.5])
@pytest.mark.parametrize(
    ("network", "alpha"), [(Direct.at(1.0, d=6), 1.0), (Power.from_scale(0.3, depth=3, d=6), 2.0)], ids=["direct", "3"]
)
def test_parameters_may_vanish(network, alpha, momentum):
    problem = gaussian(3, 6, 0) if network.theta0.size > 6 else Problem(np.eye(6), np.zeros(6))
    run = descent(problem, network, 0.02, alpha, momentum=momentum, steps=2000)
    assert run.status is Status.converged
    assert np.abs(run.x[-1]).max() < 1e-8


def test_how_far_a_step_goes_counts_with_momentum_alone():
    # Here steps are as long as 1/gradient; f stops falling before parameters stop moving.
    problem, network = gaussian(5, 30, 24), Hadamard.from_scale(1e-3, d=30)
    eta = 0.97 * largest_stable_step(problem, network)
    compiled, plain = (descent(problem, network, eta, method=method, keep=()) for method in METHODS)
    assert compiled.stats.steps == plain.stats.steps


def throw(k):
    """One step, with momentum 0.9 of which x coasts into the solution by step 64; then short ones."""
    return 0.1 / (1 - 0.9**64) if k == 0 else 0.0 if k < 64 else 0.01


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("network", [Direct.at(0.0, d=1), Hadamard.at(0.0, 1.0, d=1)], ids=["direct", "m*w"])
def test_passing_through_a_solution_is_not_the_end(network, method):
    run = descent(Problem([[1.0]], [1.0]), network, throw, momentum=0.9, keep=(64,), method=method)
    assert run.step[1] == 64
    assert run.x[1, 0] == pytest.approx(1.0, abs=1e-14)
    assert run.status is Status.converged
    assert run.step[-1] > 64
    assert np.abs(run.x[-1, 0] - 1) < 1e-9


def test_what_never_ends_spends_the_budget():
    problem, network = gaussian(4, 6, 0), Hadamard(M, W)
    run = descent(problem, network, 0.02, schedules.Harmonic(0.1), steps=2000)
    assert run.status is Status.horizon_reached
    assert run.certificate["penalty to come"].value == np.inf
    run = descent(problem, network, 0.02, 0.05, steps=50)
    assert (run.status, run.step[-1]) == (Status.horizon_reached, 50)
    assert not run.certificate.valid
    assert (run.certificate["penalty to come"].value, run.certificate["relative stationarity"].passed) == (0, False)


def test_tolerance_zero_takes_all_steps():
    for problem in (gaussian(4, 6, 0), Problem(np.eye(6), np.zeros(6))):
        run = descent(problem, Hadamard(M, 0 * W), 0.02, steps=3000, tolerance=0)
        assert (run.status, run.step[-1]) == (Status.until_reached, 3000)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("eta", "until", "steps"),
    [(0.1, 1.0, 10), (0.1, 0.95, 10), (0.25, 0.2, 1), (0.07, 7.0, 100), (1e-3, 10.0, 10_000), (0.01, 100.0, 10_000)],
)
def test_until_is_hit_exactly(eta, until, steps, method):
    run = descent(Problem([[0.1, 0.2]], [1.0]), Hadamard.at(0.0, d=2), eta, 0.1, until=until, method=method)
    assert (run.status, run.step[-1]) == (Status.until_reached, steps)
    assert run.t[-1] == pytest.approx(eta * steps, rel=1e-11)


def test_until_is_out_of_reach():
    run = descent(gaussian(4, 6, 0), Hadamard(M, W), 0.01, until=2.0, steps=199)
    assert (run.status, run.step[-1]) == (Status.horizon_reached, 199)


def test_step_sizes_after_the_end_are_not_asked_for():
    run = descent(gaussian(4, 6, 0), Hadamard(M, W), [0.01, 0.02, 0.01].__getitem__, until=0.04)
    assert run.step[-1] == 3
