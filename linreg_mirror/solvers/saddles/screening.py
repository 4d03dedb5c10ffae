"""Which coordinates may reach a threshold soon; columns of the others can be skipped."""

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._types import Array
from linreg_mirror.solvers.saddles.signed_fit import SignedFit

_WORTH_IT = 1 << 18  # entries of X from which on products cost more than what surrounds them
_SHARE = 5  # one column in so many is looked at, besides those at their thresholds
_AHEAD = 6.0  # for so many steps of sigma they should suffice
_FADING = 0.8  # weight of steps before the last one in their mean length


class Screening:
    """X_i'sigma, and its slope X_i'(y - Xx), of all coordinates i, or of those that are near their thresholds.

    |X_i'(sigma - center)| <= |X_i||sigma - center|: while sigma is within a radius of the center, no coordinate arrives
    that was farther from its thresholds there than the radius times |X_i|.

    Parameters
    ----------
    fit : SignedFit
        Sigma moves along its residual.
    t_plus, t_minus : array, shape (d,)
        Thresholds.

    Attributes
    ----------
    sigma : array, shape (n,)
        Zero at first.
    which : array of int, shape (k,)
        The coordinates that are looked at, ascending; those at their thresholds always are.
    s, t_plus, t_minus : array, shape (k,)
        Their X_i'sigma and thresholds.
    products : int
        How many times the residual was multiplied with X' or a part of it, and sigma with X'.
    """

    def __init__(self, fit: SignedFit, t_plus: Array, t_minus: Array) -> None:
        self.sigma, self.products = np.zeros(len(fit.y)), 0
        self._fit, self._thresholds = fit, (t_plus, t_minus)
        self._place = np.zeros(len(t_plus), np.intp)  # of each coordinate that is looked at
        self._pace = 0.0  # mean length of the last steps of sigma
        self._look_at(np.arange(len(t_plus)), np.zeros(len(t_plus)), radius=np.inf)

    def _look_at(self, which: NDArray[np.intp], s: Array, radius: float) -> None:
        X = self._fit.X
        self._X = X if radius == np.inf else X[:, which]
        self.which, self.s, self._center, self._radius = which, s, self.sigma, radius
        self.t_plus, self.t_minus = (side[which] for side in self._thresholds)
        self._lengths = self._fit.lengths[which]
        self._place[which] = np.arange(len(which))

    def places(self, coordinates: NDArray[np.intp] | list[int]) -> NDArray[np.intp]:
        """Return where coordinates that are looked at stand in the arrays."""
        return self._place[coordinates]

    def slopes(self) -> Array:
        """Return X_i'(y - Xx), shape (k,), exactly zero where it is no more than rounding."""
        self.products += 1
        slopes = self._X.T @ self._fit.residual
        slopes[np.abs(slopes) <= self._fit.rounding * self._lengths] = 0
        slopes[self.places(self._fit.members)] = 0
        return slopes

    def widen(self) -> bool:
        """Look at all coordinates; return whether that are more than before."""
        if self._radius == np.inf:
            return False
        self.products += 1
        s = self._fit.X.T @ self.sigma
        s[self.which] = self.s  # exactly at their thresholds, some of them
        self._look_at(np.arange(len(s)), s, radius=np.inf)
        return True

    def advance(self, step: float, slopes: Array, arrived: NDArray[np.intp]) -> bool:
        """Move sigma along the residual to where some arrive; return False, and widen, if others might do so before."""
        move = step * self._fit.residual
        sigma = self.sigma + move
        if np.linalg.norm(sigma - self._center) > self._radius:
            self.widen()
            return False
        self.sigma, self.s = sigma, self.s + step * slopes
        self.s[arrived] = np.where(slopes[arrived] > 0, self.t_plus[arrived], -self.t_minus[arrived])
        self._pace = _FADING * self._pace + (1 - _FADING) * float(np.linalg.norm(move))
        if self._radius == np.inf and self._fit.X.size > _WORTH_IT:  # of a sparse X, its entries
            self._narrow()
        return True

    def _narrow(self) -> None:
        """Look at the coordinates that are nearest to their thresholds, if these suffice for a while."""
        room = np.minimum(self.t_plus - self.s, self.s + self.t_minus)
        reach = np.divide(room, self._lengths, out=np.full(len(room), np.inf), where=self._lengths > 0)
        count = np.count_nonzero(room <= 0) + len(room) // _SHARE
        if count >= len(room):
            return
        radius = float(np.partition(reach, count)[count])
        if _AHEAD * self._pace < radius < np.inf:
            near = np.flatnonzero(reach <= radius)
            self._look_at(near, self.s[near], radius)
