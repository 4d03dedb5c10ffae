"""Slopes and curvatures of losses, and slopes of metrics, against differences."""

from collections.abc import Sequence
from itertools import product

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, identity, inequality, relative, theorem
from linreg_mirror.ledger.hypotheses import ONCE
from linreg_mirror.parametrizations import DeepLinear, Direct, Factorized
from linreg_mirror.problems.losses import EntrywiseCauchy, Huber, JointCauchy, LogCosh, Loss, Squared
from linreg_mirror.solvers import discrete
from linreg_mirror.theorems.twins.derivatives import MIRRORS, _difference

LOSSES: Sequence[Loss] = (Squared(), Huber(1.0), LogCosh(), JointCauchy(), EntrywiseCauchy())

_STEP = 0.003
_KINKED = 0.1  # this close to Huber's delta differences would cross it


@theorem(
    "twins.loss",
    source=Citation("ours", "finite differences"),
    statement="every loss: l(0) = 0, <gradient(r), v> is the derivative of l at r along v, and hessian_product(r, v) "
    "that of the gradient",
    kind="identity",
    hypotheses=ONCE,
    constants={"factor": 1.0},
    control=Control("half of the gradient", "planted/plain/0", {"factor": 0.5}),
)
def loss(it: Instance, factor: float) -> Evidence:
    """Compare with central differences of sixth order, at small and large residuals and along three directions."""
    rng, found = it.generator(), []
    for one in LOSSES:
        found.append(one.value(np.zeros(5)))
        for size in (0.3, 1.0, 5.0):
            r = size * rng.standard_normal(5)
            r *= np.where(np.abs(np.abs(r) - 1) < _KINKED, 1.5, 1.0)
            V = rng.uniform(-1, 1, (5, 3))
            stated, curved = factor * one.gradient(r), one.hessian_product(r, V)
            for v, bent in zip(V.T, curved.T, strict=True):
                slope, bend = _along(one, r, v)
                found += [(stated @ v - slope) / (1 + one.value(r))]
                found += [*(bent - bend), *(one.hessian_product(r, v) - bend)]
    return identity(found, 1e-11)


def _along(one: Loss, r: Array, v: Array) -> tuple[float, Array]:
    """Return the derivatives of the loss and of its gradient along v."""
    values = _difference(lambda s: np.array([one.value(r + k * v) for k in s]), np.zeros(1), _STEP)
    columns = _difference(lambda s: np.stack([one.gradient(r + k * v) for k in s], axis=1), np.zeros(1), _STEP)
    return float(values[0]), columns[:, 0]


@theorem(
    "twins.metric_slope",
    source=Citation("ours", "differences"),
    statement="every potential: |log metric(z') - log metric(z)| <= metric_slope |z' - z|, |z' - z| within its radius",
    kind="inequality",
    hypotheses=ONCE,
    constants={"factor": 1.0},
    control=Control("half of it", "planted/plain/0", {"factor": 0.5}),
)
def metric_slope(it: Instance, factor: float) -> Evidence:
    """Compare over short and long distances, at weights from small to large: far out each bound is almost attained."""
    rng, d, left, right = it.generator(), 10, [], []
    log_b, tilt = rng.normal(-1.0, 1.0, d), rng.normal(0.0, 1.0, d)
    for make in MIRRORS.values():
        potential = make(log_b, tilt)
        for A, size, part in product((0.0, 0.3), (0.1, 1.0, 10.0), (-0.3, -0.01, 0.01, 0.3)):
            z = potential.dual(size * rng.lognormal(0.0, 1.0, d) * rng.choice([-1.0, 1.0], d), A)
            moved = np.abs(part * z)
            slope = potential.metric_slope(z, A, moved)
            bounded = np.isfinite(slope)  # of depth D the metric is infinite at some z
            with np.errstate(all="ignore"):
                apart = np.abs(np.log(potential.metric((1 + part) * z, A)) - np.log(potential.metric(z, A)))
            left.append(apart[bounded])
            right.append((factor * slope * moved)[bounded])
    return inequality(np.concatenate(left), np.concatenate(right), rounding=1e-11)


@theorem(
    "twins.unused_slope",
    source=Citation("ours", "curvature at 0"),
    statement="two layers, U V' and U U', where no width limits the rank: unused_slope(g, alpha) is minus the least "
    "curvature, if negative, of <g, x(theta)> + alpha |theta|^2 at theta = 0",
    kind="identity",
    hypotheses=ONCE,
    constants={"counted": 1.0},
    control=Control("half of the penalty", "planted/plain/0", {"counted": 0.5}),
)
def unused_slope(it: Instance, counted: float) -> Evidence:
    """Compare with the eigenvalues of the Hessian, of which pullback and penalty_gradient give the columns."""
    rng, found = it.generator(), []
    for network in (
        DeepLinear((np.ones((2, 3)), np.ones((2, 2)))),
        DeepLinear((np.ones((4, 2)), np.ones((3, 4)))),
        Factorized(np.ones((3, 2)), np.ones((2, 2))),
        Factorized.symmetric(np.ones((3, 3))),
    ):
        g = rng.standard_normal(network.d)
        for alpha in (0.0, 0.2, 100.0):
            rows = np.eye(network.theta0.size)
            H = [network.pullback(row, g) + counted * alpha * network.penalty_gradient(row) for row in rows]
            least = float(np.linalg.eigvalsh(H)[0])
            found.append(relative(network.unused_slope(g, alpha) - max(-least, 0.0), 1 + alpha))
    return identity(found, 1e-13)


@theorem(
    "twins.stable_step",
    source=Citation("ours", "the map of a step"),
    statement="plain weights x = theta, f + alpha |x|^2: at largest_stable_step the linear map of a step of descent, "
    "and of one with momentum, has spectral radius 1",
    kind="identity",
    hypotheses=ONCE,
    constants={"share": 1.0},
    control=Control("for half of alpha", "planted/plain/0", {"share": 0.5}),
)
def stable_step(it: Instance, share: float) -> Evidence:
    """Compare in each eigenspace of the Hessian, whose columns the gradient gives.

    There a step is (x, x before) -> ((1 + momentum - eta lambda) x - momentum x before, x).
    """
    problem, found = it.problem, []
    network, rows = Direct.at(0.0, d=problem.d), np.eye(problem.d)
    flat = problem.gradient(np.zeros(problem.d))
    far = max(1.0, float(np.abs(flat).max()))  # where little of the slope is that at zero
    H = np.array([problem.gradient(far * row) - flat for row in rows]) / far
    size = float(np.linalg.norm(H, 2)) or 1.0
    for alpha, momentum in product((0.1 * size, size), (0.0, 0.5, 0.9)):
        eta = discrete.largest_stable_step(problem, network, momentum, penalty=share * alpha)
        curvatures = np.linalg.eigvalsh(H + alpha * np.array([network.penalty_gradient(row) for row in rows]))
        maps = np.array([[[1 + momentum - eta * one, -momentum], [1.0, 0.0]] for one in curvatures])
        found.append(np.abs(np.linalg.eigvals(maps)).max() - 1)
    return identity(found, 1e-12)
