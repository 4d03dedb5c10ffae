"""What does it cost to choose a mask without looking at the data?

Expected: sampling in proportion to |w| instead of |X_i||w_i| multiplies the second moment by 1 + CV^2, CV the variation
of the columns' lengths under weights |w|. Columns of equal length, isotropic data, cost nothing; the worst weights
reach (r + 1)^2/(4r), r the longest column over the shortest (Kantorovich), and typical ones stay far below.
"""

import numpy as np
from matplotlib.figure import Figure
from sklearn import datasets

from figures import style, tables
from sketching import temperature

_LENGTHS = {
    "two lengths, worst $w$": lambda d, r: np.where(np.arange(d) < d // 2, 1.0, r),
    "two lengths": lambda d, r: np.where(np.arange(d) < d // 2, 1.0, r),
    "log-uniform": lambda d, r: r ** np.linspace(0, 1, d),
    "one long column": lambda d, r: np.where(np.arange(d) < 1, r, 1.0),
}
_REAL = {"digits": datasets.load_digits, "breast cancer": datasets.load_breast_cancer, "wine": datasets.load_wine}


def cells(quick: bool) -> tables.Table:
    draws = 5 if quick else 200
    ratios = np.geomspace(1, 1e4, 4 if quick else 41).tolist()
    return [
        *tables.product(kind=list(_LENGTHS), ratio=ratios, draws=[draws]),
        *tables.product(kind=list(_REAL), ratio=[None], draws=[draws]),
    ]


def compute(cell: tables.Row) -> tables.Row:
    if cell["kind"] in _REAL:
        X = _REAL[cell["kind"]]().data  # in the units in which it was measured
        X = X[:, X.any(axis=0)]
    else:
        # Which way columns point plays no part.
        X = np.diag(_LENGTHS[cell["kind"]](100, cell["ratio"]))
    lengths = np.linalg.norm(X, axis=0)
    if cell["kind"].endswith("worst $w$"):
        weights = [1 / lengths]  # so that the short columns have as large a part in sum |X_i||w_i| as the long ones
    else:
        weights = list(np.random.default_rng(0).standard_normal((cell["draws"], X.shape[1])))
    found = [temperature.data_free(X, w) for w in weights]
    return {
        "excess": [one.excess for one in found],
        "cap": found[0].cap,
        "found_ratio": lengths.max() / lengths.min(),
        "d": X.shape[1],
    }


def draw(table: tables.Table) -> Figure:
    figure, ((synthetic, real),) = style.panels(2.6, columns=2)
    ratios = np.geomspace(1, 1e4, 200)
    synthetic.plot(ratios, (ratios + 1) ** 2 / (4 * ratios), label="cap", **style.REFERENCE)
    for number, kind in enumerate(_LENGTHS):
        rows = tables.select(table, kind=kind)
        quantiles = np.quantile([row["excess"] for row in rows], [0.1, 0.5, 0.9], axis=1)
        style.band(synthetic, [row["found_ratio"] for row in rows], *quantiles, label=kind, **style.line(number))
    synthetic.set(
        title="(a) columns of given lengths, d = 100", xlabel="longest / shortest column, r", xscale="log",
        ylabel="second moment / least one", yscale="log",
    )  # fmt: skip
    synthetic.legend(loc="upper left")
    for number, kind in enumerate(_REAL):
        (row,) = tables.select(table, kind=kind)
        excess = np.sort(row["excess"])
        real.plot(excess, (np.arange(len(excess)) + 0.5) / len(excess), label=kind, **style.line(number))
    real.set(
        title="(b) real features in their own units", xlabel="second moment / least one", xscale="log",
        ylabel="share of $w \\sim N(0, I)$ below", xlim=(1, 60), ylim=(0, 1), xticks=(1, 2, 5, 10, 20, 50),
    )  # fmt: skip
    real.minorticks_off()
    real.set_xticklabels(["1", "2", "5", "10", "20", "50"])
    real.legend(loc="center left", bbox_to_anchor=(0.15, 0.6))
    return figure


def caption(table: tables.Table) -> str:
    real = "; ".join(
        f"{kind} {np.median(row['excess']):.2g} (cap {row['cap']:.2g})"
        for kind in _REAL
        for row in tables.select(table, kind=kind)
    )
    two = tables.select(table, kind="two lengths")[-1]
    return (
        "Second moment of the error of k independent draws in proportion to |w|, without data, over the least one, for "
        f"any k. (a) Median and middle 80 % over {table[-1]['draws']} draws of w ~ N(0, I); grey: the cap, reached by "
        f"w_i ~ 1/|X_i|. (b) All draws; medians: {real}. Two lengths of ratio {two['found_ratio']:,.0f}: "
        f"{np.median(two['excess']):.2g} (cap {two['cap']:,.0f})."
    )
