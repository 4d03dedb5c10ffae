"""Numbers of 106 bits as sums of two float64, and products of matrices with vectors of such numbers.

The loops are compiled by numba, which is imported when first needed.
"""

from typing import Any, NamedTuple

import numpy as np

from linreg_mirror._types import Array


class Pair(NamedTuple):
    """hi + lo, unevaluated: hi is the sum rounded to float64, lo what that leaves."""

    hi: Array
    lo: Array

    @classmethod
    def of(cls, array: Array) -> "Pair":
        """Return the pair of an array that is exact as it is."""
        return cls(array, np.zeros_like(array))

    def __add__(self, other: "Pair") -> "Pair":  # type: ignore[override]
        hi, low = two_sum(self.hi, other.hi)
        return Pair(*two_sum(hi, low + (self.lo + other.lo)))

    def __mul__(self, other: "Pair") -> "Pair":  # type: ignore[override]
        return Pair(*_kernels().products(self.hi, self.lo, other.hi, other.lo))

    def __neg__(self) -> "Pair":
        return Pair(-self.hi, -self.lo)

    def __sub__(self, other: "Pair") -> "Pair":
        return self + -other

    def times(self, power_of_two: float) -> "Pair":
        """Return the product with a power of two, which is exact."""
        return Pair(power_of_two * self.hi, power_of_two * self.lo)


def two_sum(a: Array, b: Array) -> tuple[Array, Array]:
    """Return fl(a + b) and its error, exactly (Knuth)."""
    total = a + b
    virtual = total - a
    return total, (a - (total - virtual)) + (b - virtual)


def scaled_sinh(q: Pair, log_b: Pair) -> tuple[Pair, Pair]:
    """Return b sinh(q) and 2b cosh(q), with relative errors below 2^-91 where they exceed 1e-290.

    Parameters
    ----------
    q : Pair of shape (d,)
        Exponents.
    log_b : Pair of shape (d,)
        Logarithms of the scales.
    """
    x, x_low, slope, slope_low = _kernels().scaled_sinh(*q, *log_b)
    return Pair(x, x_low), Pair(slope, slope_low)


def product(X: Array, v: Pair) -> Pair:
    """Return Xv, wrong by at most about (d eps)^2 |X||v| (Ogita, Rump and Oishi's Dot2 without its last rounding).

    Parameters
    ----------
    X : array, shape (n, d)
        Below 1e300, or the splitting overflows.
    v : Pair of shape (d,)
        The vector.
    """
    if X.flags.f_contiguous and not X.flags.c_contiguous:
        return Pair(*_kernels().transposed_product(X.T, v.hi, v.lo))
    return Pair(*_kernels().product(X, v.hi, v.lo))


def transposed_product(X: Array, s: Pair) -> Pair:
    """Return X's, wrong by at most about (n eps)^2 |X|'|s|.

    Parameters
    ----------
    X : array, shape (n, d)
        Below 1e300, or the splitting overflows.
    s : Pair of shape (n,)
        The vector.
    """
    return product(X.T, s)


def matrix_residual(X: Array, R: Array, M: Array) -> Array:
    """Return X - R'M for an upper triangle R, right to the last place or to about (n eps)^2 |R|'|M|.

    Parameters
    ----------
    X, M : array, shape (n, d)
        Matrices.
    R : array, shape (n, n)
        Upper triangle.
    """
    return _kernels().matrix_residual(X, R, M)


def _kernels() -> Any:
    from linreg_mirror._tools import double_double_kernels

    return double_double_kernels
