"""Mirror descent on x itself: with any steps it ends where the mirror flow does, which steps in m and w do not.

Steps are x <- b sinh(arcsinh(x/b) - 2 eta g), from one x to the next, without the dual vector that `limit` works with.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Hypothesis, Instance, algebra, certified, theorem
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.limit import limit
from linreg_mirror.theorems.flows._motion import Motion, divergence, potential

_BUDGET = 3000
_CLOSE = 1e-7  # of y: residual at which a run is over; what it leaves is no error (see the theorem)
_EPS = float(np.finfo(float).eps)

# Runs take about condition^2 steps, as those in m and w do: elsewhere they need not be tried.
_conditioned = Hypothesis("condition of X below 5", lambda it: bool(np.linalg.cond(it.problem.X) < 5))
_moderate = Hypothesis("b >= 0.1", lambda it: bool(it.hadamard.log_scale.min() > np.log(0.1)))


class _Run(NamedTuple):
    """Where a run ended, and a bound of what rounding has added to its dual arcsinh(x/b)/2, entry by entry."""

    x: Array
    rounding: Array


def _batches(n: int, size: int, rng: np.random.Generator) -> Iterator[NDArray[np.int64]]:
    while True:
        yield rng.choice(n, size, replace=False)


def _descend(it: Instance, size: int, geometry: str) -> _Run | None:
    """Take steps until Xx = y, with batches of `size` samples; return None where the budget ends before.

    Each has a random length between 0.1 and 1.5 over the curvature, the largest eigenvalue of
    X diag(2 sqrt(x^2 + b^2)) X' for the batch, at the x of the step: 2 over it is where steps cease to be stable.
    """
    X, y, b = it.problem.X, it.problem.y, it.scale0
    rng = np.random.default_rng(0)
    m, w = it.hadamard.m0.copy(), it.hadamard.w0.copy()
    x, rounding = m * w, 2 * _EPS * (m**2 + w**2) / b  # of b, from m and w
    for step, rows in enumerate(_batches(len(y), size, rng)):
        if np.abs(X @ x - y).max() <= _CLOSE * np.abs(y).max():
            return _Run(x, rounding)
        if step == _BUDGET:
            return None
        part, metric = X[rows], 2 * np.hypot(x, b)
        g = part.T @ (part @ x - y[rows])
        eta = rng.uniform(0.1, 1.5) / np.linalg.eigvalsh((part * metric) @ part.T)[-1]
        if geometry == "x":
            z = np.arcsinh(x / b) - 2 * eta * g
            x = b * np.sinh(z)
            # A unit in the last place for each operation, as far as it moves the dual of x.
            rounding += _EPS * (2 * np.abs(z) + 2 * np.abs(eta * g) + np.abs(x) / np.hypot(x, b))
        else:
            m, w = m - eta * w * g, w - eta * m * g
            x = m * w
    raise AssertionError("batches do not end")


def _sizes(it: Instance) -> tuple[int, int]:
    return it.problem.n, max(1, it.problem.n // 2)


_reaches = Hypothesis(
    f"Xx = y is reached within {_BUDGET:,} steps",
    lambda it: all(it.once(_descend, size, "x") is not None for size in _sizes(it)),
)


@theorem(
    "steps.mirror_descent",
    source=Citation("G18", "Thm 1"),
    statement="grad R_b(x_{k+1}) = grad R_b(x_k) - eta_k g_k with any steps eta_k and batches, if it reaches Xx = y, "
    "ends in argmin{D_R_b(x, x_0) : Xx = y}",
    kind="identity",
    hypotheses=(
        h.hadamard,
        h.unbalanced,
        h.squared,
        h.solvable,
        h.no_penalty,
        _moderate,
        _conditioned,
        h.targets,
        _reaches,
    ),
    constants={"geometry": "x"},
    control=Control("the same steps in m and w, which leave another b", "planted/plain/0", {"geometry": "factors"}),
)
def mirror_descent(it: Instance, geometry: str) -> Evidence:
    """Compare the ends of runs of irregular steps, with all samples and with batches, with Newton's method.

    The limit is that of the Xx which was reached, so that stopping early makes no error. What is allowed is proved: the
    limit's bar, and what rounding of the steps, dz in the duals, can do to it. With D = diag 2 sqrt(x^2 + b^2) that is
    dx = D^(1/2) Q D^(1/2) dz, Q an orthogonal projection, so that |dx|_1 <= |D|_1^(1/2) |D^(1/2) dz|_2, to first order.

    Proof. grad R_b(x_k) - grad R_b(x_0) is a sum of gradients, which lie in the row space of X: this is the condition
    for the minimum of the convex D_R_b(., x_0) among all x with Xx = Xx_k, at every k; in the end Xx_k = y.
    """
    found = []
    for size in _sizes(it):
        run = it.once(_descend, size, geometry)
        if run is None:
            raise ArithmeticError(f"mirror descent did not reach Xx = y in {_BUDGET:,} steps")
        end = limit(Problem(it.problem.X, it.problem.X @ run.x), it.network)
        metric, norm = 2 * np.hypot(run.x, it.scale0), float(np.abs(certified(end)).sum())
        if end.error == np.inf:
            raise ArithmeticError(f"a limit without a bar allows for anything: {end.stats.notes}")
        allowed = (end.error + float(np.sqrt(metric.sum() * (metric @ run.rounding**2)))) / norm
        apart = float(np.abs(run.x - end.x).sum()) / norm
        found.append(Evidence(allowed - apart, f"{apart:.1e} of |x|_1 apart, {allowed:.1e} allowed"))
    return min(found, key=lambda one: one.margin)


@algebra("steps.mirror_descent", geometry="factors")
def mirror_descent_derived(sp: Any, geometry: str = "x") -> Any:
    """For any R, D(z, x_0) - D(x, x_0) = D(z, x) + (R'(x) - R'(x_0))(z - x), and a step changes R' by -eta g.

    So the last terms add up to <X's, z - x>, 0 if Xz = Xx.
    """
    s, (E, b), (x, start, z), R = Motion(sp), sp.symbols("E b", positive=True), sp.symbols("x x0 z"), sp.Function("R")
    eta = -sp.log(E) / (2 * s.g)
    D = [divergence(R, *pair) for pair in ((z, start), (x, start), (z, x))]
    # b sinh(arcsinh(x/b) - 2 eta g), where arcsinh(x/b) = log(u/v).
    after = (E * s.u**2 - s.v**2 / E) / 2 if geometry == "x" else s.step(s.x, eta)
    slope = potential(sp, x, b).diff(x).rewrite(sp.log)
    change = slope.subs({x: after, b: s.b}) - slope.subs({x: s.x, b: s.b})
    return [D[0] - D[1] - D[2] - (R(x).diff(x) - R(start).diff(start)) * (z - x), change + eta * s.g]
