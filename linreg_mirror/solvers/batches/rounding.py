"""Upper bounds of what rounding does to products of a stack: of sums of n terms with 106 bits, about (n eps)^2."""

from typing import Any

from linreg_mirror._tools.double_double import Pair
from linreg_mirror.solvers.batches.norms import norm
from linreg_mirror.solvers.batches.pairs import exact, products
from linreg_mirror.solvers.batches.stack import Stack
from linreg_mirror.solvers.error_bars.rows import UNIT

_UNDERFLOW = 1e-321  # for each term: what the error of a product loses below the least float


def residual(stack: Stack, x: Pair) -> tuple[Pair, Any]:
    """Return y - Xx, shape (B, n), and bounds of its error in the 2-norm, shape (B,).

    Parameters
    ----------
    stack : Stack
        Problems.
    x : Pair of shape (B, d)
        Weights.
    """
    xp, (n, d) = stack.xp, stack.X.shape[-2:]
    sizes = xp.sum(stack.lengths * xp.abs(x.hi), axis=-1) + norm(stack.y)
    return exact(stack.y) - products(stack.X, x), (2 * (d + 2) * UNIT) ** 2 * sizes + n * d * _UNDERFLOW


def rounded(v: Pair, inexact: Any) -> tuple[Any, Any]:
    """Return v in float64, and bounds of its error in the 2-norm.

    Parameters
    ----------
    v : Pair of shape (B, n)
        Vectors.
    inexact : array, shape (B,)
        Bounds of the errors that they have already.
    """
    return v.hi, inexact + 2 * UNIT * norm(v.hi)


def of_pull(stack: Stack, s: Pair) -> Any:
    """Return bounds of the errors of X's, shape (B, d).

    Parameters
    ----------
    stack : Stack
        Problems.
    s : Pair of shape (B, n)
        Vectors.
    """
    n = stack.X.shape[-2]
    return 8 * (n + 2) ** 2 * UNIT**2 * norm(s.hi)[:, None] * stack.lengths + n * _UNDERFLOW
