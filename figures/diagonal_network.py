"""The diagonal-network experiment of Mask in the Mirror: which penalty on x = m*w finds the sparse truth?

Expected: a constant penalty stops at a LASSO bias of order alpha, however long it trains; none stays at the solution
that the random start dictates; a decaying one whose sum is large enough goes through the bias and ends at zero error
and least L1 norm (1/k^2 decays too soon, 1/k is still on its way). Among the baselines, all with the penalty of
0.95^k, plain x with an L1 penalty gets there as well; spred's balanced start keeps the signs it was born with, and a
penalty on m alone comes back from its bias to a dense solution.
Mask in the Mirror (arXiv 2408.09966), on its Theorems 2.2 and 2.3. The setting is the paper's (n = 40,
d = 100, 5 nonzeros, step 1e-4, batches of 5); what it leaves open is chosen here: nonzeros of random sign and size in
[1, 2], starts x0 ~ N(0, I) with m0^2 - w0^2 = 1, 3e5 steps, k counting blocks of 1000 steps (0.95^k per step would be
over before anything has moved), decaying penalties beginning at 10.
"""

import itertools
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure

import linreg_mirror as lm
from figures import style, tables

_BLOCK = 1000  # steps in which k grows by one
_FIRST = 10.0  # of decaying penalties
_SCHEDULES = {
    "constant 10": lm.schedules.Constant(10.0),
    "constant 1": lm.schedules.Constant(1.0),
    "constant 0.1": lm.schedules.Constant(0.1),
    "constant 0.01": lm.schedules.Constant(0.01),
    "$1/k$": lm.schedules.Harmonic(_FIRST, period=_BLOCK, clock="step"),
    "$1/k^2$": lm.schedules.Quadratic(_FIRST, period=_BLOCK, clock="step"),
    "$0.95^k$": lm.schedules.Geometric(_FIRST, 0.95, period=_BLOCK, clock="step"),
    "no penalty": lm.schedules.Constant(0.0),
}
_BASELINES = ("spred's start", "L1 on $m$ only", "L1 on $x$")
_ROWS = {
    "constant penalty": ["constant 10", "constant 1", "constant 0.1", "constant 0.01", "no penalty"],
    "decaying penalty": ["$0.95^k$", "$1/k$", "$1/k^2$", "no penalty"],
    "baselines": ["$0.95^k$", *_BASELINES],
}


class _PenaltyOnMask(lm.Hadamard):
    """x = m*w with penalty 2 |m|_1."""

    def penalty_gradient(self, theta):
        return np.concatenate([2 * np.sign(theta[: self.d]), np.zeros(self.d)])


@dataclass(frozen=True, eq=False)
class _PenaltyOnWeights(lm.Direct):
    """Plain x with penalty 2 |x|_1, whose minima are those of |m|^2 + |w|^2 on x = m*w."""

    def penalty_gradient(self, theta):
        return 2 * np.sign(theta)


def cells(quick: bool) -> tables.Table:
    return tables.product(
        method=[*_SCHEDULES, *_BASELINES],
        batch=[0, 5],
        init=list(range(2 if quick else 5)),
        step_size=[1e-4],
        steps=[500 if quick else 300_000],
    )


def compute(cell: tables.Row) -> tables.Row:
    problem = lm.problems.planted_sparse(n=40, d=100, nonzeros=5, rng=np.random.default_rng(0))
    rng = np.random.default_rng([1, cell["init"]])
    x0 = rng.standard_normal(problem.d)
    keep = np.unique(np.geomspace(1, cell["steps"], 120).astype(int))
    schedule = _SCHEDULES.get(cell["method"], _SCHEDULES["$0.95^k$"])
    run = lm.descent(
        problem, _network(cell["method"], x0), cell["step_size"], schedule, steps=cell["steps"], tolerance=0,
        batch_size=cell["batch"] or None, rng=rng, keep=keep,
    )  # fmt: skip
    least = np.abs(lm.minimum_l1(problem).x).sum()
    return {
        "k": run.step,
        "distance": np.linalg.norm(run.x - problem.truth, axis=1) / np.linalg.norm(problem.truth),
        "excess": np.abs(run.x).sum(axis=1) / least - 1,
        "loss": problem.value(run.x[-1]),
    }


def _network(method, x0):
    start = lm.Hadamard.at(x0, beta=1.0)
    return {
        "spred's start": lambda: lm.Hadamard.balanced(x0),
        # Any decay_on but "both" keeps the compiled steps, which know |m|^2 + |w|^2 only, away.
        "L1 on $m$ only": lambda: _PenaltyOnMask(start.m0, start.w0, decay_on="m"),
        "L1 on $x$": lambda: _PenaltyOnWeights(x0),
    }.get(method, lambda: start)()


def draw(table: tables.Table) -> Figure:
    figure, axes = style.panels(5.6, rows=3, columns=4, sharex=True)
    for row, (family, methods) in zip(axes, _ROWS.items(), strict=True):
        for axis, (quantity, batch) in zip(row, itertools.product(("distance", "excess"), (0, 5)), strict=True):
            for k, method in enumerate(methods):
                runs = tables.select(table, method=method, batch=batch)
                steps, values = runs[0]["k"], np.array([run[quantity] for run in runs])
                look = style.REFERENCE if method == "no penalty" else style.line(k)
                style.band(axis, steps, values.min(0), values.mean(0), values.max(0), label=method, **look)
            if quantity == "distance":
                axis.set(yscale="log", ylim=(1e-6, 10))
            else:
                axis.axhline(0, color="0.5", lw=0.5, zorder=0)
                axis.set_yscale("symlog", linthresh=1e-3)
                axis.set(ylim=(-1, 20), yticks=(-1, -0.1, -0.01, -0.001, 0, 0.001, 0.01, 0.1, 1, 10))
            axis.set(xscale="log", xlim=(10, steps[-1]))
            axis.tick_params(labelleft=batch == 0)
        row[0].set_ylabel("distance to the truth")
        row[2].set_ylabel("L1 excess")
        row[3].legend(title=family, loc="center left", bbox_to_anchor=(1, 0.5), alignment="left")
    for axis, batch in zip(axes[0], ("GD", "SGD", "GD", "SGD"), strict=True):
        axis.set_title(batch)
    for axis in axes[-1]:
        axis.set_xlabel("steps")
    return figure


def caption(table: tables.Table) -> str:
    runs = tables.select(table, batch=0)
    steps, inits = max(runs[0]["k"]), len({run["init"] for run in runs})
    ends = (
        f"{method.replace('$', '')} {np.mean([run['excess'][-1] for run in tables.select(runs, method=method)]):.1e}"
        for method in dict.fromkeys(run["method"] for run in runs)
    )
    return (
        "Mask in the Mirror's experiment: n = 40, d = 100, 5 nonzeros of random sign and size in [1, 2], step size "
        f"{runs[0]['step_size']:g}, {steps} steps; mean and range over {inits} starts x0 ~ N(0, I), m0^2 - w0^2 = 1, "
        "of |x - truth|_2 / |truth|_2 and |x|_1 / min|x|_1 - 1. SGD: batches of 5. Decaying penalties begin at "
        f"{_FIRST:g}, and k counts blocks of {_BLOCK} steps; baselines have the penalty 0.95^k. L1 excess at the end "
        f"of GD: {', '.join(ends)}."
    )
