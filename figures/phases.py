"""Panels of phase diagrams: shares over samples and nonzeros, and the transitions between none and all."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import norm

from figures import style, tables
from figures.transition import centre, fitted, volumes, width

Fits = dict[int, tuple[float, float]]


def phases(axis: Any, rows: tables.Table) -> Any:
    """Draw shares, where theory expects L1 to find a tenth, half and nine tenths, and where half is found."""
    d = rows[0]["d"]
    sizes = sorted({row["n"] for row in rows} | {row["nonzeros"] for row in rows})
    shares = np.zeros((len(sizes), len(sizes)))
    for row in rows:
        shares[sizes.index(row["nonzeros"]), sizes.index(row["n"])] = row["recovered"]
    at = np.array(sizes) / d
    image = axis.pcolormesh(at, at, shares, cmap="gray", vmin=0, vmax=1, shading="nearest")
    limits = axis.get_xlim(), axis.get_ylim()
    k = np.concatenate([np.geomspace(1e-4, 0.1, 50), np.linspace(0.1, 0.99, 60)])
    n, spread = np.array([(centre(share), width(share) / np.sqrt(d)) for share in k]).T
    for quantile, size in ((0.1, 0.7), (0.5, 1.3), (0.9, 0.7)):
        place = n + norm.ppf(quantile) * spread
        # Seen on black and on white.
        axis.plot(place, k, color="white", lw=2 * size)
        axis.plot(place, k, color=style.COLOURS[2], lw=size)
    found = np.array([(fit[0] / d, k / d) for k, fit in fits(rows).items()]).reshape(-1, 2)
    axis.plot(*found.T, "o", ms=2.5, color=style.COLOURS[1], mec="white", mew=0.4)
    axis.set(xlim=limits[0], ylim=limits[1], xticks=(0.2, 0.5, 0.8), yticks=(0.2, 0.5, 0.8))
    return image


def standardised(axis: Any, rows: tables.Table) -> None:
    """Draw shares against samples from the mean of intrinsic volumes, in their standard deviations."""
    for row in rows:
        middle, deviation = volumes(row["nonzeros"], row["d"])
        place = (row["n"] - middle) / deviation
        if abs(place) < 4:
            axis.plot(place, row["recovered"], "o", ms=2.5, color=style.COLOURS[0], alpha=0.6, mec="none")
    z = np.linspace(-4, 4, 200)
    axis.plot(z, norm.cdf(z), **style.REFERENCE)
    axis.set(xlabel="samples from the centre, in widths", ylabel="share recovered", yticks=(0, 0.5, 1))


def widths(axis: Any, cases: Mapping[str, tables.Table]) -> None:
    """Draw how wide transitions are, by the normal distributions that fit best, and what theory says of L1."""
    d, k = next(iter(cases.values()))[0]["d"], np.linspace(0.01, 0.99, 100)
    axis.plot(k, [np.sqrt(d) * width(share) for share in k], **style.REFERENCE)
    for number, (case, rows) in enumerate(cases.items()):
        found = fits(rows)
        look = {name: of[number % len(of)] for name, of in (("color", style.COLOURS), ("marker", style.MARKERS))}
        look |= {"mfc": "none"} if number >= len(style.COLOURS) else {}
        axis.plot([k / d for k in found], [fit[1] for fit in found.values()], ls="none", ms=3, label=case, **look)
    axis.set(xlabel="$k/d$", ylabel="width in samples", ylim=(0, None))
    axis.legend(fontsize="x-small", ncols=2)


def fits(rows: tables.Table) -> Fits:
    """Return centre and width in samples by number of nonzeros, where some share is above a half."""
    found: Fits = {}
    for k in sorted({row["nonzeros"] for row in rows}):
        # With as many samples as nonzeros none is found.
        n, recovered = np.array(
            [(k, 0.0), *sorted((row["n"], row["recovered"]) for row in tables.select(rows, nonzeros=k))]
        ).T
        if recovered.max() > 0.5:
            found[k] = fitted(n, recovered, rows[0]["trials"])
    return found
