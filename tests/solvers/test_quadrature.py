"""Integrals over one step, of polynomials."""

import numpy as np
import pytest

from linreg_mirror.solvers.continuous.quadrature import INTEGRALS, LAST, POINTS


@pytest.mark.parametrize("degree", range(10))
def test_exact_up_to_degree_nine_at_the_end_and_five_on_the_way(degree):
    found, exact = INTEGRALS @ POINTS**degree, POINTS ** (degree + 1) / (degree + 1)
    assert found[-1] == pytest.approx(exact[-1], abs=1e-15)
    assert (np.abs(found - exact).max() < 1e-15) == (degree <= 5)


def test_the_end_is_not_exact_at_degree_ten():
    assert abs(INTEGRALS[-1] @ POINTS**10 - 1 / 11) > 1e-6


def test_last_coefficients_are_of_degrees_four_and_five():
    values = np.polynomial.legendre.legval(2 * POINTS - 1, [3.0, 1.0, -2.0, 0.5, 7.0, -11.0])
    assert LAST @ values == pytest.approx([7.0, -11.0])
