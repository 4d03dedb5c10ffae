"""The flow of a network on separable data, in the time of its log-loss, which ends nowhere."""

import time as clock
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import scipy

from linreg_mirror._tools.arguments import check_number, check_positive
from linreg_mirror._tools.blas import one_thread
from linreg_mirror._tools.cites import cited, cites
from linreg_mirror._types import Array
from linreg_mirror.parametrizations import Parametrization
from linreg_mirror.problems import Problem
from linreg_mirror.problems.problem import require_problem
from linreg_mirror.solvers.results import Stats
from linreg_mirror.solvers.separable._max_margin import check_norm, max_margin, signed_samples

_FAR = 36.0  # margins above which log(1 + e^-q) is e^-q
_EVALUATIONS = 1_000_000
_FOREVER = 1e12


@dataclass(frozen=True, eq=False)
class MarginPath:
    """A flow on separable data, from which on all margins q_i = y_i <x_i, x> grow.

    Attributes
    ----------
    s : array, shape (T,)
        Log-loss time, increasing: the integral of the loss over the flow's own time.
    x : array, shape (T, d)
        Effective weights.
    parameters : array, shape (T, p)
        The parameters.
    log_loss : array, shape (T,)
        log L, falling.
    margins : array, shape (T, n)
        q.
    stats : Stats
        What it cost.
    problem : Problem
        What was classified.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> problem = lm.Problem([[2.0, 1.0], [-1.0, 0.5]], [1, -1])
    >>> path = lm.margin_flow(problem, lm.Hadamard.at(0.0, d=2))
    >>> float(path.log_loss[-1].round(6)), bool((path.margins[-1] > 0).all())
    (-400.0, True)
    """

    s: Array
    x: Array
    parameters: Array
    log_loss: Array
    margins: Array
    stats: Stats
    problem: Problem = field(repr=False)

    def margin(self, norm: float = 1) -> Array:
        """Return the least q_i divided by the norm of x, shape (T,); -inf where x = 0.

        Parameters
        ----------
        norm : {1, 2, inf}
            In which the length of x is measured.

        Raises
        ------
        ValueError
            If it is another norm.
        """
        check_norm(norm)
        lengths = np.linalg.norm(self.x, norm, axis=1)
        return np.divide(self.margins.min(axis=1), lengths, out=np.full(len(lengths), -np.inf), where=lengths > 0)

    def __repr__(self) -> str:
        return f"MarginPath(points={len(self.s)}, log_loss={self.log_loss[-1]:.6g}, margin={self.margin()[-1]:.4g})"


def _exponential(q: Array) -> tuple[Array, Array]:
    return -q, -q


def _logistic(q: Array) -> tuple[Array, Array]:
    near = np.logaddexp(0.0, -np.minimum(q, _FAR))
    return np.where(q < _FAR, np.log(near), -q), -np.logaddexp(0.0, q)


def _log_sum(logs: Array) -> float:
    """Return log sum exp; SciPy's takes ten times as long for a few samples."""
    largest = logs.max()
    return float(largest + np.log(np.exp(logs - largest).sum()))


# Logarithms of losses and of minus their slopes.
_LOSSES: Mapping[str, Callable[[Array], tuple[Array, Array]]] = {"exponential": _exponential, "logistic": _logistic}


@cites("lyu2020gradient")
@one_thread()
def margin_flow(
    problem: Problem,
    network: Parametrization,
    loss: Literal["exponential", "logistic"] = "exponential",
    *,
    until: float = -400.0,
    accuracy: float = 1e-9,
) -> MarginPath:
    """Follow the gradient flow of L = sum_i l(y_i <x_i, x>), l(q) = exp(-q) or log(1 + exp(-q)), to a given log L.

    The path is that of theta' = -grad log L: time is stretched by L, without which nothing would move after a while. At
    log L = -400 L itself is far below what float64 can add to anything; all is computed from logarithms.

    Parameters
    ----------
    problem : Problem
        X is (n, d); y holds labels, 1 and -1. Its own loss does not matter.
    network : Parametrization
        How x depends on parameters, and where they start; a mirror is not needed.
    loss : {"exponential", "logistic"}
        l.
    until : float
        log L at the end.
    accuracy : float
        Local error per step, relative to the parameters.

    Returns
    -------
    MarginPath
        Points, their log L and margins.

    Raises
    ------
    ValueError
        If y holds anything but labels, the samples are not separable, there is no such loss, log L is at or below
        `until` at the start, or the start is a saddle point.
    ArithmeticError
        If the integrator gives up.

    Notes
    -----
    Lyu and Li (ICLR 2020). The direction of x is settled late: what is left to the largest margin falls like
    1/log(1/L) at best.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> problem = lm.Problem([[2.0, 1.0], [-1.0, 0.5]], [1, -1])
    >>> path = lm.margin_flow(problem, lm.Hadamard.at(0.0, d=2), until=-100)
    >>> largest = 1 / abs(lm.max_margin(problem).x).sum()
    >>> float((path.margin()[-1] / largest).round(2))
    0.99
    """
    started = clock.perf_counter()
    require_problem(problem, "margin_flow(Problem(X, labels), network)")
    problem.require_network(network)
    check_number("until", until)
    check_positive("accuracy", accuracy, "write accuracy=1e-9")
    if loss not in _LOSSES:
        raise ValueError(f"loss must be one of {', '.join(_LOSSES)}, got {loss!r}")
    max_margin(problem)  # or it says what is wrong with the labels
    Z, logs = signed_samples(problem, "margin_flow"), _LOSSES[loss]

    def field_of(theta: Array) -> Array:
        losses, slopes = logs(Z @ network.effective(theta))
        return network.pullback(theta, Z.T @ np.exp(slopes - _log_sum(losses)))

    def log_loss(theta: Array) -> float:
        return _log_sum(logs(Z @ network.effective(theta))[0])

    if not until < log_loss(network.theta0):
        raise ValueError(f"until, the last log L, must be below that of the start, {log_loss(network.theta0):.6g}")
    network.check_start()
    if not field_of(network.theta0).any():
        raise ValueError("the start is a saddle point that nothing ever leaves: start from weights that are not zero")
    # Parameters at 0, where they can leave it, are those of x itself, in units of 1/X.
    size = float(np.abs(network.theta0).max()) or 1 / float(np.abs(Z).max())
    rtol, atol = max(accuracy, 1e-13), accuracy * size
    solver = scipy.integrate.LSODA(
        lambda _, theta: field_of(theta), 0.0, network.theta0, _FOREVER, rtol=rtol, atol=atol
    )
    s, states, losses = [0.0], [network.theta0], [log_loss(network.theta0)]
    while losses[-1] > until:
        if solver.status != "running" or solver.nfev > _EVALUATIONS:
            raise ArithmeticError(f"LSODA gave up at log L = {losses[-1]:.6g}: ask for less, until={losses[-1]:.3g}")
        solver.step()
        s.append(solver.t)
        states.append(solver.y.copy())
        losses.append(log_loss(states[-1]))
    if losses[-1] < until:  # it went too far
        dense = solver.dense_output()
        s[-1] = float(scipy.optimize.brentq(lambda at: log_loss(dense(at)) - until, s[-2], s[-1], rtol=1e-15))
        states[-1], losses[-1] = dense(s[-1]), log_loss(dense(s[-1]))
    x = np.stack([network.effective(theta) for theta in states])
    return MarginPath(
        s=np.array(s),
        x=x,
        parameters=np.array(states),
        log_loss=np.array(losses),
        margins=x @ Z.T,
        stats=Stats(
            method="LSODA", steps=len(s) - 1, evaluations=solver.nfev, seconds=clock.perf_counter() - started,
            cites=(*cited(margin_flow), *network.cites),
        ),
        problem=problem,
    )  # fmt: skip
