"""What noise does to the scale b of x = m*w: of batches, of labels; and the trace of the Hessian, which it shrinks.

Expectations are over all sequences of batches, and over all signs of labels: nothing is drawn, but in the experiment at
the end. Problems are the first samples of the instance's.
"""

from itertools import product

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Hypothesis,
    Instance,
    certified,
    inequality,
    slope,
    theorem,
)
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.solvers.independent import minimum_l2
from linreg_mirror.theorems.flows.sharpness import hessian_of, interpolators

_BATCHES = 2  # samples, each of which is a batch: 2^11 sequences of eleven steps
_LABELS = 6
_LADDER = (2, 4, 7, 11)  # steps in the same time
_NODES = 65  # of Simpson's rule along the flow
_RUNS, _NOISY_STEPS, _ETA, _SIGMA = 100, 5000, 0.2, 0.5

_ONCE = (
    h.hadamard,
    h.unbalanced,
    h.squared,
    h.no_penalty,
    h.starts_at_zero,
    h.solvable,
    h.targets,
    Hypothesis("b >= 0.1", lambda it: bool(it.scale0.min() >= 0.1)),
    Hypothesis("two targets that are not 0", lambda it: it.problem.n > 1 and bool(it.problem.y[:2].all())),
)


def _first(it: Instance, count: int) -> Problem:
    return Problem(it.problem.X[:count], it.problem.y[:count])


def _lost(problem: Problem, network: Hadamard, eta: float, steps: int) -> Array:
    """Return the mean of log b_0/b over all sequences of batches of one sample, shape (d,)."""
    n, d = problem.X.shape
    sequences = np.array(list(product(range(n), repeat=steps)))
    m, w = (np.broadcast_to(factor, (len(sequences), d)) for factor in (network.m0, network.w0))
    for rows in sequences.T:
        X = problem.X[rows]
        g = n * X * ((X * m * w).sum(axis=1) - problem.y[rows])[:, None]
        m, w = m - eta * w * g, w - eta * m * g
    return np.mean(network.log_scale - np.log(0.5 * np.abs(m**2 - w**2)), axis=0)


@theorem(
    "steps.noise.sgd",
    source=Citation("PPF21", "Thm 1; with the noise of batches: ours"),
    statement="SGD with batches of one sample, unbiased, over a fixed time: the mean of log(b_0/b_t) is "
    "eta int n sum_i X_ij^2 r_i^2 dt along the flow, r the residuals, up to O(eta^2)",
    kind="asymptotic",
    hypotheses=_ONCE,
    constants={"each": True},
    control=Control("eta 2 (X'X)_jj int f, the noise that the paper's SDE has", "planted/plain/0", {"each": False}),
)
def sgd(it: Instance, each: bool) -> Evidence:
    """Extrapolate a ladder of step sizes to eta = 0, in whose powers the mean is a series; all sequences are followed.

    The cubic polynomial's end may be off by what the quadratic one changes of the straight line's: by less, as orders
    go, but what the last order changes may happen to be small.

    Proof. b is multiplied by |1 - eta^2 g^2| (steps.scale), whose -log is eta^2 g^2 + O(eta^4), and the mean of
    g_j^2 = n^2 X_ij^2 r_i^2 over samples is n sum_i X_ij^2 r_i^2; runs follow the flow up to O(eta) in mean square. The
    paper's SDE spreads the noise evenly over samples: it has the mean of r_i^2 for each.
    """
    problem, network = _first(it, _BATCHES), it.hadamard
    X, n = problem.X, problem.n
    metric = 2 * np.hypot(network.effective(network.theta0), it.scale0)
    steepest = n * float((X**2 @ metric).max())
    time = 0.2 * min(1 / steepest, 1 / (n * float(np.abs(X).max() * np.abs(problem.y).max())))
    nodes = np.linspace(0, time, _NODES)
    path = flow(problem, network, until=time, at=nodes, method="parameters", accuracy=1e-11)
    x = path.x[np.searchsorted(path.t, nodes)]
    r2 = (x @ X.T - problem.y) ** 2
    weights = np.ones(_NODES)
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
    integral = weights @ r2 * time / (3 * (_NODES - 1))  # of every r_i^2
    expected = (n * integral if each else np.full(n, integral.sum())) @ X**2
    ladder = time / np.array(_LADDER)
    found = np.array([_lost(problem, network, time / k, k) * k / time for k in _LADDER])
    # Each step rounds m and w, m^2 and w^2, and b is their difference: half of a digit's last place each time.
    m2, w2 = network.m0**2, network.w0**2
    rounding = np.outer((np.array(_LADDER) + 1) / ladder, 8e-16 * (m2 + w2) / np.abs(m2 - w2))
    to_zero = [np.linalg.inv(np.vander(ladder[-rungs:]))[-1] for rungs in (2, 3, 4)]
    ends = [powers @ found[-len(powers) :] for powers in to_zero]
    off = float(np.abs(ends[2] - expected).max() / expected.max())
    allowed = float((np.abs(ends[1] - ends[0]).max() + (np.abs(to_zero[2]) @ rounding).max()) / expected.max())
    return Evidence(allowed - off, f"off by {off:.1e} at eta = 0, {allowed:.1e} allowed")


@theorem(
    "steps.noise.labels",
    source=Citation("PRF22", "drift of the scale; rate: ours"),
    statement="a step from zero loss with labels y + sigma xi, signs xi: the mean of log(b_k/b_{k+1}) is "
    "eta^2 sigma^2 (X'X)_jj up to O(eta^4)",
    kind="asymptotic",
    hypotheses=_ONCE,
    constants={"share": 1.0},
    control=Control("half of it", "planted/plain/0", {"share": 0.5}),
)
def labels(it: Instance, share: float) -> Evidence:
    """Fit the exponent of the relative error over a ladder of step sizes, at an interpolator, over all signs.

    Proof. g = -sigma X'xi, whose entries have the mean square sigma^2 sum_i X_ij^2; see steps.scale.
    """
    problem = _first(it, _LABELS)
    network = Hadamard.from_scale(log_b=it.hadamard.log_scale, x0=certified(minimum_l2(problem)))
    xi = np.array(list(product((-1.0, 1.0), repeat=problem.n)))
    sigma = float(np.abs(problem.y).max())
    expected = share * sigma**2 * (problem.X**2).sum(axis=0)
    ladder = np.array([0.1, 0.05, 0.025]) / (sigma * float(np.abs(problem.X).sum(axis=0).max()))
    errors, rounding = [], []
    for eta in ladder:
        noisy = [network.theta0 - eta * network.pullback(network.theta0, -sigma * problem.X.T @ one) for one in xi]
        m, w = np.split(np.array(noisy), 2, axis=1)
        lost = np.mean(network.log_scale - np.log(0.5 * np.abs(m**2 - w**2)), axis=0)
        errors.append(float(np.abs(lost / eta**2 - expected).max() / expected.max()))
        rounding.append(8e-16 * float(((m**2 + w**2) / np.abs(m**2 - w**2)).max()) / eta**2 / expected.max())
    return slope(ladder, errors, expected=2.0, errors=rounding)


@theorem(
    "steps.noise.trace",
    source=Citation("HWLM21", "regulariser of label noise; PRF22"),
    statement="where Xx = y the trace of the Hessian in (m, w) is sum_j |X_j|^2 (m_j^2 + w_j^2) = 2 sum_j |X_j|^2 "
    "sqrt(x_j^2 + b_j^2) >= 2 sum_j |X_j|^2 |x_j|, a weighted L1 norm, which is reached as b -> 0",
    kind="inequality",
    hypotheses=_ONCE,
    constants={"factor": 2.0},
    control=Control("the same without 2, from both sides", "planted/plain/0", {"factor": 1.0}),
)
def trace(it: Instance, factor: float) -> Evidence:
    """Compare with differences of the network's gradient at interpolators, at the instance's scale and at 1e-6 of it.

    Proof. At zero loss the Hessian is J'X'XJ with JJ' = diag(m^2 + w^2), and (m^2 + w^2)^2 = 4b^2 + 4x^2.
    """
    left, right, rounding = [], [], 0.0
    for start in interpolators(it):
        for shift in (0.0, np.log(1e-6)):
            x = start.effective(start.theta0)
            network = Hadamard.from_scale(log_b=start.log_scale + shift, x0=x)
            lengths = (it.problem.X**2).sum(axis=0)
            stated = factor * float(lengths @ np.hypot(x, np.exp(network.log_scale)))
            found, error = hessian_of(it.problem, network)
            measured = float(np.trace(found))
            # The residual that rounding leaves is off the diagonal of the blocks.
            rounding = max(rounding, len(found) * error / stated, 1e-12)
            left += [measured / stated, 1.0, factor * float(lengths @ np.abs(x)) / stated]
            right += [1.0, measured / stated, measured / stated]
    return inequality(left, right, rounding=rounding)


@theorem(
    "steps.noise.end",
    source=Citation("PRF22", "weighted LASSO; an experiment with one sample"),
    statement="X = (1, a), a < 1, noise of labels: gradient descent goes to x = (0, y/a), of least sum |X_j|^2 |x_j|, "
    "up to O(eta), and not to (y, 0), of least |x|_1",
    kind="distributional",
    hypotheses=_ONCE,
    constants={"weighted": True},
    control=Control("it goes to the least |x|_1", "planted/plain/0", {"weighted": False}),
)
def end(it: Instance, weighted: bool) -> Evidence:
    """Compare the mean of a hundred runs with that point, by five standard errors; a and y are drawn.

    Where that fails, twenty times as many runs decide; five standard errors are more than the term in eta. This is an
    experiment, in two weights, with steps and noise that are small, but not so small that runs take for ever: log b
    falls by (eta sigma X_j)^2 in a step. It is no proof for more samples, where interpolators are moved along a face,
    at a speed that falls with b.

    O(eta). At rest log u_2 has no drift, the mean of log(1 - eta g) is 0: that of g is -eta/2 times that of g^2, and
    with g = a (r - sigma xi) that of the residual r = a x_2 - y is -eta/2 times a (sigma^2 + mean r^2). What is left
    are third powers of eta g.
    """
    rng = it.generator()
    a, y = rng.uniform(0.4, 0.6), rng.uniform(0.5, 1.0)
    first = _end(rng, a, y, _RUNS, weighted)
    return first if first.holds or not weighted else _end(rng, a, y, 20 * _RUNS, weighted)


def _end(rng: np.random.Generator, a: float, y: float, runs: int, weighted: bool) -> Evidence:
    X = np.array([1.0, a])
    m, w = np.ones((runs, 2)), np.zeros((runs, 2))
    for _ in range(_NOISY_STEPS):
        g = ((m * w) @ X - y - _SIGMA * rng.choice([-1.0, 1.0], runs))[:, None] * X
        m, w = m - _ETA * w * g, w - _ETA * m * g
    x = m * w
    r = x @ X - y
    shift = _ETA / 2 * (_SIGMA**2 + np.mean(r**2))
    expected = np.array([0.0, y / a - shift]) if weighted else np.array([y - shift, 0.0])
    third = _ETA**2 * a * np.mean((np.abs(r) + _SIGMA) ** 3)  # of log(1 - eta g), three times what it has
    apart, error = np.abs(x.mean(axis=0) - expected), 5 * x.std(axis=0) / runs**0.5 + [1e-6, third]
    worst = int(np.argmin(error - apart))
    return Evidence(
        float((error - apart)[worst]),
        f"mean {x.mean(axis=0)[worst]:.4f} for {expected[worst]:.4f}, {error[worst]:.1e} allowed",
    )
