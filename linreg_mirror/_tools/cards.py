"""Small HTML tables for notebooks, with a sparkline where there is something to see. They load nothing."""

import html
from collections.abc import Mapping

import numpy as np

from linreg_mirror._types import Array

_WIDTH, _HEIGHT, _POINTS, _CURVES = 120, 28, 200, 12


def card(title: str, rows: Mapping[str, object], spark: Array | None = None) -> str:
    """Return a small table.

    Parameters
    ----------
    title : str
        What it is.
    rows : mapping of str to object
        Names and what stands beside them.
    spark : array, shape (T,) or (T, k), optional
        Curves that are drawn small, side by side with nothing but each other.
    """
    cells = "".join(
        f'<tr><td style="text-align:left;opacity:.7">{html.escape(name)}</td>'
        f'<td style="text-align:left">{html.escape(str(value))}</td></tr>'
        for name, value in rows.items()
    )
    drawn = "" if spark is None else sparkline(spark)
    return f"<table><tr><th style='text-align:left' colspan=2>{html.escape(title)} {drawn}</th></tr>{cells}</table>"


def sparkline(curves: Array) -> str:
    """Return curves as a small SVG.

    Parameters
    ----------
    curves : array, shape (T,) or (T, k)
        Values at steps of equal width; of many curves those are drawn that end farthest from 0.
    """
    if len(curves) < 2:
        return ""
    curves = np.reshape(curves, (len(curves), -1)).astype(float)
    curves = curves[:, np.argsort(-np.abs(curves[-1]))[:_CURVES]]
    curves = curves[np.linspace(0, len(curves) - 1, min(_POINTS, len(curves))).astype(int)]
    if not np.isfinite(curves).all():
        return ""
    low, high = float(curves.min()), float(curves.max())
    y = 1 + (_HEIGHT - 2) * (high - curves) / ((high - low) or 1.0)
    x = np.linspace(1, _WIDTH - 1, len(curves))
    lines = "".join(
        '<polyline fill="none" stroke="currentColor" stroke-width="1" opacity=".7" points="'
        + " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, column, strict=True))
        + '"/>'
        for column in y.T
    )
    return f'<svg width="{_WIDTH}" height="{_HEIGHT}" style="vertical-align:middle">{lines}</svg>'
