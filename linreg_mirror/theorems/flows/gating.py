"""Groups of weights with gates: a smooth penalty on the factors that is one on the norms of groups (D-gating).

Features are put into groups of four. A group's weights are x_G = v_G times the product of its D - 1 gates, and the
penalty is lambda/D times the sum of all squared factors.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.optimize import minimize, root

from linreg_mirror._tools.counting import counted
from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Hypothesis, Instance, algebra, certified, theorem
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.problems import Problem

_MEMBERS = 4
_SHARE = 0.3  # lambda, as a share of the largest norm of X_G'y: above it all groups are 0 at D = 2
_USED = 1e-6  # of the largest norm of a group: one below counts as 0
_STEPWISE = 1e-11  # relative error of a step of the integrator
_EPS = float(np.finfo(float).eps)

# Only the problem is used.
_ONCE = (
    h.hadamard,
    h.squared,
    h.no_penalty,
    h.starts_at_zero,
    h.solvable,
    Hypothesis("b >= 0.1", lambda it: bool(it.scale0.min() >= 0.1)),
    h.targets,
)


@dataclass(frozen=True, eq=False)
class _Gated:
    """f(x) plus `share` lambda times the squares of all factors; `factors` is D."""

    problem: Problem
    factors: int
    share: float
    start: Array

    @cached_property
    def groups(self) -> NDArray[np.intp]:
        """The group of each feature, shape (d,)."""
        return np.arange(self.problem.d) // _MEMBERS

    def norms(self, x: Array) -> Array:
        """Return |x_G| for every group."""
        return np.sqrt(np.bincount(self.groups, x**2))

    @cached_property
    def weight(self) -> float:
        """lambda."""
        return _SHARE * float(self.norms(self.problem.X.T @ self.problem.y).max())

    def parts(self, theta: Array) -> tuple[Array, Array]:
        """Return v, shape (d,), and the gates, shape (D - 1, groups)."""
        d = self.problem.d
        return theta[:d], theta[d:].reshape(self.factors - 1, -1)

    def effective(self, theta: Array) -> Array:
        v, gates = self.parts(theta)
        return v * gates.prod(axis=0)[self.groups]

    def value_and_gradient(self, theta: Array) -> tuple[float, Array]:
        v, gates = self.parts(theta)
        x = self.effective(theta)
        g = self.problem.gradient(x)
        others = np.stack([np.delete(gates, i, axis=0).prod(axis=0) for i in range(len(gates))])
        of_gates = others * np.bincount(self.groups, v * g)
        gradient = np.concatenate([g * gates.prod(axis=0)[self.groups], of_gates.ravel()])
        charge = self.share * self.weight
        return self.problem.value(x) + charge * float(theta @ theta), gradient + 2 * charge * theta

    @np.errstate(all="ignore")  # of trial steps that are far too long
    def minimised(self) -> Array:
        """Return where L-BFGS and then Newton end; ArithmeticError where that is not a point without gradient.

        Rounding of values stops L-BFGS where gradients still have some digits.
        """
        least = minimize(
            self.value_and_gradient, self.start, jac=True, method="L-BFGS-B",
            options={"maxiter": 3000, "ftol": 0.0, "gtol": 1e-9 * self.weight, "maxcor": 30},
        )  # fmt: skip
        end = root(lambda theta: self.value_and_gradient(theta)[1], least.x, method="lm").x
        left = float(np.abs(self.value_and_gradient(end)[1]).max()) / self.weight
        if not left <= 1e-8 * max(1.0, float(np.abs(end).max())):
            raise ArithmeticError(f"the factors were not minimised, {left:.1e} of the weight is left: {least.message}")
        return end


def _gated(it: Instance, factors: int, share: float | None = None) -> _Gated:
    """Start with normal v and equal gates, of about the size of factors of the minimum-L2 interpolator."""
    d, size = it.problem.d, float(np.abs(certified(it.least_l2)).max()) ** (1 / factors)
    v = 0.5 * size * np.random.default_rng(0).standard_normal(d)
    gates = np.full((factors - 1) * -(-d // _MEMBERS), size)
    return _Gated(it.problem, factors, 1 / factors if share is None else share, np.concatenate([v, gates]))


@theorem(
    "spred.groups",
    source=Citation("K25", "D = 2"),
    statement="x_G = gamma_G v_G: f(x) + lambda/2 sum(|v_G|^2 + gamma_G^2) has the minimum of f + lambda sum |x_G|_2, "
    "group LASSO",
    kind="identity",
    hypotheses=_ONCE,
    constants={"share": 0.5},
    control=Control("lambda (|v|^2 + gamma^2), which is twice the penalty", "planted/plain/0", {"share": 1.0}),
)
def groups(it: Instance, share: float) -> Evidence:
    """Compare the minimum over factors, by L-BFGS, with a lower bound of group LASSO: a dual point's value.

    Proof. |v|^2 + gamma^2 >= 2 |v||gamma| = 2 |x_G|, with equality where both are sqrt|x_G|.

    What is allowed is what L-BFGS has left of the gradient e. The residual r = y - Xx, scaled by s so that
    |X_G'r| <= lambda, is a dual point. Without s its gap is half of <factors, e>, by Euler's identity, and s costs up
    to (1 - s)|r||y|. In a group that is used |X_G'r| <= (lambda |v_G| + |e_G|)/|gamma_G|, which is lambda for e = 0.
    """
    net = _gated(it, 2, share)
    theta = net.minimised()
    value, e = net.value_and_gradient(theta)
    (v, gates), x = net.parts(theta), net.effective(theta)
    r, y, weight = -it.problem.residual(x), it.problem.y, net.weight
    s = min(1.0, weight / float(net.norms(it.problem.X.T @ r).max()))
    bound = 0.5 * float(y @ y) - 0.5 * float((y - s * r) @ (y - s * r))
    used = net.norms(x) > _USED * float(net.norms(x).max(initial=1e-300))
    steepest = (weight * net.norms(v) + net.norms(e[: it.problem.d]))[used] / np.abs(gates[0][used])
    scaled = max(float((steepest / weight).max(initial=1.0)) - 1, 0.0) * float(np.linalg.norm(r) * np.linalg.norm(y))
    allowed = (0.5 * abs(float(theta @ e)) + scaled) / value + 8 * it.problem.n * _EPS
    gap = abs(value - bound) / value
    return Evidence(
        allowed - gap, f"{gap:.1e} of the minimum apart, {allowed:.1e} allowed; {counted(used.sum(), 'group')} used"
    )


def _gradient_in_symbols(sp: Any, D: int) -> tuple[Any, Any, Any, Any, Any]:
    """Return v, gates, lambda, the gradient of f by x, and that of f(x) + lambda/D (squares of all) by v and gates.

    A group of two; f is linear for the purpose.
    """
    v, g = sp.symbols("v1 v2", real=True), sp.symbols("g1 g2", real=True)
    weight, *gates = sp.symbols(f"lambda gamma1:{D}", positive=True)
    x = [sp.prod(gates) * one for one in v]
    energy = sum(a * b for a, b in zip(g, x, strict=True)) + weight / D * sum(one**2 for one in (*v, *gates))
    return v, gates, weight, g, {one: energy.diff(one) for one in (*v, *gates)}


@algebra("spred.groups", share=1)
def groups_derived(sp: Any, share: float = 0.5) -> Any:
    """lambda/2 (|v|^2 + gamma^2) is no less than lambda |gamma v|, and equal where |v| = |gamma|; a group of two."""
    v, gamma, weight = sp.symbols("v1 v2", real=True), sp.Symbol("gamma", real=True), sp.Symbol("lambda", positive=True)
    size, norm = sp.sqrt(v[0] ** 2 + v[1] ** 2), sp.sqrt((gamma * v[0]) ** 2 + (gamma * v[1]) ** 2)
    above = weight * sp.nsimplify(share) * (size**2 + gamma**2) - weight * norm
    return [(above, weight / 2 * (size - sp.Abs(gamma)) ** 2), above.subs(gamma, size), above.subs(gamma, -size)]


@theorem(
    "spred.groups.depth",
    source=Citation("K25", "D factors"),
    statement="where the gradient of f(x) + lambda/D (|v_G|^2 + sum gamma_G,i^2) vanishes, that of "
    "f + lambda sum |x_G|_2^(2/D) vanishes in the groups that are not 0",
    kind="identity",
    hypotheses=_ONCE,
    constants={"divided": 0},
    control=Control("that of f + lambda/D sum |x_G|_2^(2/D)", "planted/plain/0", {"divided": 1}),
)
def groups_of_depth(it: Instance, divided: int) -> Evidence:
    """Compare gradients in x at ends of L-BFGS, for D = 3 and 4.

    Proof. <v, e_v> - gamma_i e_i = (2 lambda/D)(|v|^2 - gamma_i^2) for the gradient e: where it vanishes factors are of
    one size, |x_G|^(1/D), so that (2 lambda/D) v is prod(gamma) times the gradient of lambda |x_G|^(2/D).

    What is allowed, in a group with product p of gates: |e_v|/|p|, and (2 lambda/D) |v|/|p| times
    1 - prod(gamma_i^2/|v|^2)^(1/D), which is what the imbalance makes of it.
    """
    found = []
    for D in (3, 4):
        net = _gated(it, D)
        theta = net.minimised()
        _, e = net.value_and_gradient(theta)
        (v, gates), x = net.parts(theta), net.effective(theta)
        size, charge = net.norms(x), 2 * net.weight / D
        used = size > _USED * float(size.max(initial=1e-300))
        if not used.any():
            continue
        power = np.where(used, size, 1.0) ** (2 / D - 2)
        claimed = charge / D**divided * power[net.groups] * x
        left = net.norms(it.problem.gradient(x) + claimed)[used]
        p, lengths = np.abs(gates.prod(axis=0))[used], net.norms(v)[used]
        # From e, not from the factors: what the theorem says of these is not to be assumed.
        imbalance = np.abs(np.bincount(net.groups, v * e[: it.problem.d])[:, None] - (gates * net.parts(e)[1]).T)
        imbalance = imbalance[used] / charge / lengths[:, None] ** 2
        allowed = net.norms(e[: it.problem.d])[used] / p + charge * lengths / p * 1.1 * imbalance.sum(axis=1) / D
        allowed += 8 * (it.problem.n + it.problem.d) * _EPS * net.weight
        worst = int(np.argmin(allowed - left))
        found.append(
            Evidence(
                float((allowed - left)[worst] / net.weight),
                f"D = {D}: {left[worst] / net.weight:.1e} of lambda left, {allowed[worst] / net.weight:.1e} allowed; "
                f"{counted(used.sum(), 'group')} used",
            )
        )
    return min(found, key=lambda one: one.margin) if found else Evidence(0.0, "no group is used")


@algebra("spred.groups.depth", divided=1)
def groups_of_depth_derived(sp: Any, divided: int = 0) -> Any:
    """D = 3, a group of two: without gradient, factors are of one size; the gradients of f and penalty then cancel."""
    D = 3
    v, gates, weight, g, e = _gradient_in_symbols(sp, D)
    size, x = sp.sqrt(v[0] ** 2 + v[1] ** 2), sp.symbols("x1 x2", real=True)
    found = []
    for gate in gates:
        left = v[0] * e[v[0]] + v[1] * e[v[1]] - gate * e[gate]
        found.append(left - 2 * weight / D * (size**2 - gate**2))
    penalty = weight / D**divided * (x[0] ** 2 + x[1] ** 2) ** sp.Rational(1, D)
    for i in (0, 1):
        (slope,) = sp.solve(e[v[i]], g[i])
        there = {x[j]: size ** (D - 1) * v[j] for j in (0, 1)}
        found.append(slope.subs(dict.fromkeys(gates, size)) + penalty.diff(x[i]).subs(there))
    return found


@theorem(
    "spred.groups.balance",
    source=Citation("K25", "imbalance"),
    statement="along the flow of f(x) + lambda/D (|v_G|^2 + sum gamma_G,i^2), |v_G|^2 - gamma_G,i^2 falls like "
    "exp(-4 lambda t/D)",
    kind="identity",
    hypotheses=_ONCE,
    constants={"exponent": 4.0},
    control=Control("exp(-2 lambda t/D)", "planted/plain/0", {"exponent": 2.0}),
)
def groups_balance(it: Instance, exponent: float) -> Evidence:
    """Compare after an integration by SciPy.

    Proof. (|v|^2)' = -2 <x_G, grad_G f> - (4 lambda/D) |v|^2, and the same holds for every gate.

    What is allowed is what the integrator promises of its steps, added up: an error e of the factors changes an
    imbalance by at most 2 (|v_G| + |gamma|) |e|, and that fades, whatever path the factors take from there.
    """
    found = []
    for D in (2, 3):
        net = _gated(it, D)
        time = 0.2 * D / (4 * net.weight)
        with np.errstate(all="ignore"):  # trial steps that are far too long
            path = solve_ivp(
                lambda _, theta, net=net: -net.value_and_gradient(theta)[1], (0.0, time), net.start,
                method="DOP853", rtol=_STEPWISE, atol=_STEPWISE * float(np.abs(net.start).max()),
            )  # fmt: skip
        if not path.success:
            raise ArithmeticError(f"the flow was not integrated: {path.message}")
        first, last = _imbalances(net, net.start), _imbalances(net, path.y[:, -1])
        largest = float(np.abs(path.y).max())
        of_step = 2 * _STEPWISE * largest * len(net.start) ** 0.5
        allowed = len(path.t) * 4 * _MEMBERS**0.5 * largest * of_step / float(np.abs(first).max())
        apart = float(np.abs(last - first * np.exp(-exponent * net.weight * time / D)).max() / np.abs(first).max())
        found.append(Evidence(allowed - apart, f"D = {D}: {apart:.1e} of the start apart, {allowed:.1e} allowed"))
    return min(found, key=lambda one: one.margin)


@algebra("spred.groups.balance", exponent=2)
def groups_balance_derived(sp: Any, exponent: int = 4) -> Any:
    """D = 3, a group of two: the derivative of (|v|^2 - gamma^2) exp(4 lambda t/D) along the flow."""
    D = 3
    v, gates, weight, _, e = _gradient_in_symbols(sp, D)
    rate = sum(2 * one * -e[one] for one in v) - 2 * gates[0] * -e[gates[0]]
    return rate + exponent * weight / D * (v[0] ** 2 + v[1] ** 2 - gates[0] ** 2)


def _imbalances(net: _Gated, theta: Array) -> Array:
    v, gates = net.parts(theta)
    return net.norms(v) ** 2 - gates**2
