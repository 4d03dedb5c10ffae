"""A defect that changes its sign does less than its size says: the bound that compiled flows use in each step."""

from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, algebra, inequality, theorem
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.theorems.flows.contraction import directions, duration

_ACCURACY = 1e-9
_ALLOWED = 1e-9  # what the integrator's errors add up to, relative to the largest error of the path
_TURNS = 3  # of the defect
_NODES, _WEIGHTS = (part[:, None] / 2 for part in np.polynomial.legendre.leggauss(8))


@theorem(
    "bars.split_defect",
    source=Citation("ours", "N5"),
    statement="squared loss, s~' = Xx(s~) - y + a_t + c_t, A = int a, K the mean of X diag(metric) X' between s, s~: "
    "|s~_T - s_T - A_T|_2 <= [|s~_0 - s_0|_2^2 + int_0^T (|c|_(K^-1) + |A|_K)^2 / 2 dt]^(1/2)",
    kind="inequality",
    hypotheses=(h.hadamard, h.unbalanced, h.squared, h.targets),
    constants={"root": 1.0},
    control=Control("without the root", "planted/plain/0", {"root": 0.0}),
)
def split_defect(it: Instance, root: float) -> Evidence:
    """Compare the distance at all times with the bound, for a that turns, c = K v that stays, and starts apart.

    The flow of m and w, the dual flow with the defect, and the integral are one system of SciPy's.

    Proof. r = s~ - s - A obeys r' = -K r + c - K A, as X(x(s~) - x(s)) = -K(s~ - s). Therefore (|r|^2)'
    = -2 |r|_K^2 + 2 <r, c - K A> is at most -2 |r|_K^2 + 2 |r|_K (|c|_(K^-1) + |A|_K), of which the largest value over
    all |r|_K is (|c|_(K^-1) + |A|_K)^2 / 2. While x has not answered, r stays s~_0 - s_0.

    A compiled flow's s~ is its path less what is known of its error (linreg_mirror.solvers.continuous.known_error).
    """
    problem, network, n, end = it.problem, it.network, it.problem.n, duration(it)
    X, mirror, p = problem.X, network.mirror(), len(network.theta0)
    speed = 2 * np.pi * _TURNS / end
    push, v, offset = (size * u for size, u in zip((speed, 0.1, 0.1), directions(it, 3), strict=True))
    of_push, of_v = X.T @ push, X.T @ v

    def velocity(t: float, state: Array) -> Array:
        theta, s, other = state[:p], state[p : p + n], state[p + n : p + 2 * n]
        alpha, A = it.schedule(t), it.schedule.integral(0.0, t)
        residual = problem.residual(network.effective(theta))
        z, z_other = (mirror.initial_dual - X.T @ dual for dual in (s, other))
        metric = (_WEIGHTS * mirror.metric((0.5 + _NODES) * z + (0.5 - _NODES) * z_other, A)).sum(axis=0)
        moved = np.abs(np.sin(speed * t)) / speed * np.sqrt(metric @ of_push**2)  # |A|_K of the statement
        norms = np.sqrt(metric @ of_v**2) + moved
        K_v = X @ (metric * of_v)
        slope = problem.residual(mirror.primal(z_other, A)) + np.cos(speed * t) * push + K_v
        pull = -network.pullback(theta, X.T @ residual) - alpha * network.penalty_gradient(theta)
        return np.concatenate([pull, residual, slope, [norms**2 / 2]])

    t = np.concatenate([[0.0], np.geomspace(1e-3, 1, 60)]) * end
    start = np.concatenate([network.theta0, np.zeros(n), offset, [0.0]])
    answer = solve_ivp(velocity, (0.0, end), start, "LSODA", t, rtol=_ACCURACY, atol=1e-2 * _ACCURACY)
    if not answer.success:
        raise ArithmeticError(f"SciPy gave up on the two flows: {answer.message}")
    s, other, integral = np.split(answer.y[p:], [n, 2 * n])
    turned = np.multiply.outer(push, np.sin(speed * t) / speed)  # A
    apart = np.linalg.norm(other - s - turned, axis=0)
    bound = np.sqrt(offset @ offset + root * integral[0])
    return inequality(apart / apart.max(), bound / apart.max(), rounding=_ALLOWED)


@algebra("bars.split_defect", half=0.25)
def split_defect_derived(sp: Any, half: float = 0.5) -> Any:
    """One sample, where K > 0: what (c - K A - K r) r leaves of the square is a square."""
    r, c, A = sp.symbols("r c A", real=True)
    K = sp.Symbol("K", positive=True)
    rise = 2 * r * (-K * r + c - K * A)  # (r^2)', for e' = -K e + a + c and A' = a
    most = sp.nsimplify(half) * (c / sp.sqrt(K) - sp.sqrt(K) * A) ** 2
    return (most - rise, (c / sp.sqrt(K) - sp.sqrt(K) * A - 2 * sp.sqrt(K) * r) ** 2 / 2)
