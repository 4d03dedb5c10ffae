"""Slopes and curvatures of losses, and slopes of metrics, against differences."""

from collections.abc import Sequence
from itertools import product

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, identity, inequality, theorem
from linreg_mirror.problems.losses import EntrywiseCauchy, Huber, JointCauchy, LogCosh, Loss, Squared
from linreg_mirror.theorems.twins.derivatives import MIRRORS, _difference
from linreg_mirror.theorems.twins.runs import ONCE

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
    rng, found = np.random.default_rng(list(it.name.encode())), []
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
    rng, d, left, right = np.random.default_rng(list(it.name.encode())), 10, [], []
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
