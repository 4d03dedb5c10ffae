"""What finished runs minimised, the bound on the least L1 norm they give, and networks given by their potential."""

import dataclasses

import numpy as np
import pytest

from linreg_mirror import schedules
from linreg_mirror.parametrizations import Direct, Hadamard, Power, SharedHadamard
from linreg_mirror.problems import Problem
from linreg_mirror.problems.losses import LogCosh
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.discrete import descent, largest_stable_step
from linreg_mirror.solvers.discrete.implicit_bias import LogProducts
from linreg_mirror.solvers.independent import minimum_l1_highs
from linreg_mirror.solvers.limit import limit
from tests.helpers.plain import train
from tests.helpers.zoo import BY_NAME, CASES, gaussian

METHODS = ["compiled", "numpy"]
PENALTY = schedules.Geometric(0.1, ratio=0.5)


def rng(seed=0):
    return np.random.default_rng(seed)


def end(problem, network, step, schedule=None, **arguments):
    """A converged run, its step size a function of the step number or a share of the largest stable one."""
    stable = largest_stable_step(problem, network, arguments.get("momentum", 0.0), arguments.get("batch_size"))
    size = (lambda k: step(k) * stable) if callable(step) else step * stable
    run = descent(problem, network, size, schedule, rng=rng(), tolerance=1e-11, **arguments)
    assert run.status is Status.converged
    return run


def jump(k):
    return 0.3 if k else 4.0


RUNS = {
    "gd": (0.5, None, {}),
    "gd, penalty": (0.5, PENALTY, {}),
    "edge of stability": (1.0, None, {}),
    "first step across signs": (jump, None, {}),
    "first step across signs, penalty": (jump, PENALTY, {}),
    "sgd": (0.9, None, {"batch_size": 2}),
    "sgd, penalty": (0.9, PENALTY, {"batch_size": 2}),
    "sgd with replacement": (0.5, PENALTY, {"batch_size": 2, "replacement": True}),
    "heavy ball": (0.1, None, {"momentum": 0.9}),
    "heavy ball, penalty": (0.1, PENALTY, {"momentum": 0.9}),
    "heavy ball, function": (lambda k: 0.2 / (1 + k / 1000), None, {"momentum": 0.5}),
    "heavy ball, sgd": (0.9, None, {"momentum": 0.5, "batch_size": 2}),
}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", RUNS)
def test_the_end_solves_the_problem_it_names(name, method):
    problem = gaussian(4, 9, 0)
    network = Hadamard.at(np.linspace(0.1, 0.5, 9), rng(2).uniform(0.5, 2, 9))
    step, schedule, arguments = RUNS[name]
    run = end(problem, network, step, schedule, **arguments, method=method)
    if step is jump:
        m, w = np.split(run.parameters[-1], 2)
        assert (np.minimum(m + w, m - w) < 0).any()  # they were positive
    assert run.certificate.valid, str(run.certificate)
    if method == "numpy":  # of compiled runs it says nothing
        assert run.certificate["implicit representation"].tolerance == 1e-9
    solved = limit(problem, run.implicit.network)
    assert solved.certificate.valid
    np.testing.assert_allclose(solved.x, run.x[-1], atol=1e-9)
    np.testing.assert_allclose(run.implicit.represented(problem), run.x[-1], atol=1e-9)
    # It matters: the flow's problem has another solution.
    b = network.log_scale - 4 * run.decay[-1]
    assert np.abs(limit(problem, Hadamard.from_tilt(b, network.tilt)).x - run.x[-1]).max() > 1e-4


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_zoo(case, method):
    network = Hadamard.at(0.3 * rng().standard_normal(case.problem.d), 1.0)
    eta = min(0.5 * largest_stable_step(case.problem, network), 1.0)
    run = descent(case.problem, network, eta, PENALTY, tolerance=1e-11, method=method)
    solved = limit(case.problem, run.implicit.network)
    np.testing.assert_allclose(solved.x, run.x[-1], atol=1e-8)


# The same numbers from the path of m and w


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("batch_size", [None, 2])
def test_descent_by_its_products(batch_size, method):
    problem, network, steps, alpha = gaussian(4, 6, 1), Hadamard.at(0.3, 1.0, d=6), 200, 0.05
    eta = 0.5 * largest_stable_step(problem, network, batch_size=batch_size)
    run = descent(problem, network, eta, alpha, batch_size=batch_size, rng=rng(), steps=steps, tolerance=0,
                  keep=range(steps), method=method)  # fmt: skip
    g = np.diff(run.dual, axis=0) @ problem.X / eta
    change = np.log(np.abs((1 - 2 * eta * alpha) ** 2 - (eta * g) ** 2)).sum(axis=0)
    np.testing.assert_allclose(run.implicit.log_scale, network.log_scale + change, atol=1e-11)
    turn = np.log(np.abs((1 - eta * (2 * alpha + g)) / (1 - eta * (2 * alpha - g)))).sum(axis=0)
    np.testing.assert_allclose(run.implicit.tilt, network.tilt + turn + 2 * eta * g.sum(axis=0), atol=1e-11)
    np.testing.assert_allclose(run.implicit.dual, run.dual[-1], rtol=1e-14)
    assert np.abs(turn + 2 * eta * g.sum(axis=0)).max() > 1e-4  # the tilt is not the flow's


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("momentum", [0.3, 0.9])
def test_heavy_ball_by_its_ratios(momentum, method):
    problem, network = gaussian(4, 6, 1), Hadamard.at(0.3, 1.0, d=6)
    run = end(problem, network, 0.1, momentum=momentum, method=method)
    path, duals = train(problem, network.m0, network.w0, np.full(run.stats.steps, run.t[-1] / run.stats.steps),
                        momentum=momentum)  # fmt: skip
    phi = []
    for factor in (path[:, 0] + path[:, 1], path[:, 0] - path[:, 1]):
        rho = factor[1:] / factor[:-1]
        phi.append((((rho - 1) - momentum * (1 - 1 / rho)) / (1 - momentum) - np.log(np.abs(rho))).sum(axis=0))
    np.testing.assert_allclose(run.implicit.log_scale, network.log_scale - phi[0] - phi[1], atol=1e-8)
    np.testing.assert_allclose(run.implicit.tilt, network.tilt - phi[0] + phi[1], atol=1e-8)
    np.testing.assert_allclose(run.implicit.dual, duals[-1] / (1 - momentum), atol=1e-9)


@pytest.mark.parametrize("momentum", [0.0, 0.8])
def test_log_products_of_any_gradients(momentum):
    g, eta, alpha = 3 * rng().standard_normal((50, 4)), 0.3, 0.2
    u, v = [np.ones(4)] * 2, [np.ones(4)] * 2
    products = LogProducts(4, momentum)
    for k in range(50):
        u.append(u[-1] * (1 - eta * (2 * alpha + g[k])) + momentum * (u[-1] - u[-2]))
        v.append(v[-1] * (1 - eta * (2 * alpha - g[k])) + momentum * (v[-1] - v[-2]))
        products.step(g[k], eta, alpha)
    assert (np.array(u) < 0).any()
    np.testing.assert_allclose(products.log_u, np.log(np.abs(u[-1])), atol=1e-10)
    np.testing.assert_allclose(products.log_v, np.log(np.abs(v[-1])), atol=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_the_certificate_compares_with_where_the_run_is(method):
    problem = gaussian(4, 6, 1)
    run = descent(problem, Hadamard.at(0.3, 1.0, d=6), 0.02, 0.1, momentum=0.5, steps=77, tolerance=0, method=method)
    b, tilt, s = np.exp(run.implicit.log_scale), run.implicit.tilt, run.implicit.dual
    represented = b * np.sinh(tilt - 2 * problem.X.T @ s)
    np.testing.assert_allclose(run.implicit.represented(problem), represented, rtol=1e-12)
    np.testing.assert_allclose(run.x[-1], represented, atol=1e-11)
    if method == "numpy":  # of compiled runs it says nothing
        assert run.certificate["implicit representation"].value < 1e-12
    elsewhere = dataclasses.replace(run.implicit, tilt=tilt + 1e-6)
    assert np.abs(elsewhere.represented(problem) - run.x[-1]).max() > 1e-7


@pytest.mark.parametrize(
    "network",
    [
        Direct.at(0.0, d=3),
        Hadamard([1, 1, 1], [0, 0, 0], decay_on="m"),
        Hadamard.balanced([1.0, -1.0, 1.0]),
        SharedHadamard([1.0], [1.0, 2.0, 3.0], [0, 0, 0]),
    ],
)
def test_other_networks_have_no_bookkeeping(network):
    run = descent(gaussian(2, 3, 0), network, 0.01, steps=5, tolerance=0)
    assert run.bias is None
    with pytest.raises(ValueError, match=r"no implicit bias: only a run of x = m\*w .* knows which problem"):
        _ = run.implicit
    with pytest.raises(KeyError):
        run.certificate["implicit representation"]


def test_other_losses_have():
    problem = dataclasses.replace(gaussian(4, 9, 0), loss=LogCosh())
    run = descent(problem, Hadamard.at(0.3, 1.0, d=9), 0.1, tolerance=1e-11)
    assert run.status is Status.converged
    np.testing.assert_allclose(limit(problem, run.implicit.network).x, run.x[-1], atol=1e-9)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(("eta", "steps"), [(1.0, 10), (0.1, 20_000)])
def test_weights_that_the_penalty_has_killed(eta, steps, method):
    # The second weight is not seen by X: b loses the factor (1 - 2 eta alpha)^2 a step, and with it float64 in the end.
    run = descent(Problem([[0.1, 0.0]], [10.0]), Hadamard.at(0.0, 1.0, d=2), eta, 0.5, steps=steps, tolerance=0,
                  method=method)  # fmt: skip
    assert run.status is Status.until_reached
    assert run.x[-1, 1] == 0
    if eta < 1 and method == "numpy":  # compiled runs know the factors alone
        np.testing.assert_allclose(run.implicit.log_scale[1], np.log(0.5) + 2 * steps * np.log(1 - eta), rtol=1e-9)
    else:
        assert run.bias is None


# Depth D


@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_deep_steps_solve_the_problem_at_the_scale_they_leave(depth, momentum):
    problem = gaussian(4, 9, 0)
    x0 = np.linspace(-0.2, 0.3, 9)
    network = Power.from_scale(np.linspace(0.3, 0.5, 9), depth=depth, x0=x0)
    eta = 0.3 * largest_stable_step(problem, network) * (1 - momentum)
    run = descent(problem, network, eta, momentum=momentum, tolerance=1e-11)
    assert run.status is Status.converged
    solved = limit(problem, run.implicit.network)
    assert np.abs(solved.x - run.x[-1]).sum() <= run.to_limit + solved.error < 1e-8
    np.testing.assert_allclose(run.implicit.represented(problem), run.x[-1], atol=1e-10)
    assert np.abs(limit(problem, network).x - run.x[-1]).max() > 1e-4  # the flow ends elsewhere
    p, q = np.split(run.parameters[-1], 2)
    mean = np.log(p * q) / 2 if depth == 2 else -np.log((p ** (2 - depth) + q ** (2 - depth)) / 2) / (depth - 2)
    np.testing.assert_allclose(run.implicit.log_scale, mean, rtol=1e-10, atol=1e-12)


def test_depth_3_has_the_bias_of_its_flow_as_steps_shrink():
    problem, network = gaussian(4, 9, 0), Power.from_scale(0.4, depth=3, x0=np.linspace(-0.2, 0.3, 9))
    eta = 0.1 * largest_stable_step(problem, network)
    found = [descent(problem, network, eta / k).implicit for k in (1, 2, 4)]
    for value, start in (("log_scale", network.log_scale), ("tilt", network.tilt)):
        off = [np.abs(getattr(bias, value) - start).max() for bias in found]
        assert off[0] / off[1] == pytest.approx(2, rel=0.1)
        assert off[1] / off[2] == pytest.approx(2, rel=0.1)


def test_depth_2_is_m_times_w_at_twice_the_speed():
    problem, x0 = gaussian(4, 9, 0), np.linspace(-0.2, 0.3, 9)
    arguments = {"steps": 300, "tolerance": 0.0}
    deep = descent(problem, Power.from_scale(0.4, depth=2, x0=x0), 0.01, 0.2, **arguments).implicit
    usual = descent(problem, Hadamard.from_scale(2 * 0.4**2, x0=x0), 0.02, 0.1, **arguments).implicit
    np.testing.assert_allclose(np.log(2) + 2 * deep.log_scale, usual.log_scale, rtol=1e-12)
    np.testing.assert_allclose(deep.tilt, usual.tilt, atol=1e-12)
    np.testing.assert_allclose(deep.dual, usual.dual, rtol=1e-10)


@pytest.mark.parametrize(
    ("network", "arguments", "why"),
    [
        (Power.from_scale(0.5, depth=3, d=9), {"step_size": 0.01, "schedule": 0.1}, "a penalty at depth 3 and beyond"),
        (Power([0.9] * 9, [0.1] * 9, 3), {"step_size": 0.2, "steps": 1}, "a factor of p.D - q.D to 0 or through it"),
        (Hadamard.at(0.1, d=9), {"step_size": 9.0}, r"diverged between steps 1 and 50, .* start and end is 0\.\d+$"),
        (Hadamard.at(0.1, d=9), {"step_size": 9.0, "momentum": 0.5}, "diverged between steps 1 and 50"),
    ],
)
def test_a_run_without_a_bias_says_why(network, arguments, why):
    run = descent(gaussian(4, 9, 0), network, **{"steps": 50, "tolerance": 0.0, **arguments})
    assert run.bias is None
    with pytest.raises(ValueError, match=f"this run has no implicit bias: .*{why}"):
        _ = run.implicit
    if run.status is not Status.diverged:
        assert str(run.no_bias) in run.stats.notes[-1]


def test_the_step_that_a_diverged_run_names_is_stable():
    problem, network = gaussian(4, 9, 0), Hadamard.at(0.1, d=9)
    run = descent(problem, network, 9.0)
    stable = float(str(run.no_bias).rpartition(" ")[2])
    assert stable == pytest.approx(largest_stable_step(problem, network), rel=1e-2)
    assert descent(problem, network, 0.9 * stable).status is Status.converged


# A bound on the least L1 norm


@pytest.mark.parametrize("arguments", [{}, {"momentum": 0.9}, {"batch_size": 2}], ids=["gd", "heavy ball", "sgd"])
@pytest.mark.parametrize("network", [Hadamard.at(0.5, 1.0, d=9), Hadamard.from_scale(1e-3, d=9), Direct.at(0.3, d=9)])
def test_the_bound_is_below_the_least_norm(network, arguments):
    for seed, steps in enumerate((1, 10, 100, 1000)):
        problem = gaussian(4, 9, seed)
        run = descent(problem, network, 0.003, 0.1, **arguments, rng=rng(), steps=steps, tolerance=0)
        least = np.abs(minimum_l1_highs(Problem(problem.X, problem.X @ run.x[-1])).x).sum()
        assert 0 <= run.l1_lower_bound <= least * (1 + 1e-9)
        L = problem.X.T @ run.dual[-1]
        assert run.l1_lower_bound == pytest.approx(abs(L @ run.x[-1]) / np.abs(L).max(), rel=1e-12)


def test_the_bound_is_nearly_tight_for_tiny_b():
    problem = gaussian(4, 9, 0)
    least = np.abs(minimum_l1_highs(problem).x).sum()
    shares = [
        descent(problem, Hadamard.from_scale(log_b=log_b, d=9), 0.02).l1_lower_bound / least
        for log_b in (-10.0, -50.0, -250.0)
    ]
    assert shares[0] < shares[1] < shares[2] <= 1 + 1e-9
    assert shares[2] > 0.98


def test_the_bound_by_hand():
    # One step from x = 0: L = eta X'y, x = eta X'y up to second order, min |x|_1 = |x_2| + ... of y = (3, 4) x.
    run = descent(BY_NAME["one sample"].problem, Direct.at(0.0, d=2), 0.01, steps=1, tolerance=0)
    np.testing.assert_allclose(run.x[-1], [0.36, 0.48])
    assert run.l1_lower_bound == pytest.approx((0.36**2 + 0.48**2) / 0.48)  # = (3 * 0.36 + 4 * 0.48) / 4, the least


# x = m*w given by its potential


@pytest.mark.parametrize("log_b", [0.0, -3.0, -600.0])
@pytest.mark.parametrize("tilt", [0.0, 1e-12, 0.7, -25.0, 300.0])
def test_from_tilt(tilt, log_b):
    network = Hadamard.from_tilt([log_b, 0.0], [tilt, 0.0])
    assert (network.d, network.decay_on) == (2, "both")
    np.testing.assert_array_equal([network.log_scale[0], network.tilt[0]], [log_b, tilt])
    m, w = network.m0[0], network.w0[0]
    b = np.exp(log_b)
    np.testing.assert_allclose(m * w, b * np.sinh(tilt), rtol=1e-12)
    np.testing.assert_allclose(m, np.exp(log_b / 2) * np.sqrt(np.cosh(tilt) + 1), rtol=1e-12)
    if abs(tilt) < 5:
        np.testing.assert_allclose(m**2 - w**2, 2 * b, rtol=1e-11)
        same = Hadamard.at(network.m0 * network.w0, 2 * np.exp(network.log_scale))
        np.testing.assert_allclose([same.m0, same.w0, same.tilt], [network.m0, network.w0, network.tilt], rtol=1e-12)


@pytest.mark.parametrize("tilt", [1000.0, -3000.0])
def test_from_tilt_does_not_form_the_start(tilt):
    mirror = Hadamard.from_tilt([0.0], [tilt]).mirror()
    assert mirror.initial_dual[0] == tilt / 2


@pytest.mark.parametrize(
    ("log_b", "tilt", "message"),
    [
        (0.0, 1.0, r"log_b and tilt must both have shape \(d,\) with d >= 1, got \(\) and \(\): write np.full"),
        ([0.0], [1.0, 2.0], r"got \(1,\) and \(2,\)"),
        ([], [], r"got \(0,\) and \(0,\)"),
        ([[0.0]], [[1.0]], r"got \(1, 1\) and \(1, 1\)"),
        ([np.nan], [1.0], r"log_b must be finite, got nan"),
        ([0.0], [-np.inf], r"tilt must be finite, got -inf"),
    ],
)
def test_from_tilt_of_bad_input(log_b, tilt, message):
    with pytest.raises(ValueError, match=message):
        Hadamard.from_tilt(log_b, tilt)
