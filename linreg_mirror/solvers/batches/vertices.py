"""Vertices of a stack of basis pursuits: read off limits at a small scale, improved by pivots, and proved."""

from typing import Any, NamedTuple

from linreg_mirror._tools.double_double import Pair
from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.columns import columns_of, placed, times
from linreg_mirror.solvers.batches.factors import Factors, norm, residual
from linreg_mirror.solvers.batches.pairs import exact, transposed_products
from linreg_mirror.solvers.batches.stack import Stack
from linreg_mirror.solvers.error_bars.rows import UNIT

_ZERO = 1e-11  # of the largest entry: what a linear solve leaves of an entry that is zero
_ROUNDS = 3  # of residuals of 106 bits


class Vertices(NamedTuple):
    """Weights on n columns or fewer, dual vectors, and how far they are from the least L1 norm.

    Attributes
    ----------
    x : array, shape (B, d)
        Weights.
    s : Pair of shape (B, n)
        Dual vectors.
    error : array, shape (B,)
        Upper bounds of |x - x*|_1; inf where nothing is proved.
    """

    x: Any
    s: Pair
    error: Any


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
    places = xp.nonzero(xp.all(basis >= 0, axis=-1))[0]
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
    signs = _signs(values)
    slopes = stack.pull(times(xp.matrix_transpose(inverse), signs))
    entering = xp.argmax(xp.abs(slopes), axis=-1)[:, None]
    slope = xp.take_along_axis(slopes, entering, axis=1)
    direction = signs * times(inverse, xp.sign(slope) * columns_of(stack, entering)[..., 0])
    falling = direction > 1e-11
    ratios = xp.clip(signs * values / xp.where(falling, direction, 1 + 0 * direction), 0.0, None)
    ratios = xp.where(falling, ratios, float("inf") + 0 * ratios)
    least = xp.min(ratios, axis=-1, keepdims=True)
    # Of (nearly) equal ratios the largest pivot loses least to rounding.
    ties = falling & (ratios <= least + 1e-12 * (1 + least))
    leaving = xp.argmax(xp.where(ties, direction, 0 * direction), axis=-1)[:, None]
    leaves = xp.arange(n, device=basis.device)[None, :] == leaving
    going = sound & (xp.abs(slope[:, 0]) > 1 + 1e-11) & xp.any(falling, axis=-1)
    return xp.where(leaves, entering, basis), going


def vertices(stack: Stack, whole: Factors, basis: Any, guess: Any) -> Vertices:
    """Solve for the weights on bases and for dual vectors, and bound the errors as `vertex_bar` does of one.

    Parameters
    ----------
    stack : Stack
        Problems.
    whole : Factors
        Of XX'.
    basis : array of int, shape (B, n)
        Columns, of which those count that have weight.
    guess : array, shape (B, n)
        Dual vectors, which decide about other columns where fewer than n have weight.
    """
    xp, (n, d) = stack.xp, stack.X.shape[-2:]
    columns = columns_of(stack, basis)
    inverse, sound = linear_algebra.general_inverse(columns)
    values = times(inverse, stack.y)
    held = xp.abs(values) > _ZERO * xp.max(xp.abs(values), axis=-1, keepdims=True)
    one = xp.ones_like(values)
    kept = xp.where(held, one, 0 * one)
    columns = columns * kept[:, None, :]
    if not bool(xp.all(held)):
        pseudo, still = _pseudo_inverse(columns, kept)
        full = xp.all(held, axis=-1)
        inverse, sound = xp.where(full[:, None, None], inverse, pseudo), sound & (full | still)
    inverse = xp.where(xp.isfinite(inverse), inverse, 0 * one[:, :, None])
    # |X_S^+ X_S - 1| for the pseudo-inverse as it is rounded.
    eye = xp.eye(n, dtype=one.dtype, device=one.device) * kept[:, None, :]
    left = xp.sqrt(xp.sum((inverse @ columns - eye) ** 2, axis=(-2, -1)))
    sizes = xp.sqrt(xp.sum(inverse**2, axis=(-2, -1))) * xp.sqrt(xp.sum(columns**2, axis=(-2, -1)))
    lost = n**0.5 * (left + 4 * n * UNIT * sizes)
    sound = sound & (lost < 0.1)

    part = Stack(columns, stack.y, stack.mirror, stack.decay)
    p = exact(0 * one)
    for _ in range(_ROUNDS):
        p = p + exact(kept * times(inverse, residual(part, p)[0]))
    wanted = kept * _signs(p.hi)
    s = exact(xp.where(xp.all(held, axis=-1)[:, None], 0 * guess, guess))
    transposed = xp.matrix_transpose(inverse)
    for _ in range(_ROUNDS):
        s = s + exact(times(transposed, (exact(wanted) - transposed_products(columns, s)).hi))
    met = xp.abs((exact(wanted) - transposed_products(columns, s)).hi)
    slopes = transposed_products(stack.X, s)
    rounding = 8 * (n + 2) ** 2 * UNIT**2 * norm(s.hi)[:, None] * stack.lengths
    inexact = xp.max(met, axis=-1) + xp.max(rounding, axis=-1)

    # p + eta is an interpolator for some eta of this norm; that costs at most twice the threshold.
    eta = d**0.5 * whole.norm(*residual(part, p))
    on = placed(stack, basis, kept) > 0
    sign = xp.where(slopes.hi < 0, -1 + 0 * slopes.hi, 1 + 0 * slopes.hi)
    slack = ((1 - sign * slopes.hi) - sign * slopes.lo) * (1 - 4 * UNIT) - rounding - 4 * UNIT * xp.abs(slopes.lo)
    slack = xp.where(on, 1 + 0 * slack, slack)
    size = xp.sum(xp.abs(p.hi), axis=-1)
    gap = 2.02 * eta + inexact * size
    worst = xp.where(on, 0 * slack, 1 + 1.01 * xp.sum(xp.abs(inverse @ stack.X), axis=-2) / (1 - lost)[:, None])
    error = 1.01 * (gap * xp.max(worst / slack, axis=-1) + xp.max(worst, axis=-1) * eta) + 1.01 * eta + UNIT * size
    sound = sound & whole.sound & (xp.min(slack, axis=-1) > 0) & xp.isfinite(error)
    return Vertices(placed(stack, basis, p.hi * kept), s, xp.where(sound, error, 0 * size + float("inf")))


def _pseudo_inverse(columns: Any, kept: Any) -> tuple[Any, Any]:
    """Return (C'C)^-1 C' for columns C, some of them zero, with zero rows for those; and where there is one."""
    xp, n = namespace(columns), columns.shape[-1]
    transposed = xp.matrix_transpose(columns)
    eye = xp.eye(n, dtype=columns.dtype, device=columns.device)
    L, positive = linear_algebra.cholesky(transposed @ columns + eye * (1 - kept)[:, None, :])
    inverse = linear_algebra.inverse(L)
    pseudo = xp.matrix_transpose(inverse) @ (inverse @ transposed)
    # Newton and Schulz: the Gram matrix has the square of the condition number.
    return pseudo + (eye * kept[:, None, :] - pseudo @ columns) @ pseudo, positive


def _signs(values: Any) -> Any:
    xp = namespace(values)
    return xp.where(values < 0, -xp.ones_like(values), xp.ones_like(values))
