"""How minibatches are drawn, and descent on them against a loop."""

import dataclasses

import numpy as np
import pytest

from linreg_mirror import schedules
from linreg_mirror.parametrizations import Direct, Hadamard, Power
from linreg_mirror.problems import Problem
from linreg_mirror.problems.losses import EntrywiseCauchy, Huber, JointCauchy, LogCosh, Squared
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.discrete import descent, largest_stable_step
from linreg_mirror.solvers.discrete.minibatches import Minibatches
from tests.helpers.plain import LOSSES, train
from tests.helpers.zoo import gaussian

SIZES = [(7, 3), (6, 3), (5, 1), (4, 4), (5, 4), (1, 1)]
SEPARABLE = [Squared(), Huber(0.5), LogCosh(), EntrywiseCauchy()]


def rng(seed=0):
    return np.random.default_rng(seed)


def by_name(thing):
    return type(thing).__name__


def drawn(n, batch_size, replacement, steps, seed=0):
    """The batches of a run, each an array of its own."""
    rows, sizes = Minibatches(n, batch_size, replacement, rng(seed)).draw(steps)
    return [row[:size] for row, size in zip(rows, sizes, strict=True)]


# Drawing


@pytest.mark.parametrize(("n", "batch_size"), SIZES)
def test_an_epoch_visits_each_row_once(n, batch_size):
    batches = Minibatches(n, batch_size, False, rng())
    per_epoch = int(np.ceil(n / batch_size))
    assert batches.steps_per_epoch == per_epoch
    rows, sizes = batches.draw(5 * per_epoch)
    assert rows.shape == (5 * per_epoch, batch_size)
    expected = [min(batch_size, n - k * batch_size) for k in range(per_epoch)]
    assert sizes.tolist() == 5 * expected
    epochs = np.split(np.arange(5 * per_epoch), 5)
    seen = [np.concatenate([rows[k, : sizes[k]] for k in epoch]).tolist() for epoch in epochs]
    assert all(sorted(order) == list(range(n)) for order in seen)
    if n > 3:
        assert len({tuple(order) for order in seen}) > 1  # every epoch has a permutation of its own


@pytest.mark.parametrize(("n", "batch_size"), SIZES)
def test_with_replacement_every_draw_is_afresh(n, batch_size):
    batches = Minibatches(n, batch_size, True, rng())
    assert batches.steps_per_epoch == int(np.ceil(n / batch_size))
    rows, sizes = batches.draw(4000)
    assert rows.shape == (4000, batch_size)
    assert (sizes == batch_size).all()
    counts = np.bincount(rows.ravel(), minlength=n)
    # Binomial, within six standard deviations.
    spread = 6 * np.sqrt(rows.size * (1 / n) * (1 - 1 / n))
    assert np.abs(counts - rows.size / n).max() <= spread
    if batch_size > 1:
        assert any(len(set(row)) < batch_size for row in rows.tolist())


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize(("n", "batch_size"), SIZES)
def test_chunks_of_any_length_are_one_sequence(n, batch_size, replacement):
    whole = Minibatches(n, batch_size, replacement, rng(3))
    rows, sizes = whole.draw(100)
    parts = Minibatches(n, batch_size, replacement, rng(3))
    pieces = [parts.draw(steps) for steps in (1, 2, 7, 3, 5, 1, 81)]
    for k in range(100):  # beyond its size a row is padding
        row, size = np.concatenate([p[0] for p in pieces])[k], np.concatenate([p[1] for p in pieces])[k]
        assert size == sizes[k]
        np.testing.assert_array_equal(row[:size], rows[k, :size])


# Estimating


@pytest.mark.parametrize("loss", [*SEPARABLE, JointCauchy()], ids=by_name)
def test_separable_losses_are_sums_over_samples(loss):
    r = rng().standard_normal(5)
    one_by_one = sum(loss.value(r[[i]]) for i in range(5))
    assert loss.separable == (abs(loss.value(r) - one_by_one) < 1e-12)


@pytest.mark.parametrize(("batch_size", "replacement", "outcomes"), [(2, False, 6), (1, False, 4), (1, True, 4)])
@pytest.mark.parametrize(
    ("loss", "method"), [(Squared(), "compiled"), *((loss, "numpy") for loss in SEPARABLE)], ids=str
)
def test_the_mean_over_all_batches_is_the_gradient(loss, method, batch_size, replacement, outcomes):
    problem, network = dataclasses.replace(gaussian(4, 6, 0), loss=loss), Hadamard.at(0.3, 1.0, d=6)
    first = [
        descent(
            problem, network, 0.1, batch_size=batch_size, replacement=replacement, rng=rng(seed), steps=1, method=method
        )
        for seed in range(80)
    ]  # fmt: skip
    duals = np.unique(np.round([run.dual[-1] for run in first], 13), axis=0)
    assert len(duals) == outcomes  # every batch there is, all equally likely
    np.testing.assert_allclose(duals.mean(axis=0), 0.1 * loss.gradient(problem.residual(first[0].x[0])), atol=1e-12)


# Stochastic gradient descent


@pytest.mark.parametrize("method", ["compiled", "numpy"])
@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize(("batch_size", "replacement"), [(1, False), (3, False), (3, True), (7, True), (7, False)])
def test_sgd_is_the_loop(batch_size, replacement, momentum, method):
    problem, (m, w) = gaussian(7, 12, 1), (rng(1).uniform(1, 2, 12), rng(2).uniform(-1, 1, 12))
    eta, alpha, steps = 0.003 * (1 - momentum), 0.1, 150
    run = descent(
        problem, Hadamard(m, w), eta, alpha, momentum=momentum, batch_size=batch_size, replacement=replacement,
        rng=rng(), steps=steps, tolerance=0, keep=range(steps), method=method,
    )  # fmt: skip
    batches = drawn(7, batch_size, replacement, steps)
    path, duals = train(problem, m, w, [eta] * steps, [alpha] * steps, momentum=momentum, batches=batches)
    assert run.status is Status.until_reached
    np.testing.assert_allclose(run.parameters, path.reshape(steps + 1, 24), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(run.x, path[:, 0] * path[:, 1], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(run.dual, duals, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["huber", "logcosh", "entrywise cauchy"])
def test_sgd_on_other_losses(name):
    loss, slope = LOSSES[name]
    problem, (m, w) = dataclasses.replace(gaussian(5, 8, 1), loss=loss), (np.ones(8), np.full(8, 0.2))
    run = descent(
        problem, Hadamard(m, w), 0.05, batch_size=2, rng=rng(), steps=90, tolerance=0, keep=range(90)
    )  # fmt: skip
    path = run.parameters.reshape(-1, 2, 8)
    # Each step from where the run was: over many, a loss that is not convex makes much of rounding.
    for k, batch in enumerate(drawn(5, 2, False, 90)):
        step, dual = train(problem, *path[k], [0.05], batches=[batch], slope=slope)
        np.testing.assert_allclose(path[k + 1], step[-1], rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(run.dual[k + 1], run.dual[k] + dual[-1], rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("method", ["compiled", "numpy"])
@pytest.mark.parametrize(
    ("schedule", "alpha"),
    [
        (schedules.Quadratic(0.3, period=2.0, clock="epoch"), lambda k, t: 0.3 / (1 + (k // 3) / 2) ** 2),
        (schedules.Geometric(0.3, 0.9, clock="step"), lambda k, t: 0.3 * 0.9**k),
        (schedules.Harmonic(0.3, period=0.1), lambda k, t: 0.3 / (1 + t / 0.1)),
    ],
    ids=["epoch", "step", "time"],
)
def test_penalties_on_every_clock(schedule, alpha, method):
    problem, (m, w), steps = gaussian(5, 8, 2), (np.ones(8), np.full(8, 0.2)), 100
    eta = 0.02 / (1 + np.arange(steps) / 50)
    t = np.concatenate([[0], np.cumsum(eta)])
    alphas = np.array([alpha(k, t[k]) for k in range(steps)])
    run = descent(
        problem, Hadamard(m, w), lambda k: 0.02 / (1 + k / 50), schedule,
        batch_size=2, rng=rng(), steps=steps, tolerance=0, keep=range(steps), method=method,
    )  # fmt: skip
    path, _ = train(problem, m, w, eta, alphas, batches=drawn(5, 2, False, steps))
    np.testing.assert_allclose(run.parameters[-1], path[-1].ravel(), rtol=1e-11)
    np.testing.assert_allclose(run.t, t, rtol=1e-12)
    np.testing.assert_allclose(run.decay, np.concatenate([[0], np.cumsum(eta * alphas)]), rtol=1e-12)


@pytest.mark.parametrize("replacement", [False, True])
def test_the_generator_decides(replacement):
    problem, network = gaussian(6, 9, 0), Hadamard.at(0.0, d=9)

    def end(generator):
        return descent(
            problem, network, 0.02, batch_size=2, replacement=replacement, rng=generator, steps=200, tolerance=0
        ).x[-1]

    first, other = end(rng(5)), end(rng(6))
    np.testing.assert_array_equal(first, end(rng(5)))
    assert np.abs(first - other).max() > 1e-6
    shared = rng(5)
    np.testing.assert_array_equal(first, end(shared))
    assert np.abs(first - end(shared)).max() > 1e-6  # the generator went on


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("batch_size", [1, 2, 4])
@pytest.mark.parametrize(
    "network", [Hadamard.at(0.0, d=12), Direct.at(0.0, d=12), Power.from_scale(0.3, depth=3, d=12)], ids=by_name
)
def test_steps_below_the_largest_stable_one(network, batch_size, momentum):
    for seed in range(4):
        problem = gaussian(5, 12, seed)
        stable = largest_stable_step(problem, network, momentum, batch_size)
        arguments = {"momentum": momentum, "batch_size": batch_size, "steps": 800}
        run = descent(problem, network, 0.9 * stable, rng=rng(seed), **arguments)
        assert run.status is not Status.diverged
        beyond = 4 * (1 + momentum) / (1 - momentum) * (5 / batch_size)  # of what is stable with all samples
        run = descent(problem, network, beyond * stable, rng=rng(seed), **arguments)
        assert run.status is Status.diverged


def test_a_sample_drawn_twice_is_stable_too():
    # Each step multiplies each error by 1 - eta * (times drawn), drawn 0, 1 or 2 times of 2.
    problem, network = Problem(np.eye(2), [1.0, 1.0]), Direct.at(0.0, d=2)
    eta = 0.9 * largest_stable_step(problem, network, batch_size=2, replacement=True)
    run = descent(problem, network, eta, batch_size=2, replacement=True, rng=rng(), steps=3000)
    assert run.status is not Status.diverged


def test_interpolators_are_where_sgd_ends():
    problem = gaussian(5, 12, 3)
    run = descent(problem, Hadamard.at(0.0, d=12), 0.01, batch_size=2, rng=rng())
    assert run.status is Status.converged
    assert run.certificate.valid
    assert np.abs(problem.residual(run.x[-1])).max() < 1e-7


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, r"batch_size must be a whole number of samples in 1..5, got 0: leave it out"),
        ({"batch_size": 6}, ValueError, r"in 1..5, got 6"),
        ({"batch_size": -1}, ValueError, r"got -1"),
        ({"batch_size": 2.5}, ValueError, r"whole number .* got 2.5"),
        ({"batch_size": "2"}, ValueError, r"whole number .* got '2'"),
        ({"batch_size": True}, ValueError, r"batch_size must be .* got True"),
        ({"rng": None}, TypeError, r"generator, got rng=None: write rng=np.random.default_rng\(0\)"),
        ({"rng": 0}, TypeError, r"generator, got rng=0: write rng="),
        ({"rng": np.random.RandomState(0)}, TypeError, r"generator, got rng=RandomState.*: write rng="),
    ],
)
@pytest.mark.parametrize("method", ["compiled", "numpy"])
def test_bad_input(method, arguments, error, message):
    with pytest.raises(error, match=message):
        descent(gaussian(5, 8, 0), Hadamard.at(0.0, d=8), 0.01, **{"batch_size": 2, "rng": rng(), **arguments},
                method=method, steps=5)  # fmt: skip


def test_a_loss_that_is_no_sum_over_samples_is_refused():
    problem = dataclasses.replace(gaussian(5, 8, 0), loss=JointCauchy())
    with pytest.raises(ValueError, match=r"JointCauchy is not a sum over samples.*: leave batch_size out, or choose"):
        descent(problem, Hadamard.at(0.0, d=8), 0.01, batch_size=2, rng=rng())
    assert descent(problem, Hadamard.at(0.0, d=8), 0.01).status is Status.converged
