"""Compiled gradient descent on x = m*w with squared loss, in the factors u = (m+w)/sqrt 2 and v = (m-w)/sqrt 2.

The formulas are those of `factors`. Both factors are multiplied, so that the log-products that the implicit bias is
made of are log|u| and log|v|.
Importing this module takes as long as importing numba does; `descent` does so when it first needs to.
"""

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from linreg_mirror._tools.compilation import compiled
from linreg_mirror._types import Array
from linreg_mirror.solvers.discrete import factors
from linreg_mirror.solvers.discrete.minibatches import Rows

# Sums may be reordered, so that they run in vector registers; NaN and infinities keep their meaning.
_FAST = {"reassoc", "contract", "nsz", "arcp"}


@numba.njit(fastmath=_FAST, inline="always")
def residual_and_gradient(X: Array, y: Array, x: Array, r: Array, g: Array) -> None:  # pragma: no cover - compiled
    """Write r = Xx - y and g = X'r; four rows at a time, each used twice while it is in the cache."""
    n, d = X.shape
    whole = n - n % 4
    if not whole:
        g[:] = 0.0
    for i in range(0, whole, 4):
        r0 = r1 = r2 = r3 = 0.0
        for j in range(d):
            r0 += X[i, j] * x[j]
            r1 += X[i + 1, j] * x[j]
            r2 += X[i + 2, j] * x[j]
            r3 += X[i + 3, j] * x[j]
        r0, r1, r2, r3 = r0 - y[i], r1 - y[i + 1], r2 - y[i + 2], r3 - y[i + 3]
        r[i], r[i + 1], r[i + 2], r[i + 3] = r0, r1, r2, r3
        if i == 0:
            for j in range(d):
                g[j] = r0 * X[i, j] + r1 * X[i + 1, j] + r2 * X[i + 2, j] + r3 * X[i + 3, j]
        else:
            for j in range(d):
                g[j] += r0 * X[i, j] + r1 * X[i + 1, j] + r2 * X[i + 2, j] + r3 * X[i + 3, j]
    for i in range(whole, n):
        r0 = 0.0
        for j in range(d):
            r0 += X[i, j] * x[j]
        r0 -= y[i]
        r[i] = r0
        for j in range(d):
            g[j] += r0 * X[i, j]


_inlined = numba.njit(fastmath=_FAST, inline="always")
_stepped: Any = _inlined(factors.stepped)
_stepped_on: Any = _inlined(factors.stepped_on)
_effective: Any = _inlined(factors.effective)


@compiled(factors, fastmath=_FAST)
def take_steps(
    X: Array, y: Array, u: Array, v: Array, u_before: Array, v_before: Array, dual: Array,
    eta: Array, alpha: Array, momentum: float, keep: NDArray[np.bool_], kept: Array, rows: Rows, sizes: Rows,
) -> None:  # fmt: skip  # pragma: no cover - compiled
    """Take one step for each entry of eta, in place; after steps with keep[k] write (u, v, dual) to the next row.

    Step k sees the first sizes[k] samples of rows[k], counted n / sizes[k] times each, or all if there are no rows.
    The loops over entries are written out here: a call that takes arrays costs as much as half a small step.
    """
    n, d = X.shape
    r, g = np.empty(n), np.empty(d)
    x = _effective(u, v)
    full_batch = rows.shape[0] == 0
    row = 0
    for k in range(eta.size):
        step = eta[k]
        if full_batch:
            residual_and_gradient(X, y, x, r, g)
            for i in range(n):
                dual[i] += step * r[i]
        else:
            for j in range(d):
                g[j] = 0.0
            for l in range(sizes[k]):
                i = rows[k, l]
                slope = 0.0
                for j in range(d):
                    slope += X[i, j] * x[j]
                slope = (slope - y[i]) * (n / sizes[k])
                dual[i] += step * slope
                for j in range(d):
                    g[j] += slope * X[i, j]
        stay = 1.0 - 2.0 * step * alpha[k]
        if momentum == 0.0:
            for j in range(d):
                u[j], v[j] = _stepped(u[j], v[j], step * g[j], stay)
                x[j] = _effective(u[j], v[j])
        else:
            for j in range(d):
                ahead = _stepped_on(u[j], v[j], u_before[j], v_before[j], step * g[j], stay, momentum)
                u_before[j], v_before[j] = u[j], v[j]
                u[j], v[j] = ahead
                x[j] = _effective(u[j], v[j])
        if keep[k]:
            for j in range(d):
                kept[row, j], kept[row, d + j] = u[j], v[j]
            for i in range(n):
                kept[row, 2 * d + i] = dual[i]
            row += 1


@compiled()
def grown_error(
    distance: float, longest: float, eta: Array, stay: Array, slope: Array, steepest: Array, of_batch: Array,
    weight: Array, rounding: Array,
) -> float:  # fmt: skip  # pragma: no cover - compiled
    """Return what the distance to the exact run may be after steps of which `run_error` says what they do to errors."""
    e = distance
    for k in range(eta.size):
        # Between the two runs x differs by Je + e^2/2, and XJ by at most the longest column times e.
        g = slope[k] + longest * weight[k] * (steepest[k] ** 0.5 * e + 0.5 * longest * e * e)
        steep = (of_batch[k] ** 0.5 + weight[k] ** 0.5 * longest * e) ** 2
        growth = max(abs(stay[k] + eta[k] * g), abs(stay[k] - eta[k] * (steep + g)))
        e = ((1 + 1e-14) * growth + 1e-14) * e + rounding[k]
        if not e < 1e100:
            return np.inf
    return e


@compiled(factors, fastmath=_FAST)
def update_runs(
    u: Array, v: Array, u_before: Array, v_before: Array, g: Array, eta: Array, stay: Array, momentum: Array
) -> None:  # pragma: no cover - compiled
    """Take one step of each run, a row each, and put x in the place of the gradient g."""
    for i in range(u.shape[0]):
        step, beta = eta[i], momentum[i]
        if beta == 0.0:
            for j in range(u.shape[1]):
                u[i, j], v[i, j] = _stepped(u[i, j], v[i, j], step * g[i, j], stay[i])
                g[i, j] = _effective(u[i, j], v[i, j])
        else:
            for j in range(u.shape[1]):
                ahead = _stepped_on(u[i, j], v[i, j], u_before[i, j], v_before[i, j], step * g[i, j], stay[i], beta)
                u_before[i, j], v_before[i, j] = u[i, j], v[i, j]
                u[i, j], v[i, j] = ahead
                g[i, j] = _effective(u[i, j], v[i, j])
