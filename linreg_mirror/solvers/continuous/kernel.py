"""The dual flow of x = m*w with squared loss, s' = F(t, s) = rate (X b sinh(2z) - y) with z = z_0 - X's, compiled.

Steps are those of Rodas5P, and each brings the bound on its share of the path's error with it. With the defect
delta = u' - F(t, u) of the numerical path u, its error e obeys e' = -K e + delta, where K is an average of
H = rate X diag(metric) X' between the two paths, symmetric and positive semidefinite. Hence (|e|)' <= |delta|; and for
any split delta = a + c,

    (|e|^2)' = 2 <e, delta> - 2 |e|_K^2 <= 2 |e||a| + |c|^2_(K^-1) / 2.

The second is what a stiff direction needs: there a defect is as large as the error times a large eigenvalue of K, and
forgotten at once. The step's own matrix M = I/(gamma h) + H gives the split: with v = M^-1 delta, a = v/(gamma h),
c = H v and |c|^2_(H^-1) = <v, delta> - |v|^2/(gamma h). K is at least H times the least ratio by which an entry of the
metric falls along the step. Each step takes the smaller of the two bounds. The one thing that is not enclosed is the
integral over the step: the defect, and the metric, are sampled at two points.

Importing this module takes as long as importing numba does; `flow` does so when it first needs to.
"""

import math
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from linreg_mirror._tools.compilation import compiled
from linreg_mirror._types import Array
from linreg_mirror.solvers.continuous import penalties, rodas5p
from linreg_mirror.solvers.continuous.rodas5p import COUPLING, DENSE, GAMMA, NODES, RATES, SIZE, STAGES

# Sums may be reordered, so that they run in vector registers; NaN and infinities keep their meaning.
_FAST = {"reassoc", "contract", "nsz", "arcp"}
_inlined = numba.njit(fastmath=_FAST, error_model="numpy")
_alpha_at: Any = _inlined(penalties.alpha_at)
_decay_at: Any = _inlined(penalties.decay_at)

FULL, AT_END, STATIONARY, STUCK = range(4)  # why `advance` returns
_SAMPLES = (0.25, 0.75)  # where in a step the defect is taken
_SHORTEST, _LONGEST, _SAFETY = 0.2, 5.0, 0.9  # of one step to the next
_EPS = float(np.finfo(float).eps)
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10


@_inlined
def _expm1_and_power(v: float) -> tuple[float, float]:  # pragma: no cover - compiled
    """Return expm1(r) and n of exp(v) = 2^n exp(r), |r| < 0.35, without a branch: loops over it run in registers."""
    n = np.floor(v * 1.4426950408889634 + 0.5)
    r = (v - n * _LN2_HIGH) - n * _LN2_LOW
    p = 1 / 6227020800.0
    p = p * r + 1 / 479001600.0
    p = p * r + 1 / 39916800.0
    p = p * r + 1 / 3628800.0
    p = p * r + 1 / 362880.0
    p = p * r + 1 / 40320.0
    p = p * r + 1 / 5040.0
    p = p * r + 1 / 720.0
    p = p * r + 1 / 120.0
    p = p * r + 1 / 24.0
    p = p * r + 1 / 6.0
    p = p * r + 0.5
    return r + r * r * p, n


@_inlined
def _weights(
    q: Array, log_b: Array, shift: float, cap: float, x: Array, metric: Array, power: Array, bits: Any
) -> None:  # pragma: no cover - compiled
    """Write x = b sinh(q) and metric = 2b cosh(q), with b = exp(log_b - shift); q is changed. `bits` views `power`."""
    d = q.size
    for j in range(d):
        tall, n = _expm1_and_power(min(max(abs(q[j]) + log_b[j] - shift, -700.0), cap))
        metric[j] = 1.0 + tall
        bits[j] = (np.int64(n) + 1023) << 52
    for j in range(d):
        metric[j] *= power[j]
    for j in range(d):
        low, n = _expm1_and_power(max(-2.0 * abs(q[j]), -700.0))
        x[j] = low
        bits[j] = (np.int64(n) + 1023) << 52
    for j in range(d):
        low = x[j] * power[j] + (power[j] - 1.0)  # expm1(-2|q|)
        x[j] = math.copysign(-0.5 * metric[j] * low, q[j])
        metric[j] *= 2.0 + low


@_inlined
def _exponents(X: Array, z2: Array, s: Array, q: Array) -> None:  # pragma: no cover - compiled
    """Write q = 2 z_0 - 2 X's."""
    n, d = X.shape
    for j in range(d):  # a loop: numba takes seconds to compile an assignment of whole arrays
        q[j] = z2[j]
    whole = n - n % 4
    for i in range(0, whole, 4):
        s0, s1, s2, s3 = -2 * s[i], -2 * s[i + 1], -2 * s[i + 2], -2 * s[i + 3]
        for j in range(d):
            q[j] += s0 * X[i, j] + s1 * X[i + 1, j] + s2 * X[i + 2, j] + s3 * X[i + 3, j]
    for i in range(whole, n):
        s0 = -2 * s[i]
        for j in range(d):
            q[j] += s0 * X[i, j]


@_inlined
def _residual(X: Array, y: Array, rate: float, x: Array, f: Array) -> None:  # pragma: no cover - compiled
    """Write f = rate (Xx - y)."""
    n, d = X.shape
    whole = n - n % 4
    for i in range(0, whole, 4):
        r0 = r1 = r2 = r3 = 0.0
        for j in range(d):
            r0 += X[i, j] * x[j]
            r1 += X[i + 1, j] * x[j]
            r2 += X[i + 2, j] * x[j]
            r3 += X[i + 3, j] * x[j]
        f[i], f[i + 1] = rate * (r0 - y[i]), rate * (r1 - y[i + 1])
        f[i + 2], f[i + 3] = rate * (r2 - y[i + 2]), rate * (r3 - y[i + 3])
    for i in range(whole, n):
        r0 = 0.0
        for j in range(d):
            r0 += X[i, j] * x[j]
        f[i] = rate * (r0 - y[i])


@_inlined
def _largest_gradient(X: Array, f: Array, g: Array) -> float:  # pragma: no cover - compiled
    """Return the largest entry of |X'f|."""
    n, d = X.shape
    for j in range(d):
        g[j] = 0.0
    for i in range(n):
        slope = f[i]
        for j in range(d):
            g[j] += slope * X[i, j]
    largest = 0.0
    for j in range(d):
        largest = max(largest, abs(g[j]))
    return largest


@_inlined
def _factorise(M: Array) -> bool:  # pragma: no cover - compiled
    """Overwrite the lower triangle by the Cholesky factor, its diagonal inverted; False if M is not positive."""
    n = M.shape[0]
    for i in range(n):
        for j in range(i):
            left = M[i, j]
            for k in range(j):
                left -= M[i, k] * M[j, k]
            M[i, j] = left * M[j, j]
        left = M[i, i]
        for k in range(i):
            left -= M[i, k] * M[i, k]
        if not left > 0.0:
            return False
        M[i, i] = 1.0 / math.sqrt(left)
    return True


@_inlined
def _solve(L: Array, v: Array) -> None:  # pragma: no cover - compiled
    """Overwrite v by (LL')^-1 v."""
    n = v.size
    for i in range(n):
        left = v[i]
        for k in range(i):
            left -= L[i, k] * v[k]
        v[i] = left * L[i, i]
    for i in range(n - 1, -1, -1):
        left = v[i] * L[i, i]
        v[i] = left
        for k in range(i):
            v[k] -= L[i, k] * left


@compiled(penalties, rodas5p, fastmath=_FAST, error_model="numpy", nogil=True)
def advance(
    X: Array, y: Array, z2: Array, log_b: Array, rate: float, cap: float, lengths: Array, piece: Array,
    atol: float, rtol: float, target: float, end: float, s: Array, progress: Array, counts: NDArray[np.int64],
    times: Array, states: Array, errors: Array,
) -> tuple[int, int]:  # fmt: skip  # pragma: no cover - compiled
    """Step from `s` at progress = (t, h, |e|), all three in place, towards `end`; say why it stopped, and how many steps.

    It stops at the end, where |X'(Xx - y)| <= target in the largest entry (never if that is negative), after as many
    steps as `times`, `states` and `errors` hold, or where no step is short enough. A step is accepted if its share of
    the error is below atol + rtol |s_i| in the root mean square, or not above what rounding makes of it. `lengths` are those of the columns. `counts` are of evaluations and of matrices.
    """
    n, d = X.shape
    q, x, metric, metric_before, g = np.empty(d), np.empty(d), np.empty(d), np.empty(d), np.empty(d)
    power = np.empty(d)
    bits = power.view(np.int64)
    U, M, H, XD = np.empty((SIZE, n)), np.empty((n, n)), np.empty((n, n)), np.empty((n, d))
    k1, k2, k3 = np.empty(n), np.empty(n), np.empty(n)
    f, f_before, u, v = np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    after = np.empty(n)
    t, h, error = progress[0], progress[1], progress[2]
    steps, fresh, capped = 0, True, np.inf
    longest, least, noise = 0.0, atol, 0.0
    for j in range(d):
        longest = max(longest, lengths[j])
    while True:
        if fresh:
            _exponents(X, z2, s, q)
            _weights(q, log_b, 4 * _decay_at(piece, t), cap, x, metric_before, power, bits)
            _residual(X, y, rate, x, f_before)
            counts[0] += 1
            progress[0], progress[1], progress[2] = t, h, error
            if steps > 0 and target >= 0 and _largest_gradient(X, f_before, g) <= rate * target:
                return STATIONARY, steps
            if t >= end:
                return AT_END, steps
            if steps == times.size:
                return FULL, steps
            for i in range(n):
                for j in range(d):
                    XD[i, j] = rate * X[i, j] * metric_before[j]
            np.dot(XD, X.T, H)
            counts[1] += 1
            size = 0.0
            for i in range(n):
                size += s[i] * s[i]
            least = math.sqrt(n) * atol + rtol * math.sqrt(size)
            # What rounding makes of f, of which a step of length h collects as much as h times.
            noise = 0.0
            for j in range(d):
                noise += lengths[j] * abs(x[j])
            noise *= 4 * _EPS * rate
            fresh = False
        h = min(h, capped)
        whole = h >= end - t
        step = end - t if whole else h
        if not step > 1e-15 * t or not step > 1e-300:
            return STUCK, steps
        for i in range(n):
            for j in range(i + 1):
                M[i, j] = H[i, j]
            M[i, i] += 1 / (GAMMA * step)
        if not _factorise(M):
            # 1/(gamma h) is lost in the rounding of H.
            h = 0.1 * step
            capped = h
            continue
        pull = 4 * _alpha_at(piece, t) * step  # df/dt = -4 alpha rate Xx
        for k in range(SIZE):
            for i in range(n):
                u[i] = s[i]
            if k == 0:
                for i in range(n):
                    f[i] = f_before[i]
            else:
                for l in range(k):
                    weight = STAGES[k, l]
                    for i in range(n):
                        u[i] += weight * U[l, i]
                _exponents(X, z2, u, q)
                _weights(q, log_b, 4 * _decay_at(piece, t + NODES[k] * step), cap, x, metric, power, bits)
                _residual(X, y, rate, x, f)
                counts[0] += 1
            weight = pull * RATES[k]
            for i in range(n):
                U[k, i] = f[i] - weight * (f_before[i] + rate * y[i])
            for l in range(k):
                weight = COUPLING[k, l] / step
                for i in range(n):
                    U[k, i] += weight * U[l, i]
            _solve(M, U[k])
        for i in range(n):
            after[i] = u[i] + U[SIZE - 1, i]
            k1[i], k2[i], k3[i] = 0.0, 0.0, 0.0
        for l in range(SIZE):
            for i in range(n):
                k1[i] += DENSE[0, l] * U[l, i]
                k2[i] += DENSE[1, l] * U[l, i]
                k3[i] += DENSE[2, l] * U[l, i]
        largest, plain, soft, stiff, ratio = 0.0, 0.0, 0.0, 0.0, 1.0
        for theta in _SAMPLES:
            rest = 1 - theta
            for i in range(n):
                bend = k1[i] + theta * (k2[i] + theta * k3[i])
                u[i] = rest * s[i] + theta * (after[i] + rest * bend)
                v[i] = (after[i] - s[i] + (rest - theta) * bend + theta * rest * (k2[i] + 2 * theta * k3[i])) / step
            _exponents(X, z2, u, q)
            _weights(q, log_b, 4 * _decay_at(piece, t + theta * step), cap, x, metric, power, bits)
            _residual(X, y, rate, x, f)
            counts[0] += 1
            for j in range(d):
                ratio = min(ratio, metric[j] / metric_before[j])
            size = 0.0
            for i in range(n):
                f[i] = v[i] - f[i]
                v[i] = f[i]
                size += f[i] * f[i]
            _solve(M, v)
            square, product = 0.0, 0.0
            for i in range(n):
                square += v[i] * v[i]
                product += v[i] * f[i]
            a = math.sqrt(square) / GAMMA  # the step times |a|
            c = 0.5 * step * max(product - square / (GAMMA * step), 0.0)
            largest = max(largest, math.sqrt(a * a + c))
            plain += 0.5 * step * math.sqrt(size)
            soft += 0.5 * a
            stiff += 0.5 * c
        largest /= max(least, noise * step)
        if not largest <= 1.0:
            h = step * (max(_SHORTEST, _SAFETY * largest**-0.2) if largest < 1e30 else 0.1)
            continue
        split = stiff / (ratio * math.exp(-2 * longest * error)) if ratio > 0 else np.inf
        error = min(error + plain, math.sqrt((error + soft) ** 2 + split))
        t = end if whole else t + step
        for i in range(n):
            s[i] = after[i]
            states[steps, i] = s[i]
        times[steps], errors[steps] = t, error
        steps += 1
        fresh = True
        h = step * min(_LONGEST, max(_SHORTEST, _SAFETY * max(largest, 1e-10) ** -0.2))
