"""What all pictures have in common: printed 7 inches wide, in the style of `linreg_mirror.plots`."""

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from linreg_mirror.plots.style import COLOURS, DASHES, MARKERS, RC, REFERENCE, band, line, points

__all__ = ["COLOURS", "DASHES", "MARKERS", "RC", "REFERENCE", "band", "line", "panels", "points", "save"]

WIDTH = 7.0  # inches, the text of a page with two columns


def panels(height: float, rows: int = 1, columns: int = 1, **more: Any) -> tuple[Figure, Any]:
    """Return an empty figure of full width and its axes, an array of shape (rows, columns)."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False, **more)


def save(figure: Figure, folder: Path, name: str, source: str) -> list[Path]:
    """Write NAME.pdf and NAME.png, the same bytes for the same picture; the PNG says what it was drawn from."""
    folder.mkdir(parents=True, exist_ok=True)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out once, for both files
    paths = [folder / f"{name}.pdf", folder / f"{name}.png"]
    for path, metadata in zip(paths, ({"CreationDate": None}, {"Software": None, "Source": source}), strict=True):
        figure.savefig(path, metadata=metadata)
    return paths
