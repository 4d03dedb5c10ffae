"""The implicit bias of discrete training at depth D: the potential at whose minimiser the last factors stand."""

from dataclasses import dataclass

import numpy as np

from linreg_mirror import mirrors
from linreg_mirror._types import Array
from linreg_mirror.parametrizations import Power
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.discrete.implicit_bias import ImplicitBias


@dataclass(frozen=True, eq=False)
class DeepBias(ImplicitBias):
    """The potential of depth D, tilted, that steps of finite size leave behind.

    The factors p_T and q_T at the end have a scale, 2 a^(2-D) = p_T^(2-D) + q_T^(2-D), and a dual variable z_T at this
    scale. A run that ends at x_T with Xx_T = y has solved min R_a(x) - <z, x> subject to Xx = y, with z = z_T + X's.

    Attributes
    ----------
    log_scale : array, shape (d,)
        log a_T, which is log a_0 but for terms of first order in the step size.
    tilt : array, shape (d,)
        log(p/q) of a start with this scale and the dual z; log(p_0/q_0) but for terms of first order.
    dual : array, shape (n,)
        s, the accumulated loss gradient sum eta l' / (1 - momentum) times D a^(D-2), a the largest scale.
    depth : int
        D.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> problem = lm.Problem([[1, 2]], [2])
    >>> run = lm.descent(problem, lm.Power.from_scale(0.3, depth=3, d=2), step_size=0.02)
    >>> solved = lm.limit(problem, run.implicit.network)
    >>> bool(abs(solved.x - run.x[-1]).max() < 1e-6)
    True
    """

    depth: int = 3

    @property
    def network(self) -> Power:
        """x = p^D - q^D at this scale and tilt: `limit(problem, run.implicit.network)` solves the problem anew."""
        mirror = mirrors.Power(self.log_scale, self.tilt, self.depth)
        x0 = mirror.primal(mirror.initial_dual, 0.0)
        return Power.from_scale(log_alpha=self.log_scale, depth=self.depth, x0=x0)


def deep_bias(problem: Problem, network: Power, theta: Array, accumulated: Array, penalised: bool) -> DeepBias | str:
    """Return what a run at depth D has solved, or why that is not known.

    Parameters
    ----------
    problem : Problem
        X is (n, d).
    network : Power
        That of the run.
    theta : array, shape (2d,)
        The last factors.
    accumulated : array, shape (n,)
        sum eta l' / (1 - momentum).
    penalised : bool
        Whether there was a penalty, which from depth 3 on changes the clock of the dual on the way.
    """
    if penalised and network.depth > 2:
        return "a penalty at depth 3 and beyond slows the clock of the dual down, and steps do not keep account of it"
    if not (theta >= np.finfo(float).tiny).all():
        return "a step took a factor of p^D - q^D to 0 or through it, where the potential of depth D ends"
    p, q = np.split(theta, 2)
    end = Power(p, q, depth=network.depth)
    mirror = end.mirror()
    dual = accumulated * mirror.dual_rate(0.0)
    start = mirror.initial_dual + problem.X.T @ dual
    faded = (network.depth - 2) * mirror.unit
    if not (faded * np.abs(start) < 1).all():
        return "the steps were too long: no start has the dual that they have left behind"
    half_ratio = start if network.depth == 2 else np.arctanh(faded * start) / (network.depth - 2)
    return DeepBias(end.log_scale, 2 * half_ratio, dual, network.depth)
