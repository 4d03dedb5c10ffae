"""Linear networks of matrices: balance between their layers."""

import math
from functools import reduce
from typing import Any

import numpy as np

from linreg_mirror import schedules
from linreg_mirror._types import Array
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Hypothesis,
    Instance,
    algebra,
    identity,
    relative,
    slope,
    theorem,
)
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import DeepLinear, Hadamard, Parametrization
from linreg_mirror.problems import Problem
from linreg_mirror.solvers import Trajectory
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.solvers.discrete import descent, largest_stable_step
from linreg_mirror.theorems.flows._motion import descent_of

TOLERANCE = 1e-10  # over hundreds of instances residuals reach 1e-11; controls are off by 0.06 and more


def _is_plain(network: Parametrization) -> bool:
    return isinstance(network, Hadamard) and bool(np.allclose(network.m0, 1) and not network.w0.any())


# Networks are built here, from a problem's features read as a matrix; each problem is wanted once.
PLAIN = (
    h.squared,
    h.no_penalty,
    h.targets,
    Hypothesis("m_0 = 1, w_0 = 0", lambda it: _is_plain(it.network)),
)
GEOMETRIC = (
    h.squared,
    h.targets,
    Hypothesis("a geometric penalty", lambda it: isinstance(it.schedule, schedules.Geometric)),
)


class _WithTanh(DeepLinear):
    """x = the entries of W_2 tanh(W_1): a network with a nonlinearity, read at the unit vectors."""

    def effective(self, theta: Array) -> Array:
        first, second = self.layers(theta)
        return (second @ np.tanh(first)).ravel()

    def pullback(self, theta: Array, grad_x: Array) -> Array:
        first, second = self.layers(theta)
        hidden, G = np.tanh(first), grad_x.reshape(self.shape)
        return np.concatenate([(second.T @ G * (1 - hidden**2)).ravel(), (G @ hidden.T).ravel()])


def widths_of(it: Instance, layers: int) -> list[int]:
    """Widths of a network whose effective weights are the features, as square a matrix as can be."""
    d = it.problem.d
    rows = max(k for k in range(1, math.isqrt(d) + 1) if d % k == 0)
    return [d // rows, *[rows + 1] * (layers - 1), rows]


def gaussian(it: Instance, between: str = "nothing", layers: int = 3) -> DeepLinear:
    if between == "tanh":
        return _WithTanh(gaussian(it, layers=2).weights)
    return DeepLinear.gaussian(widths_of(it, layers), 0.5, it.generator())


def path_of(it: Instance, network: DeepLinear) -> tuple[Trajectory, Array]:
    """Return the flow over the time in which x changes most, and its parameters, shape (T, p)."""
    path = flow(
        it.problem,
        network,
        it.schedule,
        until=2 * unit_of_time(it.problem),
        method="parameters",
        accuracy=1e-11,
        integrators=("DOP853",),
    )
    assert path.parameters is not None
    return path, path.parameters


def _flattened(matrices: list[Array]) -> Array:
    return np.concatenate([matrix.ravel() for matrix in matrices])


def _imbalances(network: DeepLinear, parameters: Array) -> Array:
    """Return the entries of all W_{l+1}'W_{l+1} - W_l W_l', shape (T, entries)."""
    return np.stack([_flattened(network.imbalance(theta)) for theta in parameters])


def _safe_step(it: Instance, network: DeepLinear) -> float:
    """Return a step size far from instability at the start and, for some fifty steps, later on."""
    return min(0.1 * largest_stable_step(it.problem, network), 0.02 * unit_of_time(it.problem))


def unit_of_time(problem: Problem) -> float:
    return 1 / (problem.gradient_scale or 1.0)


@theorem(
    "networks.balance",
    source=Citation("ACH18", "Thm 1, proof"),
    statement="without penalty W_{l+1}'W_{l+1} - W_l W_l' is constant along the flow of W_L ... W_1",
    kind="identity",
    hypotheses=PLAIN,
    constants={"between": "nothing"},
    control=Control("a tanh between two layers", "planted/plain/0", {"between": "tanh"}),
)
def balance(it: Instance, between: str) -> Evidence:
    network = gaussian(it, between)
    _, parameters = path_of(it, network)
    found = _imbalances(network, parameters)
    return identity(relative(found - found[0], parameters**2), TOLERANCE)


def two_layers(sp: Any) -> tuple[Any, Any, Any]:
    """Return two neighbouring layers, 2 x 2, and the gradient by their product: other layers are part of it."""
    return tuple(sp.Matrix(2, 2, sp.symbols(f"{name}11 {name}12 {name}21 {name}22", real=True)) for name in "WVG")


def _imbalance_rate(W: Any, V: Any, W_rate: Any, V_rate: Any) -> Any:
    """Return the derivative of V'V - WW'."""
    return V_rate.T * V + V.T * V_rate - W_rate * W.T - W * W_rate.T


@algebra("networks.balance", between="tanh")
def balance_derived(sp: Any, between: str = "nothing") -> Any:
    """Two neighbouring layers of 2 x 2."""
    W, V, G = two_layers(sp)
    hidden = W.applyfunc(sp.tanh) if between == "tanh" else W
    down = [descent_of((G.T * V * hidden).trace(), one) for one in (W, V)]
    return _imbalance_rate(W, V, *down)


@theorem(
    "networks.balance.penalty",
    source=Citation("ours", "balance under a penalty"),
    statement="under penalty alpha_t sum |W_l|_F^2, W_{l+1}'W_{l+1} - W_l W_l' decays like exp(-4 A_t)",
    kind="identity",
    hypotheses=GEOMETRIC,
    constants={"exponent": 4.0},
    control=Control("exp(-2A) in place of exp(-4A)", "planted/geometric/0", {"exponent": 2.0}),
)
def balance_penalty(it: Instance, exponent: float) -> Evidence:
    """Compare along the flow.

    Proof. W_l' = -G_l - 2 alpha W_l, where G_l = (W_L ... W_{l+1})' G (W_{l-1} ... W_1)', so that W_{l+1}'G_{l+1} and
    G_l W_l' are the same matrix: in the derivative of W_{l+1}'W_{l+1} - W_l W_l' they cancel, and -4 alpha times itself
    is left.
    """
    network = gaussian(it)
    path, parameters = path_of(it, network)
    found = _imbalances(network, parameters)
    return identity(relative(found - found[0] * np.exp(-exponent * path.decay)[:, None], parameters**2), TOLERANCE)


@algebra("networks.balance.penalty", exponent=2)
def balance_penalty_derived(sp: Any, exponent: int = 4) -> Any:
    """Two neighbouring layers of 2 x 2."""
    (W, V, G), alpha = two_layers(sp), sp.Symbol("alpha")
    energy = (G.T * V * W).trace() + alpha * (W.T * W + V.T * V).trace()
    down = [descent_of(energy, one) for one in (W, V)]
    return _imbalance_rate(W, V, *down) + exponent * alpha * (V.T * V - W * W.T)


def _gradients(network: DeepLinear, parameters: Array, slopes: Array) -> Array:
    """Return the gradients of <slope, x> without `pullback`, (T, p): x is linear in each layer, with entries set to 1.

    Parameters are (T, p) and slopes (T, d).
    """
    layers = [np.stack(one)[:, None] for one in zip(*map(network.layers, parameters), strict=True)]
    gradients = []
    for l, W in enumerate(network.weights):
        units = np.eye(W.size).reshape(1, -1, *W.shape)
        x = reduce(lambda product, one: one @ product, [*layers[:l], units, *layers[l + 1 :]])
        gradients.append(np.einsum("tkd,td->tk", x.reshape(*x.shape[:2], -1), slopes))
    return np.hstack(gradients)


@theorem(
    "networks.balance.step",
    source=Citation("ours", "balance in discrete time"),
    statement="a step eta with penalty alpha takes D_l = W_{l+1}'W_{l+1} - W_l W_l' to (1 - 2 eta alpha)^2 D_l + "
    "eta^2 (G_{l+1}'G_{l+1} - G_l G_l')",
    kind="identity",
    hypotheses=PLAIN,
    constants={"second": 1.0},
    control=Control("without the term in eta^2", "planted/plain/0", {"second": 0.0}),
)
def balance_step(it: Instance, second: float) -> Evidence:
    """Compare D after each of 50 steps with what the step before predicts, G_l by unit matrices in the place of W_l.

    Proof. As in continuous time, terms in eta cancel; of (1 - 2 eta alpha) W_l - eta G_l the squares are left.
    """
    network, problem = gaussian(it), it.problem
    eta, alpha = _safe_step(it, network), 0.1 * problem.gradient_scale
    steps = 50
    run = descent(problem, network, eta, alpha, steps=steps, tolerance=0, keep=range(steps + 1))
    assert run.parameters is not None
    found = _imbalances(network, run.parameters)
    gradients = _gradients(network, run.parameters, np.stack([problem.gradient(x) for x in run.x]))
    change = eta**2 * _imbalances(network, gradients)
    expected = (1 - 2 * eta * alpha) ** 2 * found[:-1] + second * change[:-1]
    return identity(relative(found[1:] - expected, found), 1e-14)


@algebra("networks.balance.step", second=0)
def balance_step_derived(sp: Any, second: int = 1) -> Any:
    """Two neighbouring layers of 2 x 2."""
    (W, V, G), (eta, alpha) = two_layers(sp), sp.symbols("eta alpha")
    W_slope, V_slope = (-descent_of((G.T * V * W).trace(), one) for one in (W, V))
    after_W, after_V = (one - eta * (slope + 2 * alpha * one) for one, slope in ((W, W_slope), (V, V_slope)))
    expected = (1 - 2 * eta * alpha) ** 2 * (V.T * V - W * W.T)
    expected += second * eta**2 * (V_slope.T * V_slope - W_slope * W_slope.T)
    return after_V.T * after_V - after_W * after_W.T - expected


@theorem(
    "networks.balance.descent",
    source=Citation("ours", "balance in discrete time"),
    statement="steps of size eta change W_{l+1}'W_{l+1} - W_l W_l' in proportion to eta, over a fixed time",
    kind="asymptotic",
    hypotheses=PLAIN,
    constants={"between": "nothing"},
    control=Control("a tanh between two layers: it changes at any step size", "planted/plain/0", {"between": "tanh"}),
)
def balance_descent(it: Instance, between: str) -> Evidence:
    """Fit the exponent over a ladder of step sizes.

    Proof. By networks.balance.step one step changes D_l by O(eta^2), terms in eta cancel; over a fixed time there
    are 1/eta of them, along runs that converge to the flow.
    """
    network = gaussian(it, between)
    largest = _safe_step(it, network)
    ladder = largest / np.array([2, 4, 8, 16])
    drift = []
    for eta in ladder:
        run = descent(it.problem, network, eta, until=25 * largest, keep=[])
        assert run.parameters is not None
        start, *_, end = _imbalances(network, run.parameters)
        drift.append(np.linalg.norm(end - start))
    return slope(ladder, np.array(drift), expected=1.0, tolerance=0.1, series=True)


@algebra("networks.balance.descent", between="tanh")
def balance_descent_derived(sp: Any, between: str = "nothing") -> Any:
    """Two neighbouring layers of 2 x 2: a step changes their balance by nothing in eta, and so by O(eta^2)."""
    (W, V, G), eta = two_layers(sp), sp.Symbol("eta")
    hidden = W.applyfunc(sp.tanh) if between == "tanh" else W
    after_W, after_V = (one + eta * descent_of((G.T * V * hidden).trace(), one) for one in (W, V))
    return (after_V.T * after_V - after_W * after_W.T).diff(eta).subs(eta, 0)
