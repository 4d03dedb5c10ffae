"""A mask is found by the initial weights: how good is it for the trained ones?

Expected: at the start no other probabilities sketch better. As training moves the weights, draws by the initial ones
lose against draws by the trained ones, and heavily, for a weight that began close to 0 is hardly ever drawn. A share of
uniform draws costs little at the start and bounds the loss. The bound by coverage, p >= c p*, promises nothing (more
error than signal) as soon as weights have moved by a hundredth, when the mask is still as good as at the start.
The idea of a mask from the start at the end is that of Bar and Giryes (arXiv 2305.17559); the bounds are proved here.
"""

import numpy as np
from matplotlib.figure import Figure

import linreg_mirror as lm
from figures import style, tables
from sketching import moments, training

_SHARES = (0.0, 0.1, 0.5)
_LINES = {
    "least": "least, draws by $w^*$",
    "error": "draws by $w_0$",
    "coverage": "bound, $p \\geq c\\,p^*$",
    "share_bound": "bound, $p \\geq \\rho/d$",
}


def cells(quick: bool) -> tables.Table:
    moves = np.geomspace(0.01, 10, 4 if quick else 25).tolist()
    return tables.product(move=moves, share=list(_SHARES), problems=[4 if quick else 100], keep=[0.9])


def compute(cell: tables.Row) -> tables.Row:
    found = [_relative(cell, seed) for seed in range(cell["problems"])]
    return {name: [one[name] for one in found] for name in found[0]}


def _relative(cell, seed):
    """Return error and bounds as shares of the signal."""
    n, d = 40, 100
    k = round(cell["keep"] * d)
    rng = np.random.default_rng(seed)
    problem = lm.problems.planted_sparse(n=n, d=d, nonzeros=10, rng=rng)
    w0 = rng.standard_normal(d)
    change = training.trained_from(problem.X, problem.y, w0) - w0
    # The same change times c is where training ends for targets c times as far from the initial outputs.
    w = w0 + change * (cell["move"] * np.linalg.norm(w0) / np.linalg.norm(change))
    found = training.after_training(problem.X, w0, w, k, share=cell["share"])
    signal = found.error.signal
    return {
        "error": found.error.relative,
        "coverage": found.coverage_bound / signal,
        "share_bound": found.share_bound / signal,
        "least": moments.least_error(problem.X, w, k) / signal,
    }


def draw(table: tables.Table) -> Figure:
    figure, (panels,) = style.panels(2.6, columns=len(_SHARES), sharey=True)
    for panel, letter, share in zip(panels, "abc", _SHARES, strict=True):
        rows = tables.select(table, share=share)
        move = [row["move"] for row in rows]
        panel.axhline(1, **style.REFERENCE)
        for number, (name, label) in enumerate(_LINES.items()):
            if not share and name == "share_bound":
                continue  # without a share there is none
            quantiles = np.quantile([row[name] for row in rows], [0.1, 0.5, 0.9], axis=1)
            style.band(panel, move, *quantiles, alpha=0.2, label=label, **style.line(number))
        panel.set(
            title=f"({letter}) uniform share $\\rho$ = {share:g}", xlabel="$|w^* - w_0| \\, / \\, |w_0|$",
            xscale="log", yscale="log", ylim=(0.1, 1e4),
        )  # fmt: skip
    panels[0].set(ylabel="$E|X(w^* m) - Xw^*|^2 \\, / \\, |Xw^*|^2$")
    panels[1].legend(loc="upper left")
    return figure


def caption(table: tables.Table) -> str:
    first, last = (tables.select(table, move=edge) for edge in (table[0]["move"], table[-1]["move"]))
    loss = ", ".join(
        f"{np.median(row['error']) / np.median(row['least']):.3g} (rho = {row['share']:g})" for row in last
    )
    cost = ", ".join(f"{np.median(row['error']) / np.median(row['least']):.3g}" for row in first)
    return (
        "Error of k = 0.9 d independent draws by |X_i||w0_i|, mixed with a share rho of uniform ones, on weights that "
        f"moved away; n = 40, d = 100, median and middle 80 % of {table[0]['problems']} problems; grey: the signal. "
        f"Median error over median least error: {cost} at the start, {loss} at the end."
    )
