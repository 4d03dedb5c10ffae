"""Formulas for derivatives, inverses and integrals, against differences, compositions and quadrature."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import pairwise

import numpy as np
from scipy.integrate import quad

from linreg_mirror import mirrors
from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Hypothesis, Instance, identity, relative, theorem
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.ledger.hypotheses import ONCE
from linreg_mirror.mirrors import Euclidean, Hyperbolic, Mirror
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
from linreg_mirror.schedules import Constant, Geometric, Harmonic, Piecewise, Quadratic, Schedule, SwitchedOff

# Central differences of sixth order: at h, 2h and 3h.
_WEIGHTS = np.array([45.0, -9.0, 1.0]) / 60
_STEP = 0.01

NETWORKS: Mapping[str, Callable[[np.random.Generator], Parametrization]] = {
    "Hadamard": lambda rng: Hadamard.at(_normal(rng, 6), 1.0),
    "Hadamard, penalty on m": lambda rng: Hadamard(2 + _normal(rng, 6) ** 2, _normal(rng, 6).clip(-1, 1), "m"),
    "SharedHadamard": lambda rng: SharedHadamard(_normal(rng, 3), _normal(rng, 6), np.array([0, 0, 1, 1, 1, 2])),
    "Power, depth 2": lambda rng: _power(rng, 2),
    "Power, depth 3": lambda rng: _power(rng, 3),
    "Power, depth 5": lambda rng: _power(rng, 5),
    "DeepLinear, 1 layer": lambda rng: DeepLinear((_normal(rng, 2, 3),)),
    "DeepLinear, 2 layers": lambda rng: DeepLinear((_normal(rng, 4, 3), _normal(rng, 2, 4))),
    "DeepLinear, 3 layers": lambda rng: DeepLinear((_normal(rng, 2, 3), _normal(rng, 5, 2), _normal(rng, 2, 5))),
    "Factorized": lambda rng: Factorized(_normal(rng, 2, 4), _normal(rng, 3, 4)),
    "Factorized, U U'": lambda rng: Factorized.symmetric(_normal(rng, 3, 2)),
    "Direct": lambda rng: Direct(_normal(rng, 6)),
    "HAM": lambda rng: HAM(_normal(rng, 6), 2.0),
    "Quadratic": lambda rng: quadratic.Quadratic((A := _normal(rng, 3, 5, 5)) + A.swapaxes(1, 2), _normal(rng, 5)),
}

MIRRORS: Mapping[str, Callable[[Array, Array], Mirror]] = {
    "Euclidean": lambda log_b, tilt: Euclidean(np.sinh(tilt)),
    "Hyperbolic": Hyperbolic,
    "Power, depth 2": lambda log_b, tilt: mirrors.Power(log_b / 2, tilt, 2),
    "Power, depth 3": lambda log_b, tilt: mirrors.Power(log_b / 3, tilt, 3),
    "Power, depth 5": lambda log_b, tilt: mirrors.Power(log_b / 5, tilt, 5),
    "HAM": lambda log_b, tilt: mirrors.HAM(np.sinh(tilt), 2.0),
    "Quadratic": lambda log_b, tilt: mirrors.Quadratic(
        np.exp(0.2 * np.tanh(tilt))[:, None] * [0.5, 1.0, -0.7],
        log_b[:, None] - [6.0, 7.0, 6.5],  # far below weights: near them, terms cancel
        np.tanh(tilt)[:, None] * [1.0, 0.5, 0.0],
    ),
}

SCHEDULES: Mapping[str, Callable[[float, float], Schedule]] = {
    "Constant": lambda value, period: Constant(value),
    "Harmonic": lambda value, period: Harmonic(value, period=period),
    "Quadratic": lambda value, period: Quadratic(value, period=period),
    "Geometric": lambda value, period: Geometric(value, ratio=0.8, period=period),
    "Piecewise": lambda value, period: Piecewise((0.0, period / 3, 2 * period), (value, 0.0, value / 2)),
    "SwitchedOff": lambda value, period: SwitchedOff(Quadratic(value, period=period), at=1.5 * period),
    "steps of half a unit": lambda value, period: Geometric(value, ratio=0.8, clock="step").on_time(0.5 * period),
}


def _normal(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape)


def _power(rng: np.random.Generator, depth: int) -> Power:
    return Power(np.exp(_normal(rng, 6)), np.exp(_normal(rng, 6)), depth)


def _generator(it: Instance) -> np.random.Generator:
    return it.generator()


@theorem(
    "twins.pullback",
    source=Citation("ours", "complex step"),
    statement="every parametrization: <pullback(theta, g), v> = <g, dx>, dx the derivative of effective along v",
    kind="identity",
    hypotheses=ONCE,
    constants={"last": 1.0},
    control=Control("half of it in the last parameter", "planted/plain/0", {"last": 0.5}),
)
def pullback(it: Instance, last: float) -> Evidence:
    """Compare at random states, of networks of every kind and of the instance's, entry by entry of the parameters.

    Im x(theta + ih e)/h has no cancellation: x is a polynomial, and h = 1e-100. That of HAM is one on each side of 0
    only, of degree 2: differences of sixth order that do not cross 0 are exact, but for rounding.
    """
    rng, found = _generator(it), []
    for network in (*(make(rng) for make in NETWORKS.values()), it.network):
        theta = network.theta0 + 0.3 * _normal(rng, network.theta0.size)
        g = _normal(rng, network.d)
        if isinstance(network, HAM):
            jacobian = np.diag(_difference(network.effective, theta, _within(np.full(theta.size, np.inf), theta)))
        else:
            moved = theta + 1e-100j * np.eye(theta.size)
            jacobian = np.array([network.effective(one).imag / 1e-100 for one in moved])
        stated = network.pullback(theta, g) * np.where(np.arange(theta.size) < theta.size - 1, 1.0, last)
        found.append(relative(stated - jacobian @ g, jacobian @ np.diag(g)))
    return identity(found, 1e-13)


def _within(step: Array, x: Array) -> Array:
    """Return steps of which three do not cross 0."""
    return np.minimum(step, np.abs(x) / 10)


def _difference(function: Callable[[Array], Array], at: Array, step: Array | float) -> Array:
    """Return the derivative of a function of each entry by central differences."""
    return sum(
        weight * (function(at + k * step) - function(at - k * step)) / step
        for k, weight in enumerate(_WEIGHTS, start=1)
    )  # pyright: ignore[reportReturnType]


def _potentials(it: Instance) -> Iterator[tuple[Mirror, float, Array, Array, Array]]:
    """Yield potentials, penalties so far, weights of both signs, their duals, and steps that change metrics little."""
    rng, d = _generator(it), min(it.problem.d, 20)
    log_b, tilt = rng.normal(-1.0, 1.0, d), rng.normal(0.0, 1.0, d)
    for make in MIRRORS.values():
        mirror = make(log_b, tilt)
        for A in (0.0, 0.3):
            x = np.exp(rng.normal(-1.0, 1.0, d)) * np.where(rng.random(d) < 0.5, 1.0, -1.0)
            z = mirror.dual(x, A)
            # Some potentials are smooth on each side of 0 only.
            step = _within(_STEP / np.maximum(mirror.metric_slope(z, A, 0 * z), 1.0), z)
            yield mirror, A, x, z, step


@theorem(
    "twins.metric",
    source=Citation("ours", "finite differences"),
    statement="every potential: metric = d primal/dz, primal_rate = d primal/dA at fixed z, primal = d conjugate/dz, "
    "dual - z_0 = d potential/dx",
    kind="identity",
    hypotheses=ONCE,
    constants={"factor": 1.0},
    control=Control("half of the metric", "planted/plain/0", {"factor": 0.5}),
)
def metric(it: Instance, factor: float) -> Evidence:
    """Compare with central differences of sixth order at random weights."""
    found = []
    for mirror, A, x, z, step in _potentials(it):
        scale = mirror.metric(z, A)
        found += [
            factor - _difference(partial(mirror.primal, A=A), z, step) / scale,
            (mirror.primal_rate(z, A) - _difference(partial(mirror.primal, z), A + 0 * z, _STEP / 10)) / x,
            (mirror.primal(z, A) - _difference(partial(mirror.conjugate, A=A), z, step)) / (np.abs(x) + scale),
            (z - mirror.initial_dual - _difference(partial(mirror.potential, A=A), x, _within(step * scale, x)))
            / (np.abs(z) + 1),
        ]
    return identity(np.concatenate(found), 1e-10)


@theorem(
    "twins.inverse",
    source=Citation("ours", "composition"),
    statement="every potential, z = dual(x): primal(z) = x, dual(primal(z)) = z, x z - conjugate(z) = potential(x) + "
    "x z_0",
    kind="identity",
    hypotheses=ONCE,
    constants={"factor": 1.0},
    control=Control("with twice the dual", "planted/plain/0", {"factor": 2.0}),
)
def inverse(it: Instance, factor: float) -> Evidence:
    """Compare at random weights; that potential and conjugate are Legendre's transforms of each other follows."""
    found = []
    for mirror, A, x, z, _ in _potentials(it):
        touching = mirror.potential(x, A) + x * mirror.initial_dual + mirror.conjugate(z, A)
        found += [
            mirror.primal(factor * z, A) / x - 1,
            mirror.dual(mirror.primal(z, A), A) / z - 1,
            (x * z - touching) / (np.abs(x * z) + mirror.conjugate(z, A)),
        ]
    return identity(np.concatenate(found), 1e-12)


@theorem(
    "twins.integral",
    source=Citation("ours", "quadrature"),
    statement="every schedule: integral(t0, t1) is that of its values, between any t0 and t1",
    kind="identity",
    hypotheses=(Hypothesis("a schedule on time", lambda it: it.schedule.clock == "time"), h.hadamard),
    constants={"factor": 1.0},
    control=Control("half of it", "planted/plain/0", {"factor": 0.5}),
)
def integral(it: Instance, factor: float) -> Evidence:
    """Compare schedules of every kind, and the instance's, with SciPy's adaptive quadrature between breakpoints.

    The instance's also to infinity where its integral is finite; where it is not, the package must say so.
    """
    rng, found = _generator(it), []
    made = [make(*np.exp(rng.standard_normal(2))) for make in SCHEDULES.values()]
    for schedule in (*made, it.schedule):
        t0, t1 = np.sort(rng.exponential(3.0, 2))
        for first, last in ((t0, t1), (0.0, t0), *([(t0, np.inf)] if schedule is it.schedule else ())):
            stated = factor * schedule.integral(first, last)
            if np.isinf(last) and not schedule.integrable:
                found.append(0.0 if np.isposinf(stated) else np.inf)
                continue
            ends = [first, *(t for t in schedule.breakpoints if first < t < last), last]
            pieces = [quad(schedule, *both, epsabs=0.0, epsrel=1e-13, limit=200)[0] for both in pairwise(ends)]
            # Below this, numbers have fewer digits than others.
            found.append(relative(stated - sum(pieces), max(sum(pieces), 1e-290)))
    return identity(found, 1e-11)


@theorem(
    "twins.schedule",
    source=Citation("ours", "values by hand"),
    statement="every schedule begins at its value; after k periods Harmonic has 1/(1 + k) of it, Quadratic 1/(1 + k)^2 "
    "and Geometric ratio^k; Piecewise has each value from its time on, SwitchedOff none from its end on",
    kind="identity",
    hypotheses=ONCE,
    constants={"later": 0},
    control=Control("a period later", "planted/plain/0", {"later": 1}),
)
def schedule(it: Instance, later: int) -> Evidence:
    """Compare schedules of every kind at times at which their values can be told."""
    rng, k = _generator(it), np.arange(4.0)
    value, period = np.exp(rng.standard_normal(2))
    at = (k + later) * period
    expected = {
        "Constant": 1.0 + 0 * k,
        "Harmonic": 1 / (1 + k),
        "Quadratic": 1 / (1 + k) ** 2,
        "Geometric": 0.8**k,
        "Piecewise": [1.0, 0.0, 0.5, 0.5],
        "SwitchedOff": [1.0, 0.25, 0.0, 0.0],
        "steps of half a unit": 0.64**k,
    }
    found = [SCHEDULES[name](value, period)(at) / value - shares for name, shares in expected.items()]
    return identity(np.concatenate(found), 1e-14)
