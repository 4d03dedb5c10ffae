"""Chosen columns of a stack of matrices, and vectors that live on them."""

from typing import Any

from linreg_mirror.solvers.batches.stack import Stack


def columns_of(stack: Stack, at: Any) -> Any:
    """Return columns of X, shape (B, n, k), for indices of shape (B, k)."""
    xp, (B, k), (n, d) = stack.xp, at.shape, stack.X.shape[-2:]
    return xp.take_along_axis(xp.broadcast_to(stack.X, (B, n, d)), xp.broadcast_to(at[:, None, :], (B, n, k)), axis=2)


def placed(stack: Stack, at: Any, values: Any) -> Any:
    """Return vectors, shape (B, d), with these values at indices of shape (B, k), and zero elsewhere."""
    xp = stack.xp
    x = xp.zeros_like(stack.X[:1, 0, :] + values[:, :1])
    x[xp.arange(len(at), device=at.device)[:, None], at] = values
    return x


def times(matrices: Any, v: Any) -> Any:
    """Return each matrix times its vector, shape (B, n)."""
    return (matrices @ v[..., None])[..., 0]
