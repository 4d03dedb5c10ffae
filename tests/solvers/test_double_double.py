"""Numbers of 106 bits against exact fractions and against decimals of 60 digits."""

from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

from linreg_mirror._tools import double_double, double_double_kernels
from linreg_mirror._tools.double_double import Pair


def exact(pair: Pair) -> list[Fraction]:
    return [Fraction(float(hi)) + Fraction(float(lo)) for hi, lo in zip(pair.hi, pair.lo, strict=True)]


def random_pair(rng: np.random.Generator, size: int) -> Pair:
    hi = rng.standard_normal(size) * 10.0 ** rng.integers(-8, 8, size)
    return Pair(hi, hi * rng.uniform(-1, 1, size) * 2.0**-54)


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (25, 7)])
def test_products_lose_no_more_than_106_bits(shape, order):
    rng = np.random.default_rng(0)
    X = np.asarray(rng.standard_normal(shape), order=order)
    v, s = random_pair(rng, shape[1]), random_pair(rng, shape[0])
    for matrix, vector, found in (
        (X, v, double_double.product(X, v)),
        (X.T, s, double_double.transposed_product(X, s)),
    ):
        for row, value in zip(matrix, exact(found), strict=True):
            terms = [Fraction(float(a)) * b for a, b in zip(row, exact(vector), strict=True)]
            assert abs(value - sum(terms)) <= (len(terms) * 2.0**-52) ** 2 * float(sum(map(abs, terms)))


def test_sums_and_products_of_pairs():
    rng = np.random.default_rng(1)
    a, b = random_pair(rng, 200), random_pair(rng, 200)
    for found, right in (
        (a + b, [x + y for x, y in zip(exact(a), exact(b), strict=True)]),
        (a - b, [x - y for x, y in zip(exact(a), exact(b), strict=True)]),
        (a * b, [x * y for x, y in zip(exact(a), exact(b), strict=True)]),
    ):
        sizes = [max(abs(x), abs(y), abs(r)) for x, y, r in zip(exact(a), exact(b), right, strict=True)]
        for value, r, size in zip(exact(found), right, sizes, strict=True):
            assert abs(value - r) <= Fraction(2) ** -100 * size


def test_the_residual_of_a_triangle():
    rng = np.random.default_rng(2)
    R, M = np.triu(rng.standard_normal((6, 6))), rng.standard_normal((6, 9))
    X = R.T @ M  # all that is left is rounding
    left = double_double.matrix_residual(X, R, M)
    for i in range(6):
        for j in range(9):
            terms = [Fraction(float(R[k, i])) * Fraction(float(M[k, j])) for k in range(6)]
            right = Fraction(float(X[i, j])) - sum(terms)
            assert abs(Fraction(float(left[i, j])) - right) <= Fraction(2) ** -52 * abs(right) + Fraction(2) ** -95


@pytest.mark.parametrize("reach", [1e-300, 1e-20, 1e-3, 1.0, 600.0])
def test_exponentials(reach):
    rng = np.random.default_rng(3)
    hi = rng.uniform(-reach, reach, 200)
    x = Pair(hi, hi * rng.uniform(-1, 1, 200) * 2.0**-54)
    for less in (0, 1):
        found = exact(Pair(*double_double_kernels.exp(*x, float(less))))
        with localcontext() as context:
            context.prec = 700 if reach < 1e-100 else 80
            for argument, value in zip(exact(x), found, strict=True):
                right = (Decimal(argument.numerator) / Decimal(argument.denominator)).exp() - less
                error = abs(Decimal(value.numerator) / Decimal(value.denominator) - right)
                assert error <= Decimal(2) ** -91 * abs(right) + Decimal(2) ** -1060


def test_exponentials_overflow_and_underflow_as_float64_does():
    x = Pair.of(np.array([1e4, -1e4, 710.0, -746.0]))
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(double_double_kernels.exp(*x, 0.0)[0], np.exp(x.hi))


@pytest.mark.parametrize("reach", [1e-20, 1e-3, 1.0, 300.0])
def test_scaled_hyperbolic_functions(reach):
    rng = np.random.default_rng(4)
    q, log_b = (Pair(hi, hi * rng.uniform(-1, 1, 100) * 2.0**-54) for hi in rng.uniform(-reach, reach, (2, 100)))
    with localcontext() as context:
        context.prec = 100
        exponents = zip(exact(q), exact(log_b), *map(exact, double_double.scaled_sinh(q, log_b)), strict=True)
        for exponent, log_scale, *found in exponents:
            q_i, log_b_i, x, slope = (
                Decimal(v.numerator) / Decimal(v.denominator) for v in (exponent, log_scale, *found)
            )
            up, down = (q_i + log_b_i).exp(), (log_b_i - q_i).exp()
            assert abs(x - (up - down) / 2) <= Decimal(2) ** -91 * abs(up - down)
            assert abs(slope - (up + down)) <= Decimal(2) ** -91 * (up + down)
