"""Weights of a stack of LASSO problems, corrected until their supports are right."""

from typing import Any, NamedTuple

from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.columns import columns_of, placed, times
from linreg_mirror.solvers.batches.stack import Stack

_FADED = 1e-6  # of the largest weight: what a smoothed norm leaves of weights that are zero
_CORRECTIONS = 300  # of supports; a handful is usual
_RIDGE = 1e-12  # of the Gram matrix of a support that is being corrected
_OVER = 1e-8  # the weight, by which slopes off the support count as beyond it


class Support(NamedTuple):
    """Columns whose weights are not zero, as many for each problem; some are zero where it has fewer.

    Attributes
    ----------
    at : array of int, shape (B, k)
        Which.
    signs : array, shape (B, k)
        Signs of their weights, zero for those of weight zero.
    kept : array, shape (B, k)
        Ones, zeros for those of weight zero.
    columns : array, shape (B, n, k)
        Columns, zero where weights are.
    gram : array, shape (B, k, k)
        Their Gram matrix, with a number of its size on the diagonal where columns are zero.
    """

    at: Any
    signs: Any
    kept: Any
    columns: Any
    gram: Any


def support_of(stack: Stack, signs: Any, k: int, ridge: float = 0.0) -> Support:
    """Return the support of weights with these signs.

    Parameters
    ----------
    stack : Stack
        Problems.
    signs : array, shape (B, d)
        Signs of weights, of which those that are not zero come first.
    k : int
        How many columns.
    ridge : float
        To add to the diagonal, relative to its largest entry.
    """
    xp = stack.xp
    at = xp.argsort(-xp.abs(signs), axis=-1)[:, :k]
    signs = xp.take_along_axis(signs, at, axis=1)
    kept = xp.abs(signs)
    columns = columns_of(stack, at) * kept[:, None, :]
    sizes = xp.max(xp.sum(columns * columns, axis=-2), axis=-1, keepdims=True)
    sizes = xp.where(sizes > 0, sizes, 1.0) * ((1 - kept) + ridge)
    eye = xp.eye(kept.shape[-1], dtype=kept.dtype, device=kept.device)
    return Support(at, signs, kept, columns, xp.matrix_transpose(columns) @ columns + eye * sizes[:, None, :])


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
    xp, size = stack.xp, namespace(guess).abs(guess)
    x = xp.where(size > _FADED * xp.max(size, axis=-1, keepdims=True), guess, 0.0)
    signs = xp.sign(x)
    found, places = x + 0, xp.arange(len(x), device=x.device)
    for _ in range(_CORRECTIONS):
        x, there = _down(stack, weight, x, signs)
        signs, enters = _entered(stack, weight, x, there)
        over = (there & ~enters)[:, 0] | ~xp.isfinite(xp.sum(x, axis=-1))
        if bool(xp.any(over)):
            found[places[over]] = x[over]
            going = xp.nonzero(~over)[0]
            if not len(going):
                break
            stack, x, signs, places, weight = stack.part(going), x[going], signs[going], places[going], weight[going]
    return found


def _down(stack: Stack, weight: Any, x: Any, signs: Any) -> tuple[Any, Any]:
    """Return the least point on each support, or the point on the way where a weight vanishes; and where it is least.

    A support may have a column more than there are samples: then the way is along the kernel.
    """
    xp = stack.xp
    at, sign, kept, columns, gram = support_of(stack, signs, stack.X.shape[-2] + 1, _RIDGE)
    L, _ = linear_algebra.cholesky(gram)
    least = kept * linear_algebra.solve(L, times(xp.matrix_transpose(columns), stack.y) - weight * sign)
    before = xp.take_along_axis(x, at, axis=1)
    crossing = (kept > 0) & (sign * least <= 0)
    ratios = xp.where(crossing, before / (before - least), 1.0)
    t = xp.min(ratios, axis=-1, keepdims=True)
    values = xp.where(crossing & (ratios <= t), 0.0, before + t * (least - before))
    there = ~xp.any(crossing, axis=-1, keepdims=True)
    return placed(stack, at, kept * xp.where(there, least, values)), there


def _entered(stack: Stack, weight: Any, x: Any, there: Any) -> tuple[Any, Any]:
    """Return the signs of weights and of the one that must not stay zero, and where there is one."""
    xp, signs = stack.xp, namespace(x).sign(x)
    slopes = stack.pull(stack.y - stack.of(x))
    violation = xp.where(signs == 0, xp.abs(slopes), 0.0)
    worst = xp.max(violation, axis=-1, keepdims=True)
    enters = there & (violation == worst) & (worst > weight * (1 + _OVER))
    return xp.where(enters, xp.sign(slopes), signs), xp.any(enters, axis=-1, keepdims=True)
