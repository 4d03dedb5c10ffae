"""Should scores be sharpened or flattened before one samples by them?

Expected: with a = |X_i||w_i| the draws p ~ a^g and p ~ a^(2-g) have the same error, least at g = 1. Scores that are
squared (g = 2), as SNIP's often are, are exactly as bad as no scores at all (g = 0); beyond that sharper is worse than
uniform. With masks of exactly k entries the symmetry is gone, but the least error is still close to g = 1.
"""

from functools import partial

import numpy as np
from matplotlib.figure import Figure

import sketching
from figures import style, tables
from sketching import mask_moments, moments, temperature

_SPREADS = (0.5, 1.0, 1.5)  # standard deviations of log a
_MASKS = {
    "k draws": mask_moments.with_replacement,
    "Bernoulli": mask_moments.bernoulli,
    "Gumbel top-k": mask_moments.gumbel_top_k,
    "systematic": mask_moments.systematic,
}


def cells(quick: bool) -> tables.Table:
    lines = np.linspace(-0.5, 2.5, 7 if quick else 61).tolist()
    points = np.linspace(-0.5, 2.5, 7 if quick else 13).tolist()
    return [
        *tables.product(panel=["a"], spread=list(_SPREADS), power=lines),
        *tables.product(panel=["a, sampled"], spread=list(_SPREADS), power=points, masks=[20 if quick else 5000]),
        *tables.product(panel=["b"], kind=list(_MASKS), spread=[1.0], power=points if quick else lines[::2]),
    ]


def compute(cell: tables.Row) -> tables.Row:
    n, d, k = 40, 100, 25
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d))
    a = np.exp(cell["spread"] * rng.standard_normal(d))
    w = a * rng.choice([-1, 1], d) / np.linalg.norm(X, axis=0)
    scores = temperature.tempered(a, cell["power"])
    if cell["panel"] == "a":
        return {"excess": temperature.excess(a, scores)}
    if cell["panel"] == "b":
        error = moments.sketch_error(X, w, _MASKS[cell["kind"]](scores, k, rescale=True))
        return {"error": error.second_moment / moments.least_error(X, w, k), "k": k, "d": d}
    draw = partial(sketching.with_replacement, scores, k, rng, rescale=True)
    errors = [np.sum((X @ (w * draw()) - X @ w) ** 2) for _ in range(cell["masks"])]
    # Of the second moment of one draw, in which the signal is not subtracted.
    least = k * moments.least_error(X, w, k) + np.sum((X @ w) ** 2)
    return {"excess": (k * np.mean(errors) + np.sum((X @ w) ** 2)) / least}


def draw(table: tables.Table) -> Figure:
    figure, ((draws, others),) = style.panels(2.6, columns=2)
    for number, spread in enumerate(_SPREADS):
        line, points = (tables.select(table, panel=panel, spread=spread) for panel in ("a", "a, sampled"))
        label = f"log a ~ N(0, {spread:g}$^2$)"
        draws.plot([row["power"] for row in line], [row["excess"] for row in line], label=label, **style.line(number))
        draws.plot([row["power"] for row in points], [row["excess"] for row in points], **style.points(number))
    for number, kind in enumerate(_MASKS):
        rows = tables.select(table, panel="b", kind=kind)
        others.plot([row["power"] for row in rows], [row["error"] for row in rows], label=kind, **style.line(number))
    for panel in (draws, others):
        panel.axvline(1, **style.REFERENCE)
    draws.set(title="(a) k draws", xlabel="power $g$, scores $a^g$", ylabel="second moment / least one", yscale="log")
    others.set(
        title="(b) other masks", xlabel="power $g$, scores $a^g$", ylabel="error / least error of k draws", yscale="log"
    )
    for panel, ticks in ((draws, (1, 2, 5, 10, 20)), (others, (0.5, 1, 2, 5))):
        panel.minorticks_off()
        panel.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    draws.legend(loc="upper center")
    others.legend(loc="upper center")
    return figure


def caption(table: tables.Table) -> str:
    rows = tables.select(table, panel="b")
    best = {kind: min(tables.select(rows, kind=kind), key=lambda row: row["error"])["power"] for kind in _MASKS}
    pairs = {(row["spread"], round(row["power"], 6)): row["excess"] for row in tables.select(table, panel="a")}
    odd = max(abs(value / pairs[spread, round(2 - power, 6)] - 1) for (spread, power), value in pairs.items())
    return (
        "Scores a^g with a = |X_i||w_i|. (a) Lines: closed form; points: mean over "
        f"{tables.select(table, panel='a, sampled')[0]['masks']} masks. At g and 2 - g the lines differ by {odd:.0e}; "
        "far right, the masks that matter are too rare to be among those sampled. "
        f"(b) Exact errors of rescaled masks, k = {rows[0]['k']} of {rows[0]['d']}, log a ~ N(0, 1); least at g = "
        + ", ".join(f"{power:.2g} ({kind})" for kind, power in best.items())
        + "."
    )
