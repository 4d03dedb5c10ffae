"""To where and how fast the flow of m*w converges."""

from typing import Any

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, Verdict, algebra, certified, inequality, theorem
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.theorems.flows._motion import Motion, potential


def _excess(it: Instance) -> Array:
    """f(x_t) - min f along the path, shape (T,)."""
    return it.values - it.minimum


@theorem(
    "convergence.minimiser",
    source=Citation("MM", "Thm 2.2"),
    statement="f quasi-convex with PL inequality, int alpha finite: the flow ends in a minimiser of f",
    kind="inequality",
    hypotheses=(h.hadamard, h.unbalanced, h.integrable, h.quasi_convex, h.minimum_known, h.targets, h.moves),
    extremal=("special/no-solution",),
    control=Control("a sum of Cauchy losses, which is not quasi-convex", "special/two-valleys", walk="planted/plain/0"),
)
def minimiser(it: Instance) -> Evidence:
    excess = _excess(it)
    # Not of the initial excess alone: the start may be the solution, and the penalty move x away, if by little.
    largest = max(excess.max(), it.problem.value(np.zeros(it.problem.d)) - it.minimum)
    end = excess[-1] / (largest or 1.0)
    return Evidence(1e-8 - end, f"ends at {end:.1e} of the largest excess, that of x = 0 included")


@theorem(
    "convergence.rate",
    source=Citation("MM", "Thm 2.2, alpha = 0"),
    statement="f_t - f* <= (f_0 - f*) exp(-mu t min(m_0^2 - w_0^2)), |grad f|^2 >= mu (f - f*)",
    kind="inequality",
    hypotheses=(h.hadamard, h.unbalanced, h.no_penalty, h.squared, h.solvable, h.targets, h.moves),
    constants={"speed": 1.0},
    extremal=("special/tight-rate",),
    control=Control("twice the rate", "special/tight-rate", {"speed": 2.0}, walk="special/tight-rate"),
)
def rate(it: Instance, speed: float) -> Evidence:
    excess = _excess(it)
    bound = excess[0] * np.exp(-speed * _pl_constant(it) * it.path.t * 2 * it.scale0.min())
    return inequality(excess[1:], bound[1:], scale=excess[0], rounding=1e-8)


@algebra("convergence.rate", speed=2)
def rate_derived(sp: Any, speed: int = 1) -> Any:
    """One entry of -f' is no less than (m^2 - w^2) g^2, m^2 - w^2 constant; then the PL inequality and Gronwall's."""
    s = Motion(sp)
    slope = (s.g * s.rate(s.x)).subs(s.alpha, 0)
    kept = s.m**2 - s.w**2
    return [(-slope - speed * kept * s.g**2, (s.u - s.v) ** 2 * s.g**2), s.rate(kept).subs(s.alpha, 0)]


def _pl_constant(it: Instance) -> float:
    """mu with |grad f|^2 >= mu (f - f*) for squares: twice the smallest nonzero eigenvalue of XX'."""
    return 2 * float(np.linalg.svd(it.problem.X, compute_uv=False)[it.problem.rank - 1]) ** 2


@theorem(
    "convergence.rate.penalty",
    source=Citation("MM", "Thm 2.2, corrected"),
    statement="f_t - f* <= exp(-ct) (f_0 - f*) + 4 int_0^t exp(-c(t-s)) alpha_s |<grad f, x>| ds, c = 2 mu min b_inf",
    kind="inequality",
    hypotheses=(h.hadamard, h.unbalanced, h.decaying, h.squared, h.solvable, h.targets),
    constants={"drift": 4.0},
    extremal=("special/start-at-solution",),
    control=Control("without the integral", "special/start-at-solution", {"drift": 0.0}, walk="planted/geometric/0"),
)
def rate_with_penalty(it: Instance, drift: float) -> Evidence:
    excess, t = _excess(it), it.path.t
    c = _pl_constant(it) * 2 * it.scale0.min() * np.exp(-4 * it.total_decay)
    alpha = np.array([it.schedule(at) for at in t])
    push = alpha * np.abs((it.gradients * it.path.x).sum(axis=1))
    # The integral I solves I' = -cI + push; step by step, so that exp(ct) never appears.
    integral = np.zeros_like(t)
    for k in range(1, len(t)):
        fade = np.exp(-c * (t[k] - t[k - 1]))
        integral[k] = fade * integral[k - 1] + 0.5 * (t[k] - t[k - 1]) * (fade * push[k - 1] + push[k])
    bound = excess[0] * np.exp(-c * t) + drift * integral
    # The trapezoidal rule on the integrator's own steps is good to about 1e-6 of the integral.
    return inequality(excess[1:], bound[1:], scale=float(np.max(excess)), rounding=1e-5)


@algebra("convergence.rate.penalty", drift=0)
def rate_with_penalty_derived(sp: Any, drift: int = 4) -> Any:
    """One entry of -f' - 4 alpha g x is no less than (m^2 - w^2) g^2, nor that than 2 b_inf g^2; then Gronwall."""
    s = Motion(sp)
    slope = s.g * s.rate(s.x) + drift * s.alpha * s.g * s.x
    return (-slope - (s.m**2 - s.w**2) * s.g**2, (s.u - s.v) ** 2 * s.g**2)


@theorem(
    "convergence.rate.printed",
    source=Citation("MM v1", "convergence rate", printed=True),
    statement="f_t - f* <= (f_0 - f*) exp(C |x*| int alpha) exp(-mu a_inf t) for some C",
    kind="inequality",
    hypotheses=(h.hadamard, h.unbalanced, h.decaying, h.squared, h.solvable, h.targets),
    extremal=("special/start-at-solution",),
    expected=Verdict.refuted,
    corrected=("convergence.rate", "convergence.rate.penalty"),
    # With f_0 = f* the right side is zero whatever C is: one C stands for all.
    constants={"C": 1e3},
    control=Control("the printed statement itself, for every C", "special/start-at-solution"),
)
def rate_printed(it: Instance, C: float) -> Evidence:
    excess = _excess(it)
    slowest = 2 * it.scale0.min() * np.exp(-4 * it.total_decay)
    growth = C * np.linalg.norm(it.least_l2.x) * it.path.decay - _pl_constant(it) * slowest * it.path.t
    # f_0 = f* is exact on the witness; elsewhere the huge C makes the statement empty, not false.
    start = excess[0] if excess[0] > 1e-12 else 0.0
    return inequality(excess, start * np.exp(np.minimum(growth, 600)), scale=max(excess[0], float(np.max(excess))))


@theorem(
    "convergence.global",
    source=Citation("ours", "global rate"),
    statement="f(mw) + alpha(|m|^2+|w|^2) - min[f + 2 alpha |.|_1] <= [KL(x*_+, U_0) + KL(x*_-, V_0)]/(2t), "
    "U = (m+w)^2/4, V = (m-w)^2/4",
    kind="inequality",
    hypotheses=(h.hadamard, h.unbalanced, h.constant_or_none, h.convex, h.solvable, h.targets, h.moves),
    constants={"speed": 1.0},
    extremal=("special/plateau",),
    control=Control("half the bound", "special/plateau", {"speed": 2.0}, walk="planted/plain/0"),
)
def global_rate(it: Instance, speed: float) -> Evidence:
    """Compare the regularised objective with the bound at every time.

    Proof. U' = -2U(2 alpha + g) and V' = -2V(2 alpha - g): with F(U, V) = f(U - V) + 2 alpha sum(U + V) this is
    (log U)' = -2 dF/dU, (log V)' = -2 dF/dV, an entropic mirror flow of F, which is convex and has the least value of
    f + 2 alpha |.|_1. So D_t = KL(U*, U_t) + KL(V*, V_t) has D' = -2 <grad F, (U, V) - (U*, V*)> <= -2(F_t - F*), and F
    never increases: 2t(F_t - F*) <= int_0^t 2(F_s - F*) ds <= D_0.
    """
    m, w = it.factors()
    alpha = float(it.schedule.limit)
    objective = it.values + alpha * (m**2 + w**2).sum(axis=1)
    if alpha > 0:
        solution = it.lasso
        least = it.problem.value(solution.x) + 2 * alpha * np.abs(solution.x).sum()
    else:
        solution, least = it.least_l1, it.minimum
    x = certified(solution)
    divergence = _kl(np.maximum(x, 0), (m[0] + w[0]) ** 2 / 4) + _kl(np.maximum(-x, 0), (m[0] - w[0]) ** 2 / 4)
    bound = divergence / (2 * speed * it.path.t[1:])
    return inequality(objective[1:] - least, bound, scale=objective[0])


@algebra("convergence.global", speed=2)
def global_rate_derived(sp: Any, speed: int = 1) -> Any:
    """One entry: D' = -2 <grad F, (U, V) - (U*, V*)>, F never increases, and is the objective; then convexity of F."""
    s = Motion(sp)
    U, V, (to_U, to_V) = s.u**2 / 2, s.v**2 / 2, sp.symbols("U* V*", positive=True)
    slopes = {U: 2 * s.alpha + s.g, V: 2 * s.alpha - s.g}  # of f(U - V) + 2 alpha (U + V)
    D = sum(end * sp.log(end / at) - end + at for end, at in ((to_U, U), (to_V, V)))
    falls = sum(slopes[at] * (at - end) for end, at in ((to_U, U), (to_V, V)))
    never = -sum(slope * s.rate(at) for at, slope in slopes.items())
    return [
        U - (s.m + s.w) ** 2 / 4,
        V - (s.m - s.w) ** 2 / 4,
        s.alpha * (s.m**2 + s.w**2) - 2 * s.alpha * (U + V),
        s.rate(D) + 2 * speed * falls,
        (never, sum(2 * at * slope**2 for at, slope in slopes.items())),
    ]


@theorem(
    "convergence.best",
    source=Citation("MM", "Thm 2.2, convex f: W/t"),
    statement="f convex, int alpha finite: min_{s <= t} f_s - f* <= W_0/t, W_0 = R_b_inf(x*) - R_b_0(x_0) - "
    "<grad R_b_0(x_0), x* - x_0>",
    kind="inequality",
    hypotheses=(h.hadamard, h.unbalanced, h.integrable, h.convex, h.minimum_known, h.targets, h.moves),
    constants={"speed": 1.0},
    extremal=("special/plateau", "special/no-solution"),
    control=Control("half the bound", "special/plateau", {"speed": 2.0}, walk="special/tight-rate"),
)
def best_so_far(it: Instance, speed: float) -> Evidence:
    """Compare the least value so far with the bound at every time, x* of least norm: L1, or L2 where Xx = y fails.

    Proof. W_t (`mirror.lyapunov`) has W' = -alpha dR/dA - <grad f, x - x*> <= -(f - f*), as R does not decrease in A
    (at fixed x, dR/dA = 2 sqrt(x^2 + b^2)) and f is convex; and W >= 0. Integrate from 0 to t.
    """
    x0 = it.path.x[0]
    x = certified(it.least_l1) if h.solvable.test(it) else np.linalg.pinv(it.problem.X) @ it.problem.y
    b0, b = it.scale0, it.scale0 * np.exp(-4 * it.total_decay)
    at_end = x * np.arcsinh(x / b) - np.hypot(x, b) - x * it.tilt
    # R_b_0 + <its slope, x* - x_0> at x_0, where the slope is 0.
    at_start = -np.hypot(x0, b0) + x0 * (np.arcsinh(x0 / b0) - it.tilt)
    bound = float(np.sum(at_end - at_start)) / (2 * speed * it.path.t[1:])
    return inequality(np.minimum.accumulate(_excess(it))[1:], bound, scale=float(_excess(it)[0]) or 1.0)


@algebra("convergence.best", speed=2)
def best_so_far_derived(sp: Any, speed: int = 1) -> Any:
    """One entry: -W' - g (x - x*) = 2 alpha sqrt(x^2 + b^2), as for mirror.lyapunov; the sum of g (x - x*) is f - f*.

    Or more, as f is convex; W >= 0 is mirror.lyapunov.
    """
    s, (x, z), b = Motion(sp), sp.symbols("x z", real=True), sp.Symbol("b", positive=True)
    R, now = potential(sp, x, b), {x: s.x, b: s.b}
    W = -R.subs(now) - R.diff(x).subs(now) * (z - s.x)
    return (-s.rate(W) - speed * s.g * (s.x - z), 2 * s.alpha * sp.sqrt(s.x**2 + s.b**2))


def _kl(p: Array, q: Array) -> float:
    """Generalised Kullback-Leibler divergence, sum p log(p/q) - p + q."""
    positive = p > 0
    return float(np.sum(p[positive] * np.log(p[positive] / q[positive])) - p.sum() + q.sum())
