"""How fast the limit approaches the minimum-L1 interpolator of one problem as b falls: a power of b, its constant.

Scales are so small that the next term of the expansion is below rounding. Distances of e^-200 and less cannot be had as
differences of x: off the support of x1 they are the weights themselves, and on it what makes up for these in Xx = y.
"""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Hypothesis, Instance, algebra, certified, theorem
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.solvers.limit import limit

_EPS = float(np.finfo(float).eps)
_LADDER = (200.0, 600.0)  # -log of the distance, about


class _Vertex(NamedTuple):
    """The minimum-L1 interpolator, where as many weights are not zero as there are samples.

    Attributes
    ----------
    x : array, shape (n,)
        Its weights that are not zero.
    back : array, shape (n, d - n)
        X_S^-1 X_j for the features off the support.
    w : array, shape (d - n,)
        X_j'lambda for these, lambda = X_S^-T sign x_S the only dual vector.
    w_error : array, shape (d - n,)
        Bounds of what rounding has done to w.
    on, off : array of bool, shape (d,)
        The features on the support, and off it.
    """

    x: Array
    back: Array
    w: Array
    w_error: Array
    on: NDArray[np.bool_]
    off: NDArray[np.bool_]


@lru_cache(maxsize=2)
def _vertex(it: Instance) -> _Vertex | None:
    X, x1 = it.problem.X, certified(it.least_l1)
    on = np.abs(x1) > 1e-6 * np.abs(x1).max()
    if on.sum() != it.problem.n or np.linalg.cond(X[:, on]) > 1e6:
        return None
    B, rest, signs = X[:, on], X[:, ~on], np.sign(x1[on])
    dual, back = np.linalg.solve(B.T, signs), np.linalg.solve(B, rest)
    # X_j'(dual - lambda) = back_j'r with the residual r; both it and X_j'dual have errors of n roundings.
    n = it.problem.n
    r = np.abs(B.T @ dual - signs) + n * _EPS * (np.abs(B).T @ np.abs(dual) + 1)
    w_error = 1.01 * np.abs(back).T @ r + n * _EPS * np.abs(rest).T @ np.abs(dual)
    return _Vertex(np.linalg.solve(B, it.problem.y), back, rest.T @ dual, w_error, on, ~on)


def _margin(it: Instance) -> float:
    """Return 1 - rho where x1 is a vertex, else 0."""
    vertex = _vertex(it)
    return 0.0 if vertex is None else 1 - float(np.abs(vertex.w).max())


_strict = Hypothesis(
    "x1 has n weights that are not zero, and rho < 0.98, so that it is unique", lambda it: _margin(it) > 0.02
)
_PLAIN = (
    h.hadamard, h.unbalanced, h.no_penalty, h.squared, h.solvable, h.targets, h.underdetermined,
    h.starts_at_zero, h.equal_scales,
    # Each problem once: the other settings differ in a scale that is not used here.
    Hypothesis("b >= 0.1", lambda it: bool(it.scale0.min() >= 0.1)),
    _strict,
)  # fmt: skip


# Where all X_j'lambda are 0, C may be, too: for X = [[1, 0, 1], [0, 1, -1]] and y = (1, 1) x_b is x1 at any b.
_off_zero = Hypothesis("rho > 0", lambda it: _margin(it) < 1 - _EPS)


class _Limit(NamedTuple):
    """log(1/b), the limit's weights off the support of x1, and bars of these."""

    L: float
    x: Array
    bars: Array


@lru_cache(maxsize=1)
def _ladder(it: Instance) -> list[_Limit]:
    vertex, found = _vertex(it), []
    assert vertex is not None
    for size in _LADDER:
        L = size / _margin(it)
        end = limit(it.problem, Hadamard.from_scale(log_b=-L, d=it.problem.d))
        if end.entry_errors is None:
            raise ArithmeticError(f"a limit without bars: {end.stats.notes}")
        found.append(_Limit(L, certified(end)[vertex.off], end.entry_errors[vertex.off]))
    return found


@theorem(
    "regimes.l1.rate",
    source=Citation("MS25", "depth 2"),
    statement="x_0 = 0, x1 unique and strictly complementary, lambda its dual vector, rho = max |X_j'lambda| off the "
    "support of x1, rho > 0: |x_b - x1|_1 ~ C b^(1 - rho) as b -> 0",
    kind="asymptotic",
    hypotheses=(*_PLAIN, _off_zero),
    constants={"share": 1.0},
    control=Control("|x_b - x1|_1 ~ C b, as from depth 3 on", "dense/plain/0", {"share": 0.0}),
)
def rate(it: Instance, share: float) -> Evidence:
    """Compare the slope of log |x_b - x1|_1 over log b with 1 - rho.

    What is allowed: the limits' bars, divided by the distance in log b; what weights with other exponents have in the
    slope, at either end; and what rounding may have done to rho.

    With Xx_b = y = X x1 the distance is |x_off|_1 + |X_S^-1 X_off x_off|_1. A weight b |sinh q|, q = w L + const. and
    L = log(1/b), falls at the rate 1 - w coth q, which is rho - |w| from 1 - rho but for |w| (coth|q| - 1); times
    |sinh q| that is |w| exp(-|q|). The proof is that of regimes.l1.constant.
    """
    vertex = _vertex(it)
    assert vertex is not None
    costs, rho = 1 + np.abs(vertex.back).sum(axis=0), float(np.abs(vertex.w).max())
    L, distance, bars, others = [], [], [], []
    for scale in _ladder(it):
        size, b = np.abs(scale.x), np.exp(-scale.L)
        L.append(scale.L)
        distance.append(float(size.sum() + np.abs(vertex.back @ scale.x).sum()))
        if not distance[-1]:
            return Evidence(-1.0, f"x_b is x1 at log(1/b) = {scale.L:g}")
        bars.append(float(scale.bars @ costs) / distance[-1] + _EPS * abs(np.log(distance[-1])))
        left = size * (rho - np.abs(vertex.w)) + np.abs(vertex.w) * (np.hypot(size, b) - size)
        others.append(float(costs @ left) / distance[-1])
    slope = -np.log(distance[1] / distance[0]) / (L[1] - L[0])
    allowed = max(others) + sum(bars) / (L[1] - L[0]) + float(vertex.w_error.max()) + _EPS
    off = abs(slope - (1 - share * rho))
    return Evidence(float(allowed - off), f"exponent {slope:.12f}, off by {off:.1e} of {allowed:.1e}")


@algebra("regimes.l1.rate", share=0)
def rate_derived(sp: Any, share: int = 1) -> Any:
    """Off the support weights are b sinh(w L + c), L = ln(1/b), by regimes.l1.constant: exp(c)/2 times b^(1-w).

    Up to exp(-2wL - c)/2, which vanishes with b.
    """
    w, c, L = sp.symbols("w c L", positive=True)
    ratio = sp.exp(-L) * sp.sinh(w * L + c).rewrite(sp.exp) * sp.exp((1 - share * w) * L)
    return ratio - (sp.exp(c) - sp.exp(-2 * w * L - c)) / 2


@theorem(
    "regimes.l1.constant",
    source=Citation("ours", "leading term of MS25"),
    statement="x_0 = 0, x1 unique and strictly complementary: off the support S of x1 "
    "x_b,j = b (sinh q_j + o(cosh q_j)), q_j = sum_i sign(x1_i) (X_S^-1 X_j)_i ln(2|x1_i|/b)",
    kind="asymptotic",
    hypotheses=(*_PLAIN, _off_zero),
    constants={"twice": 2.0},
    control=Control("ln(|x1_i|/b)", "dense/plain/0", {"twice": 1.0}),
)
def constant(it: Instance, twice: float) -> Evidence:
    """Compare every weight off the support that float64 can hold with this, where the next term is about e^-200.

    What is allowed: the limit's bars; rounding of w, times log(1/b), and of the logarithms.

    Proof. x_b = b sinh(2X's). On the support, where x_b -> x1, 2X_S's = arcsinh(x_b/b) = sign(x1) ln(2|x1|/b) + o(1),
    in fact O(b^(1 - rho)). X_S is invertible, so that off it 2X_j's = (X_S^-1 X_j)' 2X_S's = q_j + o(1), which is
    w_j ln(1/b) + O(1): weights of size b^(1 - |w_j|), the largest of which are those with |w_j| = rho.
    """
    vertex, (L, x, bars) = _vertex(it), _ladder(it)[0]
    assert vertex is not None
    terms = vertex.back * (np.sign(vertex.x) * np.log(twice * np.abs(vertex.x)))[:, None]
    q = vertex.w * L + terms.sum(axis=0)
    condition = float(np.linalg.cond(it.problem.X[:, vertex.on]))
    rounding = L * vertex.w_error + 4 * _EPS * (L + condition * np.abs(terms).sum(axis=0))
    # ln(b |sinh q|), whose slope in q is coth q; signs are known where q is.
    with np.errstate(divide="ignore"):  # a column of zeros has q = 0
        log_size = np.abs(q) - L - np.log(2) + np.log(-np.expm1(-2 * np.abs(q)))
    seen = (log_size > -650) & (np.abs(q) > 2 * rounding)
    error = np.abs(np.log(np.abs(x[seen])) - log_size[seen])
    error[np.sign(x[seen]) != np.sign(q[seen])] = np.inf
    allowed = 1.01 * (bars[seen] / np.abs(x[seen]) + rounding[seen] / np.tanh(0.5 * np.abs(q[seen])))
    worst = int(np.argmin(allowed - error))
    return Evidence(
        float(allowed[worst] - error[worst]),
        f"of {seen.sum()} weights the worst is off by {error[worst]:.1e} of itself, {allowed[worst]:.1e} allowed",
    )


@algebra("regimes.l1.constant", twice=1)
def constant_derived(sp: Any, twice: int = 2) -> Any:
    """2X_S's = arcsinh(x/b) has the limit sign(x) ln(2|x|/b), and 2X_j's = (X_S^-1 X_j)' 2X_S's, for two samples."""
    size, b = sp.symbols("x b", positive=True)
    inside = sp.Matrix(2, 2, sp.symbols("X11 X12 X21 X22"))
    column, s = sp.Matrix(sp.symbols("Y1 Y2")), sp.Matrix(sp.symbols("s1 s2"))
    found = [2 * column.dot(s) - (inside.inv() * column).dot(2 * inside.T * s)]
    for sign in (1, -1):
        exponent = sign * sp.log(sp.sqrt(1 + (size / b) ** 2) + size / b)  # arcsinh(sign size/b)
        apart = sp.exp(sign * exponent) / (twice * size / b)
        found += [sp.sinh(exponent).rewrite(sp.exp) - sign * size / b, sp.limit(sp.simplify(apart), b, 0) - 1]
    return found
