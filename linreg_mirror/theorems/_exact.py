"""Answers in exact arithmetic, or in a hundred digits, of problems so small that their bases can be counted.

Nothing here knows how the package solves a problem. Arrays hold `Fraction` or `Decimal`, which NumPy multiplies as it
does numbers.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import combinations, product
from typing import Any

import numpy as np

from linreg_mirror._types import Array

_DIGITS = 100  # log b may be -80: what weights that small decide has 70 digits less
_NEWTON = 2_000  # steps: an exponent changes by at most 1 in each

_fraction: Any = np.frompyfunc(Fraction, 1, 1)
_decimal: Any = np.frompyfunc(lambda value: Decimal(float(value)), 1, 1)
_exp: Any = np.frompyfunc(Decimal.exp, 1, 1)


def fractions(*parts: Any) -> Any:
    """Return the exact sum of arrays of float64 as fractions."""
    return sum(_fraction(np.asarray(part, float).astype(object)) for part in parts)


def solved(A: Any, b: Any) -> Any:
    """Return A^-1 b by Gauss, for a square matrix of exact numbers; raise ZeroDivisionError where it is singular."""
    rows, n = np.column_stack([A, b]), len(A)
    for k in range(n):
        pivot = k + int(np.argmax([abs(value) for value in rows[k:, k]]))
        if rows[pivot, k] == 0:
            raise ZeroDivisionError("a singular matrix has no inverse")
        rows[[k, pivot]] = rows[[pivot, k]]
        rows[k] = rows[k] / rows[k, k]
        for i in range(n):
            if i != k:
                rows[i] = rows[i] - rows[i, k] * rows[k]
    return rows[:, n]


def least_l1(X: Array, y: Array) -> Any:
    """Return the interpolator of least L1 norm, by trying all bases of n columns."""
    (n, d), exact, targets = X.shape, fractions(X), fractions(y)
    best, least = None, None
    for basis in map(list, combinations(range(d), n)):
        try:
            values = solved(exact[:, basis], targets)
        except ZeroDivisionError:
            continue
        size = abs(values).sum()
        if least is None or size < least:
            best, least = _placed(values, basis, d), size
    return best


def lasso(X: Array, y: Array, weight: float) -> Any:
    """Return the LASSO solution in general position, by trying all signs: it alone meets the optimality conditions."""
    (n, d), exact, targets, threshold = X.shape, fractions(X), fractions(y), Fraction(float(weight))
    for on, signs in _signs(n, d):
        columns = exact[:, on]
        values = solved(columns.T @ columns, columns.T @ targets - threshold * signs) if on else targets[:0]
        r = targets - columns @ values if on else targets
        if all(values * signs > 0) and all(abs(exact.T @ r) <= threshold):
            return _placed(values, on, d)
    raise ArithmeticError("no signs meet the optimality conditions: columns are not in general position")


def _signs(n: int, d: int) -> Iterator[tuple[list[int], Any]]:
    for k in range(min(n, d) + 1):
        for on in combinations(range(d), k):
            for signs in product((1, -1), repeat=k):
                yield list(on), np.array(signs, object)


def _placed(values: Any, at: Sequence[int], d: int) -> Any:
    x = np.full(d, Fraction(0), object)
    x[list(at)] = values
    return x


def hyperbolic_limit(X: Array, y: Array, log_b: Array, tilt: Array) -> tuple[Any, Any]:
    """Return x and s with Xx = y and x = b sinh(tilt - 2 X's), to a hundred digits, by damped Newton steps from s = 0.

    An exponent changes by at most 1 in a step, and the Hessian by a factor that this bounds, so that steps of the
    convex problem never go astray.
    """
    with localcontext() as context:
        context.prec = _DIGITS
        context.Emin, context.Emax = -(10**9), 10**9
        exact, targets, a, s = _decimal(X), _decimal(y), _decimal(tilt), _decimal(np.zeros(len(y)))
        b = _exp(_decimal(log_b))
        for _ in range(_NEWTON):
            up = b * _exp(a - 2 * (exact.T @ s)) / 2
            down = b * b / up / 4
            x, metric = up - down, 2 * (up + down)
            r = targets - exact @ x
            if max(abs(r)) <= Decimal(10) ** (20 - _DIGITS) * max(abs(targets)):
                return x, s
            step = solved(exact * metric @ exact.T, -r)
            s = s + step / max(1, 2 * max(abs(exact.T @ step)))
    raise ArithmeticError("Newton's method did not come to its end: no limit to compare with")


def pair(exact: Any) -> tuple[Array, Array]:
    """Return exact numbers as the sums of two float64."""
    with localcontext() as context:
        context.prec = _DIGITS
        hi = exact.astype(float)
        return hi, (exact - _decimal(hi)).astype(float)


def distances(x: Array, exact: Any) -> Any:
    """Return |x_i - x*_i| for weights in float64, as exact as x* is."""
    if isinstance(exact[0], Fraction):
        return abs(fractions(x) - exact)
    with localcontext() as context:
        context.prec = _DIGITS
        return abs(_decimal(x) - exact)


def root(value: Any) -> Decimal:
    """Return the square root of a fraction, of any size."""
    with localcontext() as context:
        context.prec = _DIGITS
        return (Decimal(value.numerator) / Decimal(value.denominator)).sqrt()
