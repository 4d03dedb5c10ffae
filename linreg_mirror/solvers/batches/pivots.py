"""Bases of a stack of basis pursuits, improved by pivots of the simplex method."""

import math
from typing import Any

import numpy as np

from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.columns import columns_of, times
from linreg_mirror.solvers.batches.stack import Stack

_STEEP = 1e-11  # slope beyond one, and weight for each of the entering one: what rounding leaves of zero
_TIED = 1e-12  # of the largest weight
_REFACTOR = 50  # pivots between two fresh inverses


def pivoted(stack: Stack, basis: Any, pivots: int) -> Any:
    """Improve bases until their interpolators have the least L1 norm, or the pivots are spent; return the bases.

    Parameters
    ----------
    stack : Stack
        Problems.
    basis : array of int, shape (B, n)
        Columns; bases that are singular stay as they are.
    pivots : int
        Budget.
    """
    xp, basis = stack.xp, basis + 0
    if type(stack.X) is np.ndarray:
        _in_compiled_code(stack, basis, pivots)
        return basis
    inverse, going = linear_algebra.general_inverse(columns_of(stack, basis))
    places = xp.nonzero(going)[0]
    stack, inverse = stack.part(places), inverse[places]
    for _ in range(pivots):
        entering, leaving, direction, going = _exchange(stack, inverse)
        if not bool(xp.any(going)):
            break
        left = xp.nonzero(going)[0]
        places, stack = places[left], stack.part(left)
        basis[places, leaving[left]] = entering[left]
        inverse = _exchanged(inverse[left], direction[left], leaving[left])
    return basis


def _in_compiled_code(stack: Stack, basis: Any, pivots: int) -> None:
    """Improve bases in place, each problem's own as of `limit.crossover`; those that are singular stay as they are."""
    from linreg_mirror.solvers.batches.kernels import exchanges

    going, used = np.arange(len(basis)), 0
    while len(going) and used < pivots:
        part, at, budget = stack.part(going), basis[going], min(_REFACTOR, pivots - used)
        inverse, sound = linear_algebra.general_inverse(columns_of(part, at))
        values = times(inverse, part.y)
        signs = signs_of(values)
        columns = np.ascontiguousarray(part.X.mT)
        taken = exchanges(columns, signs[:, :, None] * inverse, signs * values, at, signs, np.where(sound, budget, 0))
        basis[going], used = at, used + budget
        going = going[taken == budget]


def _exchange(stack: Stack, inverse: Any) -> tuple[Any, Any, Any, Any]:
    """Return the columns that enter bases and the places they enter at, B^-1 times them, and where that is better."""
    xp = stack.xp
    values = times(inverse, stack.y)
    signs = signs_of(values)
    slopes = stack.pull(times(xp.matrix_transpose(inverse), signs))
    entering = xp.argmax(xp.abs(slopes), axis=-1)[:, None]
    slope = xp.take_along_axis(slopes, entering, axis=1)
    direction = times(inverse, columns_of(stack, entering)[..., 0])
    fall = signs * xp.sign(slope) * direction
    falling = fall > _STEEP
    ratios = xp.where(falling, xp.clip(signs * values / fall, 0.0, None), math.inf)
    least = xp.min(ratios, axis=-1, keepdims=True)
    # Of (nearly) equal ratios the largest pivot loses least to rounding.
    size = xp.max(xp.abs(values), axis=-1, keepdims=True)
    ties = falling & (ratios <= least + _TIED * size)
    leaving = xp.argmax(xp.where(ties, fall, 0.0), axis=-1)
    going = (xp.abs(slope[:, 0]) > 1 + _STEEP) & xp.any(falling, axis=-1)
    return entering[:, 0], leaving, direction, going


def _exchanged(inverse: Any, direction: Any, leaving: Any) -> Any:
    """Return the inverses of bases in which other columns, of this direction, have taken these places."""
    xp = namespace(inverse)
    places = xp.arange(len(leaving), device=leaving.device)
    row = inverse[places, leaving] / direction[places, leaving][:, None]
    inverse = inverse - direction[:, :, None] * row[:, None, :]
    inverse[places, leaving] = row
    return inverse


def signs_of(values: Any) -> Any:
    """Return 1 or -1 for each entry."""
    xp = namespace(values)
    return xp.copysign(xp.ones_like(values), values)
