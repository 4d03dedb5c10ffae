"""The check of a proof. It uses nothing of the solvers or of the prover: only python-flint, NumPy and this page.

Balls of python-flint hold the exact result of every operation on the numbers they hold; a comparison of balls is true
only if it is true of all their numbers. Entries of X and y are taken as the rational numbers that floats are.
"""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from linreg_mirror.problems import Problem
from linreg_mirror.proofs._flint import require_flint
from linreg_mirror.proofs._proof import Proof

FORMAT, VERSION = "linreg-mirror proof", 1
_MOST_BITS = 1 << 17
_TINY = 1e-290  # more than underflow can take from sums of fewer than 10^15 products


class ProofError(ValueError):
    """A proof does not hold; the message says what fails."""


class Undecided(ProofError):
    """The balls are too wide to tell: the claim may be true, and more bits would say so."""


class OtherVerdict(ProofError):
    """All holds but what is said of uniqueness."""

    def __init__(self, found: bool | None, claimed: Any) -> None:
        super().__init__(f"uniqueness is {found}, not {claimed}")
        self.found = found


def fingerprint(problem: Problem) -> str:
    """Return the SHA-256 of the shape of X, its entries row by row and those of y, as little-endian float64."""
    X, y = _arrays(problem)
    digest = hashlib.sha256(f"{X.shape[0]} {X.shape[1]}\n".encode())
    for array in (X, y):
        digest.update(np.ascontiguousarray(array, "<f8").tobytes())
    return digest.hexdigest()


@np.errstate(all="ignore")  # comparisons with infinity or NaN decide nothing
def verify(proof: Proof | str | Path, problem: Problem) -> Proof:
    """Check a proof against a problem, by exact and ball arithmetic.

    Parameters
    ----------
    proof : Proof or path
        From `prove`, or a file that `Proof.save` or ``linreg-mirror solve --prove`` wrote.
    problem : Problem
        The problem that it is said to be about. X is made dense.

    Returns
    -------
    Proof
        The proof, which holds.

    Raises
    ------
    ProofError
        If it does not, is about another problem, or is no proof; the message says what fails.
    ModuleNotFoundError
        If python-flint is not installed.

    Notes
    -----
    A vertex is optimal by duality: X_S x = y and X_S's = sign x with |X's| <= 1, and it is unique if |X_j's| < 1 off S
    and the columns X_S are independent. Limits are enclosed by generalised self-concordance of the dual: a step h
    changes the logarithms of the metric by at most 2 |X'h|.

    Examples
    --------
    >>> import linreg_mirror as lm
    >>> problem = lm.Problem([[1, 2]], [2])
    >>> proof = lm.prove(problem, lm.minimum_l1(problem))
    >>> lm.verify(proof, problem).unique
    True
    >>> lm.verify(proof, lm.Problem([[1, 2]], [3]))
    Traceback (most recent call last):
    ...
    linreg_mirror.proofs._verify.ProofError: the proof is about other data: SHA-256 of X and y differ
    """
    flint = require_flint()
    try:
        proof = proof if isinstance(proof, Proof) else Proof.load(proof)
    except ValueError as error:
        raise ProofError(str(error)) from None
    claim = proof.content
    try:
        _require(claim["format"] == FORMAT and claim["version"] == VERSION, f"this is no proof of version {VERSION}")
        _require(claim["kind"] == proof.kind and proof.kind in _CHECKS, f"there is no proof of kind {proof.kind!r}")
        _require(claim["sha256"] == fingerprint(problem), "the proof is about other data: SHA-256 of X and y differ")
        bits = claim["bits"]
        _require(type(bits) is int and 2 <= bits <= _MOST_BITS, f"bits must be a whole number from 2 to {_MOST_BITS}")
        with flint.ctx.workprec(bits):
            _CHECKS[proof.kind](claim, *_arrays(problem))
    except ZeroDivisionError:
        raise ProofError("rows and columns of the basis are dependent") from None
    except (KeyError, TypeError, IndexError, OverflowError, AttributeError) as error:
        raise ProofError(f"the file is damaged: {type(error).__name__}: {error}") from error
    except ValueError as error:
        if isinstance(error, ProofError):
            raise
        raise ProofError(f"the file is damaged: {error}") from error
    return proof


def _vertex(claim: dict[str, Any], X: np.ndarray, y: np.ndarray) -> None:
    basis, rows = _indices(claim["basis"], X.shape[1]), _indices(claim["rows"], len(y))
    _require(len(basis) == len(rows), "basis and rows must be as many")
    rest = np.setdiff1d(np.arange(len(y)), rows)
    square, below, signs = X[np.ix_(rows, basis)], X[np.ix_(rest, basis)], claim["signs"]
    _require(len(signs) == len(basis) and all(sign in (-1, 1) for sign in signs), "signs must be -1 or 1, one a weight")
    inverse = _inverse(square)
    if len(rest):  # the other equations hold exactly, or not at all
        exact = _exact(square).solve(_exact(y[rows, None]))
        _require(_exact(below) * exact == _exact(y[rest, None]), "Xx = y does not hold exactly on the basis")
        values = _balls(exact).entries()
    else:
        values = (inverse * _balls(y[rows, None])).entries()
    _certain((sign * value for sign, value in zip(signs, values, strict=True)), "a weight does not have its sign")
    _enclosed(values, claim["x"], claim["error"])
    _enclosed([sum(abs(value) for value in values)], [claim["norm"]], [claim["norm_error"]])

    flint, dual = require_flint(), np.asarray(claim["dual"], float).reshape(len(rest))
    wanted = _balls(np.array(signs, float)[:, None]) - _balls(below.T) * _balls(dual[:, None])
    s = dict(zip(rows.tolist(), (inverse.transpose() * wanted).entries(), strict=True))
    s |= {i: flint.arb(value) for i, value in zip(rest.tolist(), dual.tolist(), strict=True)}
    off = np.setdiff1d(np.arange(X.shape[1]), basis)
    tight = off[~(_slope_bounds(X[:, off], [s[i] for i in range(len(y))]) < 1)]
    unique: bool | None = True
    tight = [j for j in tight.tolist() if not abs(_dot(X[:, j], s)) < 1]
    _require(not any(abs(_dot(X[:, j], s)) > 1 for j in tight), "x is not optimal: some |X_j's| exceeds 1")
    if tight:  # only exact arithmetic can tell a tie
        matrix, goal = (
            _exact(square.T),
            _exact(np.array(signs, float)[:, None]) - _exact(below.T) * _exact(dual[:, None]),
        )
        head, tail = matrix.solve(goal).transpose(), _exact(dual[None, :])
        slopes = (head * _exact(X[np.ix_(rows, tight)]) + tail * _exact(X[np.ix_(rest, tight)])).entries()
        _require(all(abs(slope) <= 1 for slope in slopes), "x is not optimal: some |X_j's| exceeds 1")
        ties = [j for j, slope in zip(tight, slopes, strict=True) if abs(slope) == 1]
        # Weight can move from the basis to a tied column that is a combination of it, at no change of the norm.
        unique = None if ties else True
        for j in ties:
            if _exact(below) * _exact(square).solve(_exact(X[rows, j, None])) == _exact(X[rest, j, None]):
                unique = False
                break
    if claim["unique"] is not unique:
        raise OtherVerdict(unique, claim["unique"])


def _enclosure(claim: dict[str, Any], X: np.ndarray, y: np.ndarray) -> None:
    flint, (n, d) = require_flint(), X.shape
    basis, large = _indices(claim["basis"], d), _indices(claim["support"], n)  # places in the basis
    _require(len(basis) == n, "the basis must have as many columns as there are rows")
    inverse = _inverse(X[:, basis])
    values = (inverse * _balls(y[:, None])).entries()
    _enclosed(values, claim["x"], claim["error"])
    dual = np.asarray(claim["dual"], float).reshape(n)
    s = [flint.arb(value) for value in dual.tolist()]
    off = np.setdiff1d(np.arange(d), basis[large])
    bounds = _slope_bounds(X, s)
    excess = flint.arb(max(1.0, float(bounds.max())))
    lower, upper = _dot(y, s) / excess, sum((abs(value) for value in values), flint.arb(0))
    _certain_at_most(flint.arb(_text(claim["norm"][0])), lower, "the lower bound of the norm is not proved")
    _certain_at_most(upper, flint.arb(_text(claim["norm"][1])), "the upper bound of the norm is not proved")
    if claim["distance"] is None:
        return
    slack = 1 - flint.arb(float(bounds[off].max(initial=0.0))) / excess
    _certain([slack], "the distance is not proved: a column off the support is tight")
    # x off the support moves it by at most `growth` times as much, since its columns have a left inverse.
    weights = [sum((abs(inverse[i, k]) for i in large.tolist()), flint.arb(0)) for k in range(n)]
    growth = flint.arb(float(_product_bounds(X[:, off], weights).max(initial=0.0)))
    small = sum((abs(value) for i, value in enumerate(values) if i not in large), flint.arb(0))
    distance = (1 + growth) * ((upper - lower) / slack + small)
    _certain_at_most(distance, flint.arb(_text(claim["distance"])), "the distance is not proved")


def _inconsistent(claim: dict[str, Any], X: np.ndarray, y: np.ndarray) -> None:
    rows, columns = _indices(claim["rows"], len(y)), _indices(claim["columns"], X.shape[1])
    (row,) = _indices([claim["row"]], len(y))
    combination = _combination(X, rows, columns, [row])
    _require(combination * _exact(y[rows, None]) != _exact(y[[row], None]), "the target is the same combination too")


def _limit(claim: dict[str, Any], X: np.ndarray, y: np.ndarray) -> None:
    flint, d = require_flint(), X.shape[1]
    rows, basis = _indices(claim["rows"], len(y)), _indices(claim["basis"], d)
    _require(len(basis) == len(rows) == len(claim["dual"]), "basis, rows and dual must be as many")
    rest = np.setdiff1d(np.arange(len(y)), rows)
    if len(rest):  # these equations say nothing new
        same = _combination(X, rows, basis, rest) * _exact(y[rows, None]) == _exact(y[rest, None])
        _require(same, "Xx = y has no solution")
    log_b, z0 = (np.broadcast_to(np.asarray(claim[name], float), d) for name in ("log_scale", "initial_dual"))
    _require(bool(np.isfinite(log_b).all() and np.isfinite(z0).all()), "scale and initial dual must be finite")
    A, s = _balls(X[rows]), flint.arb_mat(len(rows), 1, [flint.arb(_text(value)) for value in claim["dual"]])
    slopes = (A.transpose() * s).entries()
    exponents = [2 * (flint.arb(start) - slope) for start, slope in zip(z0.tolist(), slopes, strict=True)]
    b = [flint.arb(value).exp() for value in log_b.tolist()]
    q = flint.arb_mat(d, 1, [scale * e.sinh() for scale, e in zip(b, exponents, strict=True)])
    # The Hessian is at least that of the basis alone, C = diag(metric) in B C B', whose inverse is known: with
    # T = C^-1/2 B^-1, the gradient has the norm |T g|, and X_i'h is at most |T X_i| times the norm of h.
    roots = [(2 * b[j] * exponents[j].cosh()).sqrt() for j in basis.tolist()]
    T = _diagonal([1 / root for root in roots]) * _inverse(X[np.ix_(rows, basis)])
    decrement = _norm((T * (_balls(y[rows, None]) - A * q)).entries())
    longest = float(_product_bounds(X[rows], [flint.arb(1)] * len(rows)).max())  # of the columns, in L1 norm
    product = 2 * _norm(T.entries()) * longest * decrement
    _certain([1 - product], "the dual is too far from the one of the limit for a proof")
    moved = flint.arb(0, (-(1 - product).log()).abs_upper())  # a ball that holds 2 X_i'h
    _enclosed([scale * (e + moved).sinh() for scale, e in zip(b, exponents, strict=True)], claim["x"], claim["error"])


_CHECKS = {"vertex": _vertex, "enclosure": _enclosure, "inconsistent": _inconsistent, "limit": _limit}


def _combination(X: np.ndarray, rows: Any, columns: Any, others: Any) -> Any:
    """Return exact coefficients that make `others` of `rows`, after checking that they do."""
    _require(len(rows) == len(columns), "rows and columns must be as many")
    goal = _exact(X[np.ix_(others, columns)])
    found = _exact(X[np.ix_(rows, columns)].T).solve(goal.transpose()).transpose()
    _require(found * _exact(X[rows]) == _exact(X[others]), "a row of X is not a combination of the others")
    return found


def _slope_bounds(X: np.ndarray, s: Sequence[Any]) -> np.ndarray:
    """Return upper bounds of |X_j's|, by float64 products and what their rounding can be at most."""
    centre = np.array([float(ball.mid()) for ball in s])
    radius = [abs(ball - require_flint().arb(value)) for ball, value in zip(s, centre.tolist(), strict=True)]
    rounding = (len(s) + 4) * 2.0**-52 * (np.abs(X).T @ np.abs(centre))
    return (np.abs(X.T @ centre) + rounding + _product_bounds(X, radius)) * (1 + 1e-12) + _TINY


def _product_bounds(X: np.ndarray, sizes: Iterable[Any]) -> np.ndarray:
    """Return upper bounds of |X|'|v| for balls v."""
    upper = np.array([float(ball.abs_upper()) for ball in sizes]) * (1 + 1e-12) + _TINY
    return (np.abs(X).T @ upper) * (1 + (len(upper) + 4) * 2.0**-52) + _TINY


def _enclosed(balls: Sequence[Any], values: Sequence[str], errors: Sequence[str]) -> None:
    arb = require_flint().arb
    _require(len(balls) == len(values) == len(errors), "there must be a value and an error for every weight")
    for ball, value, error in zip(balls, values, errors, strict=True):
        _certain_at_most(
            abs(ball - arb(_text(value))), arb(_text(error)), f"a value of {value} +/- {error} is not proved"
        )


def _certain(balls: Iterable[Any], sentence: str) -> None:
    """Require that all are positive."""
    for ball in balls:
        if not ball > 0:
            raise (ProofError if ball <= 0 else Undecided)(sentence)


def _certain_at_most(ball: Any, bound: Any, sentence: str) -> None:
    if not ball <= bound:
        raise (ProofError if ball > bound else Undecided)(sentence)


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise ProofError(sentence)


def _text(value: Any) -> str:
    _require(isinstance(value, str), f"a number must be written as a string, got {value!r}")
    return value


def _indices(values: Sequence[int], size: int) -> np.ndarray:
    whole = all(type(value) is int and 0 <= value < size for value in values)
    _require(whole and len(set(values)) == len(values), f"indices must be distinct and from 0 to {size - 1}")
    return np.array(values, dtype=np.intp)


def _arrays(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    X = problem.X if isinstance(problem.X, np.ndarray) else problem.X.toarray()
    return X + 0.0, problem.y + 0.0  # -0.0 is zero


def _balls(matrix: Any) -> Any:
    flint = require_flint()
    if isinstance(matrix, np.ndarray):
        return flint.arb_mat(*matrix.shape, matrix.ravel().tolist())
    return flint.arb_mat(matrix.nrows(), matrix.ncols(), [flint.arb(entry) for entry in matrix.entries()])


def _exact(matrix: np.ndarray) -> Any:
    flint = require_flint()
    entries = [flint.fmpq(*value.as_integer_ratio()) for value in matrix.ravel().tolist()]
    return flint.fmpq_mat(*matrix.shape, entries)


def _inverse(square: np.ndarray) -> Any:
    try:
        return _balls(square).solve(_balls(np.eye(len(square))))  # more precise, and quicker, than inv()
    except ZeroDivisionError:
        raise Undecided("rows and columns of the basis are not seen to be independent with so few bits") from None


def _diagonal(entries: Sequence[Any]) -> Any:
    flint, size = require_flint(), len(entries)
    return flint.arb_mat(size, size, [entries[i] if i == j else 0 for i in range(size) for j in range(size)])


def _norm(entries: Iterable[Any]) -> Any:
    arb = require_flint().arb
    return arb.sqrt(sum((entry * entry for entry in entries), arb(0)))


def _dot(row: np.ndarray, s: Any) -> Any:
    return sum((require_flint().arb(value) * s[i] for i, value in enumerate(row.tolist())), require_flint().arb(0))
