"""How much L1 norm does a start of size alpha cost, for x = p^D - q^D of depth 2, 3 and 4?

Expected: left, on random sparse problems, each depth stays below its bound and depth 2 looks far better than its bound;
right, on the two-feature problem x_1 + (1 - e) x_2 = 1 with the e that is worst for each alpha, the bounds' rates are
seen to be right: 1/log(1/alpha) at depth 2, but alpha and alpha^2 at depth 3 and 4.
Bounds, x1 the minimum-L1 interpolator and N its norm: depth 2, with b = 2 alpha^2, [sum |x1_i| log(|x1_i| + b/2) + d/e
+ d b] / (log(2/b) - 1); depth D >= 3, h N^(2/D) / (1 - (2/D) h N^(2/D-1)) with h = alpha^(D-2) d^(1-2/D): theorems
regimes.l1.bound and depth.l1.bound.least. Woodworth et al. (arXiv 2002.09277) for the setting.
"""

import numpy as np
from matplotlib.figure import Figure

import linreg_mirror as lm
from figures import style, tables

_DEPTHS = (2, 3, 4)


def cells(quick: bool) -> tables.Table:
    scales = [np.linspace(-4, 0, 3 if quick else 25).tolist()]
    seeds = list(range(2 if quick else 20))
    return [
        *tables.product(kind=["sparse"], depth=_DEPTHS, seed=seeds, log10_scales=scales),
        *tables.product(kind=["worst"], depth=_DEPTHS, gaps=[3 if quick else 33], log10_scales=scales),
    ]


def compute(cell: tables.Row) -> tables.Row:
    scales, depth = 10.0 ** np.array(cell["log10_scales"]), cell["depth"]
    if cell["kind"] == "sparse":
        rng = np.random.default_rng(cell["seed"])
        problem = lm.problems.planted_sparse(n=20, d=60, nonzeros=6, rng=rng)
        excess, x1 = _excess(problem, scales, depth), lm.minimum_l1(problem).x
    else:
        gaps = np.geomspace(1e-8, 0.99, cell["gaps"])
        excess = np.max([_excess(lm.Problem([[1.0, 1 - gap]], [1.0]), scales, depth) for gap in gaps], axis=0)
        x1 = np.array([1.0, 0.0])
    return {"excess": excess, "bound": [_bound(x1, scale, depth) for scale in scales]}


def _excess(problem, scales, depth):
    """Return |x|_1 / min|x|_1 - 1 at the end of the flow from each scale, free of cancellation."""
    best = lm.minimum_l1(problem)
    ends = np.array([lm.limit(problem, lm.Power.from_scale(scale, depth=depth, d=problem.d)).x for scale in scales])
    # |X's| <= 1 and <X's, x> = min|x|_1 for every interpolator: each of these terms is >= 0.
    return (np.abs(ends) - ends * (problem.X.T @ best.dual)).sum(axis=1) / np.abs(best.x).sum()


def _bound(x1, scale, depth):
    size = np.abs(x1)
    if depth > 2:
        h = scale ** (depth - 2) * size.size ** (1 - 2 / depth) * size.sum() ** (2 / depth - 1)
        room = 1 - 2 / depth * h
        return h / room if room > 0 else np.inf
    b = 2 * scale**2
    if np.log(2 / b) <= 1:
        return np.inf
    terms = size * np.log(size + b / 2)
    return (terms.sum() + size.size * (1 / np.e + b)) / (np.log(2 / b) - 1) / size.sum()


def draw(table: tables.Table) -> Figure:
    figure, (axes,) = style.panels(2.7, columns=2, sharex=True, sharey=True)
    for axis, kind in zip(axes, ("sparse", "worst"), strict=True):
        for k, depth in enumerate(_DEPTHS):
            rows = tables.select(table, kind=kind, depth=depth)
            scales = 10.0 ** np.array(rows[0]["log10_scales"])
            excess, bound = (np.array([row[name] for row in rows]) for name in ("excess", "bound"))
            middle = np.median(excess, 0)
            style.band(axis, scales, excess.min(0), middle, excess.max(0), label=f"depth {depth}", **style.line(k))
            axis.plot(scales, bound.max(0), **style.points(k, markevery=3, linestyle="-", lw=0.5), label="its bound")
    axes[0].set(
        title="(a) random sparse problems", xlabel="size of the start, $\\alpha$", ylabel="L1 excess",
        xscale="log", yscale="log", ylim=(1e-13, 30),
    )  # fmt: skip
    axes[1].set(title="(b) the hardest problem with two features", xlabel="size of the start, $\\alpha$")
    axes[1].legend(loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def caption(table: tables.Table) -> str:
    tightest = []
    for depth in _DEPTHS:
        (row,) = tables.select(table, kind="worst", depth=depth)
        tightest.append(f"{max(np.divide(row['excess'], row['bound'])):.2f} at depth {depth}")
    problems = len(tables.select(table, kind="sparse", depth=2))
    return (
        f"L1 excess of the flow's end from a start of size alpha, with bounds. (a) {problems} random problems, n = 20, "
        "d = 60, 6 nonzeros: median and range, largest bound. (b) x_1 + (1 - e) x_2 = 1 with the worst e for each "
        f"alpha. Largest share of its bound that is reached in (b): {', '.join(tightest)}."
    )
