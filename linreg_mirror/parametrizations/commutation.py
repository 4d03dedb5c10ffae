"""Which parametrizations have a mirror: those whose gradient fields commute."""

from collections.abc import Sequence

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.parametrizations.protocol import Parametrization


def lie_bracket(network: Parametrization, i: int, j: int, theta: Array) -> Array:
    """Return the Lie bracket of two gradient fields at theta, shape (p,).

    The fields are the gradients of x_i(theta) and x_j(theta); index -1 stands for the gradient of the penalty.

    Parameters
    ----------
    network : Parametrization
        Supplies the fields through its pullback; nothing else of it is used.
    i, j : int
        Entries of x, or -1 for the penalty.
    theta : array, shape (p,)
        Where the bracket is taken.

    Notes
    -----
    A parametrization has a mirror if all brackets vanish (Li, Wang, Lee, Arora, arXiv 2207.04036).
    Derivatives are central differences: exact up to rounding where the parametrization is quadratic.
    """

    def field(k: int, point: Array) -> Array:
        if k < 0:
            return network.penalty_gradient(point)
        return network.pullback(point, np.eye(1, network.d, k)[0])

    def derivative(k: int, direction: Array) -> Array:
        step = 2.0**-10  # a power of two: no rounding where the field is linear
        return (field(k, theta + step * direction) - field(k, theta - step * direction)) / (2 * step)

    return derivative(j, field(i, theta)) - derivative(i, field(j, theta))


def commutation_defect(
    network: Parametrization,
    theta: Array | None = None,
    entries: Sequence[int] | None = None,
    penalty: bool = True,
) -> tuple[float, int, int]:
    """Return the norm of the largest Lie bracket at theta and the pair of fields it belongs to (-1: the penalty).

    Parameters
    ----------
    network : Parametrization
        Supplies the fields.
    theta : array, shape (p,), optional
        Default: the start.
    entries : sequence of int, optional
        The entries of x that are tried, each with each and with the penalty. Default: all.
    penalty : bool
        Whether brackets with the penalty are tried.
    """
    theta = network.theta0 if theta is None else theta
    fields = range(network.d) if entries is None else entries
    return max(
        (float(np.linalg.norm(lie_bracket(network, i, j, theta))), i, j)
        for k, j in enumerate(fields)
        for i in (*([-1] if penalty else []), *fields[:k])
    )


def describe_defect(network: Parametrization, entries: Sequence[int], penalty: bool = True) -> str:
    """Name a Lie bracket, among those of the given entries, that does not vanish, in a sentence."""
    # At the start itself it may vanish by chance: where weights are zero, for one.
    theta = network.theta0 + 0.5 * np.cos(np.arange(network.theta0.size))
    with np.errstate(all="ignore"):  # weights may be as large as float64 holds
        size, i, j = commutation_defect(network, theta, entries, penalty)
    names = ["the penalty" if k < 0 else f"x_{k}" for k in (i, j)]
    return f"the Lie bracket of the gradients of {names[0]} and {names[1]} has norm {size:.3g} near the start, not 0"
