"""Compiled loops over numbers of 106 bits; `double_double` has what they are called by.

Importing this module takes as long as importing numba does.
"""

from fractions import Fraction
from typing import Any

import numba
import numpy as np

from linreg_mirror._tools import double_double
from linreg_mirror._tools.compilation import compiled
from linreg_mirror._types import Array

_SPLIT = 134217729.0  # 2^27 + 1


_two_sum: Any = numba.njit(inline="always")(double_double.two_sum)


@numba.njit(inline="always")
def _two_product(a: float, b: float) -> tuple[float, float]:  # pragma: no cover - compiled
    """Return fl(ab) and its error, exactly (Dekker, Veltkamp)."""
    product = a * b
    c = _SPLIT * a
    a_high = c - (c - a)
    a_low = a - a_high
    c = _SPLIT * b
    b_high = c - (c - b)
    b_low = b - b_high
    return product, a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)


@numba.njit(inline="always")
def _times(a: float, a_low: float, b: float, b_low: float) -> tuple[float, float]:  # pragma: no cover - compiled
    high, low = _two_product(a, b)
    low += a * b_low + a_low * b
    total = high + low
    return total, low - (total - high)


@compiled(double_double)
def products(a: Array, a_low: Array, b: Array, b_low: Array) -> tuple[Array, Array]:  # pragma: no cover - compiled
    high, low = np.empty_like(a), np.empty_like(a)
    for i in range(len(a)):
        high[i], low[i] = _times(a[i], a_low[i], b[i], b_low[i])
    return high, low


_LOG_2 = (0.6931471805599453, 2.3190468138462996e-17, 5.707708438416212e-34)
_HALVINGS = 9
_TERMS = 9  # of the series for arguments up to log(2)/2^10: the next one is below 2^-110
_INVERSES = np.array([(1 / k, float(Fraction(1, k) - Fraction(1 / k))) for k in range(1, _TERMS + 2)])


@numba.njit(error_model="numpy")
def _expm1(hi: Array, lo: Array, k: Array, t: Array, t_low: Array) -> None:  # pragma: no cover - compiled
    """Write exp(r) - 1 and k, where hi + lo = k log(2) + r. Inner loops over entries run in vector registers."""
    d = len(hi)
    r, r_low = np.empty(d), np.empty(d)
    for i in range(d):
        k[i] = np.rint(hi[i] / _LOG_2[0])
        part, error = _two_product(k[i], _LOG_2[0])
        a, a_low = _two_sum(hi[i], -part)
        part, more = _two_product(k[i], _LOG_2[1])
        a, lost = _two_sum(a, -part)
        a_low += lost - error - more + lo[i] - k[i] * _LOG_2[2]
        a, a_low = _two_sum(a, a_low)
        r[i], r_low[i] = a / 2.0**_HALVINGS, a_low / 2.0**_HALVINGS
        t[i], t_low[i] = 1.0, 0.0
    # By Horner's scheme: r (1 + r/2 (1 + r/3 (...))).
    for j in range(_TERMS, 0, -1):
        for i in range(d):
            c, c_low = _times(r[i], r_low[i], _INVERSES[j, 0], _INVERSES[j, 1])
            a, a_low = _times(c, c_low, t[i], t_low[i])
            a, lost = _two_sum(1.0, a)
            t[i], t_low[i] = _two_sum(a, a_low + lost)
    for i in range(d):
        t[i], t_low[i] = _times(r[i], r_low[i], t[i], t_low[i])
    for _ in range(_HALVINGS):  # exp(2r) - 1 = 2 (exp(r) - 1) + (exp(r) - 1)^2
        for i in range(d):
            c, c_low = _times(t[i], t_low[i], t[i], t_low[i])
            a, lost = _two_sum(2 * t[i], c)
            t[i], t_low[i] = _two_sum(a, 2 * t_low[i] + c_low + lost)


@compiled(double_double)
def exp(hi: Array, lo: Array, less: float) -> tuple[Array, Array]:  # pragma: no cover - compiled
    k, high, low = np.empty_like(hi), np.empty_like(hi), np.empty_like(hi)
    _expm1(hi, lo, k, high, low)
    for i in range(len(hi)):
        if hi[i] > 709.0 or hi[i] < -745.0 or hi[i] != hi[i]:
            high[i], low[i] = np.exp(hi[i]) - less, 0.0
            continue
        if k[i] == 0.0 and less == 1.0:
            continue
        t, lost = _two_sum(1.0, high[i])
        t, t_low = _two_sum(t, low[i] + lost)
        half = int(k[i]) // 2
        scale, rest = 2.0**half, 2.0 ** (int(k[i]) - half)
        t, lost = _two_sum(t * scale * rest, -less)
        high[i], low[i] = _two_sum(t, t_low * scale * rest + lost)
    return high, low


@compiled(double_double)
def scaled_sinh(
    q: Array, q_low: Array, log_b: Array, log_b_low: Array
) -> tuple[Array, Array, Array, Array]:  # pragma: no cover - compiled
    h, h_low, fall, fall_low = np.empty_like(q), np.empty_like(q), np.empty_like(q), np.empty_like(q)
    for i in range(len(q)):
        sign = -1.0 if q[i] < 0 else 1.0
        fall[i], fall_low[i] = -2.0 * sign * q[i], -2.0 * sign * q_low[i]
        high, lost = _two_sum(sign * q[i], log_b[i])
        h[i], h_low[i] = _two_sum(high, lost + (sign * q_low[i] + log_b_low[i]))
    up, up_low = exp(h, h_low, 0.0)  # b exp(|q|)
    fall, fall_low = exp(fall, fall_low, 1.0)  # exp(-2|q|) - 1
    for i in range(len(q)):
        half, half_low = 0.5 * up[i], 0.5 * up_low[i]
        x, x_low = _times(half, half_low, -fall[i], -fall_low[i])
        high, lost = _two_sum(2.0, fall[i])
        high, lost = _two_sum(high, lost + fall_low[i])
        high, lost = _times(half, half_low, high, lost)
        sign = -1.0 if q[i] < 0 else 1.0
        up[i], up_low[i], fall[i], fall_low[i] = sign * x, sign * x_low, 2.0 * high, 2.0 * lost
    return up, up_low, fall, fall_low


@compiled(double_double)
def product(X: Array, hi: Array, lo: Array) -> tuple[Array, Array]:  # pragma: no cover - compiled
    n, d = X.shape
    high, low = np.empty(n), np.empty(n)
    for i in range(n):
        total = rest = 0.0
        for j in range(d):
            term, error = _two_product(X[i, j], hi[j])
            total, lost = _two_sum(total, term)
            rest += error + lost + X[i, j] * lo[j]
        high[i], low[i] = _two_sum(total, rest)
    return high, low


@compiled(double_double)
def transposed_product(X: Array, hi: Array, lo: Array) -> tuple[Array, Array]:  # pragma: no cover - compiled
    n, d = X.shape
    high, low = np.zeros(d), np.zeros(d)
    for i in range(n):
        for j in range(d):
            term, error = _two_product(X[i, j], hi[i])
            high[j], lost = _two_sum(high[j], term)
            low[j] += error + lost + X[i, j] * lo[i]
    for j in range(d):
        high[j], low[j] = _two_sum(high[j], low[j])
    return high, low


@compiled(double_double)
def matrix_residual(X: Array, R: Array, M: Array) -> Array:  # pragma: no cover - compiled
    n, d = X.shape
    left = np.empty((n, d))
    rest = np.empty(d)
    for i in range(n):
        left[i] = X[i]
        rest[:] = 0.0
        for k in range(i + 1):
            r = -R[k, i]
            for j in range(d):
                term, error = _two_product(r, M[k, j])
                left[i, j], lost = _two_sum(left[i, j], term)
                rest[j] += error + lost
        for j in range(d):
            left[i, j] += rest[j]
    return left
