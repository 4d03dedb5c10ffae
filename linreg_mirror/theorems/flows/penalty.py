"""What the penalty does: LASSO from a constant one, sparsity from a decaying one, and signs."""

from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

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
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.solvers import lasso
from linreg_mirror.solvers.limit import limit
from linreg_mirror.theorems.flows._motion import Motion
from linreg_mirror.theorems.flows._rest import MOST, ends_at, left_of
from linreg_mirror.theorems.flows.mirror import TOLERANCE

_POINTS = 100  # of a path


@theorem(
    "spred.lasso",
    source=Citation("ZW23", "equivalence to L1"),
    statement="constant alpha: the flow ends where f(mw) + alpha(|m|^2+|w|^2) = min[f + 2 alpha |.|_1]",
    kind="identity",
    hypotheses=(h.hadamard, h.unbalanced, h.constant_penalty, h.squared, h.targets, h.moves),
    constants={"weight": 2.0},
    control=Control("LASSO weight alpha", "planted/constant/0", {"weight": 1.0}, walk="planted/constant/0"),
)
def spred_lasso(it: Instance, weight: float) -> Evidence:
    """Compare the objectives, less what the gradient e explains that the end of the path has left.

    With r = y - Xx that is <(m, w), e>/2, and (1 - s)|r||y| where s scales r so that no |X_i'r| exceeds 2 alpha: the
    distance from the value of s r in the dual of LASSO. By it the end may be a ten-millionth off.
    """
    alpha, x, theta = it.schedule.limit, it.path.x[-1], np.concatenate([one[-1] for one in it.factors()])
    reached = it.problem.value(x) + alpha * float(theta @ theta)
    least = certified(lasso.lasso(it.problem, weight * alpha))
    least_cost = it.problem.value(least) + weight * alpha * float(np.abs(least).sum())
    g, r = it.problem.gradient(x), it.problem.residual(x)
    e = it.network.pullback(theta, g) + 2 * alpha * theta
    scaled = min(1.0, 2 * alpha / float(np.abs(g).max()))
    rescaled = (1 - scaled) * float(np.linalg.norm(r) * np.linalg.norm(it.problem.y))
    left = (abs(float(theta @ e)) / 2 + rescaled) / least_cost
    found = identity(np.maximum(abs(reached / least_cost - 1) - left, 0.0), 1e-12)
    return Evidence(min(found.margin, 1e-7 - left), f"{found.detail}, the path has {left:.1e} left")


@algebra("spred.lasso", weight=1)
def spred_lasso_derived(sp: Any, weight: int = 2) -> Any:
    """alpha (m^2 + w^2) is no less than 2 alpha |m w|, and equal where |m| = |w|: both objectives have one minimum.

    The flow reaches it by convergence.global.
    """
    m, w, alpha = *sp.symbols("m w", real=True), sp.Symbol("alpha", nonnegative=True)
    above = alpha * (m**2 + w**2) - weight * alpha * sp.Abs(m * w)
    return [(above, alpha * (sp.Abs(m) - sp.Abs(w)) ** 2), above.subs(m, w), above.subs(m, -w)]


@theorem(
    "spred.stability",
    source=Citation("ours", "threshold of spred"),
    statement="m_i = w_i = 0 is stable under penalty alpha exactly if |g_i| <= 2 alpha",
    kind="identity",
    hypotheses=(h.hadamard, h.unbalanced, h.squared),
    constants={"threshold": 2.0},
    control=Control("threshold alpha", "planted/plain/0", {"threshold": 1.0}),
)
def stability(it: Instance, threshold: float) -> Evidence:
    """Let each pair (m_i, w_i) alone leave zero by a little, and compare whether it grows with the rule.

    With alpha a thousandth above and below the threshold, and exactly at it, where only what is left of higher order
    decides.

    Proof. Linearised at zero, m_i' = -g_i w_i - 2 alpha m_i and w_i' = -g_i m_i - 2 alpha w_i, with eigenvalues
    -2 alpha +- g_i: unstable if |g_i| > 2 alpha. If |g_i| <= 2 alpha for all i, then, as f is convex and 2|x_i| at most
    m_i^2 + w_i^2, f + alpha (|m|^2 + |w|^2) >= f(0) + <g, x> + 2 alpha |x|_1 >= f(0): zero is a minimum of a
    polynomial, and so stable under its gradient flow.
    """
    problem, d = it.problem, it.problem.d
    g, lengths = problem.gradient(np.zeros(d)), np.linalg.norm(problem.X, axis=0)
    wrong = seen = 0
    for i in np.flatnonzero(g)[:50]:
        radius = np.sqrt(1e-3 * abs(g[i])) / lengths[i]  # where |X_i|^2 x_i is a thousandth of g_i and less
        for share in (0.999, 1.0, 1.001):
            alpha = share * abs(float(g[i])) / 2
            growth = []
            for angle in np.pi / 4 * np.arange(8):
                theta = np.zeros(2 * d)
                theta[[i, d + i]] = radius * np.cos(angle), radius * np.sin(angle)
                growth.append(float(theta @ _force(it, alpha, theta)) / radius**2)
            wrong += (max(growth) > 0) != (abs(g[i]) > threshold * alpha)
            seen += 1
    return Evidence(0.0 - float(wrong), f"{wrong} of {seen} pairs grow against the rule")


@algebra("spred.stability", threshold=1)
def stability_derived(sp: Any, threshold: int = 2) -> Any:
    """Eigenvalues at zero are -2 alpha +- g; with |g| <= 2 alpha the quadratic part of the objective is no less than 0.

    With g = sign k and alpha = (k + e)/2.
    """
    s, (m, w), z = Motion(sp), sp.symbols("m w", real=True), sp.Symbol("lambda")
    energy = s.g * m * w + s.alpha * (m**2 + w**2)
    polynomial = (z * sp.eye(2) + sp.hessian(energy, (m, w))).det()
    k, e = sp.symbols("k e", nonnegative=True)
    found = [polynomial - (z + threshold * s.alpha - s.g) * (z + threshold * s.alpha + s.g)]
    for sign in (1, -1):
        at_most = energy.subs({s.g: sign * k, s.alpha: (k + e) / threshold})
        found.append((at_most, k / 2 * (m + sign * w) ** 2 + e / 2 * (m**2 + w**2)))
    return found


def _force(it: Instance, alpha: float, theta: np.ndarray) -> np.ndarray:
    g = it.problem.gradient(it.network.effective(theta))
    return -it.network.pullback(theta, g) - alpha * it.network.penalty_gradient(theta)


@theorem(
    "spred.flow",
    source=Citation("MM", "comparison with LASSO"),
    statement="x' = -2 sqrt(x^2 + b_t^2) [g + 2 alpha x / sqrt(x^2 + b_t^2)]",
    kind="identity",
    hypotheses=(h.hadamard, h.unbalanced, h.targets, h.moves),
    constants={"weight": 2.0},
    control=Control("alpha in place of 2 alpha", "planted/constant/0", {"weight": 1.0}, walk="planted/constant/0"),
)
def spred_flow(it: Instance, weight: float) -> Evidence:
    """Integrate this equation, which m and w do not occur in, and compare with the path of m and w."""
    first = slice(0, _POINTS)
    t, x = it.path.t[first], it.path.x[first]
    scale, schedule, problem = it.scale0, it.schedule, it.problem

    def field(at: float, here: np.ndarray) -> np.ndarray:
        b = scale * np.exp(-4 * schedule.integral(0.0, at))
        return -2 * np.hypot(here, b) * problem.gradient(here) - 2 * weight * schedule(at) * here

    # Between its steps DOP853 is off by 1000 times as much as at their ends.
    answer = solve_ivp(field, (0.0, t[-1]), x[0], "DOP853", t_eval=t, rtol=1e-13, atol=1e-15 * np.abs(x).max())
    return identity(relative(answer.y.T - x, x), TOLERANCE)


@algebra("spred.flow", weight=1)
def spred_flow_derived(sp: Any, weight: int = 2) -> Any:
    s = Motion(sp)
    root = sp.sqrt(s.x**2 + s.b**2)
    return s.rate(s.x) + 2 * root * (s.g + weight * s.alpha * s.x / root)


@theorem(
    "signs.balanced",
    source=Citation("MM", "sign flips"),
    statement="from |m_0| = |w_0| no entry of x ever changes sign",
    kind="inequality",
    hypotheses=(h.hadamard, h.balanced),
    extremal=("special/crossing-balanced",),
    control=Control("m_0^2 - w_0^2 = 1 instead: x crosses zero", "special/crossing"),
)
def signs(it: Instance) -> Evidence:
    lowest = float((it.path.x * np.sign(it.path.x[0])).min() / np.abs(it.path.x).max())
    return Evidence(lowest + 1e-12, f"least x_t sign(x_0) is {lowest:.1e} of the largest weight")


@algebra("signs.balanced", gap=1)
def signs_derived(sp: Any, gap: int = 0) -> Any:
    """m = sign w stays, and x'/x is finite: log|x| cannot reach minus infinity. The control has m^2 - w^2 = 1."""
    (w, g), alpha, found = sp.symbols("w g", real=True), sp.Symbol("alpha", nonnegative=True), []
    for sign in (1, -1):
        m = sign * sp.sqrt(w**2 + gap) if gap else sign * w
        m_rate, w_rate = -w * g - 2 * alpha * m, -m * g - 2 * alpha * w
        found += [m_rate - sign * w_rate, m_rate * w + m * w_rate + (2 * sign * g + 4 * alpha) * m * w]
    return found


@theorem(
    "signs.crossing",
    source=Citation("MM", "sign flips"),
    statement="from m_0^2 - w_0^2 > 0 the flow reaches zero training error, through sign changes where it must",
    kind="inequality",
    hypotheses=(h.hadamard, h.unbalanced, h.no_penalty, h.squared, h.solvable, h.targets),
    extremal=("special/crossing",),
    control=Control("|m_0| = |w_0|: stuck at zero", "special/crossing-balanced", walk="planted/plain/0"),
)
def crossing(it: Instance) -> Evidence:
    """Compare the training error, and the signs of the end with those of the limit by Newton's method."""
    start, end, X, y = it.path.x[0], it.path.x[-1], it.problem.X, it.problem.y
    error = relative(it.problem.residual(end), np.maximum(np.abs(X) @ np.abs(end), np.abs(y)))
    detail = f"|Xx - y| ends at {error:.1e} of its terms, {int(np.sum(start * end < 0))} signs changed"
    if error > 1e-6:
        return Evidence(1e-6 - error, detail)
    goal = certified(limit(it.problem, it.network))
    left, size = left_of(it.problem, end, np.hypot(end, it.scale0)), float(np.abs(goal).max())
    telling = np.abs(goal) > max(1e-6 * size, left)
    wrong = int(np.sum(np.sign(end[telling]) != np.sign(goal[telling])))
    enough = min(1e-6 - error, MOST - left / size)
    return Evidence(-float(wrong) if wrong else enough, f"{detail}, {wrong} are not those of the limit")


_long_enough = Hypothesis(
    "ln(2/b_inf) > 1 + max |log(u0/v0)|", lambda it: _exponent(it) > 1 + float(np.abs(it.tilt).max())
)


def _exponent(it: Instance) -> float:
    """ln(2/b_inf), the least of all entries."""
    return float(np.log(2 / it.scale0.max())) + 4 * it.total_decay


@theorem(
    "decay.sparser",
    source=Citation("MM", "diagonal networks; amount: ours"),
    statement="from x_0 != 0, L = ln(2/b_inf), T = max |log(u0/v0)|: the flow ends at zero training error, where "
    "|x|_1 <= [(L - 1 + T)|x1|_1 + sum |x1_i| ln(|x1_i| + b_inf/2) + d/e + d b_inf] / (L - 1 - T)",
    kind="inequality",
    hypotheses=(
        h.hadamard, h.unbalanced, h.biased, h.squared, h.solvable, h.decaying, h.equal_scales, _long_enough, h.targets),
    constants={"any_decay": False},
    control=Control(
        "any decay ends at a lower L1 norm than none", "special/decay-hurts", {"any_decay": True},
        walk="planted/geometric/0",
    ),
)  # fmt: skip
def sparser(it: Instance, any_decay: bool) -> Evidence:
    """Compare the L1 norm of the end with the bound.

    Proof. With h(x) = x arcsinh(x/b) - sqrt(x^2 + b^2) the end minimises sum h(x_i) - <log(u0/v0), x> over Xx = y, and
    |x|(L - 1) - 1/e - b <= h(x) <= |x|(L - 1) + |x| ln(|x| + b/2), as in `regimes.l1.bound`. Compare with x1, of least
    L1 norm; |<log(u0/v0), x - x1>| <= T (|x|_1 + |x1|_1). The bound falls to |x1|_1 as the penalty grows; a little
    penalty may leave the L1 norm higher than none.
    """
    end, least = it.path.x[-1], certified(it.least_l1)
    error, norm, reached = relative(it.problem.residual(end), it.problem.y), np.abs(least).sum(), np.abs(end).sum()
    if any_decay:
        bound = np.abs(certified(limit(it.problem, it.network, 0.0))).sum()
    else:
        L, T, b = _exponent(it), float(np.abs(it.tilt).max()), float(it.scale0.max()) * np.exp(-4 * it.total_decay)
        support, d = np.abs(least[least != 0]), it.problem.d
        rest = np.sum(support * np.log(support + b / 2)) + d / np.e + d * b
        bound = ((L - 1 + T) * norm + rest) / (L - 1 - T)
    found = inequality(reached - norm, bound - norm, scale=norm)
    return Evidence(min(found.margin, 1e-6 - error), f"training error {error:.1e}, {found.detail}", found.tightness)


_below_all = Hypothesis("alpha < max |X'y|/2", lambda it: 2 * it.schedule.limit < it.problem.gradient_scale)


@theorem(
    "decay.constant_bias",
    source=Citation("MM", "diagonal networks; amount: ours"),
    statement="constant alpha < lambda_max/2 ends with |X'(Xx - y)|_inf = 2 alpha: an error of order alpha remains",
    kind="identity",
    hypotheses=(h.hadamard, h.unbalanced, h.constant_penalty, h.squared, _below_all),
    constants={"weight": 2.0},
    control=Control("alpha in place of 2 alpha", "planted/constant/0", {"weight": 1.0}, walk="planted/constant/0"),
)
def constant_bias(it: Instance, weight: float) -> Evidence:
    slope = float(np.abs(it.problem.gradient(it.path.x[-1])).max())
    return identity(relative(slope - weight * it.schedule.limit, it.problem.gradient_scale), TOLERANCE)


@algebra("decay.constant_bias", weight=1)
def constant_bias_derived(sp: Any, weight: int = 2) -> Any:
    """Where the flow rests and (m, w) is not 0, the determinant 4 alpha^2 - g^2 is; elsewhere spred.stability."""
    s, (m, w) = Motion(sp), sp.symbols("m w")
    forces = sp.Matrix([w * s.g + 2 * s.alpha * m, m * s.g + 2 * s.alpha * w])
    return forces.jacobian((m, w)).det() - ((weight * s.alpha) ** 2 - s.g**2)


def _off_row_space(it: Instance) -> float:
    """Share of log(u0/v0) that is not in the row space of X."""
    X, tilt = it.problem.X, it.tilt
    return float(np.linalg.norm(tilt - X.T @ np.linalg.lstsq(X.T, tilt)[0]) / np.linalg.norm(tilt))


_tilted = Hypothesis("a hundredth of log(u0/v0) is off the row space", lambda it: _off_row_space(it) > 1e-2)


@theorem(
    "decay.biased_start",
    source=Citation("MM", "diagonal networks"),
    statement="no penalty from x_0 != 0, log(u0/v0) out of the row space: the end minimises the potential tilted "
    "towards x_0, not the one centred at 0",
    kind="inequality",
    hypotheses=(
        h.hadamard,
        h.unbalanced,
        h.biased,
        h.no_penalty,
        h.squared,
        h.solvable,
        h.equal_scales,
        _tilted,
    ),
    control=Control("start at x_0 = 0, where there is no tilt", "planted/plain/0", walk="planted/biased/0"),
)
def biased_start(it: Instance) -> Evidence:
    """Compare the end with both limits.

    Proof. At the centred limit arcsinh(x/b) is in the row space, at the tilted one arcsinh(x/b) - log(u0/v0): they are
    the same point exactly if log(u0/v0) is in the row space.
    """
    end = it.path.x[-1]
    tilted, centred = limit(it.problem, it.network), limit(it.problem, Hadamard.from_scale(it.scale0))
    near, far = (float(np.abs(end - certified(one)).sum()) for one in (tilted, centred))
    apart = far - 10 * max(near, centred.error if centred.error < np.inf else 0.0)
    found = ends_at(it.problem, end, np.hypot(end, it.scale0), tilted.x, 1e-10)
    share = far / float(np.abs(tilted.x).sum())
    detail = f"{found.detail} from the tilted limit, {share:.1e} from the centred one"
    return Evidence(min(apart / far, found.margin) if far else -1.0, detail)
