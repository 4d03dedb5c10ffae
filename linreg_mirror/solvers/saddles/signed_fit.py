"""Least squares with prescribed signs: the active-set method of Lawson and Hanson, one coordinate at a time."""

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._tools import matrices
from linreg_mirror._tools.updated_qr import UpdatedQR
from linreg_mirror._types import Array

_EPS = float(np.finfo(float).eps)
_ROUNDING = 64 * _EPS  # a residual below this, relative to |y| + sum |X_i||x_i|, is none
_ORTHOGONAL = 1e-13  # nor is the cosine between a column and the residual; for a column in the span it is a few eps
_ZERO = 1e-13  # nor is a weight that moves the prediction by less than this, relative as above


class SignedFit:
    """The x of least |y - Xx| on some coordinates, each with its sign, and zero on all others.

    Parameters
    ----------
    X : array or sparse array, shape (n, d)
        Features in columns.
    y : array, shape (n,)
        Targets.

    Attributes
    ----------
    members : array of int, shape (k,)
        Coordinates that may be nonzero, in the order of their coming; their columns are independent.
    x : array, shape (k,)
        Their values.
    signs : array, shape (k,)
        And their signs.
    residual : array, shape (n,)
        y - Xx, exactly zero where it is no more than rounding.
    lengths : array, shape (d,)
        Of all columns.
    """

    def __init__(self, X: Array, y: Array) -> None:
        self.X, self.y, self.residual = X, y, y
        self.members = np.arange(0)
        self.x, self.signs = np.zeros(0), np.zeros(0)
        self.lengths = np.sqrt(matrices.column_weights(X))
        self._size = self._scale = self._distance = _length(y)
        self._factors = UpdatedQR(len(y), min(X.shape))

    @property
    def rounding(self) -> float:
        """What rounding may leave of X_i'(y - Xx), relative to |X_i|."""
        return _ORTHOGONAL * self._distance

    def enter(self, i: int, sign: float) -> dict[int, float]:
        """Let x_i be nonzero, which must lower |y - Xx|; return whoever became zero on the way, with their signs."""
        self._factors.append(matrices.column(self.X, i))
        self.members = np.concatenate((self.members, (i,)))
        self.signs = np.concatenate((self.signs, (sign,)))
        x = np.concatenate((self.x, (0.0,)))
        left: dict[int, float] = {}
        while True:
            target, residual = self._factors.solve(self.y)
            blocked = (self.signs * target < 0).nonzero()[0]
            if not blocked.size:
                break
            shares = x[blocked] / (x[blocked] - target[blocked])
            share = shares.min()
            x = x + share * (target - x)
            first = blocked[shares == share]
            left |= zip(self.members[first].tolist(), self.signs[first].tolist(), strict=True)
            for position in first[::-1]:
                self._factors.delete(int(position))
            stay = np.ones(len(x), bool)
            stay[first] = False
            self.members, self.signs, x = self.members[stay], self.signs[stay], x[stay]
        self.x, self.residual, self._distance = target, residual, _length(residual)
        self._scale = self._size + float(self.lengths[self.members] @ np.abs(target))
        if len(target) == len(self.y) or self._distance <= _ROUNDING * self._scale:
            self.residual, self._distance = np.zeros(len(self.y)), 0.0
        return left

    def support(self) -> tuple[NDArray[np.intp], Array]:
        """Return the coordinates that are not zero, ascending, and their values."""
        order = self.members.argsort()
        members, x = self.members[order], self.x[order]
        large = np.abs(x) * self.lengths[members] > _ZERO * self._scale
        return (members, x) if large.all() else (members[large], x[large])


def _length(v: Array) -> float:
    return float(np.sqrt(v @ v))
