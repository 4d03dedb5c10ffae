"""What a run of steps has solved, or why nobody knows."""

import numpy as np

from linreg_mirror.parametrizations import Parametrization, Power
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.discrete.deep_bias import deep_bias
from linreg_mirror.solvers.discrete.implicit_bias import ImplicitBias
from linreg_mirror.solvers.discrete.steppers import Stepper


def bias_of(
    problem: Problem, network: Parametrization, stepper: Stepper, momentum: float, decay: float
) -> ImplicitBias | str:
    """Return the Bregman problem that a run has solved, or why it is not known.

    Parameters
    ----------
    problem, network
        Those of the run.
    stepper : Stepper
        Its state at the end.
    momentum : float
        Of the heavy ball.
    decay : float
        The penalty so far, sum eta alpha.
    """
    dual = stepper.dual / (1 - momentum)
    if isinstance(network, Power):
        return deep_bias(problem, network, stepper.theta, dual, decay > 0)
    with np.errstate(divide="ignore"):
        factors = stepper.log_factors()
    if factors is None:
        return "only a run of x = m*w from an unbalanced start, or of p^D - q^D, knows which problem it has solved"
    log_u, log_v = factors
    if not (np.isfinite(log_u) & np.isfinite(log_v)).all():
        return "a factor of m*w has become 0 in float64, and with it the scale of its weight"
    return ImplicitBias(log_u + log_v, log_u - log_v + 2 * problem.X.T @ dual, dual)
