"""How fast mirror descent on x converges, and with which steps: b sinh(arcsinh(x/b) - 2 eta g), for squares.

The inverse Hessian of R_b is diag 2 sqrt(x^2 + b^2), which is convex in x: all that is asked of its upper bounds over a
step is had at the ends of the step.
"""

from typing import Any, NamedTuple

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
    inequality,
    theorem,
)
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.problems import Problem
from linreg_mirror.theorems.flows._motion import divergence

_STEPS = 30
_ROUNDING = 1e-12  # of the loss at the start

_moderate = Hypothesis("b >= 0.1", lambda it: bool(it.scale0.min() >= 0.1))
_wrong = Hypothesis("x_0 does not interpolate", lambda it: it.problem.value(_start(it)) > 0)
_SQUARES = (h.hadamard, h.unbalanced, h.squared, h.solvable, h.no_penalty, _moderate, _wrong)


class _Step(NamedTuple):
    """A step from `before` to `after`, of length `eta`, in the potential of scale b."""

    before: Array
    after: Array
    eta: float
    b: Array

    @property
    def metrics(self) -> Array:
        """2 sqrt(x^2 + b^2) at both ends, shape (2, d)."""
        return 2 * np.hypot(np.stack([self.before, self.after]), self.b)

    @property
    def least_metric(self) -> float:
        """The least entry of 2 sqrt(x^2 + b^2) on the way, that of x = 0 where the sign changes."""
        crossed = self.before * self.after < 0
        return float(np.where(crossed, 2 * self.b, self.metrics.min(axis=0)).min())


def _start(it: Instance) -> Array:
    return it.network.effective(it.network.theta0)


def _relative_smoothness(problem: Problem, metric: Array) -> float:
    """Return the largest eigenvalue of X diag(metric) X'."""
    return float(np.linalg.eigvalsh((problem.X * metric) @ problem.X.T)[-1])


def _descend(it: Instance, lengths: Array, smoothness: float | None = None) -> list[_Step]:
    """Take steps of the given lengths over the relative smoothness at their starts, until the loss is rounding.

    Given L, the smoothness of f, steps are lengths times l/L, and each has a scale of its own.
    """
    problem, x = it.problem, _start(it)
    rng, steps, first = np.random.default_rng(0), [], problem.value(x)
    for length in lengths:
        b = it.scale0 * (rng.uniform(0.5, 1.5, problem.d) if smoothness else 1.0)
        metric = 2 * np.hypot(x, b)
        eta = length / (smoothness * metric.max() if smoothness else _relative_smoothness(problem, metric))
        with np.errstate(all="ignore"):  # a control may go anywhere
            after = b * np.sinh(np.arcsinh(x / b) - 2 * eta * problem.gradient(x))
        if not np.isfinite(problem.value(after)):
            break
        steps.append(_Step(x, after, eta, b))
        x = after
        if problem.value(x) <= _ROUNDING * first:
            break
    return steps


@theorem(
    "steps.mirror_descent.rate",
    source=Citation("R20", "Thm 1; for gradients of potentials: ours"),
    statement="grad R_k(x_{k+1}) = grad R_k(x_k) - eta g, l <= R_k'' <= u, f L-smooth and mu-PL: f_{k+1} - f* <= "
    "(1 - 2 mu eta (1 - eta L/(2l))/u) (f_k - f*), which is 1 - mu l/(L u) for eta = l/L",
    kind="inequality",
    hypotheses=(*_SQUARES, h.moves),
    constants={"times": 1.0},
    extremal=("special/tight-rate",),
    control=Control("twice that rate", "special/tight-rate", {"times": 2.0}),
)
def rate(it: Instance, times: float) -> Evidence:
    """Compare losses before and after each step, in potentials that change from step to step.

    l and u are those of the way from x_k to x_{k+1}; steps for which the bound is above 1 are left out.

    Proof. Let d = x_{k+1} - x_k and D = grad R_k(x_{k+1}) - grad R_k(x_k) = -eta g. f_{k+1} <= f_k + <g, d> + L|d|^2/2,
    <g, d> = -<D, d>/eta and |d|^2 <= <D, d>/l: f falls by (1/eta - L/(2l)) <D, d> at least, and <D, d> >= |D|^2/u =
    eta^2 |g|^2/u >= 2 mu eta^2 (f_k - f*)/u. Of maps that are no gradients only <D, d> >= l |D|^2/u^2 is known, and
    with it the same rate for l/u squared.
    """
    eigenvalues = np.linalg.eigvalsh(it.problem.X @ it.problem.X.T)
    L, mu = eigenvalues[-1], eigenvalues[eigenvalues > 1e-10 * eigenvalues[-1]][0]
    left, right = [], []
    for step in _descend(it, np.random.default_rng(1).uniform(0.1, 0.9, _STEPS), L):
        share = 2 * mu * step.eta * (1 - step.eta * L * step.metrics.max() / 2) * step.least_metric
        if share < 0:
            continue
        left.append(it.problem.value(step.after))
        right.append((1 - times * share) * it.problem.value(step.before))
    return inequality(left, right, scale=it.problem.value(_start(it)), rounding=_ROUNDING)


@algebra("steps.mirror_descent.rate", times=2)
def rate_derived(sp: Any, times: int = 1) -> Any:
    """One entry, where R' changes by r d with l <= r <= u: what f falls by, less what is claimed of |g|^2; then PL.

    r = l + p, u = r + q, and eta L/2 = l k/(1 + k), which is at most l.
    """
    (l, eta), (p, q, k) = sp.symbols("l eta", positive=True), sp.symbols("p q k", nonnegative=True)
    g, d = sp.symbols("g d", real=True)
    r, L = l + p, 2 * l * k / (1 + k) / eta
    falls = -(g * d + L * d**2 / 2).subs(d, -eta * g / r)
    share = eta * (1 - eta * L / (2 * l)) / (r + q) * g**2
    more = eta * g**2 / (r**2 * (r + q)) * (p * r * k / (1 + k) + p * q + l * q / (1 + k))
    return (falls - times * share, sp.expand(more))


def _divergence(it: Instance, x: Array, z: Array) -> float:
    """Return D_R_b(x, z)."""
    R = Hyperbolic(np.log(it.scale0), np.zeros(it.problem.d))
    return float((R.potential(x, 0.0) - R.potential(z, 0.0) - R.dual(z, 0.0) * (x - z)).sum())


@theorem(
    "steps.mirror_descent.stable",
    source=Citation("LFN18", "Thm 3.1"),
    statement="eta <= 1/lambda at both ends of a step, lambda the largest eigenvalue of X diag(2 sqrt(x^2 + b^2)) X': "
    "f falls, and f_T - f* <= D_R_b(x*, x_0) / sum eta",
    kind="inequality",
    hypotheses=(*_SQUARES, h.targets),
    constants={"longest": 1.0},
    extremal=("special/tight-rate",),
    control=Control("eta <= 2.5/lambda", "special/tight-rate", {"longest": 2.5}),
)
def stable(it: Instance, longest: float) -> Evidence:
    """Compare losses along runs of short and of long steps, x* the interpolator of least L2 norm.

    Runs end where lambda grows so much in a step that it was too long: that it was not is the hypothesis.

    Proof. Along a step d f is lambda-smooth relative to R, f_{k+1} <= f_k + <g, d> + lambda D(x_{k+1}, x_k), and
    <eta g, x_{k+1} - u> = D(u, x_k) - D(u, x_{k+1}) - D(x_{k+1}, x_k). With u = x_k f falls; with u = x* and f convex
    eta (f_{k+1} - f*) <= D(x*, x_k) - D(x*, x_{k+1}). Add up; f_T is the least.
    """
    target = certified(it.least_l2)
    first, total = _divergence(it, target, _start(it)), 0.0
    scale, left, right = it.problem.value(_start(it)), [], []
    for length in (0.01 * longest, 0.1 * longest, 0.95 * longest):
        total = 0.0
        for step in _descend(it, np.full(_STEPS, length)):
            if step.eta * _relative_smoothness(it.problem, step.metrics[1]) > longest:
                break
            total += step.eta
            before, after = it.problem.value(step.before), it.problem.value(step.after)
            left += [after - before, after]
            right += [0.0, first / total]
    return inequality(left, right, scale=scale, rounding=_ROUNDING)


@algebra("steps.mirror_descent.stable", longest=2.5)
def stable_derived(sp: Any, longest: float = 1) -> Any:
    """For any R, eta g (x - z) = D(z, x_0) - D(z, x) - D(x, x_0), and (1 - eta lambda) D(x, x_0) >= 0.

    With f <= f_0 + g (x - x_0) + lambda D(x, x_0) and f_0 + g (z - x_0) <= f(z).
    """
    (x, start, z), (e, D), R = sp.symbols("x x0 z"), sp.symbols("e D", nonnegative=True), sp.Function("R")
    pushed = R(start).diff(start) - R(x).diff(x)  # eta g
    three = divergence(R, z, start) - divergence(R, z, x) - divergence(R, x, start)
    return [pushed * (x - z) - three, (D - sp.nsimplify(longest) / (1 + e) * D, e / (1 + e) * D)]


@theorem(
    "steps.mirror_descent.ergodic",
    source=Citation("BT03", "Thm 4.1"),
    statement="f convex, any steps: min_k f(x_k) - f*, and f - f* at the mean of x_k with weights eta_k, are at most "
    "[D_R_b(x*, x_0) + 1/2 sum eta_k^2 |g_k|_inf^2 / sigma_k] / sum eta_k, R_b sigma_k-strongly convex in the L1 norm",
    kind="inequality",
    hypotheses=_SQUARES,
    constants={"squares": 0.5},
    extremal=("special/tight-rate",),
    control=Control("without the squares", "special/tight-rate", {"squares": 0.0}),
)
def ergodic(it: Instance, squares: float) -> Evidence:
    """Compare with runs of steps up to 1.9/lambda, stopped at any time.

    1/sigma is the larger sum of 2 sqrt(x_i^2 + b_i^2) at both ends of a step: by Cauchy and Schwarz
    sum d_i^2/(2 sqrt(x_i^2 + b_i^2)) >= sigma |d|_1^2 on all the way.

    Proof. D(x*, x_{k+1}) = D(x*, x_k) + eta <g, x* - x_k> - eta <g, d> - D(x_{k+1}, x_k) for the step d, where the last
    two terms are at most eta |g|_inf |d|_1 - sigma |d|_1^2/2 <= eta^2 |g|_inf^2/(2 sigma). Add up, with
    <g, x_k - x*> >= f(x_k) - f*; at the mean f is at most the mean of f.
    """
    target = certified(it.least_l2)
    first = _divergence(it, target, _start(it))
    left, right = [], []
    for lengths in (np.full(_STEPS, 1.9), np.random.default_rng(0).uniform(0.1, 1.9, _STEPS)):
        total, added, mean, least = 0.0, first, np.zeros(it.problem.d), np.inf
        for step in _descend(it, lengths):
            sigma = 1 / step.metrics.sum(axis=1).max()
            total += step.eta
            added += squares * step.eta**2 * np.abs(it.problem.gradient(step.before)).max() ** 2 / sigma
            mean = mean + step.eta * step.before
            least = min(least, it.problem.value(step.before))
            left += [least, it.problem.value(mean / total)]
            right += 2 * [added / total]
    return inequality(left, right, scale=it.problem.value(_start(it)), rounding=_ROUNDING)


@algebra("steps.mirror_descent.ergodic", squares=0)
def ergodic_derived(sp: Any, squares: float = 0.5) -> Any:
    """For any R, D(z, x) = D(z, x_0) + eta g (z - x_0) - eta g d - D(x, x_0); then eta |g||d| - sigma |d|^2/2."""
    (x, start, z), R = sp.symbols("x x0 z"), sp.Function("R")
    (eta, sigma), (g, d) = sp.symbols("eta sigma", positive=True), sp.symbols("g d", nonnegative=True)
    pushed = R(start).diff(start) - R(x).diff(x)  # eta g
    after = divergence(R, z, start) + pushed * (z - start) - pushed * (x - start) - divergence(R, x, start)
    most = sp.nsimplify(squares) * eta**2 * g**2 / sigma
    bound = (most - eta * g * d + sigma * d**2 / 2, (eta * g - sigma * d) ** 2 / (2 * sigma))
    return [after - divergence(R, z, x), bound]
