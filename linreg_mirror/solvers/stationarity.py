"""How far effective weights are from where a flow ends."""

from linreg_mirror._types import Array
from linreg_mirror.parametrizations import Parametrization
from linreg_mirror.problems import Problem


def stationarity(
    problem: Problem, network: Parametrization, x: Array, alpha: float = 0.0, theta: Array | None = None
) -> float:
    """Return the relative violation of the conditions at which the flow with penalty alpha ends.

    Parameters
    ----------
    problem : Problem
        X is (n, d).
    network : Parametrization
        Its `violation` says what the penalty means for x.
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
    g, scale = problem.gradient(x), problem.gradient_scale or 1.0
    violation = network.violation(x, g, alpha, scale)
    if violation is not None:
        return violation
    if theta is None:
        raise ValueError(
            f"{type(network).__name__} is stationary in its parameters, not in x: pass theta=, or write "
            'flow(..., method="parameters")'
        )
    return network.violation_of_parameters(theta, g, alpha, scale)


def require_motion(problem: Problem, network: Parametrization) -> None:
    """Raise ValueError where parameters cannot leave the start: a saddle point, or a scale that float64 rounds to 0."""
    network.check_start()
    slope = problem.gradient(network.effective(network.theta0))
    if slope.any() and not network.pullback(network.theta0, slope).any():
        raise ValueError(
            "the start is a saddle point that nothing ever leaves: f has a gradient in x, but in no parameter; start "
            "from small weights that are not zero, such as DeepLinear.gaussian(widths, scale, rng)"
        )
