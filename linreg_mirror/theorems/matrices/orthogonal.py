"""Networks that are diagonal in orthogonal coordinates of their layers: the mirror flow is one of these coordinates."""

from dataclasses import dataclass

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Hypothesis,
    Instance,
    certified,
    identity,
    relative,
    theorem,
)
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import Hadamard, NoMirror, Parametrization
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.solvers.limit import limit

_SAMPLES, _FEATURES, _MODES = 4, 12, 8
_UNTIL = 10.0  # over the largest eigenvalue of XX'
_ADDED_UP = 1e-10  # what steps add up to; 3e-12 was measured

_ONCE = (
    h.hadamard,
    h.squared,
    h.no_penalty,
    h.starts_at_zero,
    Hypothesis("b >= 0.1", lambda it: bool(it.scale0.min() >= 0.1)),
    Hypothesis("features other than 0", lambda it: bool(it.problem.X[:_SAMPLES, :_FEATURES].any())),
)


@dataclass(frozen=True, eq=False)
class _Turned(Parametrization):
    """x = S (U'v * V'w), entry by entry in the middle; S is (d, k), U and V are (k, k)."""

    S: Array
    U: Array
    V: Array
    start: Array

    @property
    def theta0(self) -> Array:
        return self.start

    @property
    def d(self) -> int:
        return len(self.S)

    def modes(self, theta: Array) -> tuple[Array, Array]:
        v, w = np.split(theta, 2)
        return self.U.T @ v, self.V.T @ w

    def effective(self, theta: Array) -> Array:
        m, w = self.modes(theta)
        return self.S @ (m * w)

    def pullback(self, theta: Array, grad_x: Array) -> Array:
        (m, w), g = self.modes(theta), self.S.T @ grad_x
        return np.concatenate([self.U @ (w * g), self.V @ (m * g)])

    def penalty_gradient(self, theta: Array) -> Array:
        return 2 * theta

    def mirror(self):
        raise NoMirror("only the modes have one")


@theorem(
    "networks.orthogonal",
    source=Citation("YKM21", "orthogonally decomposable networks of two layers, regression"),
    statement="x = S (U'v * V'w), U and V orthogonal: the flow of v and w is that of modes z = U'v * V'w, and at any "
    "time z is least in R_b among all with X S z = X x_t, b = ((U'v_0)^2 - (V'w_0)^2)/2",
    kind="identity",
    hypotheses=_ONCE,
    constants={"orthogonal": True},
    control=Control("a V that is not orthogonal", "planted/plain/0", {"orthogonal": False}),
)
def orthogonal(it: Instance, orthogonal: bool) -> Evidence:
    """Compare the flow of v and w at two times with Newton's method in the modes.

    Proof. (U'v)' = U'U (V'w * S'g) with g = grad f: U'U = 1 leaves the flow of m*w on the data X S, and V'w is like it.
    Two circular convolutions are of this kind, with complex modes.
    """
    X = it.problem.X[:_SAMPLES, :_FEATURES]
    X = X / np.linalg.norm(X, 2)
    rng = it.generator()
    U, V = (np.linalg.qr(rng.standard_normal((_MODES, _MODES)))[0] for _ in range(2))
    if not orthogonal:
        V = V * rng.uniform(0.5, 2, _MODES)
    S = rng.standard_normal((X.shape[1], _MODES))
    S /= np.linalg.norm(S, 2)
    m, w = rng.uniform(0.5, 1.5, _MODES), rng.uniform(-0.4, 0.4, _MODES)
    start = np.concatenate([np.linalg.solve(U.T, m), np.linalg.solve(V.T, w)])
    network, problem = _Turned(S, U, V, start), Problem(X, X @ S @ rng.standard_normal(_MODES))
    path = flow(problem, network, until=_UNTIL, method="parameters", accuracy=1e-10, integrators=("DOP853",))
    assert path.parameters is not None
    apart = []
    for k in (len(path.t) // 2, -1):
        z = np.prod(network.modes(path.parameters[k]), axis=0)
        end = certified(limit(Problem(X @ S, X @ path.x[k]), Hadamard(m, w)))
        apart.append(relative(end - z, z))
    return identity(apart, _ADDED_UP)
