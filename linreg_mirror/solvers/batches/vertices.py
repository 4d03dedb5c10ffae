"""Vertices of a stack of basis pursuits: weights on bases and dual vectors, proved as in `error_bars.sharpness`."""

import math
from typing import Any, NamedTuple

from linreg_mirror._tools.double_double import Pair
from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.answers import Answers
from linreg_mirror.solvers.batches.columns import columns_of, placed, times
from linreg_mirror.solvers.batches.factors import Factors
from linreg_mirror.solvers.batches.norms import size
from linreg_mirror.solvers.batches.pairs import exact, transposed_products
from linreg_mirror.solvers.batches.pivots import signs_of
from linreg_mirror.solvers.batches.rounding import of_pull, residual, rounded
from linreg_mirror.solvers.batches.stack import Stack
from linreg_mirror.solvers.error_bars.rows import UNIT

_ZERO = 1e-11  # of the largest entry: what a linear solve leaves of an entry that is zero
_ROUNDS = 3  # of residuals of 106 bits


class Bases(NamedTuple):
    """Columns of weight, shape (B, n, n), others being zero; about their left inverses; ones where columns count.

    `lost` bounds the 1-norm of inverse @ columns - 1; below 1, columns are independent.
    """

    at: Any
    columns: Any
    inverse: Any
    kept: Any
    lost: Any


def vertices(stack: Stack, whole: Factors, basis: Any, guess: Any) -> Answers:
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
    xp, bases = stack.xp, bases_of(stack, basis)
    kept, p = bases.kept, weights_on(stack, bases)
    wanted = kept * signs_of(p.hi)
    s = exact(xp.where(xp.all(kept > 0, axis=-1, keepdims=True), 0.0, guess))
    s = duals_on(stack, bases, exact(wanted), s)
    return Answers(placed(stack, basis, p.hi * kept), s, errors(stack, whole, bases, p, s))


def errors(stack: Stack, whole: Factors, bases: Bases, p: Pair, s: Pair) -> Any:
    """Return upper bounds of the distances of weights on bases, as they are, from interpolators of least L1 norm.

    Parameters
    ----------
    stack : Stack
        Problems.
    whole : Factors
        Of XX'.
    bases : Bases
        Columns.
    p : Pair of shape (B, n)
        Weights on them.
    s : Pair of shape (B, n)
        Dual vectors.
    """
    xp, d = stack.xp, stack.X.shape[-1]
    _, columns, _, kept, lost = bases
    missing = (exact(kept * signs_of(p.hi)) - transposed_products(columns, s)).hi
    slopes, rounding = transposed_products(stack.X, s), of_pull(stack, s)
    inexact = xp.max(xp.abs(missing), axis=-1) + xp.max(rounding, axis=-1)

    # That p + eta is an interpolator costs at most twice the threshold.
    eta = d**0.5 * off_by(stack, whole, bases, p)
    on = placed(stack, bases.at, kept) > 0
    sign = signs_of(slopes.hi)
    slack = ((1 - sign * slopes.hi) - sign * slopes.lo) * (1 - 4 * UNIT) - rounding - 4 * UNIT * xp.abs(slopes.lo)
    slack = xp.where(on, 1.0, slack)
    weight = xp.sum(xp.abs(p.hi), axis=-1)
    gap = 2.02 * (eta + inexact * weight)
    K = shares(stack, bases)
    worst = xp.where(on, 0.0, 1 + 1.01 * K)
    error = 1.01 * (gap * xp.max(worst / slack, axis=-1) + (1 + xp.max(worst, axis=-1)) * eta) + UNIT * weight
    sound = (lost < 0.1) & whole.sound & (xp.min(slack, axis=-1) > 0) & xp.isfinite(error)
    return xp.where(sound, error, math.inf)


def weights_on(stack: Stack, bases: Bases) -> Pair:
    """Return the weights on bases that fit the targets best, shape (B, n).

    Parameters
    ----------
    stack : Stack
        Problems.
    bases : Bases
        Independent columns.
    """
    part, p = stack.with_features(bases.columns), exact(stack.xp.zeros_like(stack.y))
    for _ in range(_ROUNDS):
        p = p + exact(bases.kept * times(bases.inverse, residual(part, p)[0].hi))
    return p


def duals_on(stack: Stack, bases: Bases, wanted: Pair, s: Pair, rounds: int = _ROUNDS) -> Pair:
    """Return dual vectors close to these whose products with the columns of bases are as wanted, shape (B, n).

    Parameters
    ----------
    stack : Stack
        Problems.
    bases : Bases
        Independent columns.
    wanted : Pair of shape (B, n)
        Products.
    s : Pair of shape (B, n)
        Where to begin.
    rounds : int
        Of residuals of 106 bits.
    """
    for _ in range(rounds):
        missing = (wanted - transposed_products(bases.columns, s)).hi
        s = s + exact(times(stack.xp.matrix_transpose(bases.inverse), missing))
    return s


def off_by(stack: Stack, whole: Factors, bases: Bases, p: Pair) -> Any:
    """Return an upper bound of |eta|_2, shape (B,), for some eta that makes p on the bases an interpolator.

    Parameters
    ----------
    stack : Stack
        Problems.
    whole : Factors
        Of XX'.
    bases : Bases
        Columns.
    p : Pair of shape (B, n)
        Weights on them.
    """
    return whole.norm(*rounded(*residual(stack.with_features(bases.columns), p)))


def shares(stack: Stack, bases: Bases) -> Any:
    """Return upper bounds of |X_S^+ X_j|_1, shape (B, d): what a weight off the basis costs on it.

    Parameters
    ----------
    stack : Stack
        Problems.
    bases : Bases
        Columns S.
    """
    xp, n = stack.xp, stack.X.shape[-2]
    inexact = n**1.5 * UNIT * size(bases.inverse)[:, None] * stack.lengths
    return (xp.sum(xp.abs(bases.inverse @ stack.X), axis=-2) + inexact) / (1 - bases.lost)[:, None]


def bases_of(stack: Stack, at: Any) -> Bases:
    """Leave out of each basis the columns that have no weight, but for rounding.

    Parameters
    ----------
    stack : Stack
        Problems.
    at : array of int, shape (B, n)
        Columns.
    """
    xp, n = stack.xp, stack.X.shape[-2]
    columns = columns_of(stack, at)
    inverse, _ = linear_algebra.general_inverse(columns)
    values = xp.abs(times(inverse, stack.y))
    held = values > _ZERO * xp.max(values, axis=-1, keepdims=True)
    kept = xp.where(held, xp.ones_like(values), 0.0)
    columns = columns * kept[:, None, :]
    if not bool(xp.all(held)):
        inverse = xp.where(xp.all(held, axis=-1)[:, None, None], inverse, _pseudo_inverse(columns, kept))
    inverse = xp.where(xp.isfinite(inverse), inverse, 0.0)
    eye = xp.eye(n, dtype=columns.dtype, device=columns.device) * kept[:, None, :]
    lost = n**0.5 * (size(inverse @ columns - eye) + 4 * n * UNIT * size(inverse) * size(columns))
    return Bases(at, columns, inverse, kept, lost)


def _pseudo_inverse(columns: Any, kept: Any) -> Any:
    """Return about (C'C)^-1 C' for columns C, some of them zero, with zero rows for those; NaN where there is none."""
    xp, n = namespace(columns), columns.shape[-1]
    transposed = xp.matrix_transpose(columns)
    eye = xp.eye(n, dtype=columns.dtype, device=columns.device)
    L, _ = linear_algebra.cholesky(transposed @ columns + eye * (1 - kept)[:, None, :])
    inverse = linear_algebra.inverse(L)
    pseudo = xp.matrix_transpose(inverse) @ (inverse @ transposed)
    # Newton and Schulz: the Gram matrix has the square of the condition number.
    return pseudo + (eye * kept[:, None, :] - pseudo @ columns) @ pseudo
