"""Stacks of problems of one size, their solvers of one problem, and their answers in more digits than float64 has."""

from fractions import Fraction
from itertools import combinations

import flint
import numpy as np

import linreg_mirror as lm

KINDS = ["planted", "dense", "random"]


def stack(B, n, d, condition, kind, rng):
    """Return X, shape (B, n, d), and y, of problems with this condition or one drawn from this range."""
    from benchmarks.conditioning import problem

    draw = (lambda: condition) if np.isscalar(condition) else (lambda: 10 ** rng.uniform(*np.log10(condition)))
    problems = [problem(n, d, draw(), kind, rng) for _ in range(B)]
    return np.stack([of.X for of in problems]), np.stack([of.y for of in problems])


def limit_of(X, y, log_scale, tilt=0.0, decay=0.0):
    """Return what `limit` says of one problem."""
    d = X.shape[-1]
    network = lm.Hadamard.from_tilt(*(np.broadcast_to(one, d).astype(float) for one in (log_scale, tilt)))
    return lm.limit(lm.Problem(X, y), network, float(decay))


def rational(matrix):
    return flint.fmpq_mat([[flint.fmpq(*float(v).as_integer_ratio()) for v in row] for row in matrix])


def fractions(column):
    return [Fraction(int(column[k, 0].p), int(column[k, 0].q)) for k in range(column.nrows())]


def placed(values, at, d):
    """Return a list of d fractions, zero but for these."""
    exact = [Fraction(0)] * d
    for place, value in zip(at, values, strict=True):
        exact[int(place)] = value
    return exact


def distance(x, exact):
    """Return |x - x*|_1 as a fraction, or with the digits of balls."""
    if isinstance(exact[0], Fraction):
        return sum(abs(Fraction(float(v)) - u) for v, u in zip(x, exact, strict=True))
    return float(sum(abs(float(v) - u) for v, u in zip(x, exact, strict=True)))


def exact_vertex(X, y):
    """Return the interpolator of least L1 norm in rational arithmetic, by trying all bases."""
    (n, d), best, least = X.shape, None, None
    for basis in map(list, combinations(range(d), n)):
        try:
            values = fractions(rational(X[:, basis]).solve(rational(y[:, None])))
        except ZeroDivisionError:
            continue
        size = sum(map(abs, values))
        if least is None or size < least:
            best, least = placed(values, basis, d), size
    return best


def exact_lasso(X, y, weight):
    """Return the LASSO solution by fractions, on the support that `lasso` finds, or None if it is not that."""
    found = lm.lasso(lm.Problem(X, y), float(weight)).x
    support = np.flatnonzero(found)
    if not len(support):
        return [Fraction(0)] * len(found)
    columns, signs = rational(X[:, support]), rational(np.sign(found[support])[:, None])
    w, target = flint.fmpq(*float(weight).as_integer_ratio()), rational(y[:, None])
    values = (columns.transpose() * columns).solve(columns.transpose() * target - w * signs)
    slopes = fractions(rational(X.T) * (target - columns * values))
    off = np.setdiff1d(np.arange(len(found)), support)
    right = all(v * int(s) > 0 for v, s in zip(fractions(values), np.sign(found[support]), strict=True))
    if not (right and all(abs(slopes[j]) <= Fraction(float(weight)) for j in off)):
        return None
    return placed(fractions(values), support, len(found))
