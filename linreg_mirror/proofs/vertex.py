"""The search for a proof of minimum L1: bases in floating point, each handed to `verify` until one holds."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.linalg

from linreg_mirror._types import Array
from linreg_mirror.problems import Problem
from linreg_mirror.proofs._flint import Indices, require_flint
from linreg_mirror.proofs.completion import complement, complete, independent_rows, residual, separated, strict_dual
from linreg_mirror.solvers.limit import minimum_l1

_SUPPORT = 1e-9  # of the largest entry: what is smaller is not taken for a weight
_ROUNDS = 3  # of refinement
Claim = dict[str, Any]


def candidates(problem: Problem, X: Array, x: Array, s: Array | None) -> Iterator[Claim]:
    """Yield claims to try, without enclosures, the simplest and the most precise first."""
    y, n = problem.y, problem.n
    if not y.any():
        yield _claim([], [], np.zeros(n), np.zeros(0))
        return
    rank = problem.rank
    rows = np.arange(n) if rank == n else independent_rows(X, rank)
    yield from contradictions(problem, X)
    if rank < n:
        yield from _nearly_dependent(X, y, rows)
    basis = np.flatnonzero(x)
    if len(basis) == n:
        yield from _on(X, y, basis, None)
    support = np.flatnonzero(np.abs(x) > _SUPPORT * np.abs(x).max())
    if not 0 < len(support) <= rank or np.linalg.matrix_rank(X[:, support]) < len(support):
        support = support[:0]
    s = _dual(X, support, x, s)
    if len(support):
        yield from _on(X, y, support, s)
    for start in (support, support[:0]) if len(support) else (support,):
        whole = complete(X[rows], y[rows], start, s[rows] if len(start) else np.zeros(rank))
        if len(whole) > len(start):
            yield from _on(X, y, whole, None, rows)
    if rank == n:
        yield _bounds(X, support, s)


def _on(X: Array, y: Array, basis: Indices, s: Array | None, rows: Indices | None = None) -> Iterator[Claim]:
    """Yield claims that these columns carry the solution: with their dual vector, or those that there are."""
    k, n = len(basis), len(y)
    if k == n or (rows is not None and k == len(rows)):
        rows = np.arange(n) if rows is None else rows
        square = scipy.linalg.lu_factor(X[np.ix_(rows, basis)], check_finite=False)
        values = scipy.linalg.lu_solve(square, y[rows], check_finite=False)
        for _ in range(_ROUNDS):  # small weights have signs too
            left = residual(X[np.ix_(rows, basis)], y[rows], values)
            values = values + scipy.linalg.lu_solve(square, left, check_finite=False)
        yield _claim(basis, rows, np.zeros(n), values)
        return
    values = np.linalg.lstsq(X[:, basis], y)[0]
    rows = independent_rows(X[:, basis], k)
    if not _exactly(X[:, basis], y, rows):
        return
    if s is not None:
        yield _claim(basis, rows, s, values)
    s = strict_dual(X, basis, np.sign(values))
    if s is not None:
        yield _claim(basis, rows, s, values)


def _exactly(X: Array, y: Array, rows: Indices) -> bool:
    """Whether Xx = y has a solution, by rational arithmetic; `rows` are as many as columns, and independent."""
    A, b = _rational(X), _rational(y[:, None])
    try:
        x = _rational(X[rows]).solve(_rational(y[rows, None]))
    except ZeroDivisionError:
        return False
    return A * x == b


def _claim(basis: Any, rows: Any, s: Array, values: Array) -> Claim:
    return {
        "kind": "vertex",
        "basis": [int(j) for j in basis],
        "rows": [int(i) for i in rows],
        "signs": [-1 if value < 0 else 1 for value in values],
        "dual": np.delete(s, np.asarray(rows, dtype=np.intp)).tolist(),
        "unique": None,
    }


def _nearly_dependent(X: Array, y: Array, rows: Indices) -> Iterator[Claim]:
    """Yield the vertex where rows that float64 takes for combinations of others are none, exactly."""
    problem = Problem(*separated(X, y, rows))
    if problem.rank == len(y):
        x = minimum_l1(problem).x
        basis = np.flatnonzero(x)
        if len(basis) == len(y):
            yield _claim(basis, np.arange(len(y)), np.zeros(len(y)), x[basis])


def contradictions(problem: Problem, X: Array) -> Iterator[Claim]:
    """Yield the row whose target contradicts those of the others the most, if there are rows that say nothing new."""
    y, rank = problem.y, problem.rank
    if rank == problem.n:
        return
    rows = independent_rows(X, rank)
    columns = independent_rows(X[rows].T, rank)
    rest = np.setdiff1d(np.arange(len(y)), rows)
    missed = y[rest] - np.linalg.solve(X[np.ix_(rows, columns)].T, X[np.ix_(rest, columns)].T).T @ y[rows]
    row = int(rest[np.argmax(np.abs(missed))])
    yield {"kind": "inconsistent", "rows": rows.tolist(), "columns": columns.tolist(), "row": row}


def _dual(X: Array, support: Indices, x: Array, s: Array | None) -> Array:
    """Return the dual vector given, or the shortest, with X_S's = sign x up to rounding."""
    s = np.zeros(len(X)) if s is None else s
    if not len(support):
        return s
    return s + np.linalg.lstsq(X[:, support].T, np.sign(x[support]) - X[:, support].T @ s)[0]


def _bounds(X: Array, support: Indices, s: Array) -> Claim:
    """Return two bounds of the norm: from a basis that holds the support, and from the dual vector."""
    n, k = len(X), len(support)
    outside = complement(X[:, support])
    others = np.setdiff1d(np.arange(X.shape[1]), support)
    pivots = scipy.linalg.qr(outside.T @ X[:, others], mode="r", pivoting=True)[-1][: n - k]
    basis = np.concatenate([support, others[pivots]])
    return {"kind": "enclosure", "basis": basis.tolist(), "support": list(range(k)), "dual": s.tolist()}


def enclose(claim: Claim, X: Array, y: Array, digits: int) -> Claim | None:
    """Return the claim with its enclosures; None if the precision of now is too low for so many digits."""
    flint = require_flint()
    if claim["kind"] == "inconsistent":
        return claim
    basis, rows = claim["basis"], claim.get("rows", range(len(y)))
    square, target = X[np.ix_(rows, basis)], y[list(rows)]
    if len(rows) == len(y):
        values = _ball_matrix(square).solve(_ball_matrix(target[:, None])).entries()
    else:
        exact = _rational(square).solve(_rational(target[:, None]))
        values = [flint.arb(entry) for entry in exact.entries()]
    norm = sum((abs(value) for value in values), flint.arb(0))
    stated = [state(value, digits) for value in (*values, norm)]
    if any(one is None for one in stated):
        return None
    written = [one for one in stated if one is not None]
    claim = claim | {"x": [value for value, _ in written[:-1]], "error": [error for _, error in written[:-1]]}
    if claim["kind"] == "vertex":
        return claim | dict(zip(("norm", "norm_error"), written[-1], strict=True))
    return claim | _between(claim, X, y, values)


def _between(claim: Claim, X: Array, y: Array, values: list[Any]) -> Claim:
    """Return the bounds of the norm and of the distance, with some room for the balls of whoever checks them."""
    flint, support = require_flint(), claim["support"]
    s, basis = np.array(claim["dual"]), np.array(claim["basis"])
    slopes, off = np.abs(X.T @ s), np.setdiff1d(np.arange(X.shape[1]), basis[support])
    room = 1e-12
    excess = max(1.0, float(slopes.max()) * (1 + room) + room)
    products = (flint.arb(a) * flint.arb(b) for a, b in zip(y.tolist(), s.tolist(), strict=True))
    lower = sum(products, flint.arb(0)) / flint.arb(excess)
    upper = sum((abs(value) for value in values), flint.arb(0))
    lower, upper = lower - abs(lower) * room * 1e-3, upper + upper * room * 1e-3
    slack = 1 - slopes[off].max(initial=0.0) / excess - room
    distance = None
    if slack > 0:
        weights = np.abs(np.linalg.inv(X[:, basis])[support]).sum(axis=0)
        growth = float((np.abs(X[:, off]).T @ weights).max(initial=0.0)) * (1 + 1e-6)
        small = sum((abs(value) for i, value in enumerate(values) if i not in support), flint.arb(0))
        distance = decimal((1 + growth) * ((upper - lower) / slack + small) * 1.01, 3)
    return {"norm": [decimal(lower, 20), decimal(upper, 20)], "distance": distance}


def state(ball: Any, digits: int, size: Any = None) -> tuple[str, str] | None:
    """Return a decimal value and error that hold a ball, to so many digits of its value, or of `size` if larger."""
    flint = require_flint()
    text = decimal(ball, digits + 2)
    value = flint.arb(text)
    allowed = abs(value) if size is None or abs(value) > size else size
    error = decimal(allowed * flint.arb(10) ** -digits, 3)
    return (text, error) if 2 * abs(ball - value) <= flint.arb(error) else None


def decimal(ball: Any, digits: int) -> str:
    """Return the middle of a ball in so many decimal digits."""
    return ball.mid().str(digits, radius=False)


def _ball_matrix(matrix: Array) -> Any:
    return require_flint().arb_mat(*matrix.shape, matrix.ravel().tolist())


def _rational(matrix: Array) -> Any:
    flint = require_flint()
    return flint.fmpq_mat(*matrix.shape, [flint.fmpq(*entry.as_integer_ratio()) for entry in matrix.ravel().tolist()])
