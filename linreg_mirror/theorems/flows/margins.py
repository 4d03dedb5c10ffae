"""Separable classification: margins that never fall, and the largest one in the L1 norm as the direction of x = m*w.

Samples are the instance's, labels the signs of its targets. Paths are those of the parameters, to log L = -400.
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
    identity,
    inequality,
    relative,
    theorem,
)
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import Parametrization, Power
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.separable import MarginPath, margin_flow, max_margin

# Loss, depth, and log L at the end.
_PATHS = (("exponential", 2, -400.0), ("logistic", 2, -20.0), ("exponential", 3, -20.0))
_ACCURACY = 1e-8
_ROUNDING = 1e-7  # of margins: what steps add up to
_BISECTIONS = 80

_LABELLED = (
    h.hadamard,
    h.unbalanced,
    h.squared,
    h.solvable,
    h.no_penalty,
    h.starts_at_zero,
    Hypothesis("b >= 0.1", lambda it: bool(it.scale0.min() >= 0.1)),
    Hypothesis("no target is 0", lambda it: bool(it.problem.y.all())),
)


def _labelled(it: Instance) -> Problem:
    """Return samples of entries of at most 1, with labels."""
    return Problem(it.problem.X / np.abs(it.problem.X).max(), np.sign(it.problem.y))


@lru_cache(maxsize=4)
def _path(it: Instance, loss: str, depth: int, until: float) -> MarginPath:
    network: Parametrization = it.network
    if depth > 2:
        network = Power.from_scale(log_alpha=it.hadamard.log_scale.max() / depth, depth=depth, d=it.problem.d)
    return margin_flow(_labelled(it), network, loss, until=until, accuracy=_ACCURACY)  # pyright: ignore[reportArgumentType]


def _smoothed(path: MarginPath, loss: str) -> Array:
    """Return l^-1(L), shape (T,): what the least margin would be if all samples but one were infinitely far."""
    if loss == "exponential":
        return -path.log_loss
    L = np.exp(path.log_loss)
    with np.errstate(over="ignore"):
        # -log(e^L - 1), without cancellation where L is small.
        return -np.where(L > 1e-8, np.log(np.expm1(np.maximum(L, 1e-8))), path.log_loss + L / 2)


@theorem(
    "twins.margin_flow",
    source=Citation("ours", "SciPy on the parameters"),
    statement="margin_flow follows theta' = -grad log L, L = sum l(q_i), l(q) = exp(-q) or log(1 + exp(-q))",
    kind="identity",
    hypotheses=_LABELLED,
    constants={"slopes": True},
    control=Control("logistic loss with the slopes of the exponential one", "planted/plain/0", {"slopes": False}),
)
def followed(it: Instance, slopes: bool) -> Evidence:
    """Compare all states up to log L = -5, where nothing needs logarithms yet, with SciPy's."""
    problem, network, found = _labelled(it), it.network, []
    Z = problem.y[:, None] * problem.X
    for loss in ("exponential", "logistic"):

        def velocity(_: float, theta: Array, loss: str = loss) -> Array:
            falls = np.exp(-Z @ network.effective(theta))
            l, pull = (falls, falls) if loss == "exponential" else (np.log1p(falls), falls / (1 + falls * slopes))
            return network.pullback(theta, pull @ Z) / l.sum()

        path = margin_flow(problem, network, loss, until=-5.0, accuracy=1e-11)  # pyright: ignore[reportArgumentType]
        answer = solve_ivp(velocity, (0.0, path.s[-1]), network.theta0, "DOP853", path.s, rtol=1e-11, atol=1e-12)
        found.append(relative(answer.y.T - path.parameters, path.parameters))
    return identity(found, 1e-7)


@theorem(
    "margin.monotone",
    source=Citation("LL20", "Thm 4.1"),
    statement="x homogeneous of degree D in the parameters, l(q) = exp(-q) or log(1 + exp(-q)): l^-1(L)/|theta|^D, the "
    "normalised margin, never falls once it is positive; log(1/L)/|theta|^D for exponential loss",
    kind="inequality",
    hypotheses=_LABELLED,
    constants={"higher": 0.0},
    control=Control("l^-1(L)/|theta|^(D+1)", "planted/plain/0", {"higher": 1.0}),
)
def monotone(it: Instance, higher: float) -> Evidence:
    """Compare margins at successive points: at depth 2 under both losses, at depth 3 under the exponential one.

    Proof. In the time of theta' = -grad log L, G = l^-1(L) has G' = L |theta'|^2/|l'(G)|, and (|theta|^2)'/2 =
    <theta, theta'> = D sum q_i |l'(q_i)|/L. Every l(q_i) <= L, so that q_i >= G > 0; and sum |l'(q_i)| >= |l'(G)|, for
    |l'| is a concave function of l that is 0 at 0, l itself for one loss and 1 - exp(-l) for the other, and
    sum l(q_i) = L = l(G). So <theta, theta'> >= D G |l'(G)|/L, and by Cauchy and Schwarz G' >=
    L <theta, theta'>^2/(|theta|^2 |l'(G)|) >= D G <theta, theta'>/|theta|^2: (log G)' >= D (log|theta|)'.
    """
    before, after = [], []
    for loss, depth, until in _PATHS:
        path = _path(it, loss, depth, until)
        smoothed, size = _smoothed(path, loss), np.linalg.norm(path.parameters, axis=1)
        positive = smoothed > 0
        margin = smoothed[positive] / size[positive] ** (depth + higher)
        before.append(margin[:-1] / margin[-1])
        after.append(margin[1:] / margin[-1])
    return inequality(np.concatenate(before), np.concatenate(after), rounding=_ROUNDING)


@algebra("margin.monotone", higher=1)
def monotone_derived(sp: Any, higher: int = 0) -> Any:
    """Exponential loss, two samples, x = m w: <theta, theta'> is D times a mean of the q_i, all at least G = log(1/L).

    So it is D G + h, h >= 0; then |theta'|^2 |theta|^2 - D G <theta, theta'>, for two parameters.
    """
    m, w, y1, y2, D = *sp.symbols("m w y1 y2"), 2
    q = y1 * m * w, y2 * m * w
    log_loss, total = sp.log(sum(sp.exp(-one) for one in q)), sum(sp.exp(-one) for one in q)
    along = sum(one * -log_loss.diff(one) for one in (m, w)) - D * sum(one * sp.exp(-one) for one in q) / total
    (G, h), t, v2 = sp.symbols("G h", nonnegative=True), sp.symbols("t1 t2", positive=True), sp.Symbol("v2", real=True)
    inner = D * G + h
    v = (inner - t[1] * v2) / t[0], v2
    rise = (v[0] ** 2 + v[1] ** 2) * (t[0] ** 2 + t[1] ** 2) - (D + higher) * G * inner
    return [along, (rise, (t[0] * v[1] - t[1] * v[0]) ** 2 + inner * h)]


@theorem(
    "margin.direction",
    source=Citation("ours", "rate at depth 2, after LL20"),
    statement="x = m*w from x_0 = 0, exponential loss, s = int L dt, L = 1 at s_0: 0 <= 1 - margin(x_s)/g <= "
    "[log(K_0/k(s)) + 2 g s + log n int_0^s 1/k] / (2 g (s - s_0)), g the largest margin in the L1 norm, "
    "k(s) = max_c c s - R_b(c x*), K_0 = k(0) = sum b/2",
    kind="inequality",
    hypotheses=_LABELLED,
    constants={"norm": 1},
    control=Control("the margin in the L1 norm of the x that is best in L2", "planted/plain/0", {"norm": 2}),
)
def direction(it: Instance, norm: int) -> Evidence:
    """Compare margins along the path with the largest one, by HiGHS.

    The bracket is bounded, so that the margin tends to the largest: x/|x|_1 tends to the x* that has it.

    Proof. Let K = sum sqrt(x^2 + b^2)/2, with |x|_1 <= 2K and |theta|^2 = 4K. In the time s the duals of x = b sinh(2z)
    are z = Z'a, rows of Z being y_i x_i, a' = p with p_i = exp(-q_i)/L, sum p = 1; K is the conjugate of R_b at z, and
    K' = <x, Z'p> = sum p_i q_i = log(1/L) + H, where H <= log n is the entropy of p. Let e = 1 - log(1/L)/(2 g K).
    As log(1/L) <= min q <= g |x|_1, it is not negative, and by margin.monotone it never rises after s_0. From
    (log K)' = 2g (1 - e) + H/K follows 2g int e = 2 g s - log(K/K_0) + int H/K. And Z x* >= 1 for the x* of least
    |x|_1 = 1/g, so that K >= <z, c x*> - R_b(c x*) >= c s - R_b(c x*) for all c. Now (s - s_0) e(s) <= int_0^s e, and
    the margin of x is at least log(1/L)/(2K). As k grows like exp(2 g s), the bracket has a limit.
    """
    path, best = _path(it, *_PATHS[0]), max_margin(_labelled(it), norm)
    if not best.certificate.valid:
        raise ArithmeticError(f"reference not certified: {best.certificate}")
    x, s, b = best.x, path.s, it.scale0
    g = 1 / float(np.abs(x).sum())
    c = _conjugate_points(x, b, s)
    k = c * s - 0.5 * np.sum(c[:, None] * x * np.arcsinh(c[:, None] * x / b) - np.hypot(c[:, None] * x, b), axis=1)
    # From above: k rises.
    area = np.concatenate([[0.0], np.cumsum(np.diff(s) / k[:-1])])
    bracket = np.log(k[0] / k) + 2 * g * s + np.log(len(path.margins[0])) * area
    late = path.log_loss < 0
    s_0 = float(np.interp(0.0, -path.log_loss, s))
    missing = 1 - path.margin()[late] / g
    bound = bracket[late] / (2 * g * np.maximum(s[late] - s_0, 1e-300))
    return inequality([-missing, missing], [0 * missing, bound], rounding=_ROUNDING)


def _conjugate_points(x: Array, b: Array, s: Array) -> Array:
    """Return the c at which c s - R_b(c x) is largest, where sum x arcsinh(c x/b)/2 = s, by bisection of log c."""
    low, high = np.full(len(s), -700.0), np.full(len(s), 700.0)
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        with np.errstate(over="ignore"):
            short = 0.5 * np.sum(x * np.arcsinh(np.exp(middle)[:, None] * x / b), axis=1) < s
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.where(s > 0, np.exp(low), 0.0)
