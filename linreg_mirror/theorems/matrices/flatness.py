"""How flat a minimum of a deep linear network with one output can be: its sharpness is bounded from below by its x."""

from typing import Any

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Instance, algebra, inequality, theorem
from linreg_mirror.parametrizations import DeepLinear
from linreg_mirror.problems import Problem
from linreg_mirror.theorems.matrices.linear_networks import PLAIN

_DEPTHS = (2, 3, 4)
_HIDDEN = 3
_STEP = 1e-4  # of a difference quotient, as a share of the parameters; good to its square


def _random(d: int, depth: int, rng: np.random.Generator) -> DeepLinear:
    """Return a network whose layers are of different sizes."""
    drawn = DeepLinear.gaussian([d, *[_HIDDEN] * (depth - 1), 1], 0.5, rng)
    return DeepLinear(tuple(float(np.exp(rng.normal(0.0, 0.5))) * W for W in drawn.weights))


def _aligned(x: Array, depth: int) -> DeepLinear:
    """Return the network of layers of rank one, all of one size, that has this x."""
    size = float(np.linalg.norm(x))
    one = np.eye(_HIDDEN)[0]
    ends = [np.outer(one, x / size), *[np.outer(one, one)] * (depth - 2), one[None]]
    return DeepLinear(tuple(size ** (1 / depth) * W for W in ends))


def _curvature(problem: Problem, network: DeepLinear) -> float:
    """Return v'Hv for the unit vector v that is to have the most, by a difference of the network's own gradient."""
    theta = network.theta0
    back = np.stack([network.pullback(theta, row) for row in problem.X])
    v = back.T @ np.linalg.eigh(back @ back.T)[1][:, -1]
    v /= np.linalg.norm(v)
    length = _STEP * float(np.linalg.norm(theta))
    after, before = (
        network.pullback(at, problem.gradient(network.effective(at))) for at in (theta + length * v, theta - length * v)
    )
    return float(v @ (after - before)) / (2 * length)


@theorem(
    "networks.sharpness",
    source=Citation("MC24", "lower bound on the sharpness of minimisers; form: ours"),
    statement="x' = W_D ... W_1 with one output, any widths: where Xx = y the largest eigenvalue of the Hessian is at "
    "least D |y|^(2-4/D) |X'y|^(2/D), and that at least D |x|^(2-2/D) |Xx|^2/|x|^2",
    kind="inequality",
    hypotheses=PLAIN,
    constants={"more": 0.0},
    control=Control("with D + 1 in the place of D", "planted/plain/0", {"more": 1.0}),
)
def flatness(it: Instance, more: float) -> Evidence:
    """Compare networks of random layers, and of aligned ones, where it is attained, with Rayleigh quotients.

    Proof. At zero loss the Hessian is J'X'XJ. W_j stands between a_j' = W_D ... W_(j+1) and B_j = W_(j-1) ... W_1. The
    largest eigenvalue, that of X JJ'X', is at least y'X JJ'X'y/|y|^2 = sum |a_j|^2 |B_j c|^2/|y|^2, c = X'y. For every
    j |a_j||B_(j+1) c| >= a_j'B_(j+1) c = x'c = |y|^2, and a_D = 1, B_1 c = c: the product of all |a_j||B_j c| is at
    least |y|^(2(D-1)) |c|, and the sum at least D times its power 2/D. Last, |c||x| >= c'x = |y|^2. All of this is
    equality for layers of rank one and one size along x, an eigenvector of X'X of the largest eigenvalue.
    """
    X, rng = it.problem.X, it.generator()
    top = np.linalg.svd(X)[2][0]
    left, right = [], []
    for depth in _DEPTHS:
        for network in (*(_random(it.problem.d, depth, rng) for _ in range(3)), _aligned(top, depth)):
            x = network.effective(network.theta0)
            y = X @ x
            size, gradient = np.linalg.norm(y), np.linalg.norm(X.T @ y)
            bound = (depth + more) * size ** (2 - 4 / depth) * gradient ** (2 / depth)
            by_x = (depth + more) * np.linalg.norm(x) ** (-2 / depth) * size**2
            found = _curvature(Problem(X, y), network)
            left += [bound / found, by_x / bound]
            right += [1.0, 1.0]
    return inequality(left, right, rounding=1e-6)


@algebra("networks.sharpness", more=1)
def flatness_derived(sp: Any, more: int = 0) -> Any:
    """Three layers of one unit: the Hessian has rank one; with theta_i = p_i^(3/2), its trace by means of A, B, C.

    These are p_2 p_3, p_1 p_3 and p_1 p_2, of whose cubes it is the sum, ABC being |x|^(4/3).
    """
    p, X, y = sp.symbols("p1:4", positive=True), sp.Symbol("X", positive=True), sp.Symbol("y")
    theta = sp.symbols("theta1:4", positive=True)
    at = {one: p_i ** sp.Rational(3, 2) for one, p_i in zip(theta, p, strict=True)}
    hessian = sp.hessian((X * sp.prod(theta) - y) ** 2 / 2, theta).subs(y, X * sp.prod(theta))
    A, B, C = p[1] * p[2], p[0] * p[2], p[0] * p[1]
    squares = (A + B + C) * ((A - B) ** 2 + (B - C) ** 2 + (A - C) ** 2) / 2
    bound = (3 + more) * X**2 * (p[0] * p[1] * p[2]) ** 2
    minors = [hessian[i, i] * hessian[j, j] - hessian[i, j] ** 2 for i, j in ((0, 1), (0, 2), (1, 2))]
    return [*minors, (sp.simplify(hessian.trace().subs(at)) - bound, X**2 * squares)]
