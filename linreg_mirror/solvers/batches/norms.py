"""Norms of stacks of vectors and matrices."""

from typing import Any

from linreg_mirror.mirrors.protocol import namespace


def norm(v: Any, axis: int = -1) -> Any:
    """Return 2-norms along an axis, also where squares would overflow or vanish."""
    xp = namespace(v)
    most = largest(v, axis)
    unit = xp.where(most > 0, most, 1.0)
    return xp.squeeze(unit, axis=axis) * xp.sqrt(xp.sum((v / unit) ** 2, axis=axis))


def size(matrices: Any) -> Any:
    """Return Frobenius norms."""
    return norm(namespace(matrices).reshape(matrices, (len(matrices), -1)))


def largest(v: Any, axis: int = -1) -> Any:
    """Return the largest size along an axis, which stays."""
    xp = namespace(v)
    return xp.max(xp.abs(v), axis=axis, keepdims=True)
