"""Products of matrices along the flow: their velocity, their modes, and which of them have a mirror."""

from typing import Any

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Hypothesis,
    Instance,
    algebra,
    identity,
    relative,
    theorem,
)
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import DeepLinear, lie_bracket
from linreg_mirror.problems import Problem
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.theorems.flows._motion import bracket_of, descent_of
from linreg_mirror.theorems.matrices.linear_networks import (
    GEOMETRIC,
    PLAIN,
    TOLERANCE,
    gaussian,
    path_of,
    two_layers,
    unit_of_time,
    widths_of,
)


@theorem(
    "networks.velocity",
    source=Citation("ACH18", "Thm 1"),
    statement="from a balanced start the product M = W_L ... W_1 obeys M' = -sum_j (MM')^((L-j)/L) G (M'M)^((j-1)/L)",
    kind="identity",
    hypotheses=PLAIN,
    constants={"balanced": True},
    control=Control("a start that is not balanced", "planted/plain/0", {"balanced": False}),
)
def velocity(it: Instance, balanced: bool) -> Evidence:
    network = DeepLinear.balanced(1.0, widths_of(it, 3), it.generator()) if balanced else gaussian(it)
    path, parameters = path_of(it, network)
    some = np.linspace(0, len(path.t) - 1, 8).astype(int)
    basis, depth = np.eye(network.d), network.degree
    found, expected = [], []
    for x, theta in zip(path.x[some], parameters[some], strict=True):
        g = it.problem.gradient(x)
        jacobian = np.stack([network.pullback(theta, e) for e in basis])
        found.append(-jacobian @ network.pullback(theta, g))
        M, G = x.reshape(network.shape), g.reshape(network.shape)
        terms = [_power(M, (depth - j) / depth) @ G @ _power(M.T, (j - 1) / depth) for j in range(1, depth + 1)]
        expected.append(-np.sum(terms, axis=0).ravel())
    return identity(relative(np.stack(found) - np.stack(expected), found), TOLERANCE)


@algebra("networks.velocity", balanced=False)
def velocity_derived(sp: Any, balanced: bool = True) -> Any:
    """Three layers Q S, S, S of 2 x 2, by right singular vectors: (MM')^(1/3) = Q S^2 Q' and (M'M)^(1/3) = S^2."""
    G, s, t = two_layers(sp)[2], sp.symbols("s1 s2", positive=True), sp.Symbol("t", real=True)
    S, Q = sp.diag(*s), sp.Matrix([[1 - t**2, -2 * t], [2 * t, 1 - t**2]]) / (1 + t**2)  # a rotation
    values = (S, S if balanced else sp.diag(s[0], 2 * s[1]), Q * S)
    W = [sp.Matrix(2, 2, sp.symbols(f"W{l}11 W{l}12 W{l}21 W{l}22")) for l in (1, 2, 3)]
    here = {symbol: value for one, at in zip(W, values, strict=True) for symbol, value in zip(one, at, strict=True)}
    down = [descent_of((G.T * W[2] * W[1] * W[0]).trace(), one) for one in W]
    rate = (down[2] * W[1] * W[0] + W[2] * down[1] * W[0] + W[2] * W[1] * down[0]).subs(here)
    M, left, right = (W[2] * W[1] * W[0]).subs(here), Q * S**2 * Q.T, S**2
    stated = left**2 * G + left * G * right + G * right**2
    return [left**3 - M * M.T, right**3 - M.T * M, rate + stated]


def _power(M: Array, exponent: float) -> Array:
    """Return (MM')^exponent."""
    if exponent == 0:
        return np.eye(len(M))
    left, values, _ = np.linalg.svd(M, full_matrices=False)
    return left * values ** (2 * exponent) @ left.T


@theorem(
    "networks.modes",
    source=Citation("SMG14", "two layers, whitened inputs"),
    statement="f = |W_2 W_1 - S|^2/2 from a balanced start with the singular vectors of S: singular values s of S are "
    "learned as a_t = s e^(2st) / (e^(2st) - 1 + s/a_0), and singular vectors stay",
    kind="identity",
    hypotheses=(*PLAIN, h.solvable, Hypothesis("targets other than 0", lambda it: bool(it.problem.y.any()))),
    constants={"speed": 2.0},
    control=Control("e^(st) in place of e^(2st)", "planted/plain/0", {"speed": 1.0}),
)
def modes(it: Instance, speed: float) -> Evidence:
    """Compare the whole product along the path, in the bases of S, which is the minimum-L2 interpolator as a matrix.

    With whitened inputs the loss is that of S, up to a constant. What is allowed: what a hundredfold accuracy of the
    integrator changes.

    Proof. Balanced layers of these singular vectors remain so, with W_1 = sqrt(a) R V' and W_2 = U sqrt(a) R', R'R = 1:
    a' = 2a(s - a), a logistic equation.
    """
    widths, rng = widths_of(it, 2), it.generator()
    S = it.least_l2.x.reshape(widths[-1], widths[0])
    S = S / np.linalg.norm(S, 2)
    left, s, right = np.linalg.svd(S, full_matrices=False)
    a_0 = s * rng.uniform(0.02, 0.2, len(s))
    network = DeepLinear.balanced(left * a_0 @ right, widths, rng)
    problem = Problem(np.eye(S.size), S.ravel())
    fine, coarse = (
        flow(problem, network, until=5.0, at=(1.0, 3.0), method="parameters", accuracy=a, integrators=("DOP853",))
        for a in (1e-9, 1e-7)
    )
    times = np.array([1.0, 3.0, 5.0])
    x, rough = (path.x[np.searchsorted(path.t, times)].reshape(-1, *S.shape) for path in (fine, coarse))
    grown = np.exp(speed * np.outer(times, s))
    expected = s * grown / (grown - 1 + s / a_0)
    apart = float(np.abs(left.T @ x @ right.T - expected[:, :, None] * np.eye(len(s))).max())
    allowed = float(np.linalg.norm(x - rough, axis=(1, 2)).max()) + 1e-14
    return Evidence(allowed - apart, f"{apart:.1e} of the largest s apart, {allowed:.1e} allowed")


@algebra("networks.modes", speed=1)
def modes_derived(sp: Any, speed: int = 2) -> Any:
    """Two modes in the bases of S, with R = 1: both layers stay diagonal, a' = 2a(s - a), and what solves it."""
    (W, V, _), S, a = two_layers(sp), sp.diag(*sp.symbols("s1 s2", positive=True)), sp.symbols("a1 a2", positive=True)
    off, roots = V * W - S, sp.diag(*(sp.sqrt(one) for one in a))
    here = {symbol: value for one in (W, V) for symbol, value in zip(one, roots, strict=True)}
    down = [descent_of((off.T * off).trace() / 2, one).subs(here) for one in (W, V)]
    expected = sp.diag(*((S[i, i] - a[i]) * sp.sqrt(a[i]) for i in (0, 1)))  # sqrt(a)' where a' = 2a(s - a)
    (s, start), t = sp.symbols("s a0", positive=True), sp.Symbol("t")
    grown = sp.exp(speed * s * t)
    path = s * grown / (grown - 1 + s / start)
    return [*(one - expected for one in down), path.diff(t) - 2 * path * (s - path), path.subs(t, 0) - start]


@theorem(
    "networks.mirror",
    source=Citation("ours", "one output, one input, one hidden layer"),
    statement="x = <a, w> is x = m*w in disguise: x_t = b_t sinh(log(|u|/|v|) - 2 int grad f), "
    "b_t = |u||v| exp(-4 A_t), u, v = (a +- w)/sqrt 2 at the start",
    kind="identity",
    hypotheses=GEOMETRIC,
    constants={"exponent": 4.0},
    control=Control("exp(-2A) in place of exp(-4A)", "planted/geometric/0", {"exponent": 2.0}),
)
def one_entry(it: Instance, exponent: float) -> Evidence:
    """Compare along the flow of a network 1 -> 5 -> 1 on the first feature.

    Proof. u' = -(g + 2 alpha) u and v' = (g - 2 alpha) v keep their directions, and x = (|u|^2 - |v|^2)/2.
    """
    problem = Problem(it.problem.X[:, :1], it.problem.y)
    network = DeepLinear.gaussian([1, 5, 1], 0.5, it.generator())
    path = flow(problem, network, it.schedule, until=5 * unit_of_time(problem), method="parameters", accuracy=1e-11)
    first, second = network.weights[0].ravel(), network.weights[1].ravel()
    u, v = np.linalg.norm(first + second), np.linalg.norm(first - second)
    b = u * v / 2 * np.exp(-exponent * path.decay)
    expected = b * np.sinh(np.log(u / v) - 2 * path.dual @ problem.X[:, 0])
    return identity(relative(path.x[:, 0] - expected, path.x), 1e-8)


@algebra("networks.mirror", exponent=2)
def one_entry_derived(sp: Any, exponent: int = 4) -> Any:
    """Two hidden units, W w and V a: |u|^2 exp(4A + 2G) and |v|^2 exp(4A - 2G) stay what they are at the start."""
    w, a = sp.Matrix(sp.symbols("w1 w2")), sp.Matrix(sp.symbols("a1 a2"))
    g, alpha, A, G = sp.symbols("g alpha A G", real=True)
    energy = g * a.dot(w) + alpha * (a.dot(a) + w.dot(w))
    u, v = ((a + sign * w) / sp.sqrt(2) for sign in (1, -1))
    u_rate, v_rate = ((descent_of(energy, a) + sign * descent_of(energy, w)) / sp.sqrt(2) for sign in (1, -1))
    U, V = sp.symbols("U V", positive=True)  # |u|^2 and |v|^2
    U0, V0 = U * sp.exp(4 * A + 2 * G), V * sp.exp(4 * A - 2 * G)
    expected = sp.sqrt(U0 * V0) * sp.exp(-exponent * A) * sp.sinh(sp.log(sp.sqrt(U0 / V0)) - 2 * G)
    return [
        2 * u.dot(u_rate) + (4 * alpha + 2 * g) * u.dot(u),
        2 * v.dot(v_rate) + (4 * alpha - 2 * g) * v.dot(v),
        a.dot(w) - (u.dot(u) - v.dot(v)) / 2,
        (U - V) / 2 - expected.rewrite(sp.exp),
    ]


@theorem(
    "networks.no_mirror",
    source=Citation("LWLA22", "commuting fields; norm: ours"),
    statement="gradients of two entries j, k in one row of W_2 W_1 do not commute: their Lie bracket has norm "
    "sqrt(|W_1 e_j|^2 + |W_1 e_k|^2)",
    kind="identity",
    hypotheses=(*PLAIN, Hypothesis("d > 1", lambda it: it.problem.d > 1)),
    constants={"row": 0},
    control=Control("entries in different rows and columns, which commute", "planted/plain/0", {"row": 1}),
)
def no_mirror(it: Instance, row: int) -> Evidence:
    """Compare the brackets of the first entry with all others in a row.

    Proof. The field of entry (i, j) is dW_2 = e_i (W_1 e_j)', dW_1 = (W_2'e_i) e_j'. In the bracket of (i, j) and
    (i, k) what is left is (W_1 e_j) e_k' - (W_1 e_k) e_j' in the place of W_1.
    """
    network = gaussian(it, layers=2)
    columns = network.shape[1]
    W = network.weights[0]
    others = np.arange(1, columns)
    found = [np.linalg.norm(lie_bracket(network, 0, int(row * columns + k), network.theta0)) for k in others]
    expected = np.sqrt((W[:, :1] ** 2).sum() + (W[:, 1:] ** 2).sum(axis=0))
    return identity(relative(np.array(found) - expected, expected), 1e-12)


@algebra("networks.no_mirror", row=1)
def no_mirror_derived(sp: Any, row: int = 0) -> Any:
    """Two layers of 2 x 2."""
    W, V, _ = two_layers(sp)
    theta, x = [*W, *V], V * W
    first, second = (sp.Matrix([one]).jacobian(theta).T for one in (x[0, 0], x[row, 1]))
    bracket = bracket_of(first, second, theta)
    return bracket.dot(bracket) - sum(one**2 for one in W)
