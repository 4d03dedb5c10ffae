"""The dual flow of x = m*w with squared loss, s' = F(t, s) = rate (X b sinh(2z) - y) with z = z_0 - X's, compiled.

Steps are those of Rodas5P, and each brings the bound on its share of the path's error with it (see `known_error`).

Importing this module takes as long as importing numba does; `flow` does so when it first needs to.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._tools.compilation import compiled
from linreg_mirror._types import Array
from linreg_mirror.solvers.continuous import dual_field, known_error, penalties, quadrature, rodas5p, step_error
from linreg_mirror.solvers.continuous.dual_field import (
    FAST,
    evaluate,
    explaining_error,
    factorise,
    inlined,
    size_of,
    solve,
    write_matrix,
)
from linreg_mirror.solvers.continuous.known_error import SAMPLES, carry, room_for
from linreg_mirror.solvers.continuous.quadrature import POINTS
from linreg_mirror.solvers.continuous.rodas5p import COUPLING, DENSE, GAMMA, NODES, RATES, SIZE, STAGES
from linreg_mirror.solvers.continuous.step_error import split, write_defect

_alpha_at: Any = inlined(penalties.alpha_at)
_decay_at: Any = inlined(penalties.decay_at)

FULL, AT_END, NEAR, AT_REST, STUCK = range(5)  # why `advance` returns
_SHORTEST, _LONGEST, _SAFETY = 0.2, 5.0, 0.9  # of one step to the next
_FEW, _ROWS = 8, 32  # of H at a time: of its upper triangle little is computed; few, where BLAS copies nothing
_SMALL = 10**6  # multiplications, up to which OpenBLAS does not
_NEVER = 1e100  # what takes steps as long as that is at rest, in all but the rounding of its residual
_SOFT = 1e-4  # the share of the exponents' rounding in soft directions, on data of condition 1e6
_EPS = float(np.finfo(float).eps)


@inlined
def _write_stages(
    flow: Any, piece: Array, t: float, h: float, s: Array, f0: Array, L: Array, U: Array, after: Array, f: Array,
    metric: Array, room: Any,
) -> None:  # fmt: skip  # pragma: no cover - compiled
    """Write the stages U and the end `after` of a step from s, where the field is f0; L is the factor of M."""
    y, rate = flow[1], flow[4]
    n = s.size
    pull = 4 * _alpha_at(piece, t) * h  # df/dt = -4 alpha rate Xx
    for k in range(SIZE):
        for i in range(n):
            after[i] = s[i]
            f[i] = f0[i]
        if k > 0:
            for l in range(k):
                weight = STAGES[k, l]
                for i in range(n):
                    after[i] += weight * U[l, i]
            evaluate(flow, 4 * _decay_at(piece, t + NODES[k] * h), after, f, metric, room)
        weight = pull * RATES[k]
        for i in range(n):
            U[k, i] = f[i] - weight * (f0[i] + rate * y[i])
        for l in range(k):
            weight = COUPLING[k, l] / h
            for i in range(n):
                U[k, i] += weight * U[l, i]
        solve(L, U[k])
    for i in range(n):
        after[i] += U[SIZE - 1, i]


@inlined
def _write_dense_output(U: Array, dense: Array) -> None:  # pragma: no cover - compiled
    for k in range(3):
        for i in range(U.shape[1]):
            dense[k, i] = 0.0
        for l in range(SIZE):
            weight = DENSE[k, l]
            for i in range(U.shape[1]):
                dense[k, i] += weight * U[l, i]


@compiled(
    dual_field, known_error, penalties, quadrature, rodas5p, step_error,
    fastmath=FAST, error_model="numpy", nogil=True,
)  # fmt: skip
def advance(
    flow: Any, lengths: Array, tallest: Array, piece: Array, atol: float, rtol: float, target: float, end: float,
    s: Array, known: Array, progress: Array, counts: NDArray[np.int64], times: Array, states: Array, errors: Array,
) -> tuple[int, int]:  # fmt: skip  # pragma: no cover - compiled
    """Step from `s` at progress = (t, h, |r|), all in place, towards `end`; say why it stopped, and after how many.

    The error of `s` is `known` but for r.

    It stops at the end, where a relative error of x of `target` explains Xx - y (never if that is negative), after as
    many steps as `times`, `states` and `errors` hold, where rounding alone keeps it from being stationary, or where no
    step is short enough. A step is accepted if its share of the error is below atol + rtol |s_i| in the root mean
    square, or not above what rounding makes of it.

    flow = (X, y, 2 z_0, log b, rate, the largest exponent); `lengths` are those of the columns of X, `tallest` the
    largest entries of its rows, `piece` is a `closed_form` of the penalty; `counts` are of evaluations and of matrices.
    """
    X = flow[0]
    n, d = X.shape
    q, x, metric, metric_before, power = np.empty(d), np.empty(d), np.empty(d), np.empty(d), np.empty(d)
    room = q, x, power, power.view(np.int64)
    U, dense, M, H = np.empty((SIZE, n)), np.empty((3, n)), np.empty((n, n)), np.empty((n, n))
    some_rows = np.empty((min(n, _FEW if _FEW * n * d <= _SMALL else _ROWS), d))
    f, f_before, u, after = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    defects, soft = np.empty((SAMPLES, n)), np.empty((SAMPLES, n))
    metrics, error_room = np.empty((SAMPLES, d)), room_for(n, d)
    lowest, highest = np.empty(d), np.empty(d)  # of each metric along a step
    t, h, rest = progress[0], progress[1], progress[2]
    steps, fresh, cap = 0, True, np.inf
    longest, small, noise = 0.0, atol, 0.0
    for j in range(d):
        longest = max(longest, lengths[j])
    evaluate(flow, 4 * _decay_at(piece, t), s, f_before, metric_before, room)
    counts[0] += 1
    while True:
        if fresh:
            progress[0], progress[1], progress[2] = t, h, rest
            if steps > 0 and target >= 0 and explaining_error(f_before, tallest, x) <= flow[4] * target:
                return NEAR, steps
            if t >= end:
                return AT_END, steps
            if steps == times.size:
                return FULL, steps
            write_matrix(flow, metric_before, some_rows, H)
            counts[1] += 1
            size = size_of(s)
            small = math.sqrt(n) * atol + rtol * size
            # What rounding makes of f. A step of length h collects as much as h times, in directions that are not
            # stiff; of what comes by way of the exponents these see little.
            noise = 0.0
            for j in range(d):
                noise += (lengths[j] * (abs(x[j]) + metric_before[j] * lengths[j] * _SOFT * size)) ** 2
            noise = _EPS * flow[4] * math.sqrt(noise)
            fresh = False
        h = min(h, cap)
        whole = h >= end - t
        step = end - t if whole else h
        if not step > max(1e-15 * t, 1e-300):
            return STUCK, steps
        if step > _NEVER and not whole:
            return AT_REST, steps
        for i in range(n):
            for j in range(i + 1):
                M[i, j] = H[i, j]
            M[i, i] += 1 / (GAMMA * step)
        if not factorise(M):
            cap = 0.1 * step  # 1/(gamma h) is lost in the rounding of H
            continue
        _write_stages(flow, piece, t, step, s, f_before, M, U, after, f, metric, room)
        _write_dense_output(U, dense)
        counts[0] += SIZE + SAMPLES - 3
        worst = 0.0
        for j in range(d):
            lowest[j] = highest[j] = metric_before[j]
        for k in range(1, SAMPLES - 1):
            theta = POINTS[k]
            for i in range(n):
                bend = dense[0, i] + theta * (dense[1, i] + theta * dense[2, i])
                u[i] = (1 - theta) * s[i] + theta * (after[i] + (1 - theta) * bend)
            evaluate(flow, 4 * _decay_at(piece, t + theta * step), u, f, metric, room)
            write_defect(step, theta, s, after, dense, f, defects[k])
            stiff = split(step, M, defects[k], soft[k])
            worst = max(worst, (step * size_of(soft[k])) ** 2 + 0.5 * step * stiff)
            for j in range(d):
                metrics[k, j] = metric[j]
                lowest[j], highest[j] = min(lowest[j], metric[j]), max(highest[j], metric[j])
        worst = math.sqrt(worst) / max(small, noise * step)
        if not worst <= 1.0:
            h = step * (max(_SHORTEST, _SAFETY * worst**-0.2) if worst < 1e30 else 0.1)
            continue
        t = end if whole else t + step
        evaluate(flow, 4 * _decay_at(piece, t), after, f, metric, room)
        counts[0] += 1
        least = most = 1.0
        for j in range(d):
            least = min(least, min(lowest[j], metric[j]) / metric_before[j])
            most = max(most, max(highest[j], metric[j]) / metric_before[j])
            metrics[0, j], metrics[SAMPLES - 1, j] = metric_before[j], metric[j]
            metric_before[j] = metric[j]
        write_defect(step, 0.0, s, after, dense, f_before, defects[0])
        write_defect(step, 1.0, s, after, dense, f, defects[SAMPLES - 1])
        split(step, M, defects[0], soft[0])
        split(step, M, defects[SAMPLES - 1], soft[SAMPLES - 1])
        rest = _EPS * size_of(after) + carry(
            step, X, flow[4], M, (least, most), longest, noise, metrics, defects, soft, known, rest, error_room
        )
        for i in range(n):
            f_before[i], s[i] = f[i], after[i]
            states[steps, i] = s[i]
        times[steps], errors[steps] = t, size_of(known) + rest
        steps += 1
        fresh = True
        h = step * min(_LONGEST, max(_SHORTEST, _SAFETY * max(worst, 1e-10) ** -0.2))
