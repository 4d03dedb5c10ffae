"""Products of a stack of matrices with vectors of 106 bits: compiled loops for NumPy arrays, plain ones for tensors."""

from typing import Any

import numpy as np

from linreg_mirror._tools.double_double import Pair, two_sum
from linreg_mirror.mirrors.protocol import namespace

_SPLIT = 134217729.0  # 2^27 + 1


def exact(array: Any) -> Pair:
    """Return the pair of an array that is exact as it is."""
    return Pair(array, namespace(array).zeros_like(array))


def products(X: Any, v: Pair) -> Pair:
    """Return Xv, wrong by at most about (d eps)^2 |X||v|, shape (B, n).

    Parameters
    ----------
    X : array, shape (B, n, d) or (1, n, d)
        Below 1e300, or the splitting overflows.
    v : Pair of shape (B, d)
        The vectors.
    """
    if type(X) is np.ndarray:
        return Pair(*_kernels().products(X, v.hi, v.lo))
    return _accumulated(X.mT, v)


def transposed_products(X: Any, s: Pair) -> Pair:
    """Return X's, wrong by at most about (n eps)^2 |X|'|s|, shape (B, d).

    Parameters
    ----------
    X : array, shape (B, n, d) or (1, n, d)
        Below 1e300, or the splitting overflows.
    s : Pair of shape (B, n)
        The vectors.
    """
    if type(X) is np.ndarray:
        return Pair(*_kernels().transposed_products(X, s.hi, s.lo))
    return _accumulated(X, s)


def _accumulated(X: Any, s: Pair) -> Pair:
    """Return X's by Ogita, Rump and Oishi's Dot2, row after row."""
    xp = namespace(X)
    high = low = xp.zeros_like(X[..., 0, :] * s.hi[..., :1])
    for i in range(X.shape[-2]):
        term, error = _two_product(X[..., i, :], s.hi[..., i, None])
        high, lost = two_sum(high, term)
        low = low + (error + lost + X[..., i, :] * s.lo[..., i, None])
    return Pair(*two_sum(high, low))


def _two_product(a: Any, b: Any) -> tuple[Any, Any]:
    """Return fl(ab) and its error, exactly (Dekker, Veltkamp)."""
    product = a * b
    (a_high, a_low), (b_high, b_low) = _split(a), _split(b)
    return product, a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)


def _split(a: Any) -> tuple[Any, Any]:
    c = _SPLIT * a
    high = c - (c - a)
    return high, a - high


def _kernels() -> Any:
    from linreg_mirror.solvers.batches import kernels

    return kernels
