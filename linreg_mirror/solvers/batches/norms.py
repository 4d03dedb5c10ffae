"""Norms of stacks of vectors and matrices."""

from typing import Any

from linreg_mirror.mirrors.protocol import namespace


def norm(v: Any) -> Any:
    """Return 2-norms of the last axis, also where squares would overflow or vanish."""
    xp = namespace(v)
    most = largest(v)
    unit = xp.where(most > 0, most, 1.0)
    return unit[..., 0] * xp.sqrt(xp.sum((v / unit) ** 2, axis=-1))


def size(matrices: Any) -> Any:
    """Return Frobenius norms."""
    return norm(namespace(matrices).reshape(matrices, (len(matrices), -1)))


def largest(v: Any) -> Any:
    """Return the largest size in the last axis, which stays."""
    xp = namespace(v)
    return xp.max(xp.abs(v), axis=-1, keepdims=True)
