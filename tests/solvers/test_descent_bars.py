"""How far a descent is from its limit and from the exact run: never farther than proved."""

import numpy as np
import pytest
import scipy.sparse
from scipy.sparse.linalg import aslinearoperator

import linreg_mirror as lm
from linreg_mirror import Problem, Status
from linreg_mirror.solvers.discrete import destination, plan
from linreg_mirror.solvers.discrete.minibatches import Minibatches
from linreg_mirror.solvers.discrete.run_error import BoundedSteps
from linreg_mirror.solvers.discrete.steppers import Chunk, CompiledSteps

flint = pytest.importorskip("flint")
from benchmarks.conditioning import exact_limit  # noqa: E402
from benchmarks.conditioning import problem as ill_conditioned  # noqa: E402


def gaussian(seed, n=6, d=20, planted=True):
    rng = np.random.default_rng(seed)
    X, x = rng.standard_normal((n, d)), np.zeros(d)
    x[:3] = rng.standard_normal(3)
    return Problem(X, X @ x if planted else rng.standard_normal(n))


def distance(x, exact):
    return float(sum(abs(v - float(u)) for u, v in zip(x, exact, strict=True)))


def exact_run(problem, network, eta, alpha, steps, batches):
    """Return x after the steps in arithmetic of 400 bits, from the factors in float64."""
    flint.ctx.prec = 400
    ball, n = flint.arb, problem.n
    X = problem.X if isinstance(problem.X, np.ndarray) else problem.X.toarray()
    X = flint.arb_mat([[ball(float(v)) for v in row] for row in X])
    y = flint.arb_mat([[ball(float(v))] for v in problem.y])
    u, v = ([ball(float(one)) for one in np.exp(log_factor)] for log_factor in network.log_factors())
    eta, stay = ball(float(eta)), 1 - 2 * ball(float(eta)) * ball(float(alpha))
    for k in range(steps):
        r = X * flint.arb_mat([[(a * a - b * b) / 2] for a, b in zip(u, v, strict=True)]) - y
        if batches:
            counts = np.bincount(batches[k], minlength=n)
            r = flint.arb_mat([[r[i, 0] * int(counts[i]) * n / len(batches[k])] for i in range(n)])
        g = X.transpose() * r
        u = [(a * (stay - eta * g[j, 0])).mid() for j, a in enumerate(u)]
        v = [(b * (stay + eta * g[j, 0])).mid() for j, b in enumerate(v)]
    return [(a * a - b * b) / 2 for a, b in zip(u, v, strict=True)]


@pytest.mark.parametrize("kind", ["full", "penalty", "batches", "replacement", "sparse", "sparse batches"])
@pytest.mark.parametrize("scale", [1.0, 0.1, 1e-4])
def test_rounding_stays_below_its_bar(kind, scale, monkeypatch):
    drawn = []

    class Recorded(Minibatches):
        def draw(self, steps):
            rows, sizes = super().draw(steps)
            drawn.extend(row[:size] for row, size in zip(rows, sizes, strict=True))
            return rows, sizes

    monkeypatch.setattr(plan, "Minibatches", Recorded)
    for seed in range(3):
        drawn.clear()
        problem = gaussian(seed, planted=seed != 1)
        eta = 0.5 * lm.largest_stable_step(problem, lm.Hadamard.from_scale(scale, d=20))
        if "sparse" in kind:
            kept = np.random.default_rng(seed).uniform(size=(6, 20)) < 0.6
            problem = Problem(scipy.sparse.csc_array(problem.X * kept), problem.y)
        batched = {"batch_size": 4, "replacement": kind == "replacement", "rng": np.random.default_rng(seed)}
        batched = batched if kind in ("batches", "replacement", "sparse batches") else {}
        eta = 0.3 * eta if batched else eta
        alpha = 0.1 if kind == "penalty" else 0.0
        network = lm.Hadamard.from_scale(scale, d=20)
        run = lm.descent(problem, network, eta, alpha, steps=400, tolerance=0, bar=True, **batched)
        error = distance(run.x[-1], exact_run(problem, network, eta, alpha, 400, drawn))
        assert error <= run.error
        assert run.digits > (6 if scale < 0.01 else 9)
        assert not any("bound of error" in note for note in run.stats.notes)


def test_errors_of_the_start_grow_as_the_bar_says():
    # Far from fitting, the growing factor's error grows by 1 + eta |g| in each step: the bar is attained.
    problem = Problem([[1.0]], [1.0])
    network, moved = (lm.Hadamard.from_scale(scale, d=1) for scale in (1e-12, (1 + 1e-8) * 1e-12))
    steps = CompiledSteps(problem, network, 0.0)
    bounded = BoundedSteps(CompiledSteps(problem, moved, 0.0), problem)
    bounded.distance = float(np.linalg.norm(bounded.theta - steps.theta))
    chunk = Chunk(np.full(100, 0.05), np.zeros(100), np.zeros(100, bool))
    for one in (steps, bounded):
        one.advance(chunk)
    apart = float(np.linalg.norm(bounded.theta - steps.theta))
    assert apart <= bounded.distance <= 1.5 * apart
    # And at rest it neither grows nor shrinks along the interpolators, but for the residual.
    for _ in range(100):
        for one in (steps, bounded):
            one.advance(chunk)
    assert float(np.linalg.norm(bounded.theta - steps.theta)) <= bounded.distance < np.inf


@pytest.mark.parametrize("seed", range(5))
def test_runs_from_starts_that_differ_stay_as_close_as_the_bar_says(seed):
    rng = np.random.default_rng(seed)
    problem = gaussian(seed, n=4, d=8)
    log_b = rng.uniform(-4, 0, 8)
    network, moved = (lm.Hadamard.from_tilt(log_b, tilt) for tilt in (np.zeros(8), 1e-7 * rng.standard_normal(8)))
    eta = 0.5 * lm.largest_stable_step(problem, network)
    steps, bounded = CompiledSteps(problem, network, 0.0), BoundedSteps(CompiledSteps(problem, moved, 0.0), problem)
    bounded.distance = float(np.linalg.norm(bounded.theta - steps.theta))
    for count in (1, 10, 100, 500):
        chunk = Chunk(np.full(count, eta), np.full(count, 0.01), np.zeros(count, bool))
        for one in (steps, bounded):
            one.advance(chunk)
        apart = float(np.linalg.norm(bounded.theta - steps.theta))
        assert apart <= bounded.distance <= 1e3 * 1e-7


@pytest.mark.parametrize("batched", [False, True])
def test_the_bar_changes_nothing_else(batched):
    problem, network = gaussian(0), lm.Hadamard.from_scale(0.1, d=20)
    plain, barred = (
        lm.descent(
            problem, network, 0.005, bar=bar, steps=3000,
            **({"batch_size": 4, "rng": np.random.default_rng(0)} if batched else {}),
        )
        for bar in (False, True)
    )  # fmt: skip
    for name in ("x", "t", "step", "dual", "parameters", "decay"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(barred, name))
    assert (plain.status, plain.to_limit) == (barred.status, barred.to_limit)
    assert plain.error == np.inf
    assert "no bound of error: write bar=True for one" in plain.stats.notes
    assert barred.digits > 9


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda p, net: lm.descent(p, net, 0.001, bar=True, momentum=0.5), "with momentum"),
        (lambda p, net: lm.descent(p, net, 0.001, bar=True, method="numpy"), "only the compiled steps"),
        (lambda p, net: lm.descent(p, lm.Direct.at(0.0, d=20), 0.001, bar=True), "only the compiled steps"),
        (lambda p, net: lm.descent(Problem(aslinearoperator(p.X), p.y), net, 0.001, bar=True), "an operator's"),
        (lambda p, net: lm.descent(p, net, 10.0, bar=True), "without bounds"),
        (lambda p, net: lm.descent(p, net, 0.3, bar=True, tolerance=0, steps=2000), "without bounds"),
    ],
)
def test_where_rounding_is_not_bounded_the_reason_is_given(make, reason):
    run = make(gaussian(0), lm.Hadamard.from_scale(0.1, d=20))
    (note,) = (note for note in run.stats.notes if "bound of error" in note)
    assert reason in note
    assert run.error == np.inf


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("condition", [1.0, 100.0])
def test_the_limit_is_as_near_as_proved(condition, momentum):
    rng = np.random.default_rng(1)
    for kind in ("planted", "random"):
        of = ill_conditioned(4, 12, condition, kind, rng)
        network = lm.Hadamard.from_scale(0.1, x0=0.1 * rng.standard_normal(12), d=12)
        eta = 0.3 * (1 - momentum) * lm.largest_stable_step(of, network)
        for tolerance in (1e-4, 1e-9):
            run = lm.descent(of, network, eta, momentum=momentum, tolerance=tolerance, steps=200_000)
            assert run.status is Status.converged
            bias = run.implicit
            exact = exact_limit(of, bias.log_scale, lm.limit(of, bias.network), bias.tilt)
            error = distance(run.x[-1], exact)
            assert error <= run.to_limit <= 1.01 * error + 1e-13
            shown = run.certificate["distance to the limit"]
            assert shown.value == pytest.approx(run.to_limit / np.abs(run.x[-1]).sum())
            assert shown.passed


def test_batches_and_a_penalty_that_ends():
    problem, network = gaussian(2), lm.Hadamard.from_scale(0.1, d=20)
    schedule = lm.schedules.SwitchedOff(0.05, at=1.0)
    run = lm.descent(
        problem, network, 0.003, schedule, batch_size=3, rng=np.random.default_rng(0), steps=400_000, tolerance=1e-8
    )
    assert run.status is Status.converged
    again = lm.limit(problem, run.implicit.network)
    assert np.abs(run.x[-1] - again.x).sum() <= run.to_limit + again.error
    assert run.to_limit < 1e-5


def test_a_run_that_is_stationary_may_be_far_from_its_limit():
    of = ill_conditioned(6, 20, 1e4, "random", np.random.default_rng(3))
    network = lm.Hadamard.from_scale(0.1, d=20)
    run = lm.descent(of, network, 0.5 * lm.largest_stable_step(of, network), tolerance=1e-2, steps=1_000_000)
    assert run.status is Status.converged
    assert run.certificate.valid
    assert run.certificate["distance to the limit"].value > 0.1


def test_a_run_to_a_time_is_bounded_without_a_search():
    problem, network = gaussian(4), lm.Hadamard.from_scale(0.1, d=20)
    run = lm.descent(problem, network, 0.005, until=20.0)
    again = lm.limit(problem, run.implicit.network)
    assert np.abs(run.x[-1] - again.x).sum() <= run.to_limit + again.error


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda p, net: lm.descent(p, net, 10.0), "diverged"),
        (lambda p, net: lm.descent(p, net, 0.005, 0.1), "LASSO"),
        (lambda p, net: lm.descent(p, lm.Direct.at(0.0, d=20), 0.005), "unbalanced start"),
        (lambda p, net: lm.descent(p, lm.Hadamard.balanced(np.ones(20)), 0.005), "unbalanced start"),
        (lambda p, net: lm.descent(Problem(aslinearoperator(p.X), p.y), net, 0.005), "an operator's"),
        (lambda p, net: lm.descent(Problem(np.vstack([p.X, 3 * p.X]), [*p.y, *(3 * p.y)]), net, 0.0005), "dependent"),
    ],
)
def test_where_the_limit_is_not_proved_the_reason_is_given(make, reason):
    run = make(gaussian(0), lm.Hadamard.from_scale(0.1, d=20))
    (note,) = (note for note in run.stats.notes if "bound of to_limit" in note)
    assert reason in note
    assert run.to_limit == np.inf
    assert "distance to the limit" not in str(run.certificate)


def test_a_proof_that_would_take_longer_than_the_run_is_left_out(monkeypatch):
    monkeypatch.setattr(destination, "_SMALL", 0)
    problem, network = gaussian(0), lm.Hadamard.from_scale(0.1, d=20)
    short, long = (lm.descent(problem, network, 0.005, steps=steps, tolerance=0) for steps in (50, 2000))
    assert (short.to_limit, long.limit_digits > 5) == (np.inf, True)
    assert "ask limit(problem, run.implicit.network)" in short.stats.notes[-1]
