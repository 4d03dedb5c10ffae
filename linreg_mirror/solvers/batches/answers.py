"""Weights of a stack of problems with their dual vectors and bars: what is known so far."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from linreg_mirror._tools.double_double import Pair
from linreg_mirror.mirrors.protocol import namespace


class Answers(NamedTuple):
    """Weights, dual vectors, and how far weights are from the solutions.

    Attributes
    ----------
    x : array, shape (B, d)
        Weights.
    s : Pair of shape (B, n)
        Dual vectors; of the LASSO y - Xx, for x before it was rounded.
    error : array, shape (B,)
        Upper bounds of |x - x*|_1; inf where nothing is proved.
    """

    x: Any
    s: Pair
    error: Any

    def part(self, at: Any) -> "Answers":
        """Return some of them."""
        return Answers(self.x[at], Pair(self.s.hi[at], self.s.lo[at]), self.error[at])

    def wanting(self, tolerance: float) -> Any:
        """Return the indices of problems whose bar is too wide.

        Parameters
        ----------
        tolerance : float
            Largest bar, relative to |x|_1.
        """
        xp = namespace(self.x)
        narrow = self.error <= tolerance * xp.sum(xp.abs(self.x), axis=-1)
        return xp.nonzero(~(narrow & xp.isfinite(self.error)))[0]

    def improve(self, at: Any, found: "Answers") -> None:
        """Put answers with narrower bars in the places of these, of which the arrays are changed.

        Parameters
        ----------
        at : array of int
            Places of the others' problems.
        found : Answers
            The others.
        """
        better = found.error < self.error[at]
        places = at[better]
        self.x[places], self.error[places] = found.x[better], found.error[better]
        self.s.hi[places], self.s.lo[places] = found.s.hi[better], found.s.lo[better]


def joined(parts: Sequence[Answers]) -> Answers:
    """Return the answers of all parts of a batch, one after another."""
    xp = namespace(parts[0].x)
    x, hi, lo, error = (
        xp.concat(arrays, axis=0) for arrays in zip(*((part.x, *part.s, part.error) for part in parts), strict=True)
    )
    return Answers(x, Pair(hi, lo), error)
