"""The check of a vertex: x on a basis, and a dual vector that proves it optimal, unique or not."""

from typing import Any

import numpy as np

from linreg_mirror.proofs._flint import require_flint
from linreg_mirror.proofs.checks.balls import (
    OtherVerdict,
    as_balls,
    as_exact,
    certain,
    dot,
    enclosed,
    indices,
    invert,
    require,
    slope_bounds,
)  # fmt: skip


def check_vertex(claim: dict[str, Any], X: np.ndarray, y: np.ndarray) -> None:
    """Check that x, on a basis, is optimal by duality, and what is said of uniqueness.

    X_S x = y and X_S's = sign x with |X's| <= 1; x is unique if |X_j's| < 1 off S.
    """
    basis, rows = indices(claim["basis"], X.shape[1]), indices(claim["rows"], len(y))
    require(len(basis) == len(rows), "basis and rows must be as many")
    rest = np.setdiff1d(np.arange(len(y)), rows)
    square, below, signs = X[np.ix_(rows, basis)], X[np.ix_(rest, basis)], claim["signs"]
    require(len(signs) == len(basis) and all(sign in (-1, 1) for sign in signs), "signs must be -1 or 1, one a weight")
    inverse = invert(square)
    if len(rest):  # the other equations hold exactly, or not at all
        exact = as_exact(square).solve(as_exact(y[rows, None]))
        require(as_exact(below) * exact == as_exact(y[rest, None]), "Xx = y does not hold exactly on the basis")
        values = as_balls(exact).entries()
    else:
        values = (inverse * as_balls(y[rows, None])).entries()
    certain((sign * value for sign, value in zip(signs, values, strict=True)), "a weight does not have its sign")
    enclosed(values, claim["x"], claim["error"])
    enclosed([sum(abs(value) for value in values)], [claim["norm"]], [claim["norm_error"]])

    flint, dual = require_flint(), np.asarray(claim["dual"], float).reshape(len(rest))
    wanted = as_balls(np.array(signs, float)[:, None]) - as_balls(below.T) * as_balls(dual[:, None])
    s = dict(zip(rows.tolist(), (inverse.transpose() * wanted).entries(), strict=True))
    s |= {i: flint.arb(value) for i, value in zip(rest.tolist(), dual.tolist(), strict=True)}
    off = np.setdiff1d(np.arange(X.shape[1]), basis)
    tight = off[~(slope_bounds(X[:, off], [s[i] for i in range(len(y))]) < 1)]
    unique: bool | None = True
    tight = [j for j in tight.tolist() if not abs(dot(X[:, j], s)) < 1]
    require(not any(abs(dot(X[:, j], s)) > 1 for j in tight), "x is not optimal: some |X_j's| exceeds 1")
    if tight:  # only exact arithmetic can tell a tie
        matrix, goal = (
            as_exact(square.T),
            as_exact(np.array(signs, float)[:, None]) - as_exact(below.T) * as_exact(dual[:, None]),
        )
        head, tail = matrix.solve(goal).transpose(), as_exact(dual[None, :])
        slopes = (head * as_exact(X[np.ix_(rows, tight)]) + tail * as_exact(X[np.ix_(rest, tight)])).entries()
        require(all(abs(slope) <= 1 for slope in slopes), "x is not optimal: some |X_j's| exceeds 1")
        ties = [j for j, slope in zip(tight, slopes, strict=True) if abs(slope) == 1]
        # Weight can move from the basis to a tied column that is a combination of it, at no change of the norm.
        unique = None if ties else True
        for j in ties:
            if as_exact(below) * as_exact(square).solve(as_exact(X[rows, j, None])) == as_exact(X[rest, j, None]):
                unique = False
                break
    if claim["unique"] is not unique:
        raise OtherVerdict(unique, claim["unique"])
