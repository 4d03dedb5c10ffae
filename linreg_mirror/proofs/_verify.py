"""The check of a proof: is it one, of this problem, and does what it claims hold."""

import hashlib
from pathlib import Path

import numpy as np

from linreg_mirror.problems import Problem
from linreg_mirror.proofs._flint import require_flint
from linreg_mirror.proofs._proof import Proof
from linreg_mirror.proofs.checks import CHECKS
from linreg_mirror.proofs.checks.balls import ProofError, require

FORMAT, VERSION = "linreg-mirror proof", 1
_MOST_BITS = 1 << 17


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
    linreg_mirror.proofs.checks.balls.ProofError: the proof is about other data: SHA-256 of X and y differ
    """
    flint = require_flint()
    try:
        proof = proof if isinstance(proof, Proof) else Proof.load(proof)
    except ValueError as error:
        raise ProofError(str(error)) from None
    claim = proof.content
    try:
        require(claim["format"] == FORMAT and claim["version"] == VERSION, f"this is no proof of version {VERSION}")
        require(claim["kind"] == proof.kind and proof.kind in CHECKS, f"there is no proof of kind {proof.kind!r}")
        require(claim["sha256"] == fingerprint(problem), "the proof is about other data: SHA-256 of X and y differ")
        bits = claim["bits"]
        require(type(bits) is int and 2 <= bits <= _MOST_BITS, f"bits must be a whole number from 2 to {_MOST_BITS}")
        with flint.ctx.workprec(bits):
            CHECKS[proof.kind](claim, *_arrays(problem))
    except ZeroDivisionError:
        raise ProofError("rows and columns of the basis are dependent") from None
    except (KeyError, TypeError, IndexError, OverflowError, AttributeError) as error:
        raise ProofError(f"the file is damaged: {type(error).__name__}: {error}") from error
    except ValueError as error:
        if isinstance(error, ProofError):
            raise
        raise ProofError(f"the file is damaged: {error}") from error
    return proof


def _arrays(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    X = problem.X if isinstance(problem.X, np.ndarray) else problem.X.toarray()
    return X + 0.0, problem.y + 0.0  # -0.0 is zero
