"""Where the mirror flow of m and w goes: what never increases, what is least at its end, and in n dimensions."""

from typing import Any

import numpy as np

from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Instance,
    algebra,
    certified,
    identity,
    inequality,
    relative,
    theorem,
)
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.solvers.limit import limit
from linreg_mirror.theorems.flows._motion import Motion, potential
from linreg_mirror.theorems.flows._rest import ends_at
from linreg_mirror.theorems.flows.mirror import TOLERANCE


@theorem(
    "mirror.lyapunov",
    source=Citation("MM", "Thm 2.2, proof"),
    statement="W_t = R_b_inf(x*) - R_b_t(x_t) - <grad R_b_t(x_t), x* - x_t> never increases, and "
    "W_t >= D_R_b_t(x*, x_t) >= 0",
    kind="inequality",
    hypotheses=(h.hadamard, h.unbalanced, h.integrable, h.quasi_convex, h.solvable),
    constants={"follow_target": False},
    control=Control(
        "the Bregman divergence D_R_b_t(x*, x_t) alone never increases",
        "special/start-at-solution",
        {"follow_target": True},
        walk="planted/geometric/0",
    ),
)
def lyapunov(it: Instance, follow_target: bool) -> Evidence:
    mirror = it.hadamard.mirror()
    z0, A = mirror.initial_dual, it.path.decay[:, None]
    target = it.least_l2.x
    here = mirror.potential(it.path.x, A).sum(axis=1)
    slope = ((mirror.dual(it.path.x, A) - z0) * (target - it.path.x)).sum(axis=1)
    target_now = mirror.potential(target, A).sum(axis=1)
    target_end = mirror.potential(target, it.total_decay).sum()
    divergence = target_now - here - slope
    W = divergence if follow_target else target_end - here - slope
    scale = max(1.0, abs(W[0]))
    left = np.concatenate([W[1:], divergence, np.zeros_like(divergence)])
    right = np.concatenate([W[:-1], W, divergence])
    return inequality(left, right, scale=scale, rounding=1e-8)


@algebra("mirror.lyapunov", follow_target=True)
def lyapunov_derived(sp: Any, follow_target: bool = False) -> Any:
    """One entry: -W' - g (x - x*) = 2 alpha sqrt(x^2 + b^2); the sum of all g (x - x*) is no less than 0.

    For f is quasi-convex and x* minimises it. R_b falls in b, so that R_b_inf(x*) >= R_b_t(x*), and R'' > 0.
    """
    s, (x, target), b = Motion(sp), sp.symbols("x z", real=True), sp.Symbol("b", positive=True)
    R, now = potential(sp, x, b), {x: s.x, b: s.b}
    here, slope = R.subs(now), R.diff(x).subs(now)
    W = (R.subs({x: target, b: s.b}) if follow_target else 0) - here - slope * (target - s.x)
    return [
        (-s.rate(W) - s.g * (s.x - target), 2 * s.alpha * sp.sqrt(s.x**2 + s.b**2)),
        (-R.diff(b), sp.sqrt(x**2 + b**2) / (2 * b)),
        (R.diff(x, 2), 1 / (2 * sp.sqrt(x**2 + b**2))),
    ]


@theorem(
    "mirror.optimality",
    source=Citation("MM", "Thm 2.3"),
    statement="the flow ends where Xx = y and arcsinh(x/b_inf) - log(u0/v0) is in the row space of X",
    kind="identity",
    hypotheses=(h.hadamard, h.unbalanced, h.integrable, h.solvable, h.quasi_convex, h.targets),
    constants={"exponent": 4.0},
    control=Control("b_0 in place of b_inf", "planted/geometric/0", {"exponent": 0.0}, walk="planted/geometric/0"),
)
def optimality(it: Instance, exponent: float) -> Evidence:
    x, X = it.path.x[-1], it.problem.X
    b = it.scale0 * np.exp(-exponent * it.total_decay)
    q, root = np.arcsinh(x / b) - it.tilt, np.hypot(x, b)
    # Fitted as changes of x: where b is small, arcsinh magnifies what integration leaves of a vanishing x.
    in_row_space = X.T @ np.linalg.lstsq(X.T * root[:, None], q * root)[0]
    back = b * np.sinh(it.tilt + in_row_space)
    residual = relative(it.problem.residual(x), np.abs(X) @ np.abs(x))  # the path ends at a distance relative to x
    return identity([relative(x - back, x), residual], TOLERANCE)


@algebra("mirror.optimality", exponent=0)
def optimality_derived(sp: Any, exponent: int = 4) -> Any:
    """Two entries, one sample: with G_i = X_i s, arcsinh(x/b) - log(u0/v0) is a multiple of (X_1, X_2)."""
    s, (X1, X2, dual) = Motion(sp), sp.symbols("X1 X2 s", real=True)
    q = sp.asinh(s.x / (s.u0 * s.v0 * sp.exp(-exponent * s.A))).rewrite(sp.log) - sp.log(s.u0 / s.v0)
    return [s.rate(s.u0), s.rate(s.v0), X2 * q.subs(s.G, X1 * dual) - X1 * q.subs(s.G, X2 * dual)]


@theorem(
    "mirror.limit",
    source=Citation("MM", "Thm 2.3"),
    statement="the flow ends in argmin{R_b_inf(x) : Xx = y}, computed by Newton's method",
    kind="identity",
    hypotheses=(h.hadamard, h.unbalanced, h.integrable, h.solvable, h.quasi_convex, h.targets),
    constants={"tilted": True},
    control=Control("the same without log(u0/v0)", "planted/biased/0", {"tilted": False}, walk="planted/biased/0"),
)
def ends_in_limit(it: Instance, tilted: bool) -> Evidence:
    """Compare the end of m and w with Newton's method, less what the path has left to go."""
    network = it.hadamard if tilted else Hadamard.from_scale(it.scale0)
    x, b = it.path.x[-1], it.scale0 * np.exp(-4 * it.path.decay[-1])
    W, to_decay = np.hypot(x, b), it.total_decay - it.path.decay[-1]  # and b = exp(-4A) moves x as exponents do
    end = certified(limit(it.problem, network, it.total_decay))
    return ends_at(it.problem, x, W, end, 1e-10, -4 * to_decay * x / W)


@algebra("mirror.limit", tilted=0)
def ends_in_limit_derived(sp: Any, tilted: int = 1) -> Any:
    """Two entries, one sample: at the end grad R has no part along (X_2, -X_1), the kernel of X; R is convex."""
    s, (X1, X2, dual, x), b = Motion(sp), sp.symbols("X1 X2 s x", real=True), sp.Symbol("b", positive=True)
    R = potential(sp, x, b)
    slope = R.diff(x).subs({x: s.x, b: s.b}).rewrite(sp.log) - tilted * sp.log(s.u0 / s.v0) / 2
    kernel = X2 * slope.subs(s.G, X1 * dual) - X1 * slope.subs(s.G, X2 * dual)
    return [kernel, (R.diff(x, 2), 1 / (2 * sp.sqrt(x**2 + b**2)))]


@theorem(
    "mirror.reduction",
    source=Citation("ours", "reduction to n dimensions"),
    statement="the flow of s in R^n, s' = l'(X x(s) - y), and the flow of m and w are the same path",
    kind="identity",
    hypotheses=(h.hadamard, h.unbalanced),
    constants={"exponent": 1.0},
    control=Control(
        "the penalty is left out of the dual flow", "planted/geometric/0", {"exponent": 0.0}, walk="planted/geometric/0"
    ),
)
def reduction(it: Instance, exponent: float) -> Evidence:
    """Compare both flows at the time at which that of the parameters ended.

    Proof. grad f = X'l'(Xx - y), so that L_t = X's_t with s' = l'(X x - y); and x is a function of L_t and A_t.
    """
    mirror = it.hadamard.mirror()
    x = mirror.primal(mirror.initial_dual - it.dual_path.dual[-1] @ it.problem.X, exponent * it.dual_path.decay[-1])
    return identity(relative(x - it.path.x[-1], it.path.x[-1]), TOLERANCE)


@algebra("mirror.reduction", exponent=0)
def reduction_derived(sp: Any, exponent: int = 1) -> Any:
    """Two entries, one sample, any loss: the factors that follow from s obey the equations of m and w."""
    t, y, loss, s, A = sp.Symbol("t"), sp.Symbol("y"), sp.Function("l"), sp.Function("s"), sp.Function("A")
    X, starts = sp.symbols("X1 X2"), (sp.symbols("u1 v1", positive=True), sp.symbols("u2 v2", positive=True))

    def factors(i: int, A: Any) -> tuple[Any, Any]:
        return starts[i][0] * sp.exp(-2 * A - X[i] * s(t)), starts[i][1] * sp.exp(-2 * A + X[i] * s(t))

    def output(A: Any) -> Any:
        return sp.expand(sum(X[i] * (factors(i, A)[0] ** 2 - factors(i, A)[1] ** 2) / 2 for i in (0, 1)))

    moved, slope = {s(t).diff(t): loss(output(exponent * A(t)) - y)}, loss(output(A(t)) - y)
    found = []
    for i, (u, v) in enumerate(factors(i, A(t)) for i in (0, 1)):
        found += [u.diff(t).subs(moved) + (2 * A(t).diff(t) + X[i] * slope) * u]
        found += [v.diff(t).subs(moved) + (2 * A(t).diff(t) - X[i] * slope) * v]
    return found
