"""What do steps of finite size do to the scale that decides about sparsity?

Each step multiplies b by |1 - eta^2 g^2|, so that b shrinks to b_inf = b_0 exp(-sum eta^2 g^2) to second order: lines,
with the sum taken as eta times an integral along the flow (for minibatches, of the mean square of their gradients).
Expected: (a), (b) points on the lines for small steps, below them towards instability; minibatches, whose gradients
are noisy, far below gradient descent. (c) All of it changes where training ends, and not only through b: long steps of
gradient descent also tilt the potential and end denser, those of SGD end sparser. Runs past the vertical lines, up to
which steps are stable at the start and at the flow's end, converge by going elsewhere.
Even, Pesme, Gunasekar, Flammarion (arXiv 2302.08982); b_inf is exact, from the log-products that `descent` keeps.
"""

import numpy as np
from matplotlib.figure import Figure

import linreg_mirror as lm
from figures import style, tables

_SCALE = 0.01  # b_0, from x0 = 0
_BATCHES = {0: "GD", 5: "SGD, batches of 5", 1: "SGD, batches of 1"}


def cells(quick: bool) -> tables.Table:
    # Closer together towards instability.
    all_steps = np.concatenate([np.geomspace(3e-5, 1.2e-3, 9), np.geomspace(1.6e-3, 4e-2, 17)])
    steps = np.geomspace(1e-3, 3e-2, 4) if quick else all_steps
    runs = [
        {"kind": "run", "batch": batch, "step_size": float(step), "seed": seed}
        for batch in _BATCHES
        for step in steps
        for seed in range((2 if quick else 5) if batch else 1)
    ]
    return [*tables.product(kind=["flow"], batch=list(_BATCHES)), *runs]


def compute(cell: tables.Row) -> tables.Row:
    problem = lm.problems.planted_sparse(n=20, d=60, nonzeros=3, rng=np.random.default_rng(0))
    network = lm.Hadamard.from_scale(_SCALE, d=problem.d)
    least = np.abs(lm.minimum_l1(problem).x).sum()
    batch = cell["batch"] or None
    if cell["kind"] == "flow":
        run = lm.flow(problem, network, accuracy=1e-10)
        squares = _mean_squares(problem, run.x, batch or problem.n).mean(axis=1)
        return {
            "shrinkage_per_step_size": np.trapezoid(squares, run.t),
            "largest_stable_step": lm.largest_stable_step(problem, network, batch_size=batch),
            "excess": np.abs(lm.limit(problem, network).x).sum() / least - 1,
        }
    rng = np.random.default_rng(cell["seed"])
    run = lm.descent(problem, network, cell["step_size"], steps=2_000_000, batch_size=batch, rng=rng, keep=[])
    if run.bias is None:
        return {"status": run.status.name}
    shrinkage = np.log(_SCALE) - run.implicit.log_scale.mean()
    return {
        "status": run.status.name,
        "shrinkage": shrinkage,
        "ratio": np.exp(-shrinkage),
        "excess": np.abs(run.x[-1]).sum() / least - 1,
    }


def _mean_squares(problem, x, batch):
    """Return E G_i^2 at each point of a path, shape (T, d), G the gradient estimated from a batch drawn at random."""
    n = problem.n
    of_samples = (x @ problem.X.T - problem.y)[:, :, None] * problem.X
    return of_samples.sum(axis=1) ** 2 + n * (n - batch) / batch * of_samples.var(axis=1, ddof=1)


def draw(table: tables.Table) -> Figure:
    figure, ((small, scale, excess),) = style.panels(2.6, columns=3, sharex=True)
    flows = tables.select(table, kind="flow")
    for k, (batch, name) in enumerate(_BATCHES.items()):
        (flow,) = tables.select(flows, batch=batch)
        runs = tables.select(table, kind="run", batch=batch, status="converged")
        steps = np.unique([run["step_size"] for run in runs])
        for axis, quantity in ((small, "shrinkage"), (scale, "ratio"), (excess, "excess")):
            values = [[run[quantity] for run in tables.select(runs, step_size=step)] for step in steps]
            ranges = np.array([(min(v), np.mean(v), max(v)) for v in values]).T
            style.band(axis, steps, *ranges, label=name, **style.points(k))
            axis.axvline(flow["largest_stable_step"], **style.line(k, lw=0.8))
        predicted = flow["shrinkage_per_step_size"] * steps
        small.plot(steps, predicted, **style.line(k))
        scale.plot(steps, np.exp(-predicted), **style.line(k))
    excess.axhline(flows[0]["excess"], **style.REFERENCE)
    small.set(title="(a)", xscale="log", yscale="log", ylabel="mean of $\\log(b_0 / b_\\infty)$")
    scale.set(title="(b)", ylabel="geometric mean of $b_\\infty / b_0$", ylim=(0, 1.02))
    excess.set(title="(c)", yscale="log", ylabel="L1 excess")
    for axis in (small, scale, excess):
        axis.set_xlabel("step size $\\eta$")
    figure.legend(*small.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def caption(table: tables.Table) -> str:
    flows = tables.select(table, kind="flow")
    stable = ", ".join(f"{row['largest_stable_step']:.2g} ({_BATCHES[row['batch']]})" for row in flows)
    runs = tables.select(table, kind="run")
    over = sum(run["status"] != "converged" for run in runs)
    return (
        f"Scale that training leaves behind, from b_0 = {_SCALE:g}, against the step size: points with the range over "
        "seeds, lines b_0 exp(-sum eta^2 g^2) with the sum taken along the flow, vertical lines the largest stable "
        f"step at the start and end of the flow: {stable}. L1 excess of the flow {flows[0]['excess']:.3g} (grey). "
        f"{over} of {len(runs)} runs did not converge and are left out."
    )
