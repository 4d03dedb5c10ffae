"""Depth D networks x = p^D - q^D: how far their limit may be from the least L1 norm."""

from functools import lru_cache
from typing import Any

import numpy as np

from linreg_mirror._types import Array
from linreg_mirror.ledger import (
    Citation,
    Control,
    Evidence,
    Instance,
    algebra,
    certified,
    inequality,
    theorem,
)
from linreg_mirror.parametrizations import Power
from linreg_mirror.problems import Problem
from linreg_mirror.solvers import Solution
from linreg_mirror.solvers.limit import limit
from linreg_mirror.theorems.flows.depth import PLAIN

DEPTHS = (3, 4)


@lru_cache(maxsize=1)
def _ladder(it: Instance) -> list[tuple[int, float, Array]]:
    """Return depths, scales alpha, and limits at these from x_0 = 0, from almost quadratic to almost L1."""
    size, found = float(np.abs(certified(it.least_l1)).max()), []
    for D in DEPTHS:
        for closeness in (1.0, 1e-1, 1e-2, 1e-3):
            alpha = size ** (1 / D) * closeness ** (1 / (D - 2))
            found.append((D, alpha, solved_at(it.problem, D, np.log(alpha)).x))
    return found


def solved_at(problem: Problem, depth: int, log_alpha: float) -> Solution:
    """Return the limit from p_0 = q_0 = exp(log_alpha), certified."""
    end = limit(problem, Power.from_scale(log_alpha=log_alpha, depth=depth, d=problem.d))
    certified(end)
    return end


@theorem(
    "depth.l1.bound",
    source=Citation("ours", "explicit form of W20 Thm 3"),
    statement="x_0 = 0, D >= 3: |x_alpha|_1 - |x1|_1 <= alpha^(D-2) sum |x_alpha,i|^(2/D), alpha = p_0 = q_0",
    kind="inequality",
    hypotheses=PLAIN,
    constants={"factor": 1.0},
    extremal=("special/many-copies",),
    control=Control("half the bound", "special/many-copies", {"factor": 0.5}),
)
def l1_bound(it: Instance, factor: float) -> Evidence:
    """Compare the excess of the L1 norm with the bound, on a ladder of scales.

    Proof. In the unit of its bound the dual is w = X's, |w_i| = 1 - e_i with e_i = (alpha/p_i)^(D-2) where x_i > 0, and
    p_i^D = x_i + q_i^D >= x_i: so e_i |x_i| <= alpha^(D-2) |x_i|^(2/D). As |X's| < 1, |x1|_1 >= <y, s> =
    <w, x_alpha> = |x_alpha|_1 - sum e_i |x_alpha,i|.
    """
    least = np.abs(certified(it.least_l1))
    left, right = [], []
    for D, alpha, x in _ladder(it):
        left.append(np.abs(x).sum() - least.sum())
        right.append(factor * alpha ** (D - 2) * np.sum(np.abs(x) ** (2 / D)))
    return inequality(left, right, scale=least.sum())


@algebra("depth.l1.bound", factor=0.5)
def l1_bound_derived(sp: Any, factor: float = 1) -> Any:
    """D = 3, one entry: e x = (alpha/p) x against alpha x^(2/3), with x = y^3 and p = y + s, as p^3 = x + q^3."""
    alpha, y, s = sp.symbols("alpha y s", positive=True)
    return (sp.nsimplify(factor) * alpha * y**2 - alpha / (y + s) * y**3, alpha * y**2 * s / (y + s))


@theorem(
    "depth.l1.bound.least",
    source=Citation("ours", "explicit form of W20 Thm 3"),
    statement="the same from N = |x1|_1 alone: excess <= h N^(2/D) / (1 - (2/D) h N^(2/D-1)), "
    "h = alpha^(D-2) d^(1-2/D)",
    kind="inequality",
    hypotheses=PLAIN,
    constants={"every_feature": True},
    extremal=("special/many-copies",),
    control=Control(
        "(D/2) alpha^(D-2) sum |x1_i|^(2/D): only features that x1 uses",
        "special/many-copies",
        {"every_feature": False},
    ),
)
def l1_bound_least(it: Instance, every_feature: bool) -> Evidence:
    """Compare the excess of the L1 norm with the bound where its denominator is positive.

    Proof. By Hölder, sum |x_i|^(2/D) <= d^(1-2/D) |x|_1^(2/D), so with depth.l1.bound the excess G has
    G <= h (N + G)^(2/D) <= h N^(2/D) (1 + (2/D) G/N). The number of features cannot be left out: of many equal columns
    each takes a small weight, for which the potential is far below the L1 norm, while x1 uses a single other one.
    """
    least = np.abs(certified(it.least_l1))
    N, d = least.sum(), it.problem.d
    left, right = [], []
    for D, alpha, x in _ladder(it):
        H = alpha ** (D - 2) * d ** (1 - 2 / D)
        room = 1 - 2 / D * H * N ** (2 / D - 1)
        if not every_feature:
            right.append(D / 2 * alpha ** (D - 2) * np.sum(least ** (2 / D)))
        elif room > 0:
            right.append(H * N ** (2 / D) / room)
        else:
            continue
        left.append(np.abs(x).sum() - N)
    return inequality(left, right, scale=N)
