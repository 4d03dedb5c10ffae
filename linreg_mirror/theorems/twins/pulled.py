"""Networks that have a mirror, pulled anywhere: the potential they name against gradient flow of their parameters."""

from collections.abc import Callable, Mapping

import numpy as np
from scipy.integrate import solve_ivp

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, identity, theorem
from linreg_mirror.ledger.hypotheses import ONCE
from linreg_mirror.parametrizations import (
    HAM,
    DeepLinear,
    Direct,
    Factorized,
    Hadamard,
    Parametrization,
    Power,
    SharedHadamard,
    quadratic,
)

_ACCURACY = 1e-13  # of a step; paths take a few dozen, and HAM's have kinks, which estimates of errors see late


def _normal(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape)


def _power(rng: np.random.Generator, depth: int) -> Power:
    return Power(np.exp(0.3 * _normal(rng, 4)), np.exp(0.3 * _normal(rng, 4)), depth)


def _commuting(rng: np.random.Generator) -> quadratic.Quadratic:
    """Return three weights, each with two eigenspaces of its own: otherwise no potential is a sum over weights."""
    V = np.linalg.qr(_normal(rng, 6, 6))[0]
    rates = np.kron(np.eye(3), [1.0, -1.0]) * rng.uniform(0.5, 1.0, 6)
    A, B = V * rates[:, None] @ V.T, V * rng.uniform(0.5, 2.0, 6) @ V.T
    return quadratic.Quadratic(0.5 * (A + A.swapaxes(1, 2)), _normal(rng, 6), 0.5 * (B + B.T))


MIRRORED: Mapping[str, Callable[[np.random.Generator], Parametrization]] = {
    "Hadamard": lambda rng: Hadamard.from_tilt(_normal(rng, 4) - 1, _normal(rng, 4)),
    "SharedHadamard": lambda rng: SharedHadamard(2 + _normal(rng, 4) ** 2, np.tanh(_normal(rng, 4)), np.arange(4)),
    "Power, depth 2": lambda rng: _power(rng, 2),
    "Power, depth 3": lambda rng: _power(rng, 3),
    "Power, depth 5": lambda rng: _power(rng, 5),
    "DeepLinear, 1 layer": lambda rng: DeepLinear((_normal(rng, 2, 3),)),
    "DeepLinear, 2 layers": lambda rng: DeepLinear((_normal(rng, 3, 1), _normal(rng, 1, 3))),
    "Factorized": lambda rng: Factorized(_normal(rng, 1, 3), _normal(rng, 1, 3)),
    "Direct": lambda rng: Direct(_normal(rng, 4)),
    "HAM": lambda rng: HAM(_normal(rng, 4), 2.0),
    "Quadratic": _commuting,
}


@theorem(
    "twins.mirror",
    source=Citation("ours", "gradient flow of parameters"),
    statement="every network with a mirror, pulled by any g and penalised: x = primal(z_0 - int dual_rate g, A), and "
    "JJ' = dual_rate metric",
    kind="identity",
    hypotheses=ONCE,
    constants={"counted": 1.0},
    control=Control("half of the penalty", "planted/plain/0", {"counted": 0.5}),
)
def mirror(it: Instance, counted: float) -> Evidence:
    """Pull twice, each time elsewhere and with another penalty, and compare at the end.

    No loss and no X: a mirror flow is one whatever pulls, so that potentials are compared where no problem leads.
    """
    rng, found = it.generator(), []
    for make in MIRRORED.values():
        network = make(rng)
        theta, z, A = network.theta0, network.mirror().initial_dual, 0.0
        for alpha in rng.uniform(0.1, 0.4, 2):
            theta, z = _pulled(network, theta, z, A, _pull(network, theta, rng), alpha, counted)
            A += alpha
        x, potential = network.effective(theta), network.mirror()
        metric = potential.dual_rate(counted * A) * potential.metric(z, counted * A)
        J = np.array([network.pullback(theta, e) for e in np.eye(network.d)])
        size = np.abs(x) + metric
        found += [(x - potential.primal(z, counted * A)) / size, (J @ J.T - np.diag(metric)) / size[:, None]]
    return identity(np.concatenate([np.ravel(one) for one in found]), 1e-10)


def _pull(network: Parametrization, theta: Array, rng: np.random.Generator) -> Array:
    """Return a pull that moves parameters by some tenths: under a longer one, deep ones are infinite before its end."""
    speed = np.linalg.norm(network.pullback(theta, np.ones(network.d))) / np.linalg.norm(theta)
    return 0.2 * np.tanh(_normal(rng, network.d)) / float(speed)


def _pulled(
    network: Parametrization, theta: Array, z: Array, A: float, g: Array, alpha: float, counted: float
) -> tuple[Array, Array]:
    """Return the parameters, and the dual of the potential, after one unit of time of the pull g."""
    potential, p = network.mirror(), theta.size

    def rates(t: float, state: Array) -> Array:
        down = network.pullback(state[:p], g) + alpha * network.penalty_gradient(state[:p])
        return -np.concatenate([down, potential.dual_rate(counted * (A + alpha * t)) * g])

    path = solve_ivp(rates, (0, 1), np.concatenate([theta, z]), method="DOP853", rtol=_ACCURACY, atol=1e-3 * _ACCURACY)
    if not path.success:
        raise ArithmeticError(f"the pull was not followed to its end: {path.message}")
    return path.y[:p, -1], path.y[p:, -1]
