"""The search for balls around a mirror limit: Newton's method on the dual with as many digits as are needed."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg

from linreg_mirror._types import Array
from linreg_mirror.mirrors import Hyperbolic, Potential
from linreg_mirror.problems import Problem
from linreg_mirror.proofs._flint import Indices, require_flint
from linreg_mirror.proofs._proof import Proof
from linreg_mirror.proofs._verify import verify
from linreg_mirror.proofs.checks.balls import ProofError, Undecided
from linreg_mirror.proofs.completion import independent_rows
from linreg_mirror.proofs.vertex import decimal, state
from linreg_mirror.solvers.limit._limit import continuation_path
from linreg_mirror.solvers.limit.dual_newton import DualNewton

_BITS = tuple(128 << k for k in range(9))  # to 32,768
_DIRECT = 4  # precisions that are tried from where float64 ended
_STEPS = 40  # of Newton's method at one scale and precision; three or four are usual
_HALVINGS = 40  # of steps in log b
_INDEPENDENT = 1e-8  # least sine between a column and those before it
_OFF_THE_BASIS = 1e3  # a column so much heavier than its share of the basis calls for another basis
_ON_THE_WAY = 1e-2  # accuracy of exponents at the scales before the last
_FLOAT64 = 25.0  # range of exp(weights) that a residual in float64 can tell from rounding


def search(
    problem: Problem, X: Array, s: Array, mirror: Hyperbolic, decay: float, head: dict[str, Any], digits: int
) -> Proof:
    """Return a proof of the limit, from the dual vector that `limit` found, or else by a continuation of its own.

    Residuals in float64 see no weights below 1e-16 of the largest, and leave the part of s that these depend on open;
    where the basis needs such weights, scales are followed down with more digits.

    Raises
    ------
    ProofError
        If the largest precision is not enough, or Xx = y has no solution.
    """
    rank = problem.rank
    rows = np.arange(problem.n) if rank == problem.n else independent_rows(X, rank)
    if rank < problem.n:  # on the chosen rows alone the same X's is another s
        s = np.linalg.lstsq(X[rows].T, X.T @ s)[0]
    reduced = Problem(X[rows], problem.y[rows]) if rank else problem
    end = _Scale.of(mirror, Potential(mirror.initial_dual, decay, 1.0, last=True))
    head = head | {
        "kind": "limit",
        "rows": rows.tolist(),
        "log_scale": _short(end.log_b),
        "initial_dual": _short(end.z0),
    }
    try:
        return _proved(problem, reduced, [end], s, head, digits, _BITS[:_DIRECT])
    except _TooFar as failure:
        reason = failure
    stages = list(continuation_path(DualNewton.of(reduced), mirror, decay, 1e-9))
    scales = [_Scale.of(mirror, stage.potential) for stage in stages]
    seen = [k for k, (stage, scale) in enumerate(zip(stages, scales, strict=True)) if scale.is_seen(reduced, -stage.nu)]
    if not seen or seen[-1] == len(stages) - 1:
        raise ProofError(f"nothing was proved: {reason}") from None
    start = seen[-1]
    try:
        return _proved(problem, reduced, scales[start:], -stages[start].nu, head, digits, _BITS)
    except _TooFar as failure:
        raise ProofError(f"nothing was proved: {failure}") from None


class _TooFar(Exception):
    """Newton's method did not arrive, or not with the digits that there are."""


@dataclass(frozen=True)
class _Scale:
    log_b: Array
    z0: Array
    growth: float

    @classmethod
    def of(cls, mirror: Hyperbolic, potential: Potential) -> "_Scale":
        shape = mirror.initial_dual.shape
        log_b = np.broadcast_to(np.asarray(mirror.log_scale_at(potential.A), float), shape)
        return cls(log_b, np.broadcast_to(np.asarray(potential.z0, float), shape), potential.growth)

    def halfway(self, other: "_Scale") -> "_Scale":
        return _Scale(0.5 * (self.log_b + other.log_b), 0.5 * (self.z0 + other.z0), other.growth**0.5)

    def log_metric(self, exponents: Array) -> Array:
        sizes = np.abs(exponents)
        return self.log_b + sizes + np.log1p(np.exp(-2 * sizes))

    def is_seen(self, problem: Problem, s: Array) -> bool:
        """Whether all weights that the basis needs are large enough to be seen in float64."""
        weights = self.log_metric(2 * (self.z0 - problem.X.T @ s))
        return float(np.ptp(weights[heaviest_basis(problem.X, weights)])) < _FLOAT64


def _proved(
    problem: Problem, reduced: Problem, scales: list[_Scale], s: Array, head: dict[str, Any], digits: int,
    precisions: tuple[int, ...],
) -> Proof:  # fmt: skip
    """Follow s through the scales, with more digits where they are missing; return the proof of the last."""
    flint = require_flint()
    dual, reason, k = [flint.arb(value) for value in s.tolist()], "", 0
    found, texts, before, at, earlier, halvings = None, [], None, dual, None, _HALVINGS
    for bits in precisions:
        with flint.ctx.workprec(bits):
            newton = _Newton(reduced.X, reduced.y)
            while k < len(scales) - 1:
                reached, arrived = newton.solved(scales[k], dual, _ON_THE_WAY, None)
                if arrived is None and newton.tired and k > 0 and halvings:
                    scales[k:k] = [scales[k - 1].halfway(scales[k])]  # dual vectors turn where the basis changes
                    halvings -= 1
                    dual, before = _predicted(scales, k - 1, at, earlier), at
                    continue
                dual = reached
                if arrived is None:
                    break
                at, earlier = dual, before
                dual, before = _predicted(scales, k, dual, before), dual
                k += 1
            else:
                dual, found = newton.solved(scales[-1], dual, 0.1 ** (digits + 1), digits)
                if found:
                    texts = [decimal(value, int(bits * 0.302) + 10) for value in dual]
        if not found:
            reason = f"{bits} bits do not lead to a dual vector that is close enough"
            continue
        values, errors = zip(*found, strict=True)
        content = head | {
            "basis": newton.basis.tolist(), "bits": bits, "dual": texts, "x": list(values), "error": list(errors)
        }  # fmt: skip
        try:
            return verify(Proof("limit", content), problem)
        except Undecided as error:
            reason = str(error)
        except ProofError as error:
            if len(head["rows"]) == problem.n:
                raise
            raise ProofError(
                f"nothing was proved: in float64 X has rank {len(head['rows'])}, exactly it has more ({error}): leave "
                f"out rows, {np.setdiff1d(np.arange(problem.n), head['rows']).tolist()[:5]} first"
            ) from None
    raise _TooFar(reason)


def _predicted(scales: list[_Scale], k: int, s: list[Any], before: list[Any] | None) -> list[Any]:
    """Return a guess at the next scale: in the end s is an affine function of log b."""
    if before is None or k == 0:
        return [(value * scales[k + 1].growth).mid() for value in s]
    last, now, then = (float(scale.log_b.min()) for scale in scales[k - 1 : k + 2])
    ratio = require_flint().arb((then - now) / (now - last))
    return [(value + ratio * (value - old)).mid() for value, old in zip(s, before, strict=True)]


def heaviest_basis(X: Array, weights: Array) -> Indices:
    """Return independent columns, each the heaviest of those that are not combinations of the ones before."""
    n = len(X)
    lengths = np.linalg.norm(X, axis=0)
    order = np.argsort(-np.where(lengths > 0, weights + np.log(np.where(lengths > 0, lengths, 1.0)), -np.inf))
    basis, frame = [], np.zeros((n, n))
    for j in order[lengths[order] > 0]:
        before = frame[:, : len(basis)]
        column = X[:, j] / lengths[j]
        for _ in range(2):
            column = column - before @ (before.T @ column)
        size = np.linalg.norm(column)
        if size > _INDEPENDENT:
            frame[:, len(basis)] = column / size
            basis.append(j)
            if len(basis) == n:
                break
    return np.array(basis, dtype=np.intp)


def _short(values: Array) -> float | list[float]:
    return float(values[0]) if (values == values[0]).all() else values.tolist()


class _Newton:
    """Newton's method at the precision of now.

    With C the metric on the basis B, and s = B^-T C^-1/2 t, the Hessian in t is I + TT', T = C^-1/2 B^-1 X_N D_N^1/2:
    float64 holds it however far metrics are apart, since the basis is the heaviest.
    """

    def __init__(self, X: Array, y: Array) -> None:
        flint, (self.n, self.d) = require_flint(), X.shape
        self.columns, self.exact = X, flint.arb_mat(*X.shape, X.ravel().tolist())
        self.transposed, self.y = self.exact.transpose(), flint.arb_mat(self.n, 1, y.tolist())
        self.longest = float(np.abs(X).sum(axis=0).max())
        self.basis = np.zeros(0, dtype=np.intp)

    def _rest(self, basis: Indices) -> None:
        """Take another basis."""
        if len(basis) < self.n:
            raise _TooFar("no basis of independent columns was found")
        flint, square = require_flint(), self.columns[:, basis]
        unit = flint.arb_mat(self.n, self.n, np.eye(self.n).ravel().tolist())
        self.basis, self.inverse = basis, flint.arb_mat(*square.shape, square.ravel().tolist()).solve(unit)
        self.combined = np.linalg.solve(square, self.columns)

    def solved(
        self, scale: _Scale, s: list[Any], accuracy: float, digits: int | None
    ) -> tuple[list[Any], list[tuple[str, str]] | None]:
        """Return s after Newton's method, and x with errors where digits are asked for; None if it did not arrive."""
        flint, n, d = require_flint(), self.n, self.d
        b, starts = [flint.arb(v).exp() for v in scale.log_b.tolist()], [flint.arb(v) for v in scale.z0.tolist()]
        best, self.tired = None, False
        for _ in range(_STEPS):
            slopes = (self.transposed * flint.arb_mat(n, 1, s)).entries()
            exponents = [2 * (start - slope) for start, slope in zip(starts, slopes, strict=True)]
            weights = scale.log_metric(np.array([float(e.mid()) for e in exponents]))
            T = self._scaled(weights)
            x = [size * e.sinh() for size, e in zip(b, exponents, strict=True)]
            roots = [(2 * b[j] * exponents[j].cosh()).sqrt() for j in self.basis.tolist()]
            gradient = (self.inverse * (self.y - self.exact * flint.arb_mat(d, 1, x))).entries()
            t = [value / root for value, root in zip(gradient, roots, strict=True)]
            norm = _norm(t)
            parts = (v / root for row, root in zip(self.inverse.table(), roots, strict=True) for v in row)
            moved = 2 * _norm(parts) * self.longest * norm  # of exponents, at most about twice as much
            if moved < accuracy:
                found = [] if digits is None else _written(b, exponents, x, moved, digits)
                if found is not None:
                    return s, found
            middle = norm.mid()
            if not middle > 0 or norm.rad() > middle / 4 or (best is not None and not middle < best):
                break  # as close as these digits lead
            best = middle if moved < 1 else None
            hessian = np.eye(n) + T @ T.T
            step = scipy.linalg.cho_solve(scipy.linalg.cho_factor(hessian), [float(v.mid() / middle) for v in t])
            turned = [middle * flint.arb(value) / root for value, root in zip(step.tolist(), roots, strict=True)]
            direction = self.inverse.transpose() * flint.arb_mat(n, 1, turned)
            change = max(abs(2 * value).mid() for value in (self.transposed * direction).entries())
            damping = (1 + change).log() / change if change > 0 else flint.arb(1)  # never too long a step
            s = [(value - damping * move).mid() for value, move in zip(s, direction.entries(), strict=True)]
        else:
            self.tired = True
        return s, None

    def _scaled(self, weights: Array) -> Array:
        """Return T, after a change of the basis where it is no longer about the heaviest."""
        for fresh in (not len(self.basis), True):
            if fresh:
                self._rest(heaviest_basis(self.columns, weights))
            off = np.ones(self.d, dtype=bool)
            off[self.basis] = False
            ratios = 0.5 * (weights[off] - weights[self.basis][:, None])
            # A column heavier than one of the basis is a combination of those before it: the rest is rounding.
            T = self.combined[:, off]
            T = np.where((np.abs(T) < 1e-9) & (ratios > 0), 0.0, T) * np.exp(np.minimum(ratios, 300.0))
            if np.abs(T).max(initial=0.0) < _OFF_THE_BASIS:
                break
        return T


def _written(b: list[Any], exponents: list[Any], x: list[Any], moved: Any, digits: int) -> list[tuple[str, str]] | None:
    """Return decimal values and errors; None where the balls are too wide for the digits."""
    flint = require_flint()
    ball, largest = flint.arb(0, (2 * moved).abs_upper()), max(abs(value).mid() for value in x)
    found = []
    for scale, e in zip(b, exponents, strict=True):
        one = state(scale * (e + ball).sinh(), digits, min(scale.mid(), largest))
        if one is None:
            return None
        found.append(one)
    return found


def _norm(entries: Any) -> Any:
    arb = require_flint().arb
    return arb.sqrt(sum((entry * entry for entry in entries), arb(0)))
