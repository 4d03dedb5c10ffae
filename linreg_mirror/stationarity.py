"""How far effective weights are from where a flow ends."""

import numpy as np

from linreg_mirror.losses import Array
from linreg_mirror.parametrizations import Direct, Hadamard, Parametrization
from linreg_mirror.problem import Problem


def stationarity(
    problem: Problem, network: Parametrization, x: Array, alpha: float = 0.0, theta: Array | None = None
) -> float:
    """Return the relative violation of the conditions at which the flow with penalty alpha ends.

    Parameters
    ----------
    problem : Problem
        X is (n, d).
    network : Parametrization
        Its class says what the penalty means for x.
    x : array, shape (d,)
        Effective weights.
    alpha : float
        The penalty that remains for ever.
    theta : array, shape (p,), optional
        Parameters, for networks whose condition is on them (balanced starts, shared masks).

    Returns
    -------
    float
        Zero at a stationary point, about one at x = 0; relative to the largest entry of grad f(0) (to 1 where that
        is zero). For x = m*w with b > 0 these are the conditions of LASSO with weight 2 alpha: |g_i| <= 2 alpha, and
        g_i = -2 alpha sign x_i, weighted with |x_i|, where x_i is not zero. Stationarity of the parameters alone would
        also hold at a saddle that the flow is about to leave.
    """
    g = problem.gradient(x)
    scale = problem.gradient_scale or 1.0
    if isinstance(network, Direct):
        return float(np.abs(g + 2 * alpha * x).max() / scale)
    if isinstance(network, Hadamard) and network.decay_on == "both" and not np.isneginf(network.log_scale).any():
        outside = np.maximum(np.abs(g) - 2 * alpha, 0.0).max()
        if alpha == 0:
            return float(outside / scale)
        size = np.abs(x)
        on_support = (size * np.abs(g + 2 * alpha * np.sign(x))).max() / (size.max() or 1.0)
        return float(max(outside, on_support) / scale)
    if theta is None:
        raise ValueError(f"{type(network).__name__} is stationary in its parameters, not in x: pass theta=")
    force = network.pullback(theta, g) + alpha * network.penalty_gradient(theta)
    return float(np.abs(force).max() / (scale * max(1.0, np.abs(theta).max())))
