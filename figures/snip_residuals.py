"""Is SNIP of one batch a good guide to what a mask must keep?

Expected: SNIP_i = |w_i||X_i'r| depends on the one residual r. Over residuals with E rr' = sigma^2 I its mean square is
sigma^2 |X_i|^2 w_i^2, the square of the optimal scores: sampling in proportion to the root mean square of ever more
residuals tends to the optimal sketch. In proportion to the mean square it tends to what uniform draws give, and one
single residual is far worse than either, as scores close to 0 are drawn hardly ever and then count for much.
"""

import numpy as np
from matplotlib.figure import Figure

from figures import style, tables
from sketching import mask_moments, moments, scores

_AVERAGES = {
    "root mean square": lambda snip: np.sqrt(np.mean(snip**2, axis=0)),
    "mean": lambda snip: np.mean(snip, axis=0),
    "mean square": lambda snip: np.mean(snip**2, axis=0),
}


def cells(quick: bool) -> tables.Table:
    residuals = [1, 4, 32] if quick else [1, 2, 3, 4, 6, 8, 12, 16, 32, 64, 128, 256, 512, 1024]
    return tables.product(average=list(_AVERAGES), residuals=residuals, draws=[10 if quick else 200])


def compute(cell: tables.Row) -> tables.Row:
    n, d, k = 40, 100, 50
    found = []
    for seed in range(cell["draws"]):
        rng = np.random.default_rng(seed)
        X, w = rng.standard_normal((n, d)), rng.standard_normal(d)
        # SNIP of the loss 1/2 |Xw - y|^2 with targets that make the residual what it is.
        snip = np.stack([scores.snip(X, w, X @ w - rng.standard_normal(n)) for _ in range(cell["residuals"])])
        least = moments.least_error(X, w, k)

        def error(by, X=X, w=w, least=least):
            return moments.sketch_error(X, w, mask_moments.with_replacement(by, k, rescale=True)).second_moment / least

        found.append((error(_AVERAGES[cell["average"]](snip)), error(np.ones(d)), error(np.abs(w))))
    error, uniform, magnitude = np.transpose(found)
    return {"error": error, "uniform": uniform, "magnitude": magnitude}


def draw(table: tables.Table) -> Figure:
    figure, ((axes,),) = style.panels(2.8)
    for number, average in enumerate(_AVERAGES):
        rows = tables.select(table, average=average)
        quantiles = np.quantile([row["error"] for row in rows], [0.1, 0.5, 0.9], axis=1)
        residuals = [row["residuals"] for row in rows]
        style.band(axes, residuals, *quantiles, alpha=0.2, label=f"SNIP, {average}", **style.line(number))
    for number, name in ((3, "uniform"), (4, "magnitude")):
        axes.axhline(np.median(table[0][name]), label=name, **style.line(number))
    axes.axhline(1, **style.REFERENCE)
    axes.set(
        xlabel="residuals over which scores are averaged", xscale="log", ylabel="error of k draws / least error",
        yscale="log",
    )  # fmt: skip
    axes.legend(loc="upper right")
    return figure


def caption(table: tables.Table) -> str:
    first, last = (
        {row["average"]: np.median(row["error"]) for row in tables.select(table, residuals=edge)}
        for edge in (table[0]["residuals"], table[-1]["residuals"])
    )
    return (
        "Exact error of draws by SNIP of residuals r ~ N(0, I), over the least error; n = 40, d = 100, Gaussian X and "
        f"w, median and middle 80 % of {table[0]['draws']} problems. One residual: {first['mean']:.3g} (squared: "
        f"{first['mean square']:.3g}); {table[-1]['residuals']}: {last['root mean square']:.3g} by the root mean "
        f"square, {last['mean']:.3g} by the mean, {last['mean square']:.3g} by the mean square; uniform draws "
        f"{np.median(table[0]['uniform']):.3g}, magnitude {np.median(table[0]['magnitude']):.3g}."
    )
