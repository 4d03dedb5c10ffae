"""Newton's method with residuals of 106 bits, for limits whose weights differ by more than float64 resolves.

Where y comes from fewer weights than samples and is rounded, the limit's other weights are what rounding has left of y:
the dual's Hessian is graded down to 1e-16 and beyond, and residuals in float64 have no say there.
"""

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from linreg_mirror._tools.double_double import Pair, product, transposed_product
from linreg_mirror._types import Array
from linreg_mirror.mirrors import Hyperbolic, Mirror, Potential
from linreg_mirror.mirrors.hyperbolic import distance, on_the_way
from linreg_mirror.solvers.error_bars.hessians import factor
from linreg_mirror.solvers.error_bars.limits import LimitBar, nothing_proved, refined
from linreg_mirror.solvers.error_bars.points import dual_point, hyperbolic
from linreg_mirror.solvers.error_bars.pythagoras import few_weights_bar, moved_to_fit
from linreg_mirror.solvers.error_bars.rows import UNIT, Rows

_STEPS = 12  # of Newton's method for a potential, before a shorter way to it is tried
_ASLEEP = 1e-20  # of the largest weight
_FARTHEST = 1e7  # way in log b
_SHORTEST = 1e-3  # way in log b
_NEAR = 0.1  # largest relative change of a weight by a Newton step that ends a stage


def graded_limit(rows: Rows, mirror: Mirror, A: float, tolerance: float) -> LimitBar:
    """Follow the limit from a large scale down to the mirror's, and return it with its bar.

    Where weights that the limit has not got fall asleep on the way, so that the Hessian is singular, the rest is
    proved from those that are awake.

    Parameters
    ----------
    rows : Rows
        The problem.
    mirror : Mirror
        A hyperbolic entropy; of other potentials nothing is proved.
    A : float
        Accumulated penalty.
    tolerance : float
        Relative error of x in the L1 norm that is good enough.
    """
    entropy = hyperbolic(mirror)
    if entropy is None:
        return nothing_proved(rows, mirror, A)
    start = entropy.primal(entropy.initial_dual, A)
    move = rows.M.T @ rows.residual(rows.y - rows.X @ start)[0]
    size = max(float(np.abs(move).max()), 1e-8 * float(np.abs(start).max()), np.finfo(float).tiny)
    left = distance(entropy, A, size)
    if not left < _FARTHEST:
        return nothing_proved(rows, mirror, A)
    before, step = on_the_way(entropy, A, size, left), 2.0
    s = _solved(rows, _tilted(entropy, before), before.A, Pair.of(np.zeros(len(rows.y))), 4 * _STEPS)
    while s is not None and left > 0:
        potential = on_the_way(entropy, A, size, max(left - step, 0.0))
        start = _predicted(rows, entropy, s, before, potential)
        found = None if start is None else _solved(rows, _tilted(entropy, potential), potential.A, start)
        if found is not None:
            s, before, left, step = found, potential, max(left - step, 0.0), 1.7 * step
        elif step > _SHORTEST:
            step = 0.4 * step
        else:
            break
    if s is None:
        return nothing_proved(rows, mirror, A)
    if not left:
        return refined(rows, mirror, A, s, tolerance)
    x = np.abs(dual_point(_tilted(entropy, before), before.A, rows.X, rows.lengths, s).x.hi)
    support = np.flatnonzero(x > _ASLEEP * x.max())
    # All exponents grow like log(1/b).
    growth = distance(entropy, A, size) / max(distance(entropy, A, size) - left, 1.0)
    return _asleep(rows, mirror, entropy, A, Pair(growth * s.hi, growth * s.lo), support)


def _asleep(rows: Rows, mirror: Mirror, entropy: Hyperbolic, A: float, s: Pair, support: NDArray[np.intp]) -> LimitBar:
    """Return the interpolator on a support, with a dual vector that belongs to it there, and its bar."""
    nothing = nothing_proved(rows, mirror, A)
    if not 0 < len(support) <= len(rows.y):
        return nothing
    Q, R = np.linalg.qr(rows.M[:, support])
    if not np.abs(np.diag(R)).min() > 1e-9 * np.abs(np.diag(R)).max():
        return nothing
    direction = np.zeros(rows.X.T.shape)
    direction[support] = scipy.linalg.solve_triangular(R, Q.T, check_finite=False)
    p = moved_to_fit(rows, Pair.of(np.zeros(rows.X.shape[1])), lambda r: direction @ r)
    for _ in range(6):
        point = dual_point(mirror, A, rows.X, rows.lengths, s)
        step = direction[support].T @ (point.z - entropy.dual(p.hi, A))[support]
        s = s + Pair.of(rows.step(step))
    point = dual_point(mirror, A, rows.X, rows.lengths, s)
    error = few_weights_bar(rows, mirror, A, point, p, support, direction[support]) + UNIT * float(np.abs(p.hi).sum())
    return LimitBar(p.hi, s, error, np.full(len(p.hi), error))


def _tilted(mirror: Hyperbolic, potential: Potential) -> Hyperbolic:
    return Hyperbolic(mirror.log_scale, 2 * potential.z0)


def _predicted(rows: Rows, mirror: Hyperbolic, s: Pair, before: Potential, potential: Potential) -> Pair | None:
    """Return the dual vector to first order; None where the Hessian is singular."""
    point = dual_point(_tilted(mirror, before), before.A, rows.X, rows.lengths, s)
    found = factor(rows, point.metric)
    if found is None:
        return None
    # H ds = X (dx/dA dA + D dz0), with dx/dA = -4x.
    dA, dz0 = np.broadcast_to(potential.A - before.A, point.metric.shape), potential.z0 - before.z0
    pull = product(rows.X, point.x * Pair.of(-4.0 * dA) + point.slope * Pair.of(dz0))
    ds = Pair.of(np.zeros_like(s.hi))
    for _ in range(4):
        left = pull - product(rows.X, point.slope * transposed_product(rows.X, ds))
        ds = ds + Pair.of(rows.step(found.solve(rows.residual(left.hi)[0])))
    return s + ds


def _solved(rows: Rows, mirror: Hyperbolic, A: Array | float, s: Pair, steps: int = _STEPS) -> Pair | None:
    """Return the dual vector of a potential by Newton's method; None where that takes more than so many steps."""
    for _ in range(steps):
        point = dual_point(mirror, A, rows.X, rows.lengths, s)  # type: ignore[arg-type]
        found = factor(rows, point.metric) if np.isfinite(point.metric).all() else None
        if found is None:
            return None
        residual = (Pair.of(rows.y) - product(rows.X, point.x)).hi
        step = rows.step(found.solve(rows.residual(residual)[0]))
        moved = 2 * float(np.abs(rows.X.T @ step).max())
        # The metric's logarithm has slopes up to 2: a step this long lowers the objective (self-concordance).
        s = s + Pair.of(-step * (float(np.log1p(moved)) / moved if moved > 0.5 else 1.0))
        if moved <= _NEAR:
            return s
    return None
