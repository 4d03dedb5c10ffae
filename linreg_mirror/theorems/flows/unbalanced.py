"""Products of D >= 3 factors of unequal sizes, x = theta_1 * ... * theta_D: duals, and what vanishing scale weighs.

Paths are those of all factors, by SciPy. They start at alpha times factors between 0.5 and 1.5, but for one that is
smaller and has either sign.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

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
    theorem,
)
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.independent import weighted_l1_cost
from linreg_mirror.solvers.saddles import thresholds
from linreg_mirror.solvers.saddles.unbalanced import split, tail
from linreg_mirror.theorems.flows._motion import descent_of

_SCALES = ((3, 0.07), (4, 0.3))  # depth, and alpha in units of the size of factors at the end
_PLATEAUS = 6  # over how many times of the first plateau, at most, paths go
_STEPWISE = 1e-10  # relative error of a step of the integrator
_IN_DUALS = 3e-9  # what steps add up to; 2e-10 was measured

# Only the problem is used.
_ONCE = (
    h.hadamard,
    h.squared,
    h.no_penalty,
    h.starts_at_zero,
    h.solvable,
    Hypothesis("b >= 0.1", lambda it: bool(it.scale0.min() >= 0.1)),
    h.targets,
)


class _Path(NamedTuple):
    """Start and end in units of alpha, shape (D, d), and the integral of the residual."""

    alpha: float
    start: Array
    end: Array
    dual: Array

    @property
    def x(self) -> Array:
        return (self.alpha * self.end).prod(axis=0)


def _others(theta: Array) -> Array:
    """Return the products of all factors but one, shape (D, ..., d)."""
    products, before, after = np.empty_like(theta), 1.0, 1.0
    for j, factor in enumerate(theta):
        products[j], before = before, before * factor
    for j in range(len(theta) - 1, -1, -1):
        products[j], after = products[j] * after, after * theta[j]
    return products


@lru_cache(maxsize=2)
def _path(it: Instance, depth: int, closeness: float) -> _Path:
    X, y, d = it.problem.X, it.problem.y, it.problem.d
    rng = np.random.default_rng(depth)
    start = rng.uniform(0.5, 1.5, (depth, d))
    start[0] = rng.uniform(0.2, 0.45, d) * rng.choice([-1, 1], d)
    alpha = closeness * float(np.abs(certified(it.least_l2)).max()) ** (1 / depth)
    size = alpha ** (depth - 2)

    def field(_: float, state: Array) -> Array:
        theta = state[: depth * d].reshape(depth, d)
        r = X @ theta.prod(axis=0) - y
        return np.concatenate([(-_others(theta) * (X.T @ r)).ravel(), r])

    end = _PLATEAUS / (it.problem.gradient_scale * size)
    state = np.concatenate([(alpha * start).ravel(), np.zeros(len(y))])
    unit = 1 / (np.linalg.norm(X, 2) * size)  # of the dual
    atol = np.concatenate([np.full(depth * d, _STEPWISE * alpha), np.full(len(y), _STEPWISE * unit)])
    path = solve_ivp(field, (0.0, end), state, method="DOP853", rtol=_STEPWISE, atol=atol)
    if not path.success:
        raise ArithmeticError(f"the flow was not integrated: {path.message}")
    last = path.y[:, -1]
    return _Path(alpha, start, last[: depth * d].reshape(depth, d) / alpha, last[depth * d :])


@theorem(
    "depth.unbalanced.dual",
    source=Citation("Z26", "deep networks, invariants"),
    statement="x = theta_1 ... theta_D from unequal sizes: F(s_t) = F(s_0) - L_t for the smallest factor s, "
    "F(z) = int_0^z du / prod sqrt(u^2 + mu_j^2), mu_j^2 = theta_j^2 - s^2",
    kind="identity",
    hypotheses=_ONCE,
    constants={"missing": 0},
    control=Control("one of the roots left out", "planted/plain/0", {"missing": 1}),
)
def dual(it: Instance, missing: int) -> Evidence:
    """Compare at the end of a path, in units of alpha^(2-D).

    Proof. theta_j^2 - theta_k^2 is conserved, so that theta_j = sqrt(s^2 + mu_j^2) up to its sign, which is conserved
    too; s' = -prod sqrt(s^2 + mu_j^2) g for s with the sign of x.
    """
    apart = []
    for depth, closeness in _SCALES:
        path = _path(it, depth, closeness)
        (before, mu), (after, _) = split(path.start), split(path.end)
        kept = mu[: len(mu) - missing]
        change = tail(before, kept) - tail(after, kept)
        apart.append(np.abs(change + path.alpha ** (depth - 2) * it.problem.X.T @ path.dual).max())
    return identity(apart, _IN_DUALS)


@algebra("depth.unbalanced.dual", missing=1)
def dual_derived(sp: Any, missing: int = 0) -> Any:
    """D = 3: the derivative of F(s) is -g, since theta_j^2 - s^2 stay."""
    theta, g = sp.Matrix(sp.symbols("s theta2 theta3", positive=True)), sp.Symbol("g", real=True)
    down, mu = descent_of(g * sp.prod(theta), theta), sp.symbols("mu2 mu3", positive=True)
    kept = [2 * theta[j] * down[j] - 2 * theta[0] * down[0] for j in (1, 2)]
    roots = [sp.sqrt(theta[0] ** 2 + mu[j] ** 2) for j in range(2 - missing)]
    slope = (down[0] / sp.prod(roots)).subs({theta[j]: sp.sqrt(theta[0] ** 2 + mu[j - 1] ** 2) for j in (1, 2)})
    return [*kept, slope + g]


@theorem(
    "depth.unbalanced",
    source=Citation("Z26", "deep networks, implicit bias; bound: ours"),
    statement="from alpha theta, alpha -> 0, sum t_plus x^+ + t_minus x^- becomes least, t_plus and t_minus integrals "
    "of 1/prod sqrt(u^2 + mu_j^2) beyond s_0 and -s_0: it exceeds that by at most sum |x_i| times the one beyond |s_i|",
    kind="inequality",
    hypotheses=_ONCE,
    constants={"exchanged": False},
    control=Control("t_plus and t_minus exchanged", "dense/plain/0", {"exchanged": True}),
)
def end(it: Instance, exchanged: bool) -> Evidence:
    """Compare the cost of the end of a path, among all x with its Xx, with HiGHS' lower bound.

    Thresholds are those of `solvers.saddles.thresholds`; time may be finite, since Xx is that which was reached.

    Proof. By `depth.unbalanced.dual` w = -alpha^(D-2) X'int r is t_plus minus the integral beyond s/alpha where x > 0,
    and minus t_minus plus the integral beyond |s|/alpha where x < 0, and lies between -t_minus and t_plus. So
    <w, z> is at most the cost of any z with Xz = Xx, and below that of x by the sum above. This falls like alpha^(D-2).
    """
    found = []
    for depth, closeness in _SCALES:
        path = _path(it, depth, closeness)
        t_plus, t_minus = thresholds(path.start)
        if exchanged:
            t_plus, t_minus = t_minus, t_plus
        x = path.x
        size, tilt = 0.5 * (t_plus + t_minus), (t_minus - t_plus) / (t_plus + t_minus)
        cost = float(t_plus @ np.maximum(x, 0) + t_minus @ np.maximum(-x, 0))
        least, _, _ = weighted_l1_cost(Problem(it.problem.X / size, it.problem.X @ x), tilt)
        after, mu = split(path.end)
        bound = float(np.abs(x) @ tail(np.abs(after), mu))
        rounding = _IN_DUALS * float(np.abs(x).sum()) / cost
        found.append(inequality(cost - least, bound, scale=cost, rounding=rounding))
    return min(found, key=lambda one: one.margin)


@theorem(
    "depth.escape",
    source=Citation("S19", "Thm 1, of gradient descent; both bounds on the flow: ours"),
    statement="f = (theta_1 ... theta_D - 1)^2/2 from equal factors a < 1: it takes between B and 2B until x = 1/2, "
    "B = (a^(2-D) - 2^(1-2/D))/(D-2), exponential in D; from normal factors F(s_half) - F(s_0) takes the place of B",
    kind="inequality",
    hypotheses=_ONCE,
    constants={"shallower": 0},
    control=Control("B of depth D - 1", "planted/plain/0", {"shallower": 1}),
)
def escape(it: Instance, shallower: int) -> Evidence:
    """Compare with the time that the flow of all factors takes, at depths up to 12.

    Proof. F(s) grows at the rate 1 - x (see depth.unbalanced.dual), which is between 1/2 and 1 where 0 <= x <= 1/2, and
    at most 1 + |x_0| before. For equal factors F(s) is -s^(2-D)/(D-2). Normal ones have a product whose logarithm is
    -0.635 D in the mean, and F grows like its inverse.
    """
    rng = it.generator()
    left, right = [], []
    for depth in (4, 8, 12):
        a, D = rng.uniform(0.4, 0.7), depth - shallower
        bound = (a ** (2 - D) - 0.5 ** ((2 - D) / D)) / (D - 2)
        time = _until_half(np.full(depth, a))
        left += [bound / time, time / bound]
        right += [1.0, 2.0]
    for depth in (6, 12):
        start = rng.standard_normal(depth)
        start *= min(1.0, (0.1 / abs(start.prod())) ** (1 / depth))  # x is to be small
        s, mu = split(start[:, None])
        half = brentq(lambda s, mu=mu: s * np.hypot(s, mu).prod() - 0.5, 0.0, 10.0, xtol=1e-14)
        moved = float((tail(s, mu) - tail(np.array([half]), mu))[0])
        time = _until_half(start)
        left += [moved / (1 + abs(start.prod())) / time, time / moved]
        right += [1.0, 2.0]
    return inequality(left, right, rounding=1e-6)


def _until_half(start: Array) -> float:
    def half(_: float, theta: Array) -> float:
        return theta.prod() - 0.5

    half.terminal = True  # pyright: ignore[reportFunctionMemberAccess]
    with np.errstate(all="ignore"):  # trial steps that are far too long
        path = solve_ivp(
            lambda _, theta: (1 - theta.prod()) * _others(theta), (0.0, 1e15), start,
            method="LSODA", rtol=1e-8, atol=1e-10, events=half,
        )  # fmt: skip
    if not path.t_events[0].size:
        raise ArithmeticError(f"x = 1/2 was not reached: {path.message}")
    return float(path.t_events[0][0])
