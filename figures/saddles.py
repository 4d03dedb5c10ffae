"""As its scale vanishes, the flow of x = m*w rests at saddles and jumps from one to the next.

Expected: in time counted in units of log(1/b)/2 the flow from x0 = 0 (black, a line for each weight) approaches the
exact path of saddles (grey) as b falls; weights that enter may leave again, and the last point is the minimum-L1
interpolator. Right: the distance between the two, averaged over time, falls like 1/log(1/b), which is slow.
Pesme and Flammarion (arXiv 2304.00488), Algorithm 1. The targets are noisy: where they have an exactly
sparse fit the last weights to leave die out slowly, and log log(1/b) is seen besides.
"""

from typing import Any

import numpy as np
from matplotlib.figure import Figure

import linreg_mirror as lm
from figures import style, tables

_EXAMPLE = 7
_SHOWN = (20, 100, 1000)  # log(1/b) of the left panels


def cells(quick: bool) -> tables.Table:
    seeds, exponents = ([0, 1], [20, 1000]) if quick else (list(range(12)), np.geomspace(10, 10_000, 13).tolist())
    return [
        *tables.product(kind=["path"], seed=[_EXAMPLE], exponent=_SHOWN),
        *tables.product(kind=["distance"], seed=seeds, exponent=exponents),
    ]


def compute(cell: tables.Row) -> tables.Row:
    rng = np.random.default_rng(cell["seed"])
    problem = lm.problems.planted_sparse(n=5, d=10, nonzeros=3, noise=0.5, rng=rng)
    path = lm.saddles(problem)
    unit, end = cell["exponent"] / 2, 1.3 * path.times[-1]
    run = lm.flow(problem, lm.Hadamard.from_scale(log_b=-cell["exponent"], d=problem.d), until=end * unit)
    # The flow's own times, dense where it moves, and both sides of every jump.
    tau = np.unique(np.concatenate([run.t / unit, path.times, np.nextafter(path.times, 0)]))
    flow = np.transpose([np.interp(tau, run.t / unit, weight) for weight in run.x.T])
    saddle = path.at(tau)
    if cell["kind"] == "path":
        return {"tau": tau, "flow": flow, "saddle": saddle}
    off, size = (np.trapezoid(np.abs(x).sum(axis=1), tau) for x in (flow - saddle, saddle))
    return {"distance": off / size}


def draw(table: tables.Table) -> Figure:
    figure, ((*paths, distance),) = style.panels(2.5, columns=4, width_ratios=[1, 1, 1, 1.2])
    drawn = []
    for axis, row, letter in zip(paths, tables.select(table, kind="path"), "abc", strict=True):
        saddles = axis.plot(row["tau"], row["saddle"], **style.REFERENCE)
        flows = axis.plot(row["tau"], row["flow"], color="black", lw=0.9)
        drawn = [flows[0], saddles[0]]
        axis.set(title=f"({letter}) $b = e^{{-{row['exponent']}}}$", xlabel="time$\\,/\\,\\log\\sqrt{1/b}$")
        axis.sharey(paths[0])
        axis.tick_params(labelleft=axis is paths[0])
    paths[0].set_ylabel("weights $x_i$")
    rows = tables.select(table, kind="distance")
    seeds = list(dict.fromkeys(row["seed"] for row in rows))
    others = next((seed for seed in seeds if seed != _EXAMPLE), None)
    for seed in seeds:
        ladder = tables.select(rows, seed=seed)
        look: dict[str, Any] = {"color": style.COLOURS[3], "lw": 0.8, "label": "others" if seed == others else None}
        if seed == _EXAMPLE:
            look = {"color": "black", "zorder": 3, "label": "this problem"}
        exponents = np.array([row["exponent"] for row in ladder])
        distance.loglog(exponents, [row["distance"] for row in ladder], **look)
    distance.loglog(exponents, 1 / exponents, label="$1/\\log(1/b)$", **style.REFERENCE)
    distance.legend(loc="lower left", borderaxespad=0.2)
    figure.legend(drawn, ["flow", "path of saddles"], loc="outside lower left", ncols=2)
    distance.set(title="(d) distance", xlabel="$\\log(1/b)$", ylabel="distance, relative")
    return figure


def caption(table: tables.Table) -> str:
    rows = tables.select(table, kind="distance", exponent=max(row["exponent"] for row in table))
    constants = [row["distance"] * row["exponent"] for row in rows]
    return (
        "(a) to (c) Flow at scale b (black) and path of saddles (grey) of one problem, n = 5, d = 10. (d) Integral "
        "over time of their L1 distance, relative to that of the path's L1 norm, for "
        f"{len(rows)} problems (black: the one shown); grey: 1/log(1/b). Distance times log(1/b) at the smallest "
        f"scale: {min(constants):.2g} to {max(constants):.2g}."
    )
