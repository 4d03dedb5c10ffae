"""Bases of a stack of basis pursuits, improved by pivots of the simplex method."""

import math
from typing import Any

from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.columns import columns_of, times
from linreg_mirror.solvers.batches.stack import Stack

_STEEP = 1e-11  # slope beyond one, and weight for each of the entering one: what rounding leaves of zero
_TIED = 1e-12  # of the largest weight


def pivoted(stack: Stack, basis: Any, pivots: int) -> Any:
    """Improve bases until their interpolators have the least L1 norm, or the pivots are spent; return the bases.

    Parameters
    ----------
    stack : Stack
        Problems.
    basis : array of int, shape (B, n)
        Columns; bases that are singular stay as they are.
    pivots : int
        Budget; each costs an inverse.
    """
    xp, basis = stack.xp, basis + 0
    places = xp.arange(len(basis), device=basis.device)
    for _ in range(pivots):
        moved, going = _pivot(stack, basis[places])
        if not bool(xp.any(going)):
            break
        places, moved = places[going], moved[going]
        basis[places] = moved
        stack = stack.part(xp.nonzero(going)[0])
    return basis


def _pivot(stack: Stack, basis: Any) -> tuple[Any, Any]:
    """Return the next bases, and where they are better."""
    xp, n = stack.xp, basis.shape[1]
    inverse, sound = linear_algebra.general_inverse(columns_of(stack, basis))
    values = times(inverse, stack.y)
    signs = signs_of(values)
    slopes = stack.pull(times(xp.matrix_transpose(inverse), signs))
    entering = xp.argmax(xp.abs(slopes), axis=-1)[:, None]
    slope = xp.take_along_axis(slopes, entering, axis=1)
    direction = signs * times(inverse, xp.sign(slope) * columns_of(stack, entering)[..., 0])
    falling = direction > _STEEP
    ratios = xp.where(falling, xp.clip(signs * values / direction, 0.0, None), math.inf)
    least = xp.min(ratios, axis=-1, keepdims=True)
    # Of (nearly) equal ratios the largest pivot loses least to rounding.
    size = xp.max(xp.abs(values), axis=-1, keepdims=True)
    ties = falling & (ratios <= least + _TIED * size)
    leaving = xp.argmax(xp.where(ties, direction, 0.0), axis=-1)[:, None]
    leaves = xp.arange(n, device=basis.device)[None, :] == leaving
    going = sound & (xp.abs(slope[:, 0]) > 1 + _STEEP) & xp.any(falling, axis=-1)
    return xp.where(leaves, entering, basis), going


def signs_of(values: Any) -> Any:
    """Return 1 or -1 for each entry."""
    xp = namespace(values)
    return xp.copysign(xp.ones_like(values), values)
