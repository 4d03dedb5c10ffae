"""What certificates say of answers that are wrong, against what is named: in fractions, or known from how it was made.

The answers are wrong in every way at once, so that each check has something to say.
"""

from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from linreg_mirror import mirrors
from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, identity, theorem
from linreg_mirror.ledger.hypotheses import ONCE
from linreg_mirror.mirrors import HAM, Euclidean, Hyperbolic, Mirror, Power
from linreg_mirror.problems import Problem
from linreg_mirror.solvers import certificates
from linreg_mirror.solvers.results import Certificate
from linreg_mirror.theorems import _exact
from linreg_mirror.theorems.twins.derivatives import MIRRORS

_ROUNDING = 1e-12
_NEAR = 1e-7  # how far from the solution, relative to x; certificates are off by about as much in the gap there
_NODES, _WEIGHTS = (part[:, None] / 2 for part in np.polynomial.legendre.leggauss(20))

# Exponents of which the least weight is no float64.
_POTENTIALS: Mapping[str, Callable[[Array, Array], Mirror]] = {
    **MIRRORS,
    "Hyperbolic, b = 0": lambda log_b, tilt: Hyperbolic(log_b - 1e5, tilt),
}


def _off(found: Certificate, exact: Mapping[str, Any], allowed: Mapping[str, float]) -> Iterator[float]:
    """Yield how far checks are from their values, in units of what is allowed, where these are given."""
    for name, value in exact.items():
        said = found[name].value * (allowed[name] / found[name].tolerance if name in allowed else 1.0)
        yield (said - float(value)) / (1 + float(value))


def _infeasible(X: Any, y: Any, x: Any) -> Any:
    return max(abs(X @ x - y)) / max(abs(y) + abs(X) @ abs(x))


# Limits


@theorem(
    "twins.certificates.limits",
    source=Citation("ours", "quadrature"),
    statement="every potential: a limit's certificate says |Xx - y|_inf, with 10^-10 allowed, |x - primal(z)|_inf, "
    "z = z_0 - X's, and as its gap the area between primal and x from dual(x) to z, relative to |x| and exponents",
    kind="identity",
    hypotheses=ONCE,
    constants={"factor": 1.0},
    control=Control("half of the area", "planted/plain/0", {"factor": 0.5}),
)
def of_limits(it: Instance, factor: float) -> Evidence:
    """Compare far from the solution and near it, the area as int (z - t) metric(t) dt, in which nothing cancels.

    Near it, certificates take the leading term of a difference that would cancel. Of potentials that are not written
    out in certificates, also how far primal is from the conjugate's slope.
    """
    rng, d, found = it.generator(), 6, []
    log_b, tilt = rng.normal(-1.0, 1.0, d), rng.normal(0.0, 1.0, d)
    size = np.exp(rng.normal(-1.0, 1.0, d)) * np.where(np.arange(d) % 2, 1.0, -1.0)
    for name, make in _POTENTIALS.items():
        mirror = make(log_b, tilt)
        exactly = not name.endswith("b = 0") and isinstance(mirror, Euclidean | Hyperbolic | HAM | Power)
        for A, x in ((0.0, size), (0.3, -size)):
            for grown in (1.5, 0.7, *([1 + _NEAR] if exactly else [])):
                X = (mirror.initial_dual - mirror.dual(grown * x, A))[None]
                y, pull = rng.standard_normal(1), X[0]
                z = mirror.initial_dual - pull
                certificate = certificates.certify_limit(Problem(X, y), mirror, A, x, np.ones(1))
                values = {
                    "feasibility": _infeasible(X, y, x),
                    "dual representation": np.abs(x - mirror.primal(z, A)).max() / np.abs(x).max(),
                }
                found += _off(certificate, values, {"feasibility": 1e-10})
                gap = factor * _area(mirror, A, x, z) / _unit(mirror, A, x, z)
                found.append((certificate["primal-dual gap"].value - gap) / gap)
    own = _Bent(*_fields(MIRRORS["Quadratic"](log_b, tilt)))
    z = own.dual(size, 0.0)
    X = (own.initial_dual - z)[None]
    certificate = certificates.certify_limit(Problem(X, X @ size), own, 0.0, size, np.ones(1))
    found += _off(certificate, {"conjugate's slope": np.abs(own.primal(z, 0.0)).max() / 2 / np.abs(size).max()}, {})
    return identity(found, 10 * _NEAR)


class _Bent(mirrors.Quadratic):
    """A potential whose primal is twice what the conjugate's slope is."""

    def primal(self, z: Any, A: Any) -> Any:
        return 2 * super().primal(z, A)


def _fields(mirror: Any) -> tuple[Any, ...]:
    return tuple(getattr(mirror, name) for name in mirror.__dataclass_fields__)


def _area(mirror: Mirror, A: float, x: Array, z: Array) -> float:
    near = mirror.dual(x, A)
    along = 0.5 + _NODES
    metric = mirror.metric(near + along * (z - near), A)
    return float((_WEIGHTS * (1 - along) * metric * (z - near) ** 2).sum())


def _unit(mirror: Mirror, A: float, x: Array, z: Array) -> float:
    """Return |x|_1 times the largest exponent that x is made from; of potentials of one's own, times their terms."""
    per_dual, exponents = 1.0, 1.0
    if isinstance(mirror, Hyperbolic):
        exponents = float(np.abs(mirror.log_scale - 4 * A).max())
    elif isinstance(mirror, Power) and mirror.depth == 2:
        exponents = float(np.abs(np.log(2) + 2 * mirror.log_scale - 4 * A).max())
    elif isinstance(mirror, HAM):
        per_dual = mirror.a * float(np.exp(-2 * A))  # in which exponents are counted
        exponents = per_dual * float(np.abs(z).max())
    elif not isinstance(mirror, Euclidean | Power):
        terms = mirror.potential(x, A), mirror.conjugate(z, A), x * (mirror.initial_dual - z)
        exponents = float(np.abs(terms).sum() / np.abs(x).sum())
    return max(1.0, exponents) * float(np.abs(x).sum()) / per_dual


# Least norms


@theorem(
    "twins.certificates.l1",
    source=Citation("ours", "fractions"),
    statement="a certificate of least norms N = sum t_plus x^+ + t_minus x^- says |Xx - y|_inf, 1 - <x, X's>/(N max(1, "
    "slope)) and max(slope - 1, 0), slope the largest share of a threshold that X's has on its side; 10^-10, 10^-10 "
    "and 10^-9 are allowed",
    kind="identity",
    hypotheses=ONCE,
    constants={"exchanged": False},
    control=Control("t_plus and t_minus exchanged", "planted/plain/0", {"exchanged": True}),
)
def of_least_norms(it: Instance, exchanged: bool) -> Evidence:
    """Compare with and without thresholds, from both sides, s too short and too long, and s whose last digits count.

    Two rows of these last are 2^60 a and -2^60 a, so that s without them says nothing of a.
    """
    rng, found = it.generator(), []
    X, (x, thresholds) = rng.standard_normal((2, 3)), (rng.standard_normal(3), rng.uniform(0.5, 2.0, (2, 3)))
    y, s = rng.standard_normal((2, 2))
    for sign in (1.0, -1.0):
        for given in (None, (thresholds[0], thresholds[1])):
            for steepest in (0.5, 2.0):
                slopes = sign * X.T @ s
                shares = slopes / np.where(slopes > 0, *(given or (1.0, 1.0)))
                size = sign * steepest / np.abs(shares).max()
                found += _of_least_norm(X, sign * y, sign * x, size * s, given, None, exchanged)
    row = np.array([0.0, 1.0, -0.5])
    X = np.stack([2.0**60 * row, np.array([1.0, 0, 0]) - 2.0**60 * row])
    found += _of_least_norm(X, y, x, np.full(2, s[0]), None, np.array([2.0**-60 * s[1], 0.0]), exchanged)
    return identity(found, _ROUNDING)


def _of_least_norm(
    X: Array, y: Array, x: Array, s: Array, given: tuple[Array, Array] | None, rest: Array | None, exchanged: bool
) -> Iterator[float]:
    certificate = certificates.l1_certificate(Problem(X, y), x, s, given, rest)
    plus, minus = map(_exact.fractions, given or (np.ones(3), np.ones(3)))
    if exchanged:
        plus, minus = minus, plus
    exact, weights = _exact.fractions(X), _exact.fractions(x)
    slopes = exact.T @ _exact.fractions(s, 0 * s if rest is None else rest)
    norm = sum(abs(v) * (p if v > 0 else m) for v, p, m in zip(weights, plus, minus, strict=True))
    steepest = max(abs(g) / (p if g > 0 else m) for g, p, m in zip(slopes, plus, minus, strict=True))
    values = {
        "feasibility": _infeasible(exact, _exact.fractions(y), weights),
        "duality gap": abs(1 - weights @ slopes / max(1, steepest) / norm),
        "dual feasibility": max(steepest - 1, Fraction(0)),
    }
    return _off(certificate, values, {"feasibility": 1e-10, "duality gap": 1e-10, "dual feasibility": 1e-9})


@theorem(
    "twins.certificates.nuclear",
    source=Citation("ours", "matrices of known singular values"),
    statement="a certificate of least nuclear norms N says |Xx - y|_inf, 1 - <M, S>/(N max(1, |S|)), S = sum s_i A_i, "
    "and max(|S| - 1, 0); of positive ones, with the largest eigenvalue for |S|, also how far M is from symmetric and "
    "from positive; 10^-10 is allowed, and 10^-8 of the others",
    kind="identity",
    hypotheses=ONCE,
    constants={"one_sided": False},
    control=Control("the largest eigenvalue for |S| always", "planted/plain/0", {"one_sided": True}),
)
def of_nuclear_norms(it: Instance, one_sided: bool) -> Evidence:
    """Compare where M is made from its singular values, or as a multiple of a rotation, and S from its own."""
    rng, found = it.generator(), []
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    U, V, W = (_rotation(angle) for angle in rng.uniform(0, 2 * np.pi, 3))
    sizes, (a, c) = rng.uniform(0.3, 1.0, 2), rng.uniform(0.3, 1.0, 2)
    for tau in (np.array([0.4, -0.8]), np.array([0.5, -2.0]), np.array([2.0, -5.0])):
        both = U @ np.diag(sizes) @ V.T, sizes.sum(), 0.0
        steepest = tau.max() if one_sided else np.abs(tau).max()
        found += _of_nuclear_norm(rng, both, W @ np.diag(tau) @ U.T, steepest, False)
        S, signed = W @ np.diag(tau) @ W.T + c * turn, sizes * [1, -1]
        for M in (
            (U @ np.diag(signed) @ U.T, sizes.sum(), sizes[1]),
            (a * np.eye(2) + c * turn, 2 * np.hypot(a, c), 2 * c),
        ):
            found += _of_nuclear_norm(rng, M, S, tau.max(), True)
    return identity(found, _ROUNDING)


def _rotation(angle: float) -> Array:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _of_nuclear_norm(
    rng: np.random.Generator, made: tuple[Array, float, float], S: Array, steepest: float, positive: bool
) -> Iterator[float]:
    M, norm, negative = made
    y = M.ravel() + 0.1 * rng.standard_normal(4)
    certificate = certificates.nuclear_certificate(Problem(np.eye(4), y), (2, 2), M.ravel(), S.ravel(), positive)
    values = {
        "feasibility": _infeasible(np.eye(4), y, M.ravel()),
        "duality gap": abs(1 - (M * S).sum() / max(1.0, steepest) / norm),
        "dual feasibility": max(steepest - 1, 0.0),
        **({"positive semidefinite": negative / norm} if positive else {}),
    }
    return _off(certificate, values, {"feasibility": 1e-10, **{name: 1e-8 for name in values if name != "feasibility"}})


# The LASSO, and bars


@theorem(
    "twins.certificates.lasso",
    source=Citation("ours", "fractions"),
    statement="a certificate of the LASSO says the duality gap for y - Xx, or any other vector, scaled to slopes of at "
    "most the weight, of |y|^2/2, with 10^-10 allowed; a bar of x counts as a share of |x|_1",
    kind="identity",
    hypotheses=ONCE,
    constants={"half": 0.5},
    control=Control("the weight without 1/2 of squares", "planted/plain/0", {"half": 1.0}),
)
def of_lasso(it: Instance, half: float) -> Evidence:
    """Compare for vectors of both signs, with slopes beyond the weight and not."""
    rng, found = it.generator(), []
    X, x, (y, other) = rng.standard_normal((2, 3)), rng.standard_normal(3), rng.standard_normal((2, 2))
    problem, exact, weights, targets = Problem(X, y), *map(_exact.fractions, (X, x, y))
    left = targets - exact @ weights
    squares = Fraction(half) * (targets @ targets)
    for weight in (0.3, 30.0):
        for dual in (None, other, -other):
            v = left if dual is None else _exact.fractions(dual)
            theta = v * min(Fraction(1), Fraction(weight) / max(abs(exact.T @ v)))
            primal = Fraction(half) * (left @ left) + Fraction(weight) * sum(abs(weights))
            gap = primal - squares + Fraction(half) * ((targets - theta) @ (targets - theta))
            certificate = certificates.lasso_certificate(problem, x, weight, dual)
            found += _off(certificate, {"duality gap": gap / squares}, {"duality gap": 1e-10})
            barred = certificates.with_error(certificate, weight, x, 1e-6)
            found += _off(barred, {"error of x": Fraction(weight) / sum(abs(weights))}, {"error of x": 1e-6})
    return identity(found, _ROUNDING)
