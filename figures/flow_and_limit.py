"""Which interpolator gradient flow on x = m*w finds depends on its initial scale b.

Expected: (a) for a large scale the one of minimum L2 norm, for a small scale the one of minimum L1 norm (basis
pursuit). The flow of m and w, integrated until it stands still (squares), ends at the limit that theory predicts; the
line solves for it without following any flow. (b) At a small scale the weights of the sparse truth (black) enter one
after the other, and the others (grey) stay near 0. All end at the limit (squares).
Woodworth et al. (arXiv 2002.09277), Theorem 1, on a planted problem with n = 40, d = 100 and 5 nonzeros.
"""

import numpy as np
from matplotlib.figure import Figure

import linreg_mirror as lm
from figures import style, tables

_PATH = -6.0  # log10 of the scale in (b)
_TIMES = (0.05, 10.0)  # of the path: before the first weight has moved, and when all are near their limits


def cells(quick: bool) -> tables.Table:
    limits = np.linspace(-12, 2, 8 if quick else 57).tolist()
    flows = [-6.0, 2.0] if quick else [-12.0, -9.0, -6.0, -4.0, -3.0, -2.0, -1.0, 0.0, 2.0]
    return [
        *tables.product(kind=["limit"], log10_b=limits),
        *tables.product(kind=["flow"], log10_b=flows),
        *tables.product(kind=["path"], log10_b=[_PATH]),
    ]


def compute(cell: tables.Row) -> tables.Row:
    problem = lm.problems.planted_sparse(n=40, d=100, nonzeros=5, rng=np.random.default_rng(0))
    network = lm.Hadamard.from_scale(b=10 ** cell["log10_b"], d=problem.d)
    if cell["kind"] == "limit":
        return {
            "l1": _l1(lm.limit(problem, network).x),
            "least_l1": _l1(lm.minimum_l1(problem).x),
            "least_l2": _l1(lm.minimum_l2(problem).x),
        }
    run = lm.flow(problem, network, method="parameters")
    if cell["kind"] == "flow":
        return {"l1": _l1(run.x[-1])}
    t = np.geomspace(*_TIMES, 120)
    x = [np.interp(t, run.t, weight) for weight in run.x.T]
    return {"t": t, "x": x, "limit": lm.limit(problem, network).x, "planted": problem.truth != 0}


def _l1(x):
    return float(np.abs(x).sum())


def draw(table: tables.Table) -> Figure:
    figure, ((scale, path),) = style.panels(2.6, columns=2)
    limits, flows = (tables.select(table, kind=kind) for kind in ("limit", "flow"))
    scale.axhline(limits[0]["least_l2"], **style.REFERENCE)
    scale.axhline(limits[0]["least_l1"], **style.REFERENCE)
    beside = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "top"}
    scale.annotate("minimum L2 norm", (0.02, limits[0]["least_l2"]), (0, -4), **beside)
    scale.annotate("basis pursuit: minimum L1 norm", (0.02, limits[0]["least_l1"]), (0, -4), **beside)
    for rows, look, label in (
        (limits, style.line(0), "limit by theory"),
        (flows, style.points(1), "flow, integrated to its end"),
    ):
        scale.plot([10 ** row["log10_b"] for row in rows], [row["l1"] for row in rows], label=label, **look)
    scale.set(
        title="(a) where the flow ends", xlabel="initial scale $b$", ylabel="$|x|_1$", xscale="log", ylim=(5.5, 15.5)
    )
    scale.legend(loc="center left")

    (row,) = tables.select(table, kind="path")
    planted = np.array(row["planted"])
    for weights, look in ((~planted, {"color": "0.7", "lw": 0.6}), (planted, {"color": "black"})):
        path.plot(row["t"], np.array(row["x"])[weights].T, **look)
        ends = np.array(row["limit"])[weights]
        path.plot(np.full(ends.shape, row["t"][-1]), ends, clip_on=False, **style.points(1, color=look["color"]))
    title = f"(b) on the way there, $b = 10^{{{row['log10_b']:g}}}$"
    path.set(title=title, xlabel="time", ylabel="weights $x_i$", xscale="log", xlim=_TIMES)
    return figure


def caption(table: tables.Table) -> str:
    limits, flows = (tables.select(table, kind=kind) for kind in ("limit", "flow"))
    apart = max(abs(flow["l1"] / at["l1"] - 1) for flow in flows for at in limits if at["log10_b"] == flow["log10_b"])
    l1, l2 = (limits[0][name] for name in ("least_l1", "least_l2"))
    return (
        "Gradient flow on x = m*w, started at x = 0 with scale b = (m^2 - w^2)/2, on sparse regression with n = 40, "
        "d = 100 and 5 nonzeros. (a) L1 norm at its end, integrated (squares) and as theory predicts it (line): at "
        f"most {apart:.0e} apart, relatively. Grey: the interpolators of minimum L2 norm ({l2:.4g}) and of minimum L1 "
        f"norm ({l1:.4g}, basis pursuit). (b) Weights along the flow: the 5 of the truth in black, all others in grey; "
        "squares are the limit."
    )
