"""What does momentum do to the path, to the scale, and to the sparsity of the end?

Expected: (a) the path depends on step size gamma and momentum beta through lambda = gamma/(1-beta)^2 alone: lines and
points coincide, and overshoot as lambda grows. (b) The scale shrinks by exp(-lambda (1+beta)/2 int 2 g^2) while paths
do not oscillate: points lie on the line of their own beta, and lambda alone is right only as beta -> 1. (c) From a
random start more momentum ends sparser; from 0 it ends denser, as the tilt that it gives to the potential costs more
than the smaller scale gains.
Papazov, Pesme, Flammarion (arXiv 2403.05293) for the flow; b_inf is that of the discrete iteration, exact.
"""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import linreg_mirror as lm
from figures import style, tables

_SCALE = 0.01
_LAMBDAS = [0.01, 0.05, 0.25]
_BETAS = [0.0, 0.5, 0.9, 0.99]


def cells(quick: bool) -> tables.Table:
    # Shorter steps would take too long.
    lambdas, shortest = (np.geomspace(1e-3, 1e-2, 3), 1e-4) if quick else (np.geomspace(1e-4, 0.1, 16), 1e-7)
    scales = [_pair(lam, beta) for beta in _BETAS for lam in lambdas]
    memories, problems = ([1.0, 10.0], 2) if quick else (np.geomspace(1, 40, 13).tolist(), 20)
    return [
        {"kind": "flow"},
        *({"kind": "path", **_pair(lam, beta)} for lam in _LAMBDAS for beta in ((0.8, 0.9) if quick else (0.9, 0.99))),
        *({"kind": "scale", **pair} for pair in scales if pair["step_size"] >= shortest),
        *tables.product(
            kind=["end"],
            start=["0", "random"],
            momentum=[1 - 1 / memory for memory in memories],
            step_size=[1e-3],
            problems=[problems],
        ),
    ]


def _pair(lam, beta):
    """Return momentum with the step size that gives lambda."""
    return {"lambda": float(lam), "momentum": beta, "step_size": float(lam * (1 - beta) ** 2)}


def compute(cell: tables.Row) -> tables.Row:
    if cell["kind"] == "end":
        return {"excess": [_relative_excess(cell, number) for number in range(cell["problems"])]}
    problem, network = _problem(0), lm.Hadamard.from_scale(_SCALE, d=60)
    least = np.abs(lm.minimum_l1(problem).x).sum()
    if cell["kind"] == "flow":
        run = lm.flow(problem, network, accuracy=1e-10)
        squares = ((run.x @ problem.X.T - problem.y) @ problem.X) ** 2
        return {
            "time": run.t,
            "norm": np.abs(run.x).sum(axis=1) / least,
            "shrinkage_per_lambda": np.trapezoid(squares.mean(axis=1), run.t),
        }
    keep = np.unique(np.geomspace(1, 4e6, 400).astype(int))
    run = lm.descent(problem, network, cell["step_size"], momentum=cell["momentum"], steps=4_000_000, keep=keep)
    if run.bias is None:
        return {"status": run.status.name}
    result = {"status": run.status.name, "shrinkage": np.log(_SCALE) - run.implicit.log_scale.mean()}
    if cell["kind"] == "path":
        result |= {"time": run.t / (1 - cell["momentum"]), "norm": np.abs(run.x).sum(axis=1) / least}
    return result


def _problem(seed):
    return lm.problems.planted_sparse(n=20, d=60, nonzeros=3, rng=np.random.default_rng(seed))


def _relative_excess(cell, seed):
    """Return the L1 excess where training ends, divided by that of the flow."""
    problem = _problem(seed)
    x0 = 0.0 if cell["start"] == "0" else np.random.default_rng([1, seed]).standard_normal(problem.d)
    network = lm.Hadamard.from_scale(_SCALE, x0=x0, d=problem.d)
    run = lm.descent(problem, network, cell["step_size"], momentum=cell["momentum"], steps=400_000, keep=[])
    least = np.abs(lm.minimum_l1(problem).x).sum()
    if run.status is not lm.Status.converged:
        return np.nan
    return (np.abs(run.x[-1]).sum() - least) / (np.abs(lm.limit(problem, network).x).sum() - least)


def draw(table: tables.Table) -> Figure:
    figure, ((path, scale, end),) = style.panels(2.6, columns=3)
    (flow,) = tables.select(table, kind="flow")
    path.plot(flow["time"], flow["norm"], label="0 (flow)", **style.REFERENCE)
    for k, lam in enumerate(_LAMBDAS):
        line, points = tables.select(table, kind="path", **{"lambda": lam})
        path.plot(line["time"], line["norm"], label=f"{lam:g}", **style.line(k))
        path.plot(points["time"], points["norm"], **style.points(k, markevery=7))
    looks = (style.line(0, ls="-", color="0.4"), style.points(0, color="0.4", markerfacecolor="0.4"))
    kinds = [
        Line2D([], [], label=f"{name}: $\\beta = {row['momentum']:g}$", **look)
        for name, row, look in zip(("lines", "points"), tables.select(table, kind="path"), looks, strict=False)
    ]
    path.set(
        title="(a) path from 0", xlabel="time, $k\\gamma/(1-\\beta)$", ylabel="L1 norm / least L1 norm",
        xscale="log", xlim=(0.02, 10), ylim=(0, 2.3),
    )  # fmt: skip
    path.add_artist(path.legend(title="$\\lambda$", loc="lower right", borderaxespad=0.2))
    path.legend(handles=kinds, loc="upper left", borderaxespad=0.2)
    for k, beta in enumerate(_BETAS):
        runs = tables.select(table, kind="scale", momentum=beta, status="converged")
        lams = np.array([run["lambda"] for run in runs])
        scale.plot(lams, [run["shrinkage"] for run in runs], label=f"{beta:g}", **style.points(k))
        scale.plot(lams, (1 + beta) * flow["shrinkage_per_lambda"] * lams, **style.line(k))
    scale.set(
        title="(b) scale", xlabel="$\\lambda = \\gamma/(1-\\beta)^2$", ylabel="mean of $\\log(b_0 / b_\\infty)$",
        xscale="log", yscale="log",
    )  # fmt: skip
    scale.legend(title="$\\beta$", loc="upper left")
    for k, start in ((0, "0"), (2, "random")):
        runs = tables.select(table, kind="end", start=start)
        memory = [1 / (1 - run["momentum"]) for run in runs]
        quartiles = np.nanquantile([run["excess"] for run in runs], [0.25, 0.5, 0.75], axis=1)
        style.band(end, memory, *quartiles, label=start, **style.line(k))
    end.set(
        title="(c) end", xlabel="$\\beta$", ylabel="L1 excess / that of the flow", xscale="log", yscale="log",
        xticks=(1, 2, 5, 10, 20, 40), yticks=(0.25, 0.5, 1, 2, 4, 8),
    )  # fmt: skip
    end.minorticks_off()
    end.set_xticklabels([f"{1 - 1 / memory:g}" for memory in (1, 2, 5, 10, 20, 40)])
    end.set_yticklabels(["1/4", "1/2", "1", "2", "4", "8"])
    end.legend(title="start $x_0$", loc="upper left")
    return figure


def caption(table: tables.Table) -> str:
    line, points = (row["momentum"] for row in tables.select(table, kind="path")[:2])
    ends = tables.select(table, kind="end")
    last = {start: np.nanmedian(tables.select(ends, start=start)[-1]["excess"]) for start in ("0", "random")}
    return (
        f"Heavy ball from scale b_0 = {_SCALE:g}. (a) Lines beta = {line:g}, points beta = {points:g}, with the step "
        "size gamma that gives lambda = gamma/(1-beta)^2. (b) Points: runs; lines: lambda (1+beta)/2 times the "
        "integral of the mean of 2 g^2 along the flow. "
        f"(c) Median and quartiles over {ends[0]['problems']} problems, gamma = {ends[0]['step_size']:g}; at beta = "
        f"{ends[-1]['momentum']:.3g}: {last['0']:.2f} from 0, {last['random']:.2f} from x0 ~ N(0, I). "
        f"{sum(np.isnan(row['excess']).sum() for row in ends)} runs did not converge and are left out."
    )
