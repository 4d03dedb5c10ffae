"""Heavy ball with long memory follows a flow with inertia, the same for all steps of one lambda."""

from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, algebra, slope, theorem
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.solvers.discrete import descent

_LADDER = 4.0 ** -np.arange(4, 9)  # step sizes, as shares of lambda
_TIMES = 6.0  # lambda; long enough for inertia to be seen
_ACCURACY = 1e-11


@theorem(
    "steps.momentum.path",
    source=Citation("P24", "momentum flow, equal lambda"),
    statement="heavy ball with steps gamma and 1 - beta = sqrt(gamma/lambda), at step t/h, h = gamma/(1 - beta), tends "
    "to lambda theta'' + theta' + grad = 0 from rest as gamma -> 0, like sqrt(gamma): equal lambda, equal paths",
    kind="asymptotic",
    hypotheses=(h.hadamard, h.unbalanced, h.no_penalty, h.squared, h.targets, h.moves),
    constants={"inertia": 1.0},
    control=Control("theta' + grad = 0, without inertia", "planted/plain/0", {"inertia": 0.0}),
)
def momentum_path(it: Instance, inertia: float) -> Evidence:
    """Compare x along heavy ball with the flow with inertia, by SciPy, over a ladder of step sizes.

    Proof. theta_{k+1} - theta_k = beta (theta_k - theta_{k-1}) - gamma grad, divided by gamma = h (1 - beta), is
    theta' + [h/2 + beta h/(1 - beta)] theta'' + grad = O(h) with derivatives along a smooth path, and
    h/(1 - beta) = gamma/(1 - beta)^2 = lambda, h = sqrt(lambda gamma). The scheme is stable: its two roots are 1 and
    beta < 1 where grad is 0.
    """
    problem, network = it.problem, it.network
    # lambda: 1 over the sharpness that the path is going to see, at the start or at the end.
    sizes = np.maximum((network.theta0.reshape(2, -1) ** 2).sum(axis=0), 2 * np.abs(it.least_l2.x))
    period = 1.0 / float(np.linalg.eigvalsh(problem.X * sizes @ problem.X.T)[-1])
    at = np.linspace(0.25, 1.0, 4) * _TIMES * period
    exact = _flow(it, inertia * period, at)
    errors = []
    for share in _LADDER:
        gamma, beta = share * period, 1 - share**0.5
        ks = np.rint(at / (gamma / (1 - beta))).astype(int)
        run = descent(problem, network, gamma, momentum=beta, steps=int(ks[-1]), keep=ks.tolist(), tolerance=0.0)
        errors.append(float(np.linalg.norm(run.x[-len(ks) :] - exact)))
    return slope(_LADDER, errors, 0.5, errors=1e3 * _ACCURACY * float(np.abs(exact).max()))


@algebra("steps.momentum.path", inertia=0)
def momentum_path_derived(sp: Any, inertia: int = 1) -> Any:
    """For a path with derivatives c_1 and c_2: what steps of length h lack, over gamma = h^2/lambda, as h vanishes."""
    weight, h, *c = sp.symbols("lambda h c0:4")
    after, before = (sum(c[k] * at**k / sp.factorial(k) for k in range(4)) for at in (h, -h))
    lacking = (after - c[0]) - (1 - h / weight) * (c[0] - before)
    return sp.expand(lacking * weight / h**2).subs(h, 0) - c[1] - inertia * weight * c[2]


def _flow(it: Instance, inertia: float, at: Array) -> Array:
    """Return x of the flow with inertia at some times, shape (T, d); without inertia, of gradient flow."""
    problem, network, size = it.problem, it.network, it.network.theta0.size

    def force(theta: Array) -> Array:
        return -network.pullback(theta, problem.gradient(network.effective(theta)))

    def field(_: float, state: Array) -> Array:
        theta, speed = np.split(state, 2)
        return (
            np.concatenate([speed, (force(theta) - speed) / inertia]) if inertia else np.append(force(theta), 0 * speed)
        )

    start = np.append(network.theta0, np.zeros(size))
    answer = solve_ivp(field, (0.0, at[-1]), start, "DOP853", at, rtol=_ACCURACY, atol=1e-2 * _ACCURACY)
    if not answer.success:
        raise ArithmeticError(f"SciPy gave up on the flow: {answer.message}")
    return np.stack([network.effective(theta) for theta in answer.y[:size].T])
