"""Lower bounds of Hessians H = X diag(metric) X' of a stack that hold in spite of rounding, as in `error_bars`."""

from typing import Any, NamedTuple

from linreg_mirror._tools.double_double import Pair
from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.pairs import exact, products
from linreg_mirror.solvers.batches.stack import Stack
from linreg_mirror.solvers.error_bars.rows import UNIT


class Factors(NamedTuple):
    """Lower triangles L such that H >= kept LL' for the exact H.

    Attributes
    ----------
    L, inverse : array, shape (B, n, n)
        The triangles and their inverses.
    kept : array, shape (B,)
        Positive; 1 where nothing is proved.
    sound : array of bool, shape (B,)
        Where that is proved.
    """

    L: Any
    inverse: Any
    kept: Any
    sound: Any

    def part(self, at: Any) -> "Factors":
        """Return some of them."""
        return Factors(*(array[at] for array in self))

    @property
    def size(self) -> Any:
        """The Frobenius norm of L^-1, shape (B,)."""
        return _size(self.inverse)

    def norm(self, v: Any, error: Any) -> Any:
        """Return upper bounds of sqrt(v'H^-1 v) for v known up to `error` in the 2-norm, shape (B,).

        Parameters
        ----------
        v : array, shape (B, n)
            Vectors.
        error : array, shape (B,)
            Their errors.
        """
        xp, n = namespace(v), v.shape[-1]
        w = linear_algebra.forward(self.L, v)
        rounding = norm(_times(xp.abs(self.inverse), _times(xp.abs(self.L), xp.abs(w))))
        return 1.01 * (norm(w) + 2 * n * UNIT * rounding + self.size * error) / xp.sqrt(self.kept)


def factors(H: Any, d: int) -> Factors:
    """Factorise Hessians that were summed up from d columns in float64.

    Parameters
    ----------
    H : array, shape (B, n, n)
        Positive definite but for rounding; may be overwritten.
    d : int
        Columns.

    Notes
    -----
    Rounding in H and in Cholesky's method: Higham, Accuracy and Stability of Numerical Algorithms, Theorem 10.3.
    """
    xp, n = namespace(H), H.shape[-1]
    sizes = xp.sqrt(xp.stack([H[:, i, i] for i in range(n)], axis=-1))
    L, positive = linear_algebra.cholesky(H)
    inverse = linear_algebra.inverse(L)
    kept = 1 - 1.2 * (d + n + 5) * UNIT * norm(_times(xp.abs(inverse), sizes)) ** 2
    sound = positive & (kept > 0.1) & (n * UNIT * _size(inverse) * _size(L) < 1e-3)
    return Factors(L, inverse, xp.where(sound, kept, xp.ones_like(kept)), sound)


def residual(stack: Stack, x: Pair) -> tuple[Any, Any]:
    """Return y - Xx, shape (B, n), and bounds of its error in the 2-norm, shape (B,).

    Parameters
    ----------
    stack : Stack
        Problems.
    x : Pair of shape (B, d)
        Weights.
    """
    xp, d = stack.xp, stack.X.shape[-1]
    r = (exact(stack.y) - products(stack.X, x)).hi
    sizes = xp.sum(stack.lengths * xp.abs(x.hi), axis=-1) + norm(stack.y)
    return r, 2 * UNIT * norm(r) + (2 * d * UNIT) ** 2 * sizes


def norm(v: Any) -> Any:
    """Return 2-norms of the last axis."""
    xp = namespace(v)
    return xp.sqrt(xp.sum(v * v, axis=-1))


def _size(L: Any) -> Any:
    xp = namespace(L)
    return xp.sqrt(xp.sum(L * L, axis=(-2, -1)))


def _times(matrices: Any, v: Any) -> Any:
    return (matrices @ v[..., None])[..., 0]
