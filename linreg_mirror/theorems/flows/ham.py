"""Hyperbolic aware minimisation (HAM), as a flow of x: which interpolator it ends in."""

from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Hypothesis, Instance, algebra, certified, theorem
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import HAM
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.limit import limit

_TIMES = 8  # over the slowest rate: residuals fall by exp(-8) and more
_STEPWISE = 1e-11  # relative error of a step of the integrator
_BENT = 10.0  # a times the largest weight of least L2 norm: far from plain training

_conditioned = Hypothesis("condition of X below 5", lambda it: bool(np.linalg.cond(it.problem.X) < 5))
# Each start once: b is not used.
_once = Hypothesis("b >= 0.1", lambda it: bool(it.scale0.min() >= 0.1))


def _flow(it: Instance, a: float) -> tuple[Array, float]:
    """Return the end of x' = -(1 + a|x|) X'(Xx - y), by SciPy, and how much of x its steps may have added up to."""
    X, y = it.problem.X, it.problem.y
    # The metric is at least 1.
    slowest = float(np.linalg.eigvalsh(X @ X.T)[0])
    start = it.network.effective(it.network.theta0)
    size = float(np.abs(certified(it.least_l2)).max())
    path = solve_ivp(
        lambda _, x: -(1 + a * np.abs(x)) * (X.T @ (X @ x - y)), (0.0, _TIMES / slowest), start,
        method="LSODA", rtol=_STEPWISE, atol=_STEPWISE * size,
    )  # fmt: skip
    if not path.success:
        raise ArithmeticError(f"the flow was not integrated: {path.message}")
    x = path.y[:, -1]
    # An error e of x in a step is one of e / (1 + a|x|) in the dual; and these add up.
    metric = 1 + a * np.abs(path.y)
    duals = len(x) ** 0.5 * _STEPWISE * np.sum((np.abs(path.y) + size) / metric, axis=1)
    return x, float(np.sqrt(metric[:, -1].sum() * (metric[:, -1] @ duals**2)))


@theorem(
    "mirror.ham",
    source=Citation("HAM", "mirror flow"),
    statement="x' = -(1 + a|x|) grad f from 0 ends in argmin{sum (|x| + 1/a) ln(1 + a|x|) - |x| : Xx = y}, from x_0 "
    "where the Bregman divergence from x_0 is least",
    kind="identity",
    hypotheses=(h.hadamard, h.unbalanced, h.squared, h.solvable, h.no_penalty, _once, _conditioned, h.targets),
    constants={"metric": 1.0},
    control=Control("the potential of 1 + a|x|/2", "planted/plain/0", {"metric": 0.5}),
)
def ham(it: Instance, metric: float) -> Evidence:
    """Compare the flow of x itself with Newton's method.

    The limit is that of the Xx which was reached, so that a finite time makes no error. What is allowed: the limit's
    bar, and what the integrator promises of its steps, added up in the dual as in steps.mirror_descent.

    Proof. With R' = sign(x) ln(1 + a|x|)/a, (grad R(x))' = x' / (1 + a|x|) = -grad f, which lies in the row space of X.
    """
    a = _BENT / float(np.abs(certified(it.least_l2)).max())
    x, of_steps = _flow(it, a)
    end = limit(Problem(it.problem.X, it.problem.X @ x), HAM(it.network.effective(it.network.theta0), metric * a))
    if end.error == np.inf:
        raise ArithmeticError(f"a limit without a bar allows for anything: {end.stats.notes}")
    size = float(np.abs(certified(end)).sum())
    apart, allowed = float(np.abs(x - end.x).sum()) / size, (of_steps + end.error) / size
    return Evidence(allowed - apart, f"{apart:.1e} of |x|_1 apart, {allowed:.1e} allowed")


@algebra("mirror.ham", metric=0.5)
def ham_derived(sp: Any, metric: float = 1) -> Any:
    """(R'/a)' = -g on both sides of 0, and R is convex: R'(x_T) - R'(x_0) = -a X's, so that the divergence is least."""
    z, a, g = sp.Symbol("z", positive=True), sp.Symbol("a", positive=True), sp.Symbol("g", real=True)
    found = []
    for sign in (1, -1):  # x = sign z
        curved = sp.nsimplify(metric) * a
        slope = sign * ((z + 1 / curved) * sp.log(1 + curved * z) - z).diff(z)
        size_rate = sign * -(1 + a * z) * g
        found += [slope.diff(z) * size_rate / curved + g, (sign * slope.diff(z), curved / (1 + curved * z))]
    return found
