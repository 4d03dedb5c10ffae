"""Where do the scores leave the weights of a network?

Expected: kept globally, every score but the random one leaves the first layers and the last one dense and thins out the
large ones between them. Top-k exaggerates what the scores say, until layers are lost; sampling by the same scores
spreads the weights more evenly. SynFlow in 100 rounds loses no layer, and whether it samples makes no difference there.
ResNet-20 (He et al., arXiv 1512.03385) at initialisation, on random inputs and residuals: no data is used.
"""

import numpy as np
from matplotlib.figure import Figure

from figures import style, tables

_SCORES = ("magnitude", "synflow", "snip", "grasp", "rms-snip", "jacobian-norm")
_SELECTIONS = ("top-k", "gumbel", "systematic", "bernoulli", "with-replacement")


def cells(quick: bool) -> tables.Table:
    return [
        {**cell, "rounds": 2 if quick and cell["score"] == "synflow" else None}
        for cell in tables.product(
            score=["random", *_SCORES],
            select=list(_SELECTIONS),
            keep=[0.02],
            model=["mlp" if quick else "resnet20"],
            examples=[2 if quick else 100],
            seeds=[1 if quick else 3],
        )
    ]


def compute(cell: tables.Row) -> tables.Row:
    # Here, so that all other pictures can be drawn without torch.
    import sketching
    from linreg_mirror.networks import models
    from linreg_mirror.networks.pruning import masking

    densities, effective, collapsed = [], [], []
    for seed in range(cell["seeds"]):
        model = models.create(cell["model"], seed=seed)
        of_batch, of_masks = np.random.default_rng(seed).spawn(2)
        batch = masking.random_batch(model, cell["examples"], of_batch)
        masks = masking.masks_at_initialization(
            model, batch, rng=of_masks, **{name: cell[name] for name in ("score", "select", "keep", "rounds")}
        )
        found = sketching.diagnosis(model, masks, inputs=batch.inputs)
        densities.append([layer.density for layer in found.layers])
        effective.append(found.effective / max(found.kept, 1))
        collapsed.append(len(found.collapsed))
    return {
        "layers": [layer.name for layer in found.layers],
        "sizes": [layer.weights for layer in found.layers],
        "density": np.median(densities, axis=0),
        "effective": np.median(effective),
        "collapsed": max(collapsed),
    }


def draw(table: tables.Table) -> Figure:
    figure, panels = style.panels(4.2, rows=2, columns=3, sharex=True, sharey=True)
    for number, (panel, score) in enumerate(zip(panels.flat, _SCORES, strict=True)):
        panel.axhline(table[0]["keep"], **style.REFERENCE)
        for k, select in enumerate(_SELECTIONS):
            (row,) = tables.select(table, score=score, select=select)
            layers = np.arange(1, len(row["density"]) + 1)
            # What is not kept at all has no place on a logarithmic axis: a mark below it.
            density = np.maximum(row["density"], 1e-4)
            panel.plot(layers, density, label=select, **style.line(k, marker=style.MARKERS[k], markersize=2))
        panel.set(title=f"({'abcdef'[number]}) {score}", yscale="log", ylim=(8e-5, 1.5))
    for panel in panels[1]:
        panel.set(xlabel="layer")
    for panel in panels[:, 0]:
        panel.set(ylabel="share of weights kept")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=len(_SELECTIONS))
    return figure


def caption(table: tables.Table) -> str:
    def lost(select):
        rows = (tables.select(table, score=score, select=select)[0] for score in ("random", *_SCORES))
        return ", ".join(f"{row['score']} {1 - row['effective']:.1%}" for row in rows)

    rounds = tables.select(table, score="synflow")[0]["rounds"] or 100
    return (
        f"Share of the weights of each layer that is kept; {table[0]['keep']:.0%} of all (grey) are, layers compete; "
        f"{table[0]['model']}, median of {table[0]['seeds']} initialisations, scores of {table[0]['examples']} random "
        f"inputs, SynFlow in {rounds} rounds (with replacement: 1), GraSP's negative scores sampled as 0. Kept weights "
        f"on no path from input to output, by top-k: {lost('top-k')}; by Gumbel top-k: {lost('gumbel')}. Layers lost "
        f"entirely: {max(row['collapsed'] for row in table)} at most; they are drawn at 1e-4."
    )
