"""How far from its limit a flow can be, given what is known.

The limit comes from `limit`, whose own proved error, ten orders below the distances measured here, is what numbers are
allowed.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from linreg_mirror._tools.double_double import Pair
from linreg_mirror._types import Array
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Instance,
    algebra,
    certified,
    identity,
    inequality,
    theorem,
)
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.mirrors import Hyperbolic
from linreg_mirror.solvers import error_bars
from linreg_mirror.solvers.error_bars import LimitBar
from linreg_mirror.theorems.flows._motion import divergence, potential

_ONCE = (h.hadamard, h.unbalanced, h.integrable, h.solvable, h.targets)
_EPS = float(np.finfo(float).eps)


class _End(NamedTuple):
    """The limit, what it is known to, and the potential that it minimises."""

    x: Array
    s: Array
    error: float
    mirror: Hyperbolic
    A: float
    b: Array


def _end(it: Instance) -> _End:
    mirror, A, solution = it.hadamard.mirror(), it.total_decay, it.limit
    return _End(certified(solution), solution.dual, solution.error, mirror, A, np.exp(mirror.log_scale_at(A)))


def _interpolators(it: Instance, x: Array) -> tuple[list[Array], float]:
    """Return some, near x and far from it, and how far in the L1 norm they may be from Xp = y."""
    problem, rng, back = it.problem, it.generator(), np.linalg.pinv(it.problem.X)
    size, least = float(np.abs(x).sum()), back @ problem.y
    points = []
    for centre, share in ((x, 1e-4), (x, 1e-2), (x, 1.0), (least, 0.1), (least, 0.3), (least, 3.0)):
        v = rng.standard_normal(problem.d)
        v = v - back @ (problem.X @ v)
        p = centre + share * size / float(np.abs(v).sum()) * v
        points.append(p - back @ problem.residual(p))
    return points, max(float(np.abs(back @ problem.residual(p)).sum()) for p in points)


def _directions(it: Instance, sizes: tuple[float, ...]) -> list[Array]:
    """Return random dual vectors v with these largest |X_i'v|, half of the changes of exponents."""
    drawn = it.generator().standard_normal((len(sizes), it.problem.n))
    return [size / float(np.abs(it.problem.X.T @ v).max()) * v for size, v in zip(sizes, drawn, strict=True)]


def _divergence(p: Array, a_p: Array, a_q: Array, b: Array) -> float:
    """D(p, q) from exponents a = arcsinh(x/b), as a sum of terms that are not negative, so that nothing cancels."""
    rise = np.where(p < 0, -1.0, 1.0) * (a_p - a_q)
    size = np.abs(p)
    above = b * (b / (np.hypot(p, b) + size))
    return 0.5 * float(np.sum(size * (rise + np.expm1(-rise)) + above * 2 * np.sinh(rise / 2) ** 2))


@theorem(
    "bars.pythagoras",
    source=Citation("ours", "N4"),
    statement="Xp = y, q = primal(z_0 - X's) for any s: D(p, q) = D(p, x*) + D(x*, q), D the Bregman divergence of "
    "R_b_inf, x* the limit",
    kind="identity",
    hypotheses=(*_ONCE, h.underdetermined),
    constants={"exponent": 4.0},
    control=Control("b_0 exp(-2A) in place of b_inf", "planted/geometric/0", {"exponent": 2.0}),
)
def pythagoras(it: Instance, exponent: float) -> Evidence:
    """Compare both sides for interpolators near and far, and dual vectors near and far.

    Proof. D(p, q) - D(p, x*) - D(x*, q) = <grad R(x*) - grad R(q), p - x*>. Both duals are z_0 minus something in the
    range of X', and X(p - x*) = 0.
    """
    x, s, error, mirror, A, _ = _end(it)
    A = A * exponent / 4
    b = np.exp(mirror.log_scale_at(A))
    points, missed = _interpolators(it, x)
    a_x = 2 * mirror.dual(x, A)
    residuals = []
    for v in (0 * s, *_directions(it, (0.01, 0.1, 1.0))):
        a_q = 2 * (mirror.initial_dual - it.problem.X.T @ (s + v))
        q = mirror.primal(a_q / 2, A)
        for p in points:
            a_p = 2 * mirror.dual(p, A)
            whole = _divergence(p, a_p, a_q, b)
            residual = whole - _divergence(p, a_p, a_x, b) - _divergence(x, a_x, a_q, b)
            # What an error of x does to the sum, to first order and as much again, and rounding of exponents.
            slope = np.abs(a_x - a_q) / 2 + np.abs(p - x) / (2 * np.hypot(x, b))
            exponents = 1 + np.abs(a_p) + np.abs(a_x) + np.abs(a_q)
            rounding = 8 * _EPS * float(np.sum(exponents * (np.abs(p - x) + np.abs(x - q))))
            allowed = 2 * (error + missed) * float(slope.max()) + rounding
            residuals.append(max(abs(residual) - allowed, 0.0) / whole)
    return identity(residuals, 1e-12)


@algebra("bars.pythagoras", exponent=2)
def pythagoras_derived(sp: Any, exponent: int = 4) -> Any:
    """Two entries, one sample. For any R three divergences leave (R'(x) - R'(q))(p - x).

    With R_b_inf the sum of these is <X'(s_q - s), p - x>, and p - x is in the kernel of X.
    """
    R, (p, q, x), b = sp.Function("R"), sp.symbols("p q x"), sp.Symbol("b", positive=True)
    D = [divergence(R, *pair) for pair in ((p, q), (p, x), (x, q))]
    X, E, (s, s_q, A) = sp.symbols("X1 X2", real=True), sp.symbols("E1 E2", positive=True), sp.symbols("s s_q A")
    slope, left = potential(sp, x, b).diff(x).rewrite(sp.log), 0
    for i, along in enumerate((X[1], -X[0])):
        limit = b * (E[i] - 1 / E[i]) / 2  # b sinh(tilt - 2 X_i s), of which log E_i is the argument
        there = slope.subs(b, b * sp.exp((4 - exponent) * A)).subs(x, limit)
        left += along * (there - (sp.log(E[i]) / 2 + X[i] * s - X[i] * s_q))
    return [D[0] - D[1] - D[2] - (R(x).diff(x) - R(q).diff(q)) * (p - x), left]


@theorem(
    "bars.interpolator",
    source=Citation("ours", "N4"),
    statement="Xp = y, q = primal(z_0 - X's) for any s, G = D(p, q): |p - x*|_1 <= 2G + 2 sqrt(G (G + |p|_1 + sum b))",
    kind="inequality",
    hypotheses=(*_ONCE, h.underdetermined),
    constants={"pinsker": 4.0, "root": 0.5},
    extremal=("special/wide-pair",),
    control=Control("|p - x*|^2 <= 2 D (...), as where |p|_1 = 1", "special/wide-pair", {"pinsker": 2.0}),
)
def interpolator(it: Instance, pinsker: float, root: float) -> Evidence:
    """Compare the distance with the bar, as stated and as the solver encloses it.

    Proof. Let v = p - x* and x_t = x* + tv. R has the Hessian diag 1 / (2 sqrt(x^2 + b^2)), so that by Cauchy's
    inequality |v|_1^2 <= <v, R''(x_t) v> 2 sum sqrt(x_t^2 + b^2), and that sum is at most |p|_1 + |v|_1 + sum b. As
    D(p, x*) = int_0^1 (1-t) <v, R''(x_t) v> dt, |v|_1^2 <= 4 D(p, x*) (|p|_1 + |v|_1 + sum b). By bars.pythagoras
    D(p, x*) <= G; solve for |v|_1. In two coordinates of large b that move together, and q = x*, this is equality.
    """
    x, s, error, mirror, A, b = _end(it)
    points, missed = _interpolators(it, x)
    rows = error_bars.proving_rows(it.problem)
    left, right = [], []
    for v in (0 * s, *_directions(it, (0.01, 0.1, 1.0))):
        s_q = s + v
        a_q = 2 * (mirror.initial_dual - it.problem.X.T @ s_q)
        for p in points:
            G = _divergence(p, 2 * mirror.dual(p, A), a_q, b)
            c, size = pinsker * G, float(np.abs(p).sum() + b.sum())
            left.append(np.abs(p - x).sum())
            right.append(c / 2 + (c * (c / 4 + size)) ** root)
            if not isinstance(rows, str):
                scaled = rows.scaled(Pair.of(s_q))
                q = error_bars.dual_point(mirror, A, rows.X, rows.lengths, scaled)
                left.append(left[-1])
                right.append(error_bars.interpolator_bar(rows, mirror, A, q, Pair.of(p)))
    size = float(np.abs(x).sum())
    return inequality(left, right, scale=size, rounding=(error + missed) / size + 1e-14)


@algebra("bars.interpolator", pinsker=2)
def interpolator_derived(sp: Any, pinsker: int = 4) -> Any:
    """Two entries: Cauchy's inequality and int (1-t) dt = 1/2, hence |v|_1^2 <= 4G (|p|_1 + sum b + |v|_1).

    A |v|_1 beyond the bar breaks that.
    """
    (t, x), b = sp.symbols("t x", real=True), sp.Symbol("b", positive=True)
    v, r = sp.symbols("v1 v2", nonnegative=True), sp.symbols("r1 r2", positive=True)
    G, size, more = sp.symbols("G size more", nonnegative=True)
    half = potential(sp, x, b).diff(x, 2) * sp.sqrt(x**2 + b**2)  # R'' = half/r, r the root
    bent = sum(half * v[i] ** 2 / r[i] for i in (0, 1)) * sum(r) / half
    root = sp.sqrt(pinsker * G * (pinsker * G / 4 + size))
    beyond = pinsker * G / 2 + root + more
    return [
        (sp.simplify(bent) - sum(v) ** 2, (v[0] * r[1] - v[1] * r[0]) ** 2 / (r[0] * r[1])),
        sp.integrate(1 - t, (t, 0, 1)) * half - sp.Rational(1, pinsker),
        (beyond**2 - pinsker * G * (size + beyond), 2 * more * root + more**2),
    ]


@theorem(
    "bars.self_concordance",
    source=Citation("ours", "generalised self-concordance"),
    statement="q = primal(z_0 - X's), g = y - Xq, D = 2 sqrt(q^2 + b^2), H = X diag(D) X', lambda^2 = g'H^-1 g, "
    "k_i^2 = X_i'H^-1 X_i, delta = -log(1 - 2 lambda max k): |q_i - x*_i| <= D_i/2 [exp(2 k_i lambda delta / "
    "(1 - exp(-delta))) - 1]",
    kind="inequality",
    hypotheses=_ONCE,
    constants={"curved": True},
    extremal=("special/see-saw",),
    control=Control("without delta / (1 - exp(-delta))", "special/see-saw", {"curved": False}),
)
def self_concordance(it: Instance, curved: bool) -> Evidence:
    """Compare the distance with the bar, entry by entry, as stated and as the solver encloses it.

    Proof. s* minimises a convex function with gradient g and Hessian H(s). Let v = s* - s, w = max |X_i'v|, |v|^2 =
    v'Hv. On the way from s to s* log D_i changes at most at the rate 2 |X_i'v|, so H falls to exp(-2tw) H at most, and
    -g = int_0^1 H(s + tv) v dt gives |v|^2 (1 - exp(-2w)) / (2w) <= <v, -g> <= |v| lambda. With w <= max k |v| it
    follows that 1 - exp(-2w) <= 2 lambda max k, 2w <= delta, and |v| <= lambda delta / (1 - exp(-delta)), as
    u / (1 - exp(-u)) increases. Last, |X_i'v| <= k_i |v| and |q_i - x*_i| <= D_i int_0^1 |X_i'v| exp(2t |X_i'v|) dt.
    Where one coordinate of two carries H, and falls while the other rises, that other attains it.
    """
    (x, _, error, mirror, A, _), left, right = _end(it), [], []
    for q, D, k, decrement, enclosed in _near(it, (1e-3, -1e-3, 0.05, -0.05, 0.15, -0.15, 0.3, -0.3)):
        delta = -np.log1p(-2 * decrement * k.max())
        moved = k * decrement * (-delta / np.expm1(-delta) if curved else 1.0)
        left.append(np.abs(q - x) / D)
        right.append(np.expm1(2 * moved) / 2)
        if enclosed is not None:
            left.append(np.abs(enclosed.x - x) / D)
            right.append(enclosed.entries / D)
    # Relative to D, so that small weights count as well.
    return inequality(left, right, rounding=error / float(mirror.metric(mirror.dual(0 * x, A), A).min()) + 1e-12)


class _Near(NamedTuple):
    """Weights of a dual vector close to the limit's, D, k and lambda there, and the solver's bar, if it has one."""

    q: Array
    D: Array
    k: Array
    decrement: float
    enclosed: LimitBar | None


def _near(it: Instance, sizes: tuple[float, ...]) -> Iterator[_Near]:
    """Yield those with 2 lambda max k < 1, for dual vectors this far from the limit's."""
    _, s, _, mirror, A, _ = _end(it)
    X, rows = it.problem.X, error_bars.proving_rows(it.problem)
    for v in _directions(it, sizes):
        z = mirror.initial_dual - X.T @ (s + v)
        q, D = mirror.primal(z, A), mirror.metric(z, A)
        back = np.linalg.pinv(np.sqrt(D)[:, None] * X.T)  # H^+ is this times its transpose
        k, decrement = np.linalg.norm(back.T @ X, axis=0), float(np.linalg.norm(back.T @ it.problem.residual(q)))
        if 2 * decrement * k.max() < 1:
            proved = None if isinstance(rows, str) else error_bars.bar(rows, mirror, A, rows.scaled(Pair.of(s + v)))
            yield _Near(q, D, k, decrement, proved)


@theorem(
    "bars.self_concordance.sum",
    source=Citation("ours", "generalised self-concordance"),
    statement="as there: |q - x*|_1 <= lambda sqrt(sum D) / (1 - 2 lambda max k), which may be far less than the sum "
    "of all entries' bars",
    kind="inequality",
    hypotheses=_ONCE,
    constants={"curved": True},
    extremal=("special/see-saw", "special/lopsided"),
    control=Control("lambda sqrt(sum D), as if H did not change", "special/lopsided", {"curved": False}),
)
def self_concordance_sum(it: Instance, curved: bool) -> Evidence:
    """Compare, as stated and as the solver encloses it.

    Proof. As there |q_i - x*_i| <= D_i |X_i'v| (exp(2w) - 1)/(2w), w = max |X_i'v|, 2w <= delta; by Cauchy's inequality
    sum D_i |X_i'v| <= |v| sqrt(sum D); and |v| <= lambda delta / (1 - exp(-delta)): together lambda sqrt(sum D)
    exp(delta). Where |X_i'v| is the same for all i, as for X = (1, -1), Cauchy's inequality is attained.
    """
    (x, _, error, mirror, A, _), left, right = _end(it), [], []
    for q, D, k, decrement, enclosed in _near(it, (1e-3, -1e-3, 0.05, -0.05, 0.15, -0.15, 0.3, -0.3, 0.45, -0.45)):
        size = float(D.sum())
        left.append(float(np.abs(q - x).sum()) / size)
        right.append(decrement / (1 - 2 * decrement * float(k.max()) * curved) / size**0.5)
        if enclosed is not None:
            left.append(float(np.abs(enclosed.x - x).sum()) / size)
            right.append(enclosed.error / size)
    return inequality(left, right, rounding=error / float(mirror.metric(mirror.dual(x, A), A).sum()) + 1e-12)


@algebra("bars.self_concordance.sum", curved=False)
def self_concordance_sum_derived(sp: Any, curved: bool = True) -> Any:
    """Cauchy's inequality for two entries; and with delta = -log(1 - t), t = 2 lambda max k, the factors."""
    D, v = sp.symbols("D1 D2", positive=True), sp.symbols("v1 v2", nonnegative=True)  # v_i: |X_i'v|
    squares, mixed = sum(D[i] * v[i] ** 2 for i in (0, 1)), sum(D[i] * v[i] for i in (0, 1))
    t, delta = sp.symbols("t delta", positive=True)
    factors = delta / (1 - sp.exp(-delta)) * (sp.exp(delta) - 1) / delta
    return [
        (sp.expand(squares * sum(D) - mixed**2), D[0] * D[1] * (v[0] - v[1]) ** 2),
        sp.simplify(factors.subs(delta, -sp.log(1 - t)) - 1 / (1 - (t if curved else 0))),
    ]
