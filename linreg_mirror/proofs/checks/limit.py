"""The check of a limit: a ball around x that holds it."""

from typing import Any

import numpy as np

from linreg_mirror.proofs._flint import require_flint
from linreg_mirror.proofs.checks.balls import (
    as_balls,
    as_exact,
    certain,
    combine,
    diagonal,
    enclosed,
    indices,
    invert,
    norm_of,
    product_bounds,
    require,
    text,
)  # fmt: skip


def check_limit(claim: dict[str, Any], X: np.ndarray, y: np.ndarray) -> None:
    """Check balls that hold the limit, by generalised self-concordance of the dual.

    A step h of the dual changes logarithms of the metric by at most 2 |X'h|.
    """
    flint, d = require_flint(), X.shape[1]
    rows, basis = indices(claim["rows"], len(y)), indices(claim["basis"], d)
    require(len(basis) == len(rows) == len(claim["dual"]), "basis, rows and dual must be as many")
    rest = np.setdiff1d(np.arange(len(y)), rows)
    if len(rest):  # these equations say nothing new
        same = combine(X, rows, basis, rest) * as_exact(y[rows, None]) == as_exact(y[rest, None])
        require(same, "Xx = y has no solution")
    log_b, z0 = (np.broadcast_to(np.asarray(claim[name], float), d) for name in ("log_scale", "initial_dual"))
    require(bool(np.isfinite(log_b).all() and np.isfinite(z0).all()), "scale and initial dual must be finite")
    A, s = as_balls(X[rows]), flint.arb_mat(len(rows), 1, [flint.arb(text(value)) for value in claim["dual"]])
    slopes = (A.transpose() * s).entries()
    exponents = [2 * (flint.arb(start) - slope) for start, slope in zip(z0.tolist(), slopes, strict=True)]
    b = [flint.arb(value).exp() for value in log_b.tolist()]
    q = flint.arb_mat(d, 1, [scale * e.sinh() for scale, e in zip(b, exponents, strict=True)])
    # The Hessian is at least that of the basis alone, C = diag(metric) in B C B', whose inverse is known: with
    # T = C^-1/2 B^-1, the gradient has the norm |T g|, and X_i'h is at most |T X_i| times the norm of h.
    roots = [(2 * b[j] * exponents[j].cosh()).sqrt() for j in basis.tolist()]
    T = diagonal([1 / root for root in roots]) * invert(X[np.ix_(rows, basis)])
    decrement = norm_of((T * (as_balls(y[rows, None]) - A * q)).entries())
    longest = float(product_bounds(X[rows], [flint.arb(1)] * len(rows)).max())  # of the columns, in L1 norm
    product = 2 * norm_of(T.entries()) * longest * decrement
    certain([1 - product], "the dual is too far from the one of the limit for a proof")
    moved = flint.arb(0, (-(1 - product).log()).abs_upper())  # a ball that holds 2 X_i'h
    enclosed([scale * (e + moved).sinh() for scale, e in zip(b, exponents, strict=True)], claim["x"], claim["error"])
