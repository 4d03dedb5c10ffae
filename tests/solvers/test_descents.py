"""Many descents at once: each is the run that `descent` takes alone."""

import numpy as np
import pytest

from linreg_mirror import schedules
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.problems import Problem
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.discrete import (
    Descents,
    descent,
    descents,
    largest_stable_step,
    steps_on_arrays,
    steps_on_tensors,
)
from linreg_mirror.solvers.discrete.batch_weights import batch_weights
from linreg_mirror.solvers.limit import limit
from tests.helpers.zoo import gaussian

B, N, D = 5, 4, 9
PROBLEM = gaussian(N, D, 0)
X, Y = PROBLEM.X, PROBLEM.y
LOG_SCALE = np.linspace(-4, 0, B)[:, None] + np.linspace(-0.5, 0.5, D)
TILT = np.random.default_rng(1).uniform(-1, 1, (B, D))
ETA = np.linspace(0.004, 0.012, B)
ALPHA = np.linspace(0, 0.4, B)


def positional(X, y, log_scale, tilt, step_size, penalty=0.0, **options):
    return descents(X, y, log_scale=log_scale, tilt=tilt, step_size=step_size, penalty=penalty, **options)


def rng(seed=0):
    return np.random.default_rng(seed)


def networks(log_scale=LOG_SCALE, tilt=TILT):
    return [Hadamard.from_tilt(b, t) for b, t in zip(log_scale, tilt, strict=True)]


def assert_same(runs, singles, atol=1e-11):
    """Runs of a batch against runs of `descent`."""
    np.testing.assert_allclose(runs.x, [run.x[-1] for run in singles], atol=atol)
    np.testing.assert_allclose(runs.dual, [run.implicit.dual for run in singles], atol=atol)
    np.testing.assert_allclose(runs.log_scale, [run.implicit.log_scale for run in singles], atol=atol)
    np.testing.assert_allclose(runs.tilt, [run.implicit.tilt for run in singles], atol=atol)
    assert runs.steps.tolist() == [run.stats.steps for run in singles]


# Each run is a descent


STEP_SIZES = {
    "one": (0.01, lambda run: 0.01),
    "one a run": (ETA, lambda run: ETA[run]),
    "function": (lambda k: 0.01 / (1 + k / 50), lambda run: lambda k: 0.01 / (1 + k / 50)),
    "function, one a run": (lambda k: ETA / (1 + k / 50), lambda run: lambda k: ETA[run] / (1 + k / 50)),
    "schedule": (schedules.Harmonic(0.01, clock="step"), lambda run: schedules.Harmonic(0.01, clock="step")),
}
PENALTIES = {
    "none": (0.0, lambda run: None),
    "one": (0.1, lambda run: 0.1),
    "one a run": (ALPHA, lambda run: ALPHA[run]),
    "schedule": (schedules.Geometric(0.3, 0.9, clock="step"), lambda run: schedules.Geometric(0.3, 0.9, clock="step")),
    "function": (lambda k: 0.3 * 0.9**k, lambda run: schedules.Geometric(0.3, 0.9, clock="step")),
}


@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("step_size", STEP_SIZES)
def test_each_run_is_a_descent(step_size, penalty, momentum):
    (eta, one_eta), (alpha, one_alpha) = STEP_SIZES[step_size], PENALTIES[penalty]
    runs = descents(
        X, Y, log_scale=LOG_SCALE, tilt=TILT, step_size=eta, penalty=alpha, steps=130, momentum=momentum, tolerance=0
    )
    assert_same(
        runs,
        [
            descent(PROBLEM, network, one_eta(run), one_alpha(run), momentum=momentum, steps=130, tolerance=0)
            for run, network in enumerate(networks())
        ],
    )
    assert runs.status == (Status.horizon_reached,) * B
    assert repr(runs) == f"Descents({B} runs, d={D}, {{'horizon_reached': {B}}})"


@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("stack", ["X", "y", "both"])
def test_a_problem_for_each_run(stack, momentum):
    problems = [gaussian(N, D, seed) for seed in range(B)]
    Xs = np.stack([p.X for p in problems]) if stack != "y" else X
    ys = np.stack([p.y for p in problems]) if stack != "X" else Y
    runs = descents(Xs, ys, log_scale=LOG_SCALE, tilt=TILT, step_size=0.01, penalty=0.1, steps=130, momentum=momentum)
    singles = [
        descent(Problem(p.X if stack != "y" else X, p.y if stack != "X" else Y), network, 0.01, 0.1,
                momentum=momentum, steps=130, tolerance=0)
        for p, network in zip(problems, networks(), strict=True)
    ]  # fmt: skip
    assert_same(runs, singles)


@pytest.mark.parametrize(
    ("log_scale", "tilt", "shape"),
    [
        (-1.0, 0.5, (1, D)),
        (LOG_SCALE[0], 0.0, (1, D)),
        (LOG_SCALE[:, :1], TILT[0], (B, D)),
        (-1.0, TILT, (B, D)),
        (LOG_SCALE[:1], TILT[:, :1], (B, D)),
    ],
)
def test_starts_are_broadcast(log_scale, tilt, shape):
    runs = descents(X, Y, log_scale=log_scale, tilt=tilt, step_size=0.01, steps=70)
    full = descents(
        X, Y, log_scale=np.broadcast_to(log_scale, shape), tilt=np.broadcast_to(tilt, shape), step_size=0.01, steps=70
    )
    assert runs.x.shape == runs.log_scale.shape == runs.tilt.shape == shape
    assert runs.dual.shape == (shape[0], N)
    np.testing.assert_array_equal(runs.x, full.x)


def test_one_start_for_many_targets():
    runs = descents(X, np.stack([Y, 2 * Y, -Y]), log_scale=-1.0, tilt=0.0, step_size=0.01, steps=70)
    np.testing.assert_allclose(runs.x[2], -runs.x[0], atol=1e-14)
    np.testing.assert_allclose(
        runs.x[:1], descents(X, Y, log_scale=-1.0, tilt=0.0, step_size=0.01, steps=70).x, atol=1e-14
    )


# Minibatches


@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize(("batch_size", "replacement"), [(3, False), (2, False), (3, True), (N, False)])
def test_sgd_is_the_loop(batch_size, replacement, momentum):
    steps, eta, alpha = 90, 0.3 * ETA * (1 - momentum), ALPHA
    weights = batch_weights(np.empty((B, N)), batch_size, replacement, rng(), False)(0, steps)
    u, v = np.exp(0.5 * (LOG_SCALE + TILT)), np.exp(0.5 * (LOG_SCALE - TILT))
    m, w = (u + v) / np.sqrt(2), (u - v) / np.sqrt(2)
    theta = before = np.stack([m, w])
    dual = np.zeros((B, N))
    for drawn in weights:
        slope = drawn * ((theta[0] * theta[1]) @ X.T - Y)
        force = theta[::-1] * (slope @ X) + 2 * alpha[:, None] * theta
        theta, before = theta + momentum * (theta - before) - eta[:, None] * force, theta
        dual = dual + eta[:, None] * slope
    runs = descents(
        X, Y, log_scale=LOG_SCALE, tilt=TILT, step_size=eta, penalty=alpha,
        steps=steps, momentum=momentum, batch_size=batch_size, replacement=replacement, rng=rng(), tolerance=0,
    )  # fmt: skip
    np.testing.assert_allclose(runs.x, theta[0] * theta[1], atol=1e-11)
    np.testing.assert_allclose(runs.dual, dual / (1 - momentum), atol=1e-11)


def test_the_generator_decides():
    arguments = {"steps": 60, "batch_size": 2}
    first = descents(X, Y, log_scale=LOG_SCALE, tilt=TILT, step_size=0.003, **arguments, rng=rng(5)).x
    np.testing.assert_array_equal(
        first, descents(X, Y, log_scale=LOG_SCALE, tilt=TILT, step_size=0.003, **arguments, rng=rng(5)).x
    )
    assert (
        np.abs(first - descents(X, Y, log_scale=LOG_SCALE, tilt=TILT, step_size=0.003, **arguments, rng=rng(6)).x).max()
        > 1e-6
    )


# Where they end


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("batch_size", [None, 2])
def test_the_ends_solve_the_problems_they_name(batch_size, momentum):
    eta = [0.2 * largest_stable_step(PROBLEM, network, momentum, batch_size) for network in networks()]
    runs = positional(
        X, Y, LOG_SCALE, TILT, np.array(eta), steps=50_000, momentum=momentum, batch_size=batch_size, rng=rng(),
        tolerance=1e-11,
    )  # fmt: skip
    assert runs.status == (Status.converged,) * B
    assert (runs.steps % 64 == 0).all()
    if momentum == 0:
        assert len(set(runs.steps.tolist())) > 1  # each stops by itself
    for run, network in enumerate(networks(runs.log_scale, runs.tilt)):
        np.testing.assert_allclose(limit(PROBLEM, network).x, runs.x[run], atol=1e-9)


def test_statuses_and_a_run_that_diverges_leaves_the_others_alone():
    eta = np.array([0.02, 10.0, 0.02, 1e-5, 100.0])
    for Xs in (X, np.stack([X] * B)):
        for momentum in (0.0, 0.5):
            runs = descents(Xs, Y, log_scale=LOG_SCALE, tilt=TILT, step_size=eta, steps=3000, momentum=momentum)
            names = [status.name for status in runs.status]
            assert names == ["converged", "diverged", "converged", "horizon_reached", "diverged"]
            assert runs.steps[1] == runs.steps[4] == 64
            alone = descents(
                X,
                Y,
                log_scale=LOG_SCALE[[0, 2, 3]],
                tilt=TILT[[0, 2, 3]],
                step_size=eta[[0, 2, 3]],
                steps=3000,
                momentum=momentum,
            )
            np.testing.assert_allclose(runs.x[[0, 2, 3]], alone.x, atol=1e-12)
            np.testing.assert_array_equal(runs.steps[[0, 2, 3]], alone.steps)


def test_a_run_that_is_over_stays_where_it_is():
    few = descents(X, Y, log_scale=LOG_SCALE[:1], tilt=TILT[:1], step_size=0.02, steps=3000)
    many = descents(
        X, Y, log_scale=LOG_SCALE, tilt=TILT, step_size=np.array([0.02, 1e-5, 1e-5, 1e-5, 1e-5]), steps=3000
    )
    assert few.status[0] is many.status[0] is Status.converged
    assert few.steps[0] == many.steps[0] < 3000
    np.testing.assert_allclose(few.x[0], many.x[0], atol=1e-13)
    np.testing.assert_allclose(few.dual[0], many.dual[0], atol=1e-13)


def test_passing_through_a_solution_is_not_the_end():
    def throw(k):  # with momentum 0.9 x coasts into the solution by step 64
        return 0.1 / (1 - 0.9**64) if k == 0 else 0.0 if k < 64 else 0.01

    arguments = (np.ones((1, 1)), np.ones(1), np.log(0.5), 0.0, throw)
    assert positional(*arguments, steps=64, momentum=0.9, tolerance=0).x[0, 0] == pytest.approx(1.0, abs=1e-14)
    runs = positional(*arguments, steps=5000, momentum=0.9)
    assert runs.status == (Status.converged,)
    assert runs.steps[0] > 64


def test_trivial_problems_are_over_at_once():
    for A, y in ((X, 0 * Y), (0 * X, Y)):
        runs = descents(A, y, log_scale=LOG_SCALE, tilt=0.0, step_size=0.02, steps=100)
        assert runs.status == (Status.converged,) * B
        assert not runs.steps.any()
        assert not runs.x.any()


def test_tolerance_zero_takes_all_steps():
    for y in (Y, 0 * Y):
        assert (
            descents(X, y, log_scale=LOG_SCALE, tilt=0.0, step_size=0.02, steps=100, tolerance=0).steps.tolist()
            == [100] * B
        )


# Kinds of arrays


def test_blocks_of_columns_are_one_problem(monkeypatch):
    wide, start = gaussian(3, 700, 0), rng(1).uniform(-1, 0, (2, 700))
    ends = []
    for cache in (1 << 20, 1):  # one block, three of at most 256 columns
        monkeypatch.setattr(steps_on_arrays, "_CACHE", cache)
        for design in (wide.X, np.stack([wide.X] * 2)):
            ends.append(
                descents(
                    design, wide.y, log_scale=start, tilt=-start, step_size=1e-4, penalty=0.1, steps=70, momentum=0.5
                )
            )
    for runs in ends[1:]:
        for name in ("x", "log_scale", "tilt", "dual"):
            np.testing.assert_allclose(getattr(runs, name), getattr(ends[0], name), atol=1e-12)
    single = descent(wide, Hadamard.from_tilt(start[0], -start[0]), 1e-4, 0.1, momentum=0.5, steps=70, tolerance=0)
    np.testing.assert_allclose(ends[2].x[0], single.x[-1], atol=1e-12)


@pytest.mark.parametrize("y_dtype", [np.float32, np.float64])
def test_single_precision(y_dtype):
    single = descents(
        X.astype(np.float32),
        Y.astype(y_dtype),
        log_scale=LOG_SCALE,
        tilt=TILT,
        step_size=0.01,
        steps=500,
        tolerance=1e-5,
    )
    for name in ("x", "log_scale", "tilt", "dual"):
        assert getattr(single, name).dtype == np.float32
    np.testing.assert_allclose(
        single.x, descents(X, Y, log_scale=LOG_SCALE, tilt=TILT, step_size=0.01, steps=500).x, atol=1e-4
    )


def test_layout_does_not_matter():
    expected = descents(X, Y, log_scale=LOG_SCALE, tilt=TILT, step_size=0.01, penalty=0.1, steps=100).x
    twice = np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2]
    for design in (np.asfortranarray(X), twice, np.asfortranarray(np.stack([X] * B))):
        runs = descents(
            design,
            Y,
            log_scale=np.asfortranarray(LOG_SCALE),
            tilt=TILT[:, ::-1][:, ::-1],
            step_size=0.01,
            penalty=0.1,
            steps=100,
        )
        np.testing.assert_allclose(runs.x, expected, atol=1e-13)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("batch_size", [None, 2])
def test_torch_is_the_same(batch_size, momentum):
    torch = pytest.importorskip("torch")
    arguments = {"steps": 200, "momentum": momentum, "batch_size": batch_size}
    expected = descents(X, Y, log_scale=LOG_SCALE, tilt=TILT, step_size=ETA, penalty=ALPHA, **arguments, rng=rng())
    on_torch = [torch.tensor(a) for a in (X, Y, LOG_SCALE, TILT, ETA, ALPHA)]
    stacked = [torch.stack([on_torch[0]] * B), *on_torch[1:]]
    mixed = [*on_torch[:2], LOG_SCALE, TILT, lambda k: ETA, ALPHA]
    for given in (on_torch, stacked, mixed):
        runs = positional(*given, **arguments, rng=rng())
        assert isinstance(runs, Descents)
        assert runs.status == expected.status
        for name in ("x", "log_scale", "tilt", "dual", "steps"):
            assert torch.is_tensor(getattr(runs, name))
            np.testing.assert_allclose(getattr(runs, name).numpy(), getattr(expected, name), atol=1e-10)
    runs = positional(*(a.float() for a in on_torch), **arguments, rng=rng())
    assert runs.x.dtype == torch.float32
    np.testing.assert_allclose(runs.x.numpy(), expected.x, atol=1e-4)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("batch_size", [None, 2])
@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch calls it itself
def test_graphs_of_steps_are_the_steps(monkeypatch, batch_size, momentum, backend):
    torch = pytest.importorskip("torch")
    graphs = []

    def graph(mode):
        compiled = torch.compile(steps_on_tensors.taken, dynamic=False, fullgraph=True, backend=backend)
        return lambda *given: graphs.append(mode) or compiled(*given)

    monkeypatch.setattr(steps_on_tensors, "_graph", graph)
    arguments = [torch.tensor(a) for a in (X, Y, LOG_SCALE, TILT, ETA, ALPHA)]
    settings = {"steps": 67, "momentum": momentum, "batch_size": batch_size}
    runs = positional(*arguments, **settings, rng=rng(), compiled=True)
    assert graphs == [None] * 8  # and three steps one by one
    expected = descents(X, Y, log_scale=LOG_SCALE, tilt=TILT, step_size=ETA, penalty=ALPHA, **settings, rng=rng())
    for name in ("x", "log_scale", "tilt", "dual", "steps"):
        np.testing.assert_allclose(getattr(runs, name).numpy(), getattr(expected, name), atol=1e-10)


# Step sizes and penalties that change


def test_functions_are_asked_for_each_step_once():
    asked = []
    descents(X, Y, log_scale=LOG_SCALE, tilt=TILT, step_size=0.01, penalty=lambda k: asked.append(k) or 0.1, steps=70)
    assert asked == list(range(70))
    asked.clear()
    runs = descents(X, Y, log_scale=LOG_SCALE, tilt=TILT, step_size=lambda k: asked.append(k) or 0.02, steps=10_000)
    assert asked == list(range(max(runs.steps)))


@pytest.mark.parametrize("kind", ["numbers", "arrays", "both", "tensors"])
def test_functions_may_return_what_they_like(kind):
    torch = pytest.importorskip("torch") if kind == "tensors" else None
    expected = descents(X, Y, log_scale=LOG_SCALE, tilt=TILT, step_size=ETA[2], steps=100, tolerance=0).x

    def eta(k):
        one = kind == "numbers" or (kind == "both" and k % 2)
        value = ETA[2] if one else np.full(B, ETA[2])
        return torch.tensor(value if k % 3 else ETA[2]) if torch else value

    for start in (X, torch.tensor(X)) if torch else (X,):
        found = descents(start, Y, log_scale=LOG_SCALE, tilt=TILT, step_size=eta, steps=100, tolerance=0).x
        np.testing.assert_allclose(np.asarray(found), expected, atol=1e-13)


@pytest.mark.parametrize("bad", [-0.1, np.nan, np.inf, np.ones(2), np.full(B, -1.0), 1e300])
@pytest.mark.parametrize("step", [0, 70])
def test_a_bad_step_size_is_named_with_its_step(bad, step):
    single = X.astype(np.float32)  # in which 1e300 is infinite
    with pytest.raises(ValueError, match=f"step_size must be finite and >= 0, .* each of 5 runs at step {step}$"):
        descents(single, Y, log_scale=LOG_SCALE, tilt=TILT, step_size=lambda k: bad if k == step else 0.01, steps=100)


# Bad input

NAN_X = np.where(np.arange(D) == 2, np.nan, X)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"y": Y[:3]}, ValueError, r"X \(n, d\) or \(B, n, d\) and y .*got shapes \(4, 9\) and \(3,\)"),
        ({"X": X[0]}, ValueError, r"expected, got shapes \(9,\) and \(4,\)"),
        ({"log_scale": LOG_SCALE[:, :4]}, ValueError, r"must broadcast to \(B, 9\), got \(5, 4\) .*: give one entry"),
        ({"y": np.stack([Y] * 2)}, ValueError, r"must broadcast to \(B, 9\).* beside X \(4, 9\) and y \(2, 4\)"),
        ({"tilt": TILT[None]}, ValueError, r"must broadcast to \(B, 9\), got \(5, 9\) and \(1, 5, 9\)"),
        ({"X": X.tolist()}, (TypeError, ValueError), r"X .*array"),
        ({"X": np.ones((N, D), dtype=int)}, (TypeError, ValueError), r"X .*float"),
        ({"X": X[:0], "y": Y[:0]}, ValueError, r"X .*got"),
        ({"X": NAN_X}, ValueError, r"X must be finite"),
        ({"y": Y * np.nan}, ValueError, r"y must be finite"),
        ({"log_scale": np.nan}, ValueError, r"log_scale must be finite"),
        ({"log_scale": -1e5}, ValueError, r"zero in float64"),
        ({"steps": 0}, ValueError, r"steps must be an integer >= 1, got 0"),
        ({"steps": 2.5}, ValueError, r"steps .*got 2.5"),
        ({"momentum": 1.0}, ValueError, r"momentum must be in \[0, 1\).* 1.0"),
        ({"momentum": -0.1}, ValueError, r"momentum must be in \[0, 1\).* -0.1"),
        ({"tolerance": -1.0}, ValueError, r"tolerance must be a number >= 0.* -1.0"),
        ({"tolerance": np.nan}, ValueError, r"tolerance must be a number >= 0.* nan"),
        ({"step_size": -0.1}, ValueError, r"step_size must be finite and >= 0, one number or one for each of 5 runs"),
        ({"step_size": np.ones(2)}, ValueError, r"step_size must be .* each of 5 runs"),
        ({"step_size": np.ones((B, 1))}, ValueError, r"step_size must be .* each of 5 runs"),
        ({"step_size": lambda k: np.nan if k == 7 else 0.01}, ValueError, r"step_size must be .*step 7"),
        ({"penalty": -0.1}, ValueError, r"penalty must be finite and >= 0, .* each of 5 runs"),
        ({"penalty": np.inf}, ValueError, r"penalty must be finite and >= 0"),
        ({"penalty": schedules.Geometric(0.1, 0.5)}, ValueError, r'clock "time", "step" is needed'),
        ({"batch_size": 0}, ValueError, r"batch_size must be .*1..4, got 0: leave it out"),
        ({"batch_size": 5}, ValueError, r"batch_size must be .*1..4, got 5"),
        ({"batch_size": 2.5}, ValueError, r"batch_size must be .*got 2.5"),
        ({"batch_size": 2, "rng": None}, TypeError, r"generator, got rng=None: write rng=np.random.default_rng\(0\)"),
        ({"batch_size": 2, "rng": 3}, TypeError, r"generator, got rng=3"),
    ],
)
def test_bad_input(arguments, error, message):
    given = {"X": X, "y": Y, "log_scale": LOG_SCALE, "tilt": TILT, "step_size": 0.01, "steps": 20, "rng": rng()}
    with pytest.raises(error, match=message):
        descents(**given | arguments)


def test_targets_may_be_whole_numbers():
    whole = np.array([1, 2, -1, 0])
    runs, same = (
        descents(X, y, log_scale=LOG_SCALE, tilt=TILT, step_size=0.01, steps=50) for y in (whole, whole.astype(float))
    )
    np.testing.assert_array_equal(runs.x, same.x)


def test_a_network_is_a_start_and_no_tilt_is_none():
    network = Hadamard.from_tilt(LOG_SCALE[0], TILT[0])
    one = descents(X, Y, network, step_size=0.01, steps=64)
    other = descents(X, Y, log_scale=LOG_SCALE[:1], tilt=TILT[:1], step_size=0.01, steps=64)
    np.testing.assert_array_equal(one.x, other.x)
    assert one.x.shape == (1, D)
    plain, zero = (
        descents(X, Y, log_scale=LOG_SCALE, step_size=0.01, steps=64, **tilt) for tilt in ({}, {"tilt": np.zeros(D)})
    )
    np.testing.assert_array_equal(plain.x, zero.x)
    with pytest.raises(TypeError, match=r"descents needs a start: write log_scale=np.log\(b\), or network="):
        descents(X, Y, step_size=0.01, steps=64)
