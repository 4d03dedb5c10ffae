"""How long a step of (S)GD on x = m*w may be: so that the loss falls, and the divergence from every interpolator.

Steps are single ones, by the network's own pullback, from places along the flow of m and w; of all samples, and of half
of them, with the loss of these.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, algebra, certified, inequality, theorem
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.problems import Problem
from linreg_mirror.theorems.flows._motion import Motion

_PLACES = (1.0, 0.3, 0.03, 1e-3, 1e-5)  # losses, in units of the first
_LONGEST = 0.5  # of eta |g|_inf
_TRIED = (0.2, 0.6, 0.99)  # of the longest step
_EPS = float(np.finfo(float).eps)
_HYPOTHESES = (h.hadamard, h.unbalanced, h.squared, h.solvable, h.no_penalty, h.targets, h.moves)


class _Place(NamedTuple):
    """Samples, the parameters from which they step, loss, gradient in x, and m^2 + w^2."""

    problem: Problem
    theta: Array
    loss: float
    g: Array
    s: Array


def _places(it: Instance) -> Iterator[_Place]:
    m, w = it.factors()
    losses = it.values
    half = Problem(it.problem.X[: -(-it.problem.n // 2)], it.problem.y[: -(-it.problem.n // 2)])
    for share in _PLACES:
        k = int(np.argmax(losses <= share * losses[0]))
        for problem in (it.problem, half):
            x = m[k] * w[k]
            g = problem.gradient(x)
            if g.any():
                yield _Place(problem, np.concatenate([m[k], w[k]]), problem.value(x), g, m[k] ** 2 + w[k] ** 2)


def _stepped(it: Instance, place: _Place, eta: float) -> Array:
    return place.theta - eta * it.network.pullback(place.theta, place.g)


def _largest(X: Array, weights: Array) -> float:
    """Return the largest eigenvalue of X diag(weights) X'."""
    return float(np.linalg.norm(X * np.sqrt(weights), 2)) ** 2


@theorem(
    "steps.descent",
    source=Citation("ours", "step sizes, after E23"),
    statement="no penalty, a step of all samples or a batch, f its loss, g its gradient, s = m^2 + w^2, lambda the "
    "largest eigenvalue of X diag(s) X', G = eta |g|_inf < 2, eta lambda (1 + G/2) <= 2: f falls by eta (1 - "
    "eta lambda (1 + G/2)/2) sum (1 - eta |g_i|/2) s_i g_i^2 at least",
    kind="inequality",
    hypotheses=_HYPOTHESES,
    constants={"longest": 2.0},
    extremal=("special/tight-rate",),
    control=Control("steps up to 2.5 over lambda", "special/tight-rate", {"longest": 2.5}),
)
def descends(it: Instance, longest: float) -> Evidence:
    """Compare with the loss after steps of a fifth of the longest and more.

    Proof. x changes by -eta (s - eta x g) g = -eta D g, and |x| <= s/2, so that D is between s (1 -+ eta |g|/2). f is
    of degree 2: it changes by -eta <g, D g> + eta^2 |X D g|^2/2, and |X D g|^2 <= lambda (1 + G/2) <g, D g>, since
    X D X' <= (1 + G/2) X diag(s) X'. With one sample and one weight, g -> 0, all of this is equality.
    """
    left, right = [], []
    for place in _places(it):
        curvature, steepest = _largest(place.problem.X, place.s), float(np.abs(place.g).max())
        # eta lambda (1 + eta steepest/2) = longest
        eta = 2 * longest / (curvature + float(np.sqrt(curvature**2 + 2 * longest * curvature * steepest)))
        for tried in _TRIED:
            length = tried * min(eta, 1.9 / steepest)
            bent = length * curvature * (1 + length * steepest / 2)
            fall = np.sum((1 - length * np.abs(place.g) / 2) * place.s * place.g**2)
            left.append(length * (1 - bent / longest) * float(fall) / place.loss)
            m, w = np.split(_stepped(it, place, length), 2)
            right.append(1 - place.problem.value(m * w) / place.loss)
    return inequality(left, right, rounding=1e-7)


@algebra("steps.descent", longest=2.5)
def descends_derived(sp: Any, longest: float = 2) -> Any:
    """Two entries, two samples: what the loss changes by; and s - eta x g is between s (1 -+ eta |g|/2)."""
    s, X, y = Motion(sp), sp.Matrix(2, 2, sp.symbols("X11 X12 X21 X22")), sp.Matrix(sp.symbols("y1 y2"))
    eta, (m1, m2, w1, w2) = sp.Symbol("eta", positive=True), sp.symbols("m1 m2 w1 w2")
    theta = sp.Matrix([m1, m2, w1, w2])

    def loss(at: Any) -> Any:
        r = X * sp.Matrix([at[0] * at[2], at[1] * at[3]]) - y
        return r.dot(r) / 2

    g = X.T * (X * sp.Matrix([m1 * w1, m2 * w2]) - y)
    after = theta - eta * sp.Matrix([loss(theta).diff(one) for one in theta])
    D = sp.diag(*(theta[i] ** 2 + theta[2 + i] ** 2 - eta * theta[i] * theta[2 + i] * g[i] for i in (0, 1)))
    moved = X * D * g
    change = loss(after) - loss(theta) + eta * g.dot(D * g) - eta**2 * moved.dot(moved) / sp.nsimplify(longest)
    found, size = [change], sp.Symbol("size", nonnegative=True)  # |g_i|
    for sign in (1, -1):
        metric = s.m**2 + s.w**2
        d = metric - eta * s.m * s.w * sign * size
        found.append((d - metric * (1 - eta * size / 2), eta * size * (s.m - sign * s.w) ** 2 / 2))
        found.append((metric * (1 + eta * size / 2) - d, eta * size * (s.m + sign * s.w) ** 2 / 2))
    return found


@theorem(
    "steps.divergence",
    source=Citation("ours", "step sizes and divergence, after E23"),
    statement="as there, x* any interpolator, Q = eta |g|_inf < 1, kappa = -[log(1 - Q) + Q]/Q^2, lambda the largest "
    "eigenvalue of X diag(s/2 + 2 kappa |x*|) X', eta lambda <= 2: KL(x*_+, (m+w)^2/4) + KL(x*_-, (m-w)^2/4) falls by "
    "2 eta (2 - eta lambda) f at least",
    kind="inequality",
    hypotheses=_HYPOTHESES,
    constants={"longest": 2.0},
    extremal=("special/long-steps",),
    control=Control("steps up to 2.5 over lambda", "special/long-steps", {"longest": 2.5}),
)
def divergence_falls(it: Instance, longest: float) -> Evidence:
    """Compare for x* of least L1 and of least L2 norm.

    So runs with such steps stay bounded, and the sum of all eta f_k does: losses of batches fall to 0 if steps do not
    vanish. What is allowed: rounding of the factors, and what an x* that does not quite interpolate changes of <g, x -
    x*>.

    Proof. With U = (m+w)^2/4 and V = (m-w)^2/4 a step makes U (1-q)^2 of U and V (1+q)^2 of V, q = eta g. As
    -log(1 - q) - q <= kappa q^2 for |q| <= Q, the divergence changes by at most -2 <q, x - x*> + sum c_i q_i^2, c_i =
    U_i + V_i + 2 kappa |x*_i|, where U + V = s/2, U - V = x. Last, <g, x - x*> = 2f, and sum c_i g_i^2 <= 2 lambda f.
    Near x* of one weight, b -> 0, all of this is equality: lambda is then the sharpness, which must be below 2/eta.
    """
    left, right = [], []
    for x in (certified(it.least_l1), certified(it.least_l2)):
        for place in _places(it):
            steepest = float(np.abs(place.g).max())
            worst = _largest(place.problem.X, place.s / 2 + 2 * _kappa(_LONGEST) * np.abs(x))
            for tried in _TRIED:
                eta = tried * min(_LONGEST / steepest, longest / worst)
                curvature = _largest(place.problem.X, place.s / 2 + 2 * _kappa(eta * steepest) * np.abs(x))
                fall, rounding = _fall(x, place.theta, _stepped(it, place, eta))
                off = float(np.linalg.norm(place.problem.residual(x)) * (2 * place.loss) ** 0.5)
                left.append(2 * eta * (longest - eta * curvature) * place.loss - rounding - 2 * eta * off)
                right.append(fall)
    return inequality(left, right, scale=max(np.abs(right)), rounding=1e-12)


def _kappa(Q: float) -> float:
    return -(np.log1p(-Q) + Q) / Q**2 if Q > 1e-4 else 0.5 + Q / 3 + Q**2


def _fall(x: Array, before: Array, after: Array) -> tuple[float, float]:
    """Return by how much the divergence falls, from the changes of U and V, and what rounding may do to that."""
    total = rounding = 0.0
    size = np.abs(before).reshape(2, -1).sum(axis=0) + np.abs(after).reshape(2, -1).sum(axis=0)
    for sign in (1, -1):
        old, new = ((m + sign * w) / 2 for m, w in (np.split(before, 2), np.split(after, 2)))
        ends = np.maximum(sign * x, 0)
        total += float(np.sum(2 * ends * np.log(np.abs(new / old)) - (new - old) * (new + old)))
        shares = size / np.minimum(np.abs(old), np.abs(new))  # where m and w nearly cancel
        rounding += 8 * _EPS * float(np.sum(ends * shares + size**2))
    return total, rounding


@algebra("steps.divergence", longest=2.5)
def divergence_falls_derived(sp: Any, longest: float = 2) -> Any:
    """One entry: the change but for logarithms, of which -log(1 - q) - q is left; and <g, x - x*> is 2f."""
    s, eta, (to_U, to_V) = Motion(sp), sp.Symbol("eta"), sp.symbols("U* V*", positive=True)
    U, V, q, kept = s.u**2 / 2, s.v**2 / 2, eta * s.g, {s.alpha: 0}
    U_after, V_after = s.step(s.u, eta).subs(kept) ** 2 / 2, s.step(s.v, eta).subs(kept) ** 2 / 2
    change = U_after - U + V_after - V - 2 * to_U * q * -1 - 2 * to_V * q
    bound = -2 * q * (s.x - (to_U - to_V)) + q**2 * (U + V)
    X, y = sp.Matrix(2, 2, sp.symbols("X11 X12 X21 X22")), sp.symbols("x1 x2 z1 z2")
    x, end = sp.Matrix(y[:2]), sp.Matrix(y[2:])
    r = X * (x - end)
    falls = 2 * (X.T * r).dot(x - end) - 2 * sp.nsimplify(longest) * r.dot(r) / 2
    return [
        U_after - U * (1 - q) ** 2,
        V_after - V * (1 + q) ** 2,
        change - bound,
        U + V - (s.m**2 + s.w**2) / 2,
        falls,
    ]
