"""Independent gates against dependent ones, for the linear model X(z*w): what dependence costs, what it can buy.

Gates z are 0 or 1. X, w and y are those of the first features of the instance's problem and start. Expectations are
sums over all patterns of gates, of twice `Problem.value`; what is stated is computed by `HardConcrete.open_probability`
and by `sketching`'s moments of masks, which know nothing of patterns.
"""

from itertools import combinations, product
from typing import Any

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.hard_concrete import HardConcrete
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Instance,
    algebra,
    hypotheses,
    identity,
    inequality,
    relative,
    theorem,
)
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.independent import minimum_l2
from linreg_mirror.theorems.gates.as_trained import generated
from linreg_mirror.theorems.gates.hard_concrete import edges, log_alphas
from linreg_mirror.theorems.masks._outcomes import mean, tosses
from linreg_mirror.theorems.masks.draws import PAIRED, Ensemble, by_tosses, linear_model
from sketching import mask_moments, moments
from sketching.mask_moments import MaskMoments

_WITNESS = "planted/biased/0"


def _model(it: Instance) -> tuple[Array, Array, Array, Array]:
    """Return X, w, y and the probability of each gate to be open, that of half its logit."""
    X, w, _ = linear_model(it)
    return X, w, it.problem.y, HardConcrete().open_probability(log_alphas(it) / 2)


def _is_open(log_alpha: Array) -> Array:
    """Return P(z > 0) from the definition of a gate: the share of the noise for which it is open."""
    return 1 - edges(HardConcrete(), log_alpha)[0]


def _mean_error(X: Array, w: Array, y: Array, gates: Ensemble) -> float:
    """Return E|X(z*w) - y|^2."""
    problem = Problem(X, y)
    return 2 * float(gates[0] @ [problem.value(z * w) for z in gates[1]])


def _of_moments(X: Array, w: Array, y: Array, mean: Array, covariance: Array) -> float:
    """Return E|X(z*w) - y|^2 by `sketch_error`: as a sketch of Xw + (y - Xw) that leaves the last term out for good."""
    whole = MaskMoments(np.append(mean, 0.0), np.pad(covariance, (0, 1)).astype(float))
    return moments.sketch_error(np.column_stack([X, y - X @ w]), np.append(w, 1.0), whole).second_moment


def _moments(gates: Ensemble) -> tuple[Array, Array]:
    """Return E z and Cov z."""
    p, patterns = gates
    mean = p @ patterns
    return mean, (patterns - mean).T @ (p[:, None] * (patterns - mean))


def _given(probabilities: Array, shares: Array) -> Ensemble:
    """Return gates that are independent given a latent value, each with its share and its row of probabilities."""
    tossed = [by_tosses(q) for q in probabilities]
    return shares @ [p for p, _ in tossed], tossed[0][1]


def _arbitrary(size: int, count: int) -> list[Array]:
    """Return probabilities of all patterns, drawn at random, some concentrated on few of them."""
    rng = np.random.default_rng(0)
    return [rng.dirichlet(np.full(2**size, concentration)) for _ in range(count) for concentration in (0.02, 1.0)]


@theorem(
    "gates.error",
    source=Citation("ours", "variance and bias"),
    statement="any gates, q = E z: E|X(z*w) - y|^2 = |X(q*w) - y|^2 + sum_ij Cov(z_i, z_j) w_i w_j X_i'X_j; all that "
    "dependence adds is i != j",
    kind="identity",
    hypotheses=PAIRED,
    constants={"pairs": True},
    control=Control("i = j alone, as if gates were independent", _WITNESS, {"pairs": False}),
)
def error(it: Instance, pairs: bool) -> Evidence:
    """Compare sums over patterns with `sketch_error`; independent gates with the moments of `mask_moments.bernoulli`.

    There they are given scores, probabilities that add up to a whole number. The others' moments are enumerated.

    Proof. E|v|^2 = |E v|^2 + the trace of the covariance of v = X(z*w) - y, which is sum_ij Cov(z_i, z_j) w_i w_j
    X_i'X_j.
    """
    X, w, y, q = _model(it)
    patterns = by_tosses(q)[1]
    q = q / q.sum() if q.sum() > 1 else q
    exact, stated = [], []
    for gates in (by_tosses(q), *((p, patterns) for p in _arbitrary(q.size, 2))):
        mean, covariance = _moments(gates)
        exact.append(_mean_error(X, w, y, gates))
        stated.append(_of_moments(X, w, y, mean, covariance if pairs else np.diag(np.diag(covariance))))
    described = mask_moments.bernoulli(q / q.sum(), 1)
    exact.append(_mean_error(X, w, y, by_tosses(q / q.sum())))
    stated.append(_of_moments(X, w, y, described.mean, described.covariance))
    return identity(relative(np.subtract(stated, exact), exact), 1e-14)


def _error_of_two(v: Any, y: Any, q: Any, both: Any) -> Any:
    """Return E|z_1 v_1 + z_2 v_2 - y|^2, v_i = w_i X_i, for gates of probabilities q and P(both open)."""
    gates = [(both, (1, 1)), (q[0] - both, (1, 0)), (q[1] - both, (0, 1)), (1 - q[0] - q[1] + both, (0, 0))]
    return mean(gates, lambda z: (z[0] * v[0] + z[1] * v[1] - y).dot(z[0] * v[0] + z[1] * v[1] - y))


@algebra("gates.error", pairs=0)
def error_derived(sp: Any, pairs: int = 1) -> Any:
    """Two gates of any distribution, two samples."""
    v, y = [sp.Matrix(sp.symbols(f"v{i}1 v{i}2")) for i in (1, 2)], sp.Matrix(sp.symbols("y1 y2"))
    both, *q = sp.symbols("both q1 q2")
    off = q[0] * v[0] + q[1] * v[1] - y
    stated = off.dot(off) + sum(q[i] * (1 - q[i]) * v[i].dot(v[i]) for i in (0, 1))
    return _error_of_two(v, y, q, both) - stated - pairs * 2 * (both - q[0] * q[1]) * v[0].dot(v[1])


@theorem(
    "gates.generator",
    source=Citation("DL", "published code; law of total covariance"),
    statement="logits log(100) tanh(W h + c) made from h, gates independent given h: Cov(z_i, z_j) = Cov_h(P_i, P_j), "
    "P_i = P(z_i = 1 | h); nothing if h is fixed, as in the published code, where h is a vector of ones",
    kind="identity",
    hypotheses=PAIRED,
    constants={"drawn": True},
    control=Control("as if h were fixed where it is drawn", _WITNESS, {"drawn": False}),
)
def generator(it: Instance, drawn: bool) -> Evidence:
    """Compare; a generator with a fixed start ties the parameters of gates together, and no gates.

    Gates are enumerated with probabilities from their definition. Logits are those of `networks.gates.Generator` where
    torch is installed.
    """
    c = log_alphas(it)
    W = np.cos(np.outer(np.arange(1, c.size + 1), np.arange(1, 4)))
    starts, apart, found = np.array(list(product([1.0, -1.0], repeat=3))), ~np.eye(c.size, dtype=bool), []
    for h in (starts, starts[:1]):
        logits, shares = np.array([generated(W, one, c) for one in h]), np.full(len(h), 1 / len(h))
        probabilities = HardConcrete().open_probability(logits)
        deviations = probabilities - shares @ probabilities
        stated = deviations.T @ (shares[:, None] * deviations) * drawn
        found.append((_moments(_given(_is_open(logits), shares))[1] - stated)[apart])
        found.append((logits - np.log(100) * np.tanh(h @ W.T + c)).ravel() / np.log(100))
    return identity(np.concatenate(found), 1e-14)


@algebra("gates.generator", drawn=0)
def generator_derived(sp: Any, drawn: int = 1) -> Any:
    """Two gates, and h of two values: with P_i at each of them."""
    first, second, one = sp.symbols("P1 P2"), sp.symbols("Q1 Q2"), sp.Symbol("share")
    gates = [(share * p, z) for share, q in ((one, first), (1 - one, second)) for p, z in tosses(q)]
    means = [one * first[i] + (1 - one) * second[i] for i in (0, 1)]
    found = mean(gates, lambda z: z[0] * z[1]) - mean(gates, lambda z: z[0]) * mean(gates, lambda z: z[1])
    stated = [share * (q[0] - means[0]) * (q[1] - means[1]) for share, q in ((one, first), (1 - one, second))]
    return found - drawn * sum(stated)


@theorem(
    "gates.pair",
    source=Citation("ours", "by the Frechet bounds"),
    statement="two gates, open with given probabilities: agreement, P(both) = min(q_i, q_j), has the least "
    "E|X(z*w) - y|^2 where w_i w_j X_i'X_j < 0, avoidance, max(0, q_i + q_j - 1), where > 0; independent gates are off "
    "by 2 w_i w_j X_i'X_j (q_i q_j - P(both))",
    kind="identity",
    hypotheses=PAIRED,
    constants={"look": True},
    control=Control("agreement always", _WITNESS, {"look": False}),
)
def pair(it: Instance, look: bool) -> Evidence:
    """Compare with the least over all joint distributions, a segment in P(both), attained at one of its ends.

    What is stated is computed from the covariance, too.

    Proof. By gates.error the coupling counts by 2 w_i w_j X_i'X_j P(both) alone, and P(both) may be anything
    between max(0, q_i + q_j - 1) and min(q_i, q_j).
    """
    X, w, y, q = _model(it)
    patterns, exact, stated = np.array([[1.0, 1.0], [1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), [], []
    for two in map(list, combinations(range(w.size), 2)):
        (a, b), inner = q[two], np.prod(w[two]) * np.prod(X[:, two], axis=1).sum()
        joint = [np.array([both, a - both, b - both, 1 - a - b + both]) for both in (0.0, a, b, a + b - 1)]
        possible = [p for p in joint if p.min() >= -1e-15]
        exact += 2 * [min(_mean_error(X[:, two], w[two], y, (p, patterns)) for p in possible)]
        both = min(a, b) if inner < 0 or not look else max(0.0, a + b - 1)
        apart = np.diag([a - a**2, b - b**2])
        independent = _of_moments(X[:, two], w[two], y, q[two], apart)
        stated += [
            independent + 2 * inner * (both - a * b),
            _of_moments(X[:, two], w[two], y, q[two], apart + (both - a * b) * (1 - np.eye(2))),
        ]
    return identity(relative(np.subtract(stated, exact), exact), 1e-14)


@algebra("gates.pair", look=False)
def pair_derived(sp: Any, look: bool = True) -> Any:
    """Two gates, q_1 <= q_2, two samples, w_1 w_2 X_1'X_2 = -c, then c: what another P(both) costs, and independence.

    Others are less than min(q_1, q_2), or more than 0 and than q_1 + q_2 - 1.
    """
    (r, c, q1, t, s), (h, *y) = sp.symbols("r c q t s", positive=True), sp.symbols("h y1 y2", real=True)
    q, found = (q1, q1 + t), []
    for sign in (-1, 1):
        v = sp.Matrix([r, 0]), sp.Matrix([sign * c / r, h])
        agree = sign < 0 or not look
        for best in (q[0],) if agree else (0, sum(q) - 1):
            ways = best, best - s if agree else best + s, q[0] * q[1]
            least, other, independent = (_error_of_two(v, sp.Matrix(y), q, both) for both in ways)
            found += [(other - least, 2 * c * s), independent - least - 2 * sign * c * (q[0] * q[1] - best)]
    return found


@theorem(
    "gates.copies",
    source=Citation("ours", "variance of the number of open gates"),
    statement="m copies of a feature with one weight, y what a single one makes, each gate open with probability 1/m: "
    "E|X(z*w) - y|^2 is 0 if exactly one is open, (1 - 1/m)|y|^2 if they are independent, (m - 1)|y|^2 if they agree",
    kind="identity",
    hypotheses=PAIRED,
    constants={"together": 1.0},
    control=Control("no error if they agree", _WITNESS, {"together": 0.0}),
)
def copies(it: Instance, together: float) -> Evidence:
    """Compare sums over patterns and the errors of masks with what is stated; all have the same expected penalty.

    Exactly one of m equal entries is what `systematic` keeps, on average one what `bernoulli` does.

    Proof. X(z*w) = N y with N the number of open gates, of mean 1: the error is |y|^2 Var N, and Var N is 0, m
    (1/m)(1 - 1/m), and m^2 (1/m)(1 - 1/m).
    """
    X, w, _, _ = _model(it)
    y, found = X[:, 0] * w[0], []
    for m in (2, 3, 6):
        ways = [
            (np.full(m, 1 / m), np.eye(m)),
            by_tosses(np.full(m, 1 / m)),
            (np.array([1 / m, 1 - 1 / m]), np.array([np.ones(m), np.zeros(m)])),
        ]
        copied, weights = np.outer(X[:, 0], np.ones(m)), np.full(m, w[0])
        described = [mask_moments.systematic(np.ones(m), 1), mask_moments.bernoulli(np.ones(m), 1)]
        described.append(MaskMoments(np.full(m, 1 / m), np.full((m, m), (1 - 1 / m) / m)))
        stated = np.array([0, 1 - 1 / m, together * (m - 1)]) * np.sum(y**2)
        found += [
            np.subtract([_mean_error(copied, weights, y, way) for way in ways], stated),
            np.subtract([_of_moments(copied, weights, y, one.mean, one.covariance) for one in described], stated),
        ]
    return identity(relative(np.concatenate(found), np.sum(y**2)), 1e-14)


@algebra("gates.copies", together=0)
def copies_derived(sp: Any, together: int = 1) -> Any:
    """Two and three copies, the error in units of |y|^2: (N - 1)^2 with N gates open."""
    found = []
    for m in (2, 3):
        one = sp.Rational(1, m)
        single = [(one, tuple(int(i == k) for i in range(m))) for k in range(m)]
        agree = [(one, (1,) * m), (1 - one, (0,) * m)]
        for gates, stated in ((single, 0), (tosses((one,) * m), 1 - one), (agree, together * (m - 1))):
            found.append(mean(gates, lambda z: (sum(z) - 1) ** 2) - stated)
    return found


def _least(X: Array, y: Array, gates: Ensemble, weight: float) -> float:
    """Return the least of E|X(z*w) - y|^2 + weight E|z|_0 over w."""
    mean, covariance = _moments(gates)
    quadratic = (covariance + np.outer(mean, mean)) * (X.T @ X)
    w = np.linalg.lstsq(quadratic, mean * (X.T @ y), rcond=1e-12)[0]
    return _of_moments(X, w, y, mean, covariance) + weight * float(mean.sum())


def _couplings(q: Array) -> list[Ensemble]:
    """Return gates with probabilities q that share one uniform u: open for u < q_i, or for u > 1 - q_i."""
    ways = []
    for signs in product([False, True], repeat=q.size):
        ends = np.unique(np.concatenate([[0.0, 1.0], np.where(signs, 1 - q, q)]))
        u = ((ends[1:] + ends[:-1]) / 2)[:, None]
        ways.append((np.diff(ends), np.where(signs, u > 1 - q, u < q).astype(float)))
    return ways


@theorem(
    "gates.optimum",
    source=Citation("ours", "a linear function of the distribution is least at a vertex"),
    statement="over w and all distributions of gates, E|X(z*w) - y|^2 + lambda E|z|_0 is least, and is L0-penalised "
    "least squares, for gates that are not random: independent gates reach it, dependence buys nothing",
    kind="inequality",
    hypotheses=(*PAIRED, hypotheses.targets),
    constants={"free": True},
    control=Control("where probabilities of single gates are given", _WITNESS, {"free": False}),
)
def optimum(it: Instance, free: bool) -> Evidence:
    """Compare L0-penalised least squares, by enumeration of supports, with distributions of all kinds, w free.

    That is by `minimum_l2`, and the error of gates by `sketch_error`. The first features come twice. Proof. For given w
    the objective is linear in the probabilities of patterns, so that one pattern does no worse than any mixture; with w
    free, that pattern does no worse either.
    """
    X, _, y, q = _model(it)
    X, q = np.hstack([X[:, :3]] * 2), np.concatenate([q[:3], q[:3][::-1]])
    weight, patterns = 0.02 * float(y @ y), by_tosses(q)[1]
    if not free:
        independent = _least(X, y, by_tosses(q), weight)
        return inequality(independent, [_least(X, y, gates, weight) for gates in _couplings(q)], scale=float(y @ y))
    penalised = [float(y @ y)]
    fits = {}  # by which features are kept: a copy of one adds nothing that could be fitted
    for kept in (np.flatnonzero(one) for one in patterns if one.any()):
        features = tuple(np.unique(kept % 3))
        if features not in fits:
            problem = Problem(X[:, features], y)
            fits[features] = 2 * problem.value(minimum_l2(problem).x)
        penalised.append(fits[features] + weight * kept.size)
    random = ((p, patterns) for p in _arbitrary(q.size, 10))
    certain = ((np.ones(1), one[None]) for one in patterns)
    ways = [by_tosses(q), *_couplings(q), *random, *certain]
    return inequality(min(penalised), [_least(X, y, gates, weight) for gates in ways], scale=float(y @ y))
