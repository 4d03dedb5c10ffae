"""From columns that nearly reproduce y to a basis that does so exactly: the rest of y is a linear programme of its own.

Targets made from k < n weights are rounded, so that the k columns miss y by some 1e-16, and the vertex of least L1 norm
has n - k further weights of that size. No solver in float64 can tell these from rounding. But the part of y that is
missed is a vector like any other once it is known to many digits and scaled to size one.
"""

import numpy as np
import scipy

from linreg_mirror._types import Array
from linreg_mirror.proofs._flint import Indices, require_flint

_ROUNDS = 50  # of adding columns; five or six are usual
_FAR = 0.3  # columns with so much slack are dropped, and come back if they are needed
_BITS_OF_THE_REST = 512  # bits of the part of y that is missed


def complete(X: Array, y: Array, support: Indices, s: Array) -> Indices:
    """Return the support together with the columns that the least L1 norm needs beside it.

    Parameters
    ----------
    X : array, shape (n, d)
        Full row rank.
    y : array, shape (n,)
        Targets.
    support : array of int, shape (k,)
        Independent columns whose weights are much larger than what they leave of y; none is the whole programme.
    s : array, shape (n,)
        A dual vector, X_j's = sign x_j on the support up to rounding.

    Returns
    -------
    array of int
        Columns, n of them where the programme is not degenerate; the support alone if HiGHS gives up.
    """
    k = len(support)
    missed = residual(X[:, support], y, np.linalg.lstsq(X[:, support], y)[0] if k else np.zeros(0))
    outside = complement(X[:, support])
    others = np.setdiff1d(np.arange(X.shape[1]), support)
    target, columns, slopes = outside.T @ missed, outside.T @ X[:, others], X[:, others].T @ s
    if not target.any():
        return support
    target = target / np.abs(target).max()
    # A weight of sign + costs 1 - X_j's, one of sign - 1 + X_j's: few columns are cheap, and those come first.
    lengths = np.linalg.norm(columns, axis=0)
    cheap = np.argsort(np.where(lengths > 0, (1 - np.abs(slopes)) / np.where(lengths > 0, lengths, 1.0), np.inf))
    chosen, count = cheap[: 2 * len(target)], len(target)
    for _ in range(_ROUNDS):
        some = columns[:, chosen]
        answer = scipy.optimize.linprog(
            np.concatenate([1 - slopes[chosen], 1 + slopes[chosen]]),
            A_eq=np.hstack([some, -some]), b_eq=target, method="highs-ds",
            options={"primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9},
        )  # fmt: skip
        if answer.status not in (0, 2):
            return support
        if answer.status == 2:  # these do not span y yet
            if len(chosen) == len(others):
                return support
            chosen = cheap[: 2 * len(chosen)]
            continue
        weights = np.abs(answer.x[: len(chosen)] - answer.x[len(chosen) :])
        excess = np.abs(slopes + columns.T @ answer.eqlin.marginals) - 1
        worst = np.argsort(-excess)[:count]
        fresh = np.setdiff1d(worst[excess[worst] > 1e-8], chosen)
        if not len(fresh):
            return np.concatenate([support, others[chosen[weights > 0]]])
        chosen = np.concatenate([chosen[(weights > 0) | (excess[chosen] > -_FAR)], fresh])
    return support


def complement(columns: Array) -> Array:
    """Return an orthonormal basis of what is orthogonal to independent columns, shape (n, n - k)."""
    return np.linalg.qr(columns, mode="complete").Q[:, columns.shape[1] :]


def residual(X: Array, y: Array, x: Array) -> Array:
    """Return y - Xx, every digit of it right: computed with many digits and rounded once."""
    flint = require_flint()
    with flint.ctx.workprec(_BITS_OF_THE_REST):
        A, b = (flint.arb_mat(*matrix.shape, matrix.ravel().tolist()) for matrix in (X, x[:, None]))
        exact = flint.arb_mat(len(y), 1, y.tolist()) - A * b
        return np.array([float(entry.mid()) for entry in exact.entries()])


def separated(X: Array, y: Array, rows: Indices) -> tuple[Array, Array]:
    """Return an equivalent problem: rows that differ from combinations of `rows` by rounding are these differences.

    They come last, scaled and rounded once: what float64 takes for dependent is so no longer.
    """
    flint = require_flint()
    rest = np.setdiff1d(np.arange(len(y)), rows)
    weights = np.linalg.lstsq(X[rows].T, X[rest].T)[0].T
    both = np.column_stack([X, y])
    with flint.ctx.workprec(_BITS_OF_THE_REST):
        A, B, W = (flint.arb_mat(*part.shape, part.ravel().tolist()) for part in (both[rest], both[rows], weights))
        left = np.array([float(entry.mid()) for entry in (A - W * B).entries()]).reshape(len(rest), -1)
    size = np.abs(left[:, :-1]).max(axis=1, keepdims=True)
    left = left / np.where(size > 0, size, 1.0) * np.abs(X).max()
    together = np.vstack([both[rows], left])
    return together[:, :-1], together[:, -1]


def strict_dual(X: Array, basis: Indices, signs: Array) -> Array | None:
    """Return s with X_S's = signs that keeps |X_j's| off S as small as can be; None if HiGHS gives up."""
    n, d = X.shape
    off = X[:, np.setdiff1d(np.arange(d), basis)].T
    bound = -np.ones((len(off), 1))
    answer = scipy.optimize.linprog(
        np.append(np.zeros(n), 1.0),
        A_ub=np.block([[off, bound], [-off, bound]]), b_ub=np.zeros(2 * len(off)),
        A_eq=np.hstack([X[:, basis].T, np.zeros((len(basis), 1))]), b_eq=signs,
        bounds=[(None, None)] * n + [(0, None)], method="highs",
    )  # fmt: skip
    return None if answer.x is None else answer.x[:n]


def independent_rows(X: Array, count: int) -> Indices:
    """Return the numbers of `count` rows that are as independent as pivoting makes them, in order."""
    if not count:
        return np.zeros(0, dtype=np.intp)
    return np.sort(scipy.linalg.qr(X.T, mode="r", pivoting=True)[-1][:count]).astype(np.intp)
