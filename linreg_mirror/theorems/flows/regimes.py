"""From the kernel to the rich regime: which interpolator the limit is, as the scale changes."""

from typing import Any

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Instance,
    Verdict,
    algebra,
    certified,
    identity,
    inequality,
    relative,
    theorem,
)
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.solvers import Solution
from linreg_mirror.solvers.independent import weighted_l1_cost
from linreg_mirror.solvers.limit import limit
from linreg_mirror.theorems.flows._motion import potential

_L = 2e4  # log(b_0/b) after a long decay
_FAR = 1e3  # times the largest weight: a scale at which the next term of a series in 1/b is a millionth
_ONCE = (h.hadamard, h.unbalanced, h.no_penalty, h.squared, h.solvable, h.targets)


def _limit_at(it: Instance, log_b: float | Array) -> Array:
    return certified(limit(it.problem, Hadamard.from_scale(log_b=log_b, d=it.problem.d)))


def _norm_at(it: Instance, log_b: float) -> float:
    return _most(limit(it.problem, Hadamard.from_scale(log_b=log_b, d=it.problem.d)))


def _most(end: Solution) -> float:
    """Return an upper bound of the L1 norm of a limit; its norm where nothing is proved."""
    return float(np.abs(certified(end)).sum()) + _proved(end)


def _proved(end: Solution) -> float:
    return end.error if end.error < np.inf else 0.0


@theorem(
    "regimes.l1.bound",
    source=Citation("ours", "explicit form of MM Thm 2.3"),
    statement="x_0 = 0, b < 2/e: |x_b|_1 - |x1|_1 <= [sum |x1_i| ln(|x1_i| + b/2) + d/e + db] / (ln(2/b) - 1)",
    kind="inequality",
    hypotheses=(*_ONCE, h.starts_at_zero, h.equal_scales),
    constants={"per_feature": 1 / np.e},
    extremal=("special/small-targets",),
    control=Control("without d/e", "special/small-targets", {"per_feature": 0.0}),
)
def l1_bound(it: Instance, per_feature: float) -> Evidence:
    """Compare the excess of the L1 norm with the bound on a ladder of scales down to log b = -1e5.

    Proof. Let h(x) = x arcsinh(x/b) - sqrt(x^2 + b^2) and L = ln(2/b). From x <= sqrt(x^2 + b^2) <= x + b for x >= 0
    and x ln x >= -1/e follow h(x) >= |x|(L - 1) - 1/e - b and h(x) <= |x|(L - 1) + |x| ln(|x| + b/2). The limit x_b
    minimises sum h over Xx = y, so sum h(x_b) <= sum h(x1); divide by L - 1.
    """
    least = certified(it.least_l1)
    norm, d = np.abs(least).sum(), it.problem.d
    left, right = [], []
    for log_b in (-1.0, -3.0, -10.0, -30.0, -1e5):
        b = np.exp(log_b)
        support = np.abs(least[least != 0])
        numerator = np.sum(support * np.log(support + b / 2)) + per_feature * d + d * b
        left.append(_norm_at(it, log_b) - norm)
        right.append(numerator / (np.log(2) - log_b - 1))
    return inequality(left, right, scale=norm)


@theorem(
    "regimes.l1.decay",
    source=Citation("MM", "Thm 2.3, vanishing scale"),
    statement="fixed b_0 and x_0, total penalty A -> inf: the limit tends to the minimum-L1 interpolator",
    kind="asymptotic",
    hypotheses=(*_ONCE, h.biased),
    constants={"fixed": "tilt"},
    control=Control("b_0 -> 0 at fixed x_0 != 0 instead", "planted/biased/0", {"fixed": "start"}),
)
def l1_by_decay(it: Instance, fixed: str) -> Evidence:
    """Compare the excess of the L1 norm at log(1/b) = 2e4 with a bound that falls like 1/log(1/b).

    Proof. As for `decay.sparser`, with L the least and L' the largest ln(2/b_i): (L - 1 - T)|x|_1 is at most
    (L' - 1 + T)|x1|_1 + sum |x1_i| ln(|x1_i| + b_i/2) + d/e + sum b_i, and neither T nor L' - L changes with A.
    """
    least = certified(it.least_l1)
    norm, T, b = float(np.abs(least).sum()), float(np.abs(it.tilt).max()), it.scale0 * np.exp(-_L)
    L, above = np.log(2 / it.scale0.max()) + _L, float(np.ptp(np.log(it.scale0)))
    support = np.abs(least) > 0
    rest = float(np.sum(np.abs(least[support]) * np.log(np.abs(least[support]) + b[support] / 2)))
    allowed = ((above + 2 * T) * norm + rest + it.problem.d / np.e + b.sum()) / (L - 1 - T)
    end = _decayed(it, fixed)
    allowed = (allowed + _proved(end) + _proved(it.least_l1)) / norm
    excess = (_most(end) - norm) / norm
    return Evidence(allowed - excess, f"L1 excess {excess:.1e} of the norm, {allowed:.1e} allowed")


def _decayed(it: Instance, fixed: str) -> Solution:
    if fixed == "tilt":  # decay moves the scale and leaves log(u0/v0) where it is
        return limit(it.problem, it.network, decay=_L / 4)
    x0 = it.network.effective(it.network.theta0)
    return limit(it.problem, Hadamard.from_scale(log_b=np.log(it.scale0) - _L, x0=x0))


@theorem(
    "regimes.biased",
    source=Citation("ours", "vanishing scale, x_0 != 0"),
    statement="b_0 -> 0 at fixed x_0 != 0: the limit minimises |x|_1 - <x, sign x_0>",
    kind="asymptotic",
    hypotheses=(*_ONCE, h.biased),
    constants={"weight": 1.0},
    control=Control("it minimises |x|_1", "planted/biased/0", {"weight": 0.0}),
)
def biased_limit(it: Instance, weight: float) -> Evidence:
    """Compare the cost of the limit at log b = -1e5 with the least cost, by HiGHS, and a bound that falls like 1/L.

    Proof. Let L = ln(2/b), c(x) = |x|_1 - <x, sign x_0> and z a point of least cost. arcsinh(x_0/b) is
    sign(x_0) (L + ln|x_0|) up to b^2, so that the potential is L c(x) - |x|_1 + sum |x_i| ln|x_i| within
    M|x|_1 + d/e + d b, M = max |ln|x_0i||; compare it at the limit and at z, as in `regimes.l1.bound`.
    """
    x0 = it.network.effective(it.network.theta0)
    L, starts = 1e5 + np.log(2), np.abs(x0[x0 != 0])
    end = limit(it.problem, Hadamard.from_scale(log_b=-1e5, x0=x0))
    x, signs = certified(end), weight * np.sign(x0)
    lower, _, z = weighted_l1_cost(it.problem, signs)
    size, M = np.abs(z[z != 0]), float(np.abs(np.log(starts)).max())
    rest = (M - 1) * size.sum() + np.sum(size * np.log(size)) + it.problem.d / np.e
    allowed = ((1 + M) * _most(end) + rest) / L + (1 + weight) * _proved(end)
    excess = float(np.abs(x).sum() - x @ signs) - lower
    norm = float(np.abs(x).sum())
    return Evidence((allowed - excess) / norm, f"cost {excess / norm:.1e} of |x|_1 above the least")


@theorem(
    "regimes.l2.rate",
    source=Citation("W20", "Thm 2; rate: ours"),
    statement="x_0 = 0, equal b -> inf: b^2 (x_b - x2) -> P(x2^3)/6, x2 the minimum-L2 interpolator, P onto ker X",
    kind="asymptotic",
    hypotheses=(*_ONCE, h.starts_at_zero, h.equal_scales, h.underdetermined),
    constants={"spread": 0.0},
    control=Control("scales that differ between entries", "planted/plain/0", {"spread": 1.0}),
)
def l2_rate(it: Instance, spread: float) -> Evidence:
    """Compare the distance at a large b with its leading term, in units of the largest |x2|^3.

    Proof. arcsinh(x/b) = x/b - x^3/(6 b^3) + O(b^-5) is in the row space, and so is x2: P x = P(x^3)/(6 b^2) + O(b^-4),
    while Xx = X x2.
    """
    X, x2 = it.problem.X, certified(it.least_l2)
    size = float(np.abs(x2).max())
    b = _FAR * size
    end = limit(it.problem, Hadamard.from_scale(log_b=np.log(b) + spread * np.linspace(-1, 1, it.problem.d)))
    cube = x2**3 - X.T @ np.linalg.lstsq(X.T, x2**3)[0]
    distance = np.abs(b**2 * (certified(end) - x2) - cube / 6).max() / size**3
    # The next term is P(3 x2^5/40 + x2^2 P(x2^3)/12) / b^2, and |P v| <= sqrt(d) times the largest |v_i|.
    d = it.problem.d
    allowed = 1.01 * (3 * d**0.5 / 40 + d / 12) / _FAR**2 + _FAR**2 * (_proved(end) + _proved(it.least_l2)) / size
    return Evidence(allowed - distance, f"{distance:.1e} of |x2|^3 from the leading term, {allowed:.1e} allowed")


@algebra("regimes.l2.rate", spread=1)
def l2_rate_derived(sp: Any, spread: int = 0) -> Any:
    """Two entries, one sample: with x_b = x2 + P(x2^3)/(6 b^2), arcsinh(x_b/b) has no part in ker X up to b^-3."""
    X, s, e = sp.symbols("X1 X2"), sp.Symbol("s"), sp.Symbol("e")  # e = 1/b
    kernel, x2 = (X[1], -X[0]), (X[0] * s, X[1] * s)
    cube = sum(one * at**3 for one, at in zip(kernel, x2, strict=True)) / (X[0] ** 2 + X[1] ** 2)
    x = [at + e**2 * one * cube / 6 for one, at in zip(kernel, x2, strict=True)]
    scales = (1, 1 + spread)
    q = sp.Add(*(one * sp.asinh(e * scale * at) for one, scale, at in zip(kernel, scales, x, strict=True)))
    return [q.diff(e, k).subs(e, 0) for k in range(4)]


@theorem(
    "regimes.l2.unequal",
    source=Citation("ours", "unequal scales"),
    statement="x_0 = 0, unequal b -> inf: the limit minimises sum x_i^2 / b_i",
    kind="asymptotic",
    hypotheses=(*_ONCE, h.starts_at_zero),
    constants={"power": 1.0},
    control=Control("it minimises sum x_i^2", "planted/plain/0", {"power": 0.0}),
)
def l2_unequal(it: Instance, power: float) -> Evidence:
    """Compare the limit at large unequal scales with weighted least squares.

    Proof. For b -> inf, [x arcsinh(x/b) - sqrt(x^2 + b^2)]/2 = -b/2 + x^2/(4b) + O(x^4/b^3).
    """
    b = 1e5 * np.abs(certified(it.least_l2)).max() * np.exp(np.linspace(-1, 1, it.problem.d))
    end = limit(it.problem, Hadamard.from_scale(log_b=np.log(b)))
    x, root = certified(end), b ** (power / 2)
    expected = root * np.linalg.lstsq(it.problem.X * root, it.problem.y)[0]
    # x/b - x^3/(6 b^3) is in the row space but for terms in b^-5, and X (x - expected) = 0.
    third = np.sqrt(b.max()) * np.linalg.norm(x**3 * b**-2.5) / 6
    singular = np.linalg.svd(it.problem.X, compute_uv=False)
    rounding = float(np.finfo(float).eps) * singular[0] / singular[it.problem.rank - 1] * it.problem.d
    allowed = (1.01 * third + _proved(end)) / np.abs(expected).max() + rounding
    return identity(relative(x - expected, expected), float(allowed))


@algebra("regimes.l2.unequal", power=0)
def l2_unequal_derived(sp: Any, power: int = 1) -> Any:
    """At b = beta/e, e -> 0, the potential is a constant plus e x^2/(4 beta), up to higher powers of e."""
    x, beta, e = sp.symbols("x beta e", positive=True)
    R = potential(sp, x, beta / e)
    return sp.limit(sp.simplify((R + beta / (2 * e)) / e), e, 0) - x**2 / (4 * beta**power)


@theorem(
    "regimes.woodworth.rich",
    source=Citation("W20", "Thm 2"),
    statement="alpha <= min{(2(1+e)|x1|_1)^-((2+e)/2e), exp(-d/(e|x1|_1))} => "
    "|x_alpha|_1 <= (1+e)|x1|_1, b = 2 alpha^2",
    kind="inequality",
    hypotheses=(*_ONCE, h.starts_at_zero, h.equal_scales),
    constants={"strength": 1.0},
    control=Control("no condition on alpha but alpha <= 1", "planted/plain/0", {"strength": 0.0}),
)
def woodworth_rich(it: Instance, strength: float) -> Evidence:
    norm, d = float(np.abs(certified(it.least_l1)).sum()), it.problem.d
    left, right = [], []
    for eps in (0.1, 0.5, 1.0):
        log_alpha = min(-(2 + eps) / (2 * eps) * np.log(2 * (1 + eps) * norm), -d / (eps * norm), 0.0)
        left.append(_norm_at(it, np.log(2) + 2 * strength * log_alpha) - norm)
        right.append(eps * norm)
    return inequality(left, right, scale=norm)


@theorem(
    "regimes.woodworth.kernel",
    source=Citation("W20", "Thm 2"),
    statement="alpha >= sqrt(2(1+e)(1+2/e)|x2|_2) => |x_alpha|_2^2 <= (1+e)|x2|_2^2, b = 2 alpha^2",
    kind="inequality",
    hypotheses=(*_ONCE, h.starts_at_zero, h.equal_scales),
    constants={"factor": 1.0},
    expected=Verdict.vacuous,
    control=Control("a hundredth of the threshold on alpha", "planted/plain/0", {"factor": 0.01}),
)
def woodworth_kernel(it: Instance, factor: float) -> Evidence:
    norm = float(np.linalg.norm(certified(it.least_l2)))
    left, right = [], []
    for eps in (0.01, 0.1, 1.0):
        alpha = factor * np.sqrt(2 * (1 + eps) * (1 + 2 / eps) * norm)
        left.append(np.linalg.norm(_limit_at(it, np.log(2) + 2 * np.log(alpha))) ** 2 - norm**2)
        right.append(eps * norm**2)
    return inequality(left, right, scale=norm**2)
