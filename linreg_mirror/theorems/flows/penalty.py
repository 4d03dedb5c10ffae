"""What the penalty does: LASSO from a constant one, sparsity from a decaying one, and signs."""

import numpy as np

from linreg_mirror.ledger import Citation, Control, Evidence, Instance, certified, identity, relative, theorem
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.solvers import lasso
from linreg_mirror.solvers.limit import limit
from linreg_mirror.theorems.flows.mirror import TOLERANCE


@theorem(
    "spred.lasso",
    source=Citation("ZW23", "equivalence to L1"),
    statement="constant alpha: the flow ends where f(mw) + alpha(|m|^2+|w|^2) = min[f + 2 alpha |.|_1]",
    kind="identity",
    hypotheses=(h.hadamard, h.unbalanced, h.constant_penalty, h.squared),
    constants={"weight": 2.0},
    control=Control("LASSO weight alpha", "planted/constant/0", {"weight": 1.0}),
)
def spred_lasso(it: Instance, weight: float) -> Evidence:
    m, w = it.factors()
    alpha = it.schedule.limit
    reached = it.problem.value(it.path.x[-1]) + alpha * float(m[-1] @ m[-1] + w[-1] @ w[-1])
    solution = lasso.lasso(it.problem, weight * alpha)
    x = certified(solution)
    least = it.problem.value(x) + weight * alpha * float(np.abs(x).sum())
    return identity(relative(reached - least, least), TOLERANCE)


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
    """Compare the sign of the growth rate of each pair (m_i, w_i) at zero with the rule.

    Proof. Linearised at zero, m_i' = -g_i w_i - 2 alpha m_i and w_i' = -g_i m_i - 2 alpha w_i, with eigenvalues
    -2 alpha +- g_i.
    """
    problem, d = it.problem, it.problem.d
    g = problem.gradient(np.zeros(d))
    alpha = 0.35 * float(np.median(np.abs(g)))
    force = np.zeros((2 * d, 2 * d))
    step = 2.0**-20  # the vector field is cubic: central differences at 0 are exact to step^2
    for k, e in enumerate(step * np.eye(2 * d)):
        ahead, behind = (_force(it, alpha, sign * e) for sign in (1, -1))
        force[k] = (ahead - behind) / (2 * step)
    growth = np.array([np.linalg.eigvals(force[np.ix_([i, d + i], [i, d + i])]).real.max() for i in range(d)])
    wrong = np.sum((growth > 0) != (np.abs(g) > threshold * alpha))
    return Evidence(0.0 - float(wrong), f"{wrong} of {d} entries grow against the rule")


def _force(it: Instance, alpha: float, theta: np.ndarray) -> np.ndarray:
    g = it.problem.gradient(it.network.effective(theta))
    return -it.network.pullback(theta, g) - alpha * it.network.penalty_gradient(theta)


@theorem(
    "spred.flow",
    source=Citation("MM", "comparison with LASSO"),
    statement="x' = -2 sqrt(x^2 + b_t^2) [g + 2 alpha x / sqrt(x^2 + b_t^2)]",
    kind="identity",
    hypotheses=(h.hadamard, h.unbalanced),
    constants={"weight": 2.0},
    control=Control("alpha in place of 2 alpha", "planted/constant/0", {"weight": 1.0}),
)
def spred_flow(it: Instance, weight: float) -> Evidence:
    m, w = it.factors()
    g, alpha = it.gradients(), np.array([it.schedule(t) for t in it.path.t])[:, None]
    slope_m, slope_w = -w * g - 2 * alpha * m, -m * g - 2 * alpha * w
    velocity = slope_m * w + m * slope_w
    root = np.hypot(it.path.x, it.scale0 * np.exp(-4 * it.path.decay)[:, None])
    return identity(relative(velocity + 2 * root * g + 2 * weight * alpha * it.path.x, velocity), TOLERANCE)


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


@theorem(
    "signs.crossing",
    source=Citation("MM", "sign flips"),
    statement="from m_0^2 - w_0^2 > 0 the flow reaches zero training error, through sign changes where it must",
    kind="inequality",
    hypotheses=(h.hadamard, h.unbalanced, h.no_penalty, h.squared, h.solvable),
    extremal=("special/crossing",),
    control=Control("|m_0| = |w_0|: stuck at zero", "special/crossing-balanced"),
)
def crossing(it: Instance) -> Evidence:
    end = relative(it.problem.residual(it.path.x[-1]), it.problem.y)
    return Evidence(1e-6 - end, f"|Xx - y| ends at {end:.1e} of |y|")


@theorem(
    "decay.sparser",
    source=Citation("MM", "diagonal networks"),
    statement="from x_0 != 0 a decaying penalty ends at zero training error, closer to the least L1 norm than none",
    kind="inequality",
    hypotheses=(h.hadamard, h.unbalanced, h.biased, h.squared, h.solvable, h.decaying),
    control=Control("a penalty that stays constant: training error remains", "planted/constant/0"),
)
def sparser(it: Instance) -> Evidence:
    end = it.path.x[-1]
    error = relative(it.problem.residual(end), it.problem.y)
    least = float(np.abs(it.least_l1.x).sum())
    without = limit(it.problem, it.network, 0.0)
    gain = float(np.abs(without.x).sum() - np.abs(end).sum()) / least
    return Evidence(min(gain, 1e-6 - error), f"training error {error:.1e}, L1 norm lower by {gain:.1%} of the least")


@theorem(
    "decay.constant_bias",
    source=Citation("MM", "diagonal networks; amount: ours"),
    statement="constant alpha < lambda_max/2 ends with |X'(Xx - y)|_inf = 2 alpha: an error of order alpha remains",
    kind="identity",
    hypotheses=(h.hadamard, h.unbalanced, h.constant_penalty, h.squared),
    constants={"weight": 2.0},
    control=Control("alpha in place of 2 alpha", "planted/constant/0", {"weight": 1.0}),
)
def constant_bias(it: Instance, weight: float) -> Evidence:
    slope = float(np.abs(it.problem.gradient(it.path.x[-1])).max())
    return identity(relative(slope - weight * it.schedule.limit, it.problem.gradient_scale), TOLERANCE)


@theorem(
    "decay.biased_start",
    source=Citation("MM", "diagonal networks"),
    statement="no penalty from x_0 != 0: the end minimises the potential tilted towards x_0, not the one centred at 0",
    kind="inequality",
    hypotheses=(
        h.hadamard,
        h.unbalanced,
        h.biased,
        h.no_penalty,
        h.squared,
        h.solvable,
        h.equal_scales,
        h.underdetermined,
    ),
    control=Control("start at x_0 = 0, where there is no tilt", "planted/plain/0"),
)
def biased_start(it: Instance) -> Evidence:
    end = it.path.x[-1]
    tilted = limit(it.problem, it.network).x
    centred = limit(it.problem, Hadamard.from_scale(it.scale0)).x
    near, far = relative(end - tilted, end), relative(end - centred, end)
    return Evidence(far - max(1e3 * near, 1e-3), f"{near:.1e} from the tilted limit, {far:.1e} from the centred one")
