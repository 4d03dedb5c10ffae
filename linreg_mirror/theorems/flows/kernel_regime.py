"""The kernel regime: from a large start the whole flow is that of linear regression itself, at any depth."""

from typing import Any

import numpy as np

from linreg_mirror.ledger import Citation, Control, Evidence, Instance, algebra, certified, slope, theorem
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import Hadamard, Power
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.solvers.limit import limit
from linreg_mirror.theorems.flows._motion import Motion

_ONCE = (
    *(h.hadamard, h.unbalanced, h.no_penalty, h.squared, h.solvable, h.starts_at_zero, h.equal_scales),
    h.targets,
)
_LADDER = np.array([10.0, 20.0, 40.0, 80.0])  # scales, as multiples of the largest weight on the path
_FAR = 1e3  # times the largest weight, to the power D: the next term of a series is a millionth
_ACCURACY = 1e-11


@theorem(
    "regimes.kernel.path",
    source=Citation("W20", "Thm 1, depth 2; rate: ours"),
    statement="x_0 = 0, equal b -> inf: the flow at time t/(2b) tends to X^+ (1 - exp(-XX't)) y, where gradient flow "
    "on x itself is at time t, for all t and like b^-2",
    kind="asymptotic",
    hypotheses=_ONCE,
    constants={"speed": 2.0},
    control=Control("at time t/b", "planted/plain/0", {"speed": 1.0}),
)
def kernel_path(it: Instance, speed: float) -> Evidence:
    """Compare the flow of m and w with the closed form, at seven times, over a ladder of scales.

    Proof. In time 2bt, x' = -sqrt(1 + x^2/b^2) grad f, so that x'' of the two flows differ by O(b^-2) as long as x is
    bounded. It is, uniformly: f falls, and by Theorem 2.2 the flow tends to the limit at a rate that does not fall as
    b grows; the limits differ by O(b^-2) (`regimes.l2.rate`). Gronwall's inequality gives the rest.
    """
    X, y = it.problem.X, it.problem.y
    left, singular, right = np.linalg.svd(X, full_matrices=False)
    used = singular > 1e-10 * singular[0]
    times = np.geomspace(0.1, 5.0, 7) / singular[0] ** 2
    filled = -np.expm1(-np.outer(times, singular[used] ** 2)) / singular[used]
    expected = filled * (left.T @ y)[used] @ right[used]
    size, errors = float(np.abs(expected).max()), []
    for b in _LADDER * size:
        at = times / (speed * b)
        network = Hadamard.from_scale(b, d=it.problem.d)
        run = flow(it.problem, network, at=at, until=at[-1], method="parameters", accuracy=_ACCURACY)
        errors.append(float(np.linalg.norm(run.x[np.searchsorted(run.t, at)] - expected)))
    return slope(_LADDER, errors, -2, errors=100 * _ACCURACY * size)


@algebra("regimes.kernel.path", speed=1)
def kernel_path_derived(sp: Any, speed: int = 2) -> Any:
    """In time 2bt x' is -sqrt(1 + x^2/b^2) g, and -g as b grows, which two weights of one sample solve as stated."""
    s, t, y, X = Motion(sp), sp.Symbol("t"), sp.Symbol("y"), sp.Matrix(sp.symbols("X1 X2"))
    slowed = (s.rate(s.x) / (speed * s.b)).subs(s.alpha, 0)
    path = X * (1 - sp.exp(-X.dot(X) * t)) * y / X.dot(X)
    return [slowed + sp.sqrt(1 + (s.x / s.b) ** 2) * s.g, path.diff(t) + X * (X.dot(path) - y), path.subs(t, 0)]


@theorem(
    "depth.kernel",
    source=Citation("ours", "leading term of W20, large start at depth D"),
    statement="depth D >= 3, x_0 = 0, equal alpha -> inf: alpha^(2D) (x_alpha - x2) -> (k+1)(k+2)/(24 k^2) P(x2^3), "
    "k = D/(D-2), x2 the minimum-L2 interpolator, P onto ker X",
    kind="asymptotic",
    hypotheses=(*_ONCE, h.underdetermined),
    constants={"deep": True},
    control=Control("1/24, right for depth 2", "planted/plain/0", {"deep": False}),
)
def deep_kernel(it: Instance, deep: bool) -> Evidence:
    """Compare the distance at a large start with its leading term, for D = 3, 4 and 6, in units of the largest |x2|^3.

    Proof. In units of alpha^D x is (1 - s)^-k - (1 + s)^-k = 2ks + k(k+1)(k+2) s^3/3 + O(s^5), with s in the row
    space. So s = x/(2k) - (k+1)(k+2) (x/(2k))^3 / 6 + O(x^5) there: x - (k+1)(k+2) x^3 / (24 k^2) alpha^(-2D) is in
    the row space but for O(alpha^(-4D)), and so is x2, while Xx = X x2. Depth 2 is k -> inf.
    """
    X, x2 = it.problem.X, certified(it.least_l2)
    size = float(np.abs(x2).max())
    cube = x2**3 - X.T @ np.linalg.lstsq(X.T, x2**3)[0]
    found = []
    for depth in (3, 4, 6):
        k = depth / (depth - 2)
        share = (k + 1) * (k + 2) / k**2 if deep else 1.0
        end = limit(it.problem, Power.from_scale(log_alpha=np.log(_FAR * size) / depth, depth=depth, d=it.problem.d))
        distance = np.abs((_FAR * size) ** 2 * (certified(end) - x2) - share / 24 * cube).max() / size**3
        found.append(_near(it, float(distance), share, (end.error + it.least_l2.error) / size))
    return min(found, key=lambda one: one.margin)


@algebra("depth.kernel", deep=False)
def deep_kernel_derived(sp: Any, deep: bool = True) -> Any:
    """Two entries, one sample: x = (1 - s)^-k - (1 + s)^-k along a curve in the row space, s = X_i (p e + q e^3).

    In units of alpha^D = 1/e; x2 is the first term, and the third has the stated part in the kernel of X.
    """
    (k, e, p, q), X = sp.symbols("k e p q"), sp.symbols("X1 X2")
    x = [(1 - s) ** -k - (1 + s) ** -k for s in (one * (p * e + q * e**3) for one in X)]
    x2 = [one.diff(e).subs(e, 0) for one in x]
    share = (k + 1) * (k + 2) / k**2 if deep else sp.Integer(1)
    third = [(one.diff(e, 3) / 6).subs(e, 0) - share / 24 * at**3 for one, at in zip(x, x2, strict=True)]
    return [X[1] * x2[0] - X[0] * x2[1], X[1] * third[0] - X[0] * third[1]]


def _near(it: Instance, distance: float, share: float, error: float) -> Evidence:
    # The next term is a polynomial of degree 5 in x2; |P v| <= sqrt(d) times the largest |v_i|.
    d = it.problem.d
    allowed = 2 * share**2 * (d**0.5 + d) / _FAR**2 + _FAR**2 * (error if error < np.inf else 0.0)
    return Evidence(allowed - distance, f"{distance:.1e} of |x2|^3 from the leading term, {allowed:.1e} allowed")
