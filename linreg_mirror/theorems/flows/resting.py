"""How fast a flow comes to rest, from anywhere near its end: what compiled flows know of their exact end by."""

from typing import Any

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Hypothesis, Instance, algebra, inequality, theorem
from linreg_mirror.ledger import hypotheses as h

_NEAR = 0.5  # how far exponents may be from their end where the statement begins to be looked at
_ALLOWED = 1e-9  # errors of the path and of its end, relative to the first distance


def _distances(it: Instance) -> tuple[Array, Array, float]:
    """Return times and |s - s*| of the path of m and w from where 2lR is small on, and l."""
    longest = float(np.linalg.norm(it.problem.X, axis=0).max())
    away = np.linalg.norm(it.path.dual - it.limit.dual, axis=1)
    near = 2 * longest * away < _NEAR
    return it.path.t[near], away[near], longest


independent = Hypothesis("rows of X independent", lambda it: it.problem.rank == it.problem.n)
comes_to_rest = Hypothesis("the path ends close to rest", lambda it: _distances(it)[0].size > 1)


@theorem(
    "bars.rest",
    source=Citation("ours", "N5"),
    statement="squared loss, no penalty, s* the dual of the limit, mu the smallest eigenvalue of X diag(metric) X' "
    "there, l = max |X_i|, R = |s_t - s*|_2: |s_T - s*|_2 <= R exp(-mu exp(-2lR) (T - t))",
    kind="inequality",
    hypotheses=(h.hadamard, h.unbalanced, h.squared, h.no_penalty, h.solvable, independent, comes_to_rest),
    constants={"speed": 1.0},
    control=Control("twice the rate", "planted/plain/0", {"speed": 2.0}),
)
def rest(it: Instance, speed: float) -> Evidence:
    """Compare the flow of m and w, from where 2lR is below one half on, with the limit of the mirror.

    Proof. s* is a flow too, so that |s - s*| never grows (bars.contraction). Half of the derivative of |s - s*|^2 is
    -<s - s*, K (s - s*)>, where K is the mean of X diag(metric) X' between the two; entries of the metric are
    2b cosh 2z there, at least exp(-2lR) times that at s*, since z changes by lR at most. Then Gronwall.
    """
    t, away, longest = _distances(it)
    X, mirror = it.problem.X, it.network.mirror()
    metric = mirror.metric(mirror.initial_dual - X.T @ it.limit.dual, 0.0)
    mu = float(np.linalg.eigvalsh(X @ (metric[:, None] * X.T))[0])
    bound = away[0] * np.exp(-speed * mu * np.exp(-2 * longest * away[0]) * (t - t[0]))
    return inequality(away, bound, scale=away[0], rounding=_ALLOWED)


@algebra("bars.rest", speed=2)
def rest_derived(sp: Any, speed: float = 1) -> Any:
    """One weight, e = |X||s - s*|: cosh(2z + e) exp(e) is at least cosh 2z, in u = exp(2z) and 1 + v = exp(e)."""
    u, v = sp.symbols("u v", positive=True)
    grown, met = (u * (1 + v) + 1 / (u * (1 + v))) / 2 * (1 + v), (u + 1 / u) / 2
    return (grown - speed * met, u * v * (2 + v) / 2)
