"""How far is a masked linear model from the whole one, for all kinds of masks?

Expected: the error of k independent draws falls like 1/k and exceeds the signal, so that the sketch says nothing, until
k is a large share of d; draws without replacement and independent entries fall to 0 at k = d. Top-k is biased, and
still the best of all in most of these problems. Points, the mean over random masks made by the selections themselves,
lie on the lines.
Drineas, Kannan, Mahoney (SIAM J. Comput. 2006) for the draws; Bar and Giryes (arXiv 2305.17559) for masks as sketches.
"""

from functools import partial

import numpy as np
from matplotlib.figure import Figure
from sklearn.datasets import load_digits

import sketching
from figures import style, tables
from linreg_mirror import problems
from sketching import mask_moments, moments

_SCORES = "|X_i||w_i|"
_FEATURES = ("Gaussian", "digits", "diabetes, products")
_KINDS = {
    "k draws": (sketching.with_replacement, mask_moments.with_replacement, True),
    "Bernoulli": (sketching.bernoulli, mask_moments.bernoulli, True),
    "Gumbel top-k": (sketching.gumbel_top_k, mask_moments.gumbel_top_k, True),
    "Gumbel top-k, 0/1": (sketching.gumbel_top_k, mask_moments.gumbel_top_k, False),
    "top-k": (sketching.top_k, mask_moments.top_k, None),
}


def cells(quick: bool) -> tables.Table:
    shares = [0.1, 0.5] if quick else [0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97]
    return tables.product(
        features=list(_FEATURES),
        kind=list(_KINDS),
        share=shares,
        masks=[20 if quick else 2000],
    )


def compute(cell: tables.Row) -> tables.Row:
    X = _features(cell["features"])
    rng = np.random.default_rng([0, X.shape[1]])
    w = rng.standard_normal(X.shape[1])
    scores = sketching.scores.rms_snip(X, w)
    k = round(cell["share"] * X.shape[1])
    select, expected, rescale = _KINDS[cell["kind"]]
    if rescale is not None:
        select, expected = partial(select, rescale=rescale), partial(expected, rescale=rescale)
    error = moments.sketch_error(X, w, expected(scores, k))
    whole = X @ w
    sampled = [np.sum((X @ (w * select(scores, k, rng)) - whole) ** 2) for _ in range(cell["masks"])]
    return {
        "d": X.shape[1],
        "k": k,
        "exact": error.relative,
        "sampled": float(np.mean(sampled)) / error.signal,
        "standard_error": float(np.std(sampled)) / np.sqrt(cell["masks"]) / error.signal,
    }


def _features(name):
    if name == "Gaussian":
        return np.random.default_rng(0).standard_normal((30, 60))
    if name == "digits":
        pixels = load_digits().data / 16
        return pixels[:, pixels.any(axis=0)]
    return problems.diabetes(degree=2, rows=40, rng=np.random.default_rng(0)).X


def draw(table: tables.Table) -> Figure:
    figure, (panels,) = style.panels(2.6, columns=3, sharey=True)
    for panel, letter, features in zip(panels, "abc", _FEATURES, strict=True):
        rows = tables.select(table, features=features)
        panel.axhline(1, **style.REFERENCE)
        for number, kind in enumerate(_KINDS):
            line = tables.select(rows, kind=kind)
            share = [row["k"] / row["d"] for row in line]
            panel.plot(share, [row["exact"] for row in line], label=kind, **style.line(number))
            panel.plot(share, [row["sampled"] for row in line], **style.points(number, markersize=2.5))
        panel.set(
            title=f"({letter}) {features}, d = {rows[0]['d']}", xlabel="$k/d$", yscale="log", ylim=(1e-3, 1e2),
        )  # fmt: skip
    panels[0].set(ylabel="$E|X(w m) - Xw|^2 \\, / \\, |Xw|^2$")
    panels[0].legend(loc="lower left")
    return figure


def caption(table: tables.Table) -> str:
    # One draw without replacement has no variance, and top-k has no chance.
    sampled = [row for row in table if row["kind"] != "top-k" and np.isfinite(row["exact"])]
    misses = [abs(row["sampled"] - row["exact"]) / row["standard_error"] for row in sampled]
    draws = [row for row in tables.select(table, kind="k draws") if row["exact"] > 1]
    vacuous = {
        name: max((row["k"] / row["d"] for row in tables.select(draws, features=name)), default=0.0)
        for name in _FEATURES
    }
    return (
        f"Error of masks that keep k of d weights by the scores {_SCORES}, rescaled to be unbiased unless said "
        f"otherwise, for w ~ N(0, I). Lines: exact; points: mean over {table[0]['masks']} masks, at most "
        f"{max(misses):.1f} standard errors away. Above 1 (grey) to keep nothing is better: k draws stay there up to "
        "k/d = " + ", ".join(f"{share:.2g} ({name})" for name, share in vacuous.items()) + "."
    )
