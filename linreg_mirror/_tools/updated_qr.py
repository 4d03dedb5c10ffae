"""A QR factorisation whose matrix gains and loses columns, so that least squares need not be solved from scratch."""

import numpy as np
import scipy.linalg

from linreg_mirror._types import Array

(_solve_triangle,) = scipy.linalg.get_lapack_funcs(("trtrs",), dtype=np.float64)


class UpdatedQR:
    """A = QR with orthonormal Q, shape (n, k), and upper triangular R, shape (k, k).

    Parameters
    ----------
    n : int
        Rows of A.
    capacity : int
        The most columns it will have, at most n.
    """

    def __init__(self, n: int, capacity: int) -> None:
        # LAPACK reads columns: with these strides neither factor is ever copied as a whole.
        self._Q = np.empty((n, capacity), order="F")
        self._R = np.eye(capacity, order="F")
        self.k = 0

    def append(self, column: Array) -> None:
        """Add a column that does not depend on the others."""
        Q = self._Q[:, : self.k]
        weights, rest = _apart(Q, column)
        size = float(np.sqrt(rest @ rest))
        self._R[: self.k, self.k] = weights
        self._R[self.k, self.k] = size
        self._Q[:, self.k] = rest / size
        self.k += 1

    def delete(self, position: int) -> None:
        """Remove the column at a position, by Givens rotations of those behind it."""
        k, self.k = self.k, self.k - 1
        if position == self.k:  # nothing is behind the last one
            return
        Q, R = scipy.linalg.qr_delete(  # pyright: ignore[reportAttributeAccessIssue]
            self._Q[:, :k], self._R[:k, :k], position, which="col", overwrite_qr=True, check_finite=False
        )
        # Of square factors SciPy keeps all of Q.
        self._Q[:, : self.k], self._R[: self.k, : self.k] = Q[:, : self.k], R[: self.k]

    def solve(self, b: Array) -> tuple[Array, Array]:
        """Return the x of least |Ax - b|, and b - Ax."""
        weights, rest = _apart(self._Q[:, : self.k], b)
        # The whole triangle, zeros below: cheaper than the copy that LAPACK would need of a part of it.
        padded = np.zeros(len(self._R))
        padded[: self.k] = weights
        x, _ = _solve_triangle(self._R, padded)
        return x[: self.k], rest

    def dual(self, values: Array) -> Array:
        """Return the v in the range of A with A'v = values."""
        padded = np.zeros(len(self._R))
        padded[: self.k] = values
        weights, _ = _solve_triangle(self._R, padded, trans=1)
        return self._Q[:, : self.k] @ weights[: self.k]


def _apart(Q: Array, v: Array) -> tuple[Array, Array]:
    """Return Q'v and v - QQ'v, orthogonal to Q relative to its own length, for which twice is enough."""
    weights = Q.T @ v
    rest = v - Q @ weights
    if rest @ rest < 0.5 * (v @ v):
        again = Q.T @ rest
        weights, rest = weights + again, rest - Q @ again
    return weights, rest
