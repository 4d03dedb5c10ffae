"""Curvature at zero loss, in m and w, and the step sizes at which gradient descent stays there."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Hypothesis, Instance, algebra, certified, theorem
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import Hadamard
from linreg_mirror.problems import Problem

_EPS = float(np.finfo(float).eps)
_BESIDE = 0.02  # of the threshold: how far from it runs are
_STEPS = 40  # in which residuals grow or fall by a factor of about (1 + 2 * 0.02)^40 = 5
_APART = 1e-6  # of the parameters: how far from the point runs start

# x_0 is not used: of settings that start elsewhere only those count whose scales differ.
_once = Hypothesis("x_0 = 0 or unequal scales", lambda it: h.starts_at_zero.test(it) or not h.equal_scales.test(it))
_ONCE = (h.hadamard, h.unbalanced, h.squared, h.solvable, h.no_penalty, h.targets, _once)


def interpolators(it: Instance) -> Iterator[Hadamard]:
    """Yield networks that start at zero loss, at the instance's scale: with least L1 norm, and with least L2 norm."""
    for solution in (it.least_l1, it.least_l2):
        yield Hadamard.from_scale(log_b=it.hadamard.log_scale, x0=certified(solution))


def _curvature(problem: Problem, network: Hadamard, factor: float) -> tuple[float, Array]:
    """Return the largest eigenvalue of X diag(factor sqrt(x^2 + b^2)) X', and its eigenvector, shape (n,)."""
    x = network.effective(network.theta0)
    values, vectors = np.linalg.eigh((problem.X * factor * np.hypot(x, np.exp(network.log_scale))) @ problem.X.T)
    return float(values[-1]), vectors[:, -1]


def _gradient(problem: Problem, network: Hadamard, theta: Array) -> Array:
    return network.pullback(theta, problem.gradient(network.effective(theta)))


def hessian_of(problem: Problem, network: Hadamard) -> tuple[Array, float]:
    """Return the Hessian in (m, w) by differences of the network's own gradient, and a bound of their rounding.

    The gradient is cubic in the parameters: two central differences, extrapolated, make no other error.
    """
    theta = network.theta0
    far = float(np.abs(theta).max())

    def difference(length: float) -> Array:
        steps = length * np.eye(len(theta))
        ends = (
            (_gradient(problem, network, theta + step), _gradient(problem, network, theta - step)) for step in steps
        )
        return np.stack([after - before for after, before in ends]) / (2 * length)

    size = np.abs(problem.X)
    largest = 2 * far * float((size.T @ (size @ np.full(problem.d, (2 * far) ** 2) + np.abs(problem.y))).max())
    # Sums of n and d terms, in 5/3 of a difference of two, divided by twice the length; and Frobenius' norm.
    rounding = 2 * (problem.n + problem.d) * _EPS * largest / far * len(theta)
    found = (4 * difference(far / 2) - difference(far)) / 3
    return 0.5 * (found + found.T), rounding


@theorem(
    "steps.sharpness",
    source=Citation("N22", "sharpness of x = m*w"),
    statement="where Xx = y the largest eigenvalue of the Hessian of f(m*w) in (m, w) is that of "
    "X diag(2 sqrt(x^2 + b^2)) X'",
    kind="identity",
    hypotheses=_ONCE,
    constants={"factor": 2.0},
    control=Control("sqrt(x^2 + b^2) without 2", "planted/plain/0", {"factor": 1.0}),
)
def sharpness(it: Instance, factor: float) -> Evidence:
    """Compare at two interpolators with differences of the network's gradient.

    What is allowed: rounding of these, and |X'r|_inf for what is left of the residual r: by Weyl's inequality, since
    the Hessian differs by X'r off its diagonal blocks from what it is at r = 0.

    Proof. At zero loss it is J'X'XJ with the Jacobian J = [diag w, diag m], which has the eigenvalues of XJJ'X', and
    JJ' = diag(m^2 + w^2), (m^2 + w^2)^2 = (m^2 - w^2)^2 + 4 (m w)^2.
    """
    found = []
    for network in interpolators(it):
        hessian, rounding = hessian_of(it.problem, network)
        largest, _ = _curvature(it.problem, network, factor)
        left = float(np.abs(it.problem.gradient(network.effective(network.theta0))).max())
        apart, allowed = abs(np.linalg.eigvalsh(hessian)[-1] / largest - 1), (left + rounding) / largest
        found.append(Evidence(float(allowed - apart), f"{apart:.1e} apart, {allowed:.1e} allowed"))
    return min(found, key=lambda one: one.margin)


@algebra("steps.sharpness", factor=1)
def sharpness_derived(sp: Any, factor: int = 2) -> Any:
    """Two entries, two samples: the Hessian where Xx = y is B'B with B = X [diag w, diag m], and BB' is the matrix.

    Both have the same eigenvalues but for zeros.
    """
    X, theta = sp.Matrix(2, 2, sp.symbols("X11 X12 X21 X22")), sp.symbols("m1 m2 w1 w2", real=True)
    x, y = sp.Matrix([theta[0] * theta[2], theta[1] * theta[3]]), sp.symbols("y1 y2")
    r = X * x - sp.Matrix(y)
    hessian = sp.hessian(r.dot(r) / 2, theta).subs(dict(zip(y, X * x, strict=True)))
    B, b = (X * x).jacobian(theta), [(theta[i] ** 2 - theta[2 + i] ** 2) / 2 for i in (0, 1)]
    metric = sp.diag(*(factor * sp.sqrt(x[i] ** 2 + b[i] ** 2) for i in (0, 1)))
    return [hessian - B.T * B, B * B.T - X * metric * X.T]


@theorem(
    "steps.stability",
    source=Citation("WME18", "linear stability of gradient descent"),
    statement="gradient descent with steps eta stays at a point where Xx = y only if the largest eigenvalue of "
    "X diag(2 sqrt(x^2 + b^2)) X' is at most 2/eta, and is drawn to it along that direction where it is less",
    kind="asymptotic",
    hypotheses=_ONCE,
    constants={"factor": 2.0},
    control=Control("sqrt(x^2 + b^2) without 2", "planted/plain/0", {"factor": 1.0}),
)
def stability(it: Instance, factor: float) -> Evidence:
    """Start beside two interpolators, along that eigenvector in m and w, with steps 2 % below and above the threshold.

    Residuals must fall in one run and grow in the other. To first order a step changes them by 1 - eta lambda (see
    steps.sharpness), which is the proof.
    """
    found = []
    for network in interpolators(it):
        largest, v = _curvature(it.problem, network, factor)
        away = network.pullback(network.theta0, it.problem.X.T @ v)
        beside = network.theta0 + _APART * np.linalg.norm(network.theta0) * away / np.linalg.norm(away)
        below, above = (_growth(it.problem, network, beside, side * 2 / largest) for side in (1 - _BESIDE, 1 + _BESIDE))
        detail = f"residuals change by a factor {below:.4f} a step below 2/lambda, {above:.4f} above"
        found.append(Evidence(min(1 - below, above - 1), detail))
    return min(found, key=lambda one: one.margin)


@algebra("steps.stability", factor=1)
def stability_derived(sp: Any, factor: int = 2) -> Any:
    """Two entries, one sample: the derivative of the residual after a step by that before, at 0, is 1 - eta lambda."""
    r, eta, X = sp.Symbol("r"), sp.Symbol("eta"), sp.symbols("X1 X2")
    m, w = sp.symbols("m1 m2", real=True), sp.symbols("w1 w2", real=True)
    moved = [(m[i] - eta * w[i] * X[i] * r) * (w[i] - eta * m[i] * X[i] * r) - m[i] * w[i] for i in (0, 1)]
    after = r + X[0] * moved[0] + X[1] * moved[1]
    roots = [sp.sqrt((m[i] * w[i]) ** 2 + (m[i] ** 2 - w[i] ** 2) ** 2 / 4) for i in (0, 1)]
    return after.diff(r).subs(r, 0) - 1 + eta * factor * sum(X[i] ** 2 * roots[i] for i in (0, 1))


def _growth(problem: Problem, network: Hadamard, theta: Array, eta: float) -> float:
    """Return by what factor a step of gradient descent from theta changes residuals, in the mean."""
    residuals = []
    for _ in range(_STEPS):
        residuals.append(float(np.linalg.norm(problem.residual(network.effective(theta)))))
        if residuals[-1] > 10 * residuals[0]:
            break  # far away it may do anything
        theta = theta - eta * _gradient(problem, network, theta)
    return (residuals[-1] / residuals[0]) ** (1 / (len(residuals) - 1))
