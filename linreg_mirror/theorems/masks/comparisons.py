"""Which scores to draw by, and whether to draw or to rank: errors of two ways compared.

X and w are the first features of the instance's problem and start. Expectations are enumerated (`draws`).
"""

from typing import Any

import numpy as np
from scipy.special import gammaln

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, algebra, identity, inequality, relative, theorem
from linreg_mirror.theorems.masks._outcomes import draws, error_of, positive, products, shares
from linreg_mirror.theorems.masks.draws import (
    MASKED,
    PAIRED,
    by_draws,
    lengths,
    linear_model,
    mean_error,
    squared_errors,
)
from sketching import mask_moments, moments, scores, temperature

_WITNESS = "planted/biased/0"
_FEW, _MANY, _ASKED = 200, 5000, 10  # X, for means over these, and for how many the package is asked


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
    weights = shares(w) if weighted else shares(sp.ones(1, 3))
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
    "masks.data_free.isotropic",
    source=Citation("SK", "idea: isotropic data; factor: ours"),
    statement="entries of X independent N(0, 1), c_n = E|X_i|: over X the mean error of k draws is n (|w|_1^2 - "
    "|w|_2^2)/k for p ~ |w|, and c_n^2/n of that, between 1 - 1/(2n) and 1, for the p that is best for each X",
    kind="distributional",
    hypotheses=PAIRED,
    constants={"blind": 1.0},
    control=Control("the same for both, as if nothing could be learnt from X", _WITNESS, {"blind": 0.0}),
)
def data_free_isotropic(it: Instance, blind: float) -> Evidence:
    """Compare with means over 200 X of one and of three samples, and the exact mean over masks for each.

    Means of both, and of their difference as stated, which varies least. Five standard errors are allowed; where chance
    takes one beyond that, those of 5000 other X decide: what is wrong is further off by them. The exact means are those
    of masks.second_moment; of some X they are compared with `sketch_error` and `least_error`.

    Proof. By masks.second_moment k times the error is |w|_1 sum |X_i|^2 |w_i| - |Xw|^2 for p ~ |w|, and
    (sum |X_i||w_i|)^2 - |Xw|^2 at the least. E|X_i|^2 = n, E|Xw|^2 = n |w|_2^2, and |X_i| are independent: (sum
    |X_i||w_i|)^2 has the mean n |w|_2^2 + c_n^2 (|w|_1^2 - |w|_2^2). c_n = sqrt 2 Gamma((n+1)/2)/Gamma(n/2), so that
    c_n^2 < E|X_i|^2 = n, and c_(n+2) = c_n (n+1)/n: c_n^2/(n - 1/2) falls in steps of 2, and tends to 1.
    """
    _, w, k = linear_model(it)
    rng = it.generator()

    def judged(drawn: int) -> Evidence:
        return min((_isotropic(rng, drawn, n, w, k, blind) for n in (1, 3)), key=lambda one: one.margin)

    first = judged(_FEW)
    return first if first.holds else judged(_MANY)


def _isotropic(rng: np.random.Generator, drawn: int, n: int, w: Array, k: int, blind: float) -> Evidence:
    size = (np.abs(w).sum() ** 2 - np.sum(w**2)) / k
    masks = mask_moments.with_replacement(scores.synflow(w), k, rescale=True)
    shrunk = float(2 * np.exp(2 * (gammaln((n + 1) / 2) - gammaln(n / 2)))) / n if blind else 1.0
    X = rng.standard_normal((drawn, n, w.size))
    squares, signals = (X**2).sum(axis=1), np.sum((X @ w) ** 2, axis=1)
    # What `sketch_error` and `least_error` say of each X, which they are asked for some.
    whole = np.abs(w).sum() * (squares @ np.abs(w)) / k  # of which |Xw|^2 may leave little
    errors = np.column_stack([whole, (np.sqrt(squares) @ np.abs(w)) ** 2 / k]) - signals[:, None] / k
    asked = [(moments.sketch_error(one, w, masks).second_moment, moments.least_error(one, w, k)) for one in X[:_ASKED]]
    found = [identity((asked - errors[:_ASKED]) / whole[:_ASKED, None], 1e-13)]
    free, least = errors.T / (n * size)
    for off in (free - 1, least - shrunk, shrunk * free - least):
        allowed = 5 * float(off.std(ddof=1)) / drawn**0.5
        detail = f"n = {n}: mean off by {abs(off.mean()):.1e} of the error, {allowed:.1e} allowed"
        found.append(Evidence(allowed - abs(float(off.mean())), detail))
    return min(found, key=lambda one: one.margin)


@algebra("masks.data_free.isotropic", blind=0)
def data_free_isotropic_derived(sp: Any, blind: int = 1) -> Any:
    """Three features, one draw: means over independent lengths, E l_i^2 = n, E l_i l_j = c^2, columns uncorrelated."""
    w, l, c, n = positive(sp, name="w"), positive(sp, name="l"), *sp.symbols("c n", positive=True)
    a = [w_i * l_i for w_i, l_i in zip(w, l, strict=True)]
    inner = products(sp, a)
    cosines = {one: 0 for one in inner.free_symbols if str(one).startswith("c")}

    def mean(error: Any) -> Any:
        polynomial = sp.Poly(sp.expand(error.subs(cosines)), *l)
        moments = [n if 2 in powers else c**2 if 1 in powers else 1 for powers in polynomial.monoms()]
        return sum(k * moment for k, moment in zip(polynomial.coeffs(), moments, strict=True))

    free, least = (error_of(inner, draws(shares(s), 1)) for s in (w, a))
    spread = sum(w) ** 2 - sum(w_i**2 for w_i in w)
    half = sp.Rational(1, 2)
    falls = n**2 * (n + 3 * half) - (n + 1) ** 2 * (n - half)  # of c^2/(n - 1/2), up to a factor
    return [(falls, half), mean(free) - n * spread, mean(sp.simplify(least)) - (c**2 if blind else n) * spread]


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
