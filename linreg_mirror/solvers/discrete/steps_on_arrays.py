"""Steps of many runs on NumPy arrays, compiled, in blocks of columns that fit into a cache."""

from typing import Any, NamedTuple

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.solvers.discrete.factors import effective
from linreg_mirror.solvers.discrete.many_problems import ManyProblems

_CACHE = 1 << 16  # numbers in a block of columns that is to stay in a core's own cache, for all runs together


class Block(NamedTuple):
    """Some columns of all runs.

    Attributes
    ----------
    X : array, shape (n, columns) or (B, n, columns)
        Those of the design.
    u, v, u_before, v_before : array, shape (B, columns)
        The factors, and what they were before the last step.
    """

    X: Any
    u: Any
    v: Any
    u_before: Any
    v_before: Any


class StepsOnArrays:
    """The state of all runs. One pass over the blocks takes a step: gradient, update and next residual of a block.

    Attributes
    ----------
    blocks : list of Block
        The factors.
    dual, r : array, shape (B, n)
        Accumulated loss gradient and residual.
    """

    def __init__(self, problems: ManyProblems) -> None:
        X, y, log_u, log_v = problems
        (B, n), d = y.shape, X.shape[-1]
        self.y = y
        width = max(256, _CACHE // B)
        self.blocks = []
        for first in range(0, d, width):
            J = slice(first, first + width)
            factors = (np.exp(log_factor[:, J]) for log_factor in (log_u, log_v, log_u, log_v))
            self.blocks.append(Block(np.array(X[..., J]), *factors))
        # Memory fresh from the system costs as much as what is written to it.
        self._room, self._room_r = np.empty(B * width, X.dtype), np.empty(B * n, X.dtype)
        self.dual = np.zeros_like(y)
        self.r = -y
        for block in self.blocks:
            self.r = self.r + times(effective(block.u, block.v), np.matrix_transpose(block.X))

    def take(self, eta: Array, stay: Array, push: Array, weights: Array | None, heavy: bool) -> None:
        """Take steps: eta and stay = 1 - 2 eta alpha are (steps, B), momenta (B,), weights (steps, B, n) or None."""
        from linreg_mirror.solvers.discrete import kernels

        for k, (step, kept) in enumerate(zip(eta, stay, strict=True)):
            slope = self.r if weights is None else self.r * weights[k]
            self.dual += step[:, None] * slope
            r = -self.y
            for X, *factors in self.blocks:
                g = times(slope, X, self._room)
                kernels.update_runs(*factors, g, step, kept, push)  # and g is x
                r += times(g, np.matrix_transpose(X), self._room_r)
            self.r = r


def times(rows: Array, X: Array, room: Array | None = None) -> Array:
    """Return rows @ X, one row for each run, if possible in the room given; X may be a stack, a matrix for each run."""
    if X.ndim == 3:
        return (rows[:, None, :] @ X)[:, 0, :]
    if room is None:
        return rows @ X
    return np.matmul(rows, X, out=room[: len(rows) * X.shape[1]].reshape(len(rows), -1))
