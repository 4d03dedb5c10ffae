"""Depth D networks x = p^D - q^D from p_0 = q_0 = alpha: how fast the least L1 norm is approached as alpha falls."""

import numpy as np
import scipy.linalg

from linreg_mirror._types import Array
from linreg_mirror.ledger import Citation, Control, Evidence, Hypothesis, Instance, certified, slope, theorem
from linreg_mirror.ledger import hypotheses as h
from linreg_mirror.parametrizations import Power
from linreg_mirror.problems import Problem
from linreg_mirror.solvers import Solution
from linreg_mirror.solvers.limit import limit, minimum_l1
from linreg_mirror.theorems.flows.depth import PLAIN
from linreg_mirror.theorems.flows.depth_bounds import DEPTHS, solved_at


def _slack(it: Instance) -> float:
    """Return 1 - max|w_i| off the support of x1, for w = X's in the unit of its bound at a small scale of depth 4."""
    least = np.abs(certified(it.least_l1))
    network = Power.from_scale(3e-3 * least.max() ** 0.25, depth=4, d=it.problem.d)
    mirror = network.mirror()
    w = 2 * np.abs(mirror.initial_dual - it.problem.X.T @ limit(it.problem, network).dual)
    return 1 - float(w[least <= 1e-9 * least.max()].max(initial=0.0))


_strict = Hypothesis("x1 strictly complementary, by 0.025", lambda it: _slack(it) > 0.025)
# With one sample all columns are parallel, and a rival is but a copy. A feature off the support of x1 that costs little
# more than those on it takes its share at all scales down to that little: the ladder would have to begin below.
_RIVALLED = (*PLAIN, Hypothesis("two samples or more", lambda it: it.problem.n > 1), _strict)
# Where X's vanishes off the support, so does the factor of alpha^D.
_felt = Hypothesis("X's not below 0.1 all over off the support of x1", lambda it: _slack(it) < 0.9)


@theorem(
    "depth.rate",
    source=Citation("MS25", "depth 3 and more; of the excess: ours"),
    statement="x_0 = 0, a fixed problem whose x1 is strictly complementary, X's not 0 all over off its support, "
    "alpha -> 0: |x_alpha|_1 - |x1|_1 falls like alpha^D from depth 3 on",
    kind="asymptotic",
    hypotheses=(*PLAIN, h.underdetermined, _strict, _felt),
    constants={"depths": DEPTHS},
    control=Control("depth 2 falls like alpha^2", "dense/plain/0", {"depths": (2,)}),
)
def rate(it: Instance, depths: tuple[int, ...]) -> Evidence:
    """Fit the exponent over a ladder of scales.

    Proof, where x1 is strictly complementary: |w_i| < 1 off its support for the limit of the dual w = X's. There
    x_i = alpha^D [(1-w_i)^(-D/(D-2)) - (1+w_i)^(-D/(D-2))], so x_i / alpha^D converges; on the support signs are right
    in the end, and the excess is the sum of |x_i| - w_i x_i off the support, with w the limit. At depth 2 that x_i is
    about alpha^(2 - 2|w_i|): the exponent depends on the problem (regimes.l1.rate), and may be as small as one likes.

    The paper is about |x_alpha - x1|_1, which falls like alpha^D too: "linearly" there, where alpha is the scale of x.
    """
    least = np.abs(certified(it.least_l1))
    found = []
    for D in depths:
        # As close to 0 as rounding allows: there asymptotics have begun, if anywhere.
        start = least.max() ** (1 / D) * np.array([3e-4, 1e-4, 4e-5] if D == 3 else [2e-2, 7e-3, 3e-3])
        ladder, excess, errors = start, np.zeros(3), [0.0]
        for closer in (0.1, 0.3, 1.0, 3.0, 10.0):
            ladder = closer * start
            end = limit(it.problem, Power.from_scale(log_alpha=np.log(ladder[-1]), depth=D, d=it.problem.d))
            if np.abs(end.x).sum() - least.sum() <= 1e-13 * least.sum() and closer < 10.0:
                continue  # the least scale shows nothing yet
            certified(end)
            ends = [*(solved_at(it.problem, D, np.log(alpha)) for alpha in ladder[:-1]), end]
            excess = np.array([np.abs(end.x).sum() - least.sum() for end in ends])
            errors = [_bar(end) + _bar(it.least_l1) for end in ends]
            if excess.min() > 1e-13 * least.sum():
                break
        if max(excess) <= 1e-13 * least.sum():
            found.append(Evidence(0.0, "no excess at any scale"))
        else:
            found.append(slope(ladder, excess, expected=D, errors=errors))
    return min(found, key=lambda one: one.margin)


def _bar(solution: Solution) -> float:
    """Return what is proved of an answer's error; where nothing is, rounding."""
    rounding = float(np.finfo(float).eps) * float(np.abs(solution.x).sum())
    return solution.error if solution.error < np.inf else 4 * rounding


@theorem(
    "depth.rate.worst",
    source=Citation("ours", "vanishing scale at depth D"),
    statement="x_0 = 0, problems whose margin shrinks like alpha^(D-2): the excess falls like alpha^(D-2) only",
    kind="asymptotic",
    hypotheses=_RIVALLED,
    constants={"shrinking": 1.0},
    control=Control("a margin that stays", "dense/plain/0", {"shrinking": 0.0}),
)
def rate_worst(it: Instance, shrinking: float) -> Evidence:
    """Fit the exponent over a ladder of scales, each with a problem of its own.

    To X is added the column (1 + margin) y / |x1|_1: alone it fits y, more cheaply than x1 by a factor 1 + margin. The
    potential tells L1 norms apart only up to alpha^(D-2), as in depth.l1.bound; with a margin of that order a share of
    the weight stays on the old columns for ever, and costs its share of the margin.

    Proof. Let margin = c a^(D-2) and v be the weight on the new column. On the line between both interpolators x =
    (1 - v) x1 + v/(1 + margin) e the potential divided by its slope at large weights is |x|_1 - c' a^(D-2) sum
    |x_i|^(2/D) (1 + o(1)), whose minimum over v in [0, 1] does not depend on a in units of a^(D-2), and lies
    inside: the old columns keep 1 - v, at a cost of (1 - v) margin |x1|_1 in the norm. As x1 is the only interpolator
    of its norm, others than those on the line cost more by a margin that stays, and weights off it are O(a^D).
    """
    rival, found = _Rival(it), []
    margins = rival.representable(np.array([3e-5, 1e-5, 3e-6]) if shrinking else np.full(3, 0.1))
    closeness = margins if shrinking else np.array([3e-5, 1e-5, 3e-6])
    for D in DEPTHS:
        ladder = rival.norm ** (1 / D) * closeness ** (1 / (D - 2))
        excess, errors = rival.excess(D, np.log(ladder), margins)
        found.append(slope(ladder, excess, expected=D - 2, errors=errors))
    return min(found, key=lambda one: one.margin)


@theorem(
    "depth.rate.logarithmic",
    source=Citation("ours", "vanishing scale at depth 2"),
    statement="depth 2, x_0 = 0, problems whose margin shrinks like 1/log(1/b): the excess falls like 1/log(1/b) only",
    kind="asymptotic",
    hypotheses=_RIVALLED,
    constants={"shrinking": 1.0},
    control=Control("a margin that stays", "dense/plain/0", {"shrinking": 0.0}),
)
def rate_logarithmic(it: Instance, shrinking: float) -> Evidence:
    """Fit the exponent in log(1/alpha); see depth.rate.worst.

    At depth 2 the potential tells L1 norms apart only up to 1/log(1/b), b = 2 alpha^2 (see regimes.l1.bound).

    Proof. As there, with L = log(1/b) for a^(2-D): the potential is |x|_1 (L - 1) + sum |x_i| log 2|x_i| (1 +
    o(1)), and margin L fixed leaves a share of the weight on the old columns.
    """
    rival = _Rival(it)
    margins = rival.representable(1 / np.array([1e4, 3e4, 1e5]) if shrinking else np.full(3, 0.1))
    size = 1 / margins if shrinking else np.array([1e4, 3e4, 1e5])  # log(1/b) in units of the norm
    excess, errors = rival.excess(2, 0.5 * (np.log(rival.norm) - size), margins)
    return slope(size, excess, expected=-1.0, errors=errors)


class _Rival:
    """A problem to which a column is added that fits y alone, a factor 1 + margin more cheaply than x1.

    X and x are rounded so that y = Xx and the column are floats: else rounding would decide about the last weights. Of
    rows of X that depend on others nothing could be proved, so that they are left out.
    """

    def __init__(self, it: Instance) -> None:
        X, x = (np.ldexp(np.rint(np.ldexp(v / np.abs(v).max(), 12)), -12) for v in (it.problem.X, it.least_l1.x))
        R, order = scipy.linalg.qr(X.T, mode="r", pivoting=True)  # pyright: ignore[reportAssignmentType]
        sizes = np.abs(np.diag(R))
        X = X[np.sort(order[: len(sizes)][sizes > 1e-9 * sizes[0]])]
        self.X, self.y = X, X @ x
        # Rounding may have made another interpolator the one of least L1 norm.
        self.norm = float(np.abs(certified(minimum_l1(Problem(self.X, self.y)))).sum())

    def representable(self, margins: Array) -> Array:
        """Return margins near these whose columns are floats."""
        return np.ldexp(np.rint(np.ldexp((1 + margins) / self.norm, 25)), -25) * self.norm - 1

    def excess(self, depth: int, log_alphas: Array, margins: Array) -> tuple[Array, Array]:
        """Return excesses of the L1 norm, and bounds of their errors."""
        excess, errors = [], []
        for log_alpha, margin in zip(log_alphas, margins, strict=True):
            cheaper = np.ldexp(np.rint(np.ldexp((1 + margin) / self.norm, 25)), -25)
            # Excesses are of 1e-6 of the norm or more, but for a margin that stays.
            problem = Problem(np.column_stack([self.X, cheaper * self.y]), self.y)
            end = limit(problem, Power.from_scale(log_alpha=log_alpha, depth=depth, d=problem.d), tolerance=1e-7)
            if not end.error < np.inf:
                certified(end)
            excess.append(float(np.abs(end.x).sum()) - 1 / cheaper)
            errors.append(_bar(end))
        return np.array(excess), np.array(errors)
