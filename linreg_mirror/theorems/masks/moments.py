"""Masks as sketches: how far X(w*m) is from Xw for the linear model, and which probabilities make it least.

X and w are the first features of the instance's problem and start. Expectations are enumerated (`draws`).
"""

from typing import Any

import numpy as np
from scipy.optimize import minimize

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, algebra, identity, inequality, relative, theorem
from linreg_mirror.theorems.masks._outcomes import draws, error_of, mean, positive, products, shares, tosses
from linreg_mirror.theorems.masks.draws import (
    MASKED,
    SPREAD,
    Ensemble,
    by_draws,
    by_tosses,
    filled,
    lengths,
    linear_model,
    mean_error,
)
from sketching import mask_moments, moments, selection

_WITNESS = "planted/biased/0"


@theorem(
    "masks.second_moment",
    source=Citation("DKM06", "basic algorithm, in our notation"),
    statement="k draws from p, m_i = (times drawn)/(k p_i): E|X(w*m) - Xw|^2 = (sum |X_i|^2 w_i^2/p_i - |Xw|^2)/k",
    kind="identity",
    hypotheses=MASKED,
    constants={"signal": 1.0},
    control=Control("without |Xw|^2", _WITNESS, {"signal": 0.0}),
)
def second_moment(it: Instance, signal: float) -> Evidence:
    X, w, k = linear_model(it)
    a, found = lengths(X, w), []
    for scores in (a, np.abs(w), np.ones_like(a)):
        p = scores / scores.sum()
        exact = mean_error(X, w, by_draws(p, k))
        stated = (np.sum(a**2 / p) - signal * np.sum((X @ w) ** 2)) / k
        computed = moments.sketch_error(X, w, mask_moments.with_replacement(scores, k, rescale=True))
        residuals = [stated - exact, computed.second_moment - exact, computed.bias]
        found.append(relative(residuals, np.sum(a**2 / p)))
    return identity(found, 1e-13)


@algebra("masks.second_moment", signal=0)
def second_moment_derived(sp: Any, signal: int = 1) -> Any:
    """Three features, two draws."""
    a, (p1, p2) = positive(sp), sp.symbols("p1 p2")
    inner, p = products(sp, a), (p1, p2, 1 - p1 - p2)
    stated = (sum(a_i**2 / p_i for a_i, p_i in zip(a, p, strict=True)) - signal * sum(inner)) / 2
    return error_of(inner, draws(p, 2)) - stated


@theorem(
    "masks.optimal.value",
    source=Citation("DKM06", "basic algorithm, in our notation"),
    statement="the least of these over p is [(sum |X_i||w_i|)^2 - |Xw|^2]/k, where p_i ~ |X_i||w_i|",
    kind="identity",
    hypotheses=(*MASKED, SPREAD),
    constants={"signal": 1.0},
    control=Control("without |Xw|^2", _WITNESS, {"signal": 0.0}),
)
def optimal_value(it: Instance, signal: float) -> Evidence:
    """Compare with what a general minimiser finds, who only sees enumerated errors."""
    X, w, k = linear_model(it)
    a = lengths(X, w)

    def log_error(logits: Array) -> float:
        p = np.exp(logits - logits.max())
        return float(np.log(mean_error(X, w, by_draws(p / p.sum(), k))))

    least = np.exp(minimize(log_error, np.zeros_like(a), jac="3-point", tol=1e-10).fun)
    stated = (a.sum() ** 2 - signal * np.sum((X @ w) ** 2)) / k
    computed = moments.least_error(X, w, k)
    at_optimum = mean_error(X, w, by_draws(moments.optimal_probabilities(X, w), k))
    whole = a.sum() ** 2 / k  # of which |Xw|^2 may leave little
    return identity(relative([least - stated, least - computed, least - at_optimum], whole), 1e-14)


@algebra("masks.optimal.value", signal=0)
def optimal_value_derived(sp: Any, signal: int = 1) -> Any:
    """Three features, two draws; that it is the least, masks.optimal has."""
    a = positive(sp)
    inner, p = products(sp, a), shares(a)
    return error_of(inner, draws(p, 2)) - (sum(a) ** 2 - signal * sum(inner)) / 2


def _others(p: Array) -> list[Array]:
    """Return p with one entry after the other changed by a factor, and probabilities that have nothing to do with p."""
    changed = [
        p * np.where(np.arange(p.size) == i, factor, 1) for i in range(p.size) for factor in (0.5, 0.99, 1.01, 3)
    ]
    unrelated = np.random.default_rng(0).dirichlet(np.ones(p.size), 20)
    return [one / one.sum() for one in (*changed, *unrelated, np.ones_like(p))]


@theorem(
    "masks.optimal",
    source=Citation("DKM06", "basic algorithm, in our notation"),
    statement="p_i ~ |X_i||w_i|: no other p has a smaller E|X(w*m) - Xw|^2",
    kind="inequality",
    hypotheses=MASKED,
    constants={"norms": 1.0},
    control=Control("p_i ~ |w_i|", _WITNESS, {"norms": 0.0}),
)
def optimal(it: Instance, norms: float) -> Evidence:
    X, w, k = linear_model(it)
    p = moments.optimal_probabilities(X, w) * np.linalg.norm(X, axis=0) ** (norms - 1)
    least = mean_error(X, w, by_draws(p / p.sum(), k))
    return inequality(least, [mean_error(X, w, by_draws(other, k)) for other in _others(p)], scale=least)


@algebra("masks.optimal", norms=0)
def optimal_derived(sp: Any, norms: int = 1) -> Any:
    """Three features, one draw: what another p has more is a sum of squares."""
    a, p, l = positive(sp), positive(sp, name="p"), positive(sp, name="l")  # l = |X_i|
    best = [a_i * l_i ** (norms - 1) for a_i, l_i in zip(a, l, strict=True)]
    least, other = (error_of(products(sp, a), draws(shares(s), 1)) for s in (best, p))
    pairs = ((0, 1), (0, 2), (1, 2))
    return (other - least, sum((a[i] * p[j] - a[j] * p[i]) ** 2 / (p[i] * p[j]) for i, j in pairs))


@theorem(
    "masks.bernoulli",
    source=Citation("ours", "variance of independent entries"),
    statement="m_i = 1/q_i with probability q_i, independently: E|X(w*m) - Xw|^2 = sum w_i^2 |X_i|^2 (1-q_i)/q_i",
    kind="identity",
    hypotheses=MASKED,
    constants={"divided": 1},
    control=Control("(1 - q_i) without division", _WITNESS, {"divided": 0}),
)
def bernoulli(it: Instance, divided: int) -> Evidence:
    """Compare with the error enumerated over all masks, for several scores.

    Proof. m_i - 1 are independent, of mean 0 and variance (1 - q_i)/q_i: of E|sum (m_i - 1) w_i X_i|^2 the squares
    are left.
    """
    X, w, k = linear_model(it)
    a, found = lengths(X, w), []
    for scores in (a, np.abs(w), np.ones_like(a)):
        q = filled(scores, k)
        p, masks = by_tosses(q)
        exact = mean_error(X, w, (p, masks / q))
        computed = moments.sketch_error(X, w, mask_moments.bernoulli(scores, k, rescale=True)).second_moment
        found.append([np.sum(a**2 * (1 - q) / q**divided) - exact, computed - exact])
    return identity(relative(found, a.sum() ** 2), 1e-14)


@algebra("masks.bernoulli", divided=0)
def bernoulli_derived(sp: Any, divided: int = 1) -> Any:
    """Three features."""
    a, q = positive(sp), sp.symbols("q1:4")
    stated = sum(a_i**2 * (1 - q_i) / q_i**divided for a_i, q_i in zip(a, q, strict=True))
    return error_of(products(sp, a), tosses(q, rescale=True)) - stated


@theorem(
    "masks.bernoulli.size",
    source=Citation("ours", "water-filling"),
    statement="q_i = min(1, c s_i) with c such that they add up to k: so many entries are kept on average",
    kind="identity",
    hypotheses=MASKED,
    constants={"filled": True},
    control=Control("c = k/sum s, which loses what is cut off", "dense/biased/0", {"filled": False}),
)
def bernoulli_size(it: Instance, filled: bool) -> Evidence:
    """Add up enumerated masks, for scores that are cut off and others.

    Proof. E sum m_i = sum q_i, which rises continuously with c from 0 to d: some c makes it k.
    """
    X, w, k = linear_model(it)
    sizes = []
    for power in (1.0, 3.0):  # the sharper, the more is cut off
        scores = lengths(X, w) ** power
        q = selection.inclusion_probabilities(scores, k) if filled else np.minimum(1, k * scores / scores.sum())
        sizes.append(np.sum(by_tosses(q)[0] @ by_tosses(q)[1]) / k - 1)
    return identity(sizes, 1e-14)


@algebra("masks.bernoulli.size", filled=False)
def bernoulli_size_derived(sp: Any, filled: bool = True) -> Any:
    """Three features, the first of which is cut off."""
    k, s = sp.Symbol("k"), positive(sp, name="s")
    c = (k - 1) / (s[1] + s[2]) if filled else k / sum(s)
    return mean(tosses((1, c * s[1], c * s[2])), sum) - k


@theorem(
    "masks.bernoulli.optimal",
    source=Citation("ours", "water-filling"),
    statement="q_i = min(1, c |X_i||w_i|): no other independent rescaled entries, k on average, have a smaller error",
    kind="inequality",
    hypotheses=MASKED,
    constants={"norms": 1.0},
    control=Control("q_i = min(1, c |w_i|)", _WITNESS, {"norms": 0.0}),
)
def bernoulli_optimal(it: Instance, norms: float) -> Evidence:
    """Compare with other probabilities of the same sum.

    Proof. sum a_i^2/q_i is convex, and its slope -a_i^2/q_i^2 is the same wherever q_i < 1, and steeper where q_i = 1.
    """
    X, w, k = linear_model(it)
    q = selection.inclusion_probabilities(lengths(X, w) * np.linalg.norm(X, axis=0) ** (norms - 1), k)

    def error(q: Array) -> float:
        p, masks = by_tosses(q)
        return mean_error(X, w, (p, masks / q))

    others = [filled(other, k) for other in _others(q / k)]
    # What one entry loses another gains.
    for i in range(q.size):
        for j in range(q.size):
            moved = min(1e-2, q[i] / 2, 1 - q[j])
            others.append(q + moved * (np.arange(q.size) == j) - moved * (np.arange(q.size) == i))
    return inequality(error(q), [error(other) for other in others], scale=float(lengths(X, w).sum()) ** 2)


@algebra("masks.bernoulli.optimal", norms=0)
def bernoulli_optimal_derived(sp: Any, norms: int = 1) -> Any:
    """Three features, the first cut off, others o of the same sum; errors are those of masks.bernoulli.

    q_i = c |X_i|^norms |w_i|, but for the first, where c a_1 = 1 + e and o_1 = 1/(1 + t).
    """
    (t, e), (c, o2, o3, q2) = sp.symbols("t e", nonnegative=True), sp.symbols("c o2 o3 q2", positive=True)
    o, l = (1 / (1 + t), o2, o3), positive(sp, name="l")
    q = (1, q2, sum(o) - 1 - q2)
    a = ((1 + e) / c, *(q[i] / c * l[i] ** (1 - norms) for i in (1, 2)))
    more = sum(a_i**2 * (1 / o_i - 1 / q_i) for a_i, o_i, q_i in zip(a, o, q, strict=True))
    squares = (a[0] * (1 - o[0])) ** 2 / o[0] + sum((o[i] - q[i]) ** 2 / (c**2 * o[i]) for i in (1, 2))
    return (more, squares + (2 * e + e**2) / c**2 * t / (1 + t))


@theorem(
    "masks.plain",
    source=Citation("ours", "variance and bias"),
    statement="m_i = 1 with probability q_i, else 0, independently: E|X(w*m) - Xw|^2 = sum q_i(1-q_i) w_i^2 |X_i|^2 + "
    "|sum (1-q_i) w_i X_i|^2; the same sum of variance and bias for draws and top-k",
    kind="identity",
    hypotheses=MASKED,
    constants={"bias": 1.0},
    control=Control("without the bias", _WITNESS, {"bias": 0.0}),
)
def plain(it: Instance, bias: float) -> Evidence:
    """Compare with errors enumerated over masks, of independent entries, of draws and of top-k.

    Proof. E|v|^2 = |E v|^2 + the trace of its covariance, with v = sum (m_i - 1) w_i X_i: the mean is -sum (1 -
    q_i) w_i X_i, and of independent entries the trace is the first sum.
    """
    X, w, k = linear_model(it)
    a = lengths(X, w)
    q, p = filled(a, k), a / a.sum()
    first = np.argsort(-a)[:k]
    top: Ensemble = np.ones(1), np.isin(np.arange(a.size), first)[None].astype(float)
    weights, drawn = by_draws(p, k)
    exact = [mean_error(X, w, one) for one in (by_tosses(q), (weights, (drawn > 0).astype(float)), top)]
    described = (mask_moments.bernoulli(a, k), mask_moments.with_replacement(a, k), mask_moments.top_k(a, k))
    computed = [moments.sketch_error(X, w, one).second_moment for one in described]
    stated = np.sum(q * (1 - q) * a**2) + bias * np.sum((X @ ((1 - q) * w)) ** 2)
    return identity(relative([stated - exact[0], *np.subtract(computed, exact)], a.sum() ** 2), 1e-14)


@algebra("masks.plain", bias=0)
def plain_derived(sp: Any, bias: int = 1) -> Any:
    """Three features, independent entries."""
    a, q, d = positive(sp), sp.symbols("q1:4"), range(3)
    inner = products(sp, a)
    missing = sum((1 - q[i]) * (1 - q[j]) * inner[i, j] for i in d for j in d)
    return error_of(inner, tosses(q)) - sum(q[i] * (1 - q[i]) * a[i] ** 2 for i in d) - bias * missing
