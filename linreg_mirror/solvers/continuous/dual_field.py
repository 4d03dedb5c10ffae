"""Compiled pieces of the dual flow of x = m*w: its field, its matrix, and the solution of systems with it."""

import math
from typing import Any

import numba
import numpy as np

from linreg_mirror._types import Array

# Sums may be reordered, so that they run in vector registers; NaN and infinities keep their meaning.
FAST = {"reassoc", "contract", "nsz", "arcp"}
inlined = numba.njit(fastmath=FAST, error_model="numpy")
_LN2_HIGH, _LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10


@inlined
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


@inlined
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


@inlined
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


@inlined
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


@inlined
def evaluate(
    flow: Any, shift: float, s: Array, f: Array, metric: Array, room: Any
) -> None:  # pragma: no cover - compiled
    """Write f = rate (Xx - y) and the metric dx/dz at s; room = (q, x, power, bits), where x is left."""
    X, y, z2, log_b, rate, cap = flow
    q, x, power, bits = room
    _exponents(X, z2, s, q)
    _weights(q, log_b, shift, cap, x, metric, power, bits)
    _residual(X, y, rate, x, f)


@inlined
def write_matrix(flow: Any, metric: Array, some_rows: Array, H: Array) -> None:  # pragma: no cover - compiled
    """Write the lower triangle of H = rate X diag(metric) X', as many rows at a time as there is room for."""
    X, rate = flow[0], flow[4]
    n, d = X.shape
    for first in range(0, n, some_rows.shape[0]):
        last = min(first + some_rows.shape[0], n)
        for i in range(first, last):
            for j in range(d):
                some_rows[i - first, j] = rate * X[i, j] * metric[j]
        product = np.dot(some_rows[: last - first], X[:last].T)
        for i in range(first, last):
            for k in range(i + 1):
                H[i, k] = product[i - first, k]


@inlined
def explaining_error(f: Array, tallest: Array, x: Array) -> float:  # pragma: no cover - compiled
    """Return the least relative error of x that explains f, where `tallest` are the largest entries of rows of X."""
    size = 0.0
    for j in range(x.size):
        size += abs(x[j])
    least = 0.0
    for i in range(f.size):
        least = max(least, abs(f[i]) / tallest[i])
    return least / size


@inlined
def factorise(M: Array) -> bool:  # pragma: no cover - compiled
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


@inlined
def solve(L: Array, v: Array) -> None:  # pragma: no cover - compiled
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


@inlined
def solve_six(L: Array, v: Array) -> None:  # pragma: no cover - compiled
    """Overwrite the rows of v, shape (6, n), by (LL')^-1 v: in two thirds of the time of six of `solve`."""
    n = v.shape[1]
    for i in range(n):
        a = b = c = d = e = f = 0.0
        for k in range(i):
            m = L[i, k]
            a, b, c = a + m * v[0, k], b + m * v[1, k], c + m * v[2, k]
            d, e, f = d + m * v[3, k], e + m * v[4, k], f + m * v[5, k]
        m = L[i, i]
        v[0, i], v[1, i], v[2, i] = (v[0, i] - a) * m, (v[1, i] - b) * m, (v[2, i] - c) * m
        v[3, i], v[4, i], v[5, i] = (v[3, i] - d) * m, (v[4, i] - e) * m, (v[5, i] - f) * m
    for i in range(n - 1, -1, -1):
        m = L[i, i]
        a, b, c, d, e, f = m * v[0, i], m * v[1, i], m * v[2, i], m * v[3, i], m * v[4, i], m * v[5, i]
        v[0, i], v[1, i], v[2, i], v[3, i], v[4, i], v[5, i] = a, b, c, d, e, f
        for k in range(i):
            m = L[i, k]
            v[0, k] -= m * a
            v[1, k] -= m * b
            v[2, k] -= m * c
            v[3, k] -= m * d
            v[4, k] -= m * e
            v[5, k] -= m * f


@inlined
def size_of(v: Array) -> float:  # pragma: no cover - compiled
    """Return the 2-norm."""
    total = 0.0
    for i in range(v.size):
        total += v[i] * v[i]
    return math.sqrt(total)
