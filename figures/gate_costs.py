"""How accurate are networks of gated channels that cost the same, with independent gates and with generated ones?

Expected: level for as long as all hidden layers keep enough units. Where the penalty is too strong a layer closes, and
the network answers at random: such runs are counted, not drawn. Drawn from the stored results of
`linreg-mirror compare`, in benchmarks/results.
"""

from matplotlib.figure import Figure

from figures import comparisons, style, tables

_PANELS = {
    "gates_digits": ("MLP on digits", ("HC", "Dep-L0 forward", "Dep-L0 backward")),
    "fashion_lenet_gates": (
        "LeNet-300-100 on Fashion-MNIST",
        ("HC on channels", "Dep-L0 forward", "Dep-L0 backward"),
    ),
}
_TRAINED = 0.5  # what is right less often is a network with a closed layer


def cells(quick: bool) -> tables.Table:
    return [{"file": name, "sha256": comparisons.digest(name)} for name in _PANELS]


def compute(cell: tables.Row) -> tables.Row:
    wanted = ("method", "label", "seed", "accuracy", "left", "operations")
    rows = [row for row in comparisons.rows(cell["file"]) if row["keep"] == 1 and row["accuracy"] is not None]
    gated = [row for row in rows if row["method"] in _PANELS[cell["file"]][1]]
    return {
        "rows": [{name: row[name] for name in wanted} for row in gated if row["accuracy"] >= _TRAINED],
        "closed": {
            method: sum(row["accuracy"] < _TRAINED for row in gated if row["method"] == method)
            for method in _PANELS[cell["file"]][1]
        },
    }


def draw(table: tables.Table) -> Figure:
    figure, (panels,) = style.panels(2.9, columns=len(table), sharey=True)
    for letter, panel, cell in zip("ab", panels, table, strict=True):
        title, methods = _PANELS[cell["file"]]
        for k, method in enumerate(methods):
            rows = [row for row in cell["rows"] if row["method"] == method]
            for seed in sorted({row["seed"] for row in rows}):
                own = sorted((100 * row["operations"], 100 * row["accuracy"]) for row in rows if row["seed"] == seed)
                costs, accuracies = zip(*own, strict=True)
                panel.plot(costs, accuracies, **style.line(k, lw=0.5, alpha=0.6))
                name = method.removesuffix(" on channels") if seed == 0 else None
                panel.plot(costs, accuracies, **style.points(k, label=name))
        panel.set(title=f"({letter}) {title}", xlabel="operations left in %", xscale="log")
        ticks = [1, 2, 5, 10, 20, 50, 100]
        lowest, highest = panel.get_xlim()
        panel.minorticks_off()
        panel.set_xticks([tick for tick in ticks if lowest <= tick <= highest])
        panel.xaxis.set_major_formatter("{x:g}")
    panels[0].set(ylabel="test accuracy in %")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(table) + 1)
    return figure


def caption(table: tables.Table) -> str:
    said = []
    for cell in table:
        title, methods = _PANELS[cell["file"]]
        least = (
            min((row for row in cell["rows"] if _holds(row, cell["rows"], method)), key=lambda row: row["operations"])
            for method in methods
        )
        ends = ", ".join(
            f"{row['method']} {100 * row['operations']:.1f} %, {cell['closed'][row['method']]} closed" for row in least
        )
        said.append(f"{title}: {ends}")
    return (
        "Gates on hidden units, one point for each strength of the penalty and seed, a line for each seed; nothing is "
        f"pruned further. Cheapest network within two points of its method's best, and runs in which a layer has "
        f"closed, which are not drawn. {'; '.join(said)}."
    )


def _holds(row: tables.Row, rows: tables.Table, method: str) -> bool:
    best = max(other["accuracy"] for other in rows if other["method"] == method)
    return row["method"] == method and row["accuracy"] > best - 0.02
