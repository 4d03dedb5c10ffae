"""Thresholds of the path of saddles for products of more than two factors, which start at unequal sizes."""

from typing import Any

import numpy as np

from linreg_mirror._tools.arguments import as_real_array
from linreg_mirror._tools.cites import cites
from linreg_mirror._types import Array

_FINE = 1e-12  # relative error of integrals
_FAR = 300.0  # of a substitution's variable, beyond which integrands are below 1e-130


@cites("zhao2026gradient")
def thresholds(factors: Any) -> tuple[Array, Array]:
    """Return t_plus and t_minus for x = theta_1 * ... * theta_D started at alpha * factors, alpha -> 0.

    They are the `weights` of `saddles`, whose time is then that of the flow multiplied by alpha^(D-2): the path ends in
    the interpolator of least sum t_plus x^+ + t_minus x^-.

    Parameters
    ----------
    factors : array_like, shape (D, d)
        The factors at the start, in units of alpha, D >= 3. In no entry may the two smallest have one size: there x
        could not change its sign.

    Returns
    -------
    t_plus, t_minus : array, shape (d,)
        With s the factor of least size, with the sign of the product, and mu_j^2 = theta_j^2 - s^2 for the others, the
        integral of 1/prod_j sqrt(u^2 + mu_j^2) over u > s, and over u > -s.

    Raises
    ------
    ValueError
        If factors have another shape, or two that are smallest in an entry have the same size.

    Notes
    -----
    Zhao, Wang, Yang, Bai and Zhang (arXiv 2607.12332). At depth 2 integrals are infinite, and thresholds are exponents
    of sizes (see `saddles`).

    Examples
    --------
    >>> from linreg_mirror.solvers.saddles import thresholds
    >>> up, down = thresholds([[0.0, 0.5], [1.0, 1.0], [2.0, 2.0]])
    >>> up.round(4).tolist(), down.round(4).tolist()
    ([1.0783, 0.8849], [1.0783, 1.4463])
    """
    theta = as_real_array("factors", factors)
    if theta.ndim != 2 or len(theta) < 3 or not theta.shape[1]:
        raise ValueError(
            f"factors must have shape (D, d), a row for each of D >= 3 factors, got {theta.shape}: at depth 2 write "
            "saddles(problem, weights=(t_plus, t_minus)), whose thresholds are exponents"
        )
    s, mu = split(theta)
    tied = np.flatnonzero(mu[0] == 0)
    if tied.size:
        raise ValueError(
            f"the two smallest factors at index {tied[0]} have the same size, {abs(s[tied[0]]):g}: x cannot change its "
            "sign there, and one of its thresholds is infinite"
        )
    return tail(s, mu), tail(-s, mu)


def split(theta: Array) -> tuple[Array, Array]:
    """Return s, shape (d,), and mu, shape (D-1, d), ascending: the conserved numbers and the one that is free."""
    squares = np.sort(theta**2, axis=0)
    s = np.copysign(np.sqrt(squares[0]), np.prod(np.sign(theta), axis=0))
    return s, np.sqrt(squares[1:] - squares[0])


def tail(s: Array, mu: Array) -> Array:
    """Return the integral of 1/prod_j sqrt(u^2 + mu_j^2) from s to infinity, shape (d,)."""
    from scipy.integrate import quad_vec

    least = mu[0]
    start = np.arcsinh(s / least)

    def integrand(v: float) -> Array:  # u = least * sinh(start + v) takes the steepest root away
        if v > _FAR:
            return np.zeros_like(least)
        with np.errstate(over="ignore"):
            return 1 / np.prod(np.hypot(least * np.sinh(start + v), mu[1:]), axis=0)

    # The last entries fall like exp(-(D-2) v): errors are relative to the largest integral.
    return quad_vec(integrand, 0.0, np.inf, epsabs=0.0, epsrel=_FINE, norm="max")[0]
