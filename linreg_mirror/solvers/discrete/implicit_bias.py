"""The implicit bias of discrete training on x = m*w, exactly: what a finished run turns out to have minimised."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.parametrizations import Hadamard, Power
from linreg_mirror.problems import Problem


@dataclass(frozen=True, eq=False)
class ImplicitBias:
    """The potential R_b, tilted, that steps of finite size leave behind.

    A run that ends at x_T with Xx_T = y has solved min R_b(x) - <tilt, x>/2 subject to Xx = y, with this b and tilt and
    not with those it started from: x_T = b sinh(tilt - 2X's).

    Attributes
    ----------
    log_scale : array, shape (d,)
        log b_T, the log of |u_T v_T|: without momentum each step multiplies b by |(1 - 2 eta alpha)^2 - eta^2 g^2|.
    tilt : array, shape (d,)
        log|u_T/v_T| + 2X's, which is log(u_0/v_0) but for terms of second order in the step size, of first order where
        there is a penalty; with momentum, once the run is at rest. On Xx = y only its part outside the row space of X
        has an effect.
    dual : array, shape (n,)
        s, the accumulated loss gradient sum eta l' / (1 - momentum).

    Notes
    -----
    Even, Pesme, Gunasekar, Flammarion (arXiv 2302.08982) for gradient descent; Papazov et al. (2403.05293) treat the
    flow with momentum, of which this is the exact counterpart for steps of finite size.

    Examples
    --------
    Steps of finite size shrink the scale, from b = 0.1 here:

    >>> import numpy as np
    >>> import linreg_mirror as lm
    >>> problem = lm.Problem([[1, 2]], [2])
    >>> run = lm.descent(problem, lm.Hadamard.from_scale(0.1, d=2), step_size=0.05)
    >>> bool((run.implicit.log_scale < np.log(0.1)).all())
    True
    >>> bool(abs(run.implicit.represented(problem) - run.x[-1]).max() < 1e-9)
    True
    """

    cites: ClassVar[tuple[str, ...]] = ("even2023sgd", "papazov2024leveraging")
    log_scale: Array
    tilt: Array
    dual: Array

    @property
    def network(self) -> Hadamard | Power:
        """x = m*w at this scale and tilt: `limit(problem, run.implicit.network)` solves the problem anew."""
        return Hadamard.from_tilt(self.log_scale, self.tilt)

    def represented(self, problem: Problem) -> Array:
        """Return b sinh(tilt - 2X's), shape (d,), or what stands for it at depth D: where the run ended.

        Parameters
        ----------
        problem : Problem
            That of the run.
        """
        mirror = self.network.mirror()
        return mirror.primal(mirror.initial_dual - problem.X.T @ self.dual, 0.0)


class LogProducts:
    """log|u_k/u_0| and log|v_k/v_0| of heavy-ball descent, from the gradients alone.

    rho_k = u_{k+1}/u_k obeys rho_k = 1 - eta(2 alpha + g) + momentum (1 - 1/rho_{k-1}), and so does v with -g: the
    parameters themselves are not needed, and what they do is a check of this.

    Parameters
    ----------
    d : int
        Number of weights.
    momentum : float
        Of the heavy ball; the start is at rest.

    Attributes
    ----------
    log_u, log_v : array, shape (d,)
        Sums of log|rho| so far, across changes of sign of a factor too.
    """

    def __init__(self, d: int, momentum: float) -> None:
        self.momentum = momentum
        self._log, self._rho, self._slopes = np.zeros((2, d)), np.ones((2, d)), np.empty((2, d))  # of u, and of v
        self.log_u, self.log_v = self._log  # views

    def step(self, g: Array, eta: float, alpha: float) -> None:
        """Record a step along the gradient g with penalty alpha."""
        self._slopes[0], self._slopes[1] = g, -g
        rho = 1 - eta * (2 * alpha + self._slopes)
        if self.momentum:
            rho += self.momentum * (1 - 1 / self._rho)
        self._rho = rho
        self._log += np.log(np.abs(rho))
