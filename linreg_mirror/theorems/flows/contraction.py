"""Two flows of one problem: they never move apart, and a flow with an error in it stays near the right one.

Both are integrated by SciPy in m and w, side by side.
"""

from typing import Any, NamedTuple

import numpy as np
from scipy.integrate import solve_ivp

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, algebra, inequality, theorem
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.solvers.continuous import flow

_ONCE = (h.hadamard, h.unbalanced, h.squared, h.targets)
_ACCURACY = 1e-9
_COARSE = 1e-5  # of a path whose error is seen beside the other's
_ALLOWED = 1e-7  # what the integrator's errors add up to, relative to the first distance


class _Apart(NamedTuple):
    """Times, shape (T,), and s of k flows minus s of the first, shape (k, T, n)."""

    t: Array
    apart: Array


def _side_by_side(it: Instance, starts: Array, push: Array, fade: float, end: float) -> _Apart:
    """Integrate a flow, and some that start s_0 from it, (k, n), with residuals larger by push exp(-t/fade)."""
    problem, network, k, X = it.problem, it.network, len(starts) + 1, it.problem.X
    factors = network.theta0.reshape(2, -1, 1)
    # L = X's multiplies m + w by exp(-L) and m - w by exp(L).
    turn = np.exp(-X.T @ np.vstack([np.zeros(problem.n), starts]).T)
    total, difference = (factors[0] + factors[1]) * turn, (factors[0] - factors[1]) / turn
    theta = np.vstack([total + difference, total - difference]) / 2  # a column each
    pushed = np.outer(push, np.arange(k) > 0)

    def velocity(t: float, state: Array) -> Array:
        theta = state.reshape(-1, k)[: -problem.n]
        residuals = X @ network.effective(theta) - problem.y[:, None]
        slopes = np.stack([problem.loss.gradient(r) for r in residuals.T], axis=1) + np.exp(-t / fade) * pushed
        pull = network.pullback(theta, X.T @ slopes) + it.schedule(t) * network.penalty_gradient(theta)
        return np.concatenate([-pull.ravel(), slopes.ravel()])

    state = np.concatenate([theta.ravel(), np.vstack([np.zeros(problem.n), starts]).T.ravel()])
    t = np.concatenate([[0.0], np.geomspace(1e-3, 1, 30)]) * end
    answer = solve_ivp(velocity, (0.0, end), state, "LSODA", t, rtol=_ACCURACY, atol=1e-2 * _ACCURACY)
    if not answer.success:
        raise ArithmeticError(f"SciPy gave up on the flows: {answer.message}")
    s = answer.y[-problem.n * k :].reshape(problem.n, k, -1).transpose(1, 2, 0)
    return _Apart(t, s[1:] - s[0])


def duration(it: Instance) -> float:
    """Return a time in which weights of scale b become of order 1, and then some."""
    return float(4 + np.log1p(1 / it.scale0.min())) / it.problem.gradient_scale


def directions(it: Instance, count: int) -> list[Array]:
    """Return random dual vectors that change no exponent by more than 1."""
    drawn = it.generator().standard_normal((count, it.problem.n))
    return [v / (2 * float(np.abs(it.problem.X.T @ v).max())) for v in drawn]


@theorem(
    "bars.contraction",
    source=Citation("ours", "N5"),
    statement="squared loss, two flows of one problem whose starts differ by X's_0 in the dual: |s - s~|_2 never "
    "increases, s' = Xx - y, also under a penalty",
    kind="inequality",
    hypotheses=_ONCE,
    control=Control("Huber's loss in place of squares", "special/one-saturated"),
)
def contraction(it: Instance) -> Evidence:
    """Compare distances at successive times, for random s_0.

    Proof. x_i = b_t sinh 2z_i with z = z_0 - X's, where b_t is that of both flows: x_i increases with z_i. Half of the
    derivative of |s - s~|^2 is <s - s~, X(x - x~)> = -<z - z~, x - x~> <= 0.
    """
    starts = np.array(directions(it, 3))
    apart = np.linalg.norm(_side_by_side(it, starts, 0 * starts[0], 1.0, duration(it)).apart, axis=2)
    apart /= np.linalg.norm(starts, axis=1)[:, None]
    return inequality(apart[:, 1:], apart[:, :-1], rounding=_ALLOWED)


@algebra("bars.contraction", squared=False)
def contraction_derived(sp: Any, squared: bool = True) -> Any:
    """Two entries, one sample: half of (|s - s~|^2)' is -<z - z~, x - x~>, and x_i = b sinh 2z_i increases."""
    s, other, y, loss = *sp.symbols("s s~ y"), sp.Function("l")
    X, starts, b = sp.symbols("X1 X2"), sp.symbols("z1 z2"), sp.symbols("b1 b2", positive=True)
    z = sp.Symbol("z", real=True)

    def x(i: int, dual: Any) -> Any:
        return b[i] * sp.sinh(2 * (starts[i] - X[i] * dual))

    def speed(dual: Any) -> Any:
        residual = sum(X[i] * x(i, dual) for i in (0, 1)) - y
        return residual if squared else loss(residual)

    falls = sum(-X[i] * (s - other) * (x(i, s) - x(i, other)) for i in (0, 1))
    return [
        (s - other) * (speed(s) - speed(other)) + falls,
        (b[0] * sp.sinh(2 * z).diff(z), 2 * b[0] * sp.cosh(2 * z)),
    ]


@theorem(
    "bars.defect",
    source=Citation("ours", "N5"),
    statement="squared loss, s~' = Xx(s~) - y + delta_t, as of a numerical path with this defect: "
    "|s_T - s~_T|_2 <= |s_0 - s~_0|_2 + int_0^T |delta_t|_2 dt",
    kind="inequality",
    hypotheses=_ONCE,
    constants={"weight": 1.0},
    control=Control("half of the integral", "planted/plain/0", {"weight": 0.5}),
)
def defect(it: Instance, weight: float) -> Evidence:
    """Compare the distance at all times with the bar, for a random defect that fades, and a coarse path with its own.

    The solver's bar is of x, and is compared with the flow of m and w.

    Proof. As for bars.contraction the derivative of |s - s~| is at most |delta|. It is attained as long as x has not
    answered.
    """
    end = duration(it)
    fade = end / 3
    push = 2 * directions(it, 1)[0] / fade
    run = _side_by_side(it, 0 * push[None], push, fade, end)
    integral = -float(np.linalg.norm(push)) * fade * np.expm1(-run.t / fade)
    distance = np.linalg.norm(run.apart[0], axis=1) / integral[-1]
    coarse = flow(it.problem, it.network, it.schedule, until=end, accuracy=_COARSE)
    exact = flow(it.problem, it.network, it.schedule, until=end, accuracy=_ACCURACY, method="parameters").x[-1]
    missed = 10 * _ACCURACY * float(np.abs(coarse.x).max(axis=0).sum())  # of the parameters, at the size they have had
    off = float(np.abs(coarse.x[-1] - exact).sum()) / (coarse.error + missed)
    return inequality([*distance, off], [*(weight * integral / integral[-1]), 1.0], rounding=_ALLOWED)


@algebra("bars.defect", weight=0.5)
def defect_derived(sp: Any, weight: float = 1) -> Any:
    """Two samples: half of (|s - s~|^2)' is at most -<s - s~, delta> by bars.contraction; then Cauchy's inequality."""
    apart, delta = sp.symbols("s1 s2", real=True), sp.symbols("delta1 delta2", real=True)
    product = (apart[0] ** 2 + apart[1] ** 2) * (delta[0] ** 2 + delta[1] ** 2) * sp.nsimplify(weight) ** 2
    inner = apart[0] * delta[0] + apart[1] * delta[1]
    return (product - inner**2, (apart[0] * delta[1] - apart[1] * delta[0]) ** 2)
