"""What the selections of `sketching` return, all their randomness enumerated: unbiased, of exact size, as described.

Scores are |X_i||w_i| for the first features of the instance's problem and start.
"""

from collections.abc import Callable
from itertools import combinations, permutations
from typing import Any

import numpy as np
from scipy.special import digamma

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Hypothesis, Instance, algebra, identity, relative, theorem
from linreg_mirror.theorems.masks._outcomes import Outcomes, draws, mean, positive, tosses
from linreg_mirror.theorems.masks.draws import (
    MASKED,
    Ensemble,
    Scripted,
    by_succession,
    code_comb,
    code_draws,
    code_tosses,
    filled,
    lengths,
    linear_model,
    mean_error,
)
from sketching import mask_moments, moments, selection

_WITNESS = "planted/biased/0"
_CODE: dict[str, Callable[[Array, int, bool], Ensemble]] = {
    "with_replacement": code_draws,
    "bernoulli": code_tosses,
    "systematic": code_comb,
}
_two = Hypothesis("two or more are kept", lambda it: linear_model(it)[2] >= 2)


def _model(it: Instance) -> tuple[Array, Array, int, Array]:
    """Return X, w, k and scores, all of which count: what has almost no chance would have large rounding errors."""
    X, w, k = linear_model(it)
    a = lengths(X, w)
    return X, w, k, 0.9 * a + 0.1 * a.mean()


def _by_code(it: Instance, name: str, rescale: bool) -> Ensemble:
    """Return all outcomes of a selection for the instance's scores."""
    _, _, k, scores = _model(it)
    return _CODE[name](scores, k, rescale)


def _moments(ensemble: Ensemble) -> tuple[Array, Array]:
    p, masks = ensemble
    mean = p @ masks
    return mean, (masks - mean).T @ (p[:, None] * (masks - mean))


@theorem(
    "masks.unbiased",
    source=Citation("DKM06", "basic algorithm, in our notation; tosses and comb: ours"),
    statement="rescaled masks of with_replacement, bernoulli and systematic: E m = 1, so that E X(w*m) = Xw",
    kind="identity",
    hypotheses=MASKED,
    constants={"rescale": True},
    control=Control("masks of 0 and 1", _WITNESS, {"rescale": False}),
)
def unbiased(it: Instance, rescale: bool) -> Evidence:
    """Compare with 1, in units of the largest value of an entry: a small chance is a difference of larger ones."""
    ensembles = [it.once(_by_code, name, rescale) for name in _CODE]
    return identity([(_moments(one)[0] - 1) / one[1].max(axis=0) for one in ensembles], 1e-14)


@algebra("masks.unbiased", rescale=False)
def unbiased_derived(sp: Any, rescale: bool = True) -> Any:
    """Three features, two draws, and tosses; of systematic, masks.systematic says how often an entry is kept."""
    p1, p2, *q = sp.symbols("p1 p2 q1:4")
    ways = draws((p1, p2, 1 - p1 - p2), 2, rescale), tosses(q, rescale)
    return [mean(outcomes, lambda m, i=i: m[i]) - 1 for outcomes in ways for i in range(3)]


@theorem(
    "masks.described",
    source=Citation("ours", "moments of each selection"),
    statement="with_replacement, bernoulli and systematic, 0/1 and rescaled, have the covariance that mask_moments "
    "gives",
    kind="identity",
    hypotheses=MASKED,
    constants={"pairs": True},
    control=Control("as if entries were independent", _WITNESS, {"pairs": False}),
)
def described(it: Instance, pairs: bool) -> Evidence:
    """Compare with covariances enumerated over what the code draws.

    Proof. Of k draws with replacement counts are multinomial; entries of bernoulli are independent; of systematic i
    and j are both kept where a comb of spacing 1 has a tooth in both of two intervals of lengths q_i and q_j, a
    piecewise linear function of the offset. Rescaling divides by k p_i or q_i; without, an entry is kept if its
    count is not 0.
    """
    _, _, k, scores = _model(it)
    found = []
    for name in _CODE:
        for rescale in (False, True):
            mean, exact = _moments(it.once(_by_code, name, rescale))
            stated = getattr(mask_moments, name)(scores, k, rescale=rescale)
            covariance = stated.covariance if pairs else np.diag(np.diag(stated.covariance))
            found += [np.abs(stated.mean - mean).max(), relative(covariance - exact, exact)]
    return identity(found, 1e-13)


@algebra("masks.described", pairs=0)
def described_derived(sp: Any, pairs: int = 1) -> Any:
    """Three features, tosses and two draws: counts of a multinomial distribution, and entries that are left out."""
    p1, p2, *q = sp.symbols("p1 p2 q1:4")
    p, found = (p1, p2, 1 - p1 - p2), []

    def covariance(outcomes: Outcomes, i: int, j: int) -> Any:
        first, second = (mean(outcomes, lambda m, k=k: m[k]) for k in (i, j))
        return mean(outcomes, lambda m: m[i] * m[j]) - first * second

    alone, both = (1 - p1) ** 2, (1 - p1 - p2) ** 2  # the probabilities that all draws leave out 1, or 1 and 2
    for outcomes, variance, of_pair in (
        (draws(p, 2), (1 / p1 - 1) / 2, -sp.Rational(1, 2)),
        (draws(p, 2, rescale=False), alone * (1 - alone), both - alone * (1 - p2) ** 2),
        (tosses(q, rescale=True), 1 / q[0] - 1, 0),
    ):
        found += [covariance(outcomes, 0, 0) - variance, covariance(outcomes, 0, 1) - pairs * of_pair]
    return found


@theorem(
    "masks.systematic",
    source=Citation("ours", "one uniform number"),
    statement="systematic keeps exactly k, entry i with probability min(1, c s_i), whatever the uniform number",
    kind="identity",
    hypotheses=MASKED,
    constants={"filled": True},
    control=Control("with probability k s_i / sum s", "dense/biased/0", {"filled": False}),
)
def comb(it: Instance, filled: bool) -> Evidence:
    """Run the code over all offsets between which its mask changes.

    Proof. The intervals of lengths q_i <= 1, laid end to end, have length k: of the comb u, u + 1, ... exactly k
    teeth fall into them, and a uniform u puts one into the i-th with probability q_i.
    """
    _, _, k, given = _model(it)
    found = []
    for scores in (given, given**3):  # the sharper, the more is cut off
        p, masks = code_comb(scores, k, False)
        q = selection.inclusion_probabilities(scores, k) if filled else k * scores / scores.sum()
        found += [np.abs(masks.sum(axis=1) - k).max(), np.abs(p @ masks - q).max()]
    return identity(found, 1e-14)


@algebra("masks.systematic", filled=False)
def comb_derived(sp: Any, filled: bool = True) -> Any:
    """Below n + f lie n + 1 teeth of the comb u, u + 1, ... for u < f, else n: n + f on average, and an interval's q.

    Below the end of all lie k, if the first of three is cut off and the others get what it leaves.
    """
    (u, f), n, k, s = sp.symbols("u f", positive=True), sp.Symbol("n"), sp.Symbol("k", integer=True), positive(sp)
    c = (k - 1) / (s[1] + s[2]) if filled else k / sum(s)
    end = sp.simplify(1 + c * s[1] + c * s[2])
    below = sp.integrate(n + 1, (u, 0, f)) + sp.integrate(n, (u, f, 1))
    return [below - (n + f), sp.ceiling(end - u) - sp.ceiling(-u) - k]


@theorem(
    "masks.gumbel",
    source=Citation("Kool19", "Gumbel top-k is sampling without replacement"),
    statement="the k first of an exponential race with rates s_i are k draws without replacement: probabilities of "
    "entries and pairs, and E|X(w*m) - Xw|^2",
    kind="identity",
    hypotheses=MASKED,
    constants={"proportional": False},
    control=Control("entries kept with probability min(1, c s_i)", _WITNESS, {"proportional": True}),
)
def race(it: Instance, proportional: bool) -> Evidence:
    X, w, k, scores = _model(it)
    ensemble = by_succession(scores, k)
    mean, covariance = _moments(ensemble)
    stated = mask_moments.gumbel_top_k(scores, k)
    entries = filled(scores, k) if proportional else stated.mean
    error = moments.sketch_error(X, w, stated).second_moment - mean_error(X, w, ensemble)
    found = [np.abs(entries - mean).max(), np.abs(stated.covariance - covariance).max(), error / scores.sum() ** 2]
    return identity(found, 1e-13)


@algebra("masks.gumbel", proportional=True)
def race_derived(sp: Any, proportional: bool = False) -> Any:
    """Three rates, two first: the density of the times of arrival, integrated over those in a given order."""
    s, (t, r, after) = positive(sp, name="s"), sp.symbols("t r q", positive=True)
    last = sp.integrate(s[2] * sp.exp(-s[2] * after), (after, r, sp.oo))
    later = sp.integrate(s[1] * sp.exp(-s[1] * r) * last, (r, t, sp.oo))
    chance = sp.integrate(sp.simplify(s[0] * sp.exp(-s[0] * t) * later), (t, 0, sp.oo))

    def order(*which: int) -> Any:
        return chance.subs(dict(zip(s, (s[i] for i in which), strict=True)), simultaneous=True)

    kept = order(0, 1, 2) + order(0, 2, 1) + order(1, 0, 2) + order(2, 0, 1)
    drawn = s[0] / sum(s) * (1 + s[1] / (s[0] + s[2]) + s[2] / (s[0] + s[1]))
    return [chance - s[0] / sum(s) * s[1] / (s[1] + s[2]), kept - (2 * s[0] / sum(s) if proportional else drawn)]


@theorem(
    "twins.top_k",
    source=Citation("ours", "a stable sort"),
    statement="top_k keeps the k largest scores, and of equal ones the first",
    kind="identity",
    hypotheses=MASKED,
    constants={"first": True},
    control=Control("of equal ones the last", _WITNESS, {"first": False}),
)
def largest(it: Instance, first: bool) -> Evidence:
    """Compare with a sort that leaves equals in their order, for scores of few values and any k."""
    X, w, _ = linear_model(it, it.problem.d)
    scores = np.tile(np.argsort(np.argsort(lengths(X, w))) // 3 + 1.0, 2)
    found = []
    for k in range(1, scores.size):
        order = np.argsort(-(scores if first else scores[::-1]), kind="stable")[:k]
        kept = np.isin(np.arange(scores.size), order if first else scores.size - 1 - order)
        found.append(float((selection.top_k(scores, k) != kept).sum()))
    return identity(found, 0.0)


def _arrivals(size: int) -> list[Array]:
    """Return a few sets of exponential variables, spread out."""
    golden = (np.sqrt(5) - 1) / 2
    return [-np.log((golden * np.arange(1, size + 1) * step) % 1) for step in (1, 2, 3)]


@theorem(
    "masks.gumbel.unbiased",
    source=Citation("DLT07", "zero covariance, there for other priorities"),
    statement="gumbel_top_k, 1 over the probability to arrive before the (k+1)-th: given all other arrivals each "
    "factor has mean 1, and, for k >= 2, the product of any two too, so that they are uncorrelated",
    kind="identity",
    hypotheses=(*MASKED, _two),
    constants={"threshold": True},
    control=Control("divided by min(1, c s_i)", _WITNESS, {"threshold": False}),
)
def race_unbiased(it: Instance, threshold: bool) -> Evidence:
    """Let the code meet arrivals before and after the threshold, which are all that matters of one entry, or of two.

    Given the others, entry i is kept if it arrives before the k-th of them, and two entries if both arrive before the
    (k-1)-th of the rest; that arrival is then the (k+1)-th of all.
    """
    _, _, k, scores = _model(it)
    found = []

    def factors(times: Array) -> Array:
        script = Scripted(times * scores)
        if threshold:
            return selection.gumbel_top_k(scores, k, script, rescale=True)
        return selection.gumbel_top_k(scores, k, script) / filled(scores, k)

    for exponentials in _arrivals(scores.size):
        for few in (1, 2):
            for chosen in map(list, combinations(range(scores.size), few)):
                times = exponentials / scores
                tau = np.sort(np.delete(times, chosen))[k - few]
                before = -np.expm1(-scores[chosen] * tau)
                mean = 0.0
                for early in np.ndindex(*[2] * few):
                    times[chosen] = np.where(early, 0.5, 1.5) * tau
                    probability = np.where(early, before, 1 - before).prod()
                    mean += probability * factors(times)[chosen].prod()
                found.append(mean - 1)
    return identity(found, 1e-14)


@algebra("masks.gumbel.unbiased", threshold=False)
def race_unbiased_derived(sp: Any, threshold: bool = True) -> Any:
    """Given the threshold of two entries: a factor's mean, and that of their product; the control divides by q."""
    (s1, s2), tau, t, q = positive(sp, 2, "s"), *sp.symbols("tau t q", positive=True)
    before = [sp.integrate(s * sp.exp(-s * t), (t, 0, tau)) for s in (s1, s2)]
    factors = [1 / (1 - sp.exp(-s * tau)) if threshold else 1 / q for s in (s1, s2)]
    return [before[0] * factors[0] - 1, before[0] * before[1] * factors[0] * factors[1] - 1]


@theorem(
    "masks.gumbel.variance",
    source=Citation("ours", "digamma form"),
    statement="gumbel_top_k rescaled, k >= 2: Var m_i = E 1/(exp(s_i tau) - 1), tau the k-th arrival among the others, "
    "and E|X(w*m) - Xw|^2 = sum |X_i|^2 w_i^2 Var m_i",
    kind="identity",
    hypotheses=(*MASKED, _two),
    constants={"threshold": True},
    control=Control("1/pi_i - 1, as if divided by the probability pi_i to be kept", _WITNESS, {"threshold": False}),
)
def race_variance(it: Instance, threshold: bool) -> Evidence:
    """Compare the integrals of mask_moments with sums over orders of arrival.

    Given the order of the others, their k-th arrival is a sum of exponential variables with the falling rates R_j of
    those that are left, of density sum c_j R_j exp(-R_j t), c_j = prod_(l != j) R_l/(R_l - R_j). The expectation of
    1/(exp(st) - 1), a geometric series, is then -(1/s) sum c_j R_j digamma(1 + R_j/s), as sum c_j R_j = 0.

    Proof. Entry i is kept if its exponential time of rate s_i is below tau, and then divided by 1 - exp(-s_i tau):
    given tau the mean is 1 and the variance exp(-s_i tau)/(1 - exp(-s_i tau)). Two entries are uncorrelated
    (masks.gumbel.unbiased), so that squares alone are left of the error.
    """
    X, w, k, scores = _model(it)
    exact = np.array([_race_variance(np.delete(scores, i), scores[i], k) for i in range(w.size)])
    stated = mask_moments.gumbel_top_k(scores, k, rescale=True)
    variances = np.diag(stated.covariance) if threshold else 1 / _moments(by_succession(scores, k))[0] - 1
    error = moments.sketch_error(X, w, stated).second_moment
    return identity([*(variances / exact - 1), error / np.sum(lengths(X, w) ** 2 * exact) - 1], 1e-12)


@algebra("masks.gumbel.variance", threshold=False)
def race_variance_derived(sp: Any, threshold: bool = True) -> Any:
    """Given the threshold; the control divides by pi, the probability to be kept."""
    s, tau, t, pi = sp.symbols("s tau t pi", positive=True)
    before = sp.integrate(s * sp.exp(-s * t), (t, 0, tau))
    factor = 1 / (1 - sp.exp(-s * tau)) if threshold else 1 / pi
    return before * factor**2 - (before * factor) ** 2 - 1 / (sp.exp(s * tau) - 1)


def _race_variance(others: Array, s: float, k: int) -> float:
    total = 0.0
    for order in permutations(others, k):
        R = others.sum() - np.concatenate([[0.0], np.cumsum(order[:-1])])
        ratios = R / (R - R[:, None] + np.diag(R))  # (j, l): R_l/(R_l - R_j), and 1 on the diagonal
        total -= np.prod(order / R) * np.sum(ratios.prod(axis=1) * R * digamma(1 + R / s)) / s
    return float(total)
