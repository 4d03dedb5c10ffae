"""How far from the least L1 norm one can be, given what is known."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from linreg_mirror._types import Array
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Instance,
    algebra,
    inequality,
    theorem,
)
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.ledger.hypotheses import ONCE
from linreg_mirror.solvers import error_bars


@theorem(
    "bars.sharpness",
    source=Citation("ours", "sharpness of minimum L1"),
    statement="Xp = y, p = 0 off S, X_S injective, |X's|_inf <= 1, |X_j's| <= 1 - delta off S, gap = |p|_1 - <y, s>: "
    "sum off S of |x_j| (1 - |X_j's|) <= gap and |p - x|_1 <= (1 + max off S of |X_S^+ X_j|_1) gap / delta, x an "
    "interpolator of least L1 norm",
    kind="inequality",
    hypotheses=(h.solvable, h.underdetermined, h.targets),
    constants={"back": 1.0},
    extremal=("special/long-column",),
    control=Control("without |X_S^+ X_j|_1", "special/long-column", {"back": 0.0}),
)
def sharpness(it: Instance, back: float) -> Evidence:
    """Compare vertices, optimal and not, with a solution of HiGHS, for dual vectors tight and slack.

    Proof. sum |x_j| (1 - |X_j's|) <= |x|_1 - <Xx, s> <= |p|_1 - <y, s>. Off S, then, |x|_1 <= gap / delta; and from
    X_S (p_S - x_S) = sum off S of X_j x_j, p_S - x_S is X_S^+ times that sum. With one sample and two columns, s = 0
    and p on the shorter one, all of this is equality but |p|_1 <= gap, where columns are about as long.
    """
    problem, (x, s, unsure) = it.problem, _least_l1(it)
    left, right = [], []
    for S in _bases(it, x):
        off = np.setdiff1d(np.arange(problem.d), S)
        inverse = np.linalg.pinv(problem.X[:, S])
        p = np.zeros(problem.d)
        p[S] = inverse @ problem.y
        K = float(np.abs(inverse @ problem.X[:, off]).sum(axis=0).max())
        for share in (0.0, 0.5, 0.9, 0.99):
            slack = 1 - share * np.abs(problem.X[:, off].T @ s)
            gap = float(np.abs(p).sum() - share * (problem.y @ s)) + unsure
            left += [float(np.abs(x[off]) @ slack), float(np.abs(p - x).sum())]
            right += [gap, (1 + back * K) * gap / float(slack.min())]
    return inequality(left, right, scale=float(np.abs(x).sum()) or 1.0)


@algebra("bars.sharpness", back=0)
def sharpness_derived(sp: Any, back: int = 1) -> Any:
    """One sample, x_S > 0 on and x_j off the support, X_S's = 1 - e, X_j's = +-t: |x|_1 - <y, s>, and |p - x|_1.

    With p = y/X_S and x_S = (y - X_j x_j)/X_S.
    """
    (on, off), (e, t) = sp.symbols("x_S x_j", positive=True), sp.symbols("e t", nonnegative=True)
    X_S, X_j, y, found = *sp.symbols("X_S X_j", positive=True), sp.Symbol("y", positive=True), []
    for sign in (1, -1):
        gap = on + off - on * (1 - e) - sign * t * off
        found.append((gap - off * (1 - t), on * e + (1 - sign) * t * off))
        away = sp.Abs(y / X_S - (y - sign * X_j * off) / X_S) + off
        found.append(away - (1 + back * X_j / X_S) * off)
    return found


@theorem(
    "twins.central_duals",
    source=Citation("ours", "HiGHS"),
    statement="s of central_duals, moved to X_i's = sign x_i on a support of fewer columns than samples: max |X_j's| "
    "off it is at most d^(1/p) times the least of all such s, p = 100, in the median of five random problems",
    kind="inequality",
    hypotheses=ONCE,
    constants={"central": True},
    control=Control("s of the least 2-norm of X_j's", "planted/plain/0", {"central": False}),
)
def central_duals(it: Instance, central: bool) -> Evidence:
    """Compare with the linear programme.

    Of s with the least p-norm off the support max |X_j's| is at most that norm, which is at most that of any other such
    s, and this at most d^(1/p) times the largest of its slopes. Least squares with weights do not always get to such
    large p: of some thousand problems one was 1.07 times the least.
    """
    rng, (n, d) = it.generator(), (6, 12)
    X, signs = rng.standard_normal((5, n, d)), np.where(np.arange(d) < 2, rng.choice([-1.0, 1.0], (5, d)), 0.0)
    shares = []
    for columns, sign, s in zip(X, signs, error_bars.central_duals(X, signs), strict=True):
        on, off = columns[:, :2].T, columns[:, 2:].T
        if not central:
            free = np.linalg.svd(on)[2][2:].T
            s = np.linalg.pinv(on) @ sign[:2]
            s = s - free @ np.linalg.lstsq(off @ free, off @ s)[0]
        s = s + np.linalg.pinv(on) @ (sign[:2] - on @ s)
        one = np.ones((d - 2, 1))
        least = linprog(
            np.append(np.zeros(n), 1), A_ub=np.block([[off, -one], [-off, -one]]), b_ub=np.zeros(2 * len(off)),
            A_eq=np.column_stack([on, np.zeros(2)]), b_eq=sign[:2], bounds=(None, None), method="highs",
        )  # fmt: skip
        shares.append(np.abs(off @ s).max() / least.fun)
    return inequality(np.median(shares), d ** (1 / 100), rounding=1e-12)


def _least_l1(it: Instance) -> tuple[Array, Array, float]:
    """Return a solution of HiGHS, a dual vector with |X's|_inf <= 1, and how far that norm may be from the least."""
    problem, solution = it.problem, it.least_l1
    # Moved to Xx = y; what the certificate would say of the norm is part of the answer.
    x = solution.x - np.linalg.pinv(problem.X) @ problem.residual(solution.x)
    s = solution.dual / max(1.0, float(np.abs(problem.X.T @ solution.dual).max()))
    return x, s, max(0.0, float(np.abs(x).sum() - problem.y @ s))


def _bases(it: Instance, x: Array) -> Iterator[NDArray[np.intp]]:
    """Yield supports of vertices: the support of x, and without one of its columns, filled up at random; and random."""
    problem, rng, used = it.problem, it.generator(), np.flatnonzero(np.abs(x) > 1e-9 * np.abs(x).max())
    for first in (used, *(used[used != j] for j in used[:4]), used[:0], used[:0]):
        rest = rng.permutation(np.setdiff1d(np.arange(problem.d), first))
        S: list[int] = []
        for j in map(int, [*first, *rest]):
            if len(S) < problem.rank and np.linalg.matrix_rank(problem.X[:, [*S, j]]) > len(S):
                S.append(j)
        yield np.array(S)
