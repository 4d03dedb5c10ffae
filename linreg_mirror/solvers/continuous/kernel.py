"""The dual flow of x = m*w with squared loss, s' = F(t, s) = rate (X b sinh(2z) - y) with z = z_0 - X's, compiled.

Steps are those of Rodas5P, and each brings the bound on its share of the path's error with it. With the defect
delta = u' - F(t, u) of the numerical path u, its error e obeys e' = -K e + delta, where K is an average of
H = rate X diag(metric) X' between the two paths, symmetric and positive semidefinite. Hence (|e|)' <= |delta|; and for
any split delta = a + c,

    (|e|^2)' = 2 <e, delta> - 2 |e|_K^2 <= 2 |e||a| + |c|^2_(K^-1) / 2,  so that after a step from |e_0|
    |e| <= int |a| + sqrt(|e_0|^2 + int |c|^2_(K^-1) / 2).

The second is what a stiff direction needs: there a defect is as large as the error times a large eigenvalue of K, and
forgotten at once. The step's own matrix M = I/(gamma h) + H gives the split: with v = M^-1 delta, a = v/(gamma h),
c = H v and |c|^2_(H^-1) = <v, delta> - |v|^2/(gamma h). K is at least H times the least ratio by which an entry of the
metric falls along the step. Each step takes the smaller of the two bounds. The one thing that is not enclosed is the
integral over the step: the defect, and the metric, are sampled at four points, and the largest counts for all of it.

Importing this module takes as long as importing numba does; `flow` does so when it first needs to.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._tools.compilation import compiled
from linreg_mirror._types import Array
from linreg_mirror.solvers.continuous import dual_field, penalties, rodas5p
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
from linreg_mirror.solvers.continuous.rodas5p import COUPLING, DENSE, GAMMA, NODES, RATES, SIZE, STAGES

_alpha_at: Any = inlined(penalties.alpha_at)
_decay_at: Any = inlined(penalties.decay_at)

FULL, AT_END, NEAR, AT_REST, STUCK = range(5)  # why `advance` returns
_SAMPLES = (0.125, 0.375, 0.625, 0.875)  # where in a step the defect is taken; the largest counts for all of it
_SHORTEST, _LONGEST, _SAFETY = 0.2, 5.0, 0.9  # of one step to the next
_ROWS = 32  # of H at a time: of its upper triangle little is computed
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


@inlined
def _defect(
    flow: Any, shift: float, h: float, theta: float, s: Array, after: Array, dense: Array, L: Array, u: Array,
    f: Array, metric: Array, room: Any,
) -> tuple[float, float, float]:  # fmt: skip  # pragma: no cover - compiled
    """Return h |delta|, h |a| and h |c|^2 / 2 at t + theta h, with the metric there; c in the norm of H^-1."""
    rest, n = 1 - theta, s.size
    for i in range(n):
        bend = dense[0, i] + theta * (dense[1, i] + theta * dense[2, i])
        u[i] = rest * s[i] + theta * (after[i] + rest * bend)
    evaluate(flow, shift, u, f, metric, room)
    for i in range(n):
        bend = dense[0, i] + theta * (dense[1, i] + theta * dense[2, i])
        slope = after[i] - s[i] + (rest - theta) * bend + theta * rest * (dense[1, i] + 2 * theta * dense[2, i])
        f[i] = slope / h - f[i]
        u[i] = f[i]
    solve(L, u)
    product = 0.0
    for i in range(n):
        product += u[i] * f[i]
    soft = size_of(u) / GAMMA
    return h * size_of(f), soft, 0.5 * h * max(product - soft * soft * GAMMA / h, 0.0)


@compiled(dual_field, penalties, rodas5p, fastmath=FAST, error_model="numpy", nogil=True)
def advance(
    flow: Any, lengths: Array, tallest: Array, piece: Array, atol: float, rtol: float, target: float, end: float,
    s: Array, progress: Array, counts: NDArray[np.int64], times: Array, states: Array, errors: Array,
) -> tuple[int, int]:  # fmt: skip  # pragma: no cover - compiled
    """Step from `s` at progress = (t, h, |e|), all in place, towards `end`; say why it stopped, and after how many.

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
    some_rows = np.empty((min(n, _ROWS), d))
    f, f_before, u, after = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    t, h, error = progress[0], progress[1], progress[2]
    steps, fresh, cap = 0, True, np.inf
    longest, least, noise = 0.0, atol, 0.0
    for j in range(d):
        longest = max(longest, lengths[j])
    while True:
        if fresh:
            evaluate(flow, 4 * _decay_at(piece, t), s, f_before, metric_before, room)
            counts[0] += 1
            progress[0], progress[1], progress[2] = t, h, error
            if steps > 0 and target >= 0 and explaining_error(f_before, tallest, x) <= flow[4] * target:
                return NEAR, steps
            if t >= end:
                return AT_END, steps
            if steps == times.size:
                return FULL, steps
            write_matrix(flow, metric_before, some_rows, H)
            counts[1] += 1
            size = size_of(s)
            least = math.sqrt(n) * atol + rtol * size
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
        counts[0] += SIZE - 1 + len(_SAMPLES)
        worst, plain, soft, stiff, ratio = 0.0, 0.0, 0.0, 0.0, 1.0
        for theta in _SAMPLES:
            shift = 4 * _decay_at(piece, t + theta * step)
            all_of_it, a, c = _defect(flow, shift, step, theta, s, after, dense, M, u, f, metric, room)
            worst = max(worst, math.sqrt(a * a + c))
            plain, soft, stiff = max(plain, all_of_it), max(soft, a), max(stiff, c)
            for j in range(d):
                ratio = min(ratio, metric[j] / metric_before[j])
        worst /= max(least, noise * step)
        if not worst <= 1.0:
            h = step * (max(_SHORTEST, _SAFETY * worst**-0.2) if worst < 1e30 else 0.1)
            continue
        # While e stays below a guess, K keeps this share of H; if the bound then is below the guess, e does.
        guess = 2 * (soft + math.sqrt(error * error + stiff / ratio))
        bound = soft + math.sqrt(error * error + stiff / (ratio * math.exp(-2 * longest * guess)))
        error = min(error + plain, bound) if bound <= guess else error + plain
        t = end if whole else t + step
        for i in range(n):
            s[i] = after[i]
            states[steps, i] = s[i]
        times[steps], errors[steps] = t, error
        steps += 1
        fresh = True
        h = step * min(_LONGEST, max(_SHORTEST, _SAFETY * max(worst, 1e-10) ** -0.2))
