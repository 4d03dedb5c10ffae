"""How does accuracy fall with sparsity, by every method of the package, on one network and one set of images?

Expected: penalties, products and gates, which choose weights while they train, keep their accuracy longest; masks that
are fixed at initialisation lose it gradually, those of GraSP and of draws sooner; cycles of pruning and training stay
level far longer than pruning once, and cost many times as much. Drawn from the stored results of
`linreg-mirror compare`, in benchmarks/results.
"""

from matplotlib.figure import Figure

from figures import comparisons, style, tables

_ONE_SHOT, _MASKS, _CYCLES = "fashion_lenet", "fashion_lenet_masks", "fashion_lenet_cycles"
_PANELS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("penalties and products", _ONE_SHOT, ("dense", "L1", "spred", "PILoT", "PILoT, mirror descent")),
    ("other ways in training", _ONE_SHOT, ("Powerpropagation", "STR", "CS", "HAM", "RigL")),
    ("gates", _ONE_SHOT, ("HC", "HC on channels", "Dep-L0 forward", "Dep-L0 backward")),
    ("SNIP", _MASKS, ("SNIP", "SNIP, drawn", "SNIP without data", "SNIP without data, drawn")),
    ("GraSP", _MASKS, ("GraSP", "GraSP, drawn", "GraSP without data", "GraSP without data, drawn")),
    ("masks that need no data", _MASKS, ("SynFlow", "SynFlow, drawn", "magnitude", "magnitude, drawn", "random")),
    *((f"cycles: {rewind}", _CYCLES, (f"{rewind}, dense", f"{rewind}, PILoT")) for rewind in ("IMP", "WR", "LRR")),
)
_REFERENCES = {"dense": "dense, pruned once", "PILoT": "PILoT, pruned once"}


def cells(quick: bool) -> tables.Table:
    return [{"file": name, "sha256": comparisons.digest(name)} for name in (_ONE_SHOT, _MASKS, _CYCLES)]


def compute(cell: tables.Row) -> tables.Row:
    # Here, so that all other pictures can be drawn without torch.
    from linreg_mirror.networks.training import intervals

    rows = comparisons.rows(cell["file"])
    wanted = ("label", "keep", "accuracy", "half", "runs")
    return {"rows": [{name: row[name] for name in wanted} for row in intervals(rows) if row["keep"] < 1]}


def draw(table: tables.Table) -> Figure:
    found = {cell["file"]: cell["rows"] for cell in table}
    short = {"Powerpropagation": "Powerprop"}  # so that no interval runs through the legend
    figure, grid = style.panels(7.0, rows=3, columns=3, sharex=True, sharey="row")
    for letter, panel, (title, file, labels) in zip("abcdefghi", grid.flat, _PANELS, strict=True):
        for k, (label, name) in enumerate(_REFERENCES.items()):
            shade = style.REFERENCE | {"lw": 2.0, "ls": style.DASHES[2 * k], "label": name if letter == "a" else None}
            comparisons.curve(panel, found[_ONE_SHOT], label, bars=False, **shade)
        for k, label in enumerate(labels):
            name = label.rpartition(", ")[2] if file == _CYCLES else short.get(label, label)
            look = style.line(k, marker=style.MARKERS[k], label=name, capsize=1.5)
            comparisons.curve(panel, found[file], label, **look)
        panel.set(title=f"({letter}) {title}", ylim=(82, 91) if file == _CYCLES else (0, 95), xscale="log")
        panel.legend(loc="lower left", handlelength=2.2, labelspacing=0.2)
    comparisons.kept_axis(grid[0, 0], found[_ONE_SHOT])
    for panel in grid[-1]:
        panel.set(xlabel="weights kept in %")
    for panel in grid[:, 0]:
        panel.set(ylabel="test accuracy in %")
    return figure


def caption(table: tables.Table) -> str:
    found = {cell["file"]: cell["rows"] for cell in table}
    seeds = max(row["runs"] for row in found[_ONE_SHOT])
    least = min(row["keep"] for row in found[_ONE_SHOT])
    best = {
        title: max(
            (row["accuracy"], row["label"]) for row in found[file] if row["label"] in labels and row["keep"] < 0.006
        )
        for title, file, labels in _PANELS
    }
    ends = "; ".join(f"{title}, {label} {100 * accuracy:.1f} %" for title, (accuracy, label) in best.items())
    return (
        "LeNet-300-100 on Fashion-MNIST, 15 epochs, pruned at the end, in (d) to (f) at the start; in (g) to (i) 25 "
        f"cycles of 3 epochs each, on another scale. Means and 95 % intervals over {seeds} seeds, without runs that "
        "diverged. Grey: dense training and PILoT, pruned once. Most accurate with about "
        f"{100 * least:g} % of the weights: {ends}."
    )
