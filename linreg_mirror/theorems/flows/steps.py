"""Finite steps: what gradient descent, SGD and heavy ball on x = m*w minimise, exactly.

Runs take their steps in m and w by the network's own pullback, and, where a statement says what its gradients do to it,
also by the compiled kernels: gradients are then computed anew, at the points of the run. What a compiled run has solved
follows from its factors by construction, so that statements about that take the network's own steps alone.
"""

from collections.abc import Callable, Iterable
from itertools import product
from typing import Any, Literal, NamedTuple

import numpy as np

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
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.problems import Problem
from linreg_mirror.schedules import Quadratic
from linreg_mirror.solvers import Status
from linreg_mirror.solvers.discrete import Descent, descent, largest_stable_step
from linreg_mirror.solvers.limit import limit, minimum_l1
from linreg_mirror.theorems.flows._motion import Motion, potential

_SHORT = 100  # steps of a run that need not converge
LONG = 40_000
_EPS = float(np.finfo(float).eps)
TOLERANCE = 1e-9
_Method = Literal["numpy", "compiled"]
METHODS: tuple[_Method, ...] = ("numpy", "compiled")
_STEPS = (h.hadamard, h.unbalanced, h.squared, h.solvable, h.integrable, h.targets)
# Runs in m and w take about condition^2 steps, and log(1/b) times as many: where these fail they need not be tried.
_conditioned = Hypothesis("condition of X below 15", lambda it: bool(np.linalg.cond(it.problem.X) < 15))
well_conditioned = Hypothesis("condition of X below 5", lambda it: bool(np.linalg.cond(it.problem.X) < 5))
_moderate = Hypothesis("b >= 0.1", lambda it: bool(it.hadamard.log_scale.min() > np.log(0.1)))
_ends_soon = Hypothesis("alpha falls geometrically or ends", lambda it: not isinstance(it.schedule, Quadratic))
CONVERGENT = (*_STEPS, _moderate, _ends_soon)


class _Factors(NamedTuple):
    """A run in u = (m+w)/sqrt 2 and v = (m-w)/sqrt 2, all steps; gradients are those at all but the last point."""

    run: Descent
    u: Array
    v: Array
    g: Array
    eta: Array
    alpha: Array


def turned(parameters: Array | None) -> Array:
    """Return (u, v) of (m, w), shape (T, 2d)."""
    assert parameters is not None
    m, w = np.split(parameters, 2, axis=1)
    return np.hstack([m + w, m - w]) / np.sqrt(2)


def factors(it: Instance, run: Descent) -> _Factors:
    u, v = np.split(turned(run.parameters), 2, axis=1)
    g = np.stack([it.problem.gradient(x) for x in run.x[:-1]])
    eta = np.diff(run.t)[:, None]
    return _Factors(run, u, v, g, eta, np.diff(run.decay)[:, None] / eta)


def stable_step(it: Instance, momentum: float = 0.0, batch_size: int | None = None) -> float:
    """Return the step that is stable at the start and at the end, as short as momentum asks for."""
    return (1 - momentum) * it.once(_largest_step, batch_size)


def _largest_step(it: Instance, batch_size: int | None) -> float:
    return largest_stable_step(it.problem, it.network, 0.0, batch_size)


def _short_runs(it: Instance) -> tuple[_Factors, ...]:
    """Return runs of both methods below, at and beyond the edge of stability; there factors change their signs."""
    runs = (
        descent(
            it.problem, it.network, factor * stable_step(it), it.schedule,
            steps=_SHORT, keep=range(_SHORT), tolerance=0.0, method=method,
        )
        for factor in (0.5, 1.0, 1.6) for method in METHODS
    )  # fmt: skip
    return tuple(factors(it, run) for run in runs if run.status is not Status.diverged)


class Run(NamedTuple):
    """A run to its end: steps in units of what is stable, and what else `descent` takes."""

    step: float
    momentum: float = 0.0
    batch_size: int | None = None
    method: _Method = "numpy"
    tolerance: float = 1e-12
    whole: bool = False  # whether all of its points are kept


def _run(it: Instance, of: Run) -> Descent:
    return descent(
        it.problem, it.network, of.step * stable_step(it, of.momentum, of.batch_size), it.schedule,
        batch_size=of.batch_size, momentum=of.momentum, rng=np.random.default_rng(0), steps=LONG,
        tolerance=of.tolerance, keep=range(LONG) if of.whole else (), method=of.method,
    )  # fmt: skip


def ends(runs: Callable[[Instance], Iterable[Run]]) -> Hypothesis:
    """Return the hypothesis that these runs converge: of where others would end they say nothing.

    They need about condition^2 log(1/b) steps, and as many as it takes the penalty to fade, which may be slow. Steps
    that are stable at the start and at the end may be too long in between.
    """
    return Hypothesis(
        f"its runs converge within {LONG:,} steps",
        lambda it: all(it.once(_run, one).status is Status.converged for one in runs(it)),
    )


def converged(it: Instance, of: Run) -> Descent:
    run = it.once(_run, of)
    if run.status is not Status.converged:
        raise ArithmeticError(f"the run did not converge: {run.status}")
    return run


@theorem(
    "steps.scale",
    source=Citation("E23", "Thm 1, one step"),
    statement="each step multiplies b = |m^2 - w^2|/2 by |(1 - 2 eta alpha)^2 - eta^2 g^2|, entry by entry",
    kind="identity",
    hypotheses=_STEPS,
    constants={"cross": 1.0},
    control=Control("(1 - 4 eta alpha) - eta^2 g^2", "planted/geometric/0", {"cross": 0.0}),
)
def scale(it: Instance, cross: float) -> Evidence:
    """Compare b after each step with what rounding allows.

    m and w are right to a few units in the last place, and the gradient that the step took to n + d units of the sum of
    the absolute values of its terms; this one moves b in proportion to the factors before the step and after.
    """
    shares = [0.0]
    for run, u, v, g, eta, alpha in it.once(_short_runs):
        gain = np.abs(1 - 4 * eta * alpha + cross * 4 * (eta * alpha) ** 2 - (eta * g) ** 2)
        b, size = np.abs(u * v), u**2 + v**2
        off = 4 * eta * rounding_of_gradients(it, run)
        allowed = 16 * _EPS * (size[:-1] + size[1:]) + off * np.sqrt(size[:-1] * (size[:-1] + size[1:]))
        shares.append(float(np.max(np.abs(b[1:] - gain * b[:-1]) / allowed)))
    worst = float(np.max(shares))
    return Evidence(1 - worst, f"residual {worst:.1e} of what rounding allows")


def rounding_of_gradients(it: Instance, run: Descent) -> Array:
    """Return what rounding may do to the gradients of a run: n + d units of the sum of their terms' absolute values."""
    X, y = np.abs(it.problem.X), np.abs(it.problem.y)
    return _EPS * sum(X.shape) * ((np.abs(run.x[:-1]) @ X.T + y) @ X)


@algebra("steps.scale", cross=0)
def scale_derived(sp: Any, cross: int = 1) -> Any:
    s, eta = Motion(sp), sp.Symbol("eta")
    gain = 1 - 4 * eta * s.alpha + cross * 4 * (eta * s.alpha) ** 2 - (eta * s.g) ** 2
    return s.step((s.m**2 - s.w**2) / 2, eta) - gain * s.b


@theorem(
    "steps.closed_form",
    source=Citation("E23", "Thm 1; with penalty: ours"),
    statement="x_k = b_k sinh(Z_k) with Z_k = log(u0/v0) + sum log|(1 - eta(2 alpha + g))/(1 - eta(2 alpha - g))|, "
    "b_k = b_0 prod |(1 - 2 eta alpha)^2 - eta^2 g^2|, also where a factor changes its sign, while none is 0",
    kind="identity",
    hypotheses=_STEPS,
    constants={"signed": False},
    control=Control("(m^2 - w^2)/2 in place of its absolute value", "special/long-steps", {"signed": True}),
)
def closed_form(it: Instance, signed: bool) -> Evidence:
    """Compare x after each step with what rounding allows, to first order.

    It is that of a step and of its gradient, as a share of u and of v, added up: a factor that passes close to 0 loses
    its digits for good. Where none are left, or a factor is 0, nothing is compared.
    """
    shares = [0.0]
    for run, u, v, g, eta, alpha in it.once(_short_runs):
        plus, minus = 1 - eta * (2 * alpha + g), 1 - eta * (2 * alpha - g)
        with np.errstate(divide="ignore", invalid="ignore"):  # a factor may be 0
            log_b = it.hadamard.log_scale + np.cumsum(np.log(np.abs(plus * minus)), axis=0)
            Z = it.hadamard.tilt + np.cumsum(np.log(np.abs(plus / minus)), axis=0)
            sign = np.sign(np.cumprod(np.sign(plus * minus), axis=0)) if signed else 1.0
            expected = sign * 0.5 * (np.exp(log_b + Z) - np.exp(log_b - Z))
        off, size = eta * rounding_of_gradients(it, run), np.abs(u) + np.abs(v)
        allowed = _EPS * np.cumsum(np.abs(log_b) + np.abs(Z), axis=0) * (u**2 + v**2)[1:]
        of_step = 8 * _EPS * ((1 + eta * (2 * alpha + np.abs(g))) * size[:-1] + size[1:])
        for factor in (u, v):
            lost = of_step + off * np.abs(factor[:-1])
            with np.errstate(divide="ignore", invalid="ignore"):
                share = np.cumsum(lost / np.abs(factor[1:]), axis=0)
                allowed += np.where(share < 0.1, share * factor[1:] ** 2, np.inf)
        told = np.isfinite(log_b) & np.isfinite(Z) & (allowed < np.inf)
        shares.append(float(np.max(np.abs(run.x[1:] - expected)[told] / allowed[told], initial=0.0)))
    worst = float(np.max(shares))
    return Evidence(1 - worst, f"residual {worst:.1e} of what rounding allows")


@algebra("steps.closed_form", signed=True)
def closed_form_derived(sp: Any, signed: bool = False) -> Any:
    """One step from b sinh Z, with 1 - eta(2 alpha + g) = +-p and 1 - eta(2 alpha - g) = q; then induction."""
    s, eta, (p, q) = Motion(sp), sp.Symbol("eta"), sp.symbols("p q", positive=True)
    found = [s.x - (s.b * sp.sinh(sp.log(s.u / s.v))).rewrite(sp.exp)]
    for sign in (1, -1):
        taken = {s.g: (q - sign * p) / (2 * eta), s.alpha: (2 - sign * p - q) / (4 * eta)}
        after = s.b * p * q * sp.sinh(sp.log(s.u / s.v) + sp.log(p / q)) * (sign if signed else 1)
        found.append(s.step(s.x, eta).subs(taken) - sp.expand(after.rewrite(sp.exp)))
    return found


@theorem(
    "steps.growth",
    source=Citation("ours", "scale after one step"),
    statement="without penalty b_i grows in a step if and only if |eta g_i| > sqrt 2",
    kind="identity",
    hypotheses=(*_STEPS, h.no_penalty),
    constants={"threshold": float(np.sqrt(2))},
    extremal=("special/long-steps",),
    control=Control("|eta g_i| > 1", "special/long-steps", {"threshold": 1.0}),
)
def growth(it: Instance, threshold: float) -> Evidence:
    """Count the entries and steps at which this is wrong.

    Proof. |1 - q^2| > 1 if and only if q^2 > 2.
    """
    wrong = seen = 0
    for _, u, v, g, eta, _ in it.once(_short_runs):
        change = np.diff(np.abs(u * v), axis=0)
        beyond = np.abs(eta * g) > threshold
        clear = np.abs(change) > 1e-12 * (u**2 + v**2)[1:]  # above rounding of m and w
        wrong += int(np.sum(clear & (beyond != (change > 0))))
        seen += int(np.sum(clear & beyond))
    return Evidence(0.0 - wrong, f"{wrong} entries wrong, {seen} steps beyond the threshold")


@algebra("steps.growth", square=1)
def growth_derived(sp: Any, square: int = 2) -> Any:
    """By q^2 (q^2 - 2) times itself the square of b grows, q = eta g."""
    s, eta = Motion(sp), sp.Symbol("eta")
    q, after = eta * s.g, s.step(s.b, eta).subs(s.alpha, 0)
    return after**2 - s.b**2 - s.b**2 * q**2 * (q**2 - square)


def _solves(it: Instance, run: Descent, tilted: bool = True) -> Evidence:
    network = run.implicit.network
    if not tilted:
        network = Hadamard.from_tilt(network.log_scale, it.hadamard.tilt)
    end = certified(limit(it.problem, network))
    return identity(relative(run.x[-1] - end, end), TOLERANCE)


def _gradient_descent(it: Instance) -> list[Run]:
    return [Run(0.95)]


def _sgd(it: Instance) -> list[Run]:
    return [Run(0.95, batch_size=max(1, it.problem.n // 2))]


@theorem(
    "steps.limit",
    source=Citation("E23", "Thm 1"),
    statement="gradient descent ends in argmin{R_b(x) : Xx = y} at b = b_inf, tilted by Z_inf + 2X' sum eta r",
    kind="identity",
    hypotheses=(*CONVERGENT, _conditioned, ends(_gradient_descent)),
    constants={"tilted": True},
    control=Control("tilted by log(u0/v0), as the flow is", "planted/biased/0", {"tilted": False}),
)
def ends_in_limit(it: Instance, tilted: bool) -> Evidence:
    """Compare the end of m and w with Newton's method on the problem that the log-products of the gradients define.

    On Xx = y the row-space part 2X' sum eta r of the tilt has no effect; what it is for, `steps.tilt` says.
    """
    return _solves(it, converged(it, *_gradient_descent(it)), tilted)


@algebra("steps.limit", tilted=0)
@algebra("steps.limit.sgd", tilted=0)
def ends_in_limit_derived(sp: Any, tilted: int = 1) -> Any:
    """Two entries, one sample, a step that ends in u and v: there grad R has no part in the kernel of X.

    By steps.closed_form Z is log(u/v), whatever steps led there.
    """
    s, (eta, x, r, *X), b = Motion(sp), sp.symbols("eta x r X1 X2", real=True), sp.Symbol("b", positive=True)
    p, q = 1 - eta * s.g, 1 + eta * s.g
    before = {s.u: s.u / p, s.v: s.v / q, s.alpha: 0}
    tilt = sp.log(s.u / s.v) if tilted else sp.log(s.u * q / (s.v * p))
    slope = potential(sp, x, b).diff(x).subs({x: s.x, b: s.b}).rewrite(sp.log) - (tilt + 2 * eta * s.g) / 2
    kernel = X[1] * slope.subs(s.g, X[0] * r) - X[0] * slope.subs(s.g, X[1] * r)
    return [s.step(one, eta).subs(before, simultaneous=True) - one for one in (s.u, s.v)] + [kernel]


@theorem(
    "steps.limit.sgd",
    source=Citation("E23", "Thm 1"),
    statement="SGD that ends where Xx = y ends in argmin{R_b(x) : Xx = y} with the b and the tilt of its own batches",
    kind="identity",
    hypotheses=(*CONVERGENT, h.no_penalty, well_conditioned, ends(_sgd)),
    constants={"tilted": True},
    control=Control("tilted by log(u0/v0), as the flow is", "planted/biased/0", {"tilted": False}),
)
def sgd_ends_in_limit(it: Instance, tilted: bool) -> Evidence:
    return _solves(it, converged(it, *_sgd(it)), tilted)


@theorem(
    "steps.l1_bound",
    source=Citation("ours", "weak duality"),
    statement="GD, SGD, heavy ball, any start, any stopping time, L = X' sum eta r, not 0: "
    "min{|x|_1 : Xx = Xx_T} >= |<L, x_T>| / |L|_inf",
    kind="inequality",
    hypotheses=(*_STEPS, h.no_penalty, h.moves),
    constants={"norm": np.inf},
    control=Control("|L|_2 / sqrt d in place of |L|_inf", "planted/small/0", {"norm": 2.0}),
)
def l1_lower_bound(it: Instance, norm: float) -> Evidence:
    """Compare with proved least norms at two stopping times, `Descent.l1_lower_bound` and the formula, both methods.

    L is added up from the gradients at the points of the run, but for batches, whose gradients are not kept.

    Proof. Xx = Xx_T gives <L, x> = <L, x_T>, for L is in the row space of X, and |<L, x>| <= |L|_inf |x|_1.
    """
    left, right, apart = [], [], []
    kinds = ((0.0, None), (0.0, max(1, it.problem.n // 2)), (0.9, None))
    for (beta, batch), method, steps in product(kinds, METHODS, (30, 300)):
        eta = 0.5 * stable_step(it, beta, batch)
        run = descent(
            it.problem, it.network, eta, momentum=beta, batch_size=batch,
            rng=np.random.default_rng(0), steps=steps, keep=() if batch else range(steps), tolerance=0.0, method=method,
        )  # fmt: skip
        x, dual = run.x[-1], run.dual[-1]
        if batch is None:
            dual = eta * sum(it.problem.loss.gradient(it.problem.residual(at)) for at in run.x[:-1])
        L = it.problem.X.T @ dual
        size = np.linalg.norm(L, norm) / (1.0 if np.isinf(norm) else np.sqrt(L.size))
        bound = abs(L @ x) / size
        left += [bound, run.l1_lower_bound]
        apart.append(relative(bound - run.l1_lower_bound, bound))
        least = minimum_l1(Problem(it.problem.X, it.problem.X @ x))
        # An interpolator of any size is an upper bound, for what it is known to.
        right += 2 * [float(np.abs(least.x).sum()) + (least.error if least.error < np.inf else 0.0)]
    found = inequality(left, right, scale=max(right), rounding=1e-12)
    return Evidence(min(found.margin, 1e-9 - max(apart) * np.isinf(norm)), found.detail, found.tightness)


@algebra("steps.l1_bound", largest=False)
def l1_lower_bound_derived(sp: Any, largest: bool = True) -> Any:
    """Two entries, one sample: <X's, x> depends on Xx alone, and <L, x> <= |L|_inf |x|_1 for L = (l + k, +-l)."""
    X1, X2, s, x1, x2 = sp.symbols("X1 X2 s x1 x2")
    l, k, a1, a2 = sp.symbols("l k a1 a2", nonnegative=True)  # a: |x_1| and |x_2|
    size = l + k if largest else sp.sqrt(((l + k) ** 2 + l**2) / 2)
    return [
        X1 * s * x1 + X2 * s * x2 - s * (X1 * x1 + X2 * x2),
        (size * (a1 + a2) - (l + k) * a1 - l * a2, k * a2),
        (size * (a1 + a2) - (l + k) * a1 + l * a2, k * a2 + 2 * l * a2),
    ]
