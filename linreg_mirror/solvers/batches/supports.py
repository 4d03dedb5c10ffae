"""Supports of a stack of LASSO problems: corrected until they are right, and proved as `error_bars.lasso` does."""

from typing import Any, NamedTuple

from linreg_mirror._tools.double_double import Pair
from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.columns import columns_of, placed, times
from linreg_mirror.solvers.batches.factors import factors, norm
from linreg_mirror.solvers.batches.pairs import exact, products, transposed_products
from linreg_mirror.solvers.batches.stack import Stack
from linreg_mirror.solvers.error_bars.rows import UNIT

_FADED = 1e-6  # of the largest weight: what a smoothed norm leaves of weights that are zero
_CORRECTIONS = 300  # of supports; a handful is usual
_RIDGE = 1e-12  # of the Gram matrix of a support that is being corrected
_OVER = 1e-8  # the weight, by which slopes off the support count as beyond it
_ROUNDS = 3  # of residuals of 106 bits


class Proved(NamedTuple):
    """Weights, residuals, and how far weights are from the LASSO solution.

    Attributes
    ----------
    x : array, shape (B, d)
        Weights.
    residual : Pair of shape (B, n)
        y - Xx, for x before it was rounded.
    error : array, shape (B,)
        Upper bounds of |x - x*|_1; inf where nothing is proved.
    """

    x: Any
    residual: Pair
    error: Any


def corrected(stack: Stack, weight: Any, guess: Any) -> Any:
    """Move weights to the LASSO solutions by an active set: down on their supports, which change one by one.

    Parameters
    ----------
    stack : Stack
        Problems.
    weight : array, shape (B, 1)
        Positive.
    guess : array, shape (B, d)
        Weights, up to small ones.

    Notes
    -----
    Lee, Battle, Raina, Ng, Efficient sparse coding algorithms (2006), feature-sign search.
    """
    xp, n = stack.xp, stack.X.shape[-2]
    size = xp.abs(guess)
    x = xp.where(size > _FADED * xp.max(size, axis=-1, keepdims=True), guess, 0 * guess)
    signs = xp.sign(x)
    found, places = x + 0, xp.arange(len(x), device=x.device)
    for _ in range(_CORRECTIONS):
        # A column more than there are samples: then along the kernel, until a weight vanishes.
        at, kept = _support(signs, n + 1)
        sign = xp.take_along_axis(signs, at, axis=1)
        columns = columns_of(stack, at) * kept[:, None, :]
        transposed = xp.matrix_transpose(columns)
        sizes = xp.max(xp.sum(columns * columns, axis=-2), axis=-1, keepdims=True)
        L, _ = linear_algebra.cholesky(transposed @ columns + _diagonal((1 - kept) + _RIDGE * sizes))
        v = kept * linear_algebra.solve(L, times(transposed, stack.y) - weight * sign)
        before = xp.take_along_axis(x, at, axis=1)
        crossing = (kept > 0) & (sign * v <= 0)
        whole = ~xp.any(crossing, axis=-1, keepdims=True)
        ratios = xp.where(crossing, before / xp.where(crossing, before - v, 1 + 0 * v), 1 + 0 * v)
        t = xp.min(ratios, axis=-1, keepdims=True)
        values = xp.where(crossing & (ratios <= t), 0 * v, before + t * (v - before))
        values = xp.where(whole, v, values)
        x = placed(stack, at, kept * values)
        signs = xp.sign(x)
        slopes = stack.pull(stack.y - stack.of(x))
        violation = xp.where(signs == 0, xp.abs(slopes), 0 * slopes)
        worst = xp.max(violation, axis=-1, keepdims=True)
        enters = whole & (violation == worst) & (worst > weight * (1 + _OVER))
        signs = xp.where(enters, xp.sign(slopes), signs)
        over = (whole & ~xp.any(enters, axis=-1, keepdims=True))[:, 0] | ~xp.isfinite(xp.sum(x, axis=-1))
        if bool(xp.any(over)):
            found[places[over]] = x[over]
            going = xp.nonzero(~over)[0]
            if not len(going):
                break
            stack, x, signs, places, weight = stack.part(going), x[going], signs[going], places[going], weight[going]
    return found


def proved(stack: Stack, weight: Any, x: Any) -> Proved:
    """Solve for the weights on supports, with residuals of 106 bits, and bound the errors.

    Parameters
    ----------
    stack : Stack
        Problems.
    weight : array, shape (B, 1)
        Positive.
    x : array, shape (B, d)
        Weights with the supports and signs of the solutions, at most n each.
    """
    xp, n = stack.xp, stack.X.shape[-2]
    signs = xp.sign(x)
    at, kept = _support(signs, n)
    sign = xp.take_along_axis(signs, at, axis=1)
    columns = columns_of(stack, at) * kept[:, None, :]
    part = Stack(columns, stack.y, stack.mirror, stack.decay)
    transposed = xp.matrix_transpose(columns)
    whole = factors(transposed @ columns + _diagonal(1 - kept), n)
    aim, v = exact(weight * sign), exact(0 * sign)

    def wanting(v: Pair) -> tuple[Pair, Any]:
        """Return y - Xv, and the gradient that vanishes at the solution."""
        r = exact(stack.y) - products(columns, v)
        return r, (transposed_products(columns, r) - aim).hi

    for _ in range(_ROUNDS):
        v = v + exact(kept * linear_algebra.solve(whole.L, wanting(v)[1]))
    r, left = wanting(v)
    sizes = xp.sum(part.lengths * xp.abs(v.hi), axis=-1) + norm(stack.y)
    inexact = 2 * UNIT * norm(left) + (2 * n * UNIT) ** 2 * (
        norm(part.lengths) * norm(r.hi) + norm(weight * sign) + norm(part.lengths) * sizes
    )
    # |X_S'v|_{H^-1} <= |v|_2 for what rounding has made of the residual.
    eta = 1.01 * whole.norm(left, inexact) + (2 * (n + 2) * UNIT) ** 2 * sizes
    entries = (whole.size / xp.sqrt(whole.kept) * eta)[:, None] + UNIT * xp.abs(v.hi)
    entries = 1.01 * kept * entries

    slopes = transposed_products(stack.X, r).hi
    rounding = (2 * (n + 2) * UNIT) ** 2 * stack.lengths * norm(r.hi)[:, None] + UNIT * xp.abs(slopes)
    bound = xp.abs(slopes) + 1.01 * (rounding + stack.lengths * eta[:, None])
    right = (kept == 0) | (sign * v.hi > entries)
    below = (signs != 0) | (bound < weight)
    error = 1.01 * xp.sum(entries, axis=-1)
    sound = whole.sound & xp.all(right, axis=-1) & xp.all(below, axis=-1) & xp.isfinite(error)
    sound = sound & (xp.sum(kept, axis=-1) == xp.sum(xp.abs(signs), axis=-1))
    return Proved(placed(stack, at, kept * v.hi), r, xp.where(sound, error, 0 * error + float("inf")))


def _support(signs: Any, n: int) -> tuple[Any, Any]:
    """Return indices of n entries, those that are not zero first, and ones where they are not."""
    xp = namespace(signs)
    at = xp.argsort(-xp.abs(signs), axis=-1)[:, :n]
    return at, xp.abs(xp.take_along_axis(signs, at, axis=1))


def _diagonal(v: Any) -> Any:
    xp = namespace(v)
    return xp.eye(v.shape[-1], dtype=v.dtype, device=v.device) * v[:, None, :]
