"""How fast a flow comes to rest, from anywhere near its end: what compiled flows know of their exact end by."""

from typing import Any

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Hypothesis, Instance, algebra, inequality, theorem
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.ledger.hypotheses import ONCE
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.solvers.continuous import resting
from linreg_mirror.theorems.flows._shares import Shares

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


@theorem(
    "bars.rest.enclosed",
    source=Citation("ours", "N5"),
    statement="X diagonal, where flows have a closed form: |s_T - s~_T|_2 never exceeds the bar at rest, for a path s~ "
    "that knows its error at a time before and has come to rest, or nearly",
    kind="inequality",
    hypotheses=ONCE,
    constants={"share": 1.0},
    control=Control("a tenth of the bar", "planted/plain/0", {"share": 0.1}),
)
def enclosed(it: Instance, share: float) -> Evidence:
    """Compare flows that start below their end and above it, paths that are off at first, and paths that end beside it.

    Proof. As bars.rest, from the end that Newton's step encloses (bars.self_concordance): the flow stays within the
    distance R that it has from there at any time, and comes closer at the rate mu exp(-2lR) at least; the path's own
    distance from that end is added.
    """
    rng, found = it.generator(), Shares()
    for _ in range(8):
        lengths, b = np.exp(0.3 * rng.standard_normal(2)), rng.uniform(0.2, 1.0, 2)
        X, y, mirror = np.diag(lengths), rng.standard_normal(2), Hyperbolic(np.log(b), np.zeros(2))
        end = -np.arcsinh(y / lengths / b) / (2 * lengths)
        rates = 2 * lengths * np.hypot(y, lengths * b)
        slow = np.arange(2) == np.argmin(rates)
        for off in (-0.3, -1e-3, 1e-3, 0.3):
            for times in (1.0, 2.0, 8.0):
                T = times / float(rates.min())
                apart = slow * off / lengths
                there = _apart(lengths, b, y, apart, T)
                sizes = np.linalg.norm(apart), np.linalg.norm(there)
                for states, error, left in (
                    ([end + apart, end], 0.0, sizes[1]),
                    ([end, end], sizes[0], sizes[1]),
                    ([end, end + apart], 0.0, sizes[0]),
                ):
                    t, errors = np.array([0.0, T]), np.array([error, 1e9])
                    bar = resting.error_at_rest(X, y, mirror, 0.0, t, np.stack(states), errors)
                    if bar != np.inf:
                        found.of(left, bar)
    return found.evidence(share)


def _apart(lengths: Array, b: Array, y: Array, apart: Array, T: float) -> Array:
    """Return s_T - s*, from s_0 - s*, of s' = l b sinh(-2ls) - y.

    exp(-2ls) obeys Riccati's equation, whose two fixed points are (y +- sqrt(y^2 + l^2 b^2)) / (lb).
    """
    root = np.hypot(y, lengths * b)
    up, down = (y + root) / (lengths * b), (y - root) / (lengths * b)
    share = up * np.expm1(-2 * lengths * apart) / (up * np.exp(-2 * lengths * apart) - down)
    share = share * np.exp(-2 * lengths * root * T)
    return -np.log1p((up - down) * share / (1 - share) / up) / (2 * lengths)
