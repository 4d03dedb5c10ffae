"""Which method trains the sparsest network, and what does the strength of its penalty have to do with it?

Expected: one-shot pruning of a dense network fails first. Of the others, those that have come far on the clock of the
penalty, A = sum of lr/(1 - momentum) alpha, can be pruned far: x = m*w that starts at m^2 - w^2 = beta has to bring its
scale b = beta/2 exp(-4A) below the weights it wants to keep, spred starts with b = 0, and L1 needs no scale.
Drawn from the stored results of `linreg-mirror compare`, in benchmarks/results.
"""

from matplotlib.figure import Figure

from figures import comparisons, style, tables

_CURVES = {"fashion_lenet": "LeNet-300-100", "fashion_resnet": "ResNet-8"}
_TUNING = "fashion_lenet_tuning"
_KEEP = 0.01


def cells(quick: bool) -> tables.Table:
    files = [(name, "curves") for name in _CURVES] + [(_TUNING, "clock")]
    return [{"file": name, "panel": panel, "sha256": comparisons.digest(name)} for name, panel in files]


def compute(cell: tables.Row) -> tables.Row:
    # Here, so that all other pictures can be drawn without torch.
    from linreg_mirror.networks.training import intervals

    rows = comparisons.rows(cell["file"])
    if cell["panel"] == "curves":
        wanted = ("label", "keep", "accuracy", "half", "runs")
        return {"rows": [{name: row[name] for name in wanted} for row in intervals(rows) if row["keep"] < 1]}
    wanted = ("method", "decay", "accuracy")
    return {"rows": [{name: row[name] for name in wanted} for row in rows if row["keep"] == _KEEP and row["accuracy"]]}


def draw(table: tables.Table) -> Figure:
    figure, (panels,) = style.panels(2.8, columns=3)
    methods = list(dict.fromkeys(row["label"] for row in table[1]["rows"]))
    for letter, panel, cell in zip("ab", panels, table, strict=False):
        for k, method in enumerate(methods):
            look = style.line(k, marker=style.MARKERS[k], label=method, capsize=1.5)
            comparisons.curve(panel, cell["rows"], method, **look)
        panel.set(
            title=f"({letter}) {_CURVES[cell['file']]}", xlabel="weights kept in %", ylabel="test accuracy in %",
            xscale="log",
        )  # fmt: skip
        comparisons.stretched(panel)
        comparisons.kept_axis(panel, cell["rows"])
    clock = panels[2]
    for k, method in enumerate(methods[1:], start=1):
        rows = [row for row in table[2]["rows"] if row["method"] == method]
        clock.plot([row["decay"] for row in rows], [100 * row["accuracy"] for row in rows], **style.points(k))
    clock.set(title=f"(c) LeNet-300-100, {100 * _KEEP:g} % kept", xlabel="A", ylabel="accuracy, held out, in %")
    clock.set(xscale="log")
    clock.minorticks_off()
    comparisons.stretched(clock)
    clock.set_xticks([0.25, 0.5, 1, 2, 4, 8, 16], ["", "0.5", "1", "2", "4", "8", "16"])
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(methods))
    return figure


def caption(table: tables.Table) -> str:
    seeds = max(row["runs"] for row in table[0]["rows"])
    least = {method: min(_far(table[2]["rows"], method), default=None) for method in ("spred", "PILoT")}
    reached = " and ".join(f"{decay:.2g} for {method}" for method, decay in least.items() if decay is not None)
    return (
        "Fashion-MNIST, magnitude pruning at the end, without fine-tuning; means and 95 % intervals over "
        f"{seeds} seeds. Accuracies on a scale that is logarithmic in what is missing to {comparisons.CEILING} %, "
        "where longer intervals end. "
        "(c) All settings that were tried, one seed each; of those within one point of the best, the "
        f"smallest A is {reached}."
    )


def _far(rows: tables.Table, method: str) -> list[float]:
    """Return A of all settings of a method that are within a point of the best of all."""
    best = max(row["accuracy"] for row in rows)
    return [row["decay"] for row in rows if row["method"] == method and row["accuracy"] > best - 0.01]
