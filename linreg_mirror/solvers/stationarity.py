"""How far effective weights are from where a flow ends."""

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.parametrizations import DeepLinear, Direct, Factorized, Hadamard, Parametrization, Power
from linreg_mirror.problems import Problem

_ROUNDING = 1e-14


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
        Parameters, for networks whose condition is on them (balanced starts, shared masks, products of matrices).

    Returns
    -------
    float
        Zero at a stationary point, about one at x = 0; relative to the largest entry of grad f(0) (to 1 where that
        is zero). For x = m*w with b > 0 these are the conditions of LASSO with weight 2 alpha: |g_i| <= 2 alpha, and
        g_i = -2 alpha sign x_i, weighted with |x_i|, where x_i is not zero. Stationarity of the parameters alone would
        also hold at a saddle that the flow is about to leave. For x = p^D - q^D and alpha = 0 it is g = 0, and at depth
        2 LASSO with weight alpha. A penalty that stays makes p_i = q_i = 0 stable from depth 3 on, whatever g_i is:
        then the condition is on the parameters. For products of matrices, what weights near zero could still gain
        counts too where the widths allow every rank; unless the force on the parameters is rounding, for a rank that
        the start does not have is never gained.
    """
    g = problem.gradient(x)
    scale = problem.gradient_scale or 1.0
    if isinstance(network, Direct):
        return float(np.abs(g + 2 * alpha * x).max() / scale)
    weight = _lasso_weight(network, alpha)
    if weight is not None:
        outside = np.maximum(np.abs(g) - weight, 0.0).max()
        if alpha == 0:
            return float(outside / scale)
        size = np.abs(x)
        on_support = (size * np.abs(g + weight * np.sign(x))).max() / (size.max() or 1.0)
        return float(max(outside, on_support) / scale)
    if theta is None:
        raise ValueError(
            f"{type(network).__name__} is stationary in its parameters, not in x: pass theta=, or write "
            'flow(..., method="parameters")'
        )
    force = np.abs(network.pullback(theta, g) + alpha * network.penalty_gradient(theta)).max()
    size = np.abs(theta).max()
    if not isinstance(network, DeepLinear | Factorized):
        return float(force / (scale * max(1.0, size)))
    unit = size ** (network.degree - 1) if alpha == 0 and size > 0 else max(1.0, size)
    force /= unit * scale
    if force < _ROUNDING:
        return float(force)
    return float(max(force, network.unused_slope(g, alpha) / scale))


def require_motion(problem: Problem, network: Parametrization) -> None:
    """Raise ValueError where parameters cannot leave the start: a saddle point, or a scale that float64 rounds to 0."""
    if isinstance(network, Hadamard | Power):
        # Balanced entries (log b = -inf) are meant to have a factor u or v that is zero.
        if isinstance(network, Hadamard):
            smallest = np.exp(
                0.5 * (network.log_scale - np.where(np.isfinite(network.tilt), np.abs(network.tilt), 0.0))
            )
        else:
            smallest = np.minimum(network.p0, network.q0)
        if (smallest[np.isfinite(network.log_scale)] == 0).any():
            scale = "b" if isinstance(network, Hadamard) else "alpha"
            raise ValueError(
                f"the parameters at log {scale} = {network.log_scale.min():.4g} are zero in float64, and no step moves "
                "them: write flow(problem, network), which needs no parameters, or saddles(problem), the limit of "
                "vanishing scale"
            )
    slope = problem.gradient(network.effective(network.theta0))
    if slope.any() and not network.pullback(network.theta0, slope).any():
        raise ValueError(
            "the start is a saddle point that nothing ever leaves: f has a gradient in x, but in no parameter; start "
            "from small weights that are not zero, such as DeepLinear.gaussian(widths, scale, rng)"
        )


def _lasso_weight(network: Parametrization, alpha: float) -> float | None:
    """Return the weight of |x|_1 that the penalty amounts to at the end of the flow, None if it is not of that kind."""
    if isinstance(network, Power):
        return alpha if alpha == 0 or network.depth == 2 else None
    if isinstance(network, Hadamard) and network.decay_on == "both" and not np.isneginf(network.log_scale).any():
        return 2 * alpha
    return None
