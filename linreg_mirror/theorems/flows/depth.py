"""Depth D networks x = p^D - q^D: closed form, clock, limit, and how fast the least L1 norm is approached.

Networks are built on the instance's problem, with its start x_0 and its schedule, at a scale a with a^D a third of the
largest entry of the minimum-L2 interpolator. Paths are those of p and q.
"""

from functools import lru_cache
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from linreg_mirror._types import Array
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Hypothesis,
    Instance,
    algebra,
    certified,
    identity,
    inequality,
    relative,
    slope,
    theorem,
)
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import Power
from linreg_mirror.problems import Problem
from linreg_mirror.schedules import Geometric
from linreg_mirror.solvers import Solution, Trajectory
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.solvers.limit import limit, minimum_l1

DEPTHS = (3, 4)


def _is_geometric(it: Instance) -> bool:
    return isinstance(it.schedule, Geometric)


_SOLVABLE = (h.hadamard, h.unbalanced, h.squared, h.solvable)
# Each problem once: the other settings differ in a scale that is not used here.
_PLAIN = (
    *_SOLVABLE,
    h.no_penalty,
    h.starts_at_zero,
    h.equal_scales,
    Hypothesis("b >= 0.1", lambda it: bool(it.scale0.min() >= 0.1)),
)
_DECAYING = (*_SOLVABLE, h.biased, Hypothesis("alpha decays geometrically", _is_geometric))
_EITHER = (
    *_SOLVABLE,
    Hypothesis(
        "no penalty from x_0 = 0, or one that decays geometrically",
        lambda it: _is_geometric(it) or all(one.test(it) for one in _PLAIN),
    ),
)
# With one sample all columns are parallel, and a rival is but a copy.
_RIVALLED = (*_PLAIN, Hypothesis("two samples or more", lambda it: it.problem.n > 1))


def _network(it: Instance, depth: int) -> Power:
    size = float(np.abs(it.least_l2.x).max())
    x0 = it.network.effective(it.network.theta0)
    return Power.from_scale((size / 3) ** (1 / depth), depth=depth, x0=x0)


def _depth(it: Instance) -> int:
    """Return the one depth whose flow is computed: 4 without penalty, 3 with."""
    return 3 if _is_geometric(it) else 4


@lru_cache(maxsize=1)
def _path(it: Instance) -> Trajectory:
    """Return the flow of p and q: evidence that knows nothing of mirrors."""
    return flow(
        it.problem,
        _network(it, _depth(it)),
        it.schedule,
        method="parameters",
        tolerance=1e-10,
        accuracy=1e-12,
        max_steps=20_000,
    )


def _factors(it: Instance) -> tuple[Array, Array]:
    theta = _path(it).parameters
    assert theta is not None
    return theta[:, : it.problem.d], theta[:, it.problem.d :]


@theorem(
    "depth.closed_form",
    source=Citation("W20", "Thm 3, proof"),
    statement="p_t = (p_0^(2-D) + D(D-2) L_t)^(-1/(D-2)), q_t the same with -L_t, L_t = int_0^t grad f",
    kind="identity",
    hypotheses=_PLAIN,
    constants={"missing": 2},
    control=Control("D^2 in place of D(D-2)", "planted/plain/0", {"missing": 0}),
)
def closed_form(it: Instance, missing: int) -> Evidence:
    """Compare both factors along the path.

    Proof. p' = -D p^(D-1) g, so (p^(2-D))' = (2-D) p^(1-D) p' = D(D-2) g.
    """
    D, (p, q) = _depth(it), _factors(it)
    moved = D * (D - missing) * _path(it).dual @ it.problem.X
    # Compared as p^(2-D): a wrong constant makes it negative, where there is no p.
    residuals = [f[0] ** (2.0 - D) + sign * moved - f ** (2.0 - D) for f, sign in ((p, 1), (q, -1))]
    return identity(relative(residuals, p[0] ** (2.0 - D)), 1e-9)


def _flow_in_symbols(sp: Any) -> tuple[Any, Any, Any]:
    """Return the symbols (p, q, A) and (D, g, alpha), and a function that differentiates by time."""
    D, p, q = sp.symbols("D p q", positive=True)
    g, A, alpha = sp.Symbol("g", real=True), sp.Symbol("A", real=True), sp.Symbol("alpha", nonnegative=True)
    energy = g * (p**D - q**D) + alpha * (p**2 + q**2)
    rates = {p: -energy.diff(p), q: -energy.diff(q), A: alpha}
    return (p, q, A), (D, g, alpha), lambda of: sum(of.diff(one) * rate for one, rate in rates.items())


@algebra("depth.closed_form", missing=0)
def closed_form_derived(sp: Any, missing: int = 2) -> Any:
    """Any D."""
    (p, q, _), (D, g, alpha), rate = _flow_in_symbols(sp)
    found = [rate(one ** (2 - D)) - sign * D * (D - missing) * g for one, sign in ((p, 1), (q, -1))]
    return [one.subs(alpha, 0) for one in found]


@theorem(
    "depth.conservation",
    source=Citation("ours", "depth D with penalty"),
    statement="p_t^(2-D) + q_t^(2-D) = (p_0^(2-D) + q_0^(2-D)) exp(2(D-2) A_t)",
    kind="identity",
    hypotheses=_DECAYING,
    constants={"clock": 2.0},
    control=Control("without the exponential", "planted/geometric/0", {"clock": 0.0}),
)
def conservation(it: Instance, clock: float) -> Evidence:
    """Compare along the path.

    Proof. p' = -D p^(D-1) g - 2 alpha p, so (p^(2-D))' = (D-2)(D g + 2 alpha p^(2-D)), and the same for q with -g: in
    the sum the gradient cancels. At depth 2 it is the product pq that is left, times exp(-4 A_t).
    """
    D, (p, q) = _depth(it), _factors(it)
    total = p ** (2.0 - D) + q ** (2.0 - D)
    grown = total[0] * np.exp(clock * (D - 2) * _path(it).decay)[:, None]
    return identity(total / grown - 1, 1e-8)


@algebra("depth.conservation", clock=0)
def conservation_derived(sp: Any, clock: int = 2) -> Any:
    """Any D."""
    (p, q, A), (D, *_), rate = _flow_in_symbols(sp)
    return rate((p ** (2 - D) + q ** (2 - D)) * sp.exp(-clock * (D - 2) * A))


@theorem(
    "depth.clock",
    source=Citation("ours", "depth D with penalty"),
    statement="x_t = primal(z_0 - X's_t, A_t) with s' = D a^(D-2) exp(-2(D-2) A_t) l'(Xx - y)",
    kind="identity",
    hypotheses=_DECAYING,
    constants={"slowed": 1.0},
    control=Control("a dual at constant speed", "planted/geometric/0", {"slowed": 0.0}),
)
def dual_clock(it: Instance, slowed: float) -> Evidence:
    """Compare where half the penalty is spent: at the end the speed has no say.

    Proof. With r = p^(2-D) exp(-2(D-2)A), r' = D(D-2) exp(-2(D-2)A) g (see depth.conservation), and z is an affine
    function of r: the penalty shrinks p and q at fixed z, and what it does to p^(2-D) beyond that is the clock.
    """
    path, mirror, X, y = _path(it), _network(it, _depth(it)).mirror(), it.problem.X, it.problem.y
    half = int(np.searchsorted(path.decay, it.total_decay / 2))

    def x_of(t: float, s: Array) -> Array:
        return mirror.primal(mirror.initial_dual - s @ X, it.schedule.integral(0.0, t))

    def field(t: float, s: Array) -> Array:
        return mirror.dual_rate(slowed * it.schedule.integral(0.0, t)) * (X @ x_of(t, s) - y)

    end = float(path.t[half])
    s = solve_ivp(field, (0.0, end), np.zeros(it.problem.n), method="LSODA", rtol=1e-11, atol=1e-13).y[:, -1]
    return identity(relative(x_of(end, s) - path.x[half], path.x[half]), 1e-9)


@algebra("depth.clock", slowed=0)
def dual_clock_derived(sp: Any, slowed: int = 1) -> Any:
    """Any D: with z from p, or from q, as the potential has it: p = exp(-2A) a (1 - (D-2) z)^(-1/(D-2))."""
    (p, q, A), (D, g, _), rate = _flow_in_symbols(sp)
    a, found = sp.Symbol("a", positive=True), []
    for one, sign in ((p, 1), (q, -1)):
        z = sign * (1 - (one * sp.exp(2 * A) / a) ** (2 - D)) / (D - 2)
        found.append(rate(z) + D * a ** (D - 2) * sp.exp(-slowed * 2 * (D - 2) * A) * g)
    return found


@theorem(
    "depth.limit",
    source=Citation("W20", "Thm 3; with penalty and start: ours"),
    statement="the flow of p and q ends in argmin{R_A(x) - <z_0, x> : Xx = y}, computed by Newton's method",
    kind="identity",
    hypotheses=_EITHER,
    constants={"less": 0},
    control=Control("the potential of depth D - 1", "planted/plain/0", {"less": 1}),
)
def ends_in_limit(it: Instance, less: int) -> Evidence:
    end = limit(it.problem, _network(it, _depth(it) - less), it.total_decay)
    return identity(relative(_path(it).x[-1] - certified(end), end.x), 1e-7)


@algebra("depth.limit", less=1)
def ends_in_limit_derived(sp: Any, less: int = 0) -> Any:
    """Two entries, one sample, any D: z, the slope of R_A as for depth.lyapunov, only moves along (X_1, X_2)."""
    (p, q, A), (D, g, _), rate = _flow_in_symbols(sp)
    a, p2, q2, (X1, X2, r) = *sp.symbols("a p2 q2", positive=True), sp.symbols("X1 X2 r", real=True)
    moved = rate((1 - (p * sp.exp(2 * A) / a) ** (2 - D + less)) / (D - less - 2))
    return X2 * moved.subs(g, X1 * r) - X1 * moved.subs({g: X2 * r, p: p2, q: q2}, simultaneous=True)


@theorem(
    "depth.lyapunov",
    source=Citation("ours", "after MM Thm 2.2, proof"),
    statement="W_t = R_A_inf(x*) - R_A_t(x_t) - <grad R_A_t(x_t), x* - x_t> never increases, and W_t >= "
    "D_R_A_t(x*, x_t) >= 0, if R_A(0) = 0",
    kind="inequality",
    hypotheses=_EITHER,
    constants={"offset": 1.0},
    control=Control(
        "R_A with a constant that makes it fall in A near x = 0", "special/start-at-solution", {"offset": 2.0}
    ),
)
def lyapunov(it: Instance, offset: float) -> Evidence:
    """Compare W at successive steps, and with the Bregman divergence.

    Proof. Which potentials have it: let d grad R_A(x) = -kappa(A) grad f dt with any clock kappa > 0 and any
    dependence of R on A. Then W' = -alpha (dR_A/dA)(x_t) + kappa <grad f, x* - x_t>: the terms with x' cancel. The
    second is at most 0 if f is quasi-convex and x* minimises it, and vanishes at a minimiser. So W never increases,
    whatever the problem and schedule, exactly if R_A(x) does not decrease in A at any fixed x; then also
    R_A_inf(x*) >= R_A_t(x*), which is W >= D. The clock does not matter, and R may be changed by a function of A.

    Depth D. dR_A/dA at fixed x is -dR*_A/dA at fixed z, and R*_A = exp(-2DA) R*_0 with R*_0 = a^(D-2)(p^2 + q^2)/2,
    which has its least value a^D at z = 0. With R_A = z x - R*_A + c a_A^D at the dual z of x, a_A^D = exp(-2DA) a^D,
    dR_A/dA = 2D [R*_A - c a_A^D], never negative exactly if c <= 1; c = 1 is R_A(0) = 0.
    """
    path, mirror, target = _path(it), _network(it, _depth(it)).mirror(), it.least_l2.x
    some = np.unique(np.linspace(0, len(path.t) - 1, 200).astype(int))
    x, A = path.x[some], path.decay[some][:, None]

    def value(x: Array, A: Array | float) -> Array:
        return (mirror.potential(x, A) + offset * mirror.conjugate(0 * x, A)).sum(axis=-1)

    gradient = mirror.dual(x, A) - mirror.initial_dual
    tangent = value(x, A) + (gradient * (target - x)).sum(axis=1)
    W, divergence = value(target, it.total_decay) - tangent, value(target, A) - tangent
    left = np.concatenate([W[1:], divergence, np.zeros_like(divergence)])
    right = np.concatenate([W[:-1], W, divergence])
    return inequality(left, right, scale=max(1.0, abs(W[0])), rounding=1e-10)


@algebra("depth.lyapunov", offset=2)
def lyapunov_derived(sp: Any, offset: int = 1) -> Any:
    """Any D: at fixed x R_A grows with A at a rate that is 0 at z = 0, where its slope in z is, and convex in z.

    It is -dR*_A/dA plus that of c a_A^D, since R_A = z x - R*_A + c a_A^D and R*_A has the slope x in z. There
    p^(2-D) = a^(2-D) (1 - (D-2) z), and q^(2-D) the same with -z; at z = 0 p = q = a.
    """
    (D, p, q, a), A = sp.symbols("D p q a", positive=True), sp.Symbol("A", real=True)

    def slope(of: Any) -> Any:
        return a ** (2 - D) * (of.diff(p) * p ** (D - 1) - of.diff(q) * q ** (D - 1))

    conjugate = sp.exp(-2 * D * A) * a ** (D - 2) * (p**2 + q**2) / 2
    grows = -conjugate.diff(A) - 2 * D * offset * sp.exp(-2 * D * A) * a**D
    bent = 2 * D**2 * sp.exp(-2 * D * A) * a ** (2 - D) * (p ** (2 * D - 2) + q ** (2 * D - 2))
    return [
        slope(p ** (2 - D)) + (D - 2) * a ** (2 - D),
        slope(q ** (2 - D)) - (D - 2) * a ** (2 - D),
        slope(conjugate) - sp.exp(-2 * D * A) * (p**D - q**D),
        grows.subs({p: a, q: a}),
        slope(grows).subs({p: a, q: a}),
        (slope(slope(grows)), bent),
    ]


@lru_cache(maxsize=1)
def _ladder(it: Instance) -> list[tuple[int, float, Array]]:
    """Return depths, scales alpha, and limits at these from x_0 = 0, from almost quadratic to almost L1."""
    size, found = float(np.abs(certified(it.least_l1)).max()), []
    for D in DEPTHS:
        for closeness in (1.0, 1e-1, 1e-2, 1e-3):
            alpha = size ** (1 / D) * closeness ** (1 / (D - 2))
            found.append((D, alpha, _limit_at(it.problem, D, np.log(alpha))))
    return found


def _limit_at(problem: Problem, depth: int, log_alpha: float) -> Array:
    return _solved_at(problem, depth, log_alpha).x


def _solved_at(problem: Problem, depth: int, log_alpha: float, tolerance: float = 1e-12) -> Solution:
    end = limit(problem, Power.from_scale(log_alpha=log_alpha, depth=depth, d=problem.d), tolerance=tolerance)
    certified(end)
    return end


@theorem(
    "depth.l1.bound",
    source=Citation("ours", "explicit form of W20 Thm 3"),
    statement="x_0 = 0, D >= 3: |x_alpha|_1 - |x1|_1 <= alpha^(D-2) sum |x_alpha,i|^(2/D), alpha = p_0 = q_0",
    kind="inequality",
    hypotheses=_PLAIN,
    constants={"factor": 1.0},
    extremal=("special/many-copies",),
    control=Control("half the bound", "special/many-copies", {"factor": 0.5}),
)
def l1_bound(it: Instance, factor: float) -> Evidence:
    """Compare the excess of the L1 norm with the bound, on a ladder of scales.

    Proof. In the unit of its bound the dual is w = X's, |w_i| = 1 - e_i with e_i = (alpha/p_i)^(D-2) where x_i > 0, and
    p_i^D = x_i + q_i^D >= x_i: so e_i |x_i| <= alpha^(D-2) |x_i|^(2/D). As |X's| < 1, |x1|_1 >= <y, s> =
    <w, x_alpha> = |x_alpha|_1 - sum e_i |x_alpha,i|.
    """
    least = np.abs(certified(it.least_l1))
    left, right = [], []
    for D, alpha, x in _ladder(it):
        left.append(np.abs(x).sum() - least.sum())
        right.append(factor * alpha ** (D - 2) * np.sum(np.abs(x) ** (2 / D)))
    return inequality(left, right, scale=least.sum())


@algebra("depth.l1.bound", factor=0.5)
def l1_bound_derived(sp: Any, factor: float = 1) -> Any:
    """D = 3, one entry: e x = (alpha/p) x against alpha x^(2/3), with x = y^3 and p = y + s, as p^3 = x + q^3."""
    alpha, y, s = sp.symbols("alpha y s", positive=True)
    return (sp.nsimplify(factor) * alpha * y**2 - alpha / (y + s) * y**3, alpha * y**2 * s / (y + s))


@theorem(
    "depth.l1.bound.least",
    source=Citation("ours", "explicit form of W20 Thm 3"),
    statement="the same from N = |x1|_1 alone: excess <= h N^(2/D) / (1 - (2/D) h N^(2/D-1)), "
    "h = alpha^(D-2) d^(1-2/D)",
    kind="inequality",
    hypotheses=_PLAIN,
    constants={"every_feature": True},
    extremal=("special/many-copies",),
    control=Control(
        "(D/2) alpha^(D-2) sum |x1_i|^(2/D): only features that x1 uses",
        "special/many-copies",
        {"every_feature": False},
    ),
)
def l1_bound_least(it: Instance, every_feature: bool) -> Evidence:
    """Compare the excess of the L1 norm with the bound where its denominator is positive.

    Proof. By Hölder, sum |x_i|^(2/D) <= d^(1-2/D) |x|_1^(2/D), so with depth.l1.bound the excess G has
    G <= h (N + G)^(2/D) <= h N^(2/D) (1 + (2/D) G/N). The number of features cannot be left out: of many equal columns
    each takes a small weight, for which the potential is far below the L1 norm, while x1 uses a single other one.
    """
    least = np.abs(certified(it.least_l1))
    N, d = least.sum(), it.problem.d
    left, right = [], []
    for D, alpha, x in _ladder(it):
        H = alpha ** (D - 2) * d ** (1 - 2 / D)
        room = 1 - 2 / D * H * N ** (2 / D - 1)
        if not every_feature:
            right.append(D / 2 * alpha ** (D - 2) * np.sum(least ** (2 / D)))
        elif room > 0:
            right.append(H * N ** (2 / D) / room)
        else:
            continue
        left.append(np.abs(x).sum() - N)
    return inequality(left, right, scale=N)


def _slack(it: Instance) -> float:
    """Return 1 - max|w_i| off the support of x1, for w = X's in the unit of its bound at a small scale of depth 4."""
    least = np.abs(certified(it.least_l1))
    network = Power.from_scale(3e-3 * least.max() ** 0.25, depth=4, d=it.problem.d)
    mirror = network.mirror()
    w = 2 * np.abs(mirror.initial_dual - it.problem.X.T @ limit(it.problem, network).dual)
    return 1 - float(w[least <= 1e-9 * least.max()].max(initial=0.0))


_strict = Hypothesis("x1 strictly complementary, by 0.025", lambda it: _slack(it) > 0.025)


@theorem(
    "depth.rate",
    source=Citation("MS25", "depth 3 and more; of the excess: ours"),
    statement="x_0 = 0, a fixed problem whose x1 is strictly complementary, alpha -> 0: |x_alpha|_1 - |x1|_1 falls "
    "like alpha^D from depth 3 on",
    kind="asymptotic",
    hypotheses=(*_PLAIN, h.underdetermined, _strict),
    constants={"depths": DEPTHS},
    control=Control("depth 2 falls like alpha^2", "dense/plain/0", {"depths": (2,)}),
)
def rate(it: Instance, depths: tuple[int, ...]) -> Evidence:
    """Fit the exponent over a ladder of scales.

    Proof, where x1 is strictly complementary: |w_i| < 1 off its support for the limit of the dual w = X's. There
    x_i = alpha^D [(1-w_i)^(-D/(D-2)) - (1+w_i)^(-D/(D-2))], so x_i / alpha^D converges; on the support signs are right
    in the end, and the excess is the sum of |x_i| - w_i x_i off the support, with w the limit. At depth 2 that x_i is
    about alpha^(2 - 2|w_i|): the exponent depends on the problem (regimes.l1.rate), and may be as small as one likes.

    The paper is about |x_alpha - x1|_1, which falls like alpha^D too: "linearly" there, where alpha is the scale of x.
    """
    least = np.abs(certified(it.least_l1))
    found = []
    for D in depths:
        # As close to 0 as rounding allows: there asymptotics have begun, if anywhere.
        start = least.max() ** (1 / D) * np.array([3e-4, 1e-4, 4e-5] if D == 3 else [2e-2, 7e-3, 3e-3])
        ladder, excess, errors = start, np.zeros(3), [0.0]
        for closer in (0.1, 0.3, 1.0, 3.0, 10.0):
            ladder = closer * start
            ends = [_solved_at(it.problem, D, np.log(alpha)) for alpha in ladder]
            excess = np.array([np.abs(end.x).sum() - least.sum() for end in ends])
            errors = [_bar(end) + _bar(it.least_l1) for end in ends]
            if excess.min() > 1e-13 * least.sum():
                break
        if max(excess) <= 1e-13 * least.sum():
            found.append(Evidence(0.0, "no excess at any scale"))
        else:
            found.append(slope(ladder, excess, expected=D, errors=errors))
    return min(found, key=lambda one: one.margin)


def _bar(solution: Solution) -> float:
    """Return what is proved of an answer's error; where nothing is, rounding."""
    rounding = float(np.finfo(float).eps) * float(np.abs(solution.x).sum())
    return solution.error if solution.error < np.inf else 4 * rounding


@theorem(
    "depth.rate.worst",
    source=Citation("ours", "vanishing scale at depth D"),
    statement="x_0 = 0, problems whose margin shrinks like alpha^(D-2): the excess falls like alpha^(D-2) only",
    kind="asymptotic",
    hypotheses=_RIVALLED,
    constants={"shrinking": 1.0},
    control=Control("a margin that stays", "dense/plain/0", {"shrinking": 0.0}),
)
def rate_worst(it: Instance, shrinking: float) -> Evidence:
    """Fit the exponent over a ladder of scales, each with a problem of its own.

    To X is added the column (1 + margin) y / |x1|_1: alone it fits y, more cheaply than x1 by a factor 1 + margin. The
    potential tells L1 norms apart only up to alpha^(D-2), as in depth.l1.bound; with a margin of that order a share of
    the weight stays on the old columns for ever, and costs its share of the margin.

    Proof. Let margin = c a^(D-2) and v be the weight on the new column. On the line between both interpolators x =
    (1 - v) x1 + v/(1 + margin) e the potential divided by its slope at large weights is |x|_1 - c' a^(D-2) sum
    |x_i|^(2/D) (1 + o(1)), whose minimum over v in [0, 1] does not depend on a in units of a^(D-2), and lies
    inside: the old columns keep 1 - v, at a cost of (1 - v) margin |x1|_1 in the norm.
    """
    rival, found = _Rival(it), []
    margins = rival.representable(np.array([3e-5, 1e-5, 3e-6]) if shrinking else np.full(3, 0.1))
    closeness = margins if shrinking else np.array([3e-5, 1e-5, 3e-6])
    for D in DEPTHS:
        ladder = rival.norm ** (1 / D) * closeness ** (1 / (D - 2))
        excess, errors = rival.excess(D, np.log(ladder), margins)
        found.append(slope(ladder, excess, expected=D - 2, errors=errors))
    return min(found, key=lambda one: one.margin)


@theorem(
    "depth.rate.logarithmic",
    source=Citation("ours", "vanishing scale at depth 2"),
    statement="depth 2, x_0 = 0, problems whose margin shrinks like 1/log(1/b): the excess falls like 1/log(1/b) only",
    kind="asymptotic",
    hypotheses=(*_RIVALLED, _strict),
    constants={"shrinking": 1.0},
    control=Control("a margin that stays", "dense/plain/0", {"shrinking": 0.0}),
)
def rate_logarithmic(it: Instance, shrinking: float) -> Evidence:
    """Fit the exponent in log(1/alpha); see depth.rate.worst.

    At depth 2 the potential tells L1 norms apart only up to 1/log(1/b), b = 2 alpha^2 (see regimes.l1.bound).

    Proof. As there, with L = log(1/b) for a^(2-D): the potential is |x|_1 (L - 1) + sum |x_i| log 2|x_i| (1 +
    o(1)), and margin L fixed leaves a share of the weight on the old columns.
    """
    rival = _Rival(it)
    margins = rival.representable(1 / np.array([1e4, 3e4, 1e5]) if shrinking else np.full(3, 0.1))
    size = 1 / margins if shrinking else np.array([1e4, 3e4, 1e5])  # log(1/b) in units of the norm
    excess, errors = rival.excess(2, 0.5 * (np.log(rival.norm) - size), margins)
    return slope(size, excess, expected=-1.0, errors=errors)


class _Rival:
    """A problem to which a column is added that fits y alone, a factor 1 + margin more cheaply than x1.

    X and x are rounded so that y = Xx and the column are floats: else rounding would decide about the last weights.
    """

    def __init__(self, it: Instance) -> None:
        X, x = (np.ldexp(np.rint(np.ldexp(v / np.abs(v).max(), 12)), -12) for v in (it.problem.X, it.least_l1.x))
        self.X, self.y = X, X @ x
        # Rounding may have made another interpolator the one of least L1 norm.
        self.norm = float(np.abs(certified(minimum_l1(Problem(self.X, self.y)))).sum())

    def representable(self, margins: Array) -> Array:
        """Return margins near these whose columns are floats."""
        return np.ldexp(np.rint(np.ldexp((1 + margins) / self.norm, 25)), -25) * self.norm - 1

    def excess(self, depth: int, log_alphas: Array, margins: Array) -> tuple[Array, Array]:
        """Return excesses of the L1 norm, and bounds of their errors."""
        excess, errors = [], []
        for log_alpha, margin in zip(log_alphas, margins, strict=True):
            cheaper = np.ldexp(np.rint(np.ldexp((1 + margin) / self.norm, 25)), -25)
            # Excesses are of 1e-6 of the norm or more, but for a margin that stays.
            problem = Problem(np.column_stack([self.X, cheaper * self.y]), self.y)
            end = _solved_at(problem, depth, log_alpha, tolerance=1e-7)
            excess.append(float(np.abs(end.x).sum()) - 1 / cheaper)
            errors.append(_bar(end))
        return np.array(excess), np.array(errors)
