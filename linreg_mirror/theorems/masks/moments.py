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
    PAIRED,
    Ensemble,
    by_draws,
    by_tosses,
    filled,
    lengths,
    linear_model,
    mean_error,
    squared_errors,
)
from sketching import mask_moments, moments, selection, temperature

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
    hypotheses=MASKED,
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

    least = np.exp(minimize(log_error, np.zeros_like(a), tol=1e-9).fun)
    stated = (a.sum() ** 2 - signal * np.sum((X @ w) ** 2)) / k
    computed = moments.least_error(X, w, k)
    at_optimum = mean_error(X, w, by_draws(moments.optimal_probabilities(X, w), k))
    return identity(relative([least - stated, least - computed, least - at_optimum], least), 1e-12)


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


@theorem(
    "masks.temperature",
    source=Citation("ours", "N3, score temperature"),
    statement="p ~ a^g and p ~ a^(2-g), a_i = |X_i||w_i|, have the same error: p ~ a^2, squared SNIP, is as bad as "
    "uniform sampling",
    kind="identity",
    hypotheses=MASKED,
    constants={"mirror": 2.0},
    control=Control("a^(1-g)", _WITNESS, {"mirror": 1.0}),
)
def symmetric_temperature(it: Instance, mirror: float) -> Evidence:
    """Compare pairs of powers. Proof. sum a^2/p = sum a^(2-g) sum a^g for p ~ a^g."""
    X, w, k = linear_model(it)
    a, found = lengths(X, w), []
    for power in (2.0, 1.5, 1.25, 2.5):
        pair = [temperature.tempered(a, one) for one in (power, mirror - power)]
        one, other = (mean_error(X, w, by_draws(scores / scores.sum(), k)) for scores in pair)
        found.append(other / one - 1)
    return identity(found, 1e-13)


@algebra("masks.temperature", mirror=1)
def symmetric_temperature_derived(sp: Any, mirror: int = 2) -> Any:
    """Three features, one draw; z_i = a_i^g, so that a_i^(2-g) is a_i^2/z_i."""
    a, z = positive(sp), positive(sp, name="z")
    turned = [a_i**mirror / z_i for a_i, z_i in zip(a, z, strict=True)]
    one, other = (error_of(products(sp, a), draws(shares(s), 1)) for s in (z, turned))
    return one - other


@theorem(
    "masks.data_free",
    source=Citation("ours", "N3, sampling in proportion to |w|"),
    statement="p ~ |w|: k E|X(w*m) - Xw|^2 + |Xw|^2 is 1 + CV^2 times its least, CV the coefficient of variation of "
    "|X_i| under weights |w_i|",
    kind="identity",
    hypotheses=MASKED,
    constants={"weighted": True},
    control=Control("the coefficient of variation of |X_i| itself", _WITNESS, {"weighted": False}),
)
def data_free(it: Instance, weighted: bool) -> Evidence:
    """Compare with enumerated errors.

    Proof. By masks.second_moment k E + |Xw|^2 is sum a_i^2/p_i, a_i = |X_i||w_i|. For p ~ |w| that is sum |w_i| sum
    |X_i|^2 |w_i|, and its least is (sum |X_i||w_i|)^2: the ratio is the mean of |X_i|^2 over the square of that of
    |X_i|, under weights |w_i|.
    """
    X, w, k = linear_model(it)
    a, norms = lengths(X, w), np.linalg.norm(X, axis=0)
    raw = [k * mean_error(X, w, by_draws(p / p.sum(), k)) + np.sum((X @ w) ** 2) for p in (np.abs(w), a)]
    weights = np.abs(w) if weighted else np.ones_like(w)
    mean = np.average(norms, weights=weights)
    stated = 1 + np.average((norms - mean) ** 2, weights=weights) / mean**2
    return identity([raw[0] / raw[1] - stated, raw[0] / raw[1] - temperature.data_free(X, w).excess], 1e-13)


@algebra("masks.data_free", weighted=False)
def data_free_derived(sp: Any, weighted: bool = True) -> Any:
    """Three features, one draw."""
    w, l = positive(sp, name="w"), positive(sp, name="l")  # |w_i| and |X_i|
    a = [w_i * l_i for w_i, l_i in zip(w, l, strict=True)]
    free, least = (error_of(products(sp, a), draws(shares(s), 1)) + sum(products(sp, a)) for s in (w, a))
    weights = shares(w) if weighted else shares((1, 1, 1))
    average = sum(one * l_i for one, l_i in zip(weights, l, strict=True))
    variance = sum(one * (l_i - average) ** 2 for one, l_i in zip(weights, l, strict=True))
    return free - (1 + variance / average**2) * least


@theorem(
    "masks.data_free.cap",
    source=Citation("ours", "N3, by Kantorovich's inequality"),
    statement="1 + CV^2 <= (r + 1)^2/(4r), r the largest |X_i| over the least",
    kind="inequality",
    hypotheses=PAIRED,
    constants={"power": 1.0},
    extremal=("special/two-lengths",),
    control=Control("the root of that", "special/two-lengths", {"power": 0.5}),
)
def data_free_cap(it: Instance, power: float) -> Evidence:
    """Compare; attained by lengths 1 and r with weights r and 1.

    Proof. The ratio of masks.data_free is E L^2/(E L)^2 for lengths L between l and rl. (L - l)(L - rl) <= 0 gives
    E L^2 <= l(1 + r) E L - r l^2, which divided by (E L)^2 is largest at E L = 2rl/(1 + r), where it is (r +
    1)^2/(4r).
    """
    X, w, k = linear_model(it)
    a = lengths(X, w)
    raw = [k * mean_error(X, w, by_draws(p / p.sum(), k)) + np.sum((X @ w) ** 2) for p in (np.abs(w), a)]
    return inequality(raw[0] / raw[1], temperature.data_free(X, w).cap ** power)


@algebra("masks.data_free.cap", power=0.5)
def data_free_cap_derived(sp: Any, power: float = 1) -> Any:
    """(r+1)^2/(4r) (E L)^2 - E L^2 for three lengths (1 + r t)/(1 + t), which are all between 1 and r."""
    r, w, t = sp.Symbol("r", positive=True), shares(positive(sp, name="w")), sp.symbols("t1:4", nonnegative=True)
    L = [(1 + r * t_i) / (1 + t_i) for t_i in t]
    first, second = (sum(w_i * L_i**k for w_i, L_i in zip(w, L, strict=True)) for k in (1, 2))
    inside = sum(w_i * (r - 1) ** 2 * t_i / (1 + t_i) ** 2 for w_i, t_i in zip(w, t, strict=True))
    cap = ((r + 1) ** 2 / (4 * r)) ** sp.nsimplify(power)
    return (cap * first**2 - second, ((r + 1) * first - 2 * r) ** 2 / (4 * r) + inside)


@theorem(
    "masks.top_k.orthogonal",
    source=Citation("ours", "when ranking beats sampling"),
    statement="X_i orthogonal: top-k of |X_i||w_i| has at most half the error of k draws with the optimal p",
    kind="inequality",
    hypotheses=PAIRED,
    constants={"share": 0.5},
    extremal=("special/opposite",),
    control=Control("a third", "special/opposite", {"share": 1 / 3}),
)
def top_k_orthogonal(it: Instance, share: float) -> Evidence:
    """Compare for every k, with orthogonal columns as long as those of X.

    Proof. Let a be sorted. For i > k, a_i^2 <= (1/k) sum_(j<=k) a_i a_j; added up, the error of top-k is at most
    (1/k) sum_(i<j) a_i a_j, and k draws have (1/k)[(sum a)^2 - sum a^2], twice that. Equal for d = 2, a_1 = a_2, k = 1.
    """
    X, w, _ = linear_model(it)
    X = np.diag(np.linalg.norm(X, axis=0))
    a, left, right = lengths(X, w), [], []
    for k in range(1, min(a.size, 4)):
        left.append(moments.sketch_error(X, w, mask_moments.top_k(a, k)).second_moment)
        right.append(share * mean_error(X, w, by_draws(a / a.sum(), k)))
    return inequality(left, right, scale=float(a.sum()) ** 2)


@algebra("masks.top_k.orthogonal", parts=3)
def top_k_orthogonal_derived(sp: Any, parts: int = 2) -> Any:
    """Three features of falling lengths, k = 1 and 2; parts is 1/share."""
    last, s, t = sp.symbols("a s t", nonnegative=True)
    a, found = (last + s + t, last + s, last), []
    inner = sp.diag(*(a_i**2 for a_i in a))
    for k in (1, 2):
        ranked = error_of(inner, [(1, tuple(int(i < k) for i in range(3)))])
        slack = error_of(inner, draws(shares(a), k)) / parts - ranked
        found.append((slack, sp.expand(sp.simplify(slack))))
    return found


@theorem(
    "masks.top_k.parallel",
    source=Citation("ours", "when sampling beats ranking"),
    statement="X_i w_i all in one direction: draws with the optimal p have no error at all, top-k that of the share it "
    "leaves out, |Xw|^2 (1 - sum_kept |X_i||w_i| / sum |X_i||w_i|)^2",
    kind="identity",
    hypotheses=MASKED,
    constants={"aligned": True},
    control=Control("in both directions of one line", _WITNESS, {"aligned": False}),
)
def top_k_parallel(it: Instance, aligned: bool) -> Evidence:
    """Compare every drawn mask, and top-k, with the statement.

    Proof. With X_i w_i = a_i e all draws add a_i/(k p_i) e = sum a/k e, the same for each i, so that k of them make
    Xw. Top-k misses the a_i that it leaves out, all in the direction of Xw.
    """
    X, w, k = linear_model(it)
    X = X[:, :1] / np.linalg.norm(X[:, 0]) * np.linalg.norm(X, axis=0)
    w = np.abs(w) if aligned else w
    a = lengths(X, w)
    sampled = squared_errors(X, w, by_draws(a / a.sum(), k)[1]).max()
    left_out = np.sort(a)[:-k].sum() / a.sum()
    ranked = moments.sketch_error(X, w, mask_moments.top_k(a, k)).second_moment
    return identity(relative([sampled, ranked - np.sum((X @ w) ** 2) * left_out**2], a.sum() ** 2), 1e-14)


@algebra("masks.top_k.parallel", sign=-1)
def top_k_parallel_derived(sp: Any, sign: int = 1) -> Any:
    """Three features in one direction, two draws, two kept; the control turns the last around."""
    a = positive(sp)
    v = sp.Matrix([a[0], a[1], sign * a[2]])
    sampled = [error_of(v * v.T, [(1, mask)]) for _, mask in draws(shares(a), 2)]
    return [*sampled, error_of(v * v.T, [(1, (1, 1, 0))]) - sum(v * v.T) * (a[2] / sum(a)) ** 2]
