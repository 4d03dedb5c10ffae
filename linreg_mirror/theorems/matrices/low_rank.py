"""Low rank from U U' with a vanishing start: the least nuclear norm where measurements commute, not in general."""

from functools import lru_cache
from typing import Any

import numpy as np
import scipy.linalg
from scipy.optimize import linprog

from linreg_mirror._types import Array
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Hypothesis,
    Instance,
    Verdict,
    algebra,
    certified,
    identity,
    inequality,
    relative,
    slope,
    theorem,
)
from linreg_mirror.parametrizations import Factorized, Quadratic
from linreg_mirror.problems import Problem
from linreg_mirror.solvers import Solution, Trajectory
from linreg_mirror.solvers.continuous import flow
from linreg_mirror.solvers.independent import minimum_nuclear
from linreg_mirror.solvers.limit import limit
from linreg_mirror.theorems.flows._motion import descent_of

COMMUTING = ("special/commuting-1", "special/commuting-6", "special/commuting-11", "special/commuting-31")
NOT_COMMUTING = "special/not-commuting"


def _measurements(it: Instance) -> Array:
    """Return the symmetric matrices A_i, shape (n, size, size)."""
    A = it.problem.X.reshape(it.problem.n, *_shape(it))
    return (A + A.transpose(0, 2, 1)) / 2


def _shape(it: Instance) -> tuple[int, int]:
    assert isinstance(it.network, Factorized)
    return it.network.shape


def _commute(it: Instance) -> bool:
    A = _measurements(it)
    products = np.einsum("iab,jbc->ijac", A, A)
    return bool(np.abs(products - products.swapaxes(0, 1)).max() < 1e-12 * np.abs(products).max())


_ACCURACY = 1e-10  # of a path, relative

_symmetric = Hypothesis("x = U U'", lambda it: isinstance(it.network, Factorized) and it.network.V0 is None)
_commuting = Hypothesis("measurements commute", _commute)


@lru_cache(maxsize=64)  # several theorems ask for the same ones
def _from(it: Instance, alpha: float) -> Trajectory:
    """Return the flow from U = alpha I."""
    network = Factorized.symmetric(alpha * np.eye(_shape(it)[0]))
    path = flow(it.problem, network, method="parameters", tolerance=1e-8, accuracy=_ACCURACY)
    if not path.status.solved:
        raise ArithmeticError(f"the flow from {alpha:g} I did not end: {path.status}")
    return path


@lru_cache(maxsize=16)
def _least(it: Instance) -> tuple[Solution, float]:
    """Return a positive semidefinite interpolator of least nuclear norm, and a certified lower bound of that norm."""
    solution = minimum_nuclear(it.problem, _shape(it), positive=True)
    certified(solution)
    steepest = np.linalg.eigvalsh(np.tensordot(solution.dual, _measurements(it), 1))[-1]
    return solution, float(it.problem.y @ solution.dual) / max(1.0, float(steepest))


def _excess(it: Instance, alphas: Array, least: float) -> Array:
    """Return the nuclear norm where the flow from alpha I ends, less the least one."""
    return np.array([np.linalg.norm(_from(it, alpha).x[-1].reshape(_shape(it)), "nuc") - least for alpha in alphas])


@theorem(
    "networks.low_rank.closed_form",
    source=Citation("G17", "Thm 1, proof"),
    statement="commuting A_i: U_0 = alpha I follows U_t U_t' = alpha^2 exp(-4 sum_i s_i A_i), s' = l'(<A, U U'> - y)",
    kind="identity",
    hypotheses=(_symmetric, _commuting),
    extremal=COMMUTING,
    control=Control("measurements that do not commute", NOT_COMMUTING),
)
def closed_form(it: Instance) -> Evidence:
    path, alpha = it.path, it.network.theta0[0]
    some = np.linspace(0, len(path.t) - 1, 16).astype(int)
    A = _measurements(it)
    expected = np.stack([alpha**2 * scipy.linalg.expm(-4 * np.tensordot(s, A, 1)).ravel() for s in path.dual[some]])
    return identity(relative(path.x[some] - expected, expected), 1e-9)


@algebra("networks.low_rank.closed_form", commute=False)
def closed_form_derived(sp: Any, commute: bool = True) -> Any:
    """Two measurements of 2 x 2, in the basis of their eigenvectors: U = alpha exp(-2 s_1 A_1) exp(-2 s_2 A_2).

    The control has an A_2 of other eigenvectors.
    """
    t, alpha, a = sp.Symbol("t"), sp.Symbol("alpha"), sp.symbols("a1:5", real=True)
    s1, s2 = (sp.Function(name, real=True)(t) for name in ("s1", "s2"))
    A, first = [sp.diag(a[0], a[1]), sp.diag(a[2], a[3])], sp.diag(sp.exp(-2 * s1 * a[0]), sp.exp(-2 * s1 * a[1]))
    second = sp.diag(sp.exp(-2 * s2 * a[2]), sp.exp(-2 * s2 * a[3]))
    if not commute:
        A[1], c, s = sp.Matrix([[0, a[2]], [a[2], 0]]), sp.cosh(2 * s2 * a[2]), sp.sinh(2 * s2 * a[2])
        second = sp.Matrix([[c, -s], [-s, c]])
    U, slopes, path = sp.Matrix(2, 2, sp.symbols("U11 U12 U21 U22")), sp.symbols("r1 r2"), alpha * first * second
    down = descent_of(sum(slope * (one * U * U.T).trace() for slope, one in zip(slopes, A, strict=True)), U)
    rate = down.subs({slopes[0]: s1.diff(t), slopes[1]: s2.diff(t), **dict(zip(U, path, strict=True))})
    stated = alpha**2 * sp.diag(*(sp.exp(-4 * (s1 * a[i] + s2 * a[2 + i])) for i in (0, 1)))
    return [path.diff(t) - rate, path * path.T - stated]


@theorem(
    "networks.low_rank.limit",
    source=Citation("JZB25", "Thm 3.3, matrix sensing"),
    statement="commuting A_i: the flow of U U' from alpha I ends where the potential of <A_i, U U'>, quadratic in U, "
    "is least: its eigenvalues are those that Newton's method finds",
    kind="identity",
    hypotheses=(_symmetric, _commuting),
    constants={"stretch": 1.0},
    extremal=COMMUTING,
    control=Control("the potential from twice that start", "special/commuting-1", {"stretch": 2.0}),
)
def ends_in_limit(it: Instance, stretch: float) -> Evidence:
    """Compare the eigenvalues at the end of the flow, with the Xx that it reached, with those of the limit.

    Proof. See mirror.quadratic: x_i = <A_i, U U'> is vec(U)'(2 A_i x I) vec(U)/2, and the squared length of U along a
    common eigenvector is twice a weight in its eigenspace.
    """
    end = it.path.x[-1]
    measured = Problem(np.eye(it.problem.n), it.problem.X @ end)
    network = Quadratic.sensing(_measurements(it), stretch * it.network.theta0.reshape(_shape(it)))
    found = np.sort(2 * certified(limit(*network.in_eigenvalues(measured))))
    expected = np.linalg.eigvalsh(end.reshape(_shape(it)))
    return identity(relative(found - expected, expected), 1e-9)


@algebra("networks.low_rank.limit", stretch=2)
def ends_in_limit_derived(sp: Any, stretch: int = 1) -> Any:
    """Two eigenvectors of one A: slopes of the potential, log(u_i/alpha), stay along its eigenvalues."""
    a, r, alpha = sp.symbols("a1 a2", real=True), sp.Symbol("r"), sp.Symbol("alpha", positive=True)
    u = sp.Matrix(sp.symbols("u1 u2", positive=True))
    down = descent_of(r * sum(a[i] * u[i] ** 2 for i in (0, 1)), u)
    off = a[1] * sp.log(u[0] / (stretch * alpha)) - a[0] * sp.log(u[1] / (stretch * alpha))
    return [sum(off.diff(u[i]) * down[i] for i in (0, 1)), off.subs({u[0]: alpha, u[1]: alpha})]


@theorem(
    "networks.low_rank.commuting",
    source=Citation("G17", "Thm 1; explicit bound: ours"),
    statement="commuting A_i, U_0 = alpha I, log(1/alpha^2) > 1: tr M_alpha - tr M* <= [sum l_i ln l_i + size/e] / "
    "(log(1/alpha^2) - 1), l the eigenvalues of the M* >= 0 of least nuclear norm",
    kind="inequality",
    hypotheses=(_symmetric, _commuting),
    extremal=COMMUTING,
    control=Control("measurements that do not commute", NOT_COMMUTING),
)
def commuting(it: Instance) -> Evidence:
    """Compare the excess of the nuclear norm with the bound as the start vanishes.

    Proof. In the common eigenvectors the flow is that of x = u^2, entry by entry, and ends where sum l_i (ln(l_i /
    alpha^2) - 1) is least over the interpolators l >= 0 (`closed_form`: ln(l/alpha^2) is in the row space). Compare
    with M*, whose diagonal in these eigenvectors is as good; x ln x >= -1/e.
    """
    solution, least = _least(it)
    l = np.linalg.eigvalsh(solution.x.reshape(_shape(it)))
    l = l[l > 1e-9 * l.max()]
    alphas = np.array([0.1, 1e-2, 1e-3, 1e-4])
    numerator = np.sum(l * np.log(l)) + _shape(it)[0] / np.e
    return inequality(_excess(it, alphas, least), numerator / (np.log(1 / alphas**2) - 1), scale=least, rounding=1e-8)


@lru_cache(maxsize=16)
def _programmes(it: Instance) -> tuple[float, float]:
    """Return the least trace over eigenvalues, by HiGHS, and the gap: the largest slack out of the support of M*."""
    A = _measurements(it)
    basis = np.linalg.eigh(np.tensordot(np.cos(np.arange(len(A))), A, 1))[1]
    spectra = np.einsum("ai,nab,bi->ni", basis, A, basis)
    n, size = spectra.shape
    primal = linprog(np.ones(size), A_eq=spectra, b_eq=it.problem.y, method="highs-ds")
    if primal.status != 0:
        raise ArithmeticError(f"HiGHS gave up on the least trace: {primal.message}")
    used = primal.x > 1e-9 * primal.x.max()
    inside, outside = spectra[:, used], spectra[:, ~used]
    widest = linprog(
        np.append(np.zeros(n), -1.0),
        A_ub=np.hstack([outside.T, np.ones((outside.shape[1], 1))]), b_ub=np.ones(outside.shape[1]),
        A_eq=np.hstack([inside.T, np.zeros((inside.shape[1], 1))]), b_eq=np.ones(inside.shape[1]),
        bounds=(None, None), method="highs-ds",
    )  # fmt: skip
    gap = -float(widest.fun) if widest.status == 0 else np.inf  # without bound: no slack is too wide
    return float(primal.fun), gap


_resolved = Hypothesis("gap between 0.05 and 1.2", lambda it: 0.05 <= _programmes(it)[1] <= 1.2)


@theorem(
    "networks.low_rank.rate",
    source=Citation("ours", "vanishing start, commuting measurements"),
    statement="commuting A_i, U_0 = alpha I: the excess of the nuclear norm falls like alpha^(2 gap), gap the largest "
    "slack that a dual solution leaves on all eigenvectors out of the support",
    kind="asymptotic",
    hypotheses=(_symmetric, _commuting, _resolved),
    constants={"power": 2.0},
    extremal=COMMUTING,
    control=Control("alpha^gap", COMMUTING[0], {"power": 1.0}),
)
def rate(it: Instance, power: float) -> Evidence:
    """Compare the fitted exponent with the one that two linear programmes on eigenvalues give.

    Proof, where M* is unique. l_i = alpha^(2 - 2 a_i's) where s is the dual divided by log(1/alpha^2); it tends to that
    dual solution whose smallest 1 - a_i's out of the support is largest, and the excess is sum (1 - a_i's) l_i. Gaps
    below 0.05 have not begun to matter at these alpha, and those above 1.2 are lost in rounding.
    """
    least, gap = _programmes(it)
    alphas = np.array([1e-2, 1e-3, 1e-4])
    return slope(alphas, _excess(it, alphas, least), expected=power * gap, errors=10 * _ACCURACY * least)


@theorem(
    "networks.low_rank.conjecture",
    source=Citation("G17", "conjecture", printed=True),
    statement="any A_i, U_0 = alpha I, alpha -> 0: if the limit interpolates, its nuclear norm is the least one",
    kind="asymptotic",
    hypotheses=(_symmetric,),
    extremal=(NOT_COMMUTING,),
    expected=Verdict.refuted,
    corrected=("networks.low_rank.commuting",),
    control=Control("the printed statement itself", NOT_COMMUTING),
)
def conjecture(it: Instance) -> Evidence:
    """Look whether the excess of the nuclear norm is small or still falling between alpha = 1e-3 and 1e-5.

    Li, Luo, Lyu (arXiv 2012.09839) refuted it: from a vanishing start the flow adds one rank after the other, and stops
    at the first rank that interpolates. The instance is ours: <A, vv'> = y for v = (1, 1, -2), of trace 6, while
    [[1, 2, -1], [2, 4, -2], [-1, -2, 15]]/5 interpolates too, is positive semidefinite and has trace 4.
    """
    _, least = _least(it)
    before, after = _excess(it, np.array([1e-3, 1e-5]), least) / least
    detail = f"nuclear norm {before:.2e} of the least above it at alpha = 1e-3, {after:.2e} at 1e-5"
    return Evidence(max(1e-3 - after, 0.9 * before - after), detail)
