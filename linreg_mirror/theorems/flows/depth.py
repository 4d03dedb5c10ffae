"""Depth D networks x = p^D - q^D: closed form, clock and limit.

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
    theorem,
)
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import Power
from linreg_mirror.schedules import Geometric
from linreg_mirror.solvers import Trajectory
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.solvers.limit import limit
from linreg_mirror.theorems.flows._rest import ends_at


def _is_geometric(it: Instance) -> bool:
    return isinstance(it.schedule, Geometric)


_SOLVABLE = (h.hadamard, h.unbalanced, h.squared, h.solvable, h.targets)
# Each problem once: the other settings differ in a scale that is not used here.
PLAIN = (
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
        lambda it: _is_geometric(it) or all(one.test(it) for one in PLAIN),
    ),
)


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
    hypotheses=PLAIN,
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
    """Compare the end of p and q with Newton's method, less what the path has left to go."""
    D, (p, q) = _depth(it), (factor[-1] for factor in _factors(it))
    end = certified(limit(it.problem, _network(it, D - less), it.total_decay))
    return ends_at(it.problem, _path(it).x[-1], p ** (2 * D - 2) + q ** (2 * D - 2), end, 1e-9)


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
