"""Lower bounds of Hessians H = X diag(metric) X' of a stack that hold in spite of rounding, as in `error_bars`."""

from typing import Any, NamedTuple

from linreg_mirror.mirrors.protocol import namespace
from linreg_mirror.solvers.batches import linear_algebra
from linreg_mirror.solvers.batches.columns import times
from linreg_mirror.solvers.batches.norms import norm, size
from linreg_mirror.solvers.error_bars.rows import UNIT

_LEAST, _MOST = 1e-140, 1e140  # square roots of entries, whose products neither vanish nor overflow


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
    def reach(self) -> Any:
        """Upper bounds of |v|_{H^-1} / |v|_2, shape (B,)."""
        return 1.01 * size(self.inverse) / namespace(self.kept).sqrt(self.kept)

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
        # What w leaves of v is measured, for libraries differ in how they substitute; rounding there is relative to w.
        left = xp.abs(v - times(self.L, w)) + 2 * (n + 2) * UNIT * times(xp.abs(self.L), xp.abs(w))
        wrong = norm(times(xp.abs(self.inverse), left))
        return 1.01 * (norm(w) + wrong) / xp.sqrt(self.kept) + self.reach * error


def factors(H: Any, d: int) -> Factors:
    """Factorise Hessians that were summed up from d columns in float64.

    Parameters
    ----------
    H : array, shape (B, n, n)
        Positive definite but for rounding.
    d : int
        Columns.

    Notes
    -----
    What L leaves of H and its inverse of 1 is measured, for libraries differ in how they get there. Rounding in H and
    in that measure is at most a multiple of sizes_i sizes_j, sizes^2 being the diagonal of H, as in Theorem 10.3 of
    Higham, Accuracy and Stability of Numerical Algorithms.
    """
    xp, n = namespace(H), H.shape[-1]
    sizes = xp.sqrt(xp.linalg.diagonal(H))
    L, positive = linear_algebra.cholesky(H)
    inverse = linear_algebra.inverse(L)
    eye = xp.eye(n, dtype=L.dtype, device=L.device)
    wrong = size(inverse @ L - eye) + 2 * n * UNIT * size(inverse) * size(L)
    left = xp.abs(H - L @ xp.matrix_transpose(L)) / (sizes[:, :, None] * sizes[:, None, :])
    gamma = xp.max(left, axis=(-2, -1)) + 1.2 * (d + n + 5) * UNIT
    kept = 1 - 1.01 * gamma * norm(times(xp.abs(inverse), sizes)) ** 2
    ordinary = xp.all((sizes > _LEAST) & (sizes < _MOST), axis=-1)
    sound = positive & ordinary & (wrong < 1e-3) & (kept > 0.1)
    return Factors(L, inverse, xp.where(sound, kept, 1.0), sound)
