"""The search for balls around a mirror limit: Newton's method on the dual with as many digits as are needed."""

import math
from typing import Any

import numpy as np
import scipy.linalg

from linreg_mirror._types import Array
from linreg_mirror.problems import Problem
from linreg_mirror.proofs._flint import require_flint
from linreg_mirror.proofs._proof import Proof
from linreg_mirror.proofs._verify import ProofError, Undecided, verify
from linreg_mirror.proofs.completion import independent_rows
from linreg_mirror.proofs.vertex import state

_STEPS = 200  # of Newton's method at one precision; three or four are usual
_INDEPENDENT = 1e-8  # least sine between a column and those before it


def search(
    problem: Problem, X: Array, s: Array, log_b: Array, z0: Array, head: dict[str, Any], digits: int,
    precisions: tuple[int, ...],
) -> Proof:  # fmt: skip
    """Return a proof of the limit of scale b and initial dual z0, found from the dual vector of `limit`.

    Raises
    ------
    ProofError
        If the largest of the precisions is not enough, or Xx = y has no solution.
    """
    flint, y = require_flint(), problem.y
    rank = problem.rank
    rows = np.arange(problem.n) if rank == problem.n else independent_rows(X, rank)
    if rank < problem.n:  # on the chosen rows alone the same X's is another s
        s = np.linalg.lstsq(X[rows].T, X.T @ s)[0]
    exponents = 2 * (z0 - X.T @ s)
    weights = log_b + np.abs(exponents)  # logarithms of the metric
    basis = heaviest_basis(X[rows], weights)
    if len(basis) < rank:
        raise ProofError("nothing was proved: no basis of independent columns was found")
    log_b, z0 = np.broadcast_to(log_b, problem.d), np.broadcast_to(z0, problem.d)
    claim = head | {
        "kind": "limit", "rows": rows.tolist(), "basis": basis.tolist(), "log_scale": _short(log_b),
        "initial_dual": _short(z0),
    }  # fmt: skip
    # What the lightest weight of the basis changes in Xx must be seen beside what the heaviest does.
    least = 64 + 3.4 * digits + float(np.ptp(weights[basis])) / math.log(2)
    reason = f"{least:.0f} bits are needed, more than {precisions[-1]}"
    dual = [flint.arb(value) for value in s.tolist()]
    for bits in (bits for bits in precisions if bits >= least):
        with flint.ctx.workprec(bits):
            dual, x = _refined(X[rows], y[rows], basis, log_b, z0, dual, digits)
            texts = [value.str(int(bits * 0.302) + 10, radius=False) for value in dual]
        if x is None:
            reason = f"{bits} bits are too few"
            continue
        values, errors = zip(*x, strict=True)
        try:
            full = claim | {"bits": bits, "dual": texts, "x": list(values), "error": list(errors)}
            return verify(Proof("limit", full), problem)
        except Undecided as error:
            reason = str(error)
        except ProofError as error:
            raise ProofError(f"nothing was proved: {error}") from None
    raise ProofError(f"nothing was proved: {reason}")


def heaviest_basis(X: Array, weights: Array) -> Array:
    """Return independent columns, each the heaviest of those that are not combinations of the ones before."""
    n = len(X)
    lengths = np.linalg.norm(X, axis=0)
    order = np.argsort(-np.where(lengths > 0, weights + np.log(np.where(lengths > 0, lengths, 1.0)), -np.inf))
    order = order[lengths[order] > 0]
    basis, frame = [], np.zeros((n, 0))
    for j in order:
        column = X[:, j] / lengths[j]
        for _ in range(2):
            column = column - frame @ (frame.T @ column)
        size = np.linalg.norm(column)
        if size > _INDEPENDENT:
            basis.append(j)
            frame = np.column_stack([frame, column / size])
            if len(basis) == n:
                break
    return np.array(basis, dtype=np.intp)


def _short(values: Array) -> float | list[float]:
    return float(values[0]) if (values == values[0]).all() else values.tolist()


def _refined(
    X: Array, y: Array, basis: Array, log_b: Array, z0: Array, s: list[Any], digits: int
) -> tuple[list[Any], list[tuple[str, str]] | None]:
    """Return s after steps of Newton's method at the precision of now, and x with errors; None if it is too low.

    With C the metric on the basis B, and s = B^-T C^-1/2 t, the Hessian in t is I + TT', T = C^-1/2 B^-1 X_N D_N^1/2:
    float64 holds it however far metrics are apart, since the basis is the heaviest.
    """
    flint, (n, d) = require_flint(), X.shape
    A, target = flint.arb_mat(n, d, X.ravel().tolist()), flint.arb_mat(n, 1, y.tolist())
    transposed, square = A.transpose(), flint.arb_mat(n, n, X[:, basis].ravel().tolist())
    inverse = square.solve(flint.arb_mat(n, n, np.eye(n).ravel().tolist()))
    b, starts = [flint.arb(value).exp() for value in log_b.tolist()], [flint.arb(value) for value in z0.tolist()]
    combined = np.linalg.solve(X[:, basis], X)
    longest, wanted = float(np.abs(X).sum(axis=0).max()), flint.arb(10) ** -(digits + 1)
    best = None
    for _ in range(_STEPS):
        slopes = (transposed * flint.arb_mat(n, 1, s)).entries()
        exponents = [2 * (start - slope) for start, slope in zip(starts, slopes, strict=True)]
        x = [scale * e.sinh() for scale, e in zip(b, exponents, strict=True)]
        roots = [(2 * b[j] * exponents[j].cosh()).sqrt() for j in basis.tolist()]
        gradient = (inverse * (target - A * flint.arb_mat(d, 1, x))).entries()
        t = [value / root for value, root in zip(gradient, roots, strict=True)]
        size = sum((value * value for value in t), flint.arb(0)).sqrt()
        rows_of_T = inverse.table()
        # As in the check, which moves exponents by twice this at most.
        spread = sum((v * v / (r * r) for row, r in zip(rows_of_T, roots, strict=True) for v in row), flint.arb(0)).sqrt()
        moved = 2 * spread * longest * size
        if moved < wanted:
            ball = flint.arb(0, (2 * moved).abs_upper())
            largest = max((abs(value).mid() for value in x), default=flint.arb(0))
            stated = [
                state(scale * (e + ball).sinh(), digits, min(scale.mid(), largest))
                for scale, e in zip(b, exponents, strict=True)
            ]
            found = [one for one in stated if one is not None]
            if len(found) == d:
                return s, found
        middle = size.mid()
        if best is not None and not middle < best:
            break
        best = middle if not moved > 1 else None
        if not size.mid() > 0:
            break
        step = _newton(combined, basis, log_b, np.array([float(e.mid()) for e in exponents]), [v.mid() / middle for v in t])
        direction = inverse.transpose() * flint.arb_mat(
            n, 1, [middle * flint.arb(value) / root for value, root in zip(step.tolist(), roots, strict=True)]
        )
        change = max((abs(2 * value).mid() for value in (transposed * direction).entries()), default=flint.arb(0))
        damping = (1 + change).log() / change if change > 0 else flint.arb(1)  # decreases every self-concordant function
        s = [(value - damping * move).mid() for value, move in zip(s, direction.entries(), strict=True)]
    return s, None


def _newton(combined: Array, basis: Array, log_b: Array, exponents: Array, t: list[Any]) -> Array:
    """Return (I + TT')^-1 t in float64."""
    sizes = np.abs(exponents)
    weights = 0.5 * (log_b + sizes + np.log1p(np.exp(-2 * sizes)))  # logarithms of roots of the metric
    off = np.ones(len(weights), dtype=bool)
    off[basis] = False
    T = combined[:, off]
    ratios = weights[off] - weights[basis][:, None]
    # A column heavier than one of the basis is a combination of those before it: the rest is rounding.
    T = np.where((np.abs(T) < 1e-9) & (ratios > 0), 0.0, T) * np.exp(np.minimum(ratios, 300.0))
    hessian = np.eye(len(basis)) + T @ T.T
    return scipy.linalg.solve(hessian, np.array([float(value) for value in t]), assume_a="pos")
