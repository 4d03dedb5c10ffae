"""The hard-concrete gate: how often it is closed or open, its moments, the gate of tests, the expected L0 penalty.

Logits are the instance's initial weights, scaled to [-6, 6]. Evidence is made from the gate's definition as a function
of its noise, without the distribution function.
"""

from typing import Any

import numpy as np
from scipy.special import expit, logit

from linreg_mirror._types import Array
from linreg_mirror.hard_concrete import HardConcrete
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, algebra, identity, inequality, theorem
from linreg_mirror.theorems.gates.as_trained import expected_weights
from linreg_mirror.theorems.masks._outcomes import mean, tosses
from linreg_mirror.theorems.masks.draws import PAIRED, Scripted, by_tosses, linear_model

_WITNESS = "planted/biased/0"
_KINDS = (HardConcrete(), HardConcrete(-0.3, 1.05, 0.5), HardConcrete(-0.05, 1.2, 1.5))


def log_alphas(it: Instance) -> Array:
    """Return a logit for each of the first features."""
    w = linear_model(it)[1]
    return 6 * w / np.abs(w).max()


def gate(kind: HardConcrete, log_alpha: Array, u: Array) -> Array:
    """Return the gate for noise u in (0, 1), by its definition."""
    s = expit((logit(u) + log_alpha) / kind.temperature)
    return np.clip(s * (kind.zeta - kind.gamma) + kind.gamma, 0, 1)


def measure(kind: HardConcrete, log_alpha: Array, t: Array) -> Array:
    """Return P(z <= t) for each gate and its t in [0, 1): the noise up to which it holds, by bisection."""
    low, high = np.zeros_like(log_alpha), np.ones_like(log_alpha)
    for _ in range(60):
        middle = (low + high) / 2
        above = gate(kind, log_alpha, middle) > t
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return (low + high) / 2


def edges(kind: HardConcrete, log_alpha: Array) -> tuple[Array, Array]:
    """Return the noise up to which the gate is 0 and that from which it is 1, by bisection."""
    found = []
    for is_above in (lambda z: z > 0, lambda z: z >= 1):
        low, high = np.zeros_like(log_alpha), np.ones_like(log_alpha)
        for _ in range(60):
            middle = (low + high) / 2
            above = is_above(gate(kind, log_alpha, middle))
            low, high = np.where(above, low, middle), np.where(above, middle, high)
        found.append((low + high) / 2)
    return found[0], found[1]


@theorem(
    "gates.atoms",
    source=Citation("HC", "section 2.2; P(z = 1): ours"),
    statement="P(z > 0) = sigmoid(loga - T log(-gamma/zeta)), P(z = 1) = sigmoid(loga - T log((1-gamma)/(zeta-1)))",
    kind="identity",
    hypotheses=PAIRED,
    constants={"tempered": 1},
    control=Control("without T", _WITNESS, {"tempered": 0}),
)
def atoms(it: Instance, tempered: int) -> Evidence:
    a, found = log_alphas(it), []
    for kind in _KINDS:
        exact = 1 - np.array(edges(kind, a))
        odds = np.array([[-kind.gamma / kind.zeta], [(1 - kind.gamma) / (kind.zeta - 1)]])
        stated = expit(a - kind.temperature**tempered * np.log(odds))
        found += [stated - exact, [kind.open_probability(a), kind.full_probability(a)] - exact]
    return identity(found, 1e-14)


def _noise(sp: Any, t: Any, log_alpha: Any, T: Any, c: Any, e: Any) -> Any:
    """Return the logistic noise at which the gate with gamma = -c and zeta = 1 + e is t, which is below 1 + e."""
    noise = sp.Symbol("noise", real=True)
    (at,) = sp.solve((1 + e + c) / (1 + sp.exp(-(noise + log_alpha) / T)) - c - t, noise)
    return at


@algebra("gates.atoms", tempered=0)
def atoms_derived(sp: Any, tempered: int = 1) -> Any:
    """By the noise at which the gate is 0, or 1, and its logistic distribution; gamma = -c and zeta = 1 + e."""
    (c, e, T), a, found = sp.symbols("c e T", positive=True), sp.Symbol("loga", real=True), []
    for t, odds in ((0, c / (1 + e)), (1, (1 + c) / e)):
        probability = 1 / (1 + sp.exp(_noise(sp, t, a, T, c, e)))
        found.append(probability - 1 / (1 + sp.exp(T**tempered * sp.log(odds) - a)))
    return found


@theorem(
    "gates.moments",
    source=Citation("ours", "D1, integrals of the distribution function"),
    statement="P(z > t) = sigmoid(loga - T log((t-gamma)/(zeta-t))) for 0 <= t < 1: E z is its integral over [0, 1], "
    "E z^2 that of 2t P(z > t)",
    kind="identity",
    hypotheses=PAIRED,
    constants={"weight": 2.0},
    control=Control("E z^2 with t for 2t", _WITNESS, {"weight": 1.0}),
)
def moments(it: Instance, weight: float) -> Evidence:
    """Compare with integrals over the noise, between the edges of which the gate is smooth.

    Proof. For 0 <= z <= 1, E z = int_0^1 P(z > t) dt and E z^2 = int_0^1 2t P(z > t) dt, by parts. z > t exactly if
    the noise before clipping exceeds (t - gamma)/(zeta - gamma), whose distribution is logistic.
    """
    a, found = log_alphas(it), []
    nodes, lengths = np.polynomial.legendre.leggauss(60)
    t = (nodes[:, None] + 1) / 2
    for kind in _KINDS:
        closed, full = edges(kind, a)
        first, last = logit(closed), logit(full)
        noise = expit(first + (last - first) * t)
        density = lengths @ ((last - first) / 2 * noise * (1 - noise) * gate(kind, a, noise) ** [[[1]], [[2]]])
        mean, square = density + 1 - full
        above = 1 - kind.cdf(t, a)
        found += [
            lengths / 2 @ above / mean - 1,
            weight * (lengths / 2) @ (t * above) / square - 1,
            kind.mean(a) / mean - 1,
            kind.variance(a) / (square - mean**2) - 1,
        ]
    return identity(found, 1e-12)


@algebra("gates.moments", weight=1)
def moments_derived(sp: Any, weight: int = 2) -> Any:
    """P(z > t) as for gates.atoms; the derivatives of t P and t^2 P, which are 0 at 0 and P(z = 1) at 1."""
    (c, e, T, t), a, P = sp.symbols("c e T t", positive=True), sp.Symbol("loga", real=True), sp.Function("P")
    above = 1 / (1 + sp.exp(_noise(sp, t, a, T, c, e)))
    return [
        above - 1 / (1 + sp.exp(T * sp.log((t + c) / (1 + e - t)) - a)),
        (t * P(t)).diff(t) - P(t) - t * P(t).diff(t),
        (t**2 * P(t)).diff(t) - weight * t * P(t) - t**2 * P(t).diff(t),
    ]


@theorem(
    "gates.test.median",
    source=Citation("ours", "D2, the gate of tests"),
    statement="clip(sigmoid(loga)(zeta-gamma) + gamma, 0, 1) is the median of z at temperature 1; at temperature T the "
    "median is that of loga/T",
    kind="identity",
    hypotheses=PAIRED,
    constants={"own": False},
    control=Control("it is the median at temperature T", _WITNESS, {"own": True}),
)
def test_median(it: Instance, own: bool) -> Evidence:
    """Take the test gate's word for t, and compare P(z <= t) with 1/2.

    By the package's distribution function and by the share of the noise; where t is 0 or 1, that gate's atom must have
    half of the probability or more. The package's `quantile` must agree, and `sample` for noise of 1/2.

    Proof. The gate rises with its noise, so that its median is its value at noise 1/2, whose logit is 0: there it
    is clip(sigmoid(loga/T)(zeta - gamma) + gamma).
    """
    a, found = log_alphas(it), []
    for kind in _KINDS:
        for temperature in (kind.temperature,) if own else (1.0, kind.temperature):
            warm = HardConcrete(kind.gamma, kind.zeta, temperature)
            median = kind.deterministic(a if own else a / temperature)
            inside = (median > 0) & (median < 1)
            for below in (warm.cdf(median, a), measure(warm, a, np.minimum(median, 1 - 1e-15))):
                found += [
                    np.where(inside, below - 0.5, 0.0),
                    np.where(median == 0, np.maximum(0.5 - below, 0.0), 0.0),
                ]
            found += [
                np.where(median == 1, np.maximum(0.5 - warm.full_probability(a), 0.0), 0.0),
                warm.quantile(0.5, a) - median,
                warm.sample(a, Scripted(np.full(a.size, 0.5))) - median,
            ]
    return identity(found, 1e-14)


@algebra("gates.test.median", own=True)
def median_derived(sp: Any, own: bool = False) -> Any:
    """Noise is 0, its median, where the gate is the test gate of loga/T."""
    (c, e, T), a = sp.symbols("c e T", positive=True), sp.Symbol("loga", real=True)
    t = (1 + c + e) / (1 + sp.exp(-a if own else -a / T)) - c
    return sp.exp(_noise(sp, t, a, T, c, e)) - 1


@theorem(
    "gates.test",
    source=Citation("ours", "D2, the gate of tests"),
    statement="gamma + zeta = 1, T < 1: |E z - 1/2| <= |test gate - 1/2| <= |median of z - 1/2|, the first equal at "
    "loga = 0 alone",
    kind="inequality",
    hypotheses=PAIRED,
    constants={"nearest": "mean"},
    control=Control("the test gate no farther than the mean, as if it were the mean", _WITNESS, {"nearest": "test"}),
)
def deterministic(it: Instance, nearest: str) -> Evidence:
    """Compare; gates in tests are more decided than in training on average.

    Proof. Let a = loga > 0; the median is the test gate of a/T > a. The slope of E z is (zeta - gamma) E[p(a - TM);
    |M| < c], p the logistic density, M logistic and c = log(-zeta/gamma), that of the test gate (zeta - gamma) p(a)
    until it is 1 at a = c. With C = cosh a, k = cosh y: [p(a - y) + p(a + y)]/p(a) = 2(1+C)(1+Ck)/(C+k)^2, which grows
    with C, its logarithm at a rate of the sign of (k-1)[k + 2 + C(2k+1)]. So the slope of the difference changes its
    sign at most once, from + to -, and the difference, 0 at first, is 1 - E z > 0 at c and beyond.
    """
    a, left, right = np.concatenate([log_alphas(it), np.linspace(-3, 3, 13)]), [], []
    for kind in (HardConcrete(), HardConcrete(-0.25, 1.25, 0.4), HardConcrete(-0.01, 1.01, 0.95)):
        mean, test, median = np.abs(np.array([kind.mean(a), kind.deterministic(a), kind.quantile(0.5, a)]) - 0.5)
        left += [mean if nearest == "mean" else test, test]
        right += [test if nearest == "mean" else mean, median]
    return inequality(left, right)


@theorem(
    "gates.penalty",
    source=Citation("DL", "published code; proof: independence"),
    statement="layers of independent gates, N_l of them open, N_0 all inputs, k_l^2 weights between two: on average "
    "sum k_l^2 E[N_(l-1)] E[N_l] weights lie between open gates, E[N_l] = sum sigmoid(loga - T log(-gamma/zeta))",
    kind="identity",
    hypotheses=PAIRED,
    constants={"back": 1},
    control=Control("the layer's own E[N_l] for that of its inputs", _WITNESS, {"back": 0}),
)
def penalty(it: Instance, back: int) -> Evidence:
    """Count the weights for every pattern of gates, the probability of each taken from the gate's definition.

    What networks with gates are penalised by is compared with that too.
    """
    a, inputs, areas, found = log_alphas(it), 3, (9, 4), []
    for kind in _KINDS:
        p, patterns = by_tosses(1 - edges(kind, a)[0])
        counted = np.zeros_like(p)
        before = np.ones((len(p), inputs))
        for layer, area in zip(np.array_split(patterns, 2, axis=1), areas, strict=True):
            counted += area * np.einsum("pi,pj->p", before, layer)
            before = layer
        expected = [inputs, *(part.sum() for part in np.array_split(kind.open_probability(a), 2))]
        stated = sum(area * expected[i + 1 - back] * expected[i + 1] for i, area in enumerate(areas))
        found.append(stated / (p @ counted) - 1)
        trained = expected_weights(inputs, areas, np.array_split(a, 2)) if kind == HardConcrete() else None
        if trained is not None:
            found.append(trained / (p @ counted) - 1)
    return identity(found, 3e-14)


@algebra("gates.penalty", back=0)
def penalty_derived(sp: Any, back: int = 1) -> Any:
    """Two layers of two gates, enumerated."""
    q, inputs, areas = sp.symbols("q1:5"), sp.Symbol("N0"), sp.symbols("k1 k2")
    counted = mean(tosses(q), lambda z: areas[0] * inputs * (z[0] + z[1]) + areas[1] * (z[0] + z[1]) * (z[2] + z[3]))
    expected = (inputs, q[0] + q[1], q[2] + q[3])
    return counted - sum(area * expected[i + 1 - back] * expected[i + 1] for i, area in enumerate(areas))
