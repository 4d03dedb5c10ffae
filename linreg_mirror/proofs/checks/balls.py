"""What checks are made of: exact matrices, balls, and sentences about what does not hold.

Balls of python-flint hold the exact result of every operation on the numbers they hold; a comparison of balls is true
only if it is true of all their numbers. Entries of X and y are taken as the rational numbers that floats are.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from linreg_mirror.proofs._flint import require_flint

_TINY = 1e-290  # more than underflow can take from sums of fewer than 10^15 products


class ProofError(ValueError):
    """A proof does not hold; the message says what fails."""


class Undecided(ProofError):
    """The balls are too wide to tell: the claim may be true, and more bits would say so."""


class OtherVerdict(ProofError):
    """All holds but what is said of uniqueness."""

    def __init__(self, found: bool | None, claimed: Any) -> None:
        super().__init__(f"uniqueness is {found}, not {claimed}")
        self.found = found


def slope_bounds(X: np.ndarray, s: Sequence[Any]) -> np.ndarray:
    """Return upper bounds of |X_j's|, by float64 products and what their rounding can be at most."""
    centre = np.array([float(ball.mid()) for ball in s])
    radius = [abs(ball - require_flint().arb(value)) for ball, value in zip(s, centre.tolist(), strict=True)]
    rounding = (len(s) + 4) * 2.0**-52 * (np.abs(X).T @ np.abs(centre))
    return (np.abs(X.T @ centre) + rounding + product_bounds(X, radius)) * (1 + 1e-12) + _TINY


def product_bounds(X: np.ndarray, sizes: Iterable[Any]) -> np.ndarray:
    """Return upper bounds of |X|'|v| for balls v."""
    upper = np.array([float(ball.abs_upper()) for ball in sizes]) * (1 + 1e-12) + _TINY
    return (np.abs(X).T @ upper) * (1 + (len(upper) + 4) * 2.0**-52) + _TINY


def enclosed(balls: Sequence[Any], values: Sequence[str], errors: Sequence[str]) -> None:
    """Require that every ball lies within the error around its value."""
    arb = require_flint().arb
    require(len(balls) == len(values) == len(errors), "there must be a value and an error for every weight")
    for ball, value, error in zip(balls, values, errors, strict=True):
        certain_at_most(abs(ball - arb(text(value))), arb(text(error)), f"a value of {value} +/- {error} is not proved")


def certain(balls: Iterable[Any], sentence: str) -> None:
    """Require that all are positive."""
    for ball in balls:
        if not ball > 0:
            raise (ProofError if ball <= 0 else Undecided)(sentence)


def certain_at_most(ball: Any, bound: Any, sentence: str) -> None:
    """Require that a ball is at most a bound."""
    if not ball <= bound:
        raise (ProofError if ball > bound else Undecided)(sentence)


def require(holds: bool, sentence: str) -> None:
    """Raise ProofError unless it holds."""
    if not holds:
        raise ProofError(sentence)


def text(value: Any) -> str:
    """Return a number that is written as a string."""
    require(isinstance(value, str), f"a number must be written as a string, got {value!r}")
    return value


def indices(values: Sequence[int], size: int) -> np.ndarray:
    """Return distinct indices below size."""
    whole = all(type(value) is int and 0 <= value < size for value in values)
    require(whole and len(set(values)) == len(values), f"indices must be distinct and from 0 to {size - 1}")
    return np.array(values, dtype=np.intp)


def as_balls(matrix: Any) -> Any:
    """Return a matrix of balls, of floats or of rational numbers."""
    flint = require_flint()
    if isinstance(matrix, np.ndarray):
        return flint.arb_mat(*matrix.shape, matrix.ravel().tolist())
    return flint.arb_mat(matrix.nrows(), matrix.ncols(), [flint.arb(entry) for entry in matrix.entries()])


def as_exact(matrix: np.ndarray) -> Any:
    """Return floats as a matrix of rational numbers."""
    flint = require_flint()
    entries = [flint.fmpq(*value.as_integer_ratio()) for value in matrix.ravel().tolist()]
    return flint.fmpq_mat(*matrix.shape, entries)


def invert(square: np.ndarray) -> Any:
    """Return the inverse of a square matrix of floats, in balls."""
    try:
        return as_balls(square).solve(as_balls(np.eye(len(square))))  # more precise, and quicker, than inv()
    except ZeroDivisionError:
        raise Undecided("rows and columns of the basis are not seen to be independent with so few bits") from None


def diagonal(entries: Sequence[Any]) -> Any:
    """Return a diagonal matrix of balls."""
    flint, size = require_flint(), len(entries)
    return flint.arb_mat(size, size, [entries[i] if i == j else 0 for i in range(size) for j in range(size)])


def norm_of(entries: Iterable[Any]) -> Any:
    """Return the Euclidean norm."""
    arb = require_flint().arb
    return arb.sqrt(sum((entry * entry for entry in entries), arb(0)))


def dot(row: np.ndarray, s: Any) -> Any:
    """Return the inner product of floats and balls."""
    return sum((require_flint().arb(value) * s[i] for i, value in enumerate(row.tolist())), require_flint().arb(0))


def combine(X: np.ndarray, rows: Any, columns: Any, others: Any) -> Any:
    """Return exact coefficients that make `others` of `rows`, after checking that they do."""
    require(len(rows) == len(columns), "rows and columns must be as many")
    goal = as_exact(X[np.ix_(others, columns)])
    found = as_exact(X[np.ix_(rows, columns)].T).solve(goal.transpose()).transpose()
    require(found * as_exact(X[rows]) == as_exact(X[others]), "a row of X is not a combination of the others")
    return found
