"""The checks of what is left where no vertex is proved: bounds of the norm, or that Xx = y has no solution."""

from typing import Any

import numpy as np

from linreg_mirror.proofs._flint import require_flint
from linreg_mirror.proofs.checks.balls import (
    as_balls,
    as_exact,
    certain,
    certain_at_most,
    combine,
    dot,
    enclosed,
    indices,
    invert,
    product_bounds,
    require,
    slope_bounds,
    text,
)  # fmt: skip


def check_enclosure(claim: dict[str, Any], X: np.ndarray, y: np.ndarray) -> None:
    """Check bounds of the least norm, from a basis and a dual vector, and of the distance to x."""
    flint, (n, d) = require_flint(), X.shape
    basis, large = indices(claim["basis"], d), indices(claim["support"], n)  # places in the basis
    require(len(basis) == n, "the basis must have as many columns as there are rows")
    inverse = invert(X[:, basis])
    values = (inverse * as_balls(y[:, None])).entries()
    enclosed(values, claim["x"], claim["error"])
    dual = np.asarray(claim["dual"], float).reshape(n)
    s = [flint.arb(value) for value in dual.tolist()]
    off = np.setdiff1d(np.arange(d), basis[large])
    bounds = slope_bounds(X, s)
    excess = flint.arb(max(1.0, float(bounds.max())))
    lower, upper = dot(y, s) / excess, sum((abs(value) for value in values), flint.arb(0))
    certain_at_most(flint.arb(text(claim["norm"][0])), lower, "the lower bound of the norm is not proved")
    certain_at_most(upper, flint.arb(text(claim["norm"][1])), "the upper bound of the norm is not proved")
    if claim["distance"] is None:
        return
    slack = 1 - flint.arb(float(bounds[off].max(initial=0.0))) / excess
    certain([slack], "the distance is not proved: a column off the support is tight")
    # x off the support moves it by at most `growth` times as much, since its columns have a left inverse.
    weights = [sum((abs(inverse[i, k]) for i in large.tolist()), flint.arb(0)) for k in range(n)]
    growth = flint.arb(float(product_bounds(X[:, off], weights).max(initial=0.0)))
    small = sum((abs(value) for i, value in enumerate(values) if i not in large), flint.arb(0))
    distance = (1 + growth) * ((upper - lower) / slack + small)
    certain_at_most(distance, flint.arb(text(claim["distance"])), "the distance is not proved")


def check_inconsistent(claim: dict[str, Any], X: np.ndarray, y: np.ndarray) -> None:
    """Check that a row is a combination of others, and its target is not that of theirs."""
    rows, columns = indices(claim["rows"], len(y)), indices(claim["columns"], X.shape[1])
    (row,) = indices([claim["row"]], len(y))
    combination = combine(X, rows, columns, [row])
    require(combination * as_exact(y[rows, None]) != as_exact(y[[row], None]), "the target is the same combination too")
