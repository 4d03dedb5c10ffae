"""Weights that are quadratic in their parameters, x_i = w'A_i w/2: where all A_i and B commute there is a mirror flow.

Networks are built here, on at most three samples and six features of the instance, with ten parameters. Their matrices
have random eigenvectors in common, so that no two weights have parameters of their own.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import scipy.linalg

from linreg_mirror import schedules
from linreg_mirror._types import Array
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Hypothesis,
    Instance,
    algebra,
    certified,
    identity,
    relative,
    theorem,
)
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import Quadratic
from linreg_mirror.problems import Problem
from linreg_mirror.schedules import Schedule
from linreg_mirror.solvers import Trajectory
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.solvers.limit import limit
from linreg_mirror.theorems.flows._motion import descent_of

_SAMPLES, _FEATURES, _PARAMETERS = 3, 6, 10
_UNTIL = 10.0  # over the largest eigenvalue of XX': what is left of residuals does not matter
_SCHEDULE: Schedule = schedules.Geometric(0.3, ratio=0.5)
_ACCURACY = 1e-10  # of paths, relative
_ADDED_UP = 5e-9  # what steps add up to; 5e-10 was measured

# Only X is used.
_ONCE = (
    h.hadamard,
    h.squared,
    h.no_penalty,
    h.starts_at_zero,
    Hypothesis("b >= 0.1", lambda it: bool(it.scale0.min() >= 0.1)),
    Hypothesis("features other than 0", lambda it: bool(it.problem.X[:_SAMPLES, :_FEATURES].any())),
)


@lru_cache(maxsize=4)
def _made(it: Instance, commuting: bool = True) -> tuple[Problem, Quadratic, Trajectory]:
    """Return a problem whose targets positive squares have, a network, and the flow of its parameters."""
    X = it.problem.X[:_SAMPLES, :_FEATURES]
    X = X / np.linalg.norm(X, 2)
    rng, p, d = it.generator(), _PARAMETERS, X.shape[1]
    V = np.linalg.qr(rng.standard_normal((p, p)))[0]
    rates = rng.uniform(-1, 1, (d, p))
    A, B = V * rates[:, None] @ V.T, V * rng.uniform(0, 2, p) @ V.T
    if not commuting:
        noise = 0.3 * rng.standard_normal((p, p))
        A[0] += noise + noise.T
    network = Quadratic(0.5 * (A + A.swapaxes(1, 2)), rng.standard_normal(p), 0.5 * (B + B.T))
    problem = Problem(X, X @ rates @ rng.uniform(0.1, 2, p))
    path = flow(
        problem, network, _SCHEDULE, until=_UNTIL, method="parameters", accuracy=_ACCURACY, integrators=("DOP853",)
    )
    return problem, network, path


@theorem(
    "mirror.quadratic",
    source=Citation("JZB25", "Thm 3.3"),
    statement="x_i = w'A_i w/2, penalty w'Bw/2, all of which commute: x_t is the gradient of "
    "1/4 |exp(-A_t B + sum mu_i A_i) w_0|^2 at mu = -L_t",
    kind="identity",
    hypotheses=_ONCE,
    constants={"commuting": True},
    control=Control("one matrix that does not commute with the others", "planted/plain/0", {"commuting": False}),
)
def closed_form(it: Instance, commuting: bool) -> Evidence:
    """Compare along the path with exponentials of matrices, by SciPy.

    Proof. w' = -(alpha B + sum_i g_i A_i) w: matrices of different times commute, so that w_t is the exponential of the
    integral times w_0. The derivative of |exp(..) w_0|^2/4 in mu_i is w'A_i w/2, since A_i commutes with the exponent.
    """
    problem, network, path = _made(it, commuting)
    some = np.linspace(0, len(path.t) - 1, 8).astype(int)
    assert network.B is not None
    expected = []
    for k in some:
        w = scipy.linalg.expm(-path.decay[k] * network.B - np.tensordot(path.dual[k] @ problem.X, network.A, 1))
        expected.append(_values(network.A, w @ network.w0))
    return identity(relative(path.x[some] - np.stack(expected), path.x[some]), _ADDED_UP)


@algebra("mirror.quadratic", commuting=False)
def closed_form_derived(sp: Any, commuting: bool = True) -> Any:
    """Two matrices of 2 x 2, in the basis of their eigenvectors: w = exp(mu_1 A_1) exp(mu_2 A_2) w_0 moves by A_i w.

    So it flows, if mu_i' = -g_i; B is one of them, with mu' = -alpha. The control has an A_2 of other eigenvectors.
    """
    a, mu, w0, g = sp.symbols("a1:5", real=True), sp.symbols("mu1 mu2"), sp.symbols("u v"), sp.symbols("g1 g2")
    A, first = [sp.diag(a[0], a[1]), sp.diag(a[2], a[3])], sp.diag(sp.exp(mu[0] * a[0]), sp.exp(mu[0] * a[1]))
    second = sp.diag(sp.exp(mu[1] * a[2]), sp.exp(mu[1] * a[3]))
    if not commuting:
        A[1], (c, s) = sp.Matrix([[0, a[2]], [a[2], 0]]), (f(mu[1] * a[2]) for f in (sp.cosh, sp.sinh))
        second = sp.Matrix([[c, s], [s, c]])
    w, here = first * second * sp.Matrix(w0), sp.Matrix(sp.symbols("w1 w2"))
    x = [(here.T * one * here)[0] / 2 for one in A]
    down = descent_of(g[0] * x[0] + g[1] * x[1], here)
    along = [w.diff(by) - one * w for by, one in zip(mu, A, strict=True)]
    slopes = [(w.dot(w) / 4).diff(by) - (w.T * one * w)[0] / 2 for by, one in zip(mu, A, strict=True)]
    return [down + g[0] * A[0] * here + g[1] * A[1] * here, *along, *slopes]


def _values(A: Array, w: Array) -> Array:
    return np.array([0.5 * w @ one @ w for one in A])


@theorem(
    "mirror.quadratic.limit",
    source=Citation("JZB25", "Thm 3.3, with LWLA22's"),
    statement="at any time x_t is the one of least R_A_t among all x with Xx = Xx_t, R_A the conjugate of "
    "1/4 |exp(-A B + sum mu_i A_i) w_0|^2, computed in common eigenspaces",
    kind="identity",
    hypotheses=_ONCE,
    constants={"penalised": 1.0},
    control=Control("the potential of alpha = 0", "planted/plain/0", {"penalised": 0.0}),
)
def limits(it: Instance, penalised: float) -> Evidence:
    """Compare with Newton's method at two times.

    Proof. grad R_A(x_t) = -L_t lies in the row space of X: the condition for the minimum of the convex R_A.
    """
    problem, network, path = _made(it)
    rates = network.eigenvalues.rates
    apart = []
    for k in (len(path.t) // 2, -1):
        reached = Problem(problem.X, problem.X @ path.x[k])
        q = certified(limit(*network.in_eigenvalues(reached), penalised * float(path.decay[k])))
        apart.append(relative(rates @ q - path.x[k], path.x[k]))
    return identity(apart, _ADDED_UP)


@algebra("mirror.quadratic.limit", penalised=0)
def limits_derived(sp: Any, penalised: int = 1) -> Any:
    """Two weights of a parameter each, one sample: where R_A's conjugate has the slope x, mu is along (X_1, X_2)."""
    (w, *a), beta = sp.symbols("w a1 a2", positive=True), sp.symbols("beta1 beta2", real=True)
    (X1, X2, s, A, mu), found = sp.symbols("X1 X2 s A mu", real=True), []
    for rate, decay, along in zip(a, beta, (X1, X2), strict=True):
        x = (sp.exp(2 * (mu * rate - A * decay)) * w**2 / 4).diff(mu)
        (slope,) = sp.solve(sp.log(x.subs(A, penalised * A) / x.subs(mu, -along * s)), mu)
        found.append(slope)
    return X2 * found[0] - X1 * found[1]
