"""Which gates close, and when: independent ones, or those whose logits come from the layer before, or after?

Expected: independent logits fall at the pace of Adam in all layers alike, until the loss holds some of them. Generated
logits start less alike, as the weights of the generator are random, cannot go beyond log 100, and move together: in the
layers that are generated last by large steps, as each of many inputs moves them.
"""

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

from matplotlib.figure import Figure

from figures import style, tables

_METHODS = {
    "HC": {"name": "l0", "on": "channels", "lam": 1e-3, "gate_lr": 0.02, "finetune": 10},
    "Dep-L0, forward": {"name": "dep-l0", "direction": "forward", "lam": 3e-3, "gate_lr": 1e-3, "finetune": 10},
    "Dep-L0, backward": {"name": "dep-l0", "direction": "backward", "lam": 3e-3, "gate_lr": 1e-3, "finetune": 10},
}
_WIDTHS = (64, 128, 64, 32, 10)


def cells(quick: bool) -> tables.Table:
    return tables.product(method=list(_METHODS), seed=[0], epochs=[11 if quick else 60])


def compute(cell: tables.Row) -> tables.Row:
    # Here, so that all other pictures can be drawn without torch.
    from linreg_mirror.networks.recipes import Recipe
    from linreg_mirror.networks.training import train

    model = {"name": "mlp", "widths": list(_WIDTHS)}
    recipe = Recipe(model=model, method=_METHODS[cell["method"]], epochs=cell["epochs"], seed=cell["seed"])
    with TemporaryDirectory() as folder, warnings.catch_warnings():
        # In a short run no gate closes, and the method says so.
        warnings.simplefilter("ignore", UserWarning)
        history = train(recipe, folder=Path(folder)).history
    layers = list(history[0]["open"])
    return {
        "open": [[record["open"][layer] for record in history] for layer in layers],
        "accuracy": history[-1]["test_accuracy"],
    }


def draw(table: tables.Table) -> Figure:
    figure, (panels,) = style.panels(2.4, columns=len(table), sharex=True, sharey=True)
    for letter, panel, row in zip("abc", panels, table, strict=True):
        for k, (width, line) in enumerate(zip(_WIDTHS[1:-1], row["open"], strict=True)):
            panel.plot(range(1, len(line) + 1), line, label=f"layer {k + 1}, {width} units", **style.line(k))
        panel.set(title=f"({letter}) {row['method']}", xlabel="epoch", ylim=(0, 1.03))
    panels[0].set(ylabel="mean P(gate open)", yticks=[0, 0.5, 1])
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(_WIDTHS) - 2)
    return figure


def caption(table: tables.Table) -> str:
    ends = "; ".join(
        f"{row['method']} {', '.join(f'{line[-1]:.2f}' for line in row['open'])} (test accuracy {row['accuracy']:.1%})"
        for row in table
    )
    return (
        f"MLP on scikit-learn's digits, gates on hidden units, {table[0]['epochs']} epochs, of which the last ten with "
        f"frozen gates; one seed. At the end, from the first layer to the last: {ends}."
    )
