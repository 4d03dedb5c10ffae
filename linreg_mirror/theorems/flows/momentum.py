"""What small steps and heavy ball leave behind: the tilt, the scale, and the exact form of both."""

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from linreg_mirror._types import Array
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Instance,
    algebra,
    certified,
    identity,
    relative,
    theorem,
)
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.solvers.discrete import Descent
from linreg_mirror.solvers.limit import limit
from linreg_mirror.theorems.flows._motion import Motion
from linreg_mirror.theorems.flows.steps import (
    CONVERGENT,
    METHODS,
    TOLERANCE,
    Run,
    converged,
    ends,
    factors,
    rounding_of_gradients,
    stable_step,
    turned,
    well_conditioned,
)

# What is left of the tilt by a step is of the third order in g: that of steps close to the end is nothing.
_TILTED = [Run(step, beta, tolerance=1e-7) for beta in (0.0, 0.5) for step in (0.1, 0.05, 0.025)]
# u and v, which are about as large as the root of b, resolve x less finely than m and w do where x is small.
_HEAVY = [
    Run(0.9, beta, method=method, tolerance=1e-12 if method == "numpy" else 1e-11, whole=True)
    for beta in (0.5, 0.9)
    for method in METHODS
]
_SMALL = 1 / 8  # of a factor: longer changes are no small steps, and errors of factors that come close to 0 are large


def _falls(steps: ArrayLike, errors: ArrayLike, power: int) -> Evidence:
    """Return evidence that errors fall at least like step^power, to within 0.3 in the fitted exponent."""
    fitted = float(np.polyfit(np.log(steps), np.log(np.maximum(errors, 1e-300)), 1)[0])
    return Evidence(fitted - power + 0.3, f"the error falls like step^{fitted:.2f}, {power} or more is claimed")


@theorem(
    "steps.tilt",
    source=Citation("E23", "Thm 1"),
    statement="without penalty the tilt Z_inf + 2X' sum eta r / (1 - beta) that finite steps leave behind differs from "
    "log(u0/v0) by O(eta^2)",
    kind="asymptotic",
    hypotheses=(*CONVERGENT, h.no_penalty, h.starts_at_zero, well_conditioned, ends(lambda _: _TILTED)),
    constants={"both_factors": 2.0},
    control=Control("X' sum eta r once: one factor's share", "planted/plain/0", {"both_factors": 1.0}),
)
def tilt(it: Instance, both_factors: float) -> Evidence:
    """Fit the exponent of the difference over a ladder of step sizes, for gradient descent and for heavy ball.

    Proof. log(1 - q) - log(1 + q) = -2q + O(q^3) with q = eta g: what is left of a step is O(eta^3), and of all of
    them, about 1/eta, O(eta^2). With momentum phi(1 + delta) - phi(1 - delta) is O(delta^3) too.
    """
    found = []
    for runs in (_TILTED[:3], _TILTED[3:]):
        left = []
        for run in (converged(it, one) for one in runs):
            Z = run.implicit.tilt - 2 * it.problem.X.T @ run.implicit.dual
            left.append(np.abs(Z + both_factors * it.problem.X.T @ run.implicit.dual - it.hadamard.tilt).max())
        rounding, ladder = max(left) < 1e-9, [one.step for one in runs]  # of hundreds of logarithms
        found.append(Evidence(0.0, "no difference above rounding") if rounding else _falls(ladder, left, 2))
    return min(found, key=lambda one: one.margin)


def _gain(sp: Any, rho: Any, beta: Any, memory: int = 1) -> Any:
    """phi of steps.momentum, in symbols, for rho > 0."""
    return ((rho - 1) - memory * beta * (1 - 1 / rho)) / (1 - beta) - sp.log(rho)


@algebra("steps.tilt", both_factors=1)
def tilt_derived(sp: Any, both_factors: int = 2) -> Any:
    """No terms in eta and eta^2 are left of a step; nor of heavy ball's, phi(1 + delta) - phi(1 - delta)."""
    s, (eta, delta, beta) = Motion(sp), sp.symbols("eta delta beta")
    log_ratio = sp.log(s.step(s.u, eta) / s.u) - sp.log(s.step(s.v, eta) / s.v)
    left = log_ratio.subs(s.alpha, 0) + both_factors * eta * s.g
    apart = _gain(sp, 1 + delta, beta) - _gain(sp, 1 - delta, beta)
    return [of.diff(by, k).subs(by, 0) for of, by in ((left, eta), (apart, delta)) for k in (0, 1, 2)]


@theorem(
    "steps.momentum",
    source=Citation("P24", "exact form for finite steps: ours"),
    statement="heavy ball ends in argmin{R_b(x) : Xx = y} with b = b_0 exp(-sum[phi(rho+) + phi(rho-)]), tilted by "
    "log(u0/v0) - sum[phi(rho+) - phi(rho-)]; rho+ = u_{k+1}/u_k, rho- = v_{k+1}/v_k, "
    "phi(rho) = [(rho - 1) - beta(1 - 1/rho)]/(1 - beta) - ln|rho|",
    kind="identity",
    hypotheses=(*CONVERGENT, h.no_penalty, well_conditioned, h.moves, ends(lambda _: _HEAVY)),
    constants={"memory": 1.0},
    control=Control("phi without beta(1 - 1/rho)", "planted/plain/0", {"memory": 0.0}),
)
def momentum(it: Instance, memory: float) -> Evidence:
    """Take rho from m and w alone: compare sum phi with what the proof says it is, then the end with Newton's method.

    The first is needed: on Xx = y what lies in the row space of X, as a wrong phi may, has no effect on the end. What
    rounding does to it is allowed for, entry by entry: where a factor passes close to 0, rho has few digits.

    Proof. Divided by u_k, a step reads rho_k - 1 = beta (1 - 1/rho_{k-1}) - eta g_k. Summed over k, where the end is at
    rest, sum[(rho - 1) - beta (1 - 1/rho)] = -sum eta g, which is in the row space of X; and sum ln|rho| is
    ln|u_inf/u_0|: sum phi(rho+) = -ln|u_inf/u_0| - sum eta g / (1 - beta). The same holds for v with -g; add and
    subtract.
    """
    found: list[float] = []
    for of in _HEAVY:
        beta = of.momentum
        run, u, v, *_ = factors(it, converged(it, of))
        along = it.problem.X.T @ run.dual[-1] / (1 - beta)
        gains, rounding = [], []
        for factor, sign in ((u, 1.0), (v, -1.0)):
            # rho - 1 from differences: phi is of second order in it, and summed over a thousand steps.
            change = np.diff(factor, axis=0) / factor[:-1]
            log_rho = 0.5 * np.log1p(change * (2 + change))  # of |rho|
            phi = change * (1 - memory * beta / (1 + change)) / (1 - beta) - log_rho
            gains.append(phi.sum(axis=0))
            expected = -np.log(np.abs(factor[-1] / factor[0])) - sign * along
            rounding.append(_rounding_of_gains(it, run, factor, np.abs(u) + np.abs(v), beta))
            found.append(relative(np.maximum(np.abs(gains[-1] - expected) - rounding[-1], 0.0), along))
        if not np.max(found[-2:]) <= TOLERANCE:
            continue  # what a wrong phi defines may be no problem at all
        log_b, tilt = it.hadamard.log_scale - gains[0] - gains[1], it.hadamard.tilt - gains[0] + gains[1]
        end = certified(limit(it.problem, Hadamard.from_tilt(log_b, tilt)))
        # Duals that are off by e move the limit by W^(1/2) P W^(1/2) e, P a projection and W = sqrt(x^2 + b^2).
        W = np.hypot(end, np.exp(log_b))
        moved = 2 * np.sqrt(W * (W @ (rounding[0] + rounding[1]) ** 2))
        found.append(relative(np.maximum(np.abs(0.5 * (u**2 - v**2)[-1] - end) - moved, 0.0), end))
    return identity(found, TOLERANCE)


def _scaled(it: Instance) -> list[Run]:
    """Return a ladder of steps for each method, in units of what is stable."""
    beta = 0.5
    fastest = float(np.abs(it.problem.gradient(it.network.effective(it.network.theta0))).max())
    longest = min(0.3, _SMALL * (1 - beta) / (fastest * stable_step(it, beta))) if fastest else 0.3
    return [Run(part * longest, beta, method=method, tolerance=1e-9) for method in METHODS for part in (1, 0.5, 0.25)]


def _rounding_of_gains(it: Instance, run: Descent, factor: Array, size: Array, beta: float) -> Array:
    """Return a bound of what rounding does to sum phi + ln|u_inf/u_0| + sum eta g / (1 - beta), shape (d,).

    A step is off by eps times the sizes of both factors, which changes rho by that divided by u_k, phi by its slope
    times as much, and what the step says of rho - 1 by as much; g by (n + d) eps times the sum of its terms' sizes.
    """
    eps, rho = np.finfo(float).eps, factor[1:] / factor[:-1]
    off = eps * (np.abs(rho) * size[:-1] + size[1:]) / np.abs(factor[:-1])
    slopes = np.abs((1 - beta / rho**2) / (1 - beta) - 1 / rho) + 1 / (1 - beta)
    gradients = np.diff(run.t)[:, None] * rounding_of_gradients(it, run)
    return (off * slopes + gradients / (1 - beta)).sum(axis=0)


@algebra("steps.momentum", memory=0)
def momentum_derived(sp: Any, memory: int = 1) -> Any:
    """Four steps of u between positive values, the gradients those that lead there; v has -g.

    The sum of phi is -log(u_4/u_0) - sum eta g/(1 - beta), less what the last step leaves: 0 once the run rests.
    """
    u, (beta, eta) = sp.symbols("u0:5", positive=True), sp.symbols("beta eta")
    before, along, total = u[0], 0, 0
    for one, after in pairwise(u):
        g = sp.Symbol("g")
        (g,) = sp.solve(one - eta * g * one + beta * (one - before) - after, g)
        total, along, before = total + _gain(sp, after / one, beta, memory), along + eta * g, one
    rests = beta * (1 - u[3] / u[4]) / (1 - beta)
    return sp.expand_log(total + sp.log(u[4] / u[0])) + along / (1 - beta) + rests


@theorem(
    "steps.momentum.scale",
    source=Citation("P24", "lambda for the discrete iteration: ours"),
    statement="log(b_0/b_inf) = lambda int (p+^2 + p-^2) dt (1 + O(gamma)), lambda = gamma(1+beta) / (2(1-beta)^2), "
    "p+ = (log|u|)', p- = (log|v|)', along the flow",
    kind="asymptotic",
    hypotheses=(*CONVERGENT, h.no_penalty, h.starts_at_zero, well_conditioned, ends(_scaled)),
    constants={"as_flow": False},
    control=Control(
        "lambda = gamma/(1-beta)^2, right for the flow with momentum", "planted/plain/0", {"as_flow": True}
    ),
)
def momentum_scale(it: Instance, as_flow: bool) -> Evidence:
    """Measure the relative error of the formula over a ladder of step sizes; it must fall as fast as they do.

    Steps are those of both methods, so short that the first, kept up, changes no factor by more than an eighth at a
    time; the flow is that of m and w.

    Proof. phi(1 + delta) = (1 + beta) delta^2 / (2(1 - beta)) + O(delta^3), and delta = p gamma / (1 - beta).
    """
    beta, found = 0.5, []
    integral = 2 * _integral_of_squares(it)
    scaled = _scaled(it)
    for runs in (scaled[:3], scaled[3:]):
        ladder = np.array([one.step for one in runs]) * stable_step(it, beta)
        errors = []
        for gamma, run in zip(ladder, (converged(it, one) for one in runs), strict=True):
            u, v = np.split(turned(run.parameters), 2, axis=1)
            lost = it.hadamard.log_scale - np.log(np.abs(u[-1] * v[-1]))
            rate = gamma / (1 - beta) ** 2 * (1.0 if as_flow else (1 + beta) / 2)
            errors.append(relative(lost - rate * integral, lost))
        found.append(_falls(ladder, errors, 1))
    return min(found, key=lambda one: one.margin)


@algebra("steps.momentum.scale", as_flow=True)
def momentum_scale_derived(sp: Any, as_flow: bool = False) -> Any:
    """Heavy ball that goes on as before has steps delta = p gamma/(1 - beta), each in time gamma/(1 - beta)."""
    p, gamma, beta, delta = sp.symbols("p gamma beta delta")
    (step,) = sp.solve(delta - beta * delta - gamma * p, delta)
    rate = gamma / (1 - beta) ** 2 * (1 if as_flow else (1 + beta) / 2)
    phi = _gain(sp, 1 + step, beta)
    return [phi.diff(gamma, k).subs(gamma, 0) - (k == 2) * 2 * rate / gamma * p**2 / (1 - beta) for k in (0, 1, 2)]


def _integral_of_squares(it: Instance) -> Array:
    """Return the integral of g^2 over the flow, entry by entry, on the integrator's own points."""
    t, g2 = it.path.t, it.gradients**2
    return 0.5 * np.diff(t) @ (g2[1:] + g2[:-1])
